"""Messages that leave their queue without an ack: what failures do to them on their way."""

import kit

SMALL_LOG = {"checkpoint.log_bytes": 65536, "cluster.groups": 4}


def leave_behind(cluster, count, arguments, **properties):
    """Publishes to queues whose messages die, while leaders die; then the whole cluster."""
    with kit.connected(cluster.nodes[0]) as connection:
        kit.declare(connection, "grave")
        kit.declare(connection, "source", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "grave", **arguments})
        kit.publish(connection, "source", kit.numbered(count), **properties)


def kill_both_leaders_and_all(cluster):
    for queue in ("source", "grave"):
        leader = cluster.leader(queue)
        kit.kill(leader)
        kit.wait_for(f"another node leads {queue}", lambda: cluster.leader(queue) is not leader, 20)
        kit.start(cluster, leader)
    kit.kill(*cluster.nodes)
    kit.start(cluster, *cluster.nodes)


def expect_each_once(cluster, count):
    with kit.connected(cluster.nodes[2]) as connection:
        kit.check_equal(kit.bodies_of(kit.consume(connection, "grave", count)), kit.numbered(count), "each message once and in order")
        kit.check(kit.get(connection, "grave") is None, "there was more than that")
        kit.wait_for("nothing is left behind", lambda: kit.queue_facts(cluster.nodes[0], "source")["messages"] == 0)


def test_rejected_messages_arrive_once():
    """Rejected messages are in the dead-letter queue once and in order, although leaders and then all nodes die meanwhile"""
    with kit.cluster(settings=SMALL_LOG) as cluster:
        leave_behind(cluster, 3000, {})
        with kit.connected(cluster.nodes[0]) as connection:
            connection.call(1, "basic.qos", prefetch_count=500)
            connection.call(1, "basic.consume", queue="source")
            for at in range(3000):
                event = connection.poll(20)
                if at % 500 == 499:
                    connection.send(1, "basic.nack", delivery_tag=event.fields["delivery_tag"], multiple=True, requeue=False)
            connection.flush()
        kill_both_leaders_and_all(cluster)
        expect_each_once(cluster, 3000)


def test_expired_messages_arrive_once():
    """The same of messages that expire while nodes die"""
    with kit.cluster(settings=SMALL_LOG) as cluster:
        leave_behind(cluster, 3000, {"x-message-ttl": 1500})
        kill_both_leaders_and_all(cluster)
        expect_each_once(cluster, 3000)
