"""What a drill breaks, and how it is mended again. Each fault takes the cluster, the queue whose leader is meant, and the seconds
that the damage lasts; it returns when the cluster is whole and serves."""

import signal
import time

from cluster_node import kill

READY_TIMEOUT = 60.0


class Faults:
    def __init__(self, cluster, namespaces, hold, say):
        self.cluster, self.namespaces, self.hold, self.say = cluster, namespaces, hold, say

    def inject(self, fault, queue):
        getattr(self, fault.replace("-", "_"))(queue)

    def none(self, _):
        time.sleep(self.hold)

    def kill_leader(self, queue):
        node = self.cluster.leader(queue)
        self.say(f"kill -9 {node.name}, leader of {queue}")
        kill([node])
        time.sleep(self.hold)
        self.bring_back([node])

    def kill_all(self, _):
        self.say("kill -9 of all nodes")
        kill(self.cluster.nodes)
        time.sleep(min(self.hold, 0.5))
        self.bring_back(self.cluster.nodes)

    def pause_leader(self, queue):
        node = self.cluster.leader(queue)
        self.say(f"SIGSTOP {node.name}, leader of {queue}, for {self.hold:g} s")
        node.process.send(signal.SIGSTOP)
        try:
            time.sleep(self.hold)
        finally:
            node.process.send(signal.SIGCONT)
        self.cluster.wait_ready(READY_TIMEOUT)

    def partition_leader(self, queue):
        node = self.cluster.leader(queue)
        self.say(f"{node.name}, leader of {queue}, is cut off from the other nodes for {self.hold:g} s")
        self.namespaces.isolate(node.number)
        try:
            time.sleep(self.hold)
        finally:
            self.namespaces.heal()
        self.cluster.wait_ready(READY_TIMEOUT)

    def rolling_restart(self, _):
        for node in self.cluster.nodes:
            self.say(f"restart of {node.name} in good order")
            node.process.send(signal.SIGTERM)
            if not node.process.wait_gone(READY_TIMEOUT):
                raise TimeoutError(f"{node.name} does not end after SIGTERM")
            self.bring_back([node])

    def bring_back(self, nodes):
        for node in nodes:
            node.start()
        self.cluster.wait_ready(READY_TIMEOUT)


FAULTS = ("kill-leader", "kill-all", "pause-leader", "partition-leader", "rolling-restart", "none")
# How long the damage lasts when nobody says: longer than an election, shorter than the time after which a silent node is given up.
HOLD = {"kill-leader": 2.0, "kill-all": 0.5, "pause-leader": 3.0, "partition-leader": 5.0, "rolling-restart": 0.0, "none": 2.0}
