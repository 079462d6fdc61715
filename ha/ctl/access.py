"""Permissions: what users may do in a virtual host."""

from .api import path_of
from .commands import CTL, DIAGNOSTICS, command
from .formatters import Rows
from .outcome import DATA, NO_USER, Failure, Refused
from .users import no_such_user

SECTION = "Access Control"
BOTH = (CTL, DIAGNOSTICS)
PATTERNS = [("<conf>", "regular expression of the names that the user may declare and delete"),
            ("<write>", "... publish to, bind queues and exchanges to"),
            ("<read>", "... consume from, purge, bind from")]


def no_such_vhost(vhost):
    """As listings say it."""
    return Failure(f"Virtual host '{vhost}' does not exist", DATA, bare=True)


def explained(call, user, vhost, work):
    """Runs it; when it is refused, says in RabbitMQ's words which of user and virtual host is missing."""
    try:
        return work()
    except Refused:
        if user is not None and not call.has_user(user):
            raise Failure(f"User {user} does not exist", NO_USER) from None
        if not call.has_vhost(vhost):
            raise Failure(f"Virtual host {vhost} does not exist") from None
        raise


def list_in_vhost(call, path):
    try:
        return call.api.get(path)
    except Refused as refused:
        if refused.status == 404 and not call.has_vhost():
            raise no_such_vhost(call.vhost) from None
        raise


@command("set_permissions", "[--vhost <vhost>] <username> <conf> <write> <read>", "Sets user permissions for a vhost",
         SECTION, words=(4, 4), details=PATTERNS,
         banner=lambda call: f'Setting permissions for user "{call.words[0]}" in vhost "{call.vhost}" ...',
         examples=[("set_permissions -p shop app '.*' '.*' '.*'", "app may do everything in the virtual host shop"),
                   ("set_permissions reader '' '' '^orders'", "reader may only read what begins with orders"),
                   ("set_permissions app '^(app-.*|amq.gen-.*)$' '.*' '.*'", "app makes queues of its own only")])
def set_permissions(call):
    user, configure, write, read = call.words
    body = {"configure": configure, "write": write, "read": read}
    explained(call, user, call.vhost, lambda: call.api.put(path_of("permissions", call.vhost, user), body))


@command("set_permissions_globally", "<username> <conf> <write> <read>", "Sets user permissions for all virtual hosts",
         SECTION, words=(4, 4), details=PATTERNS,
         banner=lambda call: f'Setting permissions for user "{call.words[0]}" in all virtual hosts ...')
def set_permissions_globally(call):
    user, configure, write, read = call.words
    if not call.has_user(user):
        raise no_such_user(user)
    for vhost in call.api.get("/api/vhosts"):
        call.api.put(path_of("permissions", vhost["name"], user),
                     {"configure": configure, "write": write, "read": read})


@command("clear_permissions", "[--vhost <vhost>] <username>", "Revokes user permissions for a vhost", SECTION,
         words=(1, 1),
         banner=lambda call: f'Clearing permissions for user "{call.words[0]}" in vhost "{call.vhost}" ...')
def clear_permissions(call):
    user = call.words[0]
    explained(call, user, call.vhost, lambda: clear(call, path_of("permissions", call.vhost, user), user))


def clear(call, path, user):
    """It is no failure that there was nothing to clear, as long as user and virtual host are there."""
    try:
        call.api.delete(path)
    except Refused as refused:
        if refused.status != 404 or not call.has_user(user) or not call.has_vhost():
            raise


@command("list_permissions", "[--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]",
         "Lists user permissions in a virtual host", SECTION, BOTH,
         banner=lambda call: f'Listing permissions for vhost "{call.vhost}" ...')
def list_permissions(call):
    return Rows(("user", "configure", "write", "read"), list_in_vhost(call,
                                                                      path_of("vhosts", call.vhost, "permissions")))


@command("list_user_permissions", "[--no-table-headers] <username>",
         "Lists permissions of a user across all virtual hosts",
         SECTION, BOTH, words=(1, 1), banner=lambda call: f'Listing permissions for user "{call.words[0]}" ...')
def list_user_permissions(call):
    return Rows(("vhost", "configure", "write", "read"), of_user(call, "permissions"))


def of_user(call, kind):
    found = call.api.find(path_of("users", call.words[0], kind))
    if found is None or (not found and not call.has_user(call.words[0])):
        raise no_such_user(call.words[0])
    return found


# Topics

@command("set_topic_permissions", "[--vhost <vhost>] <username> <exchange> <write> <read>",
         "Sets user topic permissions for an exchange", SECTION, words=(4, 4),
         banner=lambda call: (f'Setting topic permissions on "{call.words[1]}" for user "{call.words[0]}" in vhost '
                              f'"{call.vhost}" ...'),
         details=[("<write>",
                   "regular expression of the routing keys to publish with; {username}, {vhost} and {client_id} stand "
                              "for the user's own"), ("<read>", "... to bind a queue with")],
         examples=[("set_topic_permissions app amq.topic '^{username}[.]' '.*'",
                    "app publishes below its own name only")])
def set_topic_permissions(call):
    user, exchange, write, read = call.words
    body = {"exchange": exchange, "write": write, "read": read}
    explained(call, user, call.vhost, lambda: call.api.put(path_of("topic-permissions", call.vhost, user), body))


@command("clear_topic_permissions", "[--vhost <vhost>] <username> [<exchange>]",
         "Clears user topic permissions for a vhost or exchange", SECTION, words=(1, 2),
         banner=lambda call: ((f'Clearing topic permissions on "{call.words[1]}"' if len(call.words) > 1 else
                               "Clearing topic permissions")
                              + f' for user "{call.words[0]}" in vhost "{call.vhost}" ...'))
def clear_topic_permissions(call):
    user = call.words[0]
    path = path_of("topic-permissions", call.vhost, *call.words)
    explained(call, user, call.vhost, lambda: clear(call, path, user))


@command("list_topic_permissions", "[--vhost <vhost>] [--no-table-headers]",
         "Lists topic permissions in a virtual host", SECTION,
         BOTH, banner=lambda call: f'Listing topic permissions for vhost "{call.vhost}" ...')
def list_topic_permissions(call):
    return Rows(("user", "exchange", "write", "read"),
                list_in_vhost(call, path_of("vhosts", call.vhost, "topic-permissions")))


@command("list_user_topic_permissions", "[--no-table-headers] <username>", "Lists user topic permissions", SECTION,
         BOTH, words=(1, 1), banner=lambda call: f'Listing topic permissions for user "{call.words[0]}" ...')
def list_user_topic_permissions(call):
    return Rows(("vhost", "exchange", "write", "read"), of_user(call, "topic-permissions"))
