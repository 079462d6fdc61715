"""Series of samples: what queues, exchanges, connections, channels, vhosts, nodes and the cluster did in the past."""

import kit
from http_api import Api, name

RANGES = "msg_rates_age=60&msg_rates_incr=5&lengths_age=60&lengths_incr=5&data_rates_age=60&data_rates_incr=5"


def check_series(details, incr, what):
    """Newest first, one increment apart; the averages fit. Returns the values, oldest first."""
    samples = details["samples"]
    times = [sample["timestamp"] for sample in samples]
    kit.check(samples and all(time % (incr * 1000) == 0 for time in times), f"{what}: {details}")
    kit.check_equal([a - b for a, b in zip(times, times[1:])], [incr * 1000] * (len(times) - 1), f"{what}: distances")
    values = [sample["sample"] for sample in reversed(samples)]
    kit.check(abs(details["avg"] - sum(values) / len(values)) < 0.01, f"{what}: avg of {details}")
    expected = (values[-1] - values[0]) / ((len(values) - 1) * incr) if len(values) > 1 else 0
    kit.check(abs(details["avg_rate"] - expected) < 0.01, f"{what}: avg_rate of {details}")
    return values


@kit.limit(240)
def test_of_all_things():
    """?msg_rates_age and its like give series of samples of everything, whichever node is asked; cluster's are sums"""
    with kit.cluster() as cluster, kit.connected(cluster.nodes[0]) as connection:
        api = Api(cluster.nodes[1])
        kit.declare(connection, "busy")
        connection.call(1, "queue.bind", queue="busy", exchange="amq.fanout", routing_key="")
        publisher = kit.Publisher(connection)

        def send_until(what, path, counter):
            def grown():
                for _ in range(10):
                    publisher.send("busy", b"x", "amq.fanout")
                publisher.settle()
                details = counter(api.get(f"{path}?{RANGES}"))
                values = [sample["sample"] for sample in details.get("samples", [])]
                return len(values) > 2 and values[0] > values[-1]
            kit.wait_for(what, grown, timeout=60)
            return check_series(counter(api.get(f"{path}?{RANGES}")), 5, what)

        peer = name(api.get("/connections")[0]["name"])
        channel = name(api.get("/channels")[0]["name"])
        values = send_until("messages of the queue", "/queues/%2F/busy", lambda q: q["messages_details"])
        kit.check(values == sorted(values), f"a queue that only grows: {values}")
        for path, counter in (("/queues/%2F/busy", lambda q: q["message_stats"]["publish_details"]),
                              ("/overview", lambda o: o["message_stats"]["publish_details"]),
                              ("/overview", lambda o: o["queue_totals"]["messages_details"]),
                              ("/vhosts/%2F", lambda v: v["messages_details"]),
                              ("/vhosts/%2F", lambda v: v["message_stats"]["publish_details"]),
                              ("/exchanges/%2F/amq.fanout", lambda x: x["message_stats"]["publish_out_details"]),
                              ("/connections/" + peer, lambda c: c["recv_oct_details"]),
                              ("/channels/" + channel, lambda c: c["message_stats"]["publish_details"])):
            send_until(path, path, counter)
        other = api.get("/queues/%2F/busy?msg_rates_age=20&msg_rates_incr=10")
        kit.check(len(check_series(other["message_stats"]["publish_details"], 10, "another increment")) <= 3, other)
        kit.check("samples" not in other["messages_details"], "samples that nobody asked for")
        node = api.get(f"/nodes/{name(cluster.nodes[2].name)}?node_stats_age=60&node_stats_incr=5")
        for figure in ("mem_used", "fd_used", "disk_free", "context_switches", "connection_created"):
            values = check_series(node[figure + "_details"], 5, figure)
            kit.check(figure == "connection_created" or values[-1] > 0, f"{figure}: {values}")
        for wrong in ("lengths_age=60&lengths_incr=0", "lengths_age=-1&lengths_incr=1", "msg_rates_age=x&msg_rates_incr=5",
                      "data_rates_age=100000000&data_rates_incr=1"):
            api("GET", "/queues?" + wrong, expect=400)


def test_retention_and_modes():
    """Policies of the configuration say which spans are kept; with rates_mode none there are counters without rates"""
    settings = {"management.sample_retention_policies.global.minute": 5, "management.sample_retention_policies.global.hour": 120,
                "management.sample_retention_policies.detailed.10": 5}
    with kit.cluster(nodes=1, settings=settings) as cluster:
        shown = Api(cluster.nodes[0]).get("/overview")
        kit.check_equal((shown["sample_retention_policies"], shown["rates_mode"]),
                        ({"global": [600, 3600], "basic": [600, 3600], "detailed": [10]}, "basic"), "spans")
    with kit.cluster(nodes=1, settings={"management.rates_mode": "none"}) as cluster, \
            kit.connected(cluster.nodes[0]) as connection:
        api = Api(cluster.nodes[0])
        kit.declare(connection, "q")
        kit.publish(connection, "q", kit.numbered(4))
        queue = api.get(f"/queues/%2F/q?{RANGES}")
        kit.check_equal((queue["message_stats"]["publish"], "publish_details" in queue["message_stats"],
                         "messages_details" in queue), (4, False, False), "a queue without rates")
        kit.check_equal(api.get("/overview")["rates_mode"], "none", "overview")
        kit.check_equal(api.get("/nodes")[0]["rates_mode"], "none", "node")


def test_detailed_rates():
    """rates_mode detailed: which exchange a queue gets messages from and which channel takes them, over all nodes"""
    with kit.cluster(settings={"management.rates_mode": "detailed"}) as cluster, \
            kit.connected(cluster.nodes[0]) as publisher, kit.connected(cluster.nodes[1]) as consumer:
        api = Api(cluster.nodes[2])
        kit.declare(publisher, "q")
        publisher.call(1, "queue.bind", queue="q", exchange="amq.fanout", routing_key="")
        kit.publish(publisher, "", kit.numbered(20), exchange="amq.fanout")
        kit.publish(consumer, "", kit.numbered(5), exchange="amq.fanout")  # from another node
        consumer.call(1, "basic.consume", queue="q", consumer_tag="c", no_ack=True)
        kit.wait_for("an empty queue", lambda: api.get("/queues/%2F/q")["messages"] == 0)
        names = {c["connection_details"]["name"]: c["name"] for c in api.get("/channels")}

        def counted():
            """The queue is empty before its last messages are written to the client."""
            queue = api.get("/queues/%2F/q")
            return sum(one["stats"]["deliver_no_ack"] for one in queue["deliveries"]) == 25 and queue

        queue = kit.wait_for("25 deliveries", counted)
        kit.check_equal([(i["exchange"], i["stats"]["publish"]) for i in queue["incoming"]],
                        [({"name": "amq.fanout", "vhost": "/"}, 25)], "incoming")
        taken, = queue["deliveries"]
        kit.check_equal((taken["stats"]["deliver_no_ack"], taken["stats"]["deliver_get"], taken["channel_details"]["name"] in
                         names.values()), (25, 25, True), "deliveries")
        exchange = api.get("/exchanges/%2F/amq.fanout")
        kit.check_equal(sorted(i["stats"]["publish"] for i in exchange["incoming"]), [5, 20], "incoming of the exchange")
        kit.check_equal([(o["queue"]["name"], o["stats"]["publish"]) for o in exchange["outgoing"]], [("q", 25)], "outgoing")
        channel = api.get("/channels/" + name(taken["channel_details"]["name"]))
        kit.check_equal(([p["stats"]["publish"] for p in channel["publishes"]],
                         [(d["queue"]["name"], d["stats"]["deliver_no_ack"]) for d in channel["deliveries"]]),
                        ([5], [("q", 25)]), "of the consuming channel")

        def rate():
            kit.publish(publisher, "", kit.numbered(20), exchange="amq.fanout")
            return api.get("/queues/%2F/q")["incoming"][0]["stats"].get("publish_details", {"rate": 0})["rate"] > 0
        kit.wait_for("a rate of what comes in", rate, timeout=60)
    with kit.cluster(nodes=1) as cluster:
        api = Api(cluster.nodes[0])
        api.put("/queues/%2F/q")
        api.post("/exchanges/%2F/amq.default/publish", {"properties": {}, "routing_key": "q", "payload": "x",
                                                        "payload_encoding": "string"})
        queue = api.get("/queues/%2F/q")
        kit.check_equal((queue["incoming"], queue["deliveries"]), ([], []), "in basic mode")
        kit.wait_for("what came by HTTP", lambda: api.get("/overview")["message_stats"]["publish"] == 1)
        kit.check_equal(api.get("/exchanges/%2F/amq.default")["message_stats"]["publish_in"], 1, "of the exchange")
        churn = api.get("/overview")["churn_rates"]
        kit.check_equal((churn["connection_created"], churn["channel_created"]), (0, 0), "connections of the API")
