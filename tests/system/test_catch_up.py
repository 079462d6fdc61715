"""A node that was away for longer than the log reaches back."""

import time

import kit

# Little of the log is kept, so that an absence of seconds is a long one; the transfer is slow enough to be watched.
SETTINGS = {"wal.file_size": "1MiB", "wal.cache_size": "1MiB", "checkpoint.log_bytes": "256KiB", "cluster.groups": 2,
            "cluster.transfer_rate": "6000000"}
BODY = b"x" * 4000
COUNT = 8000      # 32 MB: four times what stays behind a checkpoint
GO_ON = 300


def body(at):
    return b"%d " % at + BODY


def check_bodies(events, first):
    for at, event in enumerate(events):
        kit.check(event.body == body(first + at), f"message {first + at} is {kit.shorten(event.body[:40])}")


@kit.limit(240)
def test_segments_bring_a_node_back():
    """Away for longer than the log reaches: caught up from segments while the queue serves, then leads with all messages"""
    with kit.cluster(settings=SETTINGS) as cluster:
        with kit.connected(cluster.nodes[0]) as connection:
            kit.declare(connection, "deep")
        leader = cluster.leader("deep")
        away = kit.others(cluster, leader)[0]
        kit.kill(away)
        client = kit.connect(leader)
        books = kit.Publisher(client)
        for at in range(COUNT):
            books.send("deep", body(at))
            books.settle(200)
        books.settle()
        check_bodies(kit.consume(client, "deep", 1000), 0)

        away.start()
        sent, taken, longest = COUNT, 1000, 0.0
        end = (came_back := time.monotonic()) + 90
        while "transfer_installed" not in kit.read_log(away) or sent < COUNT + GO_ON:
            kit.check(time.monotonic() < end, "nothing was installed")
            began = time.monotonic()
            books.send("deep", body(sent))
            books.settle()
            longest = max(longest, time.monotonic() - began)
            sent += 1
            time.sleep(0.003)
        took = time.monotonic() - came_back
        print(f"longest wait for a confirm while segments went over: {longest * 1000:.0f} ms of {took:.1f} s")
        kit.check(longest < took / 2, f"the queue stood still for {longest:.1f} of {took:.1f} s")
        cluster.wait_ready(kit.PATIENCE)
        client.close()

        # Its replica has to prove itself as leader.
        kit.lead(cluster, "deep", away)
        with kit.connected(away) as reader:
            count = kit.declare(reader, "deep", passive=True).fields["message_count"]
            kit.check_equal(count, sent - taken, "messages on the node that was away")
            check_bodies(kit.consume(reader, "deep", count), taken)
            kit.check(kit.get(reader, "deep") is None, "there were more messages than were sent")
