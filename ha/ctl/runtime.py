"""What changes a running node: connections, counters."""

import time

from .api import path_of
from .columns import connection_pid
from .commands import CTL, DIAGNOSTICS, command
from .formatters import Message, Rows
from .listing import pages
from .outcome import Failure, Refused

SECTION = "Operations"
CONFIGURATION = "Configuration and Environment"
COLUMNS = ("name", "node", "user", "vhost")


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
