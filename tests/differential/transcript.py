"""Events of a step in a form that two brokers can be compared by: what is generated gets a number, what AMQP leaves open is put
in order. A transcript is a list with one dictionary per step: stream ("A/1 replies", "A/1 deliver c1") to what came on it."""

import collections
import re

from amqp_codec import Typed

GENERATED = re.compile(r"amq\.(?:(gen|ctag)-|rabbitmq\.(reply-to)\.g1)[\w.=+/-]+")
DELIVERIES = ("basic.deliver",)


class Names:
    """Generated names, numbered in the order in which a broker has told them."""

    def __init__(self, namespace):
        self.namespace, self.numbers = namespace, {}

    def text(self, value):
        return GENERATED.sub(self.number, value.replace(self.namespace, "~"))

    def number(self, match):
        return f"amq.{match.group(1) or match.group(2)}-#{self.numbers.setdefault(match.group(), len(self.numbers) + 1)}"

    def plain(self, value, key=""):
        """A value without the width of its integers, timestamps of deaths, generated parts of names."""
        if isinstance(value, Typed):
            value = value.value
        if isinstance(value, dict):
            return {self.text(name): self.plain(item, name) for name, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.plain(item) for item in value]
        if isinstance(value, (bytes, bytearray)):
            return value.decode("latin-1")
        if isinstance(value, str):
            return self.text(value)
        return "a time" if key == "time" and isinstance(value, int) else value


def outcome(events, names):
    """What one step has brought, by stream."""
    streams = collections.defaultdict(list)
    for event in events:
        place = f"{event.connection}/{event.channel}"
        fields = names.plain(event.fields or {})
        if event.name == "basic.deliver":
            stream = f"{place} deliver {fields['consumer_tag']}"
            streams[f"{place} tags"].append(fields["delivery_tag"])
            streams[stream].append(message(event, fields, names, ("redelivered", "exchange", "routing_key")))
        elif event.name == "basic.get-ok":
            streams[f"{place} replies"].append(
                ["basic.get-ok", message(event, fields, names, ("delivery_tag", "redelivered", "exchange", "routing_key",
                                                                "message_count"))])
        elif event.name == "basic.return":
            streams[f"{place} returns"].append(message(event, fields, names, ("reply_code", "reply_text", "exchange",
                                                                              "routing_key")))
        elif event.name in ("basic.ack", "basic.nack"):
            streams[f"{place} {event.name}"].append((fields["delivery_tag"], fields["multiple"]))
        elif event.name == "basic.cancel":
            streams[f"{place} cancels"].append(fields["consumer_tag"])
        else:
            streams[f"{place} replies"].append([event.name, fields])
    return {stream: in_order(stream, found) for stream, found in streams.items()}


def message(event, fields, names, wanted):
    return {**{name: fields[name] for name in wanted}, "properties": names.plain(event.properties or {}),
            "body": (event.body or b"").decode("latin-1")}


def in_order(stream, found):
    if stream.endswith((" tags", " cancels")):
        return sorted(found)
    if stream.endswith((" basic.ack", " basic.nack")):  # any grouping will do: what counts is the last
        return max(tag for tag, _ in found)
    return found


def streams_that_differ(one, other):
    return sorted(stream for stream in one.keys() | other.keys() if one.get(stream) != other.get(stream))
