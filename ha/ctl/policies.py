"""Policies and operator policies."""

import re

from .access import list_in_vhost, no_such_vhost
from .api import path_of
from .commands import CTL, DIAGNOSTICS, command
from .formatters import Rows
from .outcome import Failure
from .parameters import clear, decoded, value_text, write
from .queues import queue_of

SECTION = "Policies"
BOTH = (CTL, DIAGNOSTICS)
COLUMNS = ("vhost", "name", "pattern", "apply-to", "definition", "priority")
KINDS = {"all": ("queues", "exchanges"), "queues": ("queues",), "exchanges": ("exchanges",),
         "classic_queues": ("queues",),
         "quorum_queues": ("queues",), "streams": ("queues",)}
QUEUE_TYPES = {"classic_queues": "classic", "quorum_queues": "quorum", "streams": "stream"}


def family(prefix, path, noun, noun_in_banner, default_to):
    """set_, clear_ and list_ of one kind of policy."""
    @command(f"set_{prefix}policy",
             "[--vhost <vhost>] [--priority <priority>] [--apply-to <apply-to>] <name> <pattern> <definition>",
             f"Sets or updates {noun}", SECTION, words=(3, 3), switches={"priority": int, "apply-to": str},
             banner=lambda call: (f'Setting {noun_in_banner} "{call.words[0]}" for pattern "{call.words[1]}" to '
                                  f'"{call.words[2]}" '
                                  f'with priority "{call.option("priority", 0)}" for vhost "{call.vhost}" ...'),
             details=[("<pattern>",
                       "regular expression that the names match; of the matching policies the one of the highest "
                                    "priority counts"),
                      ("<definition>", "a JSON object of settings"),
                      ("--apply-to <queues | exchanges | all | classic_queues | quorum_queues | streams>",
                       "what it is for")],
             examples=[(f"set_{prefix}policy short '^tmp' '{{\"max-length\":1000,\"message-ttl\":60000}}' --apply-to "
                        f"queues",
                        "at most 1000 messages, none older than a minute")])
    def set_policy(call):
        name, pattern, definition = call.words
        body = {"vhost": call.vhost, "name": name, "pattern": pattern, "definition": decoded(definition),
                "priority": call.option("priority", 0), "apply-to": call.option("apply-to", default_to)}
        if not isinstance(body["definition"], dict):
            raise Failure("Validation failed\n\na definition is a JSON object\n")
        if not call.has_vhost():
            raise no_such_vhost(call.vhost)
        write(call, path_of(path, call.vhost, name), body)

    clear_words = noun_in_banner.replace(" override", "")

    @command(f"clear_{prefix}policy", "[--vhost <vhost>] <name>", f"Clears (removes) {noun}", SECTION, words=(1, 1),
             banner=lambda call: f'Clearing {clear_words} "{call.words[0]}" on vhost "{call.vhost}" ...')
    def clear_policy(call):
        clear(call, path_of(path, call.vhost, call.words[0]))

    plural = "operator_policies" if prefix else "policies"

    @command(f"list_{plural}", "[--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]",
             "Lists operator policy overrides for a virtual host" if prefix else "Lists all policies in a virtual host",
             SECTION, BOTH,
             banner=lambda call: (f'Listing operator policy overrides for vhost "{call.vhost}" ...' if prefix else
                                  f'Listing policies for vhost "{call.vhost}" ...'))
    def list_policies(call):
        found = list_in_vhost(call, path_of(path, call.vhost))
        if not found and not call.has_vhost():
            raise no_such_vhost(call.vhost)
        return Rows(COLUMNS, [{**row, "definition": value_text(row["definition"])} for row in found])


family("", "policies", "a policy", "policy", "all")
family("operator_", "operator-policies", "an operator policy, which overrides some settings of user policies",
       "operator policy override", "all")


@command("list_policies_that_match", "[--vhost <vhost>] <name> [--object-type <queue | exchange>]",
         "Lists all policies matching a queue/exchange (only the first in the list will apply)", SECTION, BOTH,
         words=(1, 1),
         switches={"object-type": str},
         banner=lambda call: f"Listing policies that match {call.option('object-type', 'queue')} '{call.words[0]}' in "
                             f"vhost '{call.vhost}' ...")
def list_policies_that_match(call):
    """Patterns are searched as the broker does: anywhere in the name, the highest priority first."""
    name, kind = call.words[0], call.option("object-type", "queue")
    queue_type = None
    if kind == "queue":
        queue_type = queue_of(call, name).get("type", "classic")
    elif call.api.find(path_of("exchanges", call.vhost, name)) is None:
        raise Failure("not_found")
    matching = [policy for policy in call.api.get(path_of("policies", call.vhost))
                if f"{kind}s" in KINDS.get(policy["apply-to"], ()) and re.search(policy["pattern"], name)
                and QUEUE_TYPES.get(policy["apply-to"], queue_type) == queue_type]
    matching.sort(key=lambda policy: -policy["priority"])
    return Rows(("name", "apply-to", "pattern", "priority", "definition"),
                [{**policy, "definition": value_text(policy["definition"])} for policy in matching])


@command("remove_classic_queue_mirroring_from_policies", "",
         "Removes keys that enable classic queue mirroring from all regular and operator policies", SECTION,
         banner=lambda call: "Will remove classic queue mirroring settings from all policies in all virtual hosts ...")
def remove_classic_queue_mirroring_from_policies(call):
    for path in ("policies", "operator-policies"):
        for policy in call.api.get(path_of(path)):
            kept = {key: value for key, value in policy["definition"].items() if not key.startswith("ha-")}
            where = path_of(path, policy["vhost"], policy["name"])
            if not kept:
                call.api.delete(where)
            elif kept != policy["definition"]:
                call.api.put(where, {**policy, "definition": kept})
