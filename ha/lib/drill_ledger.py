"""The books of a drill: what was published, confirmed, delivered, settled; and what that says about the broker's promises.

A message is one attempt of one publisher: (publisher, attempt). An attempt that is not confirmed when its connection breaks, or
that the broker refuses, is published again as another attempt with the same number `seq`; so every attempt was handed to the
broker once, and a second delivery of it is the broker's doing.

Called from many threads; one lock guards the books.
"""

import collections
import threading

import drill_report

Mark = collections.namedtuple("Mark", "publisher session attempt seq")


def encode_mark(mark, size):
    return b" ".join(b"%d" % part for part in mark).ljust(size, b" ")


def decode_mark(body):
    return Mark(*map(int, body.split()[:4]))


class Delivery:
    __slots__ = ("count", "channel", "settled")

    def __init__(self):
        self.count, self.channel, self.settled = 0, None, False


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.published = self.republished = self.nacked = self.connections_lost = 0
        self.confirmed = set()  # (publisher, attempt)
        self.deliveries = collections.defaultdict(Delivery)
        self.delivered_seqs = collections.Counter()
        self.broken = {"duplicated_unflagged": [], "redelivered_on_open_channel": [], "reordered": [], "resurrected": [],
                       "returned": [], "foreign": []}
        self.duplicated_redelivered = 0

    def note_published(self, again):
        with self.lock:
            self.published += 1
            self.republished += again

    def note_confirmed(self, keys):
        with self.lock:
            self.confirmed.update(keys)

    def note_nacked(self, count):
        with self.lock:
            self.nacked += count

    def note_connection_lost(self):
        with self.lock:
            self.connections_lost += 1

    def note_delivery(self, mark, redelivered, channel, last_attempts):
        """Books one delivery. `channel` names the consumer's channel for its life; `last_attempts` is its memory of the last
        attempt of each publisher's session that came without the redelivered flag."""
        key = mark.publisher, mark.attempt
        with self.lock:
            delivery = self.deliveries[key]
            if delivery.settled:
                self.broken["resurrected"].append(mark)
            elif delivery.count and not redelivered:
                self.broken["duplicated_unflagged"].append(mark)
            elif delivery.count:
                self.duplicated_redelivered += 1
                if delivery.channel == channel:
                    self.broken["redelivered_on_open_channel"].append(mark)
            else:
                self.delivered_seqs[mark.publisher, mark.seq] += 1
            if not redelivered:
                session = mark.publisher, mark.session
                if last_attempts.get(session, -1) > mark.attempt:
                    self.broken["reordered"].append(mark)
                last_attempts[session] = mark.attempt
            delivery.count += 1
            delivery.channel = channel

    def note_settled(self, keys):
        """The broker has shown that it knows these acks: from now on they must never come back."""
        with self.lock:
            for key in keys:
                self.deliveries[key].settled = True

    def note_returned(self, mark):
        """The broker did not find a queue that is there."""
        with self.lock:
            self.broken["returned"].append(mark)

    def note_foreign(self, body):
        with self.lock:
            self.broken["foreign"].append(repr(body[:60]))

    def missing(self):
        with self.lock:
            return [key for key in self.confirmed if key not in self.deliveries or not self.deliveries[key].count]

    def figures(self):
        with self.lock:
            return {
                "published": self.published, "confirmed": len(self.confirmed), "republished": self.republished,
                "nacked": self.nacked, "delivered": sum(delivery.count for delivery in self.deliveries.values()),
                "connections_lost": self.connections_lost,
                "duplicated_redelivered": self.duplicated_redelivered,
                "duplicated_by_republishing": sum(count - 1 for count in self.delivered_seqs.values()),
                **{name: len(marks) for name, marks in self.broken.items()},
            }

    def examples(self, missing):
        with self.lock:
            return drill_report.examples({**self.broken, "lost": missing})
