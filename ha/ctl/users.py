"""Users: who may log in, with which tags and limits."""

import base64
import hashlib
import hmac
import json
import os
import sys

from .api import path_of
from .commands import CTL, DIAGNOSTICS, command
from .formatters import Message, Rows
from .outcome import DATA, NO_USER, SOFTWARE, BadUsage, Failure, Refused
from .values import Atom, to_json

SECTION = "Users"
BOTH = (CTL, DIAGNOSTICS)
SALT_SIZE = 4
HASHES = {"rabbit_password_hashing_sha256": "sha256", "rabbit_password_hashing_sha512": "sha512",
          "rabbit_password_hashing_md5": "md5"}
ADDED = ("Done. Don't forget to grant the user permissions to some virtual hosts! See 'rabbitmqctl help "
         "set_permissions' to "
         "learn more.")


def no_such_user(user):
    return Failure(f'User "{user}" does not exist', NO_USER)


def tags_of(user):
    tags = user.get("tags") or []
    return [Atom(tag) for tag in (tags.replace(",", " ").split() if isinstance(tags, str) else tags)]


def secret_of(call, at, prompt="Password: "):
    """The word at a place of the command line, else a line of standard input, which nobody else on the machine sees."""
    if len(call.words) > at:
        return call.words[at]
    if sys.stdin.isatty():
        import getpass
        return getpass.getpass(prompt)
    line = sys.stdin.readline()
    if not line:
        raise BadUsage("not enough arguments.")
    return line.rstrip("\r\n")


def hash_of(password, algorithm="sha256", salt=None):
    salt = os.urandom(SALT_SIZE) if salt is None else salt
    return base64.b64encode(salt + hashlib.new(algorithm, salt + password.encode()).digest()).decode()


def is_password_of(user, password):
    stored = user.get("password_hash") or ""
    algorithm = HASHES.get(user.get("hashing_algorithm") or "rabbit_password_hashing_sha256")
    if not stored or not algorithm:
        return False
    salt = base64.b64decode(stored)[:SALT_SIZE]
    return hmac.compare_digest(hash_of(password, algorithm, salt), stored)


def change(call, name, **fields):
    """Writes a user again with some fields changed: the API takes a user whole."""
    user = call.api.find(path_of("users", name))
    if user is None:
        raise no_such_user(name)
    body = {"tags": ",".join(tags_of(user)), "password_hash": user.get("password_hash") or ""}
    if user.get("hashing_algorithm") and body["password_hash"]:
        body["hashing_algorithm"] = user["hashing_algorithm"]
    if "password" in fields or "password_hash" in fields:
        body.pop("password_hash")
        body.pop("hashing_algorithm", None)
    call.api.put(path_of("users", name), {**body, **fields})


@command("add_user", "<username> [<password>] [--pre-hashed-password]",
         "Creates a new user in the internal database. This user will have no permissions for any virtual hosts by "
         "default",
         SECTION, words=(1, 2), switches={"pre-hashed-password": bool},
         banner=lambda call: f'Adding user "{call.words[0]}" ...',
         details=[("<password>", "read from standard input when it is not given; '' lets nobody log in by password"),
                  ("--pre-hashed-password", "what is given is a hash, as hash_password prints it")],
         examples=[("add_user app 'a secret'", "a user app; give it rights next: set_permissions app '.*' '.*' '.*'"),
                   ("add_user app < secret-file", "the same; the password is not seen in the list of processes")])
def add_user(call):
    name = call.words[0]
    if call.has_user(name):
        raise Failure(f'User "{name}" already exists', SOFTWARE)
    secret = secret_of(call, 1)
    if call.option("pre-hashed-password") or not secret:
        call.api.put(path_of("users", name), {"password_hash": secret, "tags": ""})
    else:
        call.api.put(path_of("users", name), {"password": secret, "tags": ""})
    return None if call.quiet else Message(ADDED, "message")


@command("delete_user", "<username>", "Removes a user from the internal database", SECTION, words=(1, 1),
         banner=lambda call: f'Deleting user "{call.words[0]}" ...',
         examples=[("delete_user guest", "the user, its permissions and limits; its connections are closed")])
def delete_user(call):
    name = call.words[0]
    try:
        call.api.delete(path_of("users", name))
    except Refused as refused:
        if refused.status == 404:
            raise no_such_user(name) from None
        raise


@command("change_password", "<username> [<password>]", "Changes the user password", SECTION, words=(1, 2),
         banner=lambda call: f'Changing password for user "{call.words[0]}" ...',
         examples=[("change_password app", "the new password comes from standard input")])
def change_password(call):
    change(call, call.words[0], password=secret_of(call, 1))


@command("clear_password", "<username>", "Clears (resets) password and disables password login for a user", SECTION,
         words=(1, 1), banner=lambda call: f'Clearing password for user "{call.words[0]}" ...')
def clear_password(call):
    change(call, call.words[0], password_hash="")


@command("authenticate_user", "<username> [<password>]",
         "Attempts to authenticate a user. Exits with a non-zero code if authentication fails", SECTION, words=(1, 2),
         banner=lambda call: f'Authenticating user "{call.words[0]}" ...',
         details=[("<password>", "read from standard input when it is not given")])
def authenticate_user(call):
    name, password = call.words[0], secret_of(call, 1)
    user = call.api.find(path_of("users", name))
    if user is None or not is_password_of(user, password):
        raise Failure(f'Error: failed to authenticate user "{name}"\nuser \'{name}\' - invalid credentials', DATA)
    return Message("Success", "message")


@command("set_user_tags", "<username> <tag> [...]", "Sets user tags", SECTION, words=(1, None),
         banner=lambda call: f'Setting tags for user "{call.words[0]}" to [{", ".join(call.words[1:])}] ...',
         details=[("<tag>", "administrator, monitoring, policymaker, management or impersonator; none takes all away")],
         examples=[("set_user_tags ops administrator", "ops may do everything over HTTP and with this tool"),
                   ("set_user_tags ops", "ops has no tags any more")])
def set_user_tags(call):
    change(call, call.words[0], tags=",".join(call.words[1:]))


@command("list_users", "[--no-table-headers] [--timeout <timeout>]", "List user names and tags", SECTION, BOTH,
         banner=lambda call: "Listing users ...")
def list_users(call):
    return Rows(("user", "tags"), [{"user": user["name"], "tags": tags_of(user)}
                                   for user in call.api.get("/api/users")])


@command("hash_password", "[<cleartext_password>]", "Hashes a plaintext password", SECTION, words=(0, 1), local=True,
         banner=lambda call: "Will hash the given password",
         examples=[("-q hash_password < secret-file",
                    "only the hash: salt and SHA-256, for add_user --pre-hashed-password")])
def hash_password(call):
    return Message(hash_of(secret_of(call, 0)))


# Limits

def limits_of(call):
    try:
        limits = json.loads(call.words[-1])
    except ValueError as error:
        raise Failure(f"JSON decoding error. Reason: {error}") from None
    if not isinstance(limits, dict):
        raise Failure("a definition of limits is a JSON object, for example '{\"max-connections\": 64}'")
    return limits


@command("set_user_limits", "<username> <definition>", "Sets user limits", SECTION, words=(2, 2),
         banner=lambda call: f'Setting user limits to "{call.words[1]}" for user "{call.words[0]}" ...',
         details=[("<definition>", "a JSON object of max-connections and max-channels; -1: no limit")],
         examples=[("set_user_limits app '{\"max-connections\": 64, \"max-channels\": 500}'",
                    "what app may open in the cluster")])
def set_user_limits(call):
    name, limits = call.words[0], limits_of(call)
    if not call.has_user(name):
        raise no_such_user(name)
    for limit, value in limits.items():
        call.api.put(path_of("user-limits", name, limit), {"value": value})


@command("clear_user_limits", "<username> <limit_name> | all", "Clears user connection/channel limits", SECTION,
         words=(2, 2),
         banner=lambda call: (f'Clearing all limits for user "{call.words[0]}" ...' if call.words[1] == "all" else
                              f'Clearing "{call.words[1]}" limit for user "{call.words[0]}" ...'))
def clear_user_limits(call):
    name, limit = call.words
    if not call.has_user(name):
        raise no_such_user(name)
    limits = limits_by(call, "user-limits", "user").get(name, {})
    for there in limits if limit == "all" else [limit]:
        if there in limits:
            call.api.delete(path_of("user-limits", name, there))


def limits_by(call, kind, owner):
    """{name of the owner: limits} of all that have any."""
    return {entry[owner]: dict(sorted((entry.get("value") or {}).items())) for entry in call.api.get(path_of(kind))}


@command("list_user_limits", "[--user <username>] [--global]", "Displays configured user limits", SECTION, BOTH,
         switches={"user": str, "global": bool}, details=[("--global", "list limits for all the users")],
         banner=lambda call: ("Listing limits for all users ..." if call.option("global") else
                              f'Listing limits for user "{call.option("user", "guest")}" ...'))
def list_user_limits(call):
    if call.option("global"):
        limits = limits_by(call, "user-limits", "user")
        return Rows(("user", "limits"), [{"user": user, "limits": to_json(of)} for user, of in limits.items() if of])
    name = call.option("user", "guest")
    if not call.has_user(name):
        raise no_such_user(name)
    return Message(to_json(limits_by(call, "user-limits", "user").get(name, {})))
