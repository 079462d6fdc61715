"""ha/drill --fault random: Jepsen's queue workload. Clients on every node put and take numbers one at a time, while nodes are killed,
paused and parted from each other in an order that the seed gives. At the end all is healed and the queue is drained: each number whose
put was confirmed must have been taken, and nothing may be taken that nobody put.

A put that got no answer may have happened or not; it is not repeated, so that a number which comes twice came from the broker. A
number may come again only with the redelivered flag: its ack was on the way when a connection broke.
"""

import random
import signal
import threading
import time

import amqp

LOSSES = (OSError, amqp.Closed, amqp.ChannelClosed, amqp.TimedOut)
CLIENTS = 5
OPERATION_TIMEOUT = 5.0     # then the answer counts as unknown and the client connects again
HOLD, REST = (1.0, 5.0), (0.5, 2.0)
READY_TIMEOUT = 60.0
DRAIN_TIMEOUT = 90.0
EMPTY_IN_A_ROW = 3
EXAMPLES_MAX = 5


class Books:
    """What was tried and what came of it. Called by all clients; one lock."""

    def __init__(self):
        self.lock = threading.Lock()
        self.tried = 0
        self.put, self.unknown, self.refused = set(), set(), set()
        self.taken, self.again, self.unflagged, self.unexpected = set(), 0, [], []
        self.failures = 0

    def next_number(self):
        with self.lock:
            self.tried += 1
            self.unknown.add(self.tried)    # until its answer is there
            return self.tried

    def answered(self, number, confirmed):
        with self.lock:
            self.unknown.discard(number)
            (self.put if confirmed else self.refused).add(number)

    def take(self, number, redelivered):
        with self.lock:
            if not 1 <= number <= self.tried:
                self.unexpected.append(number)
            elif number not in self.taken:
                self.taken.add(number)
            elif redelivered:
                self.again += 1
            else:
                self.unflagged.append(number)

    def failed(self):
        with self.lock:
            self.failures += 1

    def report(self):
        lost = sorted(self.put - self.taken)
        return {"tried": self.tried, "put": len(self.put), "unknown": len(self.unknown), "refused": len(self.refused),
                "taken": len(self.taken), "recovered": len(self.unknown & self.taken), "lost": len(lost),
                "unexpected": len(self.unexpected), "duplicated_redelivered": self.again,
                "duplicated_unflagged": len(self.unflagged), "failed_operations": self.failures,
                "examples": {name: found[:EXAMPLES_MAX] for name, found in (
                    ("lost", lost), ("unexpected", self.unexpected), ("duplicated_unflagged", self.unflagged)) if found}}


class Client(threading.Thread):
    """One operation at a time, with one node: a put that waits for its confirm, or a take with its ack."""

    def __init__(self, name, address, queue, interval, seed, books):
        super().__init__(name=name, daemon=True)
        self.address, self.queue, self.interval, self.books = address, queue, interval, books
        self.random = random.Random(seed)
        self.stopping = threading.Event()
        self.done = 0       # operations that were answered

    def run(self):
        connection = None
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                connection = connection or self.connect()
                if self.random.random() < 0.5:
                    self.put(connection)
                else:
                    take(connection, self.queue, self.books)
                self.done += 1
            except LOSSES:
                self.books.failed()
                if connection:
                    connection.abort()
                connection = None
            self.stopping.wait(max(self.interval - (time.monotonic() - began), 0.002))
        if connection:
            connection.close()

    def connect(self):
        connection = amqp.Connection(*self.address, name=self.name, heartbeat=10, timeout=OPERATION_TIMEOUT)
        try:
            connection.open_channel(1)
            connection.call(1, "confirm.select", timeout=OPERATION_TIMEOUT)
        except BaseException:
            connection.abort()
            raise
        return connection

    def put(self, connection):
        number = self.books.next_number()
        connection.publish(1, "", self.queue, b"%d" % number, delivery_mode=2)
        limit = time.monotonic() + OPERATION_TIMEOUT
        while True:
            event = connection.poll(limit - time.monotonic())
            if event is None:
                raise amqp.TimedOut("no confirm")
            if event.name in ("basic.ack", "basic.nack"):
                self.books.answered(number, event.name == "basic.ack")
                return
            if event.name == "channel.close":
                raise amqp.ChannelClosed(event.fields["reply_code"], event.fields["reply_text"])


def take(connection, queue, books):
    """Takes one and acks it; False when the queue was empty."""
    got = connection.call(1, "basic.get", "basic.get-ok", "basic.get-empty", queue=queue, timeout=OPERATION_TIMEOUT)
    if got.name == "basic.get-empty":
        return False
    books.take(int(got.body), got.fields["redelivered"])
    connection.ack(1, got.fields["delivery_tag"])
    connection.flush(OPERATION_TIMEOUT)
    return True


class Nemesis:
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
        for node in nodes:
            node.process.send(signal.SIGKILL)
        for node in nodes:
            node.process.wait_gone(5)
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


def drain(cluster, queue, books):
    """Takes all that is left, through every node, until each has said more than once that nothing is there."""
    limit = time.monotonic() + DRAIN_TIMEOUT
    for node in cluster.nodes:
        empty = 0
        while empty < EMPTY_IN_A_ROW:
            try:
                connection = amqp.Connection(node.host, node.amqp_port, name="drill drain", timeout=OPERATION_TIMEOUT)
                try:
                    connection.open_channel(1)
                    while empty < EMPTY_IN_A_ROW:
                        empty = 0 if take(connection, queue, books) else empty + 1
                        time.sleep(0.1 if empty else 0)
                finally:
                    connection.close()
            except LOSSES:
                if time.monotonic() > limit:
                    raise
                time.sleep(0.1)


def run(cluster, namespaces, options, say):
    """The drill; gives the report."""
    seed = options.seed if options.seed is not None else random.randrange(1 << 31)
    say(f"seed {seed}" + ("" if namespaces else "; no partitions: they need a cluster in namespaces, and root"))
    queue, books, troubles = f"drill.random.{seed}", Books(), []
    began = time.monotonic()
    with_queue(cluster.nodes[0], "queue.declare", queue)
    clients = [Client(f"drill client {at + 1}", (node.host, node.amqp_port), queue, CLIENTS / options.rate, seed + at, books)
               for at, node in ((at, cluster.nodes[at % len(cluster.nodes)]) for at in range(CLIENTS))]
    nemesis = Nemesis(cluster, namespaces, seed, say)
    for client in clients:
        client.start()
    for _ in range(options.rounds):
        time.sleep(nemesis.random.uniform(*REST))
        nemesis.round(options.hold)
    cluster.wait_ready(READY_TIMEOUT)
    say("all is healed; every client must get answers again")
    before, limit = [client.done for client in clients], time.monotonic() + READY_TIMEOUT
    while any(client.done < old + 10 for client, old in zip(clients, before)) and time.monotonic() < limit:
        time.sleep(0.1)
    stuck = [client.name for client, old in zip(clients, before) if client.done < old + 10]
    if stuck:
        troubles.append(f"without answers after all was healed: {', '.join(stuck)}")
    for client in clients:
        client.stopping.set()
    for client in clients:
        client.join(2 * OPERATION_TIMEOUT + 5)
    say("draining")
    try:
        drain(cluster, queue, books)
        with_queue(cluster.nodes[0], "queue.delete", queue)
    except LOSSES as error:
        troubles.append(f"the queue could not be drained: {error}")
    result = {"fault": "random", "seed": seed, "rounds": options.rounds, "seconds": round(time.monotonic() - began, 1),
              "faults": nemesis.counts, **books.report()}
    result["broken_promises"] = [f"{name}: {result[name]}" for name in ("lost", "unexpected", "duplicated_unflagged")
                                 if result[name]] + troubles
    return result


def with_queue(node, method, queue):
    connection = amqp.Connection(node.host, node.amqp_port, name="drill")
    try:
        connection.open_channel(1)
        connection.call(1, method, queue=queue, **({"durable": True} if method == "queue.declare" else {}))
    finally:
        connection.close()


def print_report(result):
    print()
    for name, value in result.items():
        if isinstance(value, (int, float)):
            print(f"{name:<34}{value:>12}")
    print(f"{'faults':<34}{', '.join(f'{name} {count}' for name, count in sorted(result['faults'].items()))}")
    for promise in result["broken_promises"]:
        print(f"BROKEN: {promise}")
    for name, found in result["examples"].items():
        print(f"  {name}, for example: {', '.join(map(str, found))}")
    if not result["broken_promises"]:
        print(f"random, seed {result['seed']}, {result['rounds']} rounds: all promises kept")
