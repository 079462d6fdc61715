"""The verbs of ha/cluster that change who is a member, and what a member does."""

import time

from cluster import Cluster
from cluster_node import Problem

READY_TIMEOUT = 60.0
MOVE_TIMEOUT = 600.0


def join(options, say):
    cluster = Cluster(options.dir)
    cluster.lock()
    node = cluster.add_node()
    say(f"{node.name} starts, and asks to be a member")
    node.start()
    cluster.wait_ready(READY_TIMEOUT, [node.number], say)
    cluster.wait_settled(MOVE_TIMEOUT, progress=say)
    if cluster.with_haproxy:
        cluster.start_haproxy()
    print(node.number)


def leave(options, say):
    cluster = Cluster(options.dir)
    cluster.lock()
    node = cluster.node(options.node)
    cluster.helper(node.number).change("POST", f"/api/cluster/members/{node.number}/leave")
    say(f"{node.name} leaves: its replicas move to other nodes")
    limit = time.monotonic() + MOVE_TIMEOUT
    while node.process.pid() is not None:
        if time.monotonic() > limit:
            raise Problem(f"{node.name} has not stopped after {MOVE_TIMEOUT:.0f} s; see ha/cluster logs {node.number}")
        time.sleep(0.2)
    say(f"{node.name} has stopped; its number is not used again")
    cluster.remove_node(node.number)
    if cluster.with_haproxy:
        cluster.start_haproxy()


def forget(options, say):
    cluster = Cluster(options.dir)
    cluster.lock()
    node = cluster.node(options.node)
    cluster.helper(node.number).change("DELETE", f"/api/cluster/members/{node.number}")
    cluster.remove_node(node.number)
    cluster.wait_settled(MOVE_TIMEOUT, progress=say)
    say(f"{node.name} is forgotten")
    if cluster.with_haproxy:
        cluster.start_haproxy()


def maintain(options, say):
    cluster = Cluster(options.dir)
    node = cluster.node(options.node)
    cluster.helper(0).change("POST", f"/api/cluster/members/{node.number}/{options.verb}")
    limit = time.monotonic() + READY_TIMEOUT
    while options.verb == "drain" and any(group["leader"] == node.number
                                          for group in cluster.helper(node.number).get_json("/api/cluster/groups")):
        if time.monotonic() > limit:
            raise Problem(f"{node.name} still leads something after {READY_TIMEOUT:.0f} s")
        time.sleep(0.2)
    say(f"{node.name} leads nothing; stop it, or ha/cluster revive {node.number}" if options.verb == "drain" else
        f"{node.name} is back; leaders return within the next minute")


VERBS = {"join": join, "leave": leave, "forget": forget, "drain": maintain, "revive": maintain}
