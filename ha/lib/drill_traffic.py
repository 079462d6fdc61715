"""Marked traffic of a drill: publishers that republish what is unconfirmed, consumers that ack. One thread each."""

import collections
import itertools
import random
import threading
import time

import amqp
from drill_ledger import Mark, decode_mark, encode_mark

WINDOW = 1000            # unconfirmed messages of one publisher at most
PREFETCH = 200
FENCE_INTERVAL = 0.25    # seconds between proofs that acks have arrived
CONNECT_TIMEOUT = 5.0
SILENCE_LIMIT = 15.0     # no confirm for so long: the connection is given up, as a person would do

session_numbers = itertools.count(1)
channel_numbers = itertools.count(1)


def connected(addresses):
    """A connection to one of them, with channel 1 open."""
    return amqp.connected(*random.choice(addresses), name="drill", timeout=CONNECT_TIMEOUT)


class Actor(threading.Thread):
    """A thread that keeps a connection: connects, works, connects again."""

    def __init__(self, name, addresses, ledger):
        super().__init__(name=name, daemon=True)
        self.addresses, self.ledger = addresses, ledger
        self.stopping = threading.Event()
        self.problem = ""

    def run(self):
        at = random.randrange(len(self.addresses))
        while not self.is_over():
            connection = None
            try:
                host, port = self.addresses[at % len(self.addresses)]
                connection = amqp.Connection(host, port, name=self.name, heartbeat=10, timeout=CONNECT_TIMEOUT)
                connection.open_channel(1)
                self.work(connection)
            except amqp.LOSSES as error:
                self.problem = f"{type(error).__name__}: {error}"
                if connection:
                    self.ledger.note_connection_lost()
                    self.lose()
                at += 1
                time.sleep(0.02)
            finally:
                if connection and self.is_over():
                    connection.close()
                elif connection:
                    connection.abort()

    def stop(self):
        self.stopping.set()


class Publisher(Actor):
    def __init__(self, number, queue, rate, size, addresses, ledger):
        super().__init__(f"drill publisher {number}", addresses, ledger)
        self.number, self.queue, self.rate, self.size = number, queue, rate, size
        self.seq = self.attempt = 0
        self.waiting = collections.deque()             # seqs to publish again
        self.unconfirmed = collections.OrderedDict()   # number on the channel: (seq, attempt)
        self.last_confirm = time.monotonic()
        self.busy_since = None                         # since when something waits for a confirm
        self.connection_broke = False
        self.pauses = []                               # (seconds, connection kept)

    def is_over(self):
        return self.stopping.is_set() and not self.unconfirmed and not self.waiting

    def give_up(self):
        """For the end, when the broker does not confirm any more."""
        self.stopping.set()
        self.waiting.clear()
        self.unconfirmed.clear()

    def lose(self):
        self.waiting.extendleft(seq for seq, _ in reversed(self.unconfirmed.values()))
        self.unconfirmed.clear()
        self.connection_broke = True

    def work(self, connection):
        connection.call(1, "confirm.select")
        session, tag = next(session_numbers), 0
        due = time.monotonic()
        while not self.is_over():
            now = time.monotonic()
            due = max(due, now - 0.1)  # after a pause there is no flood to make up for it
            while len(self.unconfirmed) < WINDOW and (self.waiting or (due <= now and not self.stopping.is_set())):
                again = bool(self.waiting)
                if again:
                    seq = self.waiting.popleft()
                else:
                    seq, self.seq = self.seq, self.seq + 1
                    due += 1 / self.rate
                tag += 1
                self.publish(connection, session, tag, seq, again)
            wait = 0.05 if self.stopping.is_set() else max(due - now, 0)
            event = connection.poll(min(wait, 0.05))
            while event:
                self.take(event)
                event = connection.events.popleft() if connection.events else None
            if self.unconfirmed and time.monotonic() - max(self.busy_since, self.last_confirm) > SILENCE_LIMIT:
                raise amqp.TimedOut("no confirm for a long time")

    def publish(self, connection, session, tag, seq, again):
        mark = Mark(self.number, session, self.attempt, seq)
        self.attempt += 1
        if not self.unconfirmed and self.busy_since is None:
            self.busy_since = time.monotonic()
        self.unconfirmed[tag] = (seq, mark.attempt)
        self.ledger.note_published(again)
        self.send(connection, mark)

    def send(self, connection, mark):
        connection.publish(1, "", self.queue, encode_mark(mark, self.size), mandatory=True, delivery_mode=2)

    def take(self, event):
        if event.name == "channel.close":
            raise amqp.ChannelClosed(event.fields["reply_code"], event.fields["reply_text"])
        if event.name == "basic.return":
            self.ledger.note_returned(decode_mark(event.body))
        if event.name not in ("basic.ack", "basic.nack"):
            return
        tag = event.fields["delivery_tag"]
        tags = [tag] if not event.fields["multiple"] else [sent for sent in self.unconfirmed if sent <= tag]
        settled = [self.unconfirmed.pop(sent) for sent in tags if sent in self.unconfirmed]
        if event.name == "basic.nack":
            self.ledger.note_nacked(len(settled))
            self.waiting.extend(seq for seq, _ in settled)
            return
        now = time.monotonic()
        self.pauses.append((now - max(self.last_confirm, self.busy_since or now), not self.connection_broke))
        self.last_confirm, self.connection_broke = now, False
        self.busy_since = now if self.unconfirmed else None
        self.ledger.note_confirmed([(self.number, attempt) for _, attempt in settled])

    def take_pauses(self):
        """Longest pauses since the last call: (with the connection kept, with a reconnect), in seconds."""
        pauses, self.pauses = self.pauses, []
        return (max((seconds for seconds, kept in pauses if kept), default=0.0),
                max((seconds for seconds, kept in pauses if not kept), default=0.0))


class Consumer(Actor):
    """Acks everything at once. Every now and then it asks the queue for a message with basic.get: the answer comes from behind the
    acks of the same channel, so it proves that those are known, and that none of their messages may ever come back."""

    def __init__(self, number, queue, addresses, ledger):
        super().__init__(f"drill consumer {number}", addresses, ledger)
        self.queue = queue
        self.acked = []
        self.fenced = None   # what the fence under way will prove
        self.idle = threading.Event()

    def is_over(self):
        return self.stopping.is_set()

    def lose(self):
        self.acked, self.fenced = [], None

    def work(self, connection):
        channel, last_attempts = next(channel_numbers), {}
        connection.call(1, "basic.qos", prefetch_count=PREFETCH)
        connection.call(1, "basic.consume", queue=self.queue, consumer_tag="drill")
        fence_at = time.monotonic() + FENCE_INTERVAL
        while not self.is_over():
            event = connection.poll(0.05)
            tag = None
            while event:
                tag = self.take(event, channel, last_attempts) or tag
                event = connection.events.popleft() if connection.events else None
            if tag:
                connection.ack(1, tag, multiple=True)
            if time.monotonic() >= fence_at and self.fenced is None and self.acked:
                self.fenced, self.acked = self.acked, []
                connection.send(1, "basic.get", queue=self.queue)
                fence_at = time.monotonic() + FENCE_INTERVAL
            if self.fenced is None and not self.acked:
                self.idle.set()
            else:
                self.idle.clear()

    def take(self, event, channel, last_attempts):
        """Books an event; gives the tag to ack, if any."""
        if event.name in ("basic.get-ok", "basic.get-empty"):
            self.ledger.note_settled(self.fenced or [])
            self.fenced = None
        if event.name == "channel.close":
            raise amqp.ChannelClosed(event.fields["reply_code"], event.fields["reply_text"])
        if event.name == "basic.cancel":
            raise amqp.ChannelClosed(0, "the broker cancelled the consumer")
        if event.name not in ("basic.deliver", "basic.get-ok"):
            return None
        try:
            mark = decode_mark(event.body)
        except (ValueError, TypeError):
            self.ledger.note_foreign(event.body)
        else:
            self.ledger.note_delivery(mark, event.fields["redelivered"], channel, last_attempts)
            self.acked.append((mark.publisher, mark.attempt))
        return event.fields["delivery_tag"]


class Crowd:
    """Publishers and consumers that start and stop together; who inherits makes them."""

    publishers, consumers = (), ()

    def start(self):
        for actor in self.consumers + self.publishers:
            actor.start()

    def wait_steady(self, timeout):
        """True once every publisher has got confirms within the last moments, and still gets them."""
        limit = time.monotonic() + timeout
        while time.monotonic() < limit:
            began = time.monotonic()
            time.sleep(0.3)
            if all(publisher.last_confirm > began for publisher in self.publishers):
                return True
        return False

    def problems(self):
        """What went wrong with publishers, in words."""
        return "; ".join(sorted({actor.problem for actor in self.publishers if actor.problem})) or "no error was seen"

    def finish_publishing(self, timeout):
        """Stops publishers once all is confirmed; gives the number of messages that nobody confirmed."""
        for publisher in self.publishers:
            publisher.stop()
        limit = time.monotonic() + timeout
        for publisher in self.publishers:
            publisher.join(max(limit - time.monotonic(), 0.1))
        left = sum(len(publisher.unconfirmed) + len(publisher.waiting) for publisher in self.publishers)
        for publisher in self.publishers:
            publisher.give_up()
        return left

    def stop_consumers(self):
        for consumer in self.consumers:
            consumer.stop()
        for consumer in self.consumers:
            consumer.join(CONNECT_TIMEOUT + 1)


class Traffic(Crowd):
    """Queues, one publisher and one consumer for each, and the books."""

    def __init__(self, ledger, addresses, queues, rate, size):
        self.ledger, self.addresses, self.queues = ledger, addresses, queues
        self.publishers = [Publisher(at, queue, rate / len(queues), size, addresses, ledger)
                           for at, queue in enumerate(queues)]
        self.consumers = [Consumer(at, queue, addresses, ledger) for at, queue in enumerate(queues)]

    def administer(self, method, timeout=30.0, **fields):
        """One method per queue over a connection of its own, tried again until `timeout`."""
        limit = time.monotonic() + timeout
        while True:
            try:
                with connected(self.addresses) as connection:
                    return [connection.call(1, method, queue=queue, **fields) for queue in self.queues]
            except amqp.LOSSES:
                if time.monotonic() > limit:
                    raise
                time.sleep(0.1)

    def start(self):
        self.administer("queue.declare", durable=True)
        super().start()

    def take_pauses(self):
        pauses = [publisher.take_pauses() for publisher in self.publishers]
        return max(kept for kept, _ in pauses), max(broken for _, broken in pauses)

    def finish_consuming(self, timeout):
        """Waits until everything confirmed has been delivered and settled, then stops the consumers."""
        limit = time.monotonic() + timeout
        while time.monotonic() < limit:
            if not self.ledger.missing() and all(consumer.idle.is_set() for consumer in self.consumers):
                break
            time.sleep(0.1)
        self.stop_consumers()

    def drain(self):
        """What is still in the queues at the end; unacked rests of unconfirmed publishes may be, settled messages not."""
        with connected(self.addresses) as connection:
            for queue in self.queues:
                channel, last_attempts = next(channel_numbers), {}
                while True:
                    event = connection.call(1, "basic.get", "basic.get-ok", "basic.get-empty", queue=queue, no_ack=True)
                    if event.name == "basic.get-empty":
                        break
                    self.ledger.note_delivery(decode_mark(event.body), event.fields["redelivered"], channel, last_attempts)
