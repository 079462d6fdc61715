"""The real HAProxy in front: one master with backups, and what the health checks say."""

import signal
import time

import amqp
import kit


def opened(node):
    return kit.metric(node, "rabbitmq_connections_opened_total")


def connect_anew(cluster, timeout=10):
    """A client that connects again until it gets through, as every client does."""
    return kit.wait_for("a client gets through HAProxy", lambda: kit.connect(cluster.addresses()[0], timeout=2), timeout)


def test_master_dies_clients_find_their_queues_on_the_backup():
    """mode warren: the master is killed, clients land on the backup with queues and messages; the master returns"""
    with kit.cluster(haproxy=True, mode="warren") as cluster:
        master, backup, last = cluster.nodes
        client = connect_anew(cluster)
        kit.declare(client, "work")
        kit.publish(client, "work", kit.numbered(100))
        before = opened(master)
        kit.check(opened(backup) == 0 and opened(last) == 0 and before >= 1, "clients were not all on the master")
        kit.kill(master)
        began = time.monotonic()
        try:
            while client.poll(5):
                pass
            raise AssertionError("the connection to the dead master is still there")
        except amqp.Closed:
            pass
        client = connect_anew(cluster)
        print(f"a client was served again after {time.monotonic() - began:.2f} s")
        kit.check(opened(backup) >= 1 and opened(last) == 0, "clients are not all on the first backup")
        kit.check_equal(kit.declare(client, "work", passive=True).fields["message_count"], 100, "messages on the backup")
        kit.publish(client, "work", kit.numbered(10, "after"))
        kit.check_equal(kit.bodies_of(kit.consume(client, "work", 60)), kit.numbered(60), "messages in order")

        kit.start(cluster, master)

        def is_back():
            with kit.connected(cluster.addresses()[0]):
                return opened(master) > 0
        kit.wait_for("new clients go to the master again", is_back)
        # The client on the backup stays there and loses nothing.
        kit.check_equal(kit.bodies_of(kit.consume(client, "work", 50)), kit.numbered(100)[60:] + kit.numbered(10, "after"),
                        "the rest, over the connection to the backup")
        client.close()


def test_master_that_hangs_is_left():
    """mode warren: a master that hangs loses its clients to the backup within seconds"""
    with kit.cluster(haproxy=True, mode="warren") as cluster:
        master = cluster.nodes[0]
        client = connect_anew(cluster)
        kit.declare(client, "work")
        kit.publish(client, "work", kit.numbered(10))
        master.process.send(signal.SIGSTOP)
        try:
            began = time.monotonic()
            try:
                while time.monotonic() < began + 10:
                    client.poll(0.5)
                raise AssertionError("HAProxy leaves the client with a node that hangs")
            except amqp.Closed:
                pass
            client = connect_anew(cluster)
            kit.publish(client, "work", kit.numbered(10))
            print(f"served again after {time.monotonic() - began:.2f} s")
            client.close()
        finally:
            master.process.send(signal.SIGCONT)
        cluster.wait_ready(20)


def test_health_checks_tell_the_truth():
    """/health/live, ready and leader: 200 or 503 with a reason, without credentials"""
    with kit.cluster() as cluster:
        codes = [[node.get(f"/health/{check}")[0] for check in ("live", "ready", "leader")] for node in cluster.nodes]
        kit.check_equal([code[:2] for code in codes], [[200, 200]] * 3, "live and ready of all nodes")
        kit.check_equal(sorted(code[2] for code in codes), [200, 503, 503], "leader of the meta group")
        kit.check_equal(cluster.nodes[0].get("/health/nonsense")[0], 404, "an unknown check")
        survivor = cluster.nodes[0]
        kit.kill(*cluster.nodes[1:])

        def refuses():
            status, body = survivor.get("/health/ready")
            return status == 503 and b"majority" in body
        kit.wait_for("the survivor says that it sees no majority", refuses)
        kit.check_equal(survivor.get("/health/live")[0], 200, "live without a majority")
        kit.start(cluster, cluster.nodes[1])
        kit.check_equal(survivor.get("/health/ready")[0], 200, "ready with a majority again")
