"""The cluster of a drill: one of its own, taken down at the end, or one that runs already. Both give (cluster, its namespaces)."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile

from cluster import Cluster
from cluster_node import Problem
from program import program, settings_of
from namespaces import Namespaces
from ports import free_base_port

START_TIMEOUT = 60.0


@contextlib.contextmanager
def own_cluster(options, say):
    """A cluster for this drill, in namespaces when the fault is about the network."""
    binary, settings = program(options.binary, say), settings_of(options.set)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="warren-drill-"))
    namespaces = None
    if options.fault == "partition-leader" or (options.fault == "random" and os.getuid() == 0 and can_part()):
        if os.getuid() != 0:
            raise Problem("partitions need network namespaces: run this as root")
        namespaces = Namespaces(options.nodes)
        settings["loopback_users.guest"] = "false"  # the nodes are not on loopback
    cluster = None
    try:
        if namespaces:
            namespaces.open()
        cluster = Cluster.create(directory, nodes=options.nodes, base_port=free_base_port(), haproxy=not options.direct,
                                 binary=binary, settings=settings, hosts=namespaces and namespaces.hosts,
                                 netns=namespaces and namespaces.names)
        for node in cluster.nodes:
            node.start()
        cluster.wait_serving(START_TIMEOUT)
        say(f"started {options.nodes} nodes in {directory}")
        yield cluster, namespaces
    finally:
        if options.keep:
            say(f"left running; stop with: ha/cluster down --wipe --dir {directory}")
        else:
            if cluster:
                cluster.stop()
            if namespaces:
                namespaces.close()
            shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def running_cluster(options):
    """The cluster in --dir."""
    if options.fault == "partition-leader":
        raise Problem("a partition needs a cluster in network namespaces; without --dir the drill starts one")
    cluster = Cluster(options.dir)
    cluster.wait_ready(START_TIMEOUT)
    yield cluster, None


def can_part():
    """Whether this machine gives network namespaces."""
    return subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0
