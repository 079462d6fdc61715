"""Clients that send wrong bytes, order, sizes and types: each gets RabbitMQ's answer, and nobody else notices."""

import concurrent.futures
import threading

import kit
import malformed
from malformed_cases import CASES

CASES_MIN = 200
THREADS = 8
ROUNDS = 12                 # of all cases that are answered at once
GROWTH_MAX_MIB = 8          # of the node's resident memory in these rounds
LATE_ROUNDS = 4             # of those that are answered late, all at once


class Healthy(threading.Thread):
    """A connection beside it all: each message that it publishes comes back before the next."""

    def __init__(self, node):
        super().__init__()
        self.connection = kit.connect(node)
        kit.declare(self.connection, "healthy")
        self.connection.call(1, "basic.consume", queue="healthy", no_ack=True)
        self.stopping, self.count, self.trouble = threading.Event(), 0, None

    def run(self):
        try:
            while not self.stopping.is_set():
                body = b"%d" % self.count
                self.connection.publish(1, "", "healthy", body)
                event = self.connection.poll(10)
                kit.check(event and event.body == body, f"message {self.count} did not come back: {event}")
                self.count += 1
        except BaseException as error:
            self.trouble = error

    def finish(self):
        self.stopping.set()
        self.join()
        self.connection.close()
        if self.trouble:
            raise AssertionError(f"the healthy connection was disturbed: {self.trouble}")


def is_late(case):
    """Who fails before the login has ended is told after three seconds, so that guessing takes time."""
    _, stage, _, wanted = case
    return stage in ("start", "tune") and wanted == "end"


def play(node, cases, threads=THREADS):
    """The cases whose answer was another one."""
    def one(case):
        name, stage, steps, wanted = case
        got = malformed.answer((node.host, node.amqp_port), stage, steps, wanted)
        return None if malformed.agrees(got, wanted) else f"{name}: {got}, wanted {wanted}"

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return [text for text in pool.map(one, cases) if text]


@kit.limit(180)
def test_malformed_clients():
    """hundreds of malformed clients get RabbitMQ's reply codes; a healthy connection and the memory do not notice"""
    kit.check(len(CASES) >= CASES_MIN, f"only {len(CASES)} cases")
    # Small caches of the log: what the healthy connection publishes must not be what grows.
    with kit.cluster(nodes=1, settings={"wal.cache_size": "1MiB", "checkpoint.log_bytes": "1MiB", "wal.file_size": "2MiB"}) as cluster:
        node = cluster.nodes[0]
        healthy = Healthy(node)
        healthy.start()
        try:
            wrong = play(node, CASES)
            quick = [case for case in CASES if case[3] != "alive" and not is_late(case)]
            late = [case for case in CASES if is_late(case)] * LATE_ROUNDS
            play(node, quick)
            before = node.process.resident_mib()
            for _ in range(ROUNDS):
                wrong += play(node, quick)
            wrong += play(node, late, len(late))
            growth = node.process.resident_mib() - before
        finally:
            healthy.finish()
        kit.check(not wrong, "\n".join(wrong[:20]))
        kit.check(growth <= kit.mebibytes(GROWTH_MAX_MIB), f"{growth:.1f} MiB more after {ROUNDS} rounds of {len(quick)} cases")
        print(f"{len(CASES)} cases, {ROUNDS} rounds more: {growth:+.1f} MiB; {healthy.count} messages beside them")
