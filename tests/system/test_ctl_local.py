"""The API's socket of this machine: root and the node's own user are administrators without a password, nobody else is."""

import contextlib
import json
import os
import subprocess
import sys

import kit
from kit import check, check_equal
from test_ctl import BIN, Tools

SETTINGS = {"cluster.groups": 2}
NOBODY = 65534

ASK = """
import os, socket, sys
path, user = sys.argv[1], int(sys.argv[2])
os.setgid(user)
os.setuid(user)
s = socket.socket(socket.AF_UNIX)
s.connect(path)
s.sendall(b"GET /api/overview HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
print(s.recv(100).split()[1].decode())
"""


def ask_as(user, path):
    """The HTTP status that a user of the machine gets, or why it does not come so far."""
    done = subprocess.run([sys.executable, "-c", ASK, path, str(user)], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


@contextlib.contextmanager
def one_node():
    path = os.path.join(os.environ["TMPDIR"], "warren.sock")
    with kit.cluster(1, settings={**SETTINGS, "management.socket": path}) as cluster:
        yield cluster, path


def test_no_password_on_the_socket():
    """Users are repaired, queues and vhosts made and messages published without any user; the audit says who; a named user still counts"""
    with one_node() as (cluster, path):
        tools, node, local = Tools(cluster), cluster.nodes[0], ("--url", f"unix:{path}")
        tools.ctl("delete_user", "guest")
        check("does not let user" in tools.ctl("list_users", code=69), "guest is still there")
        check_equal(json.loads(tools.ctl(*local, "list_users", "--formatter", "json")), [], "users")
        tools.ctl(*local, "add_vhost", "shop")
        check_equal(json.loads(tools.ctl(*local, "list_permissions", "-p", "shop", "--formatter", "json")), [],
                    "permissions that the socket has made for itself")
        tools.ctl(*local, "import_definitions", text=json.dumps({"queues": [{"name": "orders", "vhost": "shop", "durable": True,
                                                                             "arguments": {}}]}))
        tools.ctl(*local, "add_user", "ops", "of the ops")
        tools.ctl(*local, "set_user_tags", "ops", "administrator")
        check_equal(json.loads(tools.ctl("list_vhosts", "--username", "ops", "--password", "of the ops", "--formatter", "json")),
                    [{"name": "/"}, {"name": "shop"}], "as the new user")
        tools.ctl(*local, "list_users", "--username", "ops", "--password", "wrong", code=69)
        tools.ctl(*local, "authenticate_user", "ops", "of the ops")
        tools.ctl(*local, "set_log_level", "debug")
        check('audit log_level category=all level=debug by="local socket"' in kit.read_log(node), "the audit")
        tools.run("rabbitmq-diagnostics", *local, "check_port_connectivity")
        tools.ctl("-n", node.name, *local, "status")
        # By its configuration file, as a package's node is found.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("WARREN_")}
        done = subprocess.run([BIN / "rabbitmqctl", "--config", str(node.dir / "warren.conf"), "list_users"], capture_output=True,
                              text=True, env=environment, cwd=os.environ["TMPDIR"], check=False)
        check("ops" in done.stdout, f"found by the file: {done.stdout}{done.stderr}")


def test_others_are_not_let_in():
    """Other users of the machine cannot connect, and are refused where somebody has opened the file's mode"""
    if os.geteuid() != 0:
        raise kit.Skip("another user of the machine needs root")
    with one_node() as (_, path):
        check_equal(oct(os.stat(path).st_mode & 0o777), "0o600", "the mode of the socket")
        check_equal(ask_as(0, path), "200", "as root")
        folder = os.path.dirname(path)
        while folder not in ("/", "/tmp"):
            os.chmod(folder, 0o755)
            folder = os.path.dirname(folder)
        check("Permission denied" in ask_as(NOBODY, path), "another user has got in")
        os.chmod(path, 0o666)
        check_equal(ask_as(NOBODY, path), "401", "another user, with the mode opened")


def test_a_socket_that_was_left_is_replaced():
    """After kill -9 the node takes its socket's name again; a file that is no socket, or another process's socket, it leaves alone"""
    with one_node() as (cluster, path):
        tools, node = Tools(cluster), cluster.nodes[0]
        kit.kill(node)
        check(os.path.exists(path), "a node that was killed has taken its socket away")
        kit.start(cluster, node)
        tools.ctl("--url", f"unix:{path}", "status")
        second = subprocess.run([kit.binary(), "--set", f"data_dir={os.environ['TMPDIR']}/second", "--set", f"management.socket={path}",
                                 "--set", f"listeners.tcp.default=127.0.0.1:{node.amqp_port + 1}"],
                                capture_output=True, text=True, timeout=30, check=False)
        check(second.returncode == 70 and "another process listens there" in second.stderr, f"a second node: {second.stderr}")
        tools.ctl("--url", f"unix:{path}", "status")
        kit.terminate(node)
        check(not os.path.exists(path), "a node that stopped in order has left its socket")
        with open(path, "w", encoding="utf-8") as file:
            file.write("mine")
        node.start()
        check(node.process.wait_gone(kit.PATIENCE), "a node that cannot have its socket runs")
        check("it is no socket" in kit.read_log(node), "it does not say why")
        with open(path, encoding="utf-8") as file:
            check_equal(file.read(), "mine", "the file that was there")
        os.unlink(path)
