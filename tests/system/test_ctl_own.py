"""warrenctl's commands that RabbitMQ's tools do not have: explain, placement, haproxy-config, drill, upgrade plan."""

import json
import subprocess

import kit
from http_api import Api
from kit import check, check_equal
from test_ctl import Tools

SETTINGS = {"cluster.groups": 4}


def own(tools, *words, **more):
    return tools.run("warrenctl", *words, **more)


def test_explain():
    """explain queue, message and node: where things are, why they do not move, what a stop would cost"""
    with kit.cluster(settings=SETTINGS) as cluster:
        tools, api = Tools(cluster), Api(cluster.nodes[0])
        first, _, third = cluster.nodes
        cluster.wait_settled(60)
        tools.ctl("set_policy", "short", "^ord", '{"max-length":100,"overflow":"reject-publish"}', "--apply-to", "queues")
        with kit.connected(first) as connection:
            for queue in ("orders", "audit"):
                kit.declare(connection, queue, durable=True)
            for key in ("orders.#", "*.eu"):
                connection.call(1, "queue.bind", "queue.bind-ok", queue="orders", exchange="amq.topic", routing_key=key)
            connection.call(1, "queue.bind", "queue.bind-ok", queue="audit", exchange="amq.topic", routing_key="#")
            kit.publish(connection, "orders", kit.numbered(3))
        kit.wait_for("3 messages are counted", lambda: api.get("/queues/%2F/orders").get("messages_ready") == 3)
        said = own(tools, "explain", "queue", "orders")
        for words in ("3 messages are ready", "Nobody consumes", "By the policy short: at most 100 messages wait", "leads it",
                      "exchange 'amq.topic' what has the key '*.eu'", "may fail, and it still serves"):
            check(words in said, f"{words!r} is missing in {said}")
        check("No exchange is bound" not in said and "argument" not in said, said)
        own(tools, "explain", "queue", "nothing", code=65)
        own(tools, "explain", "nothing", "orders", code=64)

        for key, queues in (("orders.us", ["audit", "orders"]), ("x.eu", ["audit", "orders"]), ("x.us", ["audit"])):
            found = json.loads(own(tools, "explain", "message", "amq.topic", key, "--formatter", "json"))
            check_equal(sorted(found["queues"]), queues, f"queues of {key}")
        check("Nobody gets it" in own(tools, "explain", "message", "amq.direct", "x"), "a message that nobody gets")
        check("to 1 queues:\n  audit" in own(tools, "explain", "message", "", "audit"), "the default exchange")
        check_equal(kit.queue_facts(first, "audit")["messages"], 0, "messages that explain has published")
        own(tools, "explain", "message", "nothing", code=65)

        check("It may stop" in own(tools, "explain", "node", third.name), "a cluster with a spare")
        kit.kill(third)
        kit.wait_for("the others notice", lambda: "It is down" in own(tools, "explain", "node", third.name))
        check("5 groups would serve nobody" in own(tools, "explain", "node", first.name), "a cluster without a spare")
        check("it serves nobody until one is back" in own(tools, "explain", "queue", "orders"), "a queue without a spare")


def test_headers_decide():
    """explain message --headers: a headers exchange is asked with them"""
    with kit.cluster(1, settings=SETTINGS) as cluster, kit.connected(cluster.nodes[0]) as connection:
        tools = Tools(cluster)
        kit.declare(connection, "red")
        connection.call(1, "queue.bind", "queue.bind-ok", queue="red", exchange="amq.headers", routing_key="",
                        arguments={"x-match": "all", "colour": "red"})
        check("to 1 queues" in own(tools, "explain", "message", "amq.headers", "--headers", '{"colour":"red"}'), "red")
        check("to 0 queues" in own(tools, "explain", "message", "amq.headers", "--headers", '{"colour":"blue"}'), "blue")
        own(tools, "explain", "message", "amq.headers", "--headers", "red", code=65)


@kit.limit(120)
def test_placement_and_plans():
    """placement show and plan; upgrade plan names every node, the meta group's leader last, and what stands against it"""
    with kit.cluster(settings=SETTINGS) as cluster:
        tools = Tools(cluster)
        cluster.wait_settled(60)
        names = [node.name for node in cluster.nodes]

        def shown():
            """Leaders may be on their way to where they belong."""
            rows = tools.rows("placement", "show", name="warrenctl")
            check_equal([row["group"] for row in rows], [0, 1, 2, 3, 4], "groups")
            return all(sorted(row["replicas"]) == names and row["leader"] in names for row in rows) and rows

        def last_is_the_leader():
            leader = next(row["leader"] for row in kit.wait_for("rows with leaders", shown) if row["group"] == 0)
            steps = [line for line in own(tools, "upgrade", "plan").splitlines() if line[:1].isdigit()]
            check_equal(sorted(line.split()[1].strip(":") for line in steps), names, "nodes of the plan")
            return leader in steps[-1]

        kit.wait_for("the plan of a cluster that is settled", lambda: "where they belong" in own(tools, "placement", "plan"))
        kit.wait_for("the meta group's leader to be the last one in the plan", last_is_the_leader)
        kit.kill(cluster.nodes[1])
        kit.wait_for("the node is seen to be away", lambda: not cluster.nodes[0].get_json(f"/api/nodes/{names[1]}")["running"])
        check(f"{names[1]} is down" in own(tools, "upgrade", "plan", code=69), "a plan while a node is down")
        check(f"{names[1]} will lead" not in own(tools, "placement", "plan"), "a node that is down will lead nothing")
        check("start it first" in own(tools, "haproxy-config", code=69), "a configuration without a node")


def test_haproxy_config():
    """haproxy-config: HAProxy itself accepts what is made of the cluster's listeners, in both modes"""
    with kit.cluster(settings=SETTINGS) as cluster:
        tools = Tools(cluster)
        for mode in ("balance", "warren"):
            text = own(tools, "haproxy-config", "--mode", mode, "--listen", "127.0.0.1:5999")
            for node in cluster.nodes:
                check(f"{node.host}:{node.amqp_port} check" in text, f"{node.name} is missing in {text}")
            file = cluster.dir / "made.cfg"
            file.write_text(text)
            done = subprocess.run(["haproxy", "-c", "-f", str(file)], capture_output=True, text=True, check=False)
            check_equal(done.returncode, 0, f"haproxy -c: {done.stderr}")
        own(tools, "haproxy-config", "--mode", "other", code=64)


@kit.limit(200)
def test_drill():
    """drill hands its words on to ha/drill: a round on a running cluster, and its report"""
    with kit.cluster(settings=SETTINGS) as cluster:
        said = own(Tools(cluster), "drill", "run", "--fault", "none", "--rounds", "1", "--hold", "1", "--dir", str(cluster.dir),
                   timeout=180)
        check("lost" in said, f"no report: {said}")
