#!/usr/bin/env python3
"""Manages a broker over its management HTTP API, with the command line of RabbitMQ's rabbitmqadmin.

    rabbitmqadmin [options] list queues [COLUMN ...]        exchanges, bindings, users, vhosts, policies, connections ...
    rabbitmqadmin [options] show overview [COLUMN ...]
    rabbitmqadmin [options] declare queue name=orders durable=true arguments='{"x-max-length": 10}'
    rabbitmqadmin [options] delete queue name=orders        binding: source= destination_type= destination= properties_key=
    rabbitmqadmin [options] publish exchange=amq.default routing_key=orders payload=hello
    rabbitmqadmin [options] get queue=orders count=5 ackmode=ack_requeue_false
    rabbitmqadmin [options] purge queue name=orders | close connection name=NAME
    rabbitmqadmin [options] export FILE | import FILE
"""

import argparse
import base64
import configparser
import http.client
import json
import os
import socket
import ssl
import sys
from urllib.parse import quote, urlsplit

LISTS = {"users": "", "vhosts": "", "connections": "", "exchanges": "", "bindings": "", "permissions": "", "channels": "",
         "consumers": "", "queues": "", "policies": "", "operator_policies": "", "parameters": "", "nodes": "",
         "vhost_limits": ""}
OF_VHOST = {"exchanges", "bindings", "queues", "policies", "operator_policies", "parameters", "consumers"}
DEFAULT_COLUMNS = {"queues": ["name", "messages"], "exchanges": ["name", "type"], "vhosts": ["name", "messages"],
                   "bindings": ["source", "destination", "routing_key"], "connections": ["name", "user", "channels"],
                   "channels": ["name", "user"], "nodes": ["name", "type", "mem_used"], "users": ["name", "tags"],
                   "consumers": ["channel_details.name", "queue.name", "consumer_tag"],
                   "overview": ["rabbitmq_version", "cluster_name", "queue_totals.messages", "object_totals.queues"]}
# what -> path, needed, optional with defaults; names in a path are taken out of the body
DECLARE = {
    "exchange": ("/exchanges/{vhost}/{name}", {"name", "type"}, {"auto_delete": False, "durable": True, "internal": False,
                                                                "arguments": {}}),
    "queue": ("/queues/{vhost}/{name}", {"name"}, {"auto_delete": False, "durable": True, "arguments": {}, "node": None,
                                                   "queue_type": None}),
    "binding": ("/bindings/{vhost}/e/{source}/{destination_type}/{destination}", {"source", "destination"},
                {"destination_type": "queue", "routing_key": "", "arguments": {}}),
    "vhost": ("/vhosts/{name}", {"name"}, {"tracing": None, "description": None, "tags": None, "default_queue_type": None}),
    "user": ("/users/{name}", {"name", "tags"}, {"password": None, "password_hash": None, "hashing_algorithm": None}),
    "permission": ("/permissions/{vhost}/{user}", {"vhost", "user", "configure", "write", "read"}, {}),
    "parameter": ("/parameters/{component}/{vhost}/{name}", {"component", "name", "value"}, {}),
    "policy": ("/policies/{vhost}/{name}", {"name", "pattern", "definition"}, {"priority": 0, "apply-to": None}),
    "operator_policy": ("/operator-policies/{vhost}/{name}", {"name", "pattern", "definition"}, {"priority": 0, "apply-to": None}),
    "vhost_limit": ("/vhost-limits/{vhost}/{name}", {"vhost", "name", "value"}, {}),
}
DELETE = {
    "exchange": "/exchanges/{vhost}/{name}", "queue": "/queues/{vhost}/{name}", "vhost": "/vhosts/{name}",
    "binding": "/bindings/{vhost}/e/{source}/{destination_type}/{destination}/{properties_key}", "user": "/users/{name}",
    "permission": "/permissions/{vhost}/{user}", "parameter": "/parameters/{component}/{vhost}/{name}",
    "policy": "/policies/{vhost}/{name}", "operator_policy": "/operator-policies/{vhost}/{name}",
    "vhost_limit": "/vhost-limits/{vhost}/{name}",
}
JSON_WORDS = {"arguments", "definition", "value", "properties"}


class Problem(Exception):
    pass


def main():
    options = read_options()
    command, *words = options.words or ["help"]
    run = {"list": do_list, "show": do_show, "declare": do_declare, "delete": do_delete, "publish": do_publish, "get": do_get,
           "purge": do_purge, "close": do_close, "export": do_export, "import": do_import}.get(command)
    if not run:
        print(__doc__.strip())
        return 0 if command == "help" else 1
    try:
        run(options, words)
        return 0
    except (Problem, OSError, http.client.HTTPException) as error:
        print(f"*** {error}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"*** not JSON, or not a number: {error}", file=sys.stderr)
        return 1


def read_options():
    parser = argparse.ArgumentParser(usage="rabbitmqadmin [options] COMMAND ...", epilog="rabbitmqadmin help shows the commands")
    for names, more in ((("-c", "--config"), {"default": os.path.expanduser("~/.rabbitmqadmin.conf")}),
                        (("-N", "--node"), {"default": "default", "help": "section of the configuration file"}),
                        (("-H", "--host"), {}), (("-P", "--port"), {"type": int}), (("--path-prefix",), {"default": ""}),
                        (("-V", "--vhost"), {}), (("-u", "--username"), {}), (("-p", "--password"), {}), (("-U", "--base-uri"), {}),
                        (("-q", "--quiet"), {"action": "store_true"}), (("-s", "--ssl"), {"action": "store_true"}),
                        (("--ssl-key-file",), {}), (("--ssl-cert-file",), {}), (("--ssl-ca-cert-file",), {}),
                        (("--ssl-disable-hostname-verification",), {"action": "store_true"}),
                        (("-k", "--ssl-insecure"), {"action": "store_true"}),
                        (("-t", "--request-timeout"), {"type": float, "default": 120}),
                        (("-f", "--format"), {"default": "table", "choices": sorted(FORMATS)}), (("-S", "--sort"), {}),
                        (("-R", "--sort-reverse"), {"action": "store_true"}), (("-d", "--depth"), {"type": int, "default": 1})):
        parser.add_argument(*names, **more)
    options, words = parser.parse_known_args()
    options.words = words
    file = configparser.ConfigParser(interpolation=None)
    file.read(options.config)
    if file.has_section(options.node):
        for name, value in file.items(options.node):
            if name in ("hostname", "host"):
                options.host = options.host or value
            elif name == "port":
                options.port = options.port or int(value)
            elif name == "ssl":
                options.ssl = options.ssl or value.lower() == "true"
            elif not getattr(options, name, None):
                setattr(options, name, value)
    if options.base_uri:
        uri = urlsplit(options.base_uri)
        options.host, options.port, options.path_prefix = uri.hostname, uri.port, uri.path.rstrip("/")
        options.ssl = uri.scheme == "https"
    return options


# --- requests ---

def ask(options, method, path, body=None):
    timeout, host = options.request_timeout, options.host or "localhost"
    port = options.port or (15671 if options.ssl else 15672)
    if options.ssl:
        context = ssl.create_default_context(cafile=options.ssl_ca_cert_file)
        context.check_hostname = not (options.ssl_disable_hostname_verification or options.ssl_insecure)
        if options.ssl_insecure:
            context.verify_mode = ssl.CERT_NONE
        if options.ssl_cert_file:
            context.load_cert_chain(options.ssl_cert_file, options.ssl_key_file)
        connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
    login = base64.b64encode(f"{options.username or 'guest'}:{options.password or 'guest'}".encode()).decode()
    text = None if body is None else json.dumps(body)
    try:
        connection.request(method, f"{options.path_prefix}/api{path}", text,
                           {"Authorization": "Basic " + login, "Content-Type": "application/json"})
        reply = connection.getresponse()
        answer = reply.read().decode()
    except socket.timeout as error:
        raise Problem(f"no answer from {host}:{port} within {timeout} s") from error
    finally:
        connection.close()
    if reply.status == 401:
        raise Problem(f"Access refused: {path}\n{answer}")
    if reply.status == 404:
        raise Problem(f"Not found: {path}")
    if reply.status >= 400:
        raise Problem(f"{reply.status} {reply.reason}: {answer}")
    return json.loads(answer) if answer else None


def pairs(words):
    given = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise Problem(f"{word!r} is not of the form name=value")
        given[name] = json.loads(value) if name in JSON_WORDS else value
    return given


def fill(path, given, vhost):
    """The path, and what of the words is not in it."""
    given = {"vhost": vhost or "/", **given}
    kinds = {"destination_type": {"queue": "q", "exchange": "e"}}
    rest = dict(given)
    for name in [part.split("}")[0] for part in path.split("{")[1:]]:
        if name not in given:
            raise Problem(f"mandatory argument {name!r} is missing")
        value = kinds.get(name, {}).get(given[name], given[name])
        path = path.replace("{" + name + "}", quote(value, safe=""))
    return path, rest


def say(options, text):
    if not options.quiet:
        print(text)


# --- commands ---

def do_list(options, words):
    what, columns = words[0] if words else "", words[1:]
    if what not in LISTS:
        raise Problem(f"list what? One of {', '.join(LISTS)}")
    path = "/" + what.replace("_", "-") + ("/" + quote(options.vhost, safe="") if options.vhost and what in OF_VHOST and
                                           what != "parameters" else "")
    query = [f"sort={options.sort}"] if options.sort else []
    query += ["sort_reverse=true"] if options.sort_reverse else []
    query += ["columns=" + ",".join(columns)] if columns else []
    FORMATS[options.format](ask(options, "GET", path + ("?" + "&".join(query) if query else "")),
                            columns or DEFAULT_COLUMNS.get(what))


def do_show(options, words):
    if words[:1] != ["overview"]:
        raise Problem("show what? overview")
    FORMATS[options.format]([ask(options, "GET", "/overview")], words[1:] or DEFAULT_COLUMNS["overview"])


def do_declare(options, words):
    what = words[0] if words else ""
    if what not in DECLARE:
        raise Problem(f"declare what? One of {', '.join(DECLARE)}")
    path, needed, optional = DECLARE[what]
    given = pairs(words[1:])
    unknown = set(given) - needed - set(optional) - {"vhost"}
    missing = needed - set(given)
    if unknown or missing:
        raise Problem(f"declare {what}: " + "; ".join(f"{kind}: {', '.join(sorted(names))}" for kind, names in
                                                      (("unknown", unknown), ("missing", missing)) if names))
    body = {name: value for name, value in {**optional, **given}.items() if value is not None}
    queue_type = body.pop("queue_type", None)
    if queue_type:
        body["arguments"] = {**body["arguments"], "x-queue-type": queue_type}
    path, body = fill(path, body, options.vhost)
    ask(options, "POST" if what == "binding" else "PUT", path, body)
    say(options, f"{what} declared")


def do_delete(options, words):
    what = words[0] if words else ""
    if what not in DELETE:
        raise Problem(f"delete what? One of {', '.join(DELETE)}")
    given = pairs(words[1:])
    if what == "binding":
        given = {"destination_type": "queue", "properties_key": "~", **given}
    ask(options, "DELETE", fill(DELETE[what], given, options.vhost)[0])
    say(options, f"{what} deleted")


def do_publish(options, words):
    given = {"exchange": "amq.default", "payload_encoding": "string", "properties": {}, **pairs(words)}
    given["exchange"] = given["exchange"] or "amq.default"
    given.setdefault("routing_key", "")
    if "payload" not in given:
        given["payload"] = sys.stdin.read()
    path, body = fill("/exchanges/{vhost}/{exchange}/publish", given, options.vhost)
    if not ask(options, "POST", path, body)["routed"]:
        raise Problem("Message published but NOT routed")
    say(options, "Message published")


def do_get(options, words):
    given = {"count": "1", "ackmode": "ack_requeue_true", "encoding": "auto", **pairs(words)}
    file = given.pop("payload_file", None)
    given["count"] = int(given["count"])
    path, body = fill("/queues/{vhost}/{queue}/get", given, options.vhost)
    messages = ask(options, "POST", path, body)
    if not file:
        FORMATS[options.format](messages, ["routing_key", "exchange", "message_count", "payload", "payload_bytes",
                                           "payload_encoding", "redelivered"])
        return
    for message in messages[:1]:
        text = message["payload"]
        with open(file, "wb") as out:
            out.write(base64.b64decode(text) if message["payload_encoding"] == "base64" else text.encode())
    say(options, f"Message payload written to {file}" if messages else "No items")


def do_purge(options, words):
    if words[:1] != ["queue"]:
        raise Problem("purge what? queue name=NAME")
    ask(options, "DELETE", fill("/queues/{vhost}/{name}/contents", pairs(words[1:]), options.vhost)[0])
    say(options, "queue purged")


def do_close(options, words):
    if words[:1] != ["connection"]:
        raise Problem("close what? connection name=NAME")
    ask(options, "DELETE", fill("/connections/{name}", pairs(words[1:]), options.vhost)[0])
    say(options, "connection closed")


def definitions_path(options):
    return "/definitions" + ("/" + quote(options.vhost, safe="") if options.vhost else "")


def do_export(options, words):
    if len(words) != 1:
        raise Problem("export FILE")
    with open(words[0], "w", encoding="utf-8") as out:
        json.dump(ask(options, "GET", definitions_path(options)), out)
    say(options, f'Exported definitions for {options.host or "localhost"} to "{words[0]}"')


def do_import(options, words):
    if len(words) != 1:
        raise Problem("import FILE")
    with open(words[0], encoding="utf-8") as file:
        ask(options, "POST", definitions_path(options), json.load(file))
    say(options, f'Uploaded definitions from "{words[0]}" to {options.host or "localhost"}.')


# --- formats ---

def cell(row, column):
    value = row
    for step in column.split("."):
        value = value.get(step, "") if isinstance(value, dict) else ""
    return json.dumps(value) if isinstance(value, (dict, list, bool)) else "" if value is None else str(value)


def columns_of(rows, columns):
    return columns or sorted({name for row in rows for name in row})


def as_table(rows, columns):
    if not rows:
        print("No items")
        return
    columns = columns_of(rows, columns)
    lines = [[cell(row, column) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in [columns] + lines) for i in range(len(columns))]
    edge = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    print(edge)
    print("|" + "|".join(" " + column.center(width) + " " for column, width in zip(columns, widths)) + "|")
    print(edge)
    for line in lines:
        print("|" + "|".join(" " + text.ljust(width) + " " for text, width in zip(line, widths)) + "|")
    print(edge)


def as_tsv(rows, columns):
    columns = columns_of(rows, columns)
    print("\t".join(columns))
    for row in rows:
        print("\t".join(cell(row, column) for column in columns))


def as_long(rows, columns):
    columns = columns_of(rows, columns)
    width = max([len(column) for column in columns] or [0])
    for row in rows:
        print("-" * 80)
        for column in columns:
            print(f"{column.rjust(width)}: {cell(row, column)}")
    print("-" * 80)


def as_kvp(rows, columns):
    for row in rows:
        print(" ".join(f'{column}="{cell(row, column)}"' for column in columns_of(rows, columns)))


FORMATS = {
    "table": as_table, "tsv": as_tsv, "long": as_long, "kvp": as_kvp,
    "raw_json": lambda rows, columns: print(json.dumps(rows)),
    "pretty_json": lambda rows, columns: print(json.dumps(rows, indent=2, sort_keys=True)),
    "bash": lambda rows, columns: print(" ".join(cell(row, columns_of(rows, columns)[0]) for row in rows)),
}

if __name__ == "__main__":
    sys.exit(main())
