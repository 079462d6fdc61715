"""Several threads per node work like one."""

import collections
import pathlib
import subprocess

import kit
import test_failover
from test_clients import SCRIPTS, python_with_pika

SHARDS = {"shards": 3}
QUEUES, EACH = 24, 100


def cpu_seconds(node):
    """CPU that each shard's thread has used, by its name."""
    used = {}
    for task in pathlib.Path(f"/proc/{node.process.pid()}/task").iterdir():
        name = (task / "comm").read_text().strip()
        if name.startswith("shard-"):
            used[name] = int((task / "schedstat").read_text().split()[0]) / 1e9
    return used


def test_one_client_over_all_groups():
    """shards = 3: one client with queues in all groups on all shards, in order, through a leader's death and a restart"""
    with kit.cluster(settings=SHARDS) as cluster:
        home = cluster.nodes[0]
        client = kit.connect(home)
        queues = [f"s.{at}" for at in range(QUEUES)]
        client.call(1, "exchange.declare", exchange="all", type="fanout", durable=True)
        for queue in queues:
            kit.declare(client, queue)
            client.call(1, "queue.bind", queue=queue, exchange="all")
        groups = {kit.queue_facts(home, queue)["group"] for queue in queues}
        kit.check({group % 3 for group in groups} == {0, 1, 2}, f"the queues' groups {groups} are not on all shards")
        books = kit.Publisher(client)
        victim = cluster.nodes[1]
        for at in range(EACH):
            if at == EACH // 2:
                kit.kill(victim)
            books.send("", b"all %d" % at, exchange="all")
            books.send(queues[at % QUEUES], b"one %d" % at)
            books.settle(50)
        books.settle()
        kit.check(not books.nacked and not books.returned, "something was nacked or returned")
        client.close()
        kit.start(cluster, victim)
        kit.kill(*cluster.nodes)
        kit.start(cluster, *cluster.nodes)
        with kit.connected(victim) as client:
            for number, queue in enumerate(queues):
                wanted = [body for at in range(EACH)
                          for body in [b"all %d" % at] + ([b"one %d" % at] if at % QUEUES == number else [])]
                kit.check_equal(kit.bodies_of(kit.consume(client, queue, len(wanted))), wanted, queue)


def test_restart_from_a_checkpoint_of_the_topology():
    """shards = 3: a node whose meta group has a checkpoint starts again, and all of its shards know the topology"""
    settings = {**SHARDS, "checkpoint.log_bytes": "64KiB"}
    queues = [f"topology.{at}" for at in range(QUEUES)]
    with kit.cluster(nodes=1, settings=settings) as cluster:
        node = cluster.nodes[0]
        with kit.connected(node) as client:
            for queue in queues:
                kit.declare(client, queue, arguments={"x-padding": "p" * 10000})
                kit.publish(client, queue, [queue.encode()])
        kit.wait_for("the meta group has a checkpoint", (node.dir / "data/groups/0/manifest").exists)
        kit.kill(node)
        kit.start(cluster, node)
        for _ in range(3):  # a connection on each shard
            with kit.connected(node) as client:
                for queue in queues:
                    kit.check_equal(kit.declare(client, queue, passive=True).fields["message_count"], 1, f"messages of {queue}")


def test_everyday_work_with_shards():
    """shards = 3: what an everyday client does (ttl, dead letters, headers, exclusive) crosses shards"""
    with kit.cluster(settings=SHARDS) as cluster:
        for node in cluster.nodes:
            result = subprocess.run([python_with_pika(), str(SCRIPTS / "pika_everyday.py"), node.host, str(node.amqp_port)],
                                    capture_output=True, text=True, timeout=30, check=False)
            kit.check(result.returncode == 0, f"{node.name}: {result.stdout}{result.stderr}")


def test_connections_spread_over_threads():
    """shards = 3: many connections load all threads of the node"""
    with kit.cluster(nodes=1, settings=SHARDS) as cluster:
        node = cluster.nodes[0]
        clients = [kit.connect(node) for _ in range(9)]
        for at, client in enumerate(clients):
            kit.declare(client, f"load.{at}")
        before = cpu_seconds(node)
        kit.check_equal(sorted(before), ["shard-0", "shard-1", "shard-2"], "threads")
        spread = collections.Counter(connection["shard"] for connection in node.get_json("/api/connections"))
        kit.check_equal(dict(spread), {0: 3, 1: 3, 2: 3}, "connections by shard")
        for _ in range(3):
            for at, client in enumerate(clients):
                kit.publish(client, f"load.{at}", [b"x" * 100] * 600, window=600)
        after = cpu_seconds(node)
        used = {name: after[name] - before[name] for name in before}
        print(used)
        kit.check(min(used.values()) * 5 > max(used.values()), f"CPU seconds by thread: {used}")
        for client in clients:
            client.close()


def test_consumers_keep_what_they_hold_with_shards():
    """shards = 3: a consumer goes on through a leader's death, nothing is redelivered"""
    test_failover.consumer_keeps_what_it_holds(SHARDS)
