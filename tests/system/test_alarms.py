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
