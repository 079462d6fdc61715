"""Queues have as many replicas as their arguments and policies ask for, where they ask for them, and operators' orders count."""

import threading
import time

import kit
from test_membership import Load, QUEUES, check_nothing_lost, placements

SETTINGS = {"cluster.groups": 4, "checkpoint.log_bytes": "256KiB"}


def members(node, queue):
    """Numbers of the nodes that hold a replica of the queue."""
    return sorted(int(name.rsplit("node", 1)[1]) for name in kit.queue_facts(node, queue)["members"])


def set_policy(node, name, pattern, definition):
    node.change("PUT", f"/api/policies/%2F/{name}", {"pattern": pattern, "definition": definition, "apply-to": "queues"})


def wait_members(node, queue, count, timeout=40):
    return kit.wait_for(f"{queue} has {count} replicas",
                        lambda: (found := members(node, queue)) and len(found) == count and found, timeout=timeout)


def declare_sized(connection, queue, **arguments):
    kit.declare(connection, queue, arguments={key.replace("_", "-"): value for key, value in arguments.items()})


@kit.limit(120)
def test_arguments_say_how_many():
    """x-quorum-initial-group-size and its kin: 1, 5 and the usual 3 side by side, each used, and after a restart too"""
    with kit.cluster(nodes=5, settings=SETTINGS) as cluster:
        cluster.wait_settled(30)
        node = cluster.node(2)
        with kit.connected(node) as connection:
            kit.declare(connection, "usual")
            began = time.monotonic()
            declare_sized(connection, "one", x_quorum_initial_group_size=1)
            declare_sized(connection, "five", x_quorum_target_group_size=5)
            print(f"two spare groups began within {time.monotonic() - began:.1f} s")
            declare_sized(connection, "later", x_initial_cluster_size=7)
            for queue, count in (("usual", 3), ("one", 1), ("five", 5), ("later", 5)):
                kit.check_equal(len(members(node, queue)), count, f"replicas of {queue}")
                kit.publish(connection, queue, kit.numbered(50))
        for victim in cluster.nodes:
            kit.kill(victim)
        kit.start(cluster, *cluster.nodes)
        with kit.connected(node) as connection:
            for queue in ("usual", "one", "five", "later"):
                kit.check_equal(kit.bodies_of(kit.consume(connection, queue, 50)), kit.numbered(50), f"messages of {queue}")
        kit.kill(*[cluster.node(number) for number in (4, 5)])  # five replicas go on with three
        with kit.connected(node) as connection:
            kit.publish(connection, "five", kit.numbered(10))
