"""Traffic of the random drill: clients that put and take numbers one at a time, and the drain at the end."""

import random
import threading
import time

import amqp

OPERATION_TIMEOUT = 5.0     # then the answer counts as unknown and the client connects again
DRAIN_TIMEOUT = 90.0
EMPTY_IN_A_ROW = 3


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
            except amqp.LOSSES:
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


def drain(cluster, queue, books):
    """Takes all that is left, through every node, until each has said more than once that nothing is there."""
    limit = time.monotonic() + DRAIN_TIMEOUT
    for node in cluster.nodes:
        empty = 0
        while empty < EMPTY_IN_A_ROW:
            try:
                with amqp.connected(node.host, node.amqp_port, name="drill drain", timeout=OPERATION_TIMEOUT) as connection:
                    while empty < EMPTY_IN_A_ROW:
                        empty = 0 if take(connection, queue, books) else empty + 1
                        time.sleep(0.1 if empty else 0)
            except amqp.LOSSES:
                if time.monotonic() > limit:
                    raise
                time.sleep(0.1)
