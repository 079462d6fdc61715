"""Ten thousand clients that do nothing: what a node pays for them."""

import resource
import socket
import ssl
import time

import kit
from amqp_codec import FRAME_METHOD, PROTOCOL_HEADER, encode_frame, encode_method
from test_tls import secured

CONNECTIONS = 10_000
NODE_MAX = 200 << 20       # bytes of memory with all of them
EACH_MAX = 20 << 10        # bytes for one, with a channel
TLS_CONNECTIONS = 2_000
TLS_EACH_MAX = 40 << 10


def method(channel, name, **fields):
    return encode_frame(FRAME_METHOD, channel, encode_method(name, fields))


# All that a client says until it has a channel; the server's answers need not be waited for.
CONVERSATION = PROTOCOL_HEADER + b"".join((
    method(0, "connection.start-ok", client_properties={"product": "idle"}, mechanism="PLAIN", response="\0guest\0guest",
           locale="en_US"),
    method(0, "connection.tune-ok", channel_max=2047, frame_max=131072, heartbeat=0),
    method(0, "connection.open", virtual_host="/"),
    method(1, "channel.open")))
CHANNEL_OPEN_OK = b"\x00\x14\x00\x0b"


def open_idle(port, context=None):
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context:
        client = context.wrap_socket(client, server_hostname="localhost")
    client.sendall(CONVERSATION)
    got = b""
    while CHANNEL_OPEN_OK not in got:
        part = client.recv(4096)
        kit.check(part, f"closed after {got!r}")
        got += part
    return client


def memory(node):
    for line in open(f"/proc/{node.process.pid()}/status", encoding="ascii"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise AssertionError("no VmRSS")


def room_for(count):
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < count + 500:
        raise kit.Skip(f"fewer than {count + 500} descriptors are allowed here (ulimit -Hn)")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def costs(node, count, port, context=None):
    """Bytes of memory of the node with the clients, and per client."""
    before, began, clients = memory(node), time.monotonic(), []
    try:
        for _ in range(count):
            clients.append(open_idle(port, context))
        took = time.monotonic() - began
        kit.wait_for("all are counted", lambda: kit.metric(node, "rabbitmq_connections") >= count)
        after = memory(node)
        print(f"{count} connections in {took:.1f} s: {after >> 20} MiB, {(after - before) / count / 1024:.1f} KiB each")
        return after, (after - before) / count
    finally:
        for client in clients:
            client.close()


@kit.long
@kit.limit(300)
def test_ten_thousand_idle_connections():
    """10,000 idle connections with a channel each: under 200 MB in one node, under 20 KiB each"""
    room_for(CONNECTIONS)
    with kit.cluster(nodes=1, settings={"heartbeat": "0"}) as cluster:
        node = cluster.nodes[0]
        whole, each = costs(node, CONNECTIONS, node.amqp_port)
        kit.check(whole < NODE_MAX, f"the node has {whole >> 20} MiB")
        kit.check(each < EACH_MAX, f"a connection costs {each:.0f} bytes")
        kit.wait_for("they are gone", lambda: kit.metric(node, "rabbitmq_connections") <= 1)


@kit.long
@kit.limit(300)
def test_idle_connections_over_tls():
    """2,000 idle connections over TLS: a bounded cost each"""
    room_for(TLS_CONNECTIONS)
    with secured({"heartbeat": "0"}) as made:
        context = made.authority.context(version=ssl.TLSVersion.TLSv1_3)
        _, each = costs(made.node, TLS_CONNECTIONS, made.port, context)
        kit.check(each < TLS_EACH_MAX, f"a connection costs {each:.0f} bytes")
