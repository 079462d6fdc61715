"""What conversations cover: which flags and arguments come with which exchange type and queue, and, after a run, which method was
answered with which reply code by RabbitMQ."""

import collections
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "wire"), str(HERE.parent.parent / "ha" / "lib")]
from amqp_codec import Typed  # noqa: E402
from language import parse_line  # noqa: E402

PLACES = re.compile(r"\$\$?-\d+")
FLAGS = {"exchange.declare": ("passive", "durable", "auto-delete", "internal", "nowait"),
         "queue.declare": ("passive", "durable", "exclusive", "auto-delete", "nowait")}


class Coverage:
    def __init__(self):
        self.pairs = {name: collections.defaultdict(collections.Counter) for name in FLAGS}
        self.replies = collections.defaultdict(collections.Counter)

    def add_step(self, text):
        """Counts the flags and arguments of a declaration."""
        statement = parse_line(0, PLACES.sub("0", text))
        name = statement.words[1] if statement.verb == "send" else None
        if name not in FLAGS:
            return
        fields = {key: value for key, _, value in statement.pairs}
        row = self.pairs[name][fields.get("type", "queue") or '""']
        row["all"] += 1
        for flag in FLAGS[name]:
            row[flag] += flag in statement.words
        for key, value in (fields.get("arguments") or {}).items():
            row[key] += 1
            row[f"{key}:{kind_of(value)}"] += 1

    def add_outcome(self, text, outcome):
        """Counts what a step was answered with."""
        words = text.split()
        what = words[3] if len(words) > 3 and words[1] == "send" else words[1] if len(words) > 1 and words[0].endswith(":") else words[0]
        for stream, found in outcome.items():
            if stream.endswith(" replies"):
                for name, fields in found:
                    code = fields.get("reply_code") or fields.get("status") or ""
                    self.replies[what][f"{name} {code}".strip()] += 1
            elif stream.endswith((" returns", " basic.ack", " basic.nack", " cancels")):
                self.replies[what][stream.split()[-1]] += 1

    def text(self):
        lines = []
        for name, rows in self.pairs.items():
            lines.append(f"{name}: how often with which flag and argument")
            for row, counts in sorted(rows.items()):
                flags = " ".join(f"{flag} {counts[flag]}" for flag in ("all", *FLAGS[name]))
                lines.append(f"  {row}: {flags}")
                for key in sorted(key for key in counts if key not in FLAGS[name] and key != "all" and ":" not in key):
                    kinds = ", ".join(f"{kind.partition(':')[2]} {counts[kind]}" for kind in sorted(counts) if kind.startswith(key + ":"))
                    lines.append(f"    {key} {counts[key]}: {kinds}")
        if self.replies:
            lines.append("answers of RabbitMQ")
            for what, counts in sorted(self.replies.items()):
                lines.append(f"  {what}: " + ", ".join(f"{answer} {count}" for answer, count in sorted(counts.items())))
        return "\n".join(lines)


def kind_of(value):
    if isinstance(value, Typed):
        return f"type {value.tag}"
    return {bool: "bool", int: "int", float: "real", str: "text", dict: "table", list: "list", type(None): "void"}.get(type(value), "other")
