"""The books of the random drill: which numbers were put, which were taken, and what that says about the broker's promises.

A put that got no answer may have happened or not; it is not repeated, so that a number which comes twice came from the broker. A
number may come again only with the redelivered flag: its ack was on the way when a connection broke.
"""

import threading

import drill_report


class RandomBooks:
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
                "examples": drill_report.examples({"lost": lost, "unexpected": self.unexpected,
                                                   "duplicated_unflagged": self.unflagged})}
