"""Carries out the statements of one wire script. What does not come as written raises Mismatch."""

import re
import time

from amqp_codec import (FRAME_BODY, FRAME_HEADER, PROTOCOL_HEADER, Typed, encode_frame, encode_header, encode_message,
                        to_bytes)
from language import Repeated, Variable
from management import Management
from peer import Peer

UNTIL_LIMIT = 10.0
SILENCE = 0.3
RIGHT = re.compile(r"\b(configure|write|read) access to")


class Mismatch(Exception):
    pass


class Skipped(Exception):
    pass


class Script:
    def __init__(self, address, broker, timeout, http=None):
        """`http`: where the broker's management API is, (host, port), or None."""
        self.address, self.broker, self.timeout = address, broker, timeout
        self.management = Management(http) if http else None
        self.peers, self.variables = {}, {}
        self.declared = set()  # ("queue" | "exchange", name): removed again after the script

    def run(self, statements):
        for statement in statements:
            getattr(self, "do_" + statement.verb.replace("-", "_"))(statement)

    def finish(self):
        for peer in self.peers.values():
            peer.drop()

    # Values

    def resolve(self, value):
        if isinstance(value, Variable):
            if value.name not in self.variables:
                raise Mismatch(f"${value.name} has no value yet")
            return self.variables[value.name]
        if isinstance(value, Repeated):
            return self.resolve(value.value) * self.resolve(value.times)
        if isinstance(value, dict):
            return {key: self.resolve(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        return value

    def fields(self, statement, words):
        """Fields and content properties to send; a word without a value is a bit that is set."""
        fields = {word.replace("-", "_"): True for word in words}
        properties = {}
        for name, _, value in statement.pairs:
            if name.startswith("."):
                properties[name[1:]] = self.resolve(value)
            else:
                fields[name] = self.resolve(value)
        return fields, properties

    def bytes_of(self, words):
        out = b""
        for word in words:
            word = self.resolve(word)
            out += bytes((word,)) if isinstance(word, int) else to_bytes(word)
        return out

    def peer(self, statement):
        if statement.connection not in self.peers:
            raise Mismatch("this connection is not open")
        return self.peers[statement.connection]

    # What people set up

    def do_http(self, statement):
        if not self.management:
            raise Skipped("needs the management API: --http HOST:PORT")
        wanted = None
        words = list(statement.words)
        if isinstance(words[-1], tuple):
            wanted = words.pop()[0][0]
        method, path = words[:2]
        status, text = self.management.ask(method, path, plain(self.resolve(words[2])) if len(words) > 2 else None)
        if status != wanted if wanted else not 200 <= status < 300:
            raise Mismatch(f"{method} {path}: status {status}, {text}")

    # Connections

    def do_only(self, statement):
        if self.broker not in statement.words[0].split(","):
            raise Skipped(f"only for {statement.words[0]}")

    def do_connect(self, statement):
        self.peers[statement.connection] = Peer(statement.connection, self.address, self.timeout)

    def do_open(self, statement):
        self.do_connect(statement)
        peer = self.peer(statement)
        options, _ = self.fields(statement, statement.words)
        peer.send_bytes(PROTOCOL_HEADER)
        self.await_method(peer, 0, "connection.start")
        capabilities = options.get("capabilities", {"authentication_failure_close": True, "consumer_cancel_notify": True,
                                                    "basic.nack": True, "publisher_confirms": True,
                                                    "connection.blocked": True})
        peer.send_method(0, "connection.start-ok", {
            "client_properties": {"product": "wire", "capabilities": capabilities}, "mechanism": "PLAIN",
            "response": f"\0{options.get('user', 'guest')}\0{options.get('password', 'guest')}", "locale": "en_US"})
        tune = self.await_method(peer, 0, "connection.tune").fields
        peer.frame_max = options.get("frame_max", tune["frame_max"])
        peer.send_method(0, "connection.tune-ok", {
            "channel_max": options.get("channel_max", tune["channel_max"]), "frame_max": peer.frame_max,
            "heartbeat": options.get("heartbeat", 0)})
        peer.send_method(0, "connection.open", {"virtual_host": options.get("vhost", "/")})
        self.await_method(peer, 0, "connection.open-ok")

    def do_channel(self, statement):
        peer = self.peer(statement)
        for number in statement.words:
            peer.send_method(number, "channel.open", {})
            self.await_method(peer, number, "channel.open-ok")

    def do_close(self, statement):
        peer = self.peer(statement)
        peer.send_method(0, "connection.close", {"reply_code": 200, "reply_text": "bye"})
        self.await_method(peer, 0, "connection.close-ok")
        peer.drop()  # who asked to close may hang up first

    def do_drop(self, statement):
        self.peer(statement).drop()

    # Sending

    def do_send(self, statement):
        channel, name = statement.words[:2]
        fields, _ = self.fields(statement, statement.words[2:])
        self.remember(name, fields)
        self.peer(statement).send_method(channel, name, fields)

    def remember(self, name, fields):
        if name in ("queue.declare", "exchange.declare") and not fields.get("passive"):
            kind = name.split(".")[0]
            if fields.get(kind):
                self.declared.add((kind, fields[kind]))

    def do_publish(self, statement):
        fields, properties = self.fields(statement, statement.words[1:])
        body = to_bytes(fields.pop("body", ""))
        peer = self.peer(statement)
        peer.note(f"--> {statement.words[0]} basic.publish {fields} {properties} {len(body)} bytes")
        try:
            peer.socket.sendall(encode_message(statement.words[0], "basic.publish", fields, properties, body,
                                               peer.frame_max))
        except OSError as error:
            peer.note(f"    ({error})")

    def do_frame(self, statement):
        kind, channel = statement.words[:2]
        self.peer(statement).send_bytes(encode_frame(kind, channel, self.bytes_of(statement.words[2:])))

    def do_header(self, statement):
        fields, properties = self.fields(statement, statement.words[1:])
        payload = bytearray(encode_header(fields["size"], properties))
        payload[0:2] = fields.get("class", 60).to_bytes(2, "big")
        payload[2:4] = fields.get("weight", 0).to_bytes(2, "big")
        self.peer(statement).send_bytes(encode_frame(FRAME_HEADER, statement.words[0], bytes(payload)))

    def do_body(self, statement):
        self.peer(statement).send_bytes(encode_frame(FRAME_BODY, statement.words[0], self.bytes_of(statement.words[1:])))

    def do_raw(self, statement):
        self.peer(statement).send_bytes(self.bytes_of(statement.words))

    # Receiving

    def await_method(self, peer, channel, name, timeout=None):
        message = peer.next_message(channel, timeout)
        if message is None:
            # The reason is often on channel 0: say it instead of "nothing".
            close = peer.next_message(0, 0) if channel else None
            what = f"{close.name} {close.fields}" if close else "end of stream" if peer.eof else "nothing"
            raise Mismatch(f"expected {name} on channel {channel}, got {what}")
        if message.name != name:
            raise Mismatch(f"expected {name} on channel {channel}, got {message.name} {message.fields}")
        return message

    def compare(self, message, pairs):
        for name, operator, wanted in pairs:
            if name == "body":
                got = message.body
            elif name.startswith("."):
                head, *path = name[1:].split("/")
                got = self.step_down((message.properties or {}).get(head), path, name)
            else:
                head, *path = name.split("/")
                if head not in message.fields:
                    raise Mismatch(f"{message.name} has no field {head}")
                got = self.step_down(message.fields[head], path, name)
            if operator == ">":
                self.variables[wanted] = got
            elif not self.agrees(got, operator, self.resolve(wanted)):
                raise Mismatch(f"{message.name}: {name} is {got!r}, expected {operator} {self.resolve(wanted)!r}")

    @staticmethod
    def step_down(table, path, name):
        """Tables are looked into with a path: server-properties/capabilities/basic.nack."""
        for key in path:
            names = [there for there in table if there.replace("-", "_") == key] if isinstance(table, dict) else []
            if not names:
                raise Mismatch(f"there is no {name}")
            table = table[names[0]]
        return table

    def agrees(self, got, operator, wanted):
        if operator == "~":
            if self.broker == "rabbitmq":  # before 3.11 it did not say which right was missing
                wanted, got = RIGHT.sub("access to", wanted), RIGHT.sub("access to", str(got))
            return re.search(wanted, got if isinstance(got, str) else str(got)) is not None
        if isinstance(got, (bytes, bytearray)):
            return got == to_bytes(wanted)
        return plain(got) == plain(wanted)

    def do_expect(self, statement):
        channel, name = statement.words[:2]
        message = self.await_method(self.peer(statement), channel, name)
        pairs = list(statement.pairs) + [(word.replace("-", "_"), "=", True) for word in statement.words[2:]]
        self.compare(message, pairs)

    def do_until(self, statement):
        """Repeats a request until its reply agrees; for what another connection or a timer brings about."""
        channel, name = statement.words[:2]
        words, pairs = statement.words[-1]
        fields, _ = self.fields(statement, statement.words[2:-1])
        limit = time.monotonic() + UNTIL_LIMIT
        while True:
            self.peer(statement).send_method(channel, name, fields)
            message = self.await_method(self.peer(statement), channel, words[0])
            try:
                return self.compare(message, pairs)
            except Mismatch:
                if time.monotonic() > limit:
                    raise
                time.sleep(0.05)

    def do_expect_raw(self, statement):
        peer, wanted = self.peer(statement), self.bytes_of(statement.words)
        limit = time.monotonic() + self.timeout
        while len(peer.raw) < len(wanted) and peer.receive(limit) and not peer.eof:
            pass
        if not peer.raw.startswith(wanted):
            raise Mismatch(f"expected bytes {wanted.hex(' ')}, got {peer.raw.hex(' ')}")
        peer.raw = peer.raw[len(wanted):]

    def do_expect_closed(self, statement):
        peer = self.peer(statement)
        message = self.await_method(peer, 0, "connection.close")
        self.compare_close(message, statement.words[0], statement.pairs)
        peer.send_method(0, "connection.close-ok", {})
        self.do_expect_eof(statement)

    def do_expect_refused(self, statement):
        """During the handshake a broker may hang up without a word, or say why and hang up."""
        peer = self.peer(statement)
        message = peer.next_message(0)
        if message is not None:
            if message.name != "connection.close":
                raise Mismatch(f"expected to be refused, got {message.name} {message.fields}")
            self.compare_close(message, statement.words[0], statement.pairs)
            peer.send_method(0, "connection.close-ok", {})
        self.do_expect_eof(statement)

    def do_expect_channel_closed(self, statement):
        channel, code = statement.words[:2]
        message = self.await_method(self.peer(statement), channel, "channel.close")
        self.compare_close(message, code, statement.pairs)
        self.peer(statement).send_method(channel, "channel.close-ok", {})

    def compare_close(self, message, code, pairs):
        if message.fields["reply_code"] != code:
            raise Mismatch(f"{message.name} with {message.fields}, expected code {code}")
        names = {"class": "class_id", "method": "method_id"}
        self.compare(message, [(names.get(name, name), operator, value) for name, operator, value in pairs])

    def do_expect_confirms(self, statement):
        """Takes acks until all numbers up to the named one are confirmed; the broker may put several into one."""
        channel, upto = statement.words[:2]
        peer = self.peer(statement)
        wanted = "basic.nack" if "nack" in statement.words else "basic.ack"
        done = peer.confirmed[channel]
        while not set(range(1, upto + 1)) <= done:
            message = self.await_method(peer, channel, wanted)
            tag = message.fields["delivery_tag"]
            done.update(range(1, tag + 1) if message.fields["multiple"] else (tag,))
        if max(done) > upto:
            raise Mismatch(f"confirmed {max(done)}, which is more than {upto}")

    def do_expect_eof(self, statement):
        peer = self.peer(statement)
        limit = time.monotonic() + self.timeout
        while not peer.eof:
            if not peer.receive(limit):
                raise Mismatch("expected the end of the stream, the connection stays open")

    def do_expect_heartbeat(self, statement):
        peer = self.peer(statement)
        before, limit = peer.heartbeats, time.monotonic() + statement.words[0]
        peer.parse()
        while peer.heartbeats == before:
            if not peer.receive(limit) or peer.eof:
                raise Mismatch(f"no heartbeat within {statement.words[0]} s")

    def do_silence(self, statement):
        peer = self.peer(statement)
        options = dict((name, value) for name, _, value in statement.pairs)
        limit = time.monotonic() + options.get("seconds", SILENCE)
        if not peer.is_raw or not peer.raw:
            peer.parse()
        while peer.receive(limit):
            if peer.eof:
                raise Mismatch("expected silence, the connection was closed")
        channels = statement.words or list(peer.inbox)
        for channel in channels:
            if peer.inbox[channel]:
                message = peer.inbox[channel][0]
                raise Mismatch(f"expected silence, got {message.name} {message.fields} on channel {channel}")

    def do_wait(self, statement):
        time.sleep(statement.words[0])


def plain(value):
    """Typed values compare by what they hold: a broker may answer an integer in another width."""
    if isinstance(value, Typed):
        return value.value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    return value
