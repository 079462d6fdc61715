"""Shovels and federation links: what they do, restart, delete."""

from .api import path_of
from .commands import CTL, DIAGNOSTICS, command
from .formatters import Report, Rows
from .outcome import Failure, Refused
from .values import term

BOTH = (CTL, DIAGNOSTICS)
SHOVEL_COLUMNS = ("destination", "destination_protocol", "destination_queue", "last_changed", "name", "source",
                  "source_protocol", "source_queue", "state", "termination_reason", "type", "vhost")
LINK_KEYS = ("error", "exchange", "id", "last_changed", "local_connection", "queue", "status", "type", "upstream",
             "upstream_exchange", "upstream_queue", "uri", "vhost")
# Where the API has what the column shows.
SHOVEL_FIELDS = {"destination": "dest_uri", "source": "src_uri", "destination_protocol": "dest_protocol",
                 "source_protocol": "src_protocol", "destination_queue": "dest_queue", "source_queue": "src_queue",
                 "last_changed": "timestamp", "termination_reason": "reason"}


def shovel_row(shovel):
    return {column: shovel.get(column, shovel.get(SHOVEL_FIELDS.get(column, column))) or ""
            for column in SHOVEL_COLUMNS}


@command("shovel_status", "[--no-table-headers]", "Displays status of Shovel on a node", "Shovel", BOTH,
         banner=lambda call: f"Shovel status on node {call.node_or_url()}",
         examples=[("shovel_status", "every shovel of the cluster, with its state and why it ended")])
def shovel_status(call):
    return Rows(SHOVEL_COLUMNS, [shovel_row(shovel) for shovel in call.api.get("/api/shovels")], listing=True)


def not_found(call):
    return Failure(f"Shovel with the given name was not found on the target node '{call.node_or_url()}' and / or "
                   f"virtual host "
                   f"'{call.vhost}'")


def on_shovel(call, *more):
    try:
        call.api.delete(path_of("shovels", "vhost", call.vhost, call.words[0], *more))
    except Refused as refused:
        if refused.status == 404 and call.api.find("/api/shovels") is not None:
            raise not_found(call) from None
        raise


@command("restart_shovel", "[--vhost <vhost>] <name>", "Restarts a dynamic Shovel", "Shovel", words=(1, 1),
         banner=lambda call: (f"Restarting dynamic Shovel {call.words[0]} in virtual host {call.vhost} on node "
                              f"{call.node_or_url()}"))
def restart_shovel(call):
    on_shovel(call, "restart")


@command("delete_shovel", "[--vhost <vhost>] <name>", "Deletes a Shovel", "Shovel", words=(1, 1),
         switches={"force": bool},
         banner=lambda call: f"Deleting shovel {call.words[0]} in vhost {call.vhost}")
def delete_shovel(call):
    on_shovel(call)


@command("federation_status", "[--only-down]", "Displays federation link status", "Federation", BOTH,
         switches={"only-down": bool},
         banner=lambda call: ("Listing federation links which are down on node " if call.option("only-down") else
                              "Listing federation links on node ") + f"{call.node_or_url()}...",
         details=[("--only-down", "only display links that failed or are not currently connected")])
def federation_status(call):
    path = path_of("federation-links", "state", "down") if call.option("only-down") else path_of("federation-links")
    try:
        found = call.api.get(path)
    except Refused as refused:
        if refused.status != 404 or not call.option("only-down"):
            raise
        found = [link for link in call.api.get(path_of("federation-links")) if link.get("status") != "running"]
    links = [{key: link.get(key) if key != "last_changed" else link.get("timestamp", link.get(key))
              for key in LINK_KEYS}
             for link in found]
    links = [{key: value if value is not None else "" for key, value in link.items()} for link in links]
    if call.formatter in (None, "table"):
        return Report("[" + ",\n ".join(term(link) for link in links) + "]", links)
    return Rows(LINK_KEYS, links, listing=True)


@command("restart_federation_link", "<link_id>", "Restarts a running federation link", "Federation", words=(1, 1),
         banner=lambda call: f"Restarting federation link {call.words[0]} on node {call.node_or_url()}")
def restart_federation_link(call):
    wanted = [link for link in call.api.get("/api/federation-links") if link.get("id") == call.words[0]]
    if not wanted:
        raise Failure("Link with the given ID was not found")
    for link in wanted:
        call.api.delete(path_of("federation-links", "vhost", link["vhost"], link["id"], link["node"], "restart"))
