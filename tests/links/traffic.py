"""Numbered messages into one site and out of another, over failures: who was confirmed must arrive."""

import collections
import threading
import time

import kit

POLL = 0.2
PACE = 0.002  # seconds between messages: a steady stream, not a flood


class Stream(threading.Thread):
    """Publishes 0, 1, 2 ... with confirms until stop(); after a loss it goes on with what was not confirmed."""

    def __init__(self, site, exchange, key, pace=PACE):
        super().__init__(daemon=True)
        self.site, self.exchange, self.key, self.pace = site, exchange, key, pace
        self.confirmed, self.next, self.again = set(), 0, []
        self.ending = threading.Event()
        self.trouble = 0
        self.start()

    def stop(self, timeout=60.0):
        self.ending.set()
        self.join(timeout)
        kit.check(not self.is_alive(), "the publisher does not come to its end")

    def run(self):
        while not self.ending.is_set() or self.again:
            try:
                self.publish()
            except kit.LOSSES:
                self.trouble += 1
                time.sleep(0.1)

    def publish(self):
        connection = self.site.connect()
        publisher = kit.Publisher(connection)
        try:
            while not self.ending.is_set() or self.again:
                number = self.again.pop(0) if self.again else self.next
                self.next = max(self.next, number + 1)
                publisher.send(self.key, b"%d" % number, self.exchange)
                while publisher.take(0):
                    pass
                publisher.settle(200, 15)
                time.sleep(self.pace)
            publisher.settle(0, 15)
        finally:
            self.confirmed |= {int(body) for body in publisher.confirmed}
            self.again += [int(body) for body in publisher.unconfirmed.values()] + [int(body) for body in publisher.nacked]
            connection.abort()


class Sink(threading.Thread):
    """Consumes a queue, acking everything, until stop(); counts each number."""

    def __init__(self, site, queue):
        super().__init__(daemon=True)
        self.site, self.queue = site, queue
        self.counts, self.headers = collections.Counter(), {}
        self.identities = collections.Counter()   # x-deduplication-header of what came for the first time
        self.ending = threading.Event()
        self.start()

    def run(self):
        while not self.ending.is_set():
            try:
                self.consume()
            except kit.LOSSES + (AssertionError,):
                time.sleep(0.1)

    def consume(self):
        connection = self.site.connect()
        try:
            connection.call(1, "basic.qos", prefetch_count=200)
            connection.call(1, "basic.consume", queue=self.queue)
            while not self.ending.is_set():
                event = connection.poll(POLL)
                if event is None:
                    continue
                if event.name != "basic.deliver":
                    return
                number = int(event.body)
                self.counts[number] += 1
                headers = event.properties.get("headers") or {}
                self.headers.setdefault(number, headers)
                if "x-deduplication-header" in headers and not event.fields["redelivered"]:
                    self.identities[headers["x-deduplication-header"]] += 1
                connection.ack(1, event.fields["delivery_tag"])
        finally:
            connection.abort()

    def stop(self):
        self.ending.set()
        self.join(10)

    def wait(self, numbers, timeout=60.0):
        kit.wait_for(f"all {len(numbers)} messages in {self.queue} of {self.site.name}",
                     lambda: numbers <= self.counts.keys(), timeout, 0.1)


def report(stream, sink, duplicates=None):
    """Nothing that was confirmed may be missing; repeats are counted, and refused above `duplicates`."""
    try:
        sink.wait(stream.confirmed)
    except AssertionError:
        pass
    lost = stream.confirmed - sink.counts.keys()
    repeated = sum(count - 1 for count in sink.counts.values())
    print(f"    {len(stream.confirmed)} confirmed, {len(lost)} lost, {repeated} repeated")
    kit.check(not lost, f"{len(lost)} confirmed messages are lost, first {sorted(lost)[:5]}")
    kit.check(stream.confirmed, "nothing was confirmed at all")
    if duplicates is not None:
        kit.check(repeated <= duplicates, f"{repeated} messages came more than once")
