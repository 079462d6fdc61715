"""What system tests are made of: clusters that explain themselves when a test fails, and the small words of AMQP clients.

A test is a function test_NAME() in a file test_AREA.py of this folder; the first line of its docstring is its title. It passes
when it returns, is skipped when it raises Skip, and fails when it raises anything else. Tests wait for facts with a limit.
"""

import collections
import contextlib
import functools
import mmap
import os
import pathlib
import signal
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "lib")]
import places  # noqa: E402
import amqp  # noqa: E402
from cluster_node import Problem  # noqa: E402

LIMIT = 120.0         # seconds that a test may take unless it says otherwise
PATIENCE = 30.0       # seconds for a fact to come: many times what it takes, for the machine may be busy with other things
LOG_TAIL = 25         # lines of each node's log that a failure shows
READY_TIMEOUT = 60.0
HEARTBEAT = 60        # of clients that may be left alone while a test looks elsewhere
WINDOW = 500          # unconfirmed messages of publish() at most
LOSSES = amqp.LOSSES
# What a node prints when it is wrong itself. None of these belongs into the log of any test.
CRIES = ("CHECK failed", "ERROR: AddressSanitizer", "WARNING: ThreadSanitizer", "runtime error:")
SANITIZER_SYMBOLS = (b"__asan_init", b"__tsan_init")
SANITIZER_SLOWNESS, SANITIZER_SIZE = 4, 3
SANITIZER_QUARANTINE_MIB = 256   # what was freed stays for a while, to be recognized when it is used


class Skip(Exception):
    """The test cannot run here; the text says why."""


def limit(seconds):
    """Gives a test its own time limit; a sanitizer's build gets more."""
    def mark(function):
        function.limit = seconds
        return function
    return mark


def alone(function):
    """No other test runs at the same time: it measures, or it is heavy."""
    function.alone = True
    return function


def long(function):
    """Runs with --long only."""
    function.long = True
    return alone(function)


@functools.cache
def is_sanitized(program=None):
    """The binary under test was built with a sanitizer: what it says of time and memory is not the product's."""
    with open(program or binary(), "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as code:
        return any(code.find(name) >= 0 for name in SANITIZER_SYMBOLS)


def seconds(limit):
    """A limit of time, for this build."""
    return limit * SANITIZER_SLOWNESS if is_sanitized() else limit


def mebibytes(limit):
    """A limit of resident memory, for this build."""
    return limit * SANITIZER_SIZE + SANITIZER_QUARANTINE_MIB if is_sanitized() else limit


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def check_equal(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what}: got {shorten(got)}, wanted {shorten(wanted)}")


def shorten(value):
    text = repr(value)
    return text if len(text) <= 400 else f"{text[:400]}... ({len(text)} characters)"


def wait_for(what, question, timeout=PATIENCE, interval=0.05):
    """Asks until the answer is true, and gives it; a Problem while asking counts as no."""
    end, trouble = time.monotonic() + timeout, ""
    while True:
        try:
            answer = question()
            if answer:
                return answer
            trouble = f"last answer: {shorten(answer)}"
        except (Problem, *LOSSES) as error:
            trouble = str(error)
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout:.0f} s: {what} ({trouble})")
        time.sleep(interval)


# Clusters

@contextlib.contextmanager
def cluster(nodes=3, haproxy=False, mode="balance", settings=None, timeout=READY_TIMEOUT):
    """A started cluster of the binary under test. When the test fails, the tails of the logs join its report."""
    with places.running_cluster(nodes=nodes, haproxy=haproxy, mode=mode, binary=binary(), settings=settings,
                                timeout=timeout) as made:
        with explained(made):
            yield made


@contextlib.contextmanager
def explained(made):
    """Shows the logs of a cluster when the body fails, and fails when a node has cried out."""
    try:
        yield
        for node in made.nodes:
            cry = next((line for line in read_log(node).splitlines() if any(word in line for word in CRIES)), None)
            check(cry is None, f"{node.name} has printed: {cry}")
    except Skip:
        raise
    except BaseException:
        for process, name in [(node.process, f"{node.name} ({node.process.state()})") for node in made.nodes] + (
                [(made.haproxy, "haproxy")] if made.with_haproxy else []):
            print(f"  -- last words of {name}\n{process.last_output(LOG_TAIL)}")
        raise


def binary():
    return os.environ.get("WARREN_BINARY") or places.DEFAULT_BINARY


def read_log(node):
    try:
        return node.process.output_file.read_text(errors="replace")
    except OSError:
        return ""


def kill(*nodes):
    """kill -9, all at the same time; returns when they are gone."""
    for node in nodes:
        check(node.process.send(signal.SIGKILL), f"{node.name} did not run")
    for node in nodes:
        check(node.process.wait_gone(PATIENCE), f"{node.name} survived kill -9")


def terminate(*nodes, timeout=PATIENCE):
    """SIGTERM in good order."""
    for node in nodes:
        node.process.send(signal.SIGTERM)
    for node in nodes:
        check(node.process.wait_gone(timeout), f"{node.name} does not end after SIGTERM")


def start(made, *nodes, timeout=READY_TIMEOUT):
    for node in nodes:
        node.start()
    made.wait_ready(timeout, [node.number for node in nodes])


def others(made, *nodes):
    return [node for node in made.nodes if node not in nodes]


def queue_facts(node, name):
    """/api/queues of one queue as this node answers."""
    return node.get_json(f"/api/queues/%2F/{name}")


def queue_led_by(made, connection, name, nodes, **fields):
    """Declares queues until one is led by one of `nodes`, where it belongs, so that it stays there; gives (queue, leader). A
    node that was first may lead everything, until leaders go to where they belong."""
    def look():
        first = {group["group"]: group["placement"][:1] for group in nodes[0].get_json("/api/cluster/groups")}
        for at in range(32):
            queue = f"{name}.{at}"
            declare(connection, queue, **fields)
            leader = made.leader(queue)
            if leader in nodes and first.get(queue_facts(leader, queue)["group"]) == [leader.number]:
                return queue, leader
        return None
    return wait_for(f"a queue that is led by {' or '.join(node.name for node in nodes)}", look, 60, 0.5)


def lead(made, queue, node):
    """Has a node lead a queue, by the order that operators give: it goes there when the node is here for good, and stays."""
    asked = next(one for one in made.nodes if one.process.state() == "up")
    # A cluster that has just begun may not know its members' names yet.
    wait_for("the order is taken", lambda: not asked.change("POST", f"/api/queues/quorum/%2F/{queue}/leader", timeout=PATIENCE,
                                                            body={"node": node.name}))
    wait_for(f"{node.name} leads {queue}", lambda: made.leader(queue) is node, 60)


def has_all(node, queue):
    """The replica on this node has written all that is in the log of the queue's group."""
    rows = {row["Node Name"]: row for row in node.get_json(f"/api/queues/quorum/%2F/{queue}/status")}
    ends = {row["Last Log Index"] for row in rows.values() if row["Raft State"] == "leader"}
    return ends == {rows[node.name]["Last Written"]}


def metric(node, name):
    """A figure of /metrics."""
    for line in node.get("/metrics")[1].decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise AssertionError(f"{node.name} has no metric {name}")


# AMQP

def connect(place, **options):
    """An open connection with channel 1, to a Node or an (host, port)."""
    address = place if isinstance(place, tuple) else (place.host, place.amqp_port)
    connection = amqp.Connection(*address, **{"name": "system test", "heartbeat": HEARTBEAT, **options})
    connection.open_channel(1)
    return connection


@contextlib.contextmanager
def connected(place, **options):
    connection = connect(place, **options)
    try:
        yield connection
    finally:
        connection.close()


def declare(connection, queue, channel=1, **fields):
    return connection.call(channel, "queue.declare", queue=queue, **{"durable": True, **fields})


class Publisher:
    """Publishes on one channel in confirm mode and keeps the books of what was confirmed."""

    def __init__(self, connection, channel=1):
        self.connection, self.channel = connection, channel
        # A channel counts all its publishes, whoever kept the books of the earlier ones.
        self.tags = connection.__dict__.setdefault("published_tags", collections.Counter())
        self.unconfirmed = {}   # tag: body
        self.confirmed, self.nacked, self.returned = [], [], []
        connection.call(channel, "confirm.select")

    def send(self, queue, body, exchange="", **properties):
        self.tags[self.channel] += 1
        self.unconfirmed[self.tags[self.channel]] = body
        self.connection.publish(self.channel, exchange, queue, body, mandatory=True,
                                **{"delivery_mode": 2, **properties})

    def take(self, timeout):
        """Books one event; False when none came."""
        event = self.connection.poll(timeout)
        if event is None:
            return False
        if event.name == "channel.close":
            raise amqp.ChannelClosed(event.fields["reply_code"], event.fields["reply_text"])
        if event.name == "basic.return":
            self.returned.append(event.body)
        elif event.name in ("basic.ack", "basic.nack"):
            last = event.fields["delivery_tag"]
            tags = [tag for tag in self.unconfirmed if tag <= last] if event.fields["multiple"] else [last]
            settled = self.confirmed if event.name == "basic.ack" else self.nacked
            settled += [self.unconfirmed.pop(tag) for tag in tags]
        return True

    def settle(self, left=0, timeout=PATIENCE):
        """Waits until at most `left` messages wait for their confirm."""
        end = time.monotonic() + timeout
        while len(self.unconfirmed) > left:
            if not self.take(max(end - time.monotonic(), 0)):
                raise amqp.TimedOut(f"{len(self.unconfirmed)} messages unconfirmed after {timeout:.0f} s")


def publish(connection, queue, bodies, exchange="", channel=1, window=WINDOW, timeout=PATIENCE, **properties):
    """Publishes and waits for all confirms; anything but an ack fails."""
    publisher = Publisher(connection, channel)
    for body in bodies:
        publisher.send(queue, body, exchange, **properties)
        publisher.settle(window, timeout)
    publisher.settle(0, timeout)
    check(not publisher.nacked, f"{len(publisher.nacked)} messages were nacked")
    check(not publisher.returned, f"{len(publisher.returned)} messages came back, first {publisher.returned[:1]}")


def get(connection, queue, channel=1, no_ack=True):
    """One message by basic.get, or None."""
    got = connection.call(channel, "basic.get", "basic.get-ok", "basic.get-empty", queue=queue, no_ack=no_ack)
    return None if got.name == "basic.get-empty" else got


def consume(connection, queue, count, channel=1, timeout=PATIENCE, ack=True, prefetch=500):
    """Consumes `count` messages; gives them as events in the order they came, all acked unless told otherwise."""
    connection.call(channel, "basic.qos", prefetch_count=prefetch if ack else 0)
    tag = connection.call(channel, "basic.consume", queue=queue).fields["consumer_tag"]
    events, end = [], time.monotonic() + timeout
    while len(events) < count:
        event = connection.poll(max(end - time.monotonic(), 0))
        if event is None:
            raise amqp.TimedOut(f"{len(events)} of {count} messages within {timeout:.0f} s")
        if event.name != "basic.deliver":
            raise AssertionError(f"{event.name} {event.fields} instead of a message")
        events.append(event)
        if ack and (len(events) % (prefetch // 2) == 0 or len(events) == count):
            connection.ack(channel, event.fields["delivery_tag"], multiple=True)
    connection.call(channel, "basic.cancel", consumer_tag=tag)
    return events


def bodies_of(events):
    return [event.body for event in events]


def numbered(count, prefix="m"):
    return [b"%s%d" % (prefix.encode(), at) for at in range(count)]
