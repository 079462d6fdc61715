"""Wrong bytes, order, sizes and types: a table of what a client may send and the reply that RabbitMQ gives.

A case is (name, stage, steps, answer). Stages: "start" after connection.start, "tune" after start-ok, "open" with channels 1 and 2 open,
"raw" before anything. A step is bytes. Answers: (code, "connection" | "channel"), "end" for a connection that ends with or without a word,
"alive" when nothing happens. Where RabbitMQ falls over without a word, Warren says why: there the answer is "end" too.
"""

import struct

from amqp_codec import Typed, encode_frame, encode_header, encode_longstr, encode_method, encode_shortstr

FRAME_MAX = 131072
METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8


def method(name, channel=1, **fields):
    return encode_frame(METHOD, channel, encode_method(name, fields))


def payload(class_id, method_id, rest=b"", channel=1):
    return encode_frame(METHOD, channel, struct.pack("!HH", class_id, method_id) + rest)


def header(size=1, channel=1, class_id=60, weight=0, properties=None):
    made = bytearray(encode_header(size, properties or {}))
    made[0:4] = struct.pack("!HH", class_id, weight)
    return encode_frame(HEADER, channel, bytes(made))


def body(data=b"x", channel=1):
    return encode_frame(BODY, channel, data)


PUBLISH = method("basic.publish", routing_key="malformed.none")
START_OK = {"client_properties": {"capabilities": {"authentication_failure_close": True}}, "mechanism": "PLAIN",
            "response": "\0guest\0guest", "locale": "en_US"}


def frames():
    for kind in (0, 4, 5, 6, 7, 9, 65, 127, 255):
        yield f"frame type {kind} on channel 0", "open", [encode_frame(kind, 0, b"x")], (501, "connection")
        yield f"frame type {kind} on channel 1", "open", [encode_frame(kind, 1, b"x")], (501, "connection")
    for end in (0, 1, 0x7F, 0xCD, 0xCF, 0xFF):
        frame = method("basic.qos")
        yield f"frame end {end}", "open", [frame[:-1] + bytes((end,))], (501, "connection")
    for size in (FRAME_MAX + 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1):
        yield f"frame of {size} octets", "open", [struct.pack("!BHI", BODY, 1, size) + b"x" * 64], (501, "connection")
    yield "heartbeat on channel 1", "open", [encode_frame(HEARTBEAT, 1, b"")], (505, "connection")
    yield "heartbeat with content", "open", [encode_frame(HEARTBEAT, 0, b"x")], (501, "connection")
    yield "empty method frame", "open", [encode_frame(METHOD, 1, b"")], (501, "connection")
    for size in (1, 2, 3):
        yield f"method frame of {size} octets", "open", [encode_frame(METHOD, 1, b"\0\x3c\0"[:size])], (501, "connection")
    yield "empty method frame on channel 0", "open", [encode_frame(METHOD, 0, b"")], (501, "connection")
    yield "text instead of frames", "open", [b"hello broker, here is no frame at all\r\n"], (501, "connection")
    yield "zeros", "open", [b"\0" * 64], (501, "connection")
    yield "ones", "open", [b"\xff" * 64], (501, "connection")
    yield "the protocol header again", "open", [b"AMQP\0\0\x09\x01"], "end"
    yield "half a frame, then the end", "open", [method("basic.qos")[:9]], "alive"


def unknown_methods():
    for ids in ((0, 0), (10, 9), (10, 12), (20, 12), (30, 12), (40, 12), (50, 12), (60, 12), (60, 255), (70, 10), (80, 10), (85, 12),
                (90, 12), (100, 10), (255, 10), (65535, 65535)):
        yield f"method {ids[0]}.{ids[1]}", "open", [payload(*ids)], "end"


def fields_that_are_cut():
    whole = {
        "exchange.declare": encode_method("exchange.declare", {"exchange": "e", "type": "direct", "arguments": {"a": 1}}),
        "exchange.delete": encode_method("exchange.delete", {"exchange": "e"}),
        "exchange.bind": encode_method("exchange.bind", {"destination": "d", "source": "s", "arguments": {"a": 1}}),
        "exchange.unbind": encode_method("exchange.unbind", {"destination": "d", "source": "s"}),
        "queue.declare": encode_method("queue.declare", {"queue": "q", "arguments": {"a": "b"}}),
        "queue.bind": encode_method("queue.bind", {"queue": "q", "exchange": "e"}),
        "queue.unbind": encode_method("queue.unbind", {"queue": "q", "exchange": "e"}),
        "queue.purge": encode_method("queue.purge", {"queue": "q"}),
        "queue.delete": encode_method("queue.delete", {"queue": "q"}),
        "basic.qos": encode_method("basic.qos", {}),
        "basic.consume": encode_method("basic.consume", {"queue": "q", "consumer_tag": "c"}),
        "basic.cancel": encode_method("basic.cancel", {"consumer_tag": "c"}),
        "basic.publish": encode_method("basic.publish", {"exchange": "e"}),
        "basic.get": encode_method("basic.get", {"queue": "q"}),
        "basic.ack": encode_method("basic.ack", {"delivery_tag": 1}),
        "basic.nack": encode_method("basic.nack", {"delivery_tag": 1}),
        "basic.reject": encode_method("basic.reject", {"delivery_tag": 1}),
        "basic.recover": encode_method("basic.recover", {}),
        "confirm.select": encode_method("confirm.select", {}),
        "channel.close": encode_method("channel.close", {"reply_text": "bye"}),
        "channel.flow": encode_method("channel.flow", {}),
    }
    for name, made in whole.items():
        yield f"{name} without its last octet", "open", [encode_frame(METHOD, 1, made[:-1])], (501, "connection")
        yield f"{name} without fields", "open", [encode_frame(METHOD, 1, made[:4])], (501, "connection")
        yield f"{name} with one octet too many", "open", [encode_frame(METHOD, 1, made + b"x")], (501, "connection")


def tables():
    """Arguments of queue.declare, octet by octet."""
    def declare(table):
        return payload(50, 10, b"\0\0" + encode_shortstr("malformed.t") + b"\0" + table)

    yield "table longer than the frame", "open", [declare(struct.pack("!I", 100) + b"\1aI\0\0\0\1")], (501, "connection")
    yield "table of 2^32 - 1 octets", "open", [declare(b"\xff\xff\xff\xff")], (501, "connection")
    yield "table shorter than the rest", "open", [declare(struct.pack("!I", 3) + b"\1aI\0\0\0\1")], "end"
    for kind in "CEGHJKMNOPQRUWXYZaceghjkmnopqrvwyz0 ":
        yield f"field type '{kind}'", "open", [declare(encode_longstr(b"\1a" + kind.encode() + b"\0\0\0\0\0\0\0\0"))], "end"
    for kind, size in (("t", 1), ("b", 1), ("B", 1), ("s", 2), ("u", 2), ("I", 4), ("i", 4), ("l", 8), ("f", 4), ("d", 8), ("T", 8),
                       ("D", 5)):
        yield f"field type '{kind}' cut off", "open", [declare(encode_longstr(b"\1a" + kind.encode() + b"\0" * (size - 1)))], "end"
    for kind in "SFAx":
        yield f"length of '{kind}' beyond the table", "open", [declare(encode_longstr(b"\1a" + kind.encode() + b"\0\0\1\0ab"))], "end"
    yield "key beyond the table", "open", [declare(encode_longstr(b"\x20ab"))], "end"
    yield "key without a value", "open", [declare(encode_longstr(b"\1a"))], "end"
    deep = b""
    for _ in range(2000):
        deep = b"\1aF" + encode_longstr(deep)
    yield "tables 2000 deep", "open", [declare(encode_longstr(deep))], "any"


def contents():
    yield "header without a method", "open", [header()], (505, "connection")
    yield "body without a method", "open", [body()], (505, "connection")
    yield "header on channel 0", "open", [header(channel=0)], (505, "connection")
    yield "body on channel 0", "open", [body(channel=0)], (505, "connection")
    yield "header on a channel that is not open", "open", [header(channel=7)], "end"
    yield "body instead of the header", "open", [PUBLISH, body()], (505, "connection")
    yield "two headers", "open", [PUBLISH, header(2), header(2)], (505, "connection")
    for name in ("basic.qos", "channel.close", "tx.select", "queue.declare", "basic.publish", "channel.open"):
        yield f"{name} instead of the header", "open", [PUBLISH, method(name)], (505, "connection")
        yield f"{name} instead of the body", "open", [PUBLISH, header(2), method(name)], (505, "connection")
    for class_id in (0, 10, 50, 61, 65535):
        yield f"header of class {class_id}", "open", [PUBLISH, header(class_id=class_id)], (505, "connection")
    yield "header with a weight", "open", [PUBLISH, header(weight=1)], (505, "connection")
    for size in (0, 1, 4, 11):
        yield f"header of {size} octets", "open", [PUBLISH, encode_frame(HEADER, 1, encode_header(1, {})[:size])], "end"
    # Warren refuses it now, RabbitMQ when all of it has come.
    yield "message of 2^63 octets", "open", [PUBLISH, header(2**63)], "any"
    yield "message of 2^64 - 1 octets", "open", [PUBLISH, header(2**64 - 1)], "any"
    yield "interleaved on two channels", "open", [PUBLISH, method("basic.publish", 2, routing_key="none"), header(1), header(1, 2),
                                                  body(), body(channel=2)], "alive"


def channels():
    for number in (3, 100, 2047):
        yield f"method on channel {number}, which is not open", "open", [method("basic.qos", number)], (504, "connection")
    yield "channel opened twice", "open", [method("channel.open")], (504, "connection")
    # RabbitMQ counts channels and does not look at the number.
    yield "channel above the maximum", "open", [method("channel.open", 2048)], "any"
    yield "channel 65535", "open", [method("channel.open", 65535)], "any"
    yield "channel.open on channel 0", "open", [method("channel.open", 0)], "end"
    for name in ("basic.qos", "queue.declare", "exchange.declare", "tx.select", "confirm.select", "channel.close", "basic.ack"):
        yield f"{name} on channel 0", "open", [method(name, 0)], "end"
    for name in ("connection.close", "connection.open", "connection.tune-ok", "connection.start-ok"):
        yield f"{name} on channel 1", "open", [method(name)], "end"
    for name in ("connection.start", "connection.secure", "connection.tune", "connection.open-ok", "connection.blocked",
                 "connection.unblocked"):
        yield f"{name} from a client", "open", [method(name, 0)], "end"
    for name in ("channel.open-ok", "channel.close-ok", "exchange.declare-ok", "exchange.delete-ok", "exchange.bind-ok", "queue.declare-ok",
                 "queue.bind-ok", "queue.purge-ok", "queue.delete-ok", "basic.qos-ok", "basic.consume-ok", "basic.cancel-ok",
                 "basic.get-empty", "basic.recover-ok", "confirm.select-ok", "tx.select-ok", "tx.commit-ok", "tx.rollback-ok"):
        yield f"{name} from a client", "open", [method(name)], (503, "connection")
    for name in ("connection.start-ok", "connection.tune-ok", "connection.open"):
        yield f"{name} when open", "open", [method(name, 0)], "end"


def values():
    yield "ack of nothing", "open", [method("basic.ack", delivery_tag=1)], (406, "channel")
    yield "nack of nothing", "open", [method("basic.nack", delivery_tag=1)], (406, "channel")
    yield "reject of nothing", "open", [method("basic.reject", delivery_tag=1)], (406, "channel")
    yield "ack of 2^64 - 1", "open", [method("basic.ack", delivery_tag=2**64 - 1)], (406, "channel")
    yield "commit without select", "open", [method("tx.commit")], (406, "channel")
    yield "rollback without select", "open", [method("tx.rollback")], (406, "channel")
    yield "confirms in a transaction", "open", [method("tx.select"), method("confirm.select")], (406, "channel")
    yield "a transaction with confirms", "open", [method("confirm.select"), method("tx.select")], (406, "channel")
    yield "prefetch size", "open", [method("basic.qos", prefetch_size=1)], (540, "connection")
    yield "recover without requeue", "open", [method("basic.recover")], (540, "connection")
    yield "flow off", "open", [method("channel.flow")], (540, "connection")
    yield "unknown exchange type", "open", [method("exchange.declare", exchange="malformed.x", type="x-none")], (503, "connection")
    yield "exchange with a reserved name", "open", [method("exchange.declare", exchange="amq.malformed", type="direct")], (403, "channel")
    yield "queue with a reserved name", "open", [method("queue.declare", queue="amq.malformed")], (403, "channel")
    yield "delete of the default exchange", "open", [method("exchange.delete")], (403, "channel")
    yield "bind to the default exchange", "open", [method("queue.declare", queue="malformed.q", auto_delete=True, exclusive=True),
                                                   method("queue.bind", queue="malformed.q")], (403, "channel")
    yield "publish to no exchange", "open", [method("basic.publish", exchange="malformed.none"), header(0)], (404, "channel")
    yield "consume from no queue", "open", [method("basic.consume", queue="malformed.none")], (404, "channel")
    yield "get from no queue", "open", [method("basic.get", queue="malformed.none")], (404, "channel")
    yield "purge of no queue", "open", [method("queue.purge", queue="malformed.none")], (404, "channel")
    yield "passive declare of no queue", "open", [method("queue.declare", queue="malformed.none", passive=True)], (404, "channel")
    yield "passive declare of no exchange", "open", [method("exchange.declare", exchange="malformed.none", passive=True)], (404, "channel")
    yield "immediate", "open", [method("basic.publish", immediate=True), header(0)], (540, "connection")
    for key, value in (("x-message-ttl", "soon"), ("x-message-ttl", -1), ("x-expires", 0), ("x-max-length", -1), ("x-max-length", True),
                       ("x-max-priority", 256), ("x-overflow", "x"), ("x-overflow", 1), ("x-dead-letter-exchange", 1),
                       ("x-dead-letter-routing-key", "k"), ("x-single-active-consumer", "yes"), ("x-queue-type", "x"),
                       ("x-queue-mode", "x"), ("x-expires", Typed("T", 5)), ("x-max-length-bytes", [1]), ("x-message-ttl", {"a": 1}),
                       ("x-message-ttl", Typed("D", (1, 5))), ("x-expires", None), ("x-expires", 1.5), ("x-expires", Typed("x", b"5"))):
        yield f"queue with {key}={value!r}", "open", [method("queue.declare", queue="malformed.arguments", arguments={key: value})], (406, "channel")
    for value in ("", "abc", "-1", "1.5", "5 ", "0x10", "99999999999999"):
        yield f"expiration '{value}'", "open", [PUBLISH, header(0, properties={"expiration": value})], (406, "channel")
    yield "somebody else's user id", "open", [PUBLISH, header(0, properties={"user_id": "mallory"})], (406, "channel")
    for value in (5, "text", True, None, {"a": 1}):
        yield f"CC {value!r}", "open", [PUBLISH, header(0, properties={"headers": {"CC": value}})], (406, "channel")


def handshake():
    for data in (b"AMQP\0\1\0\0", b"AMQP\3\1\0\0", b"AMQP\2\1\0\0", b"AMQP\0\0\x09\0", b"AMQP\0\0\x0a\1",
                 b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\0\1\0\1\xfc\3\3", b"SSH-2.0-x\r\n", b"\0" * 16, b"AMQX\0\0\x09\x01"):
        yield f"protocol header {data[:8]!r}", "raw", [data], "end"
    yield "tune-ok instead of start-ok", "start", [method("connection.tune-ok", 0)], "end"
    yield "open instead of start-ok", "start", [method("connection.open", 0)], "end"
    yield "channel.open instead of start-ok", "start", [method("channel.open")], "end"
    yield "start-ok on channel 1", "start", [method("connection.start-ok", 1, **START_OK)], "end"
    yield "mechanism that does not exist", "start", [method("connection.start-ok", 0, **{**START_OK, "mechanism": "X"})], "end"
    for response in ("", "guest", "\0guest", "guest\0guest\0guest\0guest", "\0guest\0wrong", "\0\0", "\0" + "u" * 4000 + "\0p"):
        yield f"PLAIN response {response[:20]!r}", "start", [method("connection.start-ok", 0, **{**START_OK, "response": response})], "end"
    yield "a body instead of start-ok", "start", [body(channel=0)], "end"
    yield "open instead of tune-ok", "tune", [method("connection.open", 0)], "end"
    for fields in ({"frame_max": 100}, {"frame_max": 4095}, {"frame_max": 131073}, {"channel_max": 2048, "frame_max": 131072},
                   {"channel_max": 65535, "frame_max": 131072}, {"channel_max": 0, "frame_max": 131072}):
        yield f"tune-ok {fields}", "tune", [method("connection.tune-ok", 0, **fields)], "end"
    yield "unknown vhost", "tune", [method("connection.tune-ok", 0, channel_max=2047, frame_max=FRAME_MAX),
                                    method("connection.open", 0, virtual_host="none")], "end"
    yield "a frame of 8 KiB before tuning", "start", [encode_frame(METHOD, 0, b"\0" * 8192)], "end"


CASES = [case for table in (frames, unknown_methods, fields_that_are_cut, tables, contents, channels, values, handshake)
         for case in table()]
