"""Who a node says it is, who a client says it is, and an answer that finds its way back through another node."""

import kit
from http_api import Api


def test_product_and_version_are_what_the_configuration_says():
    """product.name and product.version reach clients and the API; Warren is named beside them"""
    with kit.cluster(nodes=1, settings={"product.name": "Lapin", "product.version": "4.1.9"}) as cluster:
        with kit.connected(cluster.nodes[0]) as connection:
            told = connection.server_properties
            kit.check_equal((told["product"], told["version"]), ("Lapin", "4.1.9"), "server properties")
            kit.check("Warren" in told["information"], f"Warren is not named in {told}")
        overview = Api(cluster.nodes[0]).get("/overview")
        kit.check_equal((overview["product_name"], overview["product_version"]), ("Lapin", "4.1.9"), "overview")


def test_cluster_name():
    """The cluster is called as configured until somebody says otherwise: clients, links and the API are told the new name"""
    with kit.cluster(nodes=2, settings={"cluster.name": "old", "cluster_tags.region": "eu", "cluster_tags.tier": "2"}) as cluster:
        apis = [Api(node) for node in cluster.nodes]
        kit.check_equal(apis[0].get("/overview")["cluster_tags"], {"region": "eu", "tier": "2"}, "cluster tags")
        with kit.connected(cluster.nodes[0]) as connection:
            kit.check_equal(connection.server_properties["cluster_name"], "old", "as configured")
        apis[0].put("/cluster-name", {"name": "new"}, expect=204)
        with kit.connected(cluster.nodes[1]) as connection:
            kit.check_equal(connection.server_properties["cluster_name"], "new", "as set")
            for queue in ("from", "to"):
                kit.declare(connection, queue)
            apis[1].put("/parameters/shovel/%2F/s", {"value": {"src-uri": "amqp://", "src-queue": "from",
                                                               "dest-uri": "amqp://", "dest-queue": "to",
                                                               "add-forward-headers": True}})
            kit.publish(connection, "from", [b"one"])
            message = kit.wait_for("the message", lambda: kit.get(connection, "to"))
            kit.check_equal(message.properties["headers"]["x-shovelled"][0]["shovelled-by"], "new", "shovelled-by")


def test_client_properties_are_kept_and_shown():
    """What a client says of itself is in the listing of every node"""
    with kit.cluster() as cluster, kit.connected(cluster.nodes[0], name="till 7"):
        shown, = Api(cluster.nodes[1]).get("/connections")
        properties = shown["client_properties"]
        kit.check_equal((properties["product"], properties["connection_name"], shown["user_provided_name"]),
                        ("warren-scripts", "till 7", "till 7"), "client properties")
        kit.check_equal(properties["capabilities"]["consumer_cancel_notify"], True, "capabilities")


def test_direct_reply_from_another_node():
    """Direct reply-to: the server sits on another node than the client, and the leader of the request queue dies between"""
    with kit.cluster() as cluster, kit.connected(cluster.nodes[0]) as client, kit.connected(cluster.nodes[1]) as server:
        requests, leader = kit.queue_led_by(cluster, client, "requests", [cluster.nodes[2]])
        client.call(1, "basic.consume", queue="amq.rabbitmq.reply-to", no_ack=True)
        server.call(1, "basic.consume", queue=requests, no_ack=True)
        for number in range(3):
            client.publish(1, "", requests, b"%d" % number, reply_to="amq.rabbitmq.reply-to", correlation_id=str(number))
            request = delivery(server, client)
            server.publish(1, "", request.properties["reply_to"], b"answer " + request.body, correlation_id=request.properties["correlation_id"])
            reply = delivery(client, server)
            kit.check_equal((reply.body, reply.properties["correlation_id"]), (b"answer %d" % number, str(number)), "reply")
            if number == 1:
                kit.kill(leader)


def delivery(receiver, sender):
    """What arrives next; the sender's bytes leave while it is polled."""
    def look():
        sender.poll(0)
        event = receiver.poll(0.05)
        return event if event is not None and event.name == "basic.deliver" else None
    return kit.wait_for("a delivery", look)
