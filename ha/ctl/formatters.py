"""From what a command gives to what is printed, in the formats of RabbitMQ's tools."""

import sys

from . import values

NAMES = ("table", "pretty_table", "json", "csv", "erlang", "string")
FOR_MACHINES = ("json", "csv")   # no banner above it
_DRAWN = {"vertical": "│", "horizontal": "─", "top": "┌┬┐", "middle": "├┼┤", "bottom": "└┴┘"}
_PLAIN = {"vertical": "|", "horizontal": "-", "top": "+++", "middle": "+++", "bottom": "+++"}


class Rows:
    """A table: names of columns, and a dict per row. `listing`: an empty one prints nothing, not an empty line.
    `pretty`: drawn with borders unless another format is asked for."""

    def __init__(self, columns, rows, listing=False, pretty=False):
        self.columns, self.listing, self.pretty = list(columns), listing, pretty
        self.rows = [{name: row.get(name) for name in self.columns} for row in rows]


class Report:
    """A text for people, and the same as data for machines."""

    def __init__(self, text, data):
        self.text, self.data = text, data


class Message:
    """One value or sentence. In JSON it stands beside the node and the result, under `key`."""

    def __init__(self, text, key="value", wrapped=True):
        self.text, self.key, self.wrapped = text, key, wrapped


def render(result, formatter, headers, node):
    """The text, without the last end of line; None when there is nothing to print."""
    if isinstance(result, Rows):
        return render_rows(result, formatter, headers)
    if isinstance(result, Report):
        if formatter == "json":
            return values.to_json(result.data)
        return values.term(result.data) if formatter == "erlang" else result.text
    if formatter == "json":
        told = {"node": node(), "result": "ok"} if not isinstance(result, Message) or result.wrapped else {}
        return values.to_json({**told, **({result.key: result.text} if isinstance(result, Message) else {})})
    return result.text if isinstance(result, Message) else None


def render_rows(table, formatter, headers):
    if formatter == "json":
        if not table.rows:
            return "[\n]" if table.listing else "[]"
        return "[\n" + "\n,".join(values.to_json(row) for row in table.rows) + "\n]"
    if formatter == "erlang":
        return values.row_terms(table.rows)
    if formatter == "csv":
        return _csv(table, headers)
    if formatter == "pretty_table" or (formatter is None and table.pretty):
        return _pretty(table)
    return _tabs(table, headers)


def _tabs(table, headers):
    if not table.rows:
        return None if table.listing else ""
    lines = ["\t".join(table.columns)] if headers else []
    return "\n".join(lines + ["\t".join(values.cell(of) for of in row.values()) for row in table.rows])


def _csv(table, headers):
    if not table.rows:
        return None
    lines = [table.columns] if headers else []
    lines += [[values.cell(of) for of in row.values()] for row in table.rows]
    return "\n".join(",".join('"' + of.replace('"', '""') + '"' for of in line) for line in lines)


def _pretty(table):
    lines = [table.columns] + [[values.cell(of).replace("\t", "  ") for of in row.values()] for row in table.rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(table.columns))]
    strokes = _DRAWN if (sys.stdout.encoding or "").lower().replace("-", "") == "utf8" else _PLAIN

    def border(kind):
        left, cross, right = strokes[kind]
        return left + cross.join(strokes["horizontal"] * (width + 2) for width in widths) + right

    def content(line):
        bar = strokes["vertical"]
        return bar + bar.join(f" {text:<{width}} " for text, width in zip(line, widths)) + bar

    body = f"\n{border('middle')}\n".join(content(line) for line in lines)
    return f"{border('top')}\n{body}\n{border('bottom')}"


def bright(text):
    """A heading: bold on a terminal."""
    return f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text
