"""The management API: what RabbitMQ's tools read and write, with its status codes, names and refusals."""

import http.client

import amqp
import kit
from http_api import Admin, Api, name


def test_objects():
    """Exchanges, queues and bindings are made, shown, refused and deleted with RabbitMQ's status codes"""
    with kit.cluster() as cluster:
        one, two = Api(cluster.nodes[0]), Api(cluster.nodes[1])
        one.put("/queues/%2F/orders", {"durable": True, "arguments": {"x-max-length": 10}})
        one.put("/queues/%2F/orders", {"durable": True, "arguments": {"x-max-length": 10}}, expect=204)
        refusal = one.put("/queues/%2F/orders", {"durable": False}, expect=400).json
        kit.check_equal(refusal["error"], "bad_request", "error")
        kit.check("inequivalent arg 'durable' for queue 'orders' in vhost '/'" in refusal["reason"], refusal["reason"])
        one.put("/queues/%2F/amq.mine", expect=401)
        one.put("/queues/nowhere/orders", expect=404)
        one.put("/exchanges/%2F/routes", {"type": "topic", "durable": True})
        one.put("/exchanges/%2F/other", {"type": "no such type"}, expect=400)
        queue = two.get("/queues/%2F/orders")
        kit.check_equal(queue["arguments"], {"x-max-length": 10}, "arguments on another node")
        kit.check_equal(two.get("/exchanges/%2F/routes")["type"], "topic", "type on another node")

        location = one.post("/bindings/%2F/e/routes/q/orders", {"routing_key": "a.*/b c", "arguments": {"x": 1}},
                            expect=201).headers["Location"]
        key = two.get("/bindings/%2F/e/routes/q/orders")[0]["properties_key"]
        kit.check_equal(location, f"orders/{name(key)}", "Location")
        binding = two.get(f"/bindings/%2F/e/routes/q/orders/{name(key)}")
        kit.check_equal((binding["routing_key"], binding["arguments"]), ("a.*/b c", {"x": 1}), "binding")
        one.post("/bindings/%2F/e/routes/e/amq.fanout", expect=201)
        kit.check_equal(len(two.get("/exchanges/%2F/routes/bindings/source")), 2, "bindings of the exchange")
        kit.check_equal([b["source"] for b in two.get("/queues/%2F/orders/bindings")], ["", "routes"], "of the queue")
        one.post("/bindings/%2F/e/routes/q/missing", expect=404)
        two.delete(f"/bindings/%2F/e/routes/q/orders/{name(key)}")
        two.delete(f"/bindings/%2F/e/routes/q/orders/{name(key)}", expect=404)

        one.delete("/exchanges/%2F/routes?if-unused=true", expect=400)
        one.delete("/exchanges/%2F/routes")
        one.delete("/exchanges/%2F/amq.topic", expect=401)
        one.post("/exchanges/%2F/amq.default/publish", expect=200, body={
            "properties": {}, "routing_key": "orders", "payload": "x", "payload_encoding": "string"})
        one.delete("/queues/%2F/orders?if-empty=true", expect=400)
        one.delete("/queues/%2F/orders/contents")
        one.delete("/queues/%2F/orders?if-empty=true")
        two.delete("/queues/%2F/orders", expect=404)


def test_protocol():
    """Unknown paths, wrong methods, passwords and bodies get 404, 405, 401 and 400 in RabbitMQ's form"""
    with kit.cluster(nodes=1) as cluster:
        api = Api(cluster.nodes[0])
        kit.check_equal(api("GET", "/nothing", expect=404).json, {"error": "Object Not Found", "reason": "Not Found"}, "404")
        kit.check_equal(api("PATCH", "/queues", expect=405).headers["Allow"], "HEAD, GET, OPTIONS", "Allow")
        kit.check_equal(api("OPTIONS", "/queues/%2F/q", expect=200).headers["Allow"], "HEAD, GET, PUT, DELETE, OPTIONS", "Allow")
        kit.check_equal(api("HEAD", "/overview", expect=200).body, b"", "body of HEAD")
        stranger = Api(cluster.nodes[0], password="wrong")("GET", "/overview", expect=401)
        kit.check_equal(stranger.json, {"error": "not_authorized", "reason": "Login failed"}, "401")
        kit.check("Basic" in stranger.headers["WWW-Authenticate"], "no challenge")
        for body in ("{bad", "[]", "null", '"text"'):
            kit.check_equal(api("PUT", "/queues/%2F/q", body, expect=400).json,
                            {"error": "bad_request", "reason": "not_json"}, body)
        api("PUT", "/queues/%2F/q", {"durable": "perhaps"}, expect=400)
        api("PUT", "/queues/%2F/" + 300 * "q", {}, expect=400)
        api("PUT", "/queues/%2F/q", {"arguments": [1]}, expect=400)
        deep = {}
        for _ in range(100):
            deep = {"x": deep}
        api("PUT", "/queues/%2F/q", {"arguments": deep}, expect=400)
        api("PUT", "/queues/%2F/q", " " * (11 << 20), expect=400)
        api.put("/queues/%2F/q")


def test_lists():
    """Lists are sorted, filtered, paged and thinned out as asked; wrong pages are refused"""
    with kit.cluster(nodes=1) as cluster:
        api = Api(cluster.nodes[0])
        for number in range(25):
            api.put(f"/queues/%2F/q{number:02}", {"arguments": {"x-max-length": 100 - number}})
        page = api.get("/queues?page=2&page_size=10&columns=name,arguments.x-max-length")
        items = page.pop("items")
        kit.check_equal(page, {"filtered_count": 25, "item_count": 10, "page": 2, "page_count": 3, "page_size": 10,
                               "total_count": 25}, "page")
        kit.check_equal(items[0], {"name": "q10", "arguments": {"x-max-length": 90}}, "first of page 2")
        names = [queue["name"] for queue in api.get("/queues/%2F?sort=arguments.x-max-length&columns=name")]
        kit.check_equal(names[:2], ["q24", "q23"], "sorted by an argument")
        names = [queue["name"] for queue in api.get("/queues?sort=name&sort_reverse=true")]
        kit.check_equal(names[0], "q24", "reversed")
        page = api.get("/queues?page=1&name=Q0&use_regex=false")
        kit.check_equal((page["filtered_count"], page["total_count"]), (10, 25), "filtered by a part of the name")
        page = api.get("/queues?page=1&name=" + name("^q.[05]$") + "&use_regex=true")
        kit.check_equal([queue["name"] for queue in page["items"]], ["q00", "q05", "q10", "q15", "q20"], "by regex")
        api("GET", "/queues?page=9", expect=400)
        api("GET", "/queues?page=0", expect=400)
        api("GET", "/queues?page=1&page_size=501", expect=400)
        api("GET", "/queues?page=1&use_regex=true&name=((", expect=400)


def test_messages():
    """Messages are published and got over HTTP: properties, encodings, routing, ways to settle"""
    with kit.cluster() as cluster:
        api, other = Api(cluster.nodes[0]), Api(cluster.nodes[2])
        api.put("/queues/%2F/box", {"durable": True})
        properties = {"content_type": "text/plain", "delivery_mode": 2, "priority": 3, "correlation_id": "c", "reply_to": "r",
                      "message_id": "m", "timestamp": 1700000000, "type": "t", "app_id": "a",
                      "headers": {"n": 1, "s": "x", "list": [1, "two", {"three": 3.5}], "yes": True, "none": None}}

        def publish(payload, encoding="string", exchange="amq.default", key="box", **fields):
            return api.post(f"/exchanges/%2F/{exchange}/publish", {
                "properties": properties, "routing_key": key, "payload": payload, "payload_encoding": encoding, **fields}).json

        def get(count=10, ackmode="ack_requeue_true", **fields):
            return other.post("/queues/%2F/box/get", {"count": count, "ackmode": ackmode, "encoding": "auto", **fields}).json

        kit.check_equal(publish("héllo"), {"routed": True}, "published")
        kit.check_equal(publish("AAH/", "base64"), {"routed": True}, "published bytes")
        kit.check_equal(publish("x", key="nobody"), {"routed": False}, "unroutable")
        first, second = get()
        kit.check_equal(first["properties"], properties, "properties")
        kit.check_equal((first["payload"], first["payload_encoding"], first["payload_bytes"]), ("héllo", "string", 6), "text")
        kit.check_equal((first["message_count"], first["redelivered"], first["exchange"]), (1, False, ""), "facts")
        kit.check_equal((second["payload"], second["payload_encoding"]), ("AAH/", "base64"), "bytes")
        kit.check_equal([m["redelivered"] for m in get(ackmode="reject_requeue_true")], [True, True], "requeued")
        kit.check_equal(get(1, truncate=2, encoding="base64")[0]["payload"], "aMM=", "truncated")
        kit.check_equal(len(get(1, "reject_requeue_false")), 1, "rejected")
        kit.check_equal([m["payload"] for m in get(ackmode="ack_requeue_false")], ["AAH/"], "left")
        kit.check_equal(get(), [], "left after all")
        other.post("/queues/%2F/box/get", {"count": 1, "encoding": "auto"}, expect=400)
        other.post("/queues/%2F/none/get", {"count": 1, "encoding": "auto", "ackmode": "ack_requeue_true"}, expect=404)
        api.post("/exchanges/%2F/none/publish", {"properties": {}, "routing_key": "", "payload": "", "payload_encoding":
                                                 "string"}, expect=400)
        api.post("/exchanges/%2F/amq.default/publish", {"properties": {}, "routing_key": "box", "payload": "*",
                                                        "payload_encoding": "base64"}, expect=400)
        kit.check_equal(api.get("/connections"), [], "connections that the API itself makes are not shown")


def use_admin(admin):
    admin("declare", "queue", "name=orders", "durable=true")
    admin("declare", "exchange", "name=routes", "type=topic")
    admin("declare", "binding", "source=routes", "destination=orders", "routing_key=a.#")
    kit.check_equal(admin("publish", "exchange=routes", "routing_key=a.b", "payload=hello"), "Message published\n", "published")
    got = admin.rows("get", "queue=orders", "ackmode=ack_requeue_true")
    kit.check_equal(got[0]["payload"], "hello", "got")
    kit.wait_for("the count", lambda: admin.rows("list", "queues", "name", "messages") == [{"name": "orders", "messages": 1}])
    admin("purge", "queue", "name=orders")
    kit.check_equal(len(admin.rows("list", "bindings")), 2, "bindings")
    kit.check("orders" in admin("list", "queues"), "table of queues")
    admin("delete", "exchange", "name=routes")
    admin("delete", "queue", "name=orders")
    kit.check_equal(admin.rows("list", "queues"), [], "queues")
    admin("show", "overview")


def test_rabbitmqadmin():
    """RabbitMQ's rabbitmqadmin, unchanged, declares, lists, publishes, gets, purges and deletes"""
    with kit.cluster() as cluster:
        use_admin(Admin(cluster.nodes[1]))


def test_rabbitmqadmin_of_a_node():
    """What a node gives away at /cli/rabbitmqadmin does the same with the same words"""
    with kit.cluster() as cluster:
        node, script = cluster.nodes[1], cluster.dir / "rabbitmqadmin"
        for path, part in (("/cli/", b"rabbitmqadmin"), ("/cli/rabbitmqadmin", b"#!/usr/bin/env python3")):
            status, body = fetch(node, path)
            kit.check(status == 200 and part in body, f"{path}: {status} {body[:100]!r}")
        script.write_bytes(body)
        admin = Admin(node, str(script))
        use_admin(admin)
        file = cluster.dir / "definitions.json"
        admin("declare", "vhost", "name=shop")
        admin("declare", "user", "name=ann", "password=secret", "tags=")
        admin("declare", "permission", "vhost=shop", "user=ann", "configure=.*", "write=.*", "read=.*")
        admin("declare", "policy", "name=short", "pattern=^q", 'definition={"max-length": 5}', "apply-to=queues")
        admin("-V", "shop", "declare", "queue", "name=q1", "queue_type=quorum")
        admin("export", str(file))
        admin("delete", "vhost", "name=shop")
        admin("delete", "user", "name=ann")
        admin("delete", "policy", "name=short")
        admin("import", str(file))
        kit.check_equal(admin.rows("-V", "shop", "list", "queues", "name", "type"), [{"name": "q1", "type": "quorum"}], "imported")
        kit.check("| q1 " in admin("list", "queues"), "table")
        kit.check_equal(admin("-f", "tsv", "list", "queues", "name", "vhost"), "name\tvhost\nq1\tshop\n", "tsv")
        for wrong in (("declare", "queue"), ("delete", "queue", "name=none"), ("list", "nothing"), ("declare", "queue", "name")):
            try:
                admin(*wrong)
            except AssertionError:
                continue
            raise AssertionError(f"{wrong} went well")


def fetch(node, path):
    connection = http.client.HTTPConnection(node.host, node.http_port, timeout=20)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_connections():
    """Connections, channels and consumers of all nodes are listed by each; a connection is closed from another node"""
    with kit.cluster() as cluster, kit.connected(cluster.nodes[0], name="first") as first, \
            kit.connected(cluster.nodes[1], name="second") as second:
        api = Api(cluster.nodes[2])
        kit.declare(first, "work")
        first.call(1, "basic.qos", prefetch_count=7)
        first.call(1, "basic.consume", queue="work", consumer_tag="worker", arguments={"x-priority": 3})
        kit.publish(second, "work", kit.numbered(20))
        connections = api.get("/connections?sort=user_provided_name")
        kit.check_equal([c["user_provided_name"] for c in connections], ["first", "second"], "names")
        kit.check_equal([c["node"] for c in connections], [cluster.nodes[0].name, cluster.nodes[1].name], "nodes")
        one = api.get("/connections/" + name(connections[0]["name"]))
        kit.check_equal((one["vhost"], one["user"], one["state"], one["channels"], one["port"]),
                        ("/", "guest", "running", 1, cluster.nodes[0].amqp_port), "facts of a connection")
        kit.check(one["recv_oct"] > 0 and "capabilities" in one["client_properties"], "octets and properties")

        def consuming_and_publishing():
            """Confirmed is not delivered yet."""
            channels = {c["connection_details"]["name"]: c for c in api.get("/channels")}
            found = [channels[c["name"]] for c in connections]
            return found[0]["messages_unacknowledged"] == 7 and found

        consuming, publishing = kit.wait_for("the deliveries", consuming_and_publishing)
        kit.check_equal((consuming["consumer_count"], consuming["prefetch_count"], consuming["confirm"]), (1, 7, False),
                        "the consuming channel")
        kit.check_equal((publishing["confirm"], publishing["message_stats"]["publish"],
                         publishing["message_stats"]["confirm"]), (True, 20, 20), "the publishing channel")
        kit.check_equal(len(api.get("/connections/" + name(connections[0]["name"]) + "/channels")), 1, "of a connection")
        shown = api.get("/channels/" + name(consuming["name"]))
        kit.check_equal(shown["consumer_details"][0]["consumer_tag"], "worker", "consumer of the channel")
        consumer, = api.get("/consumers/%2F")
        kit.check_equal((consumer["queue"], consumer["consumer_tag"], consumer["ack_required"], consumer["prefetch_count"],
                         consumer["arguments"], consumer["channel_details"]["name"]),
                        ({"name": "work", "vhost": "/"}, "worker", True, 7, {"x-priority": 3}, consuming["name"]), "consumer")
        queue = api.get("/queues/%2F/work")
        kit.check_equal([c["consumer_tag"] for c in queue["consumer_details"]], ["worker"], "consumers of the queue")
        kit.wait_for("counts", lambda: (q := api.get("/queues/%2F/work"))["messages_unacknowledged"] == 7
                     and q["messages_ready"] == 13)
        totals = api.get("/overview")
        kit.check_equal((totals["object_totals"]["connections"], totals["object_totals"]["channels"],
                         totals["object_totals"]["consumers"]), (2, 2, 1), "object totals")
        kit.wait_for("messages of the cluster", lambda: api.get("/overview")["queue_totals"]["messages"] == 20)

        api.delete("/connections/" + name(connections[1]["name"]), **{"X-Reason": "enough"})
        try:
            raise AssertionError(f"{second.poll(kit.PATIENCE)} instead of a close")
        except amqp.Closed as closed:
            kit.check_equal(str(closed), "320 CONNECTION_FORCED - enough", "reason")
        kit.wait_for("one connection", lambda: len(api.get("/connections")) == 1)
        api.delete("/connections/" + name(connections[1]["name"]), expect=404)
        kit.check_equal(api.get("/overview")["message_stats"]["publish"], 20, "what a closed connection published still counts")


def test_rates():
    """message_stats have rates, of queues and of the whole cluster, whichever node is asked"""
    with kit.cluster() as cluster, kit.connected(cluster.nodes[0]) as connection:
        kit.declare(connection, "busy")
        kit.declare(connection, "also busy")
        for queue in ("busy", "also busy"):
            connection.call(1, "queue.bind", queue=queue, exchange="amq.fanout", routing_key="")
        with kit.connected(cluster.nodes[2]) as gone:
            kit.publish(gone, "", kit.numbered(3), exchange="amq.fanout")
        publisher = kit.Publisher(connection)
        seen = {}

        def rates():
            for _ in range(20):
                publisher.send("busy", b"x", "amq.fanout")
            publisher.settle()
            api = Api(cluster.nodes[1])
            seen["queue"] = api.get("/queues/%2F/busy")["message_stats"]["publish_details"]["rate"]
            seen["cluster"] = api.get("/overview")["message_stats"]["publish_details"]["rate"]
            seen["exchange"] = api.get("/exchanges/%2F/amq.fanout")["message_stats"]["publish_in_details"]["rate"]
            seen["ready"] = api.get("/overview")["queue_totals"]["messages_ready_details"]["rate"]
            return all(rate > 10 for rate in seen.values())

        kit.wait_for("rates", rates, timeout=60)
        published = len(publisher.confirmed) + 3  # with those of a connection that is gone

        def counted():
            stats = Api(cluster.nodes[1]).get("/exchanges/%2F/amq.fanout")["message_stats"]
            return (stats["publish_in"], stats["publish_out"]) == (published, 2 * published)

        kit.wait_for(f"{published} messages in and twice as many out", counted)


def test_fewer_replicas():
    """A queue without a replica on the node that is asked is shown with its leader's counts"""
    with kit.cluster(settings={"cluster.replicas": 1}) as cluster, kit.connected(cluster.nodes[0]) as connection:
        for number in range(6):
            kit.declare(connection, f"q{number}")
            kit.publish(connection, f"q{number}", kit.numbered(number + 1)) if number == 0 else None
        for node in cluster.nodes:
            kit.check_equal(node.get_json("/api/queues/%2F/q0")["messages"], 1, f"count as {node.name} shows it")
            kit.check_equal(len(node.get_json("/api/queues")), 6, "queues")


def test_nodes():
    """All nodes show their facts on each; one that is gone is shown as not running"""
    with kit.cluster() as cluster:
        api = Api(cluster.nodes[0])
        nodes = api.get("/nodes")
        kit.check_equal([(n["name"], n["running"]) for n in nodes], [(n.name, True) for n in cluster.nodes], "nodes")
        kit.check(all(n["mem_used"] > 0 and n["fd_used"] > 0 and n["uptime"] >= 0 and n["disk_free"] > 0 for n in nodes), "facts")
        kit.check_equal(api.get("/nodes/" + name(cluster.nodes[1].name))["os_pid"], str(cluster.nodes[1].process.pid()), "pid")
        api("GET", "/nodes/nobody", expect=404)
        with kit.connected(cluster.nodes[0]) as connection:
            kit.declare(connection, "q")
            kit.publish(connection, "q", [b"x" * 100000] * 5)

        def stored():
            """Confirmed is what two of three have written."""
            node = api.get("/nodes/" + name(cluster.nodes[1].name))
            return (node["io_write_count"] > 0 and node["io_write_bytes"] > 500000 and node["io_sync_count"] > 0
                    and node["io_sync_avg_time"] > 0 and node["mnesia_disk_tx_count"] > 0)

        kit.wait_for("figures of storage", stored)
        leader = api.get("/queues/%2F/q")["leader"]
        memory = api.get(f"/nodes/{name(leader)}/memory")["memory"]
        kit.check(memory["binary"] >= 500000 and memory["quorum_queue_procs"] > 0, f"memory: {memory}")
        parts = sum(value for key, value in memory.items() if key not in ("strategy", "total"))
        kit.check_equal(parts, memory["total"]["rss"], "memory is told once")
        kit.check_equal(api.get(f"/nodes/{name(leader)}/memory/relative")["memory"]["total"], 100, "relative")
        kit.kill(cluster.nodes[2])
        kit.wait_for("a node that does not run", lambda: [n["running"] for n in api.get("/nodes")] == [True, True, False])


def test_single_active_consumer():
    """Which consumer is the single active one is shown by every node, and follows when it goes"""
    with kit.cluster() as cluster, kit.connected(cluster.nodes[0]) as first, kit.connected(cluster.nodes[1]) as second:
        kit.declare(first, "one", arguments={"x-single-active-consumer": True})
        first.call(1, "basic.consume", queue="one", consumer_tag="first")
        second.call(1, "basic.consume", queue="one", consumer_tag="second")
        api = Api(cluster.nodes[2])

        def shown():
            return sorted((c["consumer_tag"], c["active"], c["activity_status"]) for c in api.get("/consumers"))

        kit.wait_for("two consumers", lambda: shown() == [("first", True, "single_active"), ("second", False, "waiting")])
        kit.wait_for("the same of the queue", lambda: [api.get("/queues/%2F/one").get(key) for key in (
            "single_active_consumer_tag", "active_consumers", "consumers")] == ["first", 1, 2])
        first.call(1, "basic.cancel", consumer_tag="first")
        kit.wait_for("the other one", lambda: shown() == [("second", True, "single_active")])


@kit.limit(240)
def test_fields_of_queues():
    """Owner, idleness, priorities, memory, capacity and the oldest message's time of a queue, whichever node is asked"""
    with kit.cluster(settings={"checkpoint.log_bytes": "64KiB"}) as cluster, kit.connected(cluster.nodes[0]) as connection:
        api, other = Api(cluster.nodes[0]), Api(cluster.nodes[2])
        kit.declare(connection, "mine", exclusive=True)
        kit.declare(connection, "levels", arguments={"x-max-priority": 3})
        for priority, count in ((0, 2), (3, 5)):
            for _ in range(count):
                api.post("/exchanges/%2F/amq.default/publish", {
                    "properties": {"priority": priority, "timestamp": 1700000000 + priority}, "routing_key": "levels",
                    "payload": "x", "payload_encoding": "string"})
        owner = {key: api.get("/connections")[0][key] for key in ("name", "peer_host", "peer_port")}
        kit.check_equal(other.get("/queues/%2F/mine")["owner_pid_details"], owner, "owner, asked of another node")
        listed = {q["name"]: q for q in other.get("/queues")}
        kit.check_equal((listed["mine"]["owner_pid_details"], "owner_pid_details" in listed["levels"]), (owner, False), "in a list")
        kit.check(all("owner_token" not in q for q in listed.values()), "an inner number is shown")

        kit.wait_for("seven messages", lambda: other.get("/queues/%2F/levels")["messages"] == 7)
        queue = other.get("/queues/%2F/levels")
        kit.check_equal((queue["backing_queue_status"]["priority_lengths"], queue["backing_queue_status"]["len"]),
                        ({"0": 2, "1": 0, "2": 0, "3": 5}, 7), "backing queue")
        kit.check_equal(queue["head_message_timestamp"], 1700000003, "time of the first message")
        kit.check_equal((queue["messages_ram"], queue["message_bytes_ram"], queue["messages_paged_out"]), (7, 7, 0), "in memory")
        kit.check(queue["memory"] > 7, f"memory: {queue['memory']}")
        connection.call(1, "basic.consume", queue="levels", consumer_tag="idle", no_ack=True)
        kit.wait_for("capacity of a queue whose consumer waits",
                     lambda: other.get("/queues/%2F/levels")["consumer_capacity"] > 0, timeout=60)
        kit.wait_for("an idle queue", lambda: "idle_since" in api.get("/queues/%2F/levels"), timeout=60)
        kit.wait_for("an idle channel", lambda: "idle_since" in other.get("/channels")[0], timeout=60)
        kit.check(api.get("/queues/%2F/levels")["idle_since"].endswith("+00:00"), "form of idle_since")
        kit.publish(connection, "levels", kit.numbered(1))
        kit.wait_for("a queue that works again", lambda: "idle_since" not in api.get("/queues/%2F/levels"), timeout=60)


@kit.limit(240)
def test_disk_reads_and_writes():
    """message_stats count what checkpoints write to segments, and what deliveries read from there"""
    with kit.cluster(nodes=1, settings={"checkpoint.log_bytes": "64KiB"}) as cluster, kit.connected(cluster.nodes[0]) as connection:
        api = Api(cluster.nodes[0])
        kit.declare(connection, "deep")
        kit.publish(connection, "deep", [b"x" * 2000] * 500)
        kit.wait_for("writes", lambda: api.get("/queues/%2F/deep")["message_stats"]["disk_writes"] > 0, timeout=60)
        queue = kit.wait_for("messages in segments alone", lambda: (q := api.get("/queues/%2F/deep"))["messages_paged_out"] > 0
                             and q, timeout=60)
        kit.check_equal(queue["messages_ram"] + queue["messages_paged_out"], 500, "in memory and not")
        for _ in range(500):
            connection.call(1, "basic.get", queue="deep", no_ack=True)
        kit.wait_for("reads", lambda: api.get("/queues/%2F/deep")["message_stats"]["disk_reads"] > 0)
