"""The firehose: copies of what is published and delivered in a vhost that is traced."""

import kit
from http_api import Api


def test_firehose():
    """With tracing, publishes and deliveries of all nodes are copied to amq.rabbitmq.trace, with RabbitMQ's keys and headers"""
    with kit.cluster() as cluster, kit.connected(cluster.nodes[0]) as publisher, kit.connected(cluster.nodes[1]) as consumer:
        api = Api(cluster.nodes[2])

        def messages(queue):
            return api.get("/queues/%2F/" + queue)["messages"]

        kit.declare(publisher, "q")
        kit.declare(publisher, "traces")
        publisher.call(1, "queue.bind", queue="traces", exchange="amq.rabbitmq.trace", routing_key="#")
        publisher.call(1, "queue.bind", queue="q", exchange="amq.topic", routing_key="a.*")
        kit.publish(publisher, "a.b", [b"before"], exchange="amq.topic")
        api.put("/vhosts/%2F", {"tracing": True}, expect=204)
        kit.check_equal(api.get("/vhosts/%2F")["tracing"], True, "shown")
        kit.publish(publisher, "a.b", [b"traced"], exchange="amq.topic")
        api.post("/exchanges/%2F/amq.topic/publish", {"properties": {}, "routing_key": "nobody", "payload": "lost",
                                                      "payload_encoding": "string"})
        consumer.call(1, "basic.consume", queue="q", consumer_tag="c", no_ack=True)
        kit.wait_for("four copies", lambda: messages("traces") == 4)

        copies = api.post("/queues/%2F/traces/get", {"count": 10, "ackmode": "ack_requeue_false", "encoding": "auto"}).json
        found = {(copy["routing_key"], copy["payload"]): copy["properties"]["headers"] for copy in copies}
        kit.check_equal(sorted(found), [("deliver.q", "before"), ("deliver.q", "traced"), ("publish.amq.topic", "lost"),
                                        ("publish.amq.topic", "traced")], "copies")
        published = found["publish.amq.topic", "traced"]
        kit.check_equal([published[key] for key in ("exchange_name", "routing_keys", "routed_queues", "vhost", "user", "channel",
                                                    "node")],
                        ["amq.topic", ["a.b"], ["q"], "/", "guest", 1, cluster.nodes[0].name], "headers of a publish")
        kit.check_equal(published["properties"]["delivery_mode"], 2, f"properties: {published}")
        kit.check(" -> " in published["connection"], f"connection: {published}")
        delivered = found["deliver.q", "before"]
        kit.check_equal([delivered[key] for key in ("redelivered", "exchange_name", "routing_keys", "node")],
                        [0, "amq.topic", ["a.b"], cluster.nodes[1].name], "headers of a delivery")
        kit.check_equal(found["publish.amq.topic", "lost"]["routed_queues"], [], "queues of what nobody wanted")
        kit.wait_for("no copies of copies", lambda: messages("traces") == 0)

        api.put("/vhosts/%2F", {"tracing": False}, expect=204)
        kit.publish(publisher, "a.b", [b"after"], exchange="amq.topic")
        kit.wait_for("what came after it", lambda: messages("q") == 0)
        kit.check_equal(messages("traces"), 0, "copies without tracing")
