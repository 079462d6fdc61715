"""One raw connection of a wire script: bytes out, frames in, an inbox per channel. Nothing is done behind the script's back
except that heartbeats are set aside and counted."""

import collections
import select
import socket
import time

from amqp_codec import (FRAME_BODY, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD, WITH_CONTENT, FrameParser, decode_header,
                        decode_method, encode_frame, encode_method)

# channel, method name, fields; properties and body with content.
Message = collections.namedtuple("Message", "channel name fields properties body")

HISTORY = 30


class Peer:
    def __init__(self, name, address, timeout):
        self.name, self.timeout = name, timeout
        self.socket = socket.create_connection(address, timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.parser = FrameParser()
        self.inbox = collections.defaultdict(collections.deque)
        self.partial = {}
        self.raw = b""
        self.is_raw = True  # until the first frame is asked for, bytes are kept as they came
        self.eof = False
        self.heartbeats = 0
        self.frame_max = 131072
        self.confirmed = collections.defaultdict(set)
        self.history = collections.deque(maxlen=HISTORY)

    def note(self, text):
        label = f"{self.name}: " if self.name else ""
        self.history.append(label + (text if len(text) < 300 else text[:300] + " ..."))

    def send_bytes(self, data):
        self.note(f"--> {len(data)} bytes {bytes(data[:60]).hex(' ')}")
        try:
            self.socket.sendall(data)
        except OSError as error:
            # The other side may close while we talk; the script says whether that was right.
            self.note(f"    ({error})")

    def send_method(self, channel, name, fields):
        self.note(f"--> {channel} {name} {fields}")
        try:
            self.socket.sendall(encode_frame(FRAME_METHOD, channel, encode_method(name, fields)))
        except OSError as error:
            self.note(f"    ({error})")

    def receive(self, limit):
        """Reads once; False when nothing came until `limit`."""
        if self.eof:
            return False
        readable, _, _ = select.select([self.socket], [], [], max(limit - time.monotonic(), 0))
        if not readable:
            return False
        try:
            data = self.socket.recv(1 << 20)
        except OSError as error:
            self.note(f"<-- {error}")
            data = b""
        if not data:
            self.eof = True
            self.note("<-- end of stream")
            return True
        self.raw += data
        if not self.is_raw:
            self.parse()
        return True

    def parse(self):
        self.is_raw = False
        data, self.raw = self.raw, b""
        for kind, channel, payload in self.parser.feed(data):
            self.take(kind, channel, payload)

    def take(self, kind, channel, payload):
        if kind == FRAME_HEARTBEAT:
            self.heartbeats += 1
        elif kind == FRAME_METHOD:
            name, fields = decode_method(payload)
            self.note(f"<-- {channel} {name} {fields}")
            if name in WITH_CONTENT:
                self.partial[channel] = [name, fields, None, None, b""]
            else:
                self.inbox[channel].append(Message(channel, name, fields, None, None))
        elif kind in (FRAME_HEADER, FRAME_BODY):
            part = self.partial[channel]
            if kind == FRAME_HEADER:
                part[2], part[3] = decode_header(payload)
            else:
                part[4] += payload
            if len(part[4]) >= part[2]:
                self.note(f"    {channel} content {part[3]} {part[4][:60]!r}")
                self.inbox[channel].append(Message(channel, part[0], part[1], part[3], part[4]))
                del self.partial[channel]
        else:
            raise ValueError(f"the node sent a frame of type {kind}")

    def next_message(self, channel, timeout=None):
        """The next message of a channel, or None."""
        if self.is_raw:
            self.parse()
        limit = time.monotonic() + (self.timeout if timeout is None else timeout)
        while not self.inbox[channel]:
            if not self.receive(limit):
                return None
        return self.inbox[channel].popleft()

    def drop(self):
        self.socket.close()
