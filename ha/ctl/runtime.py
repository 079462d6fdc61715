"""What changes a running node: connections, limits, listeners, log level."""

import time

from .api import path_of
from .columns import connection_pid
from .commands import CTL, DIAGNOSTICS, command
from .formatters import Message, Rows
from .listing import pages
from .outcome import DATA, BadUsage, Failure, Refused

SECTION = "Operations"
CONFIGURATION = "Configuration and Environment"
COLUMNS = ("name", "node", "user", "vhost")
LEVELS = ("debug", "info", "warning", "error", "critical", "none")


def close(call, connection, reason):
    """A connection that has gone meanwhile is closed all the same."""
    try:
        call.api.delete(path_of("connections", connection["name"]), headers={"X-Reason": header_text(reason)})
    except Refused as refused:
        if refused.status != 404:
            raise


def header_text(text):
    return " ".join(text.split()).encode().decode("latin-1")


@command("close_connection", "<connection pid> <explanation>", "Instructs the broker to close a connection", SECTION,
         words=(2, 2),
         banner=lambda call: f"Closing connection {call.words[0]}, reason: {call.words[1]}...",
         details=[("<connection pid>", "as the column pid of list_connections has it; its name will do as well"),
                  ("<explanation>", "told to the client with the code 320")],
         examples=[("close_connection '<warren@node1.2871.40.0>' 'moved to another cluster'",
                    "one connection, on any node")])
def close_connection(call):
    wanted, reason = call.words
    found = [connection for connection in pages(call, "/api/connections", COLUMNS)
             if wanted in (connection["name"], connection_pid(connection))]
    if not found and not wanted.startswith("<"):
        raise Failure(f'Error:\n{{:invalid_pid_syntax, "{wanted}"}}')
    for connection in found:
        close(call, connection, reason)


def all_banner(call):
    limit = call.option("limit", 0)
    what = f"{limit} connections" if limit else "all connections"
    where = f"to node {call.node_or_url()} (across all vhosts)" if call.option("global") else f"in vhost {call.vhost}"
    return f"Closing {what} {where}, reason: {call.words[0]}..."


@command("close_all_connections",
         "[--vhost <vhost> --limit <limit>] [-n <node> --global] [--per-connection-delay <delay>] <explanation>",
         "Instructs the broker to close all connections for the specified vhost or entire RabbitMQ node", SECTION,
         words=(1, 1),
         switches={"global": bool, "limit": int, "per-connection-delay": int}, banner=all_banner,
         details=[("--global", "consider connections across all virtual hosts, of the asked node"),
                  ("--limit <number>", "close up to this many connections"),
                  ("--per-connection-delay <milliseconds>", "inject a delay between closures")],
         examples=[("close_all_connections --global -n warren@a --per-connection-delay 10 'maintenance'",
                    "clients of one node come back to the others one by one")])
def close_all_connections(call):
    found = [connection for connection in pages(call, "/api/connections", COLUMNS)
             if (connection["node"] == call.node if call.option("global") else connection["vhost"] == call.vhost)]
    limit = call.option("limit", 0)
    return closed(call, found[:limit] if limit > 0 else found, call.words[0])


def closed(call, connections, reason):
    for at, connection in enumerate(connections):
        if at and call.option("per-connection-delay"):
            time.sleep(call.option("per-connection-delay") / 1000)
        close(call, connection, reason)
    return Message(f"Closed {len(connections)} connections")


@command("close_all_user_connections", "<username> <explanation>",
         "Instructs the broker to close all connections of the specified user", SECTION, words=(2, 2),
         banner=lambda call: f"Closing connections of user {call.words[0]}, reason: {call.words[1]}...")
def close_all_user_connections(call):
    user, reason = call.words
    for connection in [found for found in pages(call, "/api/connections", COLUMNS) if found["user"] == user]:
        close(call, connection, reason)


@command("force_gc", "",
         "Makes all Erlang processes on the target node perform/schedule a full sweep garbage collection", SECTION,
         (CTL, DIAGNOSTICS), banner=lambda call: f"Node {call.node_or_url()} has no garbage to collect")
def force_gc(call):
    call.node_or_url()


# Limits that are configuration here

def set_by_configuration(key, value, call):
    raise Failure(f"a running node takes this from its configuration only: write '{key} = {value}' into the "
                  f"configuration file of "
                  f"{call.node_or_url()} and restart it (rolling, as docs/operate.md tells)")


def size_of(text):
    """Bytes of 100MB, 1GiB, 5000 ..."""
    digits = text.rstrip("bBkKmMgGtTiI")
    if not digits.replace(".", "", 1).isdigit():
        raise BadUsage("Bad argument.", DATA)
    return text


def fraction_of(text):
    try:
        fraction = float(text)
    except ValueError:
        raise BadUsage("Bad argument.", DATA) from None
    if not 0.0 <= fraction <= 1.0:
        raise BadUsage("Bad argument: The threshold should be a fraction between 0.0 and 1.0", DATA)
    return fraction


def check_watermark(call):
    if call.words[0] == "absolute":
        if len(call.words) != 2:
            raise BadUsage("not enough arguments.")
        return ("vm_memory_high_watermark.absolute", size_of(call.words[1]))
    if len(call.words) != 1:
        raise BadUsage("too many arguments.")
    return ("vm_memory_high_watermark.relative", fraction_of(call.words[0]))


@command("set_vm_memory_high_watermark", "<fraction> | absolute <value>", "Sets the vm_memory_high_watermark setting",
         CONFIGURATION, words=(1, 2), check=check_watermark)
def set_vm_memory_high_watermark(call):
    set_by_configuration(*check_watermark(call), call)


def check_disk_limit(call):
    if call.words[0] == "mem_relative":
        if len(call.words) != 2:
            raise BadUsage("not enough arguments.")
        return ("disk_free_limit.relative", fraction_of(call.words[1]))
    if len(call.words) != 1:
        raise BadUsage("too many arguments.")
    return ("disk_free_limit.absolute", size_of(call.words[0]))


@command("set_disk_free_limit", "<disk_limit> | mem_relative <fraction>", "Sets the disk_free_limit setting",
         CONFIGURATION, words=(1, 2), check=check_disk_limit)
def set_disk_free_limit(call):
    set_by_configuration(*check_disk_limit(call), call)


@command("set_log_level", "<log_level>", "Sets log level in the running node", CONFIGURATION, words=(1, 1))
def set_log_level(call):
    if call.words[0] not in LEVELS:
        raise Failure(f"level {call.words[0]} is not supported. Try one of {', '.join(LEVELS)}")
    set_by_configuration("log.level", call.words[0], call)


def disk_monitoring(name, word):
    @command(name, "", f"{word} free disk space monitoring", CONFIGURATION)
    def run(call):
        raise Failure("free disk space is always watched; 'disk_free_limit.absolute = 0' in the configuration "
                      "switches the alarm off")
    return run


disk_monitoring("activate_free_disk_space_monitoring", "Activates")
disk_monitoring("deactivate_free_disk_space_monitoring", "Deactivates")


@command("rotate_logs", "", "Makes the node open its log file anew", "Nodes", (CTL,),
         banner=lambda call: f"Node {call.node_or_url()} opens its log file anew on SIGHUP")
def rotate_logs(call):
    raise Failure("the management API cannot do it: rename the file, then systemctl reload warren, or SIGHUP; the "
                  "package's "
                  "logrotate entry does both")


@command("list_node_auth_attempt_stats", "[--by-source]", "Lists authentication attempts on the target node",
         "Monitoring, observability and health checks", (CTL, DIAGNOSTICS), switches={"by-source": bool},
         banner=lambda call: f'Listing authentication attempts for node "{call.node_or_url()}" ...')
def list_node_auth_attempt_stats(call):
    columns = ("protocol", "auth_attempts", "auth_attempts_failed", "auth_attempts_succeeded")
    if call.option("by-source"):
        columns = ("remote_address", "username", *columns)
        return Rows(columns, call.api.get(path_of("auth", "attempts", call.node, "source")))
    return Rows(columns, call.api.get(path_of("auth", "attempts", call.node)))


@command("reset_node_auth_attempt_metrics", "", "Resets auth attempt metrics on the target node", CONFIGURATION,
         (DIAGNOSTICS,),
         banner=lambda call: f'Reset auth attempt metrics on node "{call.node_or_url()}" ...')
def reset_node_auth_attempt_metrics(call):
    call.api.delete(path_of("auth", "attempts", call.node))


@command("reset_stats_db", "[--all]", "Resets the statistics that the management API shows", SECTION, (CTL,),
         switches={"all": bool},
         banner=lambda call: ("Resetting statistics database in all nodes" if call.option("all") else
                              f"Resetting statistics database on node {call.node_or_url()}"))
def reset_stats_db(call):
    call.api.delete(path_of("reset") if call.option("all") else path_of("reset", call.node))
