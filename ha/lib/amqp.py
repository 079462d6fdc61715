"""A small AMQP 0-9-1 client over one socket, for the scripts around the node. Standard library only.

One thread per connection: every call of one Connection comes from the thread that opened it. Calls wait with a limit and
raise; what the broker sends meanwhile is queued as Event and fetched with poll(). Times are in seconds.
"""

import collections
import contextlib
import select
import socket
import time

from amqp_codec import (FRAME_BODY, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD, HEARTBEAT, PROTOCOL_HEADER, WITH_CONTENT,
                        FrameParser, Malformed, decode_header, decode_method, encode_frame, encode_message, encode_method)

READ_SIZE = 256 * 1024
CALL_TIMEOUT = 10.0

# name: the method, e.g. "basic.deliver"; properties and body only with content.
Event = collections.namedtuple("Event", "channel name fields properties body")


class Closed(Exception):
    """The connection is gone: closed by the broker (code, text) or lost (code 0)."""

    def __init__(self, code, text):
        super().__init__(f"{code} {text}" if code else text)
        self.code, self.text = code, text


class ChannelClosed(Exception):
    """The broker closed the channel; the connection lives on."""

    def __init__(self, code, text):
        super().__init__(f"{code} {text}")
        self.code, self.text = code, text


class TimedOut(Exception):
    """No answer within the limit."""


LOSSES = (OSError, Closed, ChannelClosed, TimedOut)   # what a broken connection or a broker in trouble raises


@contextlib.contextmanager
def connected(host, port, **options):
    """A connection with channel 1 open, closed at the end; options as Connection has them."""
    connection = Connection(host, port, **options)
    try:
        connection.open_channel(1)
        yield connection
    finally:
        connection.close()


class Connection:
    def __init__(self, host, port, user="guest", password="guest", vhost="/", heartbeat=10, name="",
                 timeout=CALL_TIMEOUT):
        """Connects and opens; raises OSError or Closed when that fails within `timeout`."""
        self.events = collections.deque()
        self.blocked = False
        self._parser = FrameParser()
        self._partial = {}  # channel: [name, fields, size, properties, body]
        self._out = bytearray()
        self._closed = None
        self._heartbeat = 0
        self._read_at = self._written_at = time.monotonic()
        self._socket = socket.create_connection((host, port), timeout=timeout)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open(user, password, vhost, heartbeat, name, timeout)
        except BaseException:
            self._socket.close()
            raise

    def _open(self, user, password, vhost, heartbeat, name, timeout):
        limit = time.monotonic() + timeout
        self._out += PROTOCOL_HEADER
        start = self._await(0, ("connection.start",), limit)
        self.server_properties = start.fields["server_properties"]
        properties = {"product": "warren-scripts", "connection_name": name, "capabilities": {
            "authentication_failure_close": True, "basic.nack": True, "connection.blocked": True,
            "consumer_cancel_notify": True, "publisher_confirms": True}}
        self.send(0, "connection.start-ok", client_properties=properties, mechanism="PLAIN",
                  response=f"\0{user}\0{password}", locale="en_US")
        tune = self._await(0, ("connection.tune",), limit).fields
        self.frame_max = tune["frame_max"] or 131072
        asked = [value for value in (heartbeat, tune["heartbeat"]) if value]
        self._heartbeat = min(asked) if asked else 0
        self.send(0, "connection.tune-ok", channel_max=tune["channel_max"], frame_max=self.frame_max,
                  heartbeat=self._heartbeat)
        self.send(0, "connection.open", virtual_host=vhost)
        self._await(0, ("connection.open-ok",), limit)

    # Sending

    def send(self, channel, name, **fields):
        """Queues a method; it leaves with the next flush(), poll() or call()."""
        self._out += encode_frame(FRAME_METHOD, channel, encode_method(name, fields))

    def publish(self, channel, exchange, routing_key, body, mandatory=False, **properties):
        """Queues a message, as send() does."""
        self._out += encode_message(channel, "basic.publish",
                                    {"exchange": exchange, "routing_key": routing_key, "mandatory": mandatory},
                                    properties, body, self.frame_max)

    def ack(self, channel, delivery_tag, multiple=False):
        self.send(channel, "basic.ack", delivery_tag=delivery_tag, multiple=multiple)

    def call(self, channel, name, *replies, timeout=CALL_TIMEOUT, **fields):
        """Sends a method and waits for its reply (`name`-ok unless replies are named). Other events stay queued."""
        self.send(channel, name, **fields)
        return self._await(channel, replies or (name + "-ok",), time.monotonic() + timeout)

    def open_channel(self, channel):
        self.call(channel, "channel.open")

    # Receiving

    def poll(self, timeout):
        """Gives the next event, or None when nothing came within `timeout`. Raises Closed when the connection is gone."""
        limit = time.monotonic() + timeout
        while not self.events:
            left = limit - time.monotonic()
            if not self._turn(max(left, 0)) and left <= 0:
                return None
        return self.events.popleft()

    def flush(self, timeout=CALL_TIMEOUT):
        limit = time.monotonic() + timeout
        while self._out:
            left = limit - time.monotonic()
            if left <= 0:
                raise TimedOut("the broker does not read")
            self._turn(left)

    def _await(self, channel, names, limit):
        passed_over = []
        try:
            while True:
                event = self.poll(limit - time.monotonic())
                if event is None:
                    raise TimedOut(f"no {' or '.join(names)} in time")
                if event.channel == channel and event.name in names:
                    return event
                if event.channel == channel and event.name == "channel.close":
                    raise ChannelClosed(event.fields["reply_code"], event.fields["reply_text"])
                passed_over.append(event)
        finally:
            self.events.extendleft(reversed(passed_over))

    def _turn(self, timeout):
        """Writes and reads what is possible within `timeout`; True when bytes came in."""
        if self._closed:
            raise self._closed
        now = time.monotonic()
        if self._heartbeat:
            if now - self._written_at > self._heartbeat / 2:
                self._out += HEARTBEAT
            if now - self._read_at > self._heartbeat * 2:
                self._lose("missed heartbeats")
            timeout = min(timeout, self._heartbeat / 4)
        readable, writable, _ = select.select([self._socket], [self._socket] if self._out else [], [], timeout)
        try:
            if writable:
                sent = self._socket.send(self._out)
                del self._out[:sent]
                self._written_at = now
            if not readable:
                return False
            data = self._socket.recv(READ_SIZE)
        except BlockingIOError:
            return False
        except OSError as error:
            self._lose(str(error))
        if not data:
            self._lose("connection closed by peer")
        self._read_at = time.monotonic()
        self._take(data)
        return True

    def _lose(self, why):
        self._socket.close()
        self._closed = Closed(0, why)
        raise self._closed

    def _take(self, data):
        try:
            for kind, channel, payload in self._parser.feed(data):
                self._take_frame(kind, channel, payload)
        except Malformed as error:
            self._lose(f"the broker sent malformed bytes: {error}")

    def _take_frame(self, kind, channel, payload):
        if kind == FRAME_METHOD:
            name, fields = decode_method(payload)
            if name in WITH_CONTENT:
                self._partial[channel] = [name, fields, 0, None, bytearray()]
            else:
                self._take_method(channel, name, fields)
        elif kind in (FRAME_HEADER, FRAME_BODY):
            part = self._partial.get(channel)
            if part is None:
                raise Malformed("content without a method")
            if kind == FRAME_HEADER:
                part[2], part[3] = decode_header(payload)
            else:
                part[4] += payload
            if len(part[4]) >= part[2]:
                del self._partial[channel]
                self.events.append(Event(channel, part[0], part[1], part[3], bytes(part[4])))
        elif kind != FRAME_HEARTBEAT:
            raise Malformed(f"frame type {kind}")

    def _take_method(self, channel, name, fields):
        if name == "connection.close":
            self.send(0, "connection.close-ok")
            try:
                self._socket.send(self._out)
            except OSError:
                pass  # it is going anyway
            self._socket.close()
            self._closed = Closed(fields["reply_code"], fields["reply_text"])
        elif name == "channel.close":
            self.send(channel, "channel.close-ok")
            self.events.append(Event(channel, name, fields, None, b""))
        elif name in ("connection.blocked", "connection.unblocked"):
            self.blocked = name == "connection.blocked"
        else:
            self.events.append(Event(channel, name, fields, None, b""))

    # The end

    def close(self):
        """Says good-bye when that is possible, and frees the socket in any case."""
        if not self._closed:
            try:
                self.call(0, "connection.close", reply_code=200, reply_text="bye", timeout=2)
            except (Closed, ChannelClosed, TimedOut):
                pass
        self.abort()

    def abort(self):
        """Drops the connection without a word."""
        self._closed = self._closed or Closed(0, "closed here")
        self._socket.close()
