"""What is in the broker: queues, exchanges, bindings, connections, channels, consumers."""

from . import columns
from .api import path_of
from .commands import CTL, DIAGNOSTICS, command
from .formatters import Rows
from .outcome import BadUsage, Refused

SECTION = "Monitoring, observability and health checks"
BOTH = (CTL, DIAGNOSTICS)
PAGE_SIZE = 500     # rows asked for at once
CONSUMER_DEFAULT = ("queue_name", "channel_pid", "consumer_tag", "ack_required", "prefetch_count", "active",
                    "arguments")
CONSUMER_ORDER = CONSUMER_DEFAULT[:6] + ("activity_status", "arguments", "exclusive")
BINDING_DEFAULT = ("source_name", "source_kind", "destination_name", "destination_kind", "routing_key", "arguments")


def check_columns(call, known):
    """The columns that the words name, also with commas between them."""
    named = [name for word in call.words for name in word.replace(",", " ").split()]
    unknown = [name for name in named if name not in known]
    if unknown:
        raise BadUsage(f"Info key(s) {','.join(unknown)} are not supported")
    return list(dict.fromkeys(named))


def pages(call, path, names=None):
    """All items of a listing, page by page: a large cluster must not have to answer with one huge text."""
    page, query = 1, f"&columns={','.join(names)}" if names else ""
    while True:
        try:
            found = call.api.get(f"{path}?page={page}&page_size={PAGE_SIZE}{query}")
        except Refused as refused:
            if refused.status == 404 and path.count("/") > 2 and not call.has_vhost():
                return
            raise
        if isinstance(found, list):
            yield from found
            return
        yield from found["items"]
        if page >= found.get("page_count", 1):
            return
        page += 1


def listing(name, about, usage, table, default, path, banner, in_vhost=True, order=None, select=None, switches=None,
            details=(), examples=()):
    """A command that lists a kind of thing. `order`: columns stand in this order whatever the words say."""
    def run(call):
        asked = check_columns(call, table) or list(default)
        shown = [column for column in order if column in asked] if order else asked
        where = path_of(path, call.vhost) if in_vhost else path_of(path)
        rows = [row for row in pages(call, where) if select is None or select(call, row)]
        return Rows(shown, [columns.row_of(table, shown, row) for row in rows], listing=True)

    usage += "[--no-table-headers] [<column> ...] [--timeout <timeout>]"
    usage = f"[--vhost <vhost>] {usage}" if in_vhost else usage
    about_columns = ("<column>", "must be one of " + ", ".join(sorted(table)))
    return command(name, usage, about, SECTION, BOTH, words=(0, None), banner=banner, switches=switches,
                   check=lambda call: check_columns(call, table), details=[about_columns, *details],
                   examples=examples)(run)


def queue_is_wanted(call, queue):
    if call.option("local") and (queue.get("leader") or queue.get("node")) != call.node:
        return False
    down = queue.get("state") in ("down", "stopped", "minority")
    if call.option("online") != call.option("offline"):
        return down if call.option("offline") else not down
    return True


def queues_banner(call):
    return f"Timeout: {float(call.timeout)} seconds ...\nListing queues for vhost {call.vhost} ..."


listing("list_queues", "Lists queues and their properties", "[--online] [--offline] [--local] ", columns.QUEUE,
        ("name", "messages"), "queues", queues_banner, select=queue_is_wanted,
        switches={"online": bool, "offline": bool, "local": bool},
        details=[("--online", "lists only queues that have a leader now"),
                 ("--offline", "lists only queues that have none"),
                 ("--local", "only queues that the asked node leads")],
        examples=[("list_queues name messages consumers", "how much waits, and for whom"),
                  ("list_queues -p shop name leader members online", "where the replicas are, and which are up"),
                  ("list_queues -q --formatter json name arguments", "for a program")])
listing("list_exchanges", "Lists exchanges", "", columns.EXCHANGE, ("name", "type"), "exchanges",
        lambda call: f"Listing exchanges for vhost {call.vhost} ...")
listing("list_bindings", "Lists all bindings on a vhost", "", columns.BINDING, BINDING_DEFAULT, "bindings",
        lambda call: f"Listing bindings for vhost {call.vhost}...", order=BINDING_DEFAULT)
listing("list_connections", "Lists AMQP 0.9.1 connections for the node", "", columns.CONNECTION,
        ("user", "peer_host", "peer_port", "state"), "connections", lambda call: "Listing connections ...",
        in_vhost=False,
        examples=[("list_connections pid user peer_host client_properties", "pid is what close_connection takes")])
listing("list_channels", "Lists all channels in the node", "", columns.CHANNEL,
        ("pid", "user", "consumer_count", "messages_unacknowledged"), "channels", lambda call: "Listing channels ...",
        in_vhost=False)
listing("list_consumers", "Lists all consumers for a vhost", "", columns.CONSUMER, CONSUMER_DEFAULT, "consumers",
        lambda call: f"Listing consumers in vhost {call.vhost} ...", order=CONSUMER_ORDER)


@command("list_unresponsive_queues", "[--local] [--queue-timeout <milliseconds>] [<column> ...]",
         "Tests queues to respond within timeout. Lists those which did not respond", SECTION, BOTH, words=(0, None),
         switches={"local": bool, "all": bool, "queue-timeout": int},
         check=lambda call: check_columns(call, columns.QUEUE),
         banner=lambda call: f"Listing unresponsive queues for vhost {call.vhost} ...")
def list_unresponsive_queues(call):
    """A queue answers when its group has a leader."""
    shown = check_columns(call, columns.QUEUE) or ["name"]
    silent = [queue for queue in pages(call, path_of("queues", call.vhost))
              if queue.get("state") in ("down", "stopped", "minority")]
    return Rows(shown, [columns.row_of(columns.QUEUE, shown, queue) for queue in silent], listing=True)
