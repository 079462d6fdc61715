"""Values as RabbitMQ's tools print them. They know Erlang's types, of which JSON has fewer: the missing ones are here.

A str is a binary, None is Erlang's ''. cell() is for tables, term() for Erlang's notation, plain() for JSON.
"""

import json
import zlib

LINE_WIDTH = 80
INT_BITS = 31


class Atom(str):
    """A word of Erlang's: a state, a node's name."""


class Pid(str):
    """The identifier of a process; see pid_of()."""


class Arguments(dict):
    """An AMQP table."""


class Term(str):
    """Already Erlang's notation."""


def pid_of(node, *identity):
    """RabbitMQ's tools name connections, channels and queues by process. Warren's have no process; they get an
    identifier of the same form, made from what they are: the same thing has the same one as long as it lives."""
    head = zlib.crc32("\0".join(str(part) for part in identity[:1]).encode())
    tail = zlib.crc32("\0".join(str(part) for part in identity[1:]).encode()) & 0xffff if len(identity) > 1 else 0
    return Pid(f"<{node}.{head}.{tail}.0>")


def amqp_type(value):
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "signedint" if -(1 << INT_BITS) <= value < 1 << INT_BITS else "long"
    if isinstance(value, float):
        return "double"
    if isinstance(value, dict):
        return "table"
    if isinstance(value, list):
        return "array"
    return "void" if value is None else "longstr"


# Cells of a table

def cell(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Arguments):
        return "[" + ",".join(f"{{{_quoted(name)},{_inner_cell(of)}}}" for name, of in value.items()) + "]"
    if isinstance(value, (list, tuple)):
        opening, closing = "[]" if isinstance(value, list) else "{}"
        return opening + ", ".join(cell(of) for of in value) + closing
    if isinstance(value, dict):
        return term(value)
    return str(value)


def _inner_cell(value):
    if isinstance(value, dict):
        return cell(Arguments(value))
    if isinstance(value, list):
        return "[" + ",".join(_inner_cell(of) for of in value) + "]"
    if isinstance(value, str):
        return _quoted(value)
    return cell(value)


def _quoted(text):
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


# JSON

def plain(value):
    """What json.dumps() may have."""
    if value is None:
        return ""
    if isinstance(value, Arguments):
        return [[name, amqp_type(of), plain(Arguments(of)) if isinstance(of, dict) else of] for name,
                of in value.items()]
    if isinstance(value, dict):
        return {str(name): plain(of) for name, of in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(of) for of in value]
    return value


def to_json(value):
    return json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False)


# Erlang

def term(value):
    """On one line."""
    if value is None:
        return "''"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (Pid, Term)):
        return str(value)
    if isinstance(value, Atom):
        return _atom(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
        return f'<<"{escaped}"{"/utf8" if not value.isascii() else ""}>>'
    if isinstance(value, Arguments):
        return "[" + ",".join(f"{{{term(name)},{amqp_type(of)},{term(Arguments(of) if isinstance(of, dict) else of)}}}"
                              for name, of in value.items()) + "]"
    if isinstance(value, dict):
        return "#{" + ",".join(f"{_key(name)} => {term(of)}" for name, of in value.items()) + "}"
    if isinstance(value, tuple):
        return "{" + ",".join(term(of) for of in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(term(of) for of in value) + "]"
    return repr(value)


def _atom(name):
    ordinary = name[:1].islower() and all(char.isalnum() or char in "_@" for char in name) and name.isascii()
    return str(name) if ordinary else "'" + str(name).replace("'", "\\'") + "'"


def _key(name):
    return term(name) if isinstance(name, (Atom, int)) else _atom(name)


def pair(name, value):
    return Term(f"{{{_key(name)},{term(value)}}}")


def row_terms(rows):
    """A list of rows, each a list of pairs: one row per line, one pair per line when a row is too long."""
    texts = []
    for row in rows:
        pairs = [pair(name, value) for name, value in row.items()]
        line = "[" + ",".join(pairs) + "]"
        texts.append(line if len(line) < LINE_WIDTH - 1 else "[" + ",\n  ".join(pairs) + "]")
    return "[" + ",\n ".join(texts) + "]"
