"""The two clusters that are compared: three nodes each on this machine, below a directory of their own, on ports of their own.

Both offer the same: start, stop, uris, pids, leader, kill, start_node, ready. Nothing is signalled but processes that were
started here, by pid.
"""

import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "ha" / "lib"))
from cluster import Cluster
from cluster_node import Problem
from processes import Process, start_time

NODES = 3
START_TIMEOUT = 120.0
QUEUE_ARGUMENTS = "x-queue-type=quorum"  # RabbitMQ's safe kind; to Warren a label
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Warren:
    name = "warren"

    def __init__(self, directory, base_port, binary=None, settings=None):
        self.dir, self.base_port = pathlib.Path(directory) / "warren", base_port
        self.binary, self.settings = binary, settings or {}
        self.cluster = None

    def start(self):
        self.cluster = Cluster.create(self.dir, NODES, self.base_port, haproxy=False, binary=self.binary,
                                                     settings=self.settings)
        self.cluster.check_ports()
        for node in self.cluster.nodes:
            node.start()
        self.ready()

    def ready(self):
        self.cluster.wait_ready(START_TIMEOUT)

    def stop(self):
        if self.cluster:
            self.cluster.stop()
        shutil.rmtree(self.dir, ignore_errors=True)
        self.cluster = None

    def uris(self):
        return [f"amqp://guest:guest@{node.host}:{node.amqp_port}" for node in self.cluster.nodes]

    def pids(self):
        return [pid for pid in (node.process.pid() for node in self.cluster.nodes) if pid]

    def leader(self, queue):
        return self.cluster.leader(queue).number - 1

    def online(self, queue):
        """How many replicas of the queue are up and with its leader."""
        node = self.cluster.nodes[self.leader(queue)]
        return len(node.get_json(f"/api/queues/%2F/{queue}").get("online") or [])

    def kill(self, index):
        self.cluster.nodes[index].process.send(signal.SIGKILL)
        self.cluster.nodes[index].process.wait_gone(10)

    def start_node(self, index):
        self.cluster.nodes[index].start()

    def version(self):
        words = subprocess.run([self.cluster.binary, "--version"], capture_output=True, text=True, check=False).stdout
        return words.strip() or "warren"


class RabbitNode:
    def __init__(self, owner, number):
        self.owner, self.number = owner, number
        self.name = f"bench{number}@localhost"
        self.dir = owner.dir / f"node-{number}"
        self.port = owner.base_port + number
        self.process = Process(self.name, self.dir / "pid", self.dir / "output.log")

    def environment(self):
        settings = {
            "NODENAME": self.name, "NODE_IP_ADDRESS": "127.0.0.1", "NODE_PORT": self.port,
            "DIST_PORT": self.owner.base_port + 20000 + self.number, "BASE": self.dir, "MNESIA_BASE": self.dir / "mnesia",
            "LOG_BASE": self.dir / "log", "LOGS": self.dir / "rabbit.log", "CONFIG_FILE": self.dir / "rabbitmq",
            "ENABLED_PLUGINS_FILE": self.dir / "enabled_plugins", "CONF_ENV_FILE": self.dir / "no-such-file",
            "PID_FILE": self.dir / "rabbit.pid", "QUORUM_DIR": self.dir / "quorum", "FEATURE_FLAGS_FILE": self.dir / "flags",
            "GENERATED_CONFIG_DIR": self.dir / "generated", "SCHEMA_DIR": self.dir / "schema",
        }
        return {**os.environ, **{f"RABBITMQ_{key}": str(value) for key, value in settings.items()},
                "HOME": str(self.owner.dir), "ERL_EPMD_PORT": str(self.owner.epmd_port), "ERL_EPMD_ADDRESS": "127.0.0.1"}

    def write_config(self):
        self.dir.mkdir(parents=True, exist_ok=True)
        lines = ["loopback_users = none", f"listeners.tcp.default = 127.0.0.1:{self.port}",
                 "cluster_formation.peer_discovery_backend = classic_config", "log.file.level = warning"]
        lines += [f"cluster_formation.classic_config.nodes.{node.number} = {node.name}" for node in self.owner.nodes]
        (self.dir / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        (self.dir / "enabled_plugins").write_text("[].\n")

    def start(self):
        self.write_config()
        environment = self.environment()
        with open(self.process.output_file, "ab") as output:
            child = subprocess.Popen(["/usr/lib/rabbitmq/bin/rabbitmq-server"], stdin=subprocess.DEVNULL, stdout=output,
                                     stderr=output, env=environment, start_new_session=True)
        self.process.pid_file.write_text(f"{child.pid} {start_time(child.pid) or 0}\n")
        child.returncode = 0  # not waited for here

    def pids(self):
        """The script that started it and all that descends from it; the Erlang machine is what uses memory and time."""
        pid = self.process.pid()
        return [pid] + descendants(pid) if pid else []

    def control(self, *words, timeout=60):
        """rabbitmqctl; its output."""
        result = subprocess.run(["/usr/lib/rabbitmq/bin/rabbitmqctl", "-q", "-n", self.name, *words], env=self.environment(),
                                capture_output=True, text=True, timeout=timeout, check=False)
        if result.returncode:
            raise Problem(f"rabbitmqctl {' '.join(words)}: {result.stderr.strip() or result.stdout.strip()}")
        return result.stdout

    def accepts(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                probe.sendall(b"AMQP\x00\x00\x09\x01")
                return bool(probe.recv(1))
        except OSError:
            return False


class Rabbit:
    name = "rabbitmq"

    def __init__(self, directory, base_port, nodes=NODES):
        self.dir, self.base_port = pathlib.Path(directory) / "rabbitmq", base_port
        self.epmd_port = base_port + 9
        self.nodes = [RabbitNode(self, number + 1) for number in range(nodes)]
        self.epmd = None

    def start(self):
        if not shutil.which("epmd") or not pathlib.Path("/usr/lib/rabbitmq/bin/rabbitmq-server").exists():
            raise Problem("RabbitMQ is not installed: ha/setup bench")
        self.dir.mkdir(parents=True, exist_ok=True)
        cookie = self.dir / ".erlang.cookie"
        if not cookie.exists():
            cookie.touch(mode=0o600)
            cookie.write_text(secrets.token_hex(16).upper())
            cookie.chmod(0o400)
        self.epmd = Process("epmd", self.dir / "epmd.pid", self.dir / "epmd.log")
        self.epmd.start(["epmd", "-port", str(self.epmd_port), "-address", "127.0.0.1"])
        time.sleep(0.2)
        for node in self.nodes:
            node.start()
        self.ready()

    def ready(self):
        limit = time.monotonic() + START_TIMEOUT
        while not all(node.accepts() for node in self.nodes):
            if time.monotonic() > limit:
                raise Problem(f"RabbitMQ does not come up; see {self.dir}")
            time.sleep(0.2)
        self.nodes[0].control("await_online_nodes", str(len(self.nodes)), timeout=START_TIMEOUT)

    def stop(self):
        """Its state is thrown away: there is nothing to stop gently for."""
        for node in self.nodes:
            kill_all(node.pids())
        if self.epmd:
            self.epmd.stop(5)
        shutil.rmtree(self.dir, ignore_errors=True)

    def uris(self):
        return [f"amqp://guest:guest@127.0.0.1:{node.port}" for node in self.nodes]

    def pids(self):
        return [pid for node in self.nodes for pid in node.pids()]

    def column(self, queue, column):
        alive = next(node for node in self.nodes if node.process.pid())
        for line in alive.control("list_queues", "--no-table-headers", "name", column).splitlines():
            name, _, value = line.partition("\t")
            if name == queue:
                return value
        raise Problem(f"RabbitMQ has no queue {queue}")

    def leader(self, queue):
        return [node.name for node in self.nodes].index(self.column(queue, "leader"))

    def online(self, queue):
        return self.column(queue, "online").count("@")

    def kill(self, index):
        kill_all(self.nodes[index].pids())

    def start_node(self, index):
        self.nodes[index].start()

    def version(self):
        words = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "rabbitmq-server"], capture_output=True, text=True,
                               check=False).stdout
        return f"rabbitmq-server {words}"


def descendants(pid):
    try:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    found = []
    for child in map(int, children):
        found += [child] + descendants(child)
    return found


def kill_all(pids):
    """kill -9 of these processes, the deepest first: the Erlang machine dies before its script can notice anything."""
    started = {pid: start_time(pid) for pid in pids}
    for pid in reversed(pids):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    limit = time.monotonic() + 10
    while any(start and start_time(pid) == start for pid, start in started.items()) and time.monotonic() < limit:
        for pid in pids:
            try:
                os.waitpid(pid, os.WNOHANG)
            except OSError:
                pass
        time.sleep(0.01)


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        try:
            words = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(words[11]) + int(words[12])
    return total / CLOCK_TICKS


def memory_mb(pids):
    """Proportional set size of all of them: what the processes share counts once. Megabytes of 10^6 bytes."""
    total = 0
    for pid in pids:
        try:
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            continue
    return total / 1e6
