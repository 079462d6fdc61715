"""Virtual hosts: their life, tags, limits, protection."""

import json

from .access import no_such_vhost
from .api import path_of
from .commands import CTL, DIAGNOSTICS, command
from .formatters import Message, Rows
from .listing import check_columns
from .outcome import DATA, SOFTWARE, Failure, Refused
from .users import limits_by, limits_of
from .values import Atom, to_json

SECTION = "Virtual hosts"
BOTH = (CTL, DIAGNOSTICS)
COLUMNS = ("name", "description", "tags", "default_queue_type", "protected_from_deletion", "tracing", "cluster_state",
           "metadata")


def words_of(tags):
    return [word.strip() for word in (tags or "").replace(",", " ").split()]


@command("add_vhost", '<vhost> [--description <description>] [--tags "<tag1>,<tag2>"] [--default-queue-type <type>]',
         "Creates a virtual host", SECTION, words=(1, 1),
         switches={"description": str, "tags": str, "default-queue-type": str},
         banner=lambda call: f'Adding vhost "{call.words[0]}" ...',
         details=[("--description <description>", "a sentence for listings"),
                  ("--tags <tags>", "words, separated by commas"),
                  ("--default-queue-type <quorum|classic|stream>",
                   "for queues that are declared without x-queue-type")],
         examples=[("add_vhost shop --description 'orders of the shop'",
                    "users need permissions in it: set_permissions -p shop")])
def add_vhost(call):
    body = {}
    if call.option("description") is not None:
        body["description"] = call.option("description")
    if call.option("tags") is not None:
        body["tags"] = ",".join(words_of(call.option("tags")))
    if call.option("default-queue-type") is not None:
        body["default_queue_type"] = call.option("default-queue-type")
        body["defaultqueuetype"] = call.option("default-queue-type")   # RabbitMQ 3.10 and 3.11 know this name only
    name = call.words[0]
    fresh = not call.has_vhost(name)
    call.api.put(path_of("vhosts", name), body)
    if fresh:   # the API gives the one who asks every right in it; this tool gives none
        call.api.find_and_delete(path_of("permissions", name, call.api.username))


@command("delete_vhost", "<vhost>", "Deletes a virtual host", SECTION, words=(1, 1),
         banner=lambda call: f'Deleting vhost "{call.words[0]}" ...',
         examples=[("delete_vhost shop", "with its queues and their messages, exchanges, policies and permissions")])
def delete_vhost(call):
    try:
        call.api.delete(path_of("vhosts", call.words[0]))
    except Refused as refused:
        if refused.status == 404:
            raise no_such_vhost(call.words[0]) from None
        raise


@command("list_vhosts", "[--no-table-headers] [<column> ...] [--timeout <timeout>]", "Lists virtual hosts", SECTION,
         BOTH,
         words=(0, None), check=lambda call: check_columns(call, COLUMNS), banner=lambda call: "Listing vhosts ...",
         details=[("<column>", "must be one of " + ", ".join(sorted(COLUMNS)))],
         examples=[("list_vhosts name tags default_queue_type", "three columns")])
def list_vhosts(call):
    return Rows(check_columns(call, COLUMNS) or ("name",), [row_of(vhost) for vhost in call.api.get("/api/vhosts")])


def row_of(vhost):
    metadata = vhost.get("metadata") or {}
    tags = vhost.get("tags", metadata.get("tags")) or []
    kind = vhost.get("default_queue_type") or metadata.get("default_queue_type")
    return {"name": vhost["name"], "description": vhost.get("description", metadata.get("description")) or "",
            "tags": [Atom(tag) for tag in (words_of(tags) if isinstance(tags, str) else tags)],
            "default_queue_type": Atom("undefined") if kind in (None, "undefined") else kind,
            "protected_from_deletion": bool(vhost.get("protected_from_deletion",
                                                      metadata.get("protected_from_deletion"))),
            "tracing": bool(vhost.get("tracing")), "metadata": metadata,
            "cluster_state": [(Atom(node), Atom(state)) for node, state in (vhost.get("cluster_state") or {}).items()]}


def metadata_of(call, name):
    vhost = call.api.find(path_of("vhosts", name))
    if vhost is None:
        raise Failure(f'Virtual host "{name}" does not exist', DATA)
    row = row_of(vhost)
    body = {"description": row["description"], "tags": ",".join(row["tags"]), "tracing": row["tracing"]}
    if row["default_queue_type"] != "undefined":
        body["default_queue_type"] = row["default_queue_type"]
    return body


@command("set_vhost_tags", "<vhost> <tag> [...]", "Sets virtual host tags", SECTION, words=(1, None),
         banner=lambda call: f'Setting tags for virtual host "{call.words[0]}" to [{", ".join(call.words[1:])}] ...')
def set_vhost_tags(call):
    body = metadata_of(call, call.words[0])
    call.api.put(path_of("vhosts", call.words[0]), {**body, "tags": ",".join(call.words[1:])})


@command("update_vhost_metadata", "<vhost> [--description <description>] [--tags <tags>] [--default-queue-type <type>]",
         "Updates metadata (tags, description, default queue type) of a virtual host", SECTION, words=(1, 1),
         switches={"description": str, "tags": str, "default-queue-type": str},
         banner=lambda call: f'Updating metadata of vhost "{call.words[0]}" ...')
def update_vhost_metadata(call):
    body = metadata_of(call, call.words[0])
    given = {"description": call.option("description"), "default_queue_type": call.option("default-queue-type"),
             "tags": ",".join(words_of(call.option("tags"))) if call.option("tags") is not None else None}
    call.api.put(path_of("vhosts", call.words[0]), {**body, **{key: of for key, of in given.items() if of is not None}})


@command("restart_vhost", "[--vhost <vhost>]", "Restarts a failed vhost data stores and queues", SECTION,
         banner=lambda call: f"Trying to restart vhost '{call.vhost}' on node '{call.node_or_url()}' ...")
def restart_vhost(call):
    if not call.has_vhost():
        raise Failure(f"Failed to start vhost '{call.vhost}' on node '{call.node}'Reason: {{:no_such_vhost, "
                      f"\"{call.vhost}\"}}",
                      SOFTWARE)
    return Message(f"Vhost '{call.vhost}' is already running on node '{call.node}'", "message")


@command("reconcile_vhosts", "", "Makes sure all virtual hosts were initialized on all reachable cluster nodes",
         SECTION,
         banner=lambda call: "Will try to initiate virtual host reconciliation on all reachable cluster nodes...")
def reconcile_vhosts(call):
    call.api.get("/api/vhosts")     # a virtual host is a part of the replicated topology: there is nothing to reconcile


def protection(name, words, switch):
    @command(name, "<vhost>", f"{words} a virtual host against deletion", SECTION, words=(1, 1),
             banner=lambda call: f'{words} vhost "{call.words[0]}" against deletion ...')
    def set_protection(call):
        path = path_of("vhosts", call.words[0], "deletion", "protection")
        if not call.has_vhost(call.words[0]):
            raise no_such_vhost(call.words[0])
        if switch:
            call.api.post(path)
        else:
            call.api.delete(path)
    return set_protection


protection("enable_vhost_deletion_protection", "Protecting", True)
protection("disable_vhost_deletion_protection", "No longer protecting", False)


def tracing(name, word, done, switch):
    @command(name, "[--vhost <vhost>]", f"{word} message tracing in a virtual host", SECTION,
             banner=lambda call: f'{word} tracing for vhost "{call.vhost}" ...')
    def set_tracing(call):
        if not call.has_vhost():
            raise no_such_vhost(call.vhost)
        call.api.put(path_of("vhosts", call.vhost), {**metadata_of(call, call.vhost), "tracing": switch})
        return Message(f"Trace {done} for vhost {call.vhost}", "message")
    return set_tracing


tracing("trace_on", "Starting", "enabled", True)
tracing("trace_off", "Stopping", "disabled", False)


# Limits

@command("set_vhost_limits", "[--vhost <vhost>] <definition>", "Sets virtual host limits", SECTION, words=(1, 1),
         banner=lambda call: f'Setting vhost limits to "{call.words[0]}" for vhost "{call.vhost}" ...',
         details=[("<definition>", "a JSON object of max-connections and max-queues; -1: no limit")],
         examples=[("set_vhost_limits -p shop '{\"max-queues\": 1000}'", "at most a thousand queues in shop")])
def set_vhost_limits(call):
    limits = limits_of(call)
    if not call.has_vhost():
        raise no_such_vhost(call.vhost)
    for limit, value in limits.items():
        call.api.put(path_of("vhost-limits", call.vhost, limit), {"value": value})


@command("clear_vhost_limits", "[--vhost <vhost>]", "Clears virtual host limits", SECTION,
         banner=lambda call: f'Clearing vhost "{call.vhost}" limits ...')
def clear_vhost_limits(call):
    limits = limits_by(call, "vhost-limits", "vhost").get(call.vhost)
    if not limits:
        raise Failure("Parameter does not exist")
    for limit in limits:
        call.api.delete(path_of("vhost-limits", call.vhost, limit))


@command("list_vhost_limits", "[--vhost <vhost>] [--global] [--no-table-headers]",
         "Displays configured virtual host limits",
         SECTION, BOTH, switches={"global": bool}, details=[("--global", "list limits for all virtual hosts")],
         banner=lambda call: ("Listing limits for all vhosts ..." if call.option("global") else
                              f'Listing limits for vhost "{call.vhost}" ...'))
def list_vhost_limits(call):
    limits = limits_by(call, "vhost-limits", "vhost")
    if call.option("global"):
        return Rows(("vhost", "limits"), [{"vhost": vhost, "limits": to_json(of)} for vhost, of in limits.items()
                                          if of])
    if not call.has_vhost():
        raise no_such_vhost(call.vhost)
    found = limits.get(call.vhost)
    return Message(json.dumps(found, separators=(",", ":")) if found else "")
