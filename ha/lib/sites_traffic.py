"""Marked traffic of a drill over two sites: in each a federated exchange with publishers, and queues behind it with consumers."""

import time

from drill_ledger import encode_mark
from drill_traffic import Consumer, Crowd, Publisher, connected

DEDUP_CACHE = 1_000_000   # keys that a queue remembers: more than a drill publishes while a line is cut
QUIET = 2.0               # seconds without a delivery: nothing is on the way any more


class SitePublisher(Publisher):
    """Publishes into an exchange; every message carries the key by which repeats are known."""

    def __init__(self, number, exchange, key, rate, size, addresses, books):
        super().__init__(number, key, rate, size, addresses, books)
        self.exchange = exchange

    def send(self, connection, mark):
        self.ledger.note_sent(mark)
        connection.publish(1, self.exchange, self.queue, encode_mark(mark, self.size), mandatory=True, delivery_mode=2,
                           headers={"x-deduplication-header": f"{mark.publisher}-{mark.seq}"})


class SitesTraffic(Crowd):
    """`addresses` {site: [(host, port)]}; `count` queues in each site, and a publisher and a consumer for each."""

    def __init__(self, books, addresses, exchange, count, rate, size, dedup):
        self.books, self.addresses, self.exchange, self.dedup = books, addresses, exchange, dedup
        self.queues = [f"{exchange}.{at + 1}" for at in range(count)]
        each = rate / (count * len(addresses))
        self.publishers = [SitePublisher(at + (site - 1) * count, exchange, queue, each, size, addresses[site], books)
                           for site in addresses for at, queue in enumerate(self.queues)]
        self.consumers = [Consumer(at + (site - 1) * count, queue, addresses[site], books.sites[site])
                          for site in addresses for at, queue in enumerate(self.queues)]

    def declare(self):
        arguments = {"x-message-deduplication": True, "x-cache-size": DEDUP_CACHE} if self.dedup else {}
        for addresses in self.addresses.values():
            with connected(addresses) as connection:
                connection.call(1, "exchange.declare", exchange=self.exchange, type="direct", durable=True)
                for queue in self.queues:
                    connection.call(1, "queue.declare", queue=queue, durable=True, arguments=arguments)
                    connection.call(1, "queue.bind", queue=queue, exchange=self.exchange, routing_key=queue)

    def remove(self):
        for addresses in self.addresses.values():
            with connected(addresses) as connection:
                for queue in self.queues:
                    connection.call(1, "queue.delete", queue=queue)
                connection.call(1, "exchange.delete", exchange=self.exchange)

    def wait_arrived(self, before, timeout):
        """Waits until all that was confirmed before that time is in both sites; the seconds it took, None when it is not."""
        began = time.monotonic()
        while self.books.missing(before):
            if time.monotonic() > began + timeout:
                return None
            time.sleep(0.02)
        return time.monotonic() - began

    def finish(self, timeout):
        """Ends publishing, waits for what is on the way; gives the number of messages that nobody confirmed."""
        left = self.finish_publishing(timeout)
        self.wait_arrived(None, timeout)
        while time.monotonic() < max(book.last_delivery for book in self.books.sites.values()) + QUIET:
            time.sleep(0.1)
        self.stop_consumers()
        return left
