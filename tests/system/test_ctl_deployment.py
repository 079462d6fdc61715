"""A whole deployment by the command line, as docs/command-line.md tells it: from nothing to a cluster that has changed its nodes."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import kit
from kit import check, check_equal
from ports import free_base_port
from test_ctl import BIN, Tools, client

SETTINGS = {"cluster.groups": 4}
MOVES = 60.0    # seconds that replicas may take to move


def members(tools, *words):
    return json.loads(tools.ctl(*words, "cluster_status", "--formatter", "json"))


@kit.limit(240)
def test_deployment():
    """declare, policy, user, export, import, join, drain, rolling restart, forget, leave"""
    with kit.cluster(settings=SETTINGS) as cluster, tempfile.TemporaryDirectory() as directory:
        tools, definitions = Tools(cluster), os.path.join(directory, "definitions.json")
        set_up(tools, definitions)
        connection = client(cluster.nodes[0], "app", "of the app", "shop")
        connection.open_channel(1)
        connection.call(1, "queue.declare", "queue.declare-ok", queue="orders", durable=True)
        publisher = kit.Publisher(connection)
        for number in range(20):
            publisher.send("orders", b"order %d" % number)
        publisher.settle(0)

        fourth = cluster.add_node()
        fourth.start()
        tools.ctl("await_online_nodes", "4", "-t", "60")
        cluster.wait_settled(MOVES)
        check(fourth.name in members(tools)["disk_nodes"], "the fourth node is no member")

        for node in cluster.nodes[:3]:
            maintain(tools, node)
        check_equal(set(members(tools)["maintenance_status"].values()), {"not under maintenance"}, "after the rolling restart")

        check("stop it first" in tools.ctl("forget_cluster_node", fourth.name, code=69), "a node that runs was forgotten")
        kit.kill(fourth)
        kit.wait_for("the node is away", lambda: fourth.name not in members(tools)["running_nodes"])
        tools.ctl("forget_cluster_node", fourth.name)
        check("not in the cluster" in tools.ctl("forget_cluster_node", fourth.name, code=69), "it is forgotten once")
        cluster.remove_node(fourth.number)
        cluster.wait_settled(MOVES)
        check(fourth.name not in members(tools)["disk_nodes"], "a node that was forgotten is listed")

        third = cluster.nodes[2]
        check("has left" in tools.run("warrenctl", "-n", third.name, "leave_cluster", "-t", "60"), "leave_cluster")
        check(third.process.wait_gone(20), "a node that has left runs on")
        cluster.remove_node(third.number)
        cluster.wait_settled(MOVES)
        check_equal(members(tools)["disk_nodes"], [node.name for node in cluster.nodes], "members at the end")
        check_equal(tools.rows("list_queues", "-p", "shop"), [{"name": "orders", "messages": 20}], "the queue at the end")


def set_up(tools, definitions):
    tools.ctl("await_online_nodes", "3", "-t", "60")
    tools.ctl("add_vhost", "shop", "--description", "orders of the shop")
    tools.ctl("add_user", "ops", text="of the ops\n")
    tools.ctl("set_user_tags", "ops", "administrator")
    tools.ctl("add_user", "app", text="of the app\n")
    tools.ctl("set_permissions", "-p", "shop", "app", "^orders", ".*", ".*")
    tools.ctl("set_policy", "-p", "shop", "short", "^orders", '{"max-length":100000,"overflow":"reject-publish"}',
              "--apply-to", "queues")
    tools.ctl("set_vhost_limits", "-p", "shop", '{"max-queues":1000}')
    tools.ctl("export_definitions", definitions)
    check_equal(tools.ctl("-q", "import_definitions", "--dry-run", definitions).strip(), "nothing would change",
                "the difference")
    tools.ctl("import_definitions", definitions, "--username", "ops", "--password", "of the ops")


def maintain(tools, node):
    """One node of a rolling restart."""
    tools.run("rabbitmq-upgrade", "-n", node.name, "drain", "-t", "60")
    check_equal(members(tools)["maintenance_status"][node.name], "marked for maintenance", f"{node.name} after drain")
    ready = tools.run("rabbitmq-diagnostics", "-n", node.name, "check_if_node_is_in_service", code=69)
    check("under maintenance" in ready, f"{node.name} is in service while it is drained: {ready}")
    tools.run("rabbitmq-upgrade", "-n", node.name, "await_online_quorum_plus_one", "-t", "60")
    kit.terminate(node)
    if node.number == 1:    # it is revived while it is down, the others when they are up again
        tools.run("rabbitmq-upgrade", "-n", node.name, "revive")
    node.start()
    if node.number != 1:
        kit.wait_for("it answers", lambda: node.get("/health/live")[0] == 200)
        tools.ctl("-n", node.name, "await_startup", "-t", "1", code=75)     # it stays drained over the restart
        tools.run("rabbitmq-upgrade", "-n", node.name, "revive")
    tools.ctl("-n", node.name, "await_startup", "-t", "60")


def commands_of_the_page():
    """The indented lines of the section of docs/command-line.md."""
    page = (kit.places.ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    section = page.partition("## A whole deployment\n")[2].partition("\n## ")[0]
    return "".join(line[4:] + "\n" for line in section.splitlines() if line.startswith("    "))


@kit.limit(300)
def test_the_page_itself():
    """The commands as they stand in docs/command-line.md, run by a shell in an empty folder"""
    script = commands_of_the_page()
    check(script.count("\n") > 25 and "forget_cluster_node" in script, f"the page has {script}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "ha").symlink_to(kit.places.ROOT / "ha")
        for user in ("ops", "app"):
            (folder / f"{user}-password").write_text(f"of the {user}\n")
        cluster = f"{sys.executable} ha/lib/cluster_command.py"    # ha/cluster itself installs and builds first
        place = f"--base-port {free_base_port()} --binary {kit.binary()} --set cluster.groups=4"
        check("ha/cluster up --no-haproxy\n" in script, "the first line of the page")
        script = script.replace("ha/cluster up --no-haproxy\n", f"{cluster} up --no-haproxy {place}\n")
        environment = {key: value for key, value in os.environ.items() if not key.startswith("WARREN_")}
        environment["PATH"] = f"{BIN}:{environment['PATH']}"
        with open(folder / "output", "w+", encoding="utf-8") as output:
            try:
                done = subprocess.run(["bash", "-euo", "pipefail", "-x", "-c", script], cwd=folder, env=environment,
                                      stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, timeout=280, check=False)
                output.seek(0)
                said = output.read()
                check_equal(done.returncode, 0, f"exit code of the page; it said:\n{said[-6000:]}")
                check("to 1 queues:\n  orders" in said and "nothing would change" in said, f"what was said:\n{said}")
                names = subprocess.run([BIN / "rabbitmqctl", "-s", "list_queues", "-p", "shop", "name", "policy", "members"],
                                       cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout
                check(names.startswith("orders\tshort\t") and "node3" not in names and "node4" not in names, f"at the end: {names}")
            finally:
                subprocess.run([*cluster.split(), "down", "--wipe"], cwd=folder, env=environment, check=False, capture_output=True)
