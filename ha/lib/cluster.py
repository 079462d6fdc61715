"""A Warren cluster on this machine: its directory, its nodes, HAProxy in front.

Everything lives below one directory, so several clusters run side by side:

    cluster.json          what was asked for at the first `up`: nodes, ports, addresses
    secret                what the nodes prove to each other
    haproxy.cfg/.pid/.log
    node-1/               warren.conf, pid, output.log (what the process prints), data/
"""

import fcntl
import json
import pathlib
import secrets
import signal
import socket
import subprocess
import time
import urllib.parse

from cluster_node import HTTP_OFFSET, Node, Problem
from processes import Process
from program import DEFAULT_BINARY, ROOT

STOP_TIMEOUT = 20.0


class Cluster:
    def __init__(self, directory):
        """Reads an existing cluster; raises Problem when there is none."""
        self.dir = pathlib.Path(directory).resolve()
        try:
            state = json.loads((self.dir / "cluster.json").read_text())
        except OSError:
            raise Problem(f"there is no cluster in {self.dir}; start one with: ha/cluster up") from None
        self.base_port = state["base_port"]
        self.hosts, self.netns = state["hosts"], state["netns"]
        self.with_haproxy, self.mode = state["haproxy"], state["mode"]
        self.binary, self.settings = state["binary"], state["settings"]
        self.founders = state.get("founders", len(self.hosts))  # the others joined later
        self.gone = state.get("gone", [])                       # numbers that left; they are not used again
        self.all_nodes = [Node(self, at + 1) for at in range(len(self.hosts))]
        self.nodes = [node for node in self.all_nodes if node.number not in self.gone]
        self.haproxy = Process("haproxy", self.dir / "haproxy.pid", self.dir / "haproxy.log")

    @classmethod
    def create(cls, directory, nodes=3, base_port=5672, haproxy=True, mode="balance", binary=None, settings=None,
               hosts=None, netns=None):
        """Writes the description of a cluster, or checks that the one there is the one asked for."""
        directory = pathlib.Path(directory).resolve()
        directory.mkdir(parents=True, exist_ok=True)
        state = {"base_port": base_port, "hosts": hosts or ["127.0.0.1"] * nodes, "netns": netns, "haproxy": haproxy,
                 "mode": mode, "binary": str(binary or DEFAULT_BINARY), "settings": settings or {}}
        path = directory / "cluster.json"
        if path.exists():
            there = json.loads(path.read_text())
            for key, words in (("base_port", "base port"), ("hosts", "number of nodes")):
                if there[key] != state[key]:
                    raise Problem(f"the cluster in {directory} has another {words}; take it down with --wipe first, "
                                  "or name another --dir and --base-port")
            state = {**there, **state, "settings": {**there["settings"], **state["settings"]}}
        path.write_text(json.dumps(state, indent=1) + "\n")
        secret = directory / "secret"
        if not secret.exists():
            secret.touch(mode=0o600)
            secret.write_text(secrets.token_hex(32) + "\n")
        return cls(directory)

    # --- members that come and go ---

    def _remember(self, **changes):
        path = self.dir / "cluster.json"
        state = {"founders": self.founders, **json.loads(path.read_text()), **changes}
        path.write_text(json.dumps(state, indent=1) + "\n")
        self.__init__(self.dir)

    def add_node(self):
        """Makes room for one more node; it joins when it is started."""
        self._remember(hosts=self.hosts + ["127.0.0.1"], **({"netns": self.netns + [None]} if self.netns else {}))
        return self.all_nodes[-1]

    def remove_node(self, number):
        self._remember(gone=self.gone + [number])

    def members(self, but=0, timeout=10.0):
        """What the leader of the meta group says: it alone knows what has still to move."""
        limit = time.monotonic() + timeout
        while True:
            for node in self.nodes:
                try:
                    found = node.get_json("/api/cluster/members", timeout=2.0) if node.number != but else {}
                except (OSError, Problem):
                    continue
                if found.get("moves_open") is not None:
                    return found
            if time.monotonic() > limit:
                raise Problem("no node says that it leads the cluster")
            time.sleep(0.1)

    def wait_settled(self, timeout, wanted=None, progress=None):
        """Waits until the members are the `wanted` numbers, and replicas are where they belong."""
        wanted = sorted(wanted or [node.number for node in self.nodes])
        limit, calm, told = time.monotonic() + timeout, 0, None
        while calm < 6:
            found = self.members(timeout=max(1.0, limit - time.monotonic()))
            present = sorted(member["id"] for member in found["members"] if member["state"] != "leaving")
            calm = calm + 1 if present == wanted and not found["moves_open"] else 0
            if progress and found["moves_open"] != told:
                told = found["moves_open"]
                progress(f"{told} groups have replicas to move")
            if time.monotonic() > limit:
                raise Problem(f"not settled after {timeout:.0f} s: members {present}, {found['moves_open']} groups to move")
            time.sleep(0.25)

    def helper(self, number):
        """A node other than this one that can be asked."""
        for node in self.nodes:
            if node.number != number and node.process.state() == "up":
                return node
        raise Problem("no other node is up")

    def lock(self):
        """Keeps a second command that changes the cluster out until this one has ended."""
        self._lock = open(self.dir / "lock", "w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def node(self, number):
        if not 1 <= number <= len(self.all_nodes):
            raise Problem(f"there is no node {number}; the cluster has nodes {', '.join(str(node.number) for node in self.nodes)}")
        return self.all_nodes[number - 1]

    def check_ports(self):
        """Says which port is taken before a node has to die of it."""
        wanted = [(node.host, port, node.name) for node in self.nodes
                  if node.process.pid() is None and not node.netns
                  for port in (node.amqp_port, node.http_port, node.link_port)]
        if self.with_haproxy and self.haproxy.pid() is None:
            wanted += [("127.0.0.1", port, "HAProxy") for port in (self.base_port, self.base_port + HTTP_OFFSET)]
        for host, port, who in wanted:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((host, port))
                except OSError as error:
                    raise Problem(f"{who} needs {host}:{port}: {error.strerror}; "
                                  "stop who has it, or choose another --base-port") from None

    def wait_ready(self, timeout, numbers=None, progress=None):
        """Waits until the named nodes (all by default) serve. A node whose process ended raises Problem at once."""
        waiting = {number: "" for number in numbers or [node.number for node in self.nodes]}
        limit = time.monotonic() + timeout
        while waiting:
            for number in list(waiting):
                node = self.node(number)
                if node.process.pid() is None:
                    raise Problem(f"{node.name} has ended; its last words:\n{node.process.last_output()}")
                ready, waiting[number] = node.health(timeout=1.0)
                if ready:
                    del waiting[number]
                    if progress:
                        progress(f"{node.name} serves")
            if waiting and time.monotonic() > limit:
                reasons = "; ".join(f"{self.node(number).name}: {why}" for number, why in waiting.items())
                raise Problem(f"not ready after {timeout:.0f} s: {reasons}")
            if waiting:
                time.sleep(0.05)

    def start_haproxy(self):
        """Starts HAProxy unless it runs with the same configuration; True when it did."""
        argv = [str(ROOT / "ha/haproxy/generate"), "--mode", self.mode, "--listen", f"127.0.0.1:{self.base_port}",
                "--listen-http", f"127.0.0.1:{self.base_port + HTTP_OFFSET}"]
        for node in self.nodes:
            argv += ["--node", f"node{node.number}={node.host}:{node.amqp_port}:{node.http_port}"]
        config = self.dir / "haproxy.cfg"
        text = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
        if self.haproxy.pid() is not None:
            if config.exists() and config.read_text() == text:
                return False
            self.haproxy.stop(5)
        config.write_text(text)
        self.haproxy.start(["haproxy", "-db", "-f", str(config)])
        return True

    def wait_haproxy(self, timeout):
        """Waits until a client gets through to a node; a broker greets after the protocol header."""
        limit = time.monotonic() + timeout
        while True:
            if self.haproxy.pid() is None:
                raise Problem(f"HAProxy has ended; its last words:\n{self.haproxy.last_output()}")
            try:
                with socket.create_connection(("127.0.0.1", self.base_port), timeout=2) as probe:
                    probe.sendall(b"AMQP\x00\x00\x09\x01")
                    if probe.recv(1):
                        return
            except OSError:
                pass
            if time.monotonic() > limit:
                raise Problem(f"nobody answers through HAProxy on port {self.base_port}; see {self.haproxy.output_file}")
            time.sleep(0.05)

    def wait_serving(self, timeout):
        """Waits until the nodes serve; then HAProxy, if the cluster has it, is started and must serve, too."""
        self.wait_ready(timeout)
        if self.with_haproxy:
            self.start_haproxy()
            self.wait_haproxy(timeout)

    def stop(self):
        """Stops what this directory's pid files name, HAProxy first, all nodes at the same time."""
        self.haproxy.stop(5)
        for node in self.nodes:
            if node.process.send(signal.SIGTERM):
                node.process.send(signal.SIGCONT)
        for node in self.nodes:
            node.process.stop(STOP_TIMEOUT)

    def leader(self, queue, vhost="/", timeout=20.0):
        """The Node that leads a queue. A leader that does not run is not believed in: a new one is waited for. That there is
        no such queue is believed when all nodes say so: one that was just started may not know it yet."""
        path = f"/api/queues/{urllib.parse.quote(vhost, safe='')}/{urllib.parse.quote(queue, safe='')}"
        names = {node.name: node for node in self.nodes}
        limit, reason = time.monotonic() + timeout, "no node is up"
        while True:
            told = set()
            for node in self.nodes:
                if node.process.state() != "up":
                    continue
                status = 0
                try:
                    status, body = node.get(path, timeout=2.0)
                except OSError as error:
                    reason = str(error)
                    continue
                finally:
                    told.add(status)
                if status == 404:
                    reason = f"there is no queue '{queue}' in vhost '{vhost}'"
                    continue
                if status != 200:
                    reason = f"{node.name} gives {status} {body[:200]!r}"
                    continue
                leader = names.get(json.loads(body).get("leader"))
                if leader and leader.process.state() == "up":
                    return leader
                reason = f"queue '{queue}' has no leader now"
            if time.monotonic() > limit or told == {404}:
                raise Problem(reason)
            time.sleep(0.02)

    def addresses(self):
        """Where clients connect: HAProxy when it is part of the cluster, else the nodes."""
        if self.with_haproxy:
            return [("127.0.0.1", self.base_port)]
        return [(node.host, node.amqp_port) for node in self.nodes]
