"""Help, made from the command table."""

from . import commands, options
from .formatters import Message, bright
from .outcome import USAGE, Failure

# RabbitMQ's names print what RabbitMQ's tools print; ours may begin with a word to those who come for the first time.
FIRST_STEPS = """\
Asks one node over its management API, which answers for the whole cluster. Without -n or --url that is the cluster of
ha/cluster in ./.cluster, else the node of this machine's configuration, else http://127.0.0.1:15672.

First steps:

   warrenctl cluster_status                            who is there, who leads what, alarms
   warrenctl list_queues name messages leader members  where queues are, and what waits in them
   warrenctl explain queue orders                      why its messages wait, in sentences
   warrenctl explain message EXCHANGE KEY              who would get a message; nothing is published
   warrenctl explain node                              what this node leads, and what its stop would cost
   warrenctl help add_user                             any command, its options, examples"""

DOCS = "docs/command-line.md of Warren tells how the commands work together."


def usage_line(call_tool, command):
    return f"{call_tool} [--node <node>] [--longnames] [--quiet] {command.name} {command.usage}".rstrip()


def of_command(tool, command):
    lines = ["", bright("Usage"), "", usage_line(tool, command), "", f"{command.about}."]
    if command.details:
        lines += ["", bright("Arguments and Options")]
        for word, text in command.details:
            lines += ["", word, f"\t{text}"]
    if command.examples:
        lines += ["", bright("Examples")]
        for example, text in command.examples:
            lines += ["", f"  {tool} {example}", f"\t{text}"]
    lines += ["", bright("General Options"), ""]
    lines += [f"{switch:<34}{text}" for switch, text in options.DESCRIPTIONS]
    return "\n".join(lines + ["", DOCS])


def of_tool(tool):
    offered = commands.of_tool(tool)
    width = max(map(len, offered))
    lines = ["", bright("Usage"), "",
             f"{tool} [--node <node>] [--timeout <timeout>] [--quiet] <command> [<command options>]", ""]
    lines += [FIRST_STEPS, ""] if tool == "warrenctl" else []
    lines += ["Available commands:"]
    for section in commands.SECTIONS:
        names = sorted(name for name, command in offered.items() if command.section == section)
        if names:
            lines += ["", f"{bright(section)}:", ""]
            lines += [f"   {name:<{width}}  {offered[name].about}" for name in names]
    return "\n".join(lines + ["", f"Use '{tool} help <command>' to learn more about a specific command"])


def unknown(tool, name):
    text = f"\nCommand '{name}' not found. \n"
    close = commands.suggestions(name, tool)
    if close:
        return text + f"Did you mean '{close[0]}'? \n"
    return text + of_tool(tool)


@commands.command("help", "[<command>] [--list-commands]", "Displays usage information for a command", "Help",
                  commands.TOOLS,
                  words=(0, 1), switches={"list-commands": bool}, local=True,
                  examples=[("help add_user", "what add_user does"), ("help --list-commands", "all names, one a line")])
def help_command(call):
    if call.option("list-commands"):
        return Message("\n".join(sorted(commands.of_tool(call.tool))))
    if not call.words:
        return Message(of_tool(call.tool))
    found = commands.of_tool(call.tool).get(call.words[0]) or commands.table().get(call.words[0])
    if not found:
        raise Failure(f"\nCommand '{call.words[0]}' not found.", USAGE)
    return Message(of_command(call.tool, found))


@commands.command("version", "", "Displays CLI tools version", "Help", commands.TOOLS, local=True)
def version_command(call):
    from .version import tool_version
    return Message(tool_version())


@commands.command("autocomplete", "<prefix>", "Provides command name autocomplete variants", "Help", commands.TOOLS,
                  words=(0, 1), local=True,
                  examples=[("autocomplete list_", "every command whose name begins so; for completion in a shell")])
def autocomplete_command(call):
    prefix = call.words[0] if call.words else ""
    names = sorted(name for name in commands.of_tool(call.tool) if name.startswith(prefix))
    return Message("\n".join(names)) if names else None
