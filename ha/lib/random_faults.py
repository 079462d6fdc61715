"""What the random drill breaks: one thing after the other, chosen by a seed, and mended again after a while."""

import random
import signal
import time

from cluster_node import kill

HOLD = (1.0, 5.0)       # seconds that the damage lasts when nobody says


class RandomFaults:
    """Breaks one thing after the other, chosen by the seed. Without namespaces there are no partitions."""

    def __init__(self, cluster, namespaces, seed, say):
        self.cluster, self.namespaces, self.say = cluster, namespaces, say
        self.random = random.Random(seed)
        self.verbs = ["kill", "pause"] + (["halves", "ring", "one_alone"] * 2 if namespaces else [])
        self.counts = {}

    def round(self, hold):
        verb = self.random.choice(self.verbs)
        self.counts[verb] = self.counts.get(verb, 0) + 1
        getattr(self, verb)(hold if hold is not None else self.random.uniform(*HOLD))

    def some(self):
        """Nodes that a majority can do without, or now and then all."""
        nodes = self.cluster.nodes
        most = len(nodes) if self.random.random() < 0.15 else (len(nodes) - 1) // 2
        return self.random.sample(nodes, self.random.randint(1, max(most, 1)))

    def kill(self, hold):
        nodes = self.some()
        self.say(f"kill -9 of {names(nodes)}, for {hold:.1f} s")
        kill(nodes)
        time.sleep(hold)
        for node in nodes:
            node.start()

    def pause(self, hold):
        nodes = self.some()
        self.say(f"SIGSTOP of {names(nodes)}, for {hold:.1f} s")
        try:
            for node in nodes:
                node.process.send(signal.SIGSTOP)
            time.sleep(hold)
        finally:
            for node in nodes:
                node.process.send(signal.SIGCONT)

    def halves(self, hold):
        numbers = [node.number for node in self.cluster.nodes]
        self.random.shuffle(numbers)
        half = len(numbers) // 2
        self.part([(one, other) for one in numbers[:half] for other in numbers[half:]], hold,
                  f"{numbers[:half]} and {numbers[half:]} are parted")

    def one_alone(self, hold):
        node = self.random.choice(self.cluster.nodes)
        self.part([(node.number, other.number) for other in self.cluster.nodes if other is not node], hold, f"{node.name} is alone")

    def ring(self, hold):
        """Each node reaches its neighbours only: everyone sees a majority, nobody the same one. Of three nodes two are parted."""
        numbers = [node.number for node in self.cluster.nodes]
        self.random.shuffle(numbers)
        size, reach = len(numbers), max((len(numbers) // 2) // 2, 1)
        cuts = [(numbers[a], numbers[b]) for a in range(size) for b in range(a) if min(a - b, size - (a - b)) > reach]
        self.part(cuts or [(numbers[0], numbers[1])], hold, f"overlapping majorities, a ring of {numbers}")

    def part(self, pairs, hold, words):
        self.say(f"{words}, for {hold:.1f} s")
        for one, other in pairs:
            self.namespaces.cut(one, other)
        try:
            time.sleep(hold)
        finally:
            self.namespaces.heal()


def names(nodes):
    return ", ".join(sorted(node.name for node in nodes))
