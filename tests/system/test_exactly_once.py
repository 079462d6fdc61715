"""Messages that are published again because nobody knows whether they arrived, and messages that wait: what failures do to them."""

import itertools
import time

import kit
from http_api import Api

SMALL_LOG = {"checkpoint.log_bytes": 65536, "cluster.groups": 4}  # so that checkpoints hold a part of it all


class StubbornProducer:
    """Publishes numbered messages in order; after a loss it begins again well before what was confirmed."""

    REPEAT = 50  # messages that are certainly there already

    def __init__(self, nodes, queue, headers):
        self.places, self.queue, self.headers = itertools.cycle(nodes), queue, headers
        self.next = self.repeated = 0
        self.connection = self.books = None

    def run(self, last):
        while self.next < last:
            try:
                self._publish_up_to(last)
            except kit.LOSSES:
                self._lose()

    def _publish_up_to(self, last):
        if not self.connection:
            self.connection = kit.connect(next(self.places), timeout=5.0)
            self.books = kit.Publisher(self.connection)
        for number in range(self.next, last):
            self.books.send(self.queue, b"m%d" % number, headers=self.headers(number))
            self.books.settle(100)
        self.books.settle()
        kit.check(not self.books.nacked and not self.books.returned, "something was nacked or returned")
        self.next = last

    def _lose(self):
        back = max(self.next - self.REPEAT, 0)
        self.repeated += self.next - back
        self.next, self.connection = back, None
        time.sleep(0.1)


def exactly_once(queue_arguments, headers):
    with kit.cluster(settings=SMALL_LOG) as cluster:
        with kit.connected(cluster.nodes[0]) as connection:
            kit.declare(connection, "once", arguments=queue_arguments)
        producer = StubbornProducer(cluster.nodes, "once", headers)
        producer.run(500)
        leader = cluster.leader("once")
        kit.kill(leader)
        producer._lose()
        producer.run(1000)
        kit.start(cluster, leader)
        with kit.connected(leader) as connection:  # consumed is not forgotten
            early = kit.consume(connection, "once", 700)
        kit.wait_for("what the consumer did not ack is back in its place",
                     lambda: kit.queue_facts(leader, "once")["messages_unacknowledged"] == 0)
        kit.kill(*cluster.nodes)
        producer._lose()
        kit.start(cluster, *cluster.nodes)
        producer.run(1500)
        kit.check(producer.repeated >= 100, "nothing was published twice")
        with kit.connected(cluster.nodes[1]) as connection:
            late = kit.consume(connection, "once", 800)
            kit.check_equal(kit.bodies_of(early + late), kit.numbered(1500), "each message once and in order")
            kit.check(kit.get(connection, "once") is None, "there was more than that")


def test_producer_sequence_survives_failures():
    """Published again by producer and sequence after a leader's death and a full restart: each message once, in order"""
    exactly_once({}, lambda number: {"x-producer-id": "stubborn", "x-producer-sequence": number})


def test_deduplication_window_survives_failures():
    """The same by x-deduplication-header on a queue with a window"""
    exactly_once({"x-message-deduplication": True, "x-cache-size": 5000},
                 lambda number: {"x-deduplication-header": f"key {number}"})


def test_delayed_messages_survive_failures():
    """Delayed messages come once, none early and none lost, although leaders die and the whole cluster restarts meanwhile"""
    with kit.cluster(settings=SMALL_LOG) as cluster:
        with kit.connected(cluster.nodes[0]) as connection:
            connection.call(1, "exchange.declare", exchange="later", type="x-delayed-message", durable=True,
                            arguments={"x-delayed-type": "fanout"})
            kit.declare(connection, "due")
            connection.call(1, "queue.bind", queue="due", exchange="later")
            published_at = time.time()
            for delay in (3000, 9000, 14000):
                kit.publish(connection, "", kit.numbered(200, f"{delay}."), exchange="later", headers={"x-delay": delay})
        kit.wait_for("400 messages at least to be kept back", lambda: 400 <= sum(
            kit.metric(node, "warren_messages_postponed") for node in cluster.nodes) <= 600)
        kit.kill(cluster.nodes[1])
        kit.start(cluster, cluster.nodes[1])
        time.sleep(max(published_at + 4 - time.time(), 0))
        kit.kill(*cluster.nodes)
        kit.start(cluster, *cluster.nodes)
        arrived = {}
        with kit.connected(cluster.nodes[2]) as connection:
            connection.call(1, "basic.consume", queue="due", no_ack=True)
            while len(arrived) < 600:
                event = connection.poll(30)
                kit.check(event is not None and event.name == "basic.deliver", f"{event} after {len(arrived)} messages")
                kit.check(event.body not in arrived, f"{event.body} came twice")
                arrived[event.body] = time.time()
            kit.check(connection.poll(1) is None, "something came twice")
        for body, at in arrived.items():
            delay = int(body.split(b".")[0]) / 1000
            kit.check(at >= published_at + delay - 0.1, f"{body} came {published_at + delay - at:.1f} s early")


def test_histories_survive_failures():
    """What an x-recent-history exchange kept is there for a queue that is bound after a full restart, by AMQP or by HTTP"""
    with kit.cluster(settings=SMALL_LOG) as cluster:
        with kit.connected(cluster.nodes[0]) as connection:
            connection.call(1, "exchange.declare", exchange="chat", type="x-recent-history", durable=True,
                            arguments={"x-recent-history-length": 10})
            kit.declare(connection, "first")
            connection.call(1, "queue.bind", queue="first", exchange="chat")
            kit.publish(connection, "", kit.numbered(300), exchange="chat")
        kit.kill(*cluster.nodes)
        kit.start(cluster, *cluster.nodes)
        with kit.connected(cluster.nodes[1]) as connection:
            for queue in ("second", "third"):
                kit.declare(connection, queue)
            connection.call(1, "queue.bind", queue="second", exchange="chat")
            Api(cluster.nodes[2]).post("/bindings/%2F/e/chat/q/third", {"routing_key": ""}, expect=201)
            for queue in ("second", "third"):
                kit.check_equal(kit.bodies_of(kit.consume(connection, queue, 10)), kit.numbered(300)[290:], f"history in {queue}")
                kit.check(kit.get(connection, queue) is None, f"{queue} has more than that")
