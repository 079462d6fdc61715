"""Disks that lie, tear and fill up: the node says so and leaves, the cluster goes on, nothing confirmed is lost."""

import contextlib
import shutil
import subprocess
import time

import kit

COUNT = 600
PORTION = 60
BODY = b"y" * 2000


def body(at):
    return b"%d " % at + BODY


def wanted(count):
    return [body(at) for at in range(count)]


def written_end(path):
    """Offset behind the last byte that is not zero: files are longer than what was written."""
    return len(path.read_bytes().rstrip(b"\0"))


def flip_bit(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 0x10]))


def log_file(node):
    """The log file that holds most of what was written."""
    return max((node.dir / "data").glob("shard-0/log/*.wal"), key=written_end)


def fill(cluster, queue, count=COUNT, written_by=None):
    """In portions, each of which a node has written before the next: what its very last flush has written looks torn when it is
    damaged, so the middle must not lie in it."""
    with kit.connected(cluster.nodes[0]) as connection:
        kit.declare(connection, queue)
        messages = wanted(count)
        for at in range(0, count, PORTION):
            kit.publish(connection, queue, messages[at:at + PORTION])
            if written_by:
                kit.wait_for(f"{written_by.name} has written it", lambda: kit.has_all(written_by, queue))


def check_goes_on(cluster, node, queue):
    """The others serve: one more message in, and it is confirmed."""
    with kit.connected(kit.others(cluster, node)[0]) as connection:
        kit.publish(connection, queue, [b"goes on"])


def wait_end(node, timeout=kit.PATIENCE):
    kit.check(node.process.wait_gone(timeout), f"{node.name} still runs")


def test_flipped_bit_in_the_log_refuses():
    """A flipped bit in the middle of the log: the node refuses to start, names file and offset; the cluster goes on"""
    with kit.cluster() as cluster:
        node = cluster.nodes[1]
        fill(cluster, "flip", written_by=node)
        kit.kill(node)
        path = log_file(node)
        flip_bit(path, written_end(path) // 2)
        before = len(kit.read_log(node))
        node.start()
        wait_end(node)
        words = kit.read_log(node)[before:]
        print(words.strip())
        kit.check(path.name in words and "offset" in words, f"the line does not name file and offset: {words}")
        check_goes_on(cluster, node, "flip")
        with kit.connected(cluster.nodes[0]) as connection:
            events = kit.consume(connection, "flip", COUNT + 1)
            kit.check(kit.bodies_of(events) == wanted(COUNT) + [b"goes on"], "the messages are not those that were sent")


def test_torn_last_record_starts():
    """A torn last record: the node starts, and nothing confirmed is lost"""
    with kit.cluster() as cluster:
        fill(cluster, "torn")
        node = cluster.nodes[2]
        kit.kill(node)
        path = log_file(node)
        end = written_end(path)
        with open(path, "r+b") as file:
            file.seek(end - 5)
            file.write(b"\xff" * 700)
        kit.start(cluster, node)
        check_goes_on(cluster, node, "torn")
        with kit.connected(node) as connection:
            events = kit.consume(connection, "torn", COUNT + 1)
            kit.check(kit.bodies_of(events) == wanted(COUNT) + [b"goes on"], "the messages are not those that were sent")


def test_flipped_bit_in_a_segment_stops_the_node():
    """A flipped bit in a segment: the node that reads it stops and says where; clients of the others get the right bytes"""
    count = 6000
    settings = {"wal.file_size": "1MiB", "wal.cache_size": "1MiB", "checkpoint.log_bytes": "256KiB", "cluster.groups": 1}
    with kit.cluster(settings=settings) as cluster:
        fill(cluster, "segment", count)
        node = cluster.leader("segment")
        kit.lead(cluster, "segment", node)  # and again when it has come back
        kit.kill(node)
        # A checkpoint that was under way has left files that are not finished; nobody will read those.
        segments = [path for path in sorted((node.dir / "data" / "groups" / "1").glob("*.seg")) if path.stat().st_size > 100]
        kit.check(segments, f"no segments in {list((node.dir / 'data').rglob('*'))}")
        for path in segments:
            flip_bit(path, path.stat().st_size // 2)
        before = len(kit.read_log(node))
        node.start()
        kit.wait_for("it leads again, or has left by itself",
                     lambda: node.process.pid() is None or cluster.leader("segment") is node, 60)
        reader_node = kit.others(cluster, node)[0]
        with kit.connected(reader_node) as connection:
            events = kit.consume(connection, "segment", count, timeout=60)
            kit.check(kit.bodies_of(events) == wanted(count), "the messages are not those that were sent")
        wait_end(node)
        words = kit.read_log(node)[before:]
        line = next((line for line in words.splitlines() if "ERROR" in line or "warrend:" in line), "")
        print(line)
        kit.check("offset" in line and any(path.name in line for path in segments),
                  f"the line does not name file and offset: {words[-2000:]}")


@contextlib.contextmanager
def small_disk(node, size):
    """A file system of its own for a node that does not run; its data moves there."""
    data, kept = node.dir / "data", node.dir / "data.kept"
    data.rename(kept)
    data.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "warren-test", str(data)], capture_output=True,
                      check=False).returncode != 0:
        raise kit.Skip("a small disk needs root and mount")
    try:
        shutil.copytree(kept, data, dirs_exist_ok=True)
        yield
    finally:
        node.process.stop(10)
        subprocess.run(["umount", str(data)], check=False)


@kit.limit(180)
def test_full_disk_leaves_service():
    """A disk that is full: the node leaves with a clear line, the cluster goes on; with room again it comes back"""
    count = 24000
    # Without the alarm, which would stop the publishers long before the disk is full.
    settings = {"wal.file_size": "2MiB", "wal.cache_size": "1MiB", "checkpoint.log_bytes": "512KiB", "cluster.groups": 1,
                "disk_free_limit.absolute": 0}
    with kit.cluster(settings=settings) as cluster:
        fill(cluster, "full", 10)
        node = cluster.nodes[2]
        kit.terminate(node)
        with small_disk(node, "24m"):
            kit.start(cluster, node)
            before = len(kit.read_log(node))
            with kit.connected(cluster.nodes[0]) as connection:
                books, longest = kit.Publisher(connection), 0.0
                for at in range(10, count):
                    began = time.monotonic()
                    books.send("full", body(at))
                    books.settle(300)
                    longest = max(longest, time.monotonic() - began)
                books.settle()
                kit.check(not books.nacked, f"{len(books.nacked)} messages were nacked")
            wait_end(node)
            words = kit.read_log(node)[before:]
            line = next((line for line in words.splitlines() if "ERROR" in line), words[-1000:])
            print(f"{line}\nlongest wait for a confirm: {longest * 1000:.0f} ms")
            kit.check("o space" in line, f"the line does not say that the disk is full: {words[-2000:]}")
            subprocess.run(["mount", "-o", "remount,size=400m", str(node.dir / "data")], check=True)
            kit.start(cluster, node)
            kit.wait_for("the node has caught up", lambda: kit.queue_facts(node, "full")["messages"] == count, 60)
            with kit.connected(node) as connection:
                events = kit.consume(connection, "full", count)
                kit.check(kit.bodies_of(events) == wanted(count), "the messages are not those that were sent")
