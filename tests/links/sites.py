"""The sites that links connect: a Warren cluster, or one RabbitMQ node from Debian's package. Both offer the same."""

import contextlib
import json
import pathlib
import secrets
import shutil
import signal
import sys
import tempfile
import time
import types
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "system"), str(HERE.parent / "bench")]
import kit  # noqa: E402
import brokers  # noqa: E402
from http_api import Api  # noqa: E402
from ports import free_base_port  # noqa: E402
from processes import Process  # noqa: E402


def quoted(name):
    return urllib.parse.quote(name, safe="")


class Site:
    """Settings by the management API, which both kinds of broker have."""

    def api(self):
        raise NotImplementedError

    def parameter(self, component, name, value):
        self.put(f"/parameters/{component}/%2F/{quoted(name)}",
                 {"component": component, "vhost": "/", "name": name, "value": value})

    def policy(self, name, pattern, definition, apply_to="all"):
        self.put(f"/policies/%2F/{quoted(name)}",
                 {"pattern": pattern, "definition": definition, "apply-to": apply_to, "priority": 1})

    def put(self, path, body):
        reply = self.api()("PUT", path, body, **{"content-type": "application/json"})
        kit.check(reply.status in (201, 204), f"PUT {path}: {reply.status} {reply.body[:300]!r}")

    def running(self, kind, count=1):
        """The links of this kind that say they run; None when they are not `count` yet."""
        path, word = ("/shovels", "state") if kind == "shovel" else ("/federation-links", "status")
        try:
            reply = self.api()("GET", path)
            found = [link for link in json.loads(reply.body) if link[word] == "running"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found if len(found) >= count else None

    def wait_running(self, kind, count=1, timeout=45.0):
        try:
            return kit.wait_for(f"{count} {kind} of {self.name} running", lambda: self.running(kind, count), timeout, 0.2)
        except AssertionError:
            print("    instead:", self.api()("GET", "/shovels" if kind == "shovel" else "/federation-links").body.decode())
            raise

    def connect(self):
        """To whichever node answers."""
        trouble = OSError(f"no node of {self.name} runs")
        for address in self.addresses():
            try:
                return kit.connect(address)
            except kit.LOSSES as error:
                trouble = error
        raise trouble

    def uri(self, cable=None):
        host, port = ("127.0.0.1", cable.port) if cable else self.addresses()[0]
        return f"amqp://guest:guest@{host}:{port}?heartbeat=5"


class WarrenSite(Site):
    def __init__(self, name, cluster):
        self.name, self.cluster = name, cluster

    def addresses(self):
        return [(node.host, node.amqp_port) for node in self.cluster.nodes if node.process.pid()]

    def all_addresses(self):
        return [(node.host, node.amqp_port) for node in self.cluster.nodes]

    def api(self):
        return Api(next(node for node in self.cluster.nodes if node.process.pid()))

    def node(self, name):
        return next(node for node in self.cluster.nodes if node.name == name)


class RabbitSite(Site):
    """One node with the federation, shovel and management plugins."""

    PLUGINS = "[rabbitmq_management,rabbitmq_shovel,rabbitmq_shovel_management,rabbitmq_federation," \
              "rabbitmq_federation_management]."

    def __init__(self, name, plugins=PLUGINS):
        self.name, self.plugins = name, plugins
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="warren-links-rabbit-"))
        base_port = free_base_port()
        self.owner = types.SimpleNamespace(dir=self.dir, base_port=base_port, epmd_port=base_port + 9, nodes=[])
        self.node = brokers.RabbitNode(self.owner, 1)
        self.node.name = f"links{secrets.token_hex(3)}@localhost"
        self.owner.nodes.append(self.node)
        self.http_port = base_port + 10000 + 1
        self.epmd = Process("epmd", self.dir / "epmd.pid", self.dir / "epmd.log")
        self.node.write_config = self.write_config

    def write_config(self):
        node = self.node
        node.dir.mkdir(parents=True, exist_ok=True)
        lines = ["loopback_users = none", f"listeners.tcp.default = 127.0.0.1:{node.port}",
                 "management.tcp.ip = 127.0.0.1", f"management.tcp.port = {self.http_port}",
                 f"cluster_name = {self.name}", "log.file.level = warning"]
        (node.dir / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        (node.dir / "enabled_plugins").write_text(self.plugins + "\n")

    def start(self):
        if not pathlib.Path("/usr/lib/rabbitmq/bin/rabbitmq-server").exists():
            raise kit.Skip("RabbitMQ is not installed: ha/setup bench")
        cookie = self.dir / ".erlang.cookie"
        if not cookie.exists():
            cookie.touch(mode=0o600)
            cookie.write_text(secrets.token_hex(16).upper())
            cookie.chmod(0o400)
            self.epmd.start(["epmd", "-port", str(self.owner.epmd_port), "-address", "127.0.0.1"])
            time.sleep(0.2)
        self.node.start()
        kit.wait_for("RabbitMQ up", lambda: self.node.accepts() and self.answers(), 120, 0.5)

    def answers(self):
        try:
            return self.api()("GET", "/overview").status == 200
        except OSError:
            return False

    def kill(self):
        brokers.kill_all(self.node.pids())

    def stop(self):
        self.kill()
        self.epmd.stop(5)
        shutil.rmtree(self.dir, ignore_errors=True)

    def addresses(self):
        return [("127.0.0.1", self.node.port)]

    all_addresses = addresses

    def api(self):
        return Api(types.SimpleNamespace(host="127.0.0.1", http_port=self.http_port))


@contextlib.contextmanager
def warren(name, nodes=1, settings=None):
    with kit.cluster(nodes=nodes, settings={"cluster.name": name, **(settings or {})}) as made:
        yield WarrenSite(name, made)


@contextlib.contextmanager
def rabbit(name, **options):
    site = RabbitSite(name, **options)
    try:
        site.start()
        yield site
    finally:
        site.stop()


def kill_node(site, node):
    if node.process.send(signal.SIGKILL):
        node.process.wait_gone(5)
