"""A node of a cluster on this machine: its addresses, its configuration file, its process, and questions over HTTP."""

import base64
import http.client
import json
import signal

from processes import Process

HTTP_OFFSET, LINK_OFFSET = 10000, 20000
HTTP_TIMEOUT = 10.0
AUTHORIZATION = "Basic " + base64.b64encode(b"guest:guest").decode()


class Problem(Exception):
    """Something that the person at the keyboard has to know; the text says what to do."""


class Node:
    """One member: where it listens, and its process."""

    def __init__(self, cluster, number):
        self.cluster, self.number = cluster, number
        self.name = f"warren@node{number}"
        self.host = cluster.hosts[number - 1]
        self.netns = cluster.netns[number - 1] if cluster.netns else None
        self.amqp_port = cluster.base_port + number
        self.http_port = cluster.base_port + HTTP_OFFSET + number
        self.link_port = cluster.base_port + LINK_OFFSET + number
        self.dir = cluster.dir / f"node-{number}"
        self.process = Process(f"node {number}", self.dir / "pid", self.dir / "output.log")

    def write_config(self):
        (self.dir / "data").mkdir(parents=True, exist_ok=True)
        lines = [
            "# Written by ha/cluster at each start of the node; change cluster.json or use ha/cluster up --set.",
            f"node.id = {self.number}",
            f"node.name = {self.name}",
            f"data_dir = {self.dir / 'data'}",
            f"listeners.tcp.default = {self.host}:{self.amqp_port}",
            f"management.tcp = {self.host}:{self.http_port}",
            f"cluster.listen = {self.host}:{self.link_port}",
            f"cluster.secret_file = {self.cluster.dir / 'secret'}",
        ]
        founders = self.cluster.all_nodes[:self.cluster.founders]
        if self.number > self.cluster.founders:
            asked = [node for node in self.cluster.nodes if node.number < self.number][:2]
            lines.append("cluster.join = " + ",".join(f"{node.host}:{node.link_port}" for node in asked))
        elif len(founders) > 1:
            lines += [f"cluster.peers.{peer.number} = {peer.host}:{peer.link_port}" for peer in founders]
        # {node} in a value is the node's number: addresses that each node needs one of.
        lines += [f"{key} = {str(value).replace('{node}', str(self.number))}" for key, value in self.cluster.settings.items()]
        (self.dir / "warren.conf").write_text("\n".join(lines) + "\n")

    def start(self):
        """Starts the process unless it runs; True when it did."""
        if self.process.pid() is not None:
            return False
        self.write_config()
        self.process.start([self.cluster.binary, "--config", str(self.dir / "warren.conf")], self.netns)
        return True

    def get(self, path, timeout=HTTP_TIMEOUT):
        """GET on the management port: (status, body). Raises OSError when nobody answers."""
        connection = http.client.HTTPConnection(self.host, self.http_port, timeout=timeout)
        try:
            connection.request("GET", path, headers={"Authorization": AUTHORIZATION})
            response = connection.getresponse()
            return response.status, response.read()
        except http.client.HTTPException as error:
            raise OSError(f"{self.host}:{self.http_port}{path}: {error!r}") from error
        finally:
            connection.close()

    def change(self, method, path, timeout=10.0, body=None):
        """PUT, POST or DELETE on the management port; a refusal raises Problem with the node's words."""
        connection = http.client.HTTPConnection(self.host, self.http_port, timeout=timeout)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Authorization": AUTHORIZATION, "Content-Type": "application/json"})
            response = connection.getresponse()
            reply = response.read()
        finally:
            connection.close()
        if response.status >= 300:
            raise Problem(f"{self.name} refuses: {reply.decode(errors='replace').strip() or response.status}")

    def get_json(self, path, timeout=HTTP_TIMEOUT):
        status, body = self.get(path, timeout)
        if status != 200:
            raise Problem(f"{self.name}: {path} gives {status} {body[:200]!r}")
        return json.loads(body)

    def health(self, timeout=HTTP_TIMEOUT):
        """(True, "") when the node is ready to serve clients, else (False, its reason)."""
        try:
            status, body = self.get("/health/ready", timeout)
        except OSError as error:
            return False, str(error)
        return status == 200, "" if status == 200 else body.decode(errors="replace").strip()

    def is_ready(self, timeout=HTTP_TIMEOUT):
        return self.process.state() == "up" and self.health(timeout)[0]


def kill(nodes):
    """kill -9 of all of them at the same time; returns when they are gone."""
    for node in nodes:
        node.process.send(signal.SIGKILL)
    for node in nodes:
        node.process.wait_gone(5)
