"""Clusters of their own for tests: free ports, temporary directories, stopped and removed at the end."""

import contextlib
import pathlib
import shutil
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "ha" / "lib"), str(ROOT / "ha")]
from cluster import Cluster  # noqa: E402
from program import DEFAULT_BINARY  # noqa: E402
from ports import free_base_port  # noqa: E402


@contextlib.contextmanager
def running_cluster(nodes=3, haproxy=True, mode="balance", binary=None, settings=None, timeout=30.0):
    """A started cluster that serves; the caller may break it as it likes."""
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
