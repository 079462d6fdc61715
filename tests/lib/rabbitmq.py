"""One node of RabbitMQ for comparisons: its own directory, ports and cookie, with the management plugin.

Nothing is signalled but the processes that were started here, by pid.
"""

import contextlib
import pathlib
import secrets
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "ha" / "lib"), str(ROOT / "tests" / "bench")]
from brokers import RabbitNode, kill_all  # noqa: E402
from cluster_node import HTTP_OFFSET, Problem  # noqa: E402
from ports import free_base_port  # noqa: E402
from processes import Process  # noqa: E402

TOOLS = pathlib.Path("/usr/lib/rabbitmq/bin")
START_TIMEOUT = 120.0
PLUGINS = ("rabbitmq_management", "rabbitmq_shovel", "rabbitmq_shovel_management", "rabbitmq_federation",
           "rabbitmq_federation_management")
PLUGINS_OF_EXCHANGES = ("rabbitmq_management", "rabbitmq_consistent_hash_exchange", "rabbitmq_random_exchange",
                        "rabbitmq_recent_history_exchange", "rabbitmq_sharding")


def is_installed():
    return bool(shutil.which("epmd")) and (TOOLS / "rabbitmq-server").exists()


class Node(RabbitNode):
    """A cluster of one."""

    def __init__(self, directory, plugins=PLUGINS):
        self.plugins = plugins
        self.dir, self.base_port, self.nodes = pathlib.Path(directory), free_base_port(), []
        self.epmd_port = self.base_port + 9
        super().__init__(self, 1)
        self.http_port = self.base_port + HTTP_OFFSET + 1
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.epmd = Process("epmd", self.dir / "epmd.pid", self.dir / "epmd.log")

    def write_config(self):
        self.dir.mkdir(parents=True, exist_ok=True)
        (self.dir / "rabbitmq.conf").write_text(
            f"loopback_users = none\nlisteners.tcp.default = 127.0.0.1:{self.port}\nlog.file.level = warning\n"
            f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {self.http_port}\n")
        (self.dir / "enabled_plugins").write_text(f"[{','.join(self.plugins)}].\n")
        cookie = self.dir / ".erlang.cookie"
        cookie.touch(mode=0o600)
        cookie.write_text(secrets.token_hex(16).upper())
        cookie.chmod(0o400)

    def start(self):
        self.write_config()
        self.epmd.start(["epmd", "-port", str(self.epmd_port), "-address", "127.0.0.1"])
        super().start()
        limit = time.monotonic() + START_TIMEOUT
        while not self.accepts():   # its tool would take the processor from it
            if time.monotonic() > limit:
                raise Problem(f"RabbitMQ does not come up:\n{self.process.last_output(20)}")
            time.sleep(0.1)
        self.control("await_startup", timeout=START_TIMEOUT)

    def tool(self, *words, text=None):
        """One of RabbitMQ's own tools; (exit code, output, complaints)."""
        done = subprocess.run([str(TOOLS / words[0]), *words[1:]], env=self.environment(), input=text or "",
                              capture_output=True,
                              text=True, timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr

    def stop(self):
        kill_all(self.pids())
        self.epmd.stop(5)


@contextlib.contextmanager
def running_node(plugins=PLUGINS):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="rabbitmq-test-"))
    node = Node(directory, plugins)
    try:
        node.start()
        yield node
    finally:
        node.stop()
        shutil.rmtree(directory, ignore_errors=True)
