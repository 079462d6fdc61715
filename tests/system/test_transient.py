"""Queues and exchanges that are not durable: they live as long as any process of the cluster does."""

import kit


def declare_all(connection):
    for name, durable in (("durable", True), ("transient", False), ("again", False)):
        kit.declare(connection, name, durable=durable)
        connection.call(1, "exchange.declare", exchange=name, type="topic", durable=durable)
        connection.call(1, "queue.bind", queue=name, exchange="durable" if durable else name, routing_key="#")


def names(node, kind):
    return {item["name"] for item in node.get_json(f"/api/{kind}/%2F")} & {"durable", "transient", "again", "mine"}


def test_transient_ends_with_the_last_process():
    """Transient queues and exchanges survive nodes that restart one by one, and go when all nodes were down"""
    with kit.cluster() as cluster:
        with kit.connected(cluster.nodes[0]) as connection:
            declare_all(connection)
            kit.publish(connection, "transient", kit.numbered(10))
        everything = {"durable", "transient", "again"}
        for node in cluster.nodes:
            kit.kill(node)
            kit.start(cluster, node)
        for kind in ("queues", "exchanges"):
            kit.check_equal(names(cluster.nodes[0], kind), everything, f"{kind} after each node restarted")
        kit.check_equal(kit.queue_facts(cluster.nodes[2], "transient")["messages"], 10, "messages")

        owner = kit.connect(cluster.nodes[1])
        kit.declare(owner, "mine", exclusive=True)
        kit.check("mine" in names(cluster.nodes[0], "queues"), "no exclusive queue")
        kit.kill(*cluster.nodes)
        kit.start(cluster, *cluster.nodes)
        for kind in ("queues", "exchanges"):
            kit.wait_for(f"transient {kind} to go", lambda: names(cluster.nodes[1], kind) == {"durable"})
        with kit.connected(cluster.nodes[2]) as connection:
            declare_all(connection)
            found = kit.declare(connection, "transient", durable=False).fields["message_count"]
            kit.check_equal(found, 0, "messages of the queue before")


def test_transient_declared_again_stays():
    """After a restart of all, what a client declares again before the last node is back stays when it comes; the rest goes"""
    with kit.cluster(settings={"shards": 2}) as cluster:
        with kit.connected(cluster.nodes[0]) as connection:
            declare_all(connection)
        kit.kill(*cluster.nodes)
        first, second, last = cluster.nodes
        kit.start(cluster, first, second)
        with kit.connected(second) as connection:
            kit.declare(connection, "again", durable=False)
            connection.call(1, "exchange.declare", exchange="again", type="topic", durable=False)
            kit.check("transient" in names(first, "queues"), "it went although node 3 may still have been there")
            kit.start(cluster, last)
            for kind in ("queues", "exchanges"):
                kit.wait_for(f"transient {kind} to go", lambda: names(first, kind) == {"durable", "again"})
            kit.publish(connection, "again", [b"hello"])
            kit.check_equal(kit.bodies_of(kit.consume(connection, "again", 1)), [b"hello"], "delivered")
