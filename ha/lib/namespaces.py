"""A network namespace for each node, joined by a router namespace, so that nodes can be cut off from each other while clients
on this machine still reach them. Needs root and iproute2; nothing of the machine's own network is changed except one
virtual interface and one route, which go away with close().

    root ---- hub ---- node 1
                 \\---- node 2 ...        each line a veth pair with a network of four addresses

A cut is a routing rule in the hub that drops what one node sends to another without a word, as a broken switch would.
"""

import os
import pathlib
import random
import socket
import subprocess

NETWORKS = "10.213.{}.0/24"


def free_network():
    """A number of a network that no other script of this machine has, and a socket that holds it until it is closed."""
    for number in random.sample(range(1, 255), 254):
        holder = socket.socket(socket.AF_UNIX)
        try:
            holder.bind(f"\0warren-network-{number}")
            return number, holder
        except OSError:
            holder.close()
    raise OSError("no free network for namespaces")


class Namespaces:
    def __init__(self, count):
        self.prefix = f"wrn{os.getpid() % 100000}"
        self.hub = f"{self.prefix}-hub"
        self.names = [f"{self.prefix}-{at + 1}" for at in range(count)]
        number, self.claim = free_network()
        self.base = f"10.213.{number}."
        # Per line of the drawing: the hub has 4k+1, the other end 4k+2; line 0 is the one to the root namespace.
        self.hosts = [f"{self.base}{4 * (at + 1) + 2}" for at in range(count)]
        self.cuts = []

    def open(self):
        """Makes everything; on failure what was made is taken away again."""
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self):
        ip("netns", "add", self.hub)
        ip("-n", self.hub, "link", "set", "lo", "up")
        for setting in ("net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0"):
            path = "/proc/sys/" + setting.split("=")[0].replace(".", "/")
            ip("netns", "exec", self.hub, "sh", "-c", f"echo {setting.split('=')[1]} > {path}")
        self._line(0, self.prefix, None)
        ip("route", "add", self.base + "0/24", "via", self.base + "1")
        for at, name in enumerate(self.names):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
            self._line(at + 1, f"{self.prefix}n{at + 1}", name)
            ip("-n", name, "route", "add", "default", "via", f"{self.base}{4 * (at + 1) + 1}")

    def _line(self, number, link, netns):
        near, far = f"{link}h", f"{link}x"
        ip("link", "add", "name", near, "netns", self.hub, "type", "veth", "peer", "name", far)
        ip("-n", self.hub, "addr", "add", f"{self.base}{4 * number + 1}/30", "dev", near)
        ip("-n", self.hub, "link", "set", near, "up")
        inside = []
        if netns:
            ip("link", "set", far, "netns", netns)
            inside = ["-n", netns]
        ip(*inside, "addr", "add", f"{self.base}{4 * number + 2}/30", "dev", far)
        ip(*inside, "link", "set", far, "up")

    def isolate(self, number):
        """Cuts node `number` off from all other nodes, both ways; clients still reach it."""
        for other in range(1, len(self.hosts) + 1):
            if other != number:
                self.cut(number, other)

    def cut(self, one, other):
        """Cuts two nodes off from each other, both ways."""
        one, other = self.hosts[one - 1], self.hosts[other - 1]
        for source, target in ((one, other), (other, one)):
            ip("-n", self.hub, "rule", "add", "from", source, "to", target, "blackhole")
            self.cuts.append((source, target))

    def heal(self):
        while self.cuts:
            source, target = self.cuts.pop()
            ip("-n", self.hub, "rule", "del", "from", source, "to", target, "blackhole")

    def close(self):
        for name in [*self.names, self.hub]:
            if pathlib.Path("/run/netns", name).exists():
                subprocess.run(["ip", "netns", "del", name], check=False)
        # The pair to the root namespace went with the hub; a kernel that takes its time is helped.
        subprocess.run(["ip", "link", "del", f"{self.prefix}x"], check=False, capture_output=True)
        self.claim.close()


def ip(*arguments):
    result = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise OSError(f"ip {' '.join(arguments)}: {result.stderr.strip() or result.returncode}")
