"""What clients of the surviving nodes see when nodes die, stop, or lose their majority."""

import signal
import subprocess
import time

import amqp
import kit
from processes import start_time

SLACK = 6.0             # seconds that a busy machine may take more; with the 2 s of a test still less than the usual publish_timeout_ms
ELECTION = 3            # seconds at least without a leader when nobody takes over
STOP_TRANSFER = 2.9     # seconds: a node that stops gives up waiting for others to lead after 3

def test_consumer_keeps_what_it_holds():
    """A consumer on a surviving node goes on through a leader's death; what it holds unacked is not redelivered"""
    consumer_keeps_what_it_holds({})


def consumer_keeps_what_it_holds(settings):
    with kit.cluster(settings=settings) as cluster:
        home = cluster.nodes[0]
        consumer = kit.connect(home)
        queue, leader = kit.queue_led_by(cluster, consumer, "hold", kit.others(cluster, home))
        writer = next(node for node in kit.others(cluster, leader) if node is not home)
        with kit.connected(writer) as publisher:
            kit.publish(publisher, queue, kit.numbered(10))
            consumer.call(1, "basic.qos", prefetch_count=10)
            consumer.call(1, "basic.consume", queue=queue)
            held = [consumer.poll(kit.PATIENCE) for _ in range(10)]
            kit.kill(leader)
            kit.publish(publisher, queue, kit.numbered(30)[10:])
        kit.check(consumer.poll(1) is None, "something came although the prefetch was used up")
        events = list(held)
        for event in held:
            consumer.ack(1, event.fields["delivery_tag"])
        while len(events) < 30:
            event = consumer.poll(kit.PATIENCE)
            kit.check(event is not None and event.name == "basic.deliver", f"{event} after {len(events)} messages")
            events.append(event)
            consumer.ack(1, event.fields["delivery_tag"])
        kit.check_equal(kit.bodies_of(events), kit.numbered(30), "each message once and in order")
        kit.check(not any(event.fields["redelivered"] for event in events), "a message was marked as redelivered")
        kit.check(consumer.poll(1) is None, "something came twice")
        kit.wait_for("the queue is empty", lambda: kit.queue_facts(home, queue)["messages"] == 0)
        consumer.close()


def test_disconnected_consumer_gives_back():
    """A node hangs: its consumers lose what they hold after the queue's time, before the node is given up, and go on elsewhere"""
    given_up = 90    # seconds
    with kit.cluster(settings={"cluster.node_timeout_ms": given_up * 1000}) as cluster:
        home = cluster.nodes[0]
        consumer = kit.connect(home)
        queue, _ = kit.queue_led_by(cluster, consumer, "soon", kit.others(cluster, home),
                                    arguments={"x-consumer-disconnected-timeout": 1500})
        other = kit.connect(kit.others(cluster, home)[0])
        kit.publish(consumer, queue, [b"m"])
        consumer.call(1, "basic.consume", queue=queue, consumer_tag="c")
        held = consumer.poll(kit.PATIENCE)
        kit.check_equal(held.body, b"m", "delivered")
        home.process.send(signal.SIGSTOP)
        began = time.monotonic()
        kit.wait_for("the message for others", lambda: kit.queue_facts(kit.others(cluster, home)[0], queue)["messages_ready"], 60)
        kit.check(1 < time.monotonic() - began < given_up, "neither at once nor when the node is given up")
        got = kit.get(other, queue)
        kit.check_equal((got.body, got.fields["redelivered"]), (b"m", True), "what another consumer gets")
        home.process.send(signal.SIGCONT)
        event = consumer.poll(kit.PATIENCE)
        kit.check_equal((event.name, event.fields["consumer_tag"]), ("basic.cancel", "c"), "what the consumer hears")
        consumer.ack(1, held.fields["delivery_tag"])
        kit.publish(consumer, queue, [b"next"])
        kit.check_equal(kit.get(consumer, queue).body, b"next", "its connection goes on")


def test_stream_is_exact_through_leader_changes():
    """Published once is delivered once and in order through two leader deaths, when no client connection broke"""
    with kit.cluster(settings={"cluster.groups": 4}) as cluster:
        home = cluster.nodes[0]
        publisher, consumer = kit.connect(home), kit.connect(home)
        queue, _ = kit.queue_led_by(cluster, publisher, "stream", kit.others(cluster, home))
        consumer.call(1, "basic.qos", prefetch_count=200)
        consumer.call(1, "basic.consume", queue=queue)
        books, got, flagged = kit.Publisher(publisher), [], 0

        def drain(timeout):
            nonlocal flagged
            event = consumer.poll(timeout)
            while event:
                got.append(event.body)
                flagged += event.fields["redelivered"]
                consumer.ack(1, event.fields["delivery_tag"])
                event = consumer.events.popleft() if consumer.events else None
            consumer.flush()

        for at, body in enumerate(kit.numbered(12000)):
            if at in (4000, 8000):
                leader = cluster.leader(queue)
                if leader is home:     # its clients are to live on: another one leads, and then dies
                    leader = kit.others(cluster, home)[0]
                    kit.lead(cluster, queue, leader)
                kit.kill(leader)
            if at == 6000:
                kit.start(cluster, *[node for node in cluster.nodes if node.process.state() == "down"])
            books.send(queue, body)
            if at % 20 == 0:
                books.settle(400)
                drain(0)
        books.settle()
        kit.wait_for("all messages have come", lambda: drain(0.2) or len(got) >= 12000)
        drain(1)
        kit.check(not books.nacked and not books.returned, "something was nacked or returned")
        kit.check_equal(got, kit.numbered(12000), "the stream")
        kit.check_equal(flagged, 0, "messages marked as redelivered")
        publisher.close()
        consumer.close()


def test_publish_and_close_is_applied_once():
    """A publish that was followed by a close is there once, when the leader dies right after"""
    with kit.cluster() as cluster:
        for at in range(4):
            queue = f"once.{at}"
            with kit.connected(cluster.nodes[0]) as connection:
                kit.declare(connection, queue)
            leader = cluster.leader(queue)
            survivor = kit.others(cluster, leader)[0]
            publisher = kit.connect(survivor)
            publisher.publish(1, "", queue, b"once", delivery_mode=2)
            publisher.close()
            kit.kill(leader)
            with kit.connected(survivor) as connection:
                kit.publish(connection, queue, [b"fence"])
                kit.check_equal(kit.bodies_of([kit.get(connection, queue) for _ in range(2)]), [b"once", b"fence"], "messages")
                kit.check(kit.get(connection, queue) is None, "there was more than that")
            kit.start(cluster, leader)


def test_topology_is_everywhere_at_once():
    """Declare or bind through one node, publish at once through another: routed; delete: unroutable at once, and for ever"""
    with kit.cluster() as cluster:
        connections = [kit.connect(node) for node in cluster.nodes]
        publishers = [kit.Publisher(connection) for connection in connections]
        connections[0].call(1, "exchange.declare", exchange="x", type="topic", durable=True)
        for at in range(30):
            here, there = connections[at % 3], publishers[(at + 1) % 3]
            queue = f"fresh.{at}"
            kit.declare(here, queue)
            there.send(queue, b"direct")
            here.call(1, "queue.bind", queue=queue, exchange="x", routing_key=f"key.{at}")
            there.send(f"key.{at}", b"bound", exchange="x")
            there.settle()
            kit.check_equal(there.returned, [], "returned messages")
            kit.check_equal(kit.declare(connections[(at + 2) % 3], queue, passive=True).fields["message_count"], 2,
                            f"messages of {queue}")
        for at in range(0, 30, 2):
            connections[at % 3].call(1, "queue.delete", queue=f"fresh.{at}")
            there = publishers[(at + 1) % 3]
            there.send(f"key.{at}", b"gone", exchange="x")
            there.settle()
            kit.check_equal(there.returned, [b"gone"], f"returned messages after fresh.{at} was deleted")
            there.returned.clear()
        for connection in connections:
            connection.close()
        kit.kill(*cluster.nodes)
        kit.start(cluster, *cluster.nodes)
        for node in cluster.nodes:
            with kit.connected(node) as connection:
                for at in range(30):
                    connection.open_channel(at + 2)
                    try:
                        count = kit.declare(connection, f"fresh.{at}", channel=at + 2, passive=True).fields["message_count"]
                        kit.check(at % 2 == 1 and count == 2, f"fresh.{at} with {count} messages on {node.name}")
                    except amqp.ChannelClosed as closed:
                        kit.check(at % 2 == 0 and closed.code == 404, f"fresh.{at} on {node.name}: {closed}")


def test_confirmed_survives_kill_of_all():
    """Confirmed messages survive kill -9 of all nodes, three times over"""
    with kit.cluster() as cluster:
        queues, kept = [f"all.{at}" for at in range(6)], 0
        for number in range(3):
            with kit.connected(cluster.nodes[number]) as connection:
                books = kit.Publisher(connection)
                for queue in queues:
                    kit.declare(connection, queue)
                for body in kit.numbered(300, f"round{number}."):
                    for queue in queues:
                        books.send(queue, body)
                books.settle()
                kit.check(not books.nacked, "something was nacked")
                kit.kill(*cluster.nodes)
            kept += 300
            kit.start(cluster, *cluster.nodes)
            kit.check_equal([kit.queue_facts(cluster.nodes[0], queue)["messages"] for queue in queues], [kept] * 6,
                            f"messages after round {number}")
        wanted = [body for number in range(3) for body in kit.numbered(300, f"round{number}.")]
        with kit.connected(cluster.nodes[2]) as connection:
            for queue in queues:
                kit.check_equal(kit.bodies_of(kit.consume(connection, queue, kept)), wanted, queue)


def test_minority_refuses_and_heals():
    """A node without a majority refuses publishes and declares within the configured time, and heals by itself"""
    patience = 2.0
    with kit.cluster(settings={"publish_timeout_ms": int(patience * 1000)}) as cluster:
        survivor = cluster.nodes[0]
        connection = kit.connect(survivor)
        kit.declare(connection, "few")
        kit.publish(connection, "few", [b"before"])
        kit.kill(*cluster.nodes[1:])
        books = kit.Publisher(connection)
        for body in kit.numbered(5):
            books.send("few", body)
        began = time.monotonic()
        try:
            books.settle(timeout=patience + SLACK)
            kit.check(not books.confirmed, f"{len(books.confirmed)} messages were confirmed without a majority")
            answer = f"{len(books.nacked)} nacks"
        except (amqp.Closed, amqp.ChannelClosed) as closed:
            answer = f"closed with {closed}"
        print(f"publish: {answer} after {time.monotonic() - began:.1f} s")
        connection.close()
        with kit.connected(survivor) as late:
            began = time.monotonic()
            try:
                late.call(1, "queue.declare", queue="new", durable=True, timeout=patience + SLACK)
                raise AssertionError("a queue was declared without a majority")
            except (amqp.Closed, amqp.ChannelClosed) as closed:
                print(f"declare: closed with {closed} after {time.monotonic() - began:.1f} s")
        kit.start(cluster, cluster.nodes[1])
        cluster.wait_ready(kit.PATIENCE, [survivor.number])
        with kit.connected(survivor) as healed:
            kit.publish(healed, "few", [b"after"])
            got = kit.bodies_of(kit.consume(healed, "few", kit.queue_facts(survivor, "few")["messages"]))
            # What was refused may be there or not; what was confirmed is, and nothing is there twice.
            kit.check(got[0] == b"before" and got[-1] == b"after" and len(set(got)) == len(got), f"messages: {got}")


def test_sigterm_stops_in_good_order():
    """SIGTERM: clients are closed with 320, others see no pause to speak of, exit code 0"""
    with kit.cluster(settings={"raft.election_timeout_ms": ELECTION * 1000}) as cluster:
        with kit.connected(cluster.nodes[0]) as connection:
            for at in range(12):
                kit.declare(connection, f"term.{at}")
        node = cluster.nodes[0]
        kit.terminate(node)  # once more as a child of ours, whose exit code we see
        child = subprocess.Popen([str(cluster.binary), "--config", str(node.dir / "warren.conf")], stdin=subprocess.DEVNULL,
                                 stdout=open(node.process.output_file, "ab"), stderr=subprocess.STDOUT)
        node.process.pid_file.write_text(f"{child.pid} {start_time(child.pid)}\n")
        cluster.wait_ready(kit.PATIENCE)
        for other in cluster.nodes[1:]:  # leaderships come back by and by; this is quicker
            kit.terminate(other)
            kit.start(cluster, other)
        kit.wait_for("the node leads something", lambda: kit.metric(node, "warren_groups_led") > 0, 60)
        client, publisher = kit.connect(node), kit.connect(cluster.nodes[1])
        books = kit.Publisher(publisher)
        child.terminate()
        longest, ended = 0.0, None
        while ended is None or time.monotonic() < ended + 0.5:
            for at in range(12):
                books.send(f"term.{at}", b"x")
            began = time.monotonic()
            books.settle()
            longest = max(longest, time.monotonic() - began)
            if ended is None and child.poll() is not None:
                ended = time.monotonic()
        try:
            while client.poll(kit.PATIENCE):
                pass
            raise AssertionError("the client was not closed")
        except amqp.Closed as closed:
            kit.check_equal(closed.code, 320, f"reply code of the close ({closed})")
        kit.check_equal(child.returncode, 0, "exit code")
        print(f"longest wait for twelve confirms while the node stopped: {longest * 1000:.0f} ms")
        kit.check(longest < ELECTION, f"publishers waited for {longest:.1f} s, as long as for an election")
        kit.check(not books.nacked and not books.returned, "something was nacked or returned")
        publisher.close()


def test_sigterm_right_after_a_restart_hands_over():
    """Nodes stopped one right after the other, as soon as each is ready again: no leadership waits for a timeout"""
    with kit.cluster(settings={"raft.election_timeout_ms": ELECTION * 1000}) as cluster:
        seconds = []
        for at in range(6):
            node = cluster.nodes[at % 3]
            began = time.monotonic()
            kit.terminate(node)
            seconds.append(time.monotonic() - began)
            kit.start(cluster, node)
        print("stopped in " + ", ".join(f"{one:.2f}" for one in seconds) + " s")
        kit.check(max(seconds) < STOP_TRANSFER, f"a stop took {max(seconds):.1f} s: somebody's leadership was not taken over")


def test_restarted_node_finds_queues_at_once():
    """A node that is just ready again never says not found of a queue that is there"""
    with kit.cluster() as cluster:
        node = cluster.nodes[1]
        for at in range(6):
            with kit.connected(cluster.nodes[0]) as connection:
                kit.declare(connection, f"found.{at}")
                kit.publish(connection, f"found.{at}", kit.numbered(50))
            kit.kill(node)
            kit.start(cluster, node)
            with kit.connected(node) as connection:
                kit.publish(connection, f"found.{at}", [b"at once"])
                connection.open_channel(2)
                kit.check_equal(kit.declare(connection, f"found.{at}", channel=2, passive=True).fields["message_count"], 51, "messages")


def test_global_prefetch_counts_over_queues():
    """basic.qos with global holds over queues of many groups, also while a node that leads some of them dies"""
    queues, each, most = [f"all.{number}" for number in range(8)], 30, 3
    with kit.cluster() as cluster:
        home = cluster.nodes[0]
        consumer = kit.connect(home)
        with kit.connected(home) as publisher:
            for queue in queues:
                kit.declare(publisher, queue)
                kit.publish(publisher, queue, kit.numbered(each, f"{queue}/"))
        consumer.call(1, "basic.qos", prefetch_count=most, **{"global": True})
        for queue in queues:
            consumer.call(1, "basic.consume", queue=queue, consumer_tag=queue)
        held, seen, victim = [], {}, None
        while len(seen) < len(queues) * each:
            event = consumer.poll(0.2 if len(held) == most else kit.PATIENCE)
            if event is None and held:
                consumer.ack(1, held.pop(0))
                continue
            kit.check(event is not None and event.name == "basic.deliver", f"{event} after {len(seen)} messages")
            held.append(event.fields["delivery_tag"])
            kit.check(len(held) <= most, f"{len(held)} messages at once, {most} are allowed")
            kit.check(event.body not in seen, f"{event.body} came twice")
            seen[event.body] = event.fields["consumer_tag"]
            if len(seen) == 60:
                victim = next(node for node in kit.others(cluster, home))
                kit.kill(victim)
            while len(seen) > 10 and held:
                consumer.ack(1, held.pop(0))
        for queue in queues:
            bodies = [body for body, tag in seen.items() if tag == queue]
            kit.check_equal(bodies, kit.numbered(each, f"{queue}/"), f"what came of {queue}")
        consumer.close()
