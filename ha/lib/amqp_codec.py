"""AMQP 0-9-1 on the wire: methods, field tables, content properties and frames, to and from bytes. No socket.

The scripts around the node (check, drill, wire tests) use it, so that they need no package besides Python.
Source: AMQP 0-9-1 specification, sections 2.3 and 4.2; RabbitMQ's errata for the types of field tables.
"""

import struct

PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
FRAME_METHOD, FRAME_HEADER, FRAME_BODY, FRAME_HEARTBEAT = 1, 2, 3, 8
FRAME_END = 0xCE
FRAME_OVERHEAD = 8
BASIC_CLASS = 60

# class, method, name, then type:field in the order of the wire.
_METHOD_LINES = """
10 10 connection.start octet:version-major octet:version-minor table:server-properties longstr:mechanisms longstr:locales
10 11 connection.start-ok table:client-properties shortstr:mechanism longstr:response shortstr:locale
10 20 connection.secure longstr:challenge
10 21 connection.secure-ok longstr:response
10 30 connection.tune short:channel-max long:frame-max short:heartbeat
10 31 connection.tune-ok short:channel-max long:frame-max short:heartbeat
10 40 connection.open shortstr:virtual-host shortstr:capabilities bit:insist
10 41 connection.open-ok shortstr:known-hosts
10 50 connection.close short:reply-code shortstr:reply-text short:class-id short:method-id
10 51 connection.close-ok
10 60 connection.blocked shortstr:reason
10 61 connection.unblocked
10 70 connection.update-secret longstr:new-secret shortstr:reason
10 71 connection.update-secret-ok
20 10 channel.open shortstr:out-of-band
20 11 channel.open-ok longstr:channel-id
20 20 channel.flow bit:active
20 21 channel.flow-ok bit:active
20 40 channel.close short:reply-code shortstr:reply-text short:class-id short:method-id
20 41 channel.close-ok
30 10 access.request shortstr:realm bit:exclusive bit:passive bit:active bit:write bit:read
30 11 access.request-ok short:ticket
40 10 exchange.declare short:ticket shortstr:exchange shortstr:type bit:passive bit:durable bit:auto-delete bit:internal bit:nowait table:arguments
40 11 exchange.declare-ok
40 20 exchange.delete short:ticket shortstr:exchange bit:if-unused bit:nowait
40 21 exchange.delete-ok
40 30 exchange.bind short:ticket shortstr:destination shortstr:source shortstr:routing-key bit:nowait table:arguments
40 31 exchange.bind-ok
40 40 exchange.unbind short:ticket shortstr:destination shortstr:source shortstr:routing-key bit:nowait table:arguments
40 51 exchange.unbind-ok
50 10 queue.declare short:ticket shortstr:queue bit:passive bit:durable bit:exclusive bit:auto-delete bit:nowait table:arguments
50 11 queue.declare-ok shortstr:queue long:message-count long:consumer-count
50 20 queue.bind short:ticket shortstr:queue shortstr:exchange shortstr:routing-key bit:nowait table:arguments
50 21 queue.bind-ok
50 30 queue.purge short:ticket shortstr:queue bit:nowait
50 31 queue.purge-ok long:message-count
50 40 queue.delete short:ticket shortstr:queue bit:if-unused bit:if-empty bit:nowait
50 41 queue.delete-ok long:message-count
50 50 queue.unbind short:ticket shortstr:queue shortstr:exchange shortstr:routing-key table:arguments
50 51 queue.unbind-ok
60 10 basic.qos long:prefetch-size short:prefetch-count bit:global
60 11 basic.qos-ok
60 20 basic.consume short:ticket shortstr:queue shortstr:consumer-tag bit:no-local bit:no-ack bit:exclusive bit:nowait table:arguments
60 21 basic.consume-ok shortstr:consumer-tag
60 30 basic.cancel shortstr:consumer-tag bit:nowait
60 31 basic.cancel-ok shortstr:consumer-tag
60 40 basic.publish short:ticket shortstr:exchange shortstr:routing-key bit:mandatory bit:immediate
60 50 basic.return short:reply-code shortstr:reply-text shortstr:exchange shortstr:routing-key
60 60 basic.deliver shortstr:consumer-tag longlong:delivery-tag bit:redelivered shortstr:exchange shortstr:routing-key
60 70 basic.get short:ticket shortstr:queue bit:no-ack
60 71 basic.get-ok longlong:delivery-tag bit:redelivered shortstr:exchange shortstr:routing-key long:message-count
60 72 basic.get-empty shortstr:cluster-id
60 80 basic.ack longlong:delivery-tag bit:multiple
60 90 basic.reject longlong:delivery-tag bit:requeue
60 100 basic.recover-async bit:requeue
60 110 basic.recover bit:requeue
60 111 basic.recover-ok
60 120 basic.nack longlong:delivery-tag bit:multiple bit:requeue
85 10 confirm.select bit:nowait
85 11 confirm.select-ok
90 10 tx.select
90 11 tx.select-ok
90 20 tx.commit
90 21 tx.commit-ok
90 30 tx.rollback
90 31 tx.rollback-ok
"""

# Name and type of the content properties, from the highest flag bit down.
PROPERTIES = (
    ("content_type", "shortstr"), ("content_encoding", "shortstr"), ("headers", "table"), ("delivery_mode", "octet"),
    ("priority", "octet"), ("correlation_id", "shortstr"), ("reply_to", "shortstr"), ("expiration", "shortstr"),
    ("message_id", "shortstr"), ("timestamp", "longlong"), ("type", "shortstr"), ("user_id", "shortstr"),
    ("app_id", "shortstr"), ("cluster_id", "shortstr"),
)

# Methods that are followed by a content header and body.
WITH_CONTENT = frozenset(("basic.publish", "basic.return", "basic.deliver", "basic.get-ok"))


class Method:
    """One line of the table: ids, name, and (type, field) pairs with '-' turned into '_'."""

    def __init__(self, class_id, method_id, name, fields):
        self.class_id, self.method_id, self.name, self.fields = class_id, method_id, name, fields


def _read_table():
    by_name, by_id = {}, {}
    for line in _METHOD_LINES.split("\n"):
        words = line.split()
        if words:
            fields = [tuple(word.replace("-", "_").split(":")) for word in words[3:]]
            method = Method(int(words[0]), int(words[1]), words[2], fields)
            by_name[method.name] = by_id[method.class_id, method.method_id] = method
    return by_name, by_id


METHODS, METHODS_BY_ID = _read_table()

# What a field is when the caller names no value.
_DEFAULTS = {"bit": False, "octet": 0, "short": 0, "long": 0, "longlong": 0, "shortstr": "", "longstr": "", "table": {}}
_INTEGERS = {"octet": "!B", "short": "!H", "long": "!I", "longlong": "!Q"}


class Malformed(Exception):
    """Bytes that are not AMQP 0-9-1."""


class Typed:
    """A field table value with its type octet chosen by hand, e.g. Typed('s', 7) for a 16 bit integer."""

    FORMATS = {"t": "!?", "b": "!b", "B": "!B", "s": "!h", "u": "!H", "I": "!i", "i": "!I", "l": "!q", "L": "!q",
               "f": "!f", "d": "!d", "T": "!Q"}

    def __init__(self, tag, value):
        self.tag, self.value = tag, value

    def __repr__(self):
        return f"{self.tag}:{self.value!r}"

    def __eq__(self, other):
        return isinstance(other, Typed) and (self.tag, self.value) == (other.tag, other.value)


def to_bytes(value):
    return value if isinstance(value, (bytes, bytearray)) else str(value).encode()


def to_text(value):
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def encode_shortstr(value):
    data = to_bytes(value)
    if len(data) > 255:
        raise ValueError("a short string has at most 255 bytes")
    return bytes((len(data),)) + data


def encode_longstr(value):
    data = to_bytes(value)
    return struct.pack("!I", len(data)) + data


def encode_table(table):
    return encode_longstr(b"".join(encode_shortstr(key) + encode_value(value) for key, value in table.items()))


def encode_value(value):
    if isinstance(value, Typed):
        return _encode_typed(value)
    if isinstance(value, bool):
        return b"t" + struct.pack("!?", value)
    if isinstance(value, int):
        return b"I" + struct.pack("!i", value) if -2**31 <= value < 2**31 else b"l" + struct.pack("!q", value)
    if isinstance(value, float):
        return b"d" + struct.pack("!d", value)
    if isinstance(value, dict):
        return b"F" + encode_table(value)
    if isinstance(value, (list, tuple)):
        return b"A" + encode_longstr(b"".join(map(encode_value, value)))
    if value is None:
        return b"V"
    return b"S" + encode_longstr(value)


def _encode_typed(typed):
    tag = typed.tag.encode()
    if typed.tag in Typed.FORMATS:
        return tag + struct.pack(Typed.FORMATS[typed.tag], typed.value)
    if typed.tag == "D":
        scale, number = typed.value
        return tag + struct.pack("!Bi", scale, number)
    if typed.tag in ("S", "x"):
        return tag + encode_longstr(typed.value)
    return tag + to_bytes(typed.value)  # a type that does not exist, for tests of the other side


class Reader:
    """Reads fields from bytes; raises Malformed past the end."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        end = self.at + count
        if end > len(self.data):
            raise Malformed("a field runs over the end")
        part = self.data[self.at:end]
        self.at = end
        return part

    def number(self, pattern):
        return struct.unpack(pattern, self.take(struct.calcsize(pattern)))[0]

    def field(self, kind):
        if kind in _INTEGERS:
            return self.number(_INTEGERS[kind])
        if kind == "shortstr":
            return to_text(bytes(self.take(self.number("!B"))))
        if kind == "longstr":
            return to_text(bytes(self.take(self.number("!I"))))
        if kind == "table":
            return self.table()
        raise ValueError(kind)

    def table(self):
        inner = Reader(self.take(self.number("!I")))
        table = {}
        while inner.at < len(inner.data):
            key = inner.field("shortstr")
            table[key] = inner.value()
        return table

    def value(self):
        tag = chr(self.number("!B"))
        if tag in Typed.FORMATS:
            return self.number(Typed.FORMATS[tag])
        if tag in "Sx":
            return self.field("longstr")
        if tag == "F":
            return self.table()
        if tag == "A":
            inner = Reader(self.take(self.number("!I")))
            values = []
            while inner.at < len(inner.data):
                values.append(inner.value())
            return values
        if tag == "V":
            return None
        if tag == "D":
            return Typed("D", struct.unpack("!Bi", self.take(5)))
        raise Malformed(f"unknown field type {tag!r}")


def encode_method(name, fields):
    """The payload of a method frame; fields that are not named get zero, empty or false."""
    method = METHODS[name]
    unknown = set(fields) - {field for _, field in method.fields}
    if unknown:
        raise ValueError(f"{name} has no field {', '.join(sorted(unknown))}")
    out = bytearray(struct.pack("!HH", method.class_id, method.method_id))
    bits, bit_count = 0, 0
    for kind, field in method.fields:
        value = fields.get(field, _DEFAULTS[kind])
        if kind == "bit":
            bits |= bool(value) << bit_count
            bit_count += 1
            continue
        if bit_count:
            out.append(bits)
            bits = bit_count = 0
        if kind in _INTEGERS:
            out += struct.pack(_INTEGERS[kind], value)
        elif kind == "shortstr":
            out += encode_shortstr(value)
        elif kind == "longstr":
            out += encode_longstr(value)
        else:
            out += encode_table(value)
    if bit_count:
        out.append(bits)
    return bytes(out)


def decode_method(payload):
    """Gives (name, fields) of a method frame's payload."""
    reader = Reader(payload)
    ids = reader.number("!H"), reader.number("!H")
    if ids not in METHODS_BY_ID:
        raise Malformed(f"unknown method {ids}")
    method = METHODS_BY_ID[ids]
    fields, bits, bit = {}, 0, 8
    in_bits = False
    for kind, field in method.fields:
        if kind == "bit":
            if not in_bits or bit == 8:
                bits, bit, in_bits = reader.number("!B"), 0, True
            fields[field] = bool(bits >> bit & 1)
            bit += 1
        else:
            in_bits = False
            fields[field] = reader.field(kind)
    return method.name, fields


def encode_header(size, properties):
    """The payload of a content header frame of class basic."""
    flags, out = 0, b""
    unknown = set(properties) - {name for name, _ in PROPERTIES}
    if unknown:
        raise ValueError(f"no content property {', '.join(sorted(unknown))}")
    for at, (name, kind) in enumerate(PROPERTIES):
        if name in properties:
            flags |= 1 << (15 - at)
            value = properties[name]
            if kind in _INTEGERS:
                out += struct.pack(_INTEGERS[kind], value)
            else:
                out += encode_table(value) if kind == "table" else encode_shortstr(value)
    return struct.pack("!HHQH", BASIC_CLASS, 0, size, flags) + out


def decode_header(payload):
    """Gives (body size, properties)."""
    reader = Reader(payload)
    reader.take(4)
    size, flags = reader.number("!Q"), reader.number("!H")
    properties = {name: reader.field(kind) for at, (name, kind) in enumerate(PROPERTIES) if flags >> (15 - at) & 1}
    return size, properties


def encode_frame(kind, channel, payload):
    return struct.pack("!BHI", kind, channel, len(payload)) + payload + b"\xce"


HEARTBEAT = encode_frame(FRAME_HEARTBEAT, 0, b"")


def encode_message(channel, method_name, fields, properties, body, frame_max):
    """Method, header and body frames of a message in one piece."""
    out = [encode_frame(FRAME_METHOD, channel, encode_method(method_name, fields)),
           encode_frame(FRAME_HEADER, channel, encode_header(len(body), properties))]
    step = frame_max - FRAME_OVERHEAD
    for at in range(0, len(body), step):
        out.append(encode_frame(FRAME_BODY, channel, body[at:at + step]))
    return b"".join(out)


class FrameParser:
    """Cuts a stream of bytes into (type, channel, payload)."""

    def __init__(self):
        self.pending = bytearray()

    def feed(self, data):
        self.pending += data
        frames, at = [], 0
        while len(self.pending) - at >= 7:
            kind, channel, size = struct.unpack_from("!BHI", self.pending, at)
            if len(self.pending) - at < size + FRAME_OVERHEAD:
                break
            if self.pending[at + 7 + size] != FRAME_END:
                raise Malformed("frame without end octet")
            frames.append((kind, channel, bytes(self.pending[at + 7:at + 7 + size])))
            at += size + FRAME_OVERHEAD
        del self.pending[:at]
        return frames
