"""The line between two sites, as a drill breaks it. Two kinds:

NamespaceLine  each site in a network namespace of its own; a cut drops packets without a word, as a dead router does. Needs root.
CableLine      a forwarder in this process (cable.py); cuts take turns: connections break and new ones are refused, or nothing
               passes and nobody is told. It can also be slow.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess

import two_sites as sites
from cable import Cable
from namespaces import Namespaces


def why_no_namespaces():
    """Why this machine or user cannot have network namespaces; empty when it can."""
    if os.getuid() != 0:
        return "network namespaces need root"
    if not shutil.which("ip"):
        return "network namespaces need ip, of the package iproute2"
    if not pathlib.Path("/proc/self/ns/net").exists() or subprocess.run(["unshare", "--net", "true"], capture_output=True,
                                                                        check=False).returncode != 0:
        return "this machine gives no network namespaces"
    return ""


class NamespaceLine:
    def __init__(self):
        self.namespaces = Namespaces(len(sites.SITES))

    def open(self):
        self.namespaces.open()

    def place(self, site, nodes):
        """Where the nodes of a site go: keywords for Cluster.create."""
        return {"hosts": [self.namespaces.hosts[site - 1]] * nodes, "netns": [self.namespaces.names[site - 1]] * nodes}

    def addresses(self, clusters):
        """How each site is reached from the other one."""
        return {site: [(node.host, node.amqp_port) for node in cluster.nodes] for site, cluster in clusters.items()}

    def cut(self):
        self.namespaces.isolate(1)

    def heal(self):
        self.namespaces.heal()

    def close(self):
        self.namespaces.close()


class CableLine:
    def __init__(self):
        self.cables, self.cuts = {}, 0

    def open(self):
        pass   # made when the targets are known

    def place(self, _site, _nodes):
        return {}

    def addresses(self, clusters):
        self.cables = {site: Cable([(node.host, node.amqp_port) for node in cluster.nodes])
                       for site, cluster in clusters.items()}
        return {site: [("127.0.0.1", cable.port)] for site, cable in self.cables.items()}

    def cut(self):
        self.cuts += 1
        for cable in self.cables.values():
            if self.cuts % 2:
                cable.cut()
            else:
                cable.hold()

    def slow(self, seconds):
        for cable in self.cables.values():
            cable.delay = seconds

    def heal(self):
        for cable in self.cables.values():
            cable.delay = 0.0
            cable.heal()

    def close(self):
        for cable in self.cables.values():
            cable.close()


@contextlib.contextmanager
def line_for(slowed, say):
    """The best line there is for a drill."""
    why = why_no_namespaces() or ("a line between namespaces can be cut, not slow" if slowed else "")
    if why:
        say(f"{why}: a forwarder on loopback is the line between the sites")
    line = CableLine() if why else NamespaceLine()
    try:
        line.open()
        yield line
    finally:
        line.close()
