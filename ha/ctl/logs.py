"""Log lines of a node: from its memory, over the API, so also of one far away; which of them there are."""

import json
import re
import time

from . import facts, target
from .commands import CTL, DIAGNOSTICS, command
from .formatters import Message, Report
from .outcome import DATA, BadUsage, Failure

SECTION = "Monitoring, observability and health checks"
CONFIGURATION = "Configuration and Environment"
LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency", "none")
LINES = 50
FOLLOW_INTERVAL = 0.2
NAMES = {"error": "ERROR", "warning": "WARN", "info": "INFO", "debug": "DEBUG"}


def log_files(call):
    """A node without a log file writes to standard error, and ha/cluster knows where that goes."""
    files = list(facts.node_of(call).get("log_files") or [])
    directory, state = target.cluster_directory(call.options)
    number = call.node.removeprefix("warren@node")
    if not files and state is not None and number.isdigit():
        files = [str((directory / f"node-{number}" / "output.log").resolve())]
    return files or ["<stderr>"]


@command("log_location", "[--all|-a]", "Shows log file location(s) on target node", CONFIGURATION, (DIAGNOSTICS,),
         switches={"all": bool}, letters={"a": "all"},
         banner=lambda call: f"Log file location(s) on node {call.node_or_url()} ...")
def log_location(call):
    files = log_files(call)
    files = files if call.option("all") else files[:1]
    return Report("\n".join(files), {"result": "ok", "value": files, "node": call.node})


def plain(line):
    """As it stands in the file."""
    who = f"shard={line['shard']}" if "shard" in line else "node"
    return f"{line['time']} {NAMES[line['level']]:<5} {who} {line['msg']}"


@command("log_tail", "[--number|-N <number>]", "Prints the last N lines of the log on the node", SECTION, (DIAGNOSTICS,),
         switches={"number": int}, letters={"N": "number"},
         banner=lambda call: f"Last {call.option('number', LINES)} log lines on node {call.node_or_url()} ...",
         examples=[("log_tail -n warren@b -N 200", "a node keeps its last 512 lines in memory")])
def log_tail(call):
    if call.option("number", LINES) < 1:
        raise BadUsage("Bad argument: the number of lines must be positive", DATA)
    found = call.api.get(f"/api/this-node/log?lines={call.option('number', LINES)}")
    return Message("\n".join(plain(line) for line in found["lines"]), "message")


def follow(call, show):
    """Shows the lines that come from now on, for --duration seconds or for ever."""
    end = time.monotonic() + call.option("duration") if call.option("duration") else None
    last = call.api.get("/api/this-node/log?lines=0")["last"]
    while end is None or time.monotonic() < end:
        found = call.api.get(f"/api/this-node/log?after={last}")
        last = found["last"]
        for line in found["lines"]:
            show(line)
        time.sleep(FOLLOW_INTERVAL)


def streaming(call):
    return (f"Streaming logs from node {call.node_or_url()} "
            + (f"for {call.option('duration'):g} seconds ..." if call.option("duration") else "..."))


@command("log_tail_stream", "[--duration|-d <seconds>]", "Streams logs from a running node for a period of time", SECTION,
         (DIAGNOSTICS,), switches={"duration": float}, letters={"d": "duration"}, banner=streaming,
         examples=[("log_tail_stream -d 60", "lines as they come, for a minute")])
def log_tail_stream(call):
    follow(call, lambda line: print(plain(line), flush=True))


@command("consume_event_stream", "[--duration|-d <seconds>] [--pattern <pattern>]",
         "Streams events from a running node: its log lines as JSON, one a line. Output is jq-compatible", SECTION,
         (DIAGNOSTICS,), switches={"duration": float, "pattern": str}, letters={"d": "duration"}, banner=streaming,
         check=lambda call: pattern_of(call),
         details=[("--pattern <pattern>", "a regular expression that the line's text has to match")],
         examples=[("-q consume_event_stream --pattern '^connection'", "who comes and goes")])
def consume_event_stream(call):
    pattern = pattern_of(call)

    def show(line):
        if pattern.search(line["msg"]):
            print(json.dumps(line, ensure_ascii=False), flush=True)
    follow(call, show)


def pattern_of(call):
    try:
        return re.compile(call.option("pattern", ".*"))
    except re.error as error:
        raise BadUsage(f"Bad argument: the pattern is no regular expression: {error}", DATA) from None


def level_of(call):
    level = call.words[-1]
    if level not in LEVELS:
        raise Failure(f"level {level} is not supported. Try one of debug, info, warning, error, none")
    return {"level": level, **({"category": call.words[0]} if len(call.words) == 2 else {})}


@command("set_log_level", "[<category>] <log_level>", "Sets log level in the running node", CONFIGURATION,
         (CTL, DIAGNOSTICS), words=(1, 2),
         banner=lambda call: f'Setting log level to "{call.words[-1]}" ...',
         details=[("<log_level>", "debug, info, warning, error or none"),
                  ("<category>", "only of these lines: connection, federation, shovel, ra or default (not in RabbitMQ)")],
         examples=[("set_log_level debug", "until the node stops; log.level in its configuration keeps it"),
                   ("set_log_level connection warning", "clients that come and go leave no line")])
def set_log_level(call):
    call.api.put("/api/this-node/log/levels", level_of(call))


@command("rotate_logs", "", "Makes the node begin a new log file, as its log.file.rotation keys say; "
         "without them it opens the name anew", "Nodes", (CTL,),
         banner=lambda call: f"Rotating logs for node {call.node_or_url()} ...",
         examples=[("rotate_logs", "after something has moved the file away; SIGHUP does the same")])
def rotate_logs(call):
    call.api.post("/api/this-node/log/rotate")
