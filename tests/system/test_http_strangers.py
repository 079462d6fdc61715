"""Who has not logged in on the management port: what it costs, and that it keeps nobody out."""

import base64
import contextlib
import http.client
import socket
import time

import kit
from test_many_connections import memory

CROWD = 300            # more than the port has places
BODIES, SIZE = 16, 8   # requests, and MiB of each


def ask(node, path, login=None):
    """Status and seconds."""
    start = time.monotonic()
    connection = http.client.HTTPConnection(node.host, node.http_port, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Authorization": "Basic " + base64.b64encode(login.encode()).decode()} if login else {})
        answer = connection.getresponse()
        answer.read()
    return answer.status, time.monotonic() - start


def strangers(node, count, text, stack):
    for _ in range(count):
        client = stack.enter_context(contextlib.closing(socket.create_connection((node.host, node.http_port), timeout=20)))
        client.sendall(text)
        yield client


def test_strangers_on_the_management_port():
    """Slow requests keep health checks out as little as bodies without a login fill the memory; wrong passwords wait"""
    with kit.cluster(nodes=1) as cluster:
        node = cluster.nodes[0]
        with contextlib.ExitStack() as stack:
            list(strangers(node, CROWD, b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", stack))
            for _ in range(3):
                kit.check_equal(ask(node, "/health/live")[0], 200, "health while slow clients have all places")
        before = memory(node)
        with contextlib.ExitStack() as stack:
            head = b"POST /api/definitions HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n"
            for client in strangers(node, BODIES, head, stack):
                client.sendall(bytes(SIZE << 20))
            grown = memory(node) - before
            kit.check(grown >> 20 < kit.mebibytes(BODIES * SIZE // 4), f"{grown >> 20} MiB for bodies of strangers")
        tries = [ask(node, "/api/whoami", f"guest:wrong{at}") for at in range(5)]
        kit.check_equal([status for status, _ in tries], [401] * 5, "wrong passwords")
        kit.check(tries[3][1] >= 0.25 and tries[4][1] >= 0.5, f"the fourth and fifth no came after {tries[3][1]} and {tries[4][1]} s")
        kit.check_equal(ask(node, "/api/whoami", "guest:guest")[0], 200, "the right one")
