"""Shovels and federation inside one cluster: settings, state, owners, TLS. Between clusters: tests/links/run."""

import json
import os
import pathlib
import time

import kit
from certificates import Authority
from http_api import Api
from ports import free_base_port


def shovel(source="amqp://", dest="amqp://", **more):
    return {"value": {"src-uri": source, "src-queue": "in", "dest-uri": dest, "dest-queue": "out",
                      "reconnect-delay": 1, **more}}


def state(api, name):
    """The shovel as the API shows it; None while no node runs it."""
    return next((s for s in api.get("/shovels") if s["name"] == name), None)


def wait_state(api, name, wanted):
    return kit.wait_for(f"shovel {name} {wanted}", lambda: (state(api, name) or {}).get("state") == wanted and state(api, name),
                        60, 0.2)


def move(node, count, tag=b""):
    """Publishes to the source and reads from the destination."""
    with kit.connected(node) as connection:
        bodies = [b"%s%d" % (tag, number) for number in range(count)]
        kit.publish(connection, "in", bodies)
        kit.check_equal([event.body for event in kit.consume(connection, "out", count)], bodies, "what was moved")


def test_dynamic_shovel():
    """a shovel is set, watched, restarted, paused, resumed and deleted over HTTP"""
    with kit.cluster(nodes=1) as made:
        node = made.nodes[0]
        api = Api(node)
        path = "/parameters/shovel/%2F/s"
        reply = api("PUT", path, shovel(color="red"))
        kit.check_equal(reply.status, 400, "status")
        kit.check("Unrecognised terms" in json.loads(reply.body)["reason"], f"the reason is {reply.body!r}")
        api.put(path, shovel())
        found = wait_state(api, "s", "running")
        metrics = node.get("/metrics")[1].decode()
        kit.check('rabbitmq_shovel_dynamic{status="running"} 1' in metrics, "the shovel is not in the metrics")
        kit.check_equal((found["node"], found["type"], found["src_queue"]), (node.name, "dynamic", "in"), "the shovel")
        move(node, 100)
        api.delete("/shovels/vhost/%2F/s/restart")
        kit.wait_for("restarted", lambda: (state(api, "s") or {}).get("state") == "running")
        move(node, 10, b"again ")
        api.put(path, shovel(paused=True), expect=204)
        kit.wait_for("paused", lambda: state(api, "s") is None)
        with kit.connected(node) as connection:
            kit.publish(connection, "in", [b"waits"])
            time.sleep(1)
            kit.check(kit.get(connection, "out") is None, "a paused shovel has moved a message")
        api.put(path, shovel(), expect=204)
        wait_state(api, "s", "running")
        with kit.connected(node) as connection:
            kit.check_equal(kit.consume(connection, "out", 1)[0].body, b"waits", "the message after the pause")
        api.delete(path)
        kit.wait_for("deleted", lambda: state(api, "s") is None)


def test_lag():
    """a shovel that may not go faster tells how far it is behind, in messages and seconds, and that it caught up"""
    with kit.cluster(nodes=1) as made:
        node = made.nodes[0]
        api = Api(node)
        api.put("/parameters/shovel/%2F/slow", shovel(**{"rate-limit": 20, "src-prefetch-count": 5}))
        wait_state(api, "slow", "running")
        kit.check(state(api, "slow")["lag_seconds"] < 2, "nothing waits, and it is behind")

        def figure(name):
            return kit.metric(node, f'warren_link_{name}{{kind="shovel",vhost="/",name="slow",upstream=""}}')

        with kit.connected(node) as connection:
            kit.publish(connection, "in", kit.numbered(300))    # for fifteen seconds
            behind = kit.wait_for("messages to wait", lambda: state(api, "slow")["lag_messages"] > 50 and state(api, "slow"))
            kit.check(behind["lag_messages"] <= 300, f"{behind}")
            kit.wait_for("it to be three seconds behind", lambda: state(api, "slow")["lag_seconds"] > 3)
            kit.check(3 <= figure("lag_seconds") <= 15 and figure("lag_messages") > 0, "the metrics")
            kit.check_equal(len(kit.consume(connection, "out", 300)), 300, "messages")
            kit.wait_for("it to have caught up", lambda: figure("lag_seconds") == 0 and figure("lag_messages") == 0)


def test_owner_moves():
    """one node runs a shovel; when it is killed another one does within seconds, and nothing is lost"""
    with kit.cluster(nodes=3) as made:
        api = Api(made.nodes[0])
        for number in range(6):
            api.put(f"/parameters/shovel/%2F/s{number}", shovel(**{"src-queue": f"in{number}", "dest-queue": f"out{number}"}))

        def spread():
            """Who does not see the others yet thinks that all are its own."""
            found = api.get("/shovels")
            running = len(found) == 6 and all(one["state"] == "running" for one in found)
            return running and len({one["node"] for one in found}) > 1 and sorted(found, key=lambda one: one["name"])

        found = kit.wait_for("six shovels, each once, on several nodes", spread, 60)
        victim = next(node for node in made.nodes if node.name == found[0]["node"])
        other = kit.others(made, victim)[0]
        kit.kill(victim)
        began = time.monotonic()
        kit.wait_for("the shovel on another node",
                     lambda: (state(Api(other), "s0") or {}).get("node") not in (None, victim.name), 60, 0.1)
        print(f"moved after {time.monotonic() - began:.1f} s")
        with kit.connected(other) as connection:
            kit.publish(connection, "in0", [b"%d" % number for number in range(100)])
            kit.check_equal(len(kit.consume(connection, "out0", 100)), 100, "messages")


def test_static_shovel_over_tls():
    """a shovel of the configuration goes over TLS to a server that it knows, and to no other"""
    directory = pathlib.Path(os.environ["TMPDIR"]) / "ca"
    directory.mkdir()
    authority, stranger, port = Authority(directory), Authority(directory, "stranger"), free_base_port()
    certificate, key = authority.issue("server")
    settings = {"listeners.ssl.default": f"127.0.0.1:{port}", "ssl_options.cacertfile": authority.file,
                "ssl_options.certfile": certificate, "ssl_options.keyfile": key,
                "shovel.good.src-uri": "amqp://", "shovel.good.src-queue": "in", "shovel.good.dest-queue": "out",
                "shovel.good.dest-uri": f"amqps://guest:guest@localhost:{port}?cacertfile={authority.file}",
                "shovel.bad.src-uri": f"amqps://localhost:{port}?cacertfile={stranger.file}",
                "shovel.bad.src-queue": "in", "shovel.bad.dest-uri": "amqp://", "shovel.bad.dest-queue": "never"}
    with kit.cluster(nodes=1, settings={name: str(value) for name, value in settings.items()}) as made:
        api = Api(made.nodes[0])
        kit.check_equal(wait_state(api, "good", "running")["type"], "static", "type")
        move(made.nodes[0], 100)
        with kit.connected(made.nodes[0]) as connection:
            big = b"b" * 3_000_000
            kit.publish(connection, "in", [big])
            kit.check(kit.consume(connection, "out", 1)[0].body == big, "a large message came broken")
        bad = wait_state(api, "bad", "terminated")
        kit.check("certificate" in bad["reason"], f"the reason is {bad['reason']}")
        kit.check("guest:guest" not in json.dumps(api.get("/shovels")) + kit.read_log(made.nodes[0]), "a password is shown")


def test_exchange_federation_inside():
    """a policy federates an exchange with another one of the same cluster, and undoes it when it goes"""
    with kit.cluster(nodes=1) as made:
        api = Api(made.nodes[0])
        with kit.connected(made.nodes[0]) as connection:
            for name in ("here", "there"):
                connection.call(1, "exchange.declare", exchange=name, type="topic", durable=True)
            kit.declare(connection, "q")
            connection.call(1, "queue.bind", queue="q", exchange="here", routing_key="a.#")
            api.put("/parameters/federation-upstream/%2F/up", {"value": {"uri": "amqp://", "exchange": "there"}})
            api.put("/policies/%2F/fed", {"pattern": "^here$", "definition": {"federation-upstream": "up"},
                                          "apply-to": "exchanges"})
            link = kit.wait_for("the link running", lambda: next(
                (one for one in api.get("/federation-links") if one["status"] == "running"), None), 60, 0.2)
            kit.check_equal((link["exchange"], link["upstream_exchange"], link["type"]), ("here", "there", "exchange"), "link")
            kit.publish(connection, "a.b", [b"federated"], exchange="there")
            kit.check_equal(kit.consume(connection, "q", 1)[0].body, b"federated", "message")
            connection.call(1, "queue.bind", queue="q", exchange="here", routing_key="late")
            kit.wait_for("the new binding there", lambda: any(
                one["routing_key"] == "late" for one in api.get("/exchanges/%2F/there/bindings/source")))
            api.delete("/policies/%2F/fed")
            kit.wait_for("what was made is deleted", lambda: not any(
                "federation:" in one["name"] for one in api.get("/queues") + api.get("/exchanges")), 60)
