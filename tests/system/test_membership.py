"""Nodes come and go under load: nothing that was confirmed is lost, and replicas are where they belong afterwards."""

import subprocess
import threading
import time

import kit

SETTINGS = {"cluster.groups": 4, "checkpoint.log_bytes": "256KiB"}
QUEUES = [f"q{at}" for at in range(8)]
BODY = b"x" * 500
DRAINED_LOOK = 3.0   # seconds in which a node that was started might do what it should not while it drains


class Load:
    """Publishes to all queues from one node that stays, with confirms, until told to stop."""

    def __init__(self, node):
        self.connection = kit.connect(node)
        for queue in QUEUES:
            kit.declare(self.connection, queue)
        self.books, self.sent, self.longest = kit.Publisher(self.connection), 0, 0.0
        self.stopping, self.trouble = threading.Event(), None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            while not self.stopping.is_set():
                began = time.monotonic()
                for queue in QUEUES:
                    self.books.send(queue, b"%s %d " % (queue.encode(), self.sent) + BODY)
                    self.sent += 1
                self.books.settle(0, timeout=30.0)
                self.longest = max(self.longest, time.monotonic() - began)
                time.sleep(0.005)
        except BaseException as trouble:  # told to whoever waits
            self.trouble = trouble

    def stop(self):
        self.stopping.set()
        self.thread.join()
        self.connection.close()
        if self.trouble:
            raise self.trouble
        kit.check(not self.books.nacked and not self.books.returned, "messages were refused")
        print(f"{len(self.books.confirmed)} confirmed; the longest wait was {self.longest * 1000:.0f} ms")
        kit.check(self.sent > 200, f"only {self.sent} messages were published")


def check_nothing_lost(node, load):
    """Every confirmed message is there once, in order per queue."""
    with kit.connected(node) as connection:
        for queue in QUEUES:
            wanted = [body for body in load.books.confirmed if body.startswith(queue.encode() + b" ")]
            got = kit.bodies_of(kit.consume(connection, queue, len(wanted)))
            kit.check(got == wanted, f"{queue}: {len(got)} of {len(wanted)} messages, or another order")
            kit.check(kit.get(connection, queue) is None, f"{queue} has more than was published")


def grow(cluster):
    node = cluster.add_node()
    node.start()
    cluster.wait_ready(60, [node.number])
    return node


def leave(cluster, number):
    node = cluster.node(number)
    cluster.helper(number).change("POST", f"/api/cluster/members/{number}/leave")
    kit.wait_for(f"{node.name} stops by itself", lambda: node.process.pid() is None, timeout=120)
    cluster.remove_node(number)
    cluster.wait_settled(60)


def check_level(cluster):
    """Newcomers tell what their program knows, too, and the cluster works at the level of all."""
    def levels():
        seen = cluster.helper(0).get_json("/api/cluster/members")
        return seen["level"] > 0 and {member["level"] for member in seen["members"]} == {seen["level"]}
    kit.wait_for("one level of all members and of the cluster", levels)


def placements(cluster, but=0):
    return cluster.helper(but).get_json("/api/cluster/groups")


@kit.limit(360)
def test_three_become_five_and_three_again():
    """Two nodes join and two founders leave, under load: nothing is lost, and the newcomers carry the cluster"""
    with kit.cluster(settings=SETTINGS) as cluster:
        load = Load(cluster.node(3))
        cluster.wait_settled(60)
        for _ in range(2):
            grow(cluster)
        cluster.wait_settled(90)
        held = {number for group in placements(cluster) for number in group["placement"]}
        kit.check(held == {1, 2, 3, 4, 5}, f"replicas are on {held}")
        check_level(cluster)
        leave(cluster, 1)
        leave(cluster, 2)
        for group in placements(cluster):
            kit.check(set(group["placement"]) == {3, 4, 5}, f"group {group} has replicas elsewhere")
        load.stop()
        check_nothing_lost(cluster.node(4), load)
        kit.check(not (cluster.node(1).dir / "data" / "removed").read_text() == "", "node 1 does not know that it was removed")
        cluster.node(1).start()
        kit.wait_for("a node that was removed refuses to start", lambda: "removed from its cluster" in kit.read_log(cluster.node(1)))


@kit.limit(240)
def test_a_dead_node_is_replaced():
    """A node dies for good, is forgotten, and another one takes its place, under load; its number is refused afterwards"""
    with kit.cluster(settings=SETTINGS) as cluster:
        load = Load(cluster.node(1))
        dead = cluster.node(3)
        cluster.wait_settled(60)
        try:
            cluster.helper(1).change("DELETE", "/api/cluster/members/3")
        except kit.Problem as refused:
            kit.check("runs" in str(refused), f"the refusal says {refused}")
        else:
            raise AssertionError("a node that runs was forgotten")
        kit.kill(dead)
        kit.wait_for("node 3 is seen as dead", lambda: not [member for member in cluster.members(but=3)["members"]
                                                            if member["id"] == 3][0]["running"])
        cluster.helper(3).change("DELETE", "/api/cluster/members/3")
        cluster.remove_node(3)
        grow(cluster)
        cluster.wait_settled(90, wanted=[1, 2, 4])
        for group in placements(cluster):
            kit.check(sorted(group["placement"]) == [1, 2, 4], f"group {group} is not on 1, 2 and 4")
        dead.start()
        kit.wait_for("node 3 is told that it was removed", lambda: "was removed from the cluster" in kit.read_log(dead))
        kit.kill(dead)
        kit.kill(cluster.node(2))  # so the newcomer's replica counts for the majority
        time.sleep(1.0)
        load.stop()
        check_nothing_lost(cluster.node(4), load)


def never_ready(node):
    """Asks a node that starts all the time, until it has said for a while that it drains."""
    said = []

    def drains():
        ready, reason = node.health()
        kit.check(not ready, f"it was ready for a moment before it was revived, after {said[-1:]}")
        said.append(reason)
        return "draining" in reason

    kit.wait_for("it knows that it drains", drains, timeout=60, interval=0.001)
    limit = time.monotonic() + DRAINED_LOOK
    while time.monotonic() < limit:
        kit.check(drains(), f"it drained, and then said {said[-1]}")
        time.sleep(0.02)


@kit.limit(180)
def test_drain_and_revive():
    """A drained node leads nothing and is not ready; revived, it leads again; no confirm waits long"""
    with kit.cluster(settings=SETTINGS) as cluster:
        load, node = Load(cluster.node(1)), cluster.node(2)
        cluster.wait_settled(60)
        kit.wait_for("node 2 leads something", lambda: any(group["leader"] == 2 for group in placements(cluster, 2)), timeout=60)
        cluster.helper(0).change("POST", "/api/cluster/members/2/drain")
        kit.wait_for("node 2 leads nothing", lambda: all(group["leader"] not in (0, 2) for group in placements(cluster, 2)), timeout=60)
        ready, reason = node.health()
        kit.check(not ready and "draining" in reason, f"a drained node says {ready} {reason}")
        kit.check(node.get_json("/api/nodes/" + node.name)["being_drained"], "/api/nodes does not show it")
        kit.terminate(node)
        node.start()
        never_ready(node)
        kit.check(all(group["leader"] != 2 for group in placements(cluster, 2)), "it leads again before it was revived")
        cluster.helper(2).change("POST", "/api/cluster/members/2/revive")
        kit.wait_for("node 2 is ready", node.is_ready)
        kit.wait_for("node 2 leads something", lambda: any(group["leader"] == 2 for group in placements(cluster, 2)), timeout=60)
        load.stop()
        check_nothing_lost(node, load)


@kit.limit(180)
def test_a_taken_number_is_refused():
    """Who joins under the number of a member, or comes back without its disk, is refused in words on both sides"""
    with kit.cluster(settings=SETTINGS) as cluster:
        cluster.wait_settled(60)
        victim, host = cluster.node(2), cluster.node(1)
        # Each by its own copy of the members: from then on a second at most, or the link to the wrong disk is cut again.
        kit.wait_for("all know the disk of node 2", lambda: all(
            member["level"] > 0 for node in cluster.nodes for member in node.get_json("/api/cluster/members")["members"]))
        kit.terminate(victim)
        (victim.dir / "data").rename(victim.dir / "data.lost")
        victim.start()
        kit.wait_for("both say that the number is taken", lambda: all("is taken" in kit.read_log(node) for node in (victim, host)))
        kit.check(not victim.health()[0], "a node that lost its disk serves")
        kit.kill(victim)
        cluster.helper(2).change("DELETE", "/api/cluster/members/2")
        cluster.remove_node(2)
        grow(cluster)
        cluster.wait_settled(90, wanted=[1, 3, 4])


@kit.limit(180)
def test_a_changed_address_is_learnt():
    """A node comes back under another address: the others take it from the node itself, and one whose configuration has the old one serves with it"""
    with kit.cluster(settings=SETTINGS) as cluster:
        cluster.wait_settled(60)
        moved, first = cluster.node(3), cluster.node(1)
        old = f"{moved.host}:{moved.link_port}"
        kit.terminate(moved)
        moved.link_port += 4     # of this cluster's own ports
        new = f"{moved.host}:{moved.link_port}"
        kit.start(cluster, moved)
        kit.wait_for("the new address is known", lambda: [member["address"] for member in cluster.members()["members"]
                                                          if member["id"] == 3] == [new], timeout=60)
        write = first.write_config

        def with_old_address():
            write()
            file = first.dir / "warren.conf"
            file.write_text(file.read_text().replace(new, old))
        first.write_config = with_old_address
        kit.kill(cluster.node(1), cluster.node(2))
        first.start()  # its configuration names an address where nobody is
        cluster.wait_ready(60, [1, 3])
        with kit.connected(first) as connection:
            kit.declare(connection, "q")
            kit.publish(connection, "q", kit.numbered(5))


@kit.limit(240)
def test_a_lost_majority_is_recovered():
    """Two of three nodes are lost for good: the last one goes on by explicit command with all that it has, and grows again"""
    with kit.cluster(settings=SETTINGS) as cluster:
        cluster.wait_settled(60)
        load, last = Load(cluster.node(1)), cluster.node(1)
        kit.wait_for("messages in all queues", lambda: len(load.books.confirmed) > 400)
        load.stop()
        # What is confirmed on a majority reaches the third, too.
        kit.wait_for("the last one has all of it", lambda: all(kit.has_all(last, queue) for queue in QUEUES))
        kit.kill(cluster.node(2), cluster.node(3))
        kit.terminate(last)
        command = [cluster.binary, "--config", str(last.dir / "warren.conf"), "--force-lost-majority"]
        refused = subprocess.run(command + ["yes"], capture_output=True, text=True, check=False)
        kit.check(refused.returncode != 0 and "confirmed messages may be lost" in refused.stderr, f"it says {refused.stderr!r}")
        done = subprocess.run(command + ["confirmed messages may be lost"], capture_output=True, text=True, check=False)
        kit.check(done.returncode == 0 and "5 groups" in done.stdout, f"it says {done.stdout!r} {done.stderr!r}")
        audit = (last.dir / "data" / "audit").read_text()
        kit.check("force-lost-majority node=1" in audit, f"the audit record says {audit!r}")
        last.start()
        cluster.wait_ready(60, [1])
        check_nothing_lost(last, load)
        for number in (2, 3):
            last.change("DELETE", f"/api/cluster/members/{number}")
            cluster.remove_node(number)
            last = cluster.node(1)
        for _ in range(2):
            grow(cluster)
        cluster.wait_settled(90, wanted=[1, 4, 5])
        with kit.connected(cluster.node(4)) as connection:
            kit.publish(connection, QUEUES[0], kit.numbered(50))
            kit.kill(cluster.node(1))
            kit.check(kit.bodies_of(kit.consume(connection, QUEUES[0], 50)) == kit.numbered(50), "messages are missing")


def start_on(node, data, *words):
    """Starts a node on another one's folder of data."""
    node.write_config()
    config = node.dir / "warren.conf"
    config.write_text("".join(f"data_dir = {data}\n" if line.startswith("data_dir") else line
                              for line in config.read_text().splitlines(keepends=True)))
    node.process.start([node.cluster.binary, "--config", str(config), *words])


@kit.limit(240)
def test_a_machine_is_used_again_after_a_reset():
    """A node that has left does not start on its old data; with --reset and a new number it joins, and the old data stays aside"""
    with kit.cluster(settings=SETTINGS) as cluster:
        cluster.wait_settled(60)
        with kit.connected(cluster.node(1)) as connection:
            kit.declare(connection, "kept")
            kit.publish(connection, "kept", kit.numbered(100))
        gone = cluster.node(3)
        data = gone.dir / "data"
        leave(cluster, 3)
        identity = (data / "identity").read_text()

        start_on(gone, data)
        kit.check(gone.process.wait_gone(kit.PATIENCE), "a node that has left starts on its old data")
        kit.check("--reset" in kit.read_log(gone).splitlines()[-1], f"its last words: {gone.process.last_output(3)}")
        start_on(gone, data, "--reset")     # a number that was given back is not taken again
        try:
            kit.wait_for("its old number is refused", lambda: "refused" in kit.read_log(gone).rpartition("is now in")[2])
            kit.check(not gone.health()[0], "it serves under its old number")
        finally:
            kit.kill(gone)      # the cluster does not know it any more

        again = cluster.add_node()
        start_on(again, data, "--reset")
        cluster.wait_ready(60, [again.number])
        cluster.wait_settled(60)
        kit.check((data.parent / "data.aside-1" / "identity").read_text() == identity, "the old data is not aside")
        kit.check((data / "identity").read_text() != identity, "the new node has the old identity")
        with kit.connected(again) as connection:
            kit.check_equal(kit.bodies_of(kit.consume(connection, "kept", 100)), kit.numbered(100), "messages")
