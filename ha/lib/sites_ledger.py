"""The books of a drill over two sites: what each site has got of what was confirmed anywhere.

Federation delivers at least once: after a loss of the line a link sends again what it had no confirm for, so copies and messages out of
order are counted here, and are no broken promise unless deduplication was asked for. Then a message is its publisher's
number `seq`, however often it was published; without, it is one attempt, as in drill_ledger.

Called from many threads; each book has a lock.
"""

import threading
import time

import drill_report


class SiteBook:
    """What arrived at one site. Its methods are those of Ledger that a Consumer calls."""

    def __init__(self, dedup):
        self.lock = threading.Lock()
        self.dedup = dedup
        self.sent_at, self.counts = {}, {}   # by key: when it was first handed to a broker, how often it came here
        self.confirmed = {}                  # key: when its confirm came
        self.missing_keys = set()            # confirmed and not here yet
        self.delivered = self.redelivered = self.reordered = self.connections_lost = 0
        self.duplicated, self.foreign = [], []
        self.longest_lag = self.last_delivery = 0.0

    def key(self, mark):
        return (mark.publisher, mark.seq) if self.dedup else (mark.publisher, mark.attempt)

    def note_sent(self, mark):
        with self.lock:
            self.sent_at.setdefault(self.key(mark), time.monotonic())

    def note_confirmed(self, marks):
        now = time.monotonic()
        with self.lock:
            for key in map(self.key, marks):
                self.confirmed.setdefault(key, now)
                if key not in self.counts:
                    self.missing_keys.add(key)

    def note_delivery(self, mark, redelivered, _channel, last_attempts):
        now, key = time.monotonic(), self.key(mark)
        session = mark.publisher, mark.session
        with self.lock:
            self.delivered += 1
            self.last_delivery = now
            count = self.counts[key] = self.counts.get(key, 0) + 1
            if count > 1 and redelivered:
                self.redelivered += 1
            elif count > 1:
                self.duplicated.append(mark)
            else:
                self.missing_keys.discard(key)
                self.longest_lag = max(self.longest_lag, now - self.sent_at.get(key, now))
                self.reordered += last_attempts.get(session, -1) > mark.attempt
                last_attempts[session] = max(last_attempts.get(session, -1), mark.attempt)

    def note_settled(self, _keys):
        """A copy may come over the line after its first was settled: nothing to hold against the broker."""

    def note_foreign(self, body):
        with self.lock:
            self.foreign.append(repr(body[:60]))

    def note_connection_lost(self):
        with self.lock:
            self.connections_lost += 1

    def missing(self, before=None):
        """What was confirmed (before that time) and has not come."""
        with self.lock:
            return [key for key in self.missing_keys if before is None or self.confirmed[key] < before]

    def figures(self):
        with self.lock:
            return {"delivered": self.delivered, "lost": len(self.missing_keys), "duplicated": len(self.duplicated),
                    "duplicated_redelivered": self.redelivered, "reordered": self.reordered, "foreign": len(self.foreign),
                    "longest_lag_ms": round(self.longest_lag * 1000, 1), "connections_lost": self.connections_lost}

    def examples(self):
        return drill_report.examples({"lost": self.missing(), "duplicated": self.duplicated, "foreign": self.foreign})


class Books:
    """What the publishers of all sites write down, for the books of both. Its methods are those of Ledger that a Publisher calls."""

    def __init__(self, sites, dedup):
        self.sites = {site: SiteBook(dedup) for site in sites}
        self.lock = threading.Lock()
        self.published = self.republished = self.nacked = self.connections_lost = 0
        self.marks = {}   # (publisher, attempt): its mark, until the confirm
        self.returned = []
        self.confirmed = 0

    def note_sent(self, mark):
        with self.lock:
            self.marks[mark.publisher, mark.attempt] = mark
        for book in self.sites.values():
            book.note_sent(mark)

    def note_published(self, again):
        with self.lock:
            self.published += 1
            self.republished += again

    def note_confirmed(self, keys):
        with self.lock:
            marks = [self.marks.pop(key) for key in keys]
            self.confirmed += len(marks)
        for book in self.sites.values():
            book.note_confirmed(marks)

    def note_nacked(self, count):
        with self.lock:
            self.nacked += count

    def note_returned(self, mark):
        with self.lock:
            self.returned.append(mark)

    def note_connection_lost(self):
        with self.lock:
            self.connections_lost += 1

    def missing(self, before=None):
        return [key for book in self.sites.values() for key in book.missing(before)]

    def figures(self):
        with self.lock:
            return {"published": self.published, "confirmed": self.confirmed, "republished": self.republished,
                    "nacked": self.nacked, "returned": len(self.returned), "publisher_connections_lost": self.connections_lost}
