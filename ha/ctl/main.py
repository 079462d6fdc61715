"""Runs one command: finds it, checks its words, says what it does, does it, prints the result, gives the exit code."""

import os
import sys

from . import commands, formatters, options, values
from .call import Call
from .outcome import OK, SOFTWARE, USAGE, BadUsage, Failure, TimedOut, Unreachable

INTERRUPTED = 130

NOBODY_ANSWERS = """\
Error: unable to perform an operation on node '{node}'. Please see diagnostics information and suggestions below.

Most common reasons for this are:

 * Target node is not running
 * Its management API listens elsewhere: name it with --url, or the cluster of ha/cluster with --dir
 * Target node is unreachable (hostname resolution, TCP connection, firewall)

DIAGNOSTICS
===========

attempted to contact: {url}
  * {why}"""


def main(argv):
    tool = os.path.basename(argv[0])
    if tool not in commands.TOOLS:
        tool = commands.OWN_NAME
    try:
        code = run(tool, argv[1:])
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has seen enough
        return OK


def run(tool, words):
    rest, found, _ = options.parse(words)
    if found.get("version") and not rest:
        rest = ["version"]
    if not rest:
        if found.get("help"):
            print(helping().of_tool(tool))
            return OK
        complain(helping().of_tool(tool))
        return USAGE
    command = commands.find(rest[0], tool)
    if not command:
        complain(helping().unknown(tool, rest[0]))
        return USAGE
    if command.raw:
        return run_raw(tool, command, words[words.index(rest[0]) + 1:])
    if found.get("help"):
        print(helping().of_command(tool, command))
        return OK
    return run_command(tool, command, words)


def run_raw(tool, command, words):
    """A command that hands its words on to another program."""
    try:
        command.run(Call(command, tool, words, {}))
        return OK
    except Failure as error:
        complain(f"Error:\n{error.text}")
        return error.code


def run_command(tool, command, words):
    call = None
    try:
        rest, found, wrong = options.parse(words, command.switches, command.letters)
        options.check(wrong)
        call = Call(command, tool, rest[1:], found)
        validate(call)
        return carry_out(call)
    except BadUsage as error:
        complain(f"Error (argument validation): {error.text}\nArguments given:\n\t{' '.join(words)}\n\n"
                 f"{formatters.bright('Usage')}\n\n{helping().usage_line(tool, command)}")
        return error.code
    except Unreachable as error:
        complain(NOBODY_ANSWERS.format(node=call.option("node") or error.url, url=error.url, why=error.why))
        return error.code
    except TimedOut as error:
        complain(f"Error: operation {command.name} on node {call.option('node') or call.api.url} timed out. "
                 f"Timeout value used: {call.timeout:g}")
        return error.code
    except Failure as error:
        if error.data is not None and call.formatter == "json":
            complain(values.to_json(error.data))
        else:
            complain(error.text if error.bare else f"Error:\n{error.text}")
        return error.code
    except (KeyError, TypeError, ValueError) as error:
        if os.environ.get("WARREN_DEBUG"):
            raise
        complain(f"Error:\nthe node's answer was not understood ({error!r}); WARREN_DEBUG=1 shows where")
        return SOFTWARE


def validate(call):
    command, words = call.command, call.words
    if len(words) < command.words_min:
        raise BadUsage("not enough arguments.")
    if command.words_max is not None and len(words) > command.words_max:
        raise BadUsage("too many arguments.")
    if call.formatter is not None and call.formatter not in formatters.NAMES:
        raise BadUsage(f"formatter '{call.formatter}' is not known; try one of {', '.join(formatters.NAMES)}")
    if command.check:
        command.check(call)


def carry_out(call):
    """The banner, the work and the result."""
    if call.command.banner and not call.quiet and call.formatter not in formatters.FOR_MACHINES:
        print(call.command.banner(call), flush=True)
    if call.option("dry-run") and not call.command.local and not call.command.explains:
        return OK
    result = call.command.run(call)
    headers = not call.option("silent") and call.option("table-headers", True)
    if result is None and call.formatter != "json":
        return OK
    if result is None and call.command.local:
        return OK
    text = formatters.render(result, call.formatter, headers, lambda: call.node)
    if text is not None:
        print(text)
    return OK


def helping():
    """Loaded when it is needed."""
    from . import help as module
    return module


def complain(text):
    sys.stdout.flush()
    print(text, file=sys.stderr)
