"""Runtime parameters of a virtual host and of the cluster."""

import json

from .access import list_in_vhost
from .api import path_of
from .commands import CTL, DIAGNOSTICS, command
from .formatters import Rows
from .outcome import Failure, Refused
from .values import to_json

SECTION = "Parameters"
BOTH = (CTL, DIAGNOSTICS)


def decoded(text):
    try:
        return json.loads(text)
    except ValueError as error:
        raise Failure(f"JSON decoding error. Reason: {error}") from None


def clear(call, path):
    try:
        call.api.delete(path)
    except Refused as refused:
        if refused.status == 404:
            raise Failure("Parameter does not exist") from None
        raise


def write(call, path, body):
    """The node's words about a value that it does not take stand below a line that scripts look for."""
    try:
        call.api.put(path, body)
    except Refused as refused:
        if refused.status == 404 and not call.has_vhost():
            from .access import no_such_vhost
            raise no_such_vhost(call.vhost) from None
        if refused.status == 400 and not refused.text.startswith("Validation failed"):
            raise Failure(f"Validation failed\n\n{refused.text}\n") from None
        raise


def value_text(value):
    """A value in a listing is JSON itself."""
    return to_json(value)


@command("set_parameter", "[--vhost <vhost>] <component_name> <name> <value>", "Sets a runtime parameter", SECTION,
         words=(3, 3),
         banner=lambda call: (f'Setting runtime parameter "{call.words[1]}" for component "{call.words[0]}" to '
                              f'"{call.words[2]}" in vhost "{call.vhost}" ...'),
         details=[("<component_name>", "shovel, federation-upstream, federation-upstream-set ..."),
                  ("<name>", "of the one that is set"),
                  ("<value>", "JSON")],
         examples=[("set_parameter federation-upstream east '{\"uri\":\"amqp://east\"}'",
                    "a cluster to take messages from"),
                   ("set_parameter shovel s1 "
                    "'{\"src-uri\":\"amqp://\",\"src-queue\":\"a\",\"dest-uri\":\"amqp://b\",\"dest-queue\":\"a\"}'",
                    "moves messages from here to b")])
def set_parameter(call):
    component, name, value = call.words
    body = {"vhost": call.vhost, "component": component, "name": name, "value": decoded(value)}
    write(call, path_of("parameters", component, call.vhost, name), body)


@command("clear_parameter", "[--vhost <vhost>] <component_name> <name>", "Clears a runtime parameter", SECTION,
         words=(2, 2),
         banner=lambda call: (f'Clearing runtime parameter "{call.words[1]}" for component "{call.words[0]}" on vhost '
                              f'"{call.vhost}" ...'))
def clear_parameter(call):
    clear(call, path_of("parameters", call.words[0], call.vhost, call.words[1]))


@command("list_parameters", "[--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]",
         "Lists runtime parameters for a virtual host", SECTION, BOTH,
         banner=lambda call: f'Listing runtime parameters for vhost "{call.vhost}" ...')
def list_parameters(call):
    """The API has them by component, or all; the virtual host is chosen here."""
    list_in_vhost(call, path_of("vhosts", call.vhost))
    return Rows(("component", "name", "value"), [{**row, "value": value_text(row["value"])}
                                                 for row in call.api.get("/api/parameters")
                                                 if row["vhost"] == call.vhost])


@command("set_global_parameter", "<name> <value>", "Sets a runtime parameter", SECTION, words=(2, 2),
         banner=lambda call: f'Setting global runtime parameter "{call.words[0]}" to "{call.words[1]}" ...')
def set_global_parameter(call):
    name, value = call.words
    write(call, path_of("global-parameters", name), {"name": name, "value": decoded(value)})


@command("clear_global_parameter", "<name>", "Clears a global runtime parameter", SECTION, words=(1, 1),
         banner=lambda call: f'Clearing global runtime parameter "{call.words[0]}" ...')
def clear_global_parameter(call):
    clear(call, path_of("global-parameters", call.words[0]))


@command("list_global_parameters", "[--no-table-headers] [--timeout <timeout>]", "Lists global runtime parameters",
         SECTION, BOTH, banner=lambda call: "Listing global runtime parameters ...")
def list_global_parameters(call):
    return Rows(("name", "value"), [{**row, "value": value_text(row["value"])}
                                    for row in call.api.get("/api/global-parameters")])
