#!/usr/bin/env python3
"""Plays the table of malformed_cases.py to a broker that runs, and prints where its answer is another one.

    tests/system/malformed.py HOST:PORT [WORD ...]       cases whose name has all the words; the same against RabbitMQ
"""

import pathlib
import socket
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "ha" / "lib")]
from amqp_codec import PROTOCOL_HEADER, FRAME_METHOD, FrameParser, Malformed, decode_method  # noqa: E402
from malformed_cases import CASES, METHOD, START_OK, encode_frame, encode_method, method  # noqa: E402

LATE = 0.3          # seconds in which the rest comes
PATIENCE = 20.0     # seconds for an answer; RabbitMQ lets a failed login wait for three, and a machine may be busy


class Client:
    """Bytes out, methods in; one connection."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.parser, self.methods, self.ended = FrameParser(), [], False

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass  # it hung up while we talked: what it said before counts

    def read(self, limit):
        self.socket.settimeout(max(limit - time.monotonic(), 0.001))
        try:
            data = self.socket.recv(1 << 16)
        except TimeoutError:
            return False
        except OSError:
            data = b""
        if not data:
            self.ended = True
            return False
        try:
            for kind, channel, payload in self.parser.feed(data):
                if kind == FRAME_METHOD:
                    self.methods.append((channel, *decode_method(payload)))
        except Malformed:
            self.ended = True  # a protocol header: it refuses
        return True

    def wait(self, name):
        limit = time.monotonic() + PATIENCE
        while not any(found == name for _, found, _ in self.methods):
            if not self.read(limit):
                raise OSError(f"no {name}: {self.methods}")

    def close(self):
        self.socket.close()


def reach(client, stage):
    """Brings a connection to where a case begins."""
    if stage == "raw":
        return
    client.send(PROTOCOL_HEADER)
    client.wait("connection.start")
    if stage == "start":
        return
    client.send(method("connection.start-ok", 0, **START_OK))
    client.wait("connection.tune")
    if stage == "tune":
        return
    client.send(method("connection.tune-ok", 0, channel_max=2047, frame_max=131072)
                + method("connection.open", 0, virtual_host="/") + method("channel.open", 1) + method("channel.open", 2))
    client.wait("connection.open-ok")
    while sum(name == "channel.open-ok" for _, name, _ in client.methods) < 2:
        client.read(time.monotonic() + PATIENCE)
    client.methods.clear()


def answer(address, stage, steps, wanted=None):
    """(code, "connection" | "channel"), "end" or "alive"."""
    client = Client(address)
    try:
        reach(client, stage)
        for step in steps:
            client.send(step)
        # Whoever still listens answers this, after all that it had to say about the rest.
        half = stage == "open" and steps == [step for step in steps if len(step) == 9]
        if stage == "open" and not half:
            client.send(encode_frame(METHOD, 2, encode_method("basic.qos", {})))
        limit = time.monotonic() + (LATE if half else PATIENCE)
        alive = False
        while not client.ended:
            for channel, name, fields in client.methods:
                if name == "connection.close":
                    client.send(method("connection.close-ok", 0))
                    return fields["reply_code"], "connection"
                if name == "channel.close":
                    return fields["reply_code"], "channel"
            if not alive and ("basic.qos-ok", 2) in [(name, channel) for channel, name, _ in client.methods]:
                alive = True    # RabbitMQ's channels are processes: another one may still have something to say
                late = LATE if wanted in (None, "any") else PATIENCE
                limit = min(limit, time.monotonic() + (0 if wanted == "alive" else late))
            if not client.read(limit) and not client.ended:
                return "alive" if half or alive else "silence"
        return "end"
    finally:
        client.close()


def agrees(got, wanted):
    if wanted == "any":
        return got != "silence"
    if wanted == "end":
        return got == "end" or (isinstance(got, tuple) and got[1] == "connection")
    return got == wanted


def main(place, *words):
    host, _, port = place.rpartition(":")
    wrong = 0
    cases = [case for case in CASES if all(word in case[0] for word in words)]
    for name, stage, steps, wanted in cases:
        got = answer((host or "127.0.0.1", int(port)), stage, steps, wanted)
        if not agrees(got, wanted):
            wrong += 1
            print(f"{name}: {got}, the table says {wanted}", flush=True)
    print(f"{len(cases)} cases, {wrong} with another answer")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
