"""Alarms: a node short of disk stops publishers of the whole cluster before anything is lost; consumers go on."""

import os
import shutil
import tempfile

import kit

START_ROOM = 1 << 30  # what a starting cluster may take
BALLAST = 2 << 30


def alarmed(node):
    return kit.metric(node, "rabbitmq_alarms_free_disk_space_watermark") > 0


@kit.alone
def test_low_disk_blocks_publishers():
    """Low disk: connection.blocked to who publishes, consumers drain, publishers go on when there is room again"""
    room = shutil.disk_usage(tempfile.gettempdir()).free
    if room < BALLAST + 2 * START_ROOM:
        raise kit.Skip("the disk has too little room for a test that fills some")
    with kit.cluster(settings={"disk_free_limit.absolute": room - START_ROOM}) as cluster, \
            kit.connected(cluster.nodes[0]) as publisher, kit.connected(cluster.nodes[1]) as consumer:
        kit.declare(publisher, "alarmed")
        kit.publish(publisher, "alarmed", kit.numbered(50))
        ballast = cluster.dir / "ballast"
        with open(ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, BALLAST)
        kit.wait_for("every node sees low disk", lambda: all(alarmed(node) for node in cluster.nodes))
        books = kit.Publisher(publisher)
        books.send("alarmed", b"waits")
        kit.wait_for("connection.blocked", lambda: publisher.poll(0.05) or publisher.blocked)
        kit.check(publisher.poll(1) is None, "a publish was answered during the alarm")
        kit.check_equal(kit.bodies_of(kit.consume(consumer, "alarmed", 50)), kit.numbered(50), "consumed during the alarm")
        ballast.unlink()
        kit.wait_for("connection.unblocked", lambda: books.take(0.05) or not publisher.blocked)
        books.settle()
        kit.check_equal(books.confirmed, [b"waits"], "confirmed after the alarm")
        kit.check_equal(kit.bodies_of(kit.consume(consumer, "alarmed", 1)), [b"waits"], "consumed after the alarm")


def test_publisher_leaves_during_an_alarm():
    """A publisher without heartbeats that leaves while it is blocked, and has filled what is read, is not listed any more"""
    with kit.cluster(1) as cluster:
        node = cluster.nodes[0]
        node.change("PUT", "/api/this-node/limits", body={"vm_memory_high_watermark": {"absolute": 1000000}})
        kit.wait_for("the alarm", lambda: kit.metric(node, "rabbitmq_alarms_memory_used_watermark") > 0)
        publisher = kit.connect(node, heartbeat=0)
        books = kit.Publisher(publisher)
        for _ in range(8):  # more than the node keeps of a client that waits, less than the kernel takes
            books.send("anywhere", bytes(64 << 10))
        publisher.flush()
        kit.wait_for("connection.blocked", lambda: publisher.poll(0.05) or publisher.blocked)
        kit.wait_for("the connection is listed", lambda: [each["state"] for each in node.get_json("/api/connections")] != [])
        publisher.abort()
        kit.wait_for("the connection is gone", lambda: node.get_json("/api/connections") == [])
