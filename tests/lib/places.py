"""Free ports and temporary directories for tests that start nodes."""

import contextlib
import pathlib
import random
import shutil
import socket
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "ha" / "lib"), str(ROOT / "ha")]
from cluster import DEFAULT_BINARY, HTTP_OFFSET, LINK_OFFSET, Cluster  # noqa: E402

NODES_MAX = 9
# Below the ports that the kernel hands out to clients, and clear of 5672 to 5681, where a cluster of the user may run.
BASE_PORTS = range(6000, 12700, 10)


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def free_base_port():
    """A base port P such that P to P+9 are free, with the same above the offsets for HTTP and links."""
    for _ in range(200):
        base = random.choice(BASE_PORTS)
        if all(is_free(base + offset + at) for offset in (0, HTTP_OFFSET, LINK_OFFSET) for at in range(NODES_MAX + 1)):
            return base
    raise OSError("no free ports for a cluster")


@contextlib.contextmanager
def running_cluster(nodes=3, haproxy=True, mode="balance", binary=None, settings=None, timeout=30.0):
    """A cluster of its own in a temporary directory, stopped and removed at the end."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="warren-test-"))
    cluster = Cluster.create(directory, nodes=nodes, base_port=free_base_port(), haproxy=haproxy, mode=mode,
                             binary=binary or DEFAULT_BINARY, settings=settings)
    try:
        for node in cluster.nodes:
            node.start()
        cluster.wait_ready(timeout)
        if haproxy:
            cluster.start_haproxy()
            cluster.wait_haproxy(timeout)
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(directory, ignore_errors=True)
