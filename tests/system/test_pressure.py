"""Clients that take without reading, or are gone without a word: what they cost, and that others do not notice."""

import concurrent.futures
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import kit
from amqp_codec import FRAME_METHOD, PROTOCOL_HEADER, encode_frame, encode_message, encode_method
from test_many_connections import CHANNEL_OPEN_OK, memory

MESSAGES, SIZE = 3000, 64 << 10      # together far more than may be held for readers
READERS = 8
TAKEN_MAX = 64 << 20   # bytes from a client that does not read what comes back
EACH_MAX_MIB = 12      # memory for a client that does not read: port window, output and the socket's buffers


def method(channel, name, **fields):
    return encode_frame(FRAME_METHOD, channel, encode_method(name, fields))


def conversation(heartbeat=0):
    return PROTOCOL_HEADER + b"".join((
        method(0, "connection.start-ok", client_properties={}, mechanism="PLAIN", response="\0guest\0guest", locale="en_US"),
        method(0, "connection.tune-ok", channel_max=2047, frame_max=131072, heartbeat=heartbeat),
        method(0, "connection.open", virtual_host="/"), method(1, "channel.open")))


@contextlib.contextmanager
def stubborn(node, count, *words, buffer=16 << 10):
    """Clients that say these words when they have a channel, and read nothing ever after."""
    clients = []
    try:
        for _ in range(count):
            client = socket.socket()
            clients.append(client)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            client.settimeout(20)
            client.connect((node.host, node.amqp_port))
            client.sendall(conversation())
            got = b""
            while CHANNEL_OPEN_OK not in got:
                part = client.recv(4096)
                kit.check(part, f"closed after {got!r}")
                got += part
            client.sendall(b"".join(words))
        yield clients
    finally:
        for client in clients:
            client.close()


def settled(node, seconds=3.0):
    """Memory when it has stopped growing, or after so long."""
    end, last = time.monotonic() + 20, 0
    while time.monotonic() < end:
        now = memory(node)
        if now <= last + (1 << 20):
            return now
        last = now
        time.sleep(seconds / 3)
    return last


@kit.limit(240)
def test_consumers_that_never_read():
    """Consumers that never read, with acks or without, cost a bounded amount each; another one gets everything"""
    with kit.cluster(nodes=1, settings={"heartbeat": 0, "vm_memory_high_watermark.relative": 0}) as cluster:
        node = cluster.nodes[0]
        with kit.connected(node, heartbeat=0) as connection:
            for queue in ("theirs", "ours"):
                kit.declare(connection, queue)
            body = os.urandom(SIZE)
            kit.publish(connection, "theirs", [body] * MESSAGES, window=50, timeout=60)
            before = settled(node)
            consume = [method(1, "basic.consume", queue="theirs", consumer_tag=f"c{at}", no_ack=bool(at % 2)) for at in range(4)]
            with stubborn(node, READERS, *consume):
                kit.wait_for("each is there", lambda: kit.declare(connection, "theirs", passive=True).fields["consumer_count"]
                             >= READERS)
                kit.publish(connection, "ours", kit.numbered(500))
                kit.check_equal(len(kit.consume(connection, "ours", 500)), 500, "messages of somebody who reads")
                grown = settled(node) - before
                print(f"{READERS} consumers that do not read: {grown / READERS / (1 << 20):.1f} MiB each")
                kit.check(grown >> 20 < kit.mebibytes(READERS * EACH_MAX_MIB), f"{grown >> 20} MiB for {READERS} clients")
            kit.wait_for("what they held is back", lambda: kit.declare(connection, "theirs", passive=True).fields["consumer_count"]
                         == 0)


@kit.limit(240)
def test_publishers_that_never_read():
    """Publishers that never read their returns, confirms and answers are not read any more; another one goes on"""
    with kit.cluster(nodes=1, settings={"heartbeat": 0, "vm_memory_high_watermark.relative": 0}) as cluster:
        node = cluster.nodes[0]
        before = settled(node)
        unroutable = encode_message(1, "basic.publish", {"exchange": "", "routing_key": "nobody", "mandatory": True}, {},
                                    os.urandom(32 << 10), 131072)
        with stubborn(node, READERS, method(1, "confirm.select")) as clients, kit.connected(node, heartbeat=0) as connection:
            with concurrent.futures.ThreadPoolExecutor(READERS) as pool:
                pushed = list(pool.map(push, clients, [unroutable] * READERS))
            kit.check(max(pushed) < TAKEN_MAX, f"{max(pushed) >> 20} MiB were taken from a client that reads nothing")
            kit.declare(connection, "ours")
            kit.publish(connection, "ours", kit.numbered(500))
            grown = settled(node) - before
            print(f"{READERS} publishers that do not read: {grown / READERS / (1 << 20):.1f} MiB each, "
                  f"{sum(pushed) / READERS / (1 << 20):.1f} MiB taken from each")
            kit.check(grown >> 20 < kit.mebibytes(READERS * EACH_MAX_MIB), f"{grown >> 20} MiB for {READERS} clients")


def push(client, data):
    """Sends it again and again until nobody takes it any more; gives the bytes that were taken."""
    client.settimeout(2)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < TAKEN_MAX:
            sent += client.send(data[sent % len(data):])
    return sent


CONSUMER = """
import sys, time
sys.path[:0] = sys.argv[3:]
import amqp
connection = amqp.Connection(sys.argv[1], int(sys.argv[2]), heartbeat=1)
connection.open_channel(1)
connection.call(1, "basic.consume", queue="held")
print("ready", flush=True)
while True:
    connection.poll(0.2)
"""


def test_a_peer_that_is_gone_without_a_word():
    """Half-open: a client that stands still, its socket open, loses its connection by heartbeats; another gets what it held"""
    with kit.cluster(nodes=1) as cluster:
        node = cluster.nodes[0]
        with kit.connected(node) as connection:
            kit.declare(connection, "held")
            paths = [path for path in sys.path if path]
            client = subprocess.Popen([sys.executable, "-c", CONSUMER, node.host, str(node.amqp_port), *paths],
                                      stdout=subprocess.PIPE, text=True)
            try:
                kit.check_equal(client.stdout.readline(), "ready\n", "the client")
                kit.publish(connection, "held", kit.numbered(20))
                client.send_signal(signal.SIGSTOP)
                got = kit.consume(connection, "held", 20, timeout=60)
                kit.check_equal(sorted(kit.bodies_of(got)), sorted(kit.numbered(20)), "messages")
                kit.check("missed heartbeats from client, timeout: 1s" in kit.read_log(node), "the log does not say why")
            finally:
                client.kill()
                client.wait()
