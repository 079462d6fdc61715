"""Queues have as many replicas as their arguments and policies ask for, where they ask for them, and operators' orders count."""

import time

import kit
from test_ctl import Tools
from test_membership import Load, QUEUES, check_nothing_lost, placements

SETTINGS = {"cluster.groups": 4, "checkpoint.log_bytes": "256KiB"}


def members(node, queue):
    """Numbers of the nodes that hold a replica of the queue."""
    return sorted(int(name.rsplit("node", 1)[1]) for name in kit.queue_facts(node, queue)["members"])


def set_policy(node, name, pattern, definition):
    node.change("PUT", f"/api/policies/%2F/{name}", body={"pattern": pattern, "definition": definition, "apply-to": "queues"})


def wait_members(node, queue, count, timeout=80):
    return kit.wait_for(f"{queue} has {count} replicas",
                        lambda: (found := members(node, queue)) and len(found) == count and found, timeout=timeout)


def declare_sized(connection, queue, **arguments):
    kit.declare(connection, queue, arguments={key.replace("_", "-"): value for key, value in arguments.items()})


@kit.limit(240)
def test_arguments_say_how_many():
    """x-quorum-initial-group-size and its kin: 1, 5 and the usual 3 side by side, each used, and after a restart too"""
    with kit.cluster(nodes=5, settings=SETTINGS) as cluster:
        cluster.wait_settled(60)
        node = cluster.node(2)
        with kit.connected(node) as connection:
            kit.declare(connection, "usual")
            began = time.monotonic()
            declare_sized(connection, "one", x_quorum_initial_group_size=1)
            declare_sized(connection, "five", x_quorum_target_group_size=5)
            print(f"two spare groups began within {time.monotonic() - began:.1f} s")
            declare_sized(connection, "later", x_initial_cluster_size=7)
            for queue, count in (("usual", 3), ("one", 1), ("five", 5), ("later", 5)):
                kit.check_equal(len(members(node, queue)), count, f"replicas of {queue}")
                kit.publish(connection, queue, kit.numbered(50))
        alone = cluster.node(members(node, "one")[0])
        kit.kill(alone)
        witness = kit.others(cluster, alone)[0]
        kit.wait_for("the queue with one replica is away", lambda: kit.queue_facts(witness, "one")["state"] == "minority")
        kit.wait_for("its node's death is over for the others", witness.is_ready)  # it is the matter of this queue alone
        kit.kill(*kit.others(cluster, alone))
        kit.start(cluster, *cluster.nodes)
        with kit.connected(node) as connection:
            for queue in ("usual", "one", "five", "later"):
                kit.check_equal(kit.bodies_of(kit.consume(connection, queue, 50)), kit.numbered(50), f"messages of {queue}")
        kit.kill(*[cluster.node(number) for number in (4, 5)])  # five replicas go on with three
        with kit.connected(node) as connection:
            kit.publish(connection, "five", kit.numbered(10))


@kit.limit(240)
def test_a_policy_raises_and_lowers_under_load():
    """ha-mode exactly 5 on a queue under load gives its group five replicas, ha-mode all too; without it three: nothing is lost"""
    with kit.cluster(nodes=5, settings=SETTINGS) as cluster:
        load, node = Load(cluster.node(1)), cluster.node(1)
        cluster.wait_settled(60)
        set_policy(node, "more", "^q0$", {"ha-mode": "exactly", "ha-params": 5})
        kit.check_equal(wait_members(node, "q0", 5), [1, 2, 3, 4, 5], "where q0 is")
        kit.check_equal(len(kit.queue_facts(node, "q0")["slave_nodes"]), 4, "mirrors of q0")
        kit.wait_for("the mirrors are in step", lambda: len(kit.queue_facts(node, "q0")["synchronised_slave_nodes"]) == 4)
        group = kit.queue_facts(node, "q0")["group"]
        away = [queue for queue in QUEUES if kit.queue_facts(node, queue)["group"] != group]
        kit.wait_for("queues of other groups have three replicas",  # while they make room, they have four
                     lambda: away and all(len(members(node, queue)) == 3 for queue in away), timeout=80)
        node.change("DELETE", "/api/policies/%2F/more")
        wait_members(node, "q0", 3)
        set_policy(node, "more", "^q1$", {"target-group-size": 4})
        wait_members(node, "q1", 4)
        set_policy(node, "more", "^q1$", {"ha-mode": "all"})
        wait_members(node, "q1", 5)
        load.stop()
        check_nothing_lost(node, load)


def tag_nodes(cluster, values):
    """Starts all nodes again, each with its own node_tags.az."""
    kit.kill(*cluster.nodes)
    for node, value in zip(cluster.nodes, values):
        def write(node=node, plain=node.write_config, value=value):
            plain()
            with (node.dir / "warren.conf").open("a") as file:
                file.write(f"node_tags.az = {value}\n")
        node.write_config = write
    kit.start(cluster, *cluster.nodes)


@kit.limit(240)
def test_replicas_are_spread_over_values_of_a_tag():
    """x-member-placement-tag, and the policy, put replicas on nodes with different values of node_tags; the overview shows those"""
    with kit.cluster(nodes=5, settings=SETTINGS) as cluster:
        tag_nodes(cluster, ["one", "one", "one", "two", "three"])
        node = cluster.node(1)
        kit.check_equal(node.get_json("/api/overview")["node_tags"], {"az": "one"}, "tags of node 1")
        kit.wait_for("tags are known", lambda: all(member["tags"].startswith("az=") for member in cluster.members()["members"]))
        cluster.wait_settled(60)
        with kit.connected(node) as connection:
            for at in range(3):
                declare_sized(connection, f"spread-{at}", x_member_placement_tag="az")
                kit.check(set(members(node, f"spread-{at}")) > {4, 5}, f"spread-{at} is on {members(node, f'spread-{at}')}")
            kit.declare(connection, "later")
            set_policy(node, "tag", "^later$", {"member-placement-tag": "az"})
            kit.wait_for("the policy has moved the queue", lambda: set(members(node, "later")) > {4, 5}
                         and len(members(node, "later")) == 3, timeout=80)


@kit.limit(240)
def test_all_groups_are_spread_over_values_of_a_tag():
    """quorum_queue.member_placement_tag spreads the replicas of every group"""
    with kit.cluster(nodes=5, settings={**SETTINGS, "quorum_queue.member_placement_tag": "az"}) as cluster:
        tag_nodes(cluster, ["one", "one", "one", "two", "three"])
        kit.wait_for("every group has a replica in each place", lambda: all(
            set(group["placement"]) > {4, 5} for group in placements(cluster) if group["group"]), timeout=80)


@kit.limit(240)
def test_replicas_are_pinned():
    """ha-mode nodes pins replicas, and another list of nodes moves them with what is in the queue"""
    with kit.cluster(nodes=5, settings=SETTINGS) as cluster:
        cluster.wait_settled(60)
        node = cluster.node(1)
        kit.wait_for("names are known", lambda: all(member["name"].startswith("warren@node") for member in cluster.members()["members"]))
        names = [f"warren@node{number}" for number in (2, 4, 5)]
        set_policy(node, "pinned", "^pin", {"ha-mode": "nodes", "ha-params": names})
        with kit.connected(node) as connection:
            kit.declare(connection, "pin-1")
            kit.check_equal(members(node, "pin-1"), [2, 4, 5], "where a pinned queue is")
            kit.publish(connection, "pin-1", kit.numbered(20))
            set_policy(node, "pinned", "^pin", {"ha-mode": "nodes", "ha-params": [f"warren@node{number}" for number in (1, 3, 4)]})
            kit.wait_for("the queue has moved", lambda: members(node, "pin-1") == [1, 3, 4], timeout=80)
            kit.check_equal(kit.bodies_of(kit.consume(connection, "pin-1", 20)), kit.numbered(20), "messages of the moved queue")


@kit.limit(240)
def test_the_only_replica_is_lost():
    """A queue whose only replica went with its node is listed as such, can be deleted without a leader, and declared again at once"""
    settings = {**SETTINGS, "publish_timeout_ms": 5000}
    with kit.cluster(settings=settings) as cluster:
        cluster.wait_settled(60)
        with kit.connected(cluster.node(1)) as connection:
            declare_sized(connection, "alone", x_quorum_initial_group_size=1)
            kit.publish(connection, "alone", kit.numbered(10))
        lost = cluster.node(members(cluster.node(1), "alone")[0])
        witness, third = kit.others(cluster, lost)
        consumer = kit.connect(third)
        consumer.call(1, "basic.consume", queue="alone", consumer_tag="waits", no_ack=True)
        for _ in range(10):
            kit.check_equal(consumer.poll(60).name, "basic.deliver", "the consumer, while the queue is there")
        kit.kill(lost)
        kit.wait_for("the queue has no leader", lambda: kit.queue_facts(witness, "alone")["state"] == "minority")
        member = f"/api/cluster/members/{lost.number}"
        try:
            witness.change("DELETE", member)
        except kit.Problem as refusal:
            kit.check("may lose them for good" in str(refusal), f"forgetting without force: {refusal}")
        else:
            raise AssertionError("the node was forgotten without force")
        witness.change("DELETE", f"{member}?force=true")
        kit.check(consumer.poll(0) is None, "a consumer of a queue that may come back hears of it")
        witness.change("DELETE", "/api/queues/%2F/alone", timeout=60)
        kit.wait_for("the queue is gone everywhere", lambda: all(
            "alone" not in [queue["name"] for queue in node.get_json("/api/queues")] for node in (witness, third)))
        kit.check("queue deleted_without_leader" in kit.read_log(witness), "the log does not say what happened")
        told = consumer.poll(60)
        kit.check_equal((told.name, told.fields["consumer_tag"]), ("basic.cancel", "waits"), "what the consumer hears")
        consumer.close()
        began = time.monotonic()
        with kit.connected(third) as connection:
            declare_sized(connection, "alone", x_quorum_initial_group_size=1)
            kit.check(time.monotonic() - began < 4.9, "the queue was declared again late")
            kit.publish(connection, "alone", kit.numbered(5))
            kit.check_equal(kit.bodies_of(kit.consume(connection, "alone", 5)), kit.numbered(5), "messages of the new queue")


@kit.limit(300)
def test_orders_of_operators():
    """add_member, delete_member, transfer_leadership, grow and shrink, over the API and by rabbitmq-queues, under load"""
    with kit.cluster(nodes=5, settings=SETTINGS) as cluster:
        load, node = Load(cluster.node(1)), cluster.node(1)
        cluster.wait_settled(60)
        tools, queues = Tools(cluster), "/api/queues/quorum/%2F/q0"
        here = members(node, "q0")
        new = min(set(range(1, 6)) - set(here))
        node.change("POST", f"{queues}/replicas/add", body={"node": f"warren@node{new}"})
        kit.check_equal(wait_members(node, "q0", 4), sorted(here + [new]), "where q0 is")
        status = node.get_json(f"{queues}/status")
        kit.check_equal(len(status), 4, "rows of the status")
        kit.check_equal([row["Raft State"] for row in status].count("leader"), 1, "leaders")
        tools.run("rabbitmq-queues", "transfer_leadership", "q0", f"warren@node{new}")
        kit.wait_for("the newcomer leads", lambda: kit.queue_facts(node, "q0")["leader"] == f"warren@node{new}", timeout=80)
        time.sleep(3)
        kit.check_equal(kit.queue_facts(node, "q0")["leader"], f"warren@node{new}", "who leads a little later")
        tools.run("rabbitmq-queues", "delete_member", "q0", f"warren@node{new}")
        kit.wait_for("the newcomer is gone", lambda: members(node, "q0") == here, timeout=80)
        tools.run("rabbitmq-queues", "grow", "warren@node5", "all")
        kit.wait_for("all queues have a replica on node 5",
                     lambda: all(5 in members(node, queue) for queue in QUEUES), timeout=80)
        tools.run("rabbitmq-queues", "shrink", "warren@node5")
        kit.wait_for("no queue has a replica on node 5",
                     lambda: not any(5 in members(node, queue) for queue in QUEUES), timeout=80)
        kit.check(all(len(members(node, queue)) >= 2 for queue in QUEUES), "shrink has taken more than one replica")
        refused = tools.run("rabbitmq-queues", "add_member", "q0", "warren@nobody", code=69)
        kit.check("node_not_running" in refused, f"an unknown node is refused with {refused!r}")
        load.stop()
        check_nothing_lost(node, load)



@kit.limit(240)
def test_links_follow_replicas():
    """A federated queue with one replica, in a spare group, has its link where the replica is, also after it was moved to a node that joined"""
    with kit.cluster(settings=SETTINGS) as cluster:
        cluster.wait_settled(60)
        node = cluster.node(1)
        node.change("PUT", "/api/vhosts/up")
        node.change("PUT", "/api/permissions/up/guest", body={"configure": ".*", "write": ".*", "read": ".*"})
        node.change("PUT", "/api/parameters/federation-upstream/%2F/up", body={"value": {"uri": "amqp:///up", "queue": "source"}})
        set_policy(node, "fed", "^sink$", {"federation-upstream": "up"})
        with kit.connected(node, vhost="up") as upstream, kit.connected(node) as connection:
            kit.declare(upstream, "source")
            declare_sized(connection, "sink", x_quorum_initial_group_size=1)
            kit.check_equal(len(members(node, "sink")), 1, "replicas of the federated queue")
            for at in range(2):
                kit.publish(upstream, "source", kit.numbered(10, f"round-{at}-"))
                kit.check_equal(kit.bodies_of(kit.consume(connection, "sink", 10, timeout=60)), kit.numbered(10, f"round-{at}-"), "messages over the link")
                if at == 0:
                    cluster.add_node().start()
                    cluster.wait_ready(60, [4])
                    set_policy(node, "fed", "^sink$", {"federation-upstream": "up", "ha-mode": "nodes", "ha-params": ["warren@node4"]})
                    node.change("POST", "/api/queues/quorum/%2F/sink/replicas/add", body={"node": "warren@node4"})
                    for other in (1, 2, 3):
                        if other in members(node, "sink"):
                            node.change("DELETE", "/api/queues/quorum/%2F/sink/replicas/delete", body={"node": f"warren@node{other}"})
                    kit.wait_for("the queue is on node 4", lambda: members(node, "sink") == [4], timeout=80)
