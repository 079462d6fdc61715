"""A whole deployment by the command line, as docs/operate.md tells it: from nothing to a cluster that has changed its nodes."""

import json
import os
import tempfile

import kit
from kit import check, check_equal
from test_ctl import Tools, client

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
