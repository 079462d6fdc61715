"""Many queues, and deep ones: what they cost in time, CPU and memory. Scaled down for every day, whole with --long."""

import pathlib
import time

import kit

IDLE_SECONDS = 4.0
IDLE_CPU = 0.03          # of a core
RESIDENT_MIB = 256       # of a node with a deep backlog
UNACKED_EVERY = 100_000
BODY = b"z" * 128


def cpu_seconds(node):
    """CPU that a node's threads have used since it started."""
    tasks = pathlib.Path(f"/proc/{node.process.pid()}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def idle_cpu(cluster):
    """Of the busiest node, in the quietest of a few spans: what was published is still being tidied up in the first."""
    quietest = 1.0
    for _ in range(5):
        before, began = [cpu_seconds(node) for node in cluster.nodes], time.monotonic()
        time.sleep(IDLE_SECONDS)
        seconds = time.monotonic() - began
        quietest = min(quietest, max((cpu_seconds(node) - used) / seconds for node, used in zip(cluster.nodes, before)))
        if quietest < IDLE_CPU:
            break
    return quietest


def many_queues(count, declare_limit, restart_limit):
    with kit.cluster() as cluster:
        client = kit.connect(cluster.nodes[0])
        began = time.monotonic()
        for at in range(count):
            kit.declare(client, f"many.{at}")
        declared = time.monotonic() - began
        books = kit.Publisher(client)
        for at in range(0, count, 10):
            books.send(f"many.{at}", b"%d" % at)
            books.settle(200)
        books.settle()
        client.close()
        idle = idle_cpu(cluster)
        memory = max(node.process.resident_mib() for node in cluster.nodes)

        node = cluster.nodes[1]
        kit.kill(node)
        began = time.monotonic()
        kit.start(cluster, node, timeout=kit.seconds(60))
        restart = time.monotonic() - began
        kit.kill(*cluster.nodes)
        began = time.monotonic()
        kit.start(cluster, *cluster.nodes, timeout=kit.seconds(120))
        restart_all = time.monotonic() - began
        print(f"{count} queues: declared in {declared:.1f} s, idle CPU {idle * 100:.1f} % of a core, resident {memory:.0f} MiB, "
              f"restart of one {restart:.1f} s, of all {restart_all:.1f} s")
        with kit.connected(node) as client:
            for at in range(0, count, max(count // 50, 10) // 10 * 10):
                kit.check_equal(kit.get(client, f"many.{at}").body, b"%d" % at, f"message of many.{at}")
        kit.check(declared < kit.seconds(declare_limit), f"{count} declares took {declared:.1f} s, limit {declare_limit} s")
        kit.check(idle < kit.seconds(IDLE_CPU), f"an idle node uses {idle * 100:.1f} % of a core")
        kit.check(max(restart, restart_all) < kit.seconds(restart_limit), f"restart took {max(restart, restart_all):.1f} s")


def drain(client, queue, count, held_back, timeout):
    """Consumes `count` messages in order, acks all but one in UNACKED_EVERY; gives messages a second and the tags held back."""
    client.call(1, "basic.qos", prefetch_count=2000)
    client.call(1, "basic.consume", queue=queue, consumer_tag="drain")
    began = time.monotonic()
    for at in range(count):
        event = client.poll(60)
        kit.check(event is not None, f"nothing comes any more after {at} of {count} messages")
        kit.check(int(event.body.split(b" ", 1)[0]) == at, f"{event.body[:20]} came, {at} was next")
        tag = event.fields["delivery_tag"]
        if at % UNACKED_EVERY == UNACKED_EVERY // 2:
            held_back.append(tag)
        else:
            client.ack(1, tag)
        if at % 10000 == 0:
            kit.check(time.monotonic() < began + kit.seconds(timeout), f"{at} of {count} messages in {timeout} s")
    client.flush()
    return count / (time.monotonic() - began)


def short_speed(client, away):
    """Messages a second out of a queue that is not deep."""
    kit.publish(client, "short", (b"%d " % at + BODY for at in range(20000)), window=2000, timeout=60)
    with kit.connected(away) as reader:
        return drain(reader, "short", 20000, [], 60)


def deep_backlog(count, fill_limit, drain_limit, slower):
    settings = {"cluster.groups": 2, "checkpoint.log_bytes": "8MiB", "wal.file_size": "8MiB"}
    with kit.cluster(settings=settings) as cluster:
        home, away = cluster.nodes[:2]
        client = kit.connect(home)
        for queue in ("short", "deep"):
            kit.declare(client, queue)
        short = short_speed(client, away)
        books, peak, began = kit.Publisher(client), 0.0, time.monotonic()
        for at in range(count):
            books.send("deep", b"%d " % at + BODY)
            if at % 200 == 0:
                books.settle(4000)
                books.confirmed.clear()  # ten million would be a backlog of their own
            if at % 20000 == 0:
                peak = max(peak, *(node.process.resident_mib() for node in cluster.nodes))
                kit.check(time.monotonic() - began < kit.seconds(fill_limit), f"{at} messages in {fill_limit} s")
        books.settle()
        filled = count / (time.monotonic() - began)
        peak = max(peak, *(node.process.resident_mib() for node in cluster.nodes))
        disk = kit.metric(home, "warren_segment_bytes")
        client.close()  # it would not answer heartbeats meanwhile
        held, reader = [], kit.connect(away)
        deep = drain(reader, "deep", count, held, drain_limit)
        peak = max(peak, *(node.process.resident_mib() for node in cluster.nodes))
        kit.wait_for("only what is held back is left", lambda: kit.queue_facts(home, "deep")["messages"] == len(held), 30)
        reader.call(1, "basic.cancel", consumer_tag="drain")  # what it holds stays with its channel
        client = kit.connect(home)
        short = min(short, short_speed(client, away))  # before and after: others may use this machine too
        # Segments go with a checkpoint, and a checkpoint comes with traffic.
        for _ in range(60):
            if kit.metric(home, "warren_segment_bytes") < disk / 4:
                break
            kit.publish(client, "deep", [b"x" * 30000] * 100)
            kit.consume(client, "deep", 100)
        left = kit.metric(home, "warren_segment_bytes")
        print(f"{count} messages: in {filled:.0f}/s, out {deep:.0f}/s (short queue {short:.0f}/s), peak resident {peak:.0f} MiB, "
              f"segments {disk / 1e6:.0f} MB, {left / 1e6:.1f} MB after the drain with {len(held)} held back")
        kit.check(peak < kit.mebibytes(RESIDENT_MIB), f"a node has grown to {peak:.0f} MiB")
        kit.check(deep > short / slower, f"the deep queue drains at {deep:.0f}/s, a short one at {short:.0f}/s")
        kit.check(disk == 0 or left < disk / 4, f"{left:.0f} of {disk:.0f} bytes of segments are still there")
        for tag in held:
            reader.ack(1, tag)
        reader.flush()
        kit.wait_for("the queue is empty", lambda: kit.queue_facts(home, "deep")["messages"] == 0, 30)
        client.close()
        reader.close()


@kit.alone
@kit.limit(120)
def test_two_thousand_queues():
    """2,000 mirrored queues: declared in seconds over one connection, idle CPU under 3 %, restart in seconds"""
    many_queues(2000, declare_limit=40, restart_limit=20)  # a wait in each declare would take minutes


@kit.alone
@kit.limit(150)
def test_deep_backlog():
    """300,000 messages waiting: memory stays bounded, the drain is fast, the disk is free again, unacked ones hold nothing up"""
    deep_backlog(300_000, fill_limit=80, drain_limit=80, slower=4)  # seconds only: noise counts


@kit.long
@kit.limit(600)
def test_twenty_thousand_queues():
    """20,000 mirrored queues: declared in under a minute over one connection, idle CPU under 3 %, restart in seconds"""
    many_queues(20_000, declare_limit=60, restart_limit=20)


@kit.long
@kit.limit(3000)
def test_ten_million_messages():
    """10 million messages waiting: under 256 MiB resident, the drain is fast, the disk is free again"""
    deep_backlog(10_000_000, fill_limit=1200, drain_limit=1500, slower=2)
