"""Users and what they may, on all nodes of a cluster; policies and what they do to queues that are there."""

import amqp
import kit
from http_api import Api

ANN = {"user": "ann", "password": "secret"}


def make_ann(api, configure=".*", write=".*", read=".*", vhost="%2F"):
    api.put("/users/ann", {"password": "secret", "tags": ""})
    api.put(f"/permissions/{vhost}/ann", {"configure": configure, "write": write, "read": read})


def refusal(error, what):
    """The (code, text) that `what` raises."""
    try:
        what()
    except error as caught:
        return caught.code, caught.text
    raise AssertionError("it was not refused")


def ending(connection, timeout=kit.PATIENCE):
    """How the broker ends a connection that nobody talks on."""
    def listen():
        while connection.poll(timeout) is not None:
            pass
    return refusal(amqp.Closed, listen)


def test_permissions():
    """Rights that are given and taken on one node count on another at once, also for a channel that was allowed before"""
    with kit.cluster() as cluster:
        api, there = Api(cluster.nodes[0]), cluster.nodes[1]
        make_ann(api, configure="^mine", read="^mine")
        ann = kit.connect(there, **ANN)
        kit.declare(ann, "mine")
        kit.publish(ann, "mine", [b"1"])
        text = refusal(amqp.ChannelClosed, lambda: kit.declare(ann, "theirs"))
        kit.check_equal(text, (403, "ACCESS_REFUSED - configure access to queue 'theirs' in vhost '/' refused for user 'ann'"),
                        "refusal")
        ann.open_channel(2)
        publisher = kit.Publisher(ann, 2)
        publisher.send("mine", b"2")
        publisher.settle()
        api.put("/permissions/%2F/ann", {"configure": "", "write": "^other$", "read": ""}, expect=204)

        def publish():
            publisher.send("mine", b"3")
            publisher.settle()
        kit.check_equal(refusal(amqp.ChannelClosed, publish),
                        (403, "ACCESS_REFUSED - write access to exchange 'amq.default' in vhost '/' refused for user 'ann'"),
                        "refusal after a change")
        kit.wait_for("what was allowed is there", lambda: kit.queue_facts(there, "mine")["messages"] == 2)
        api.delete("/permissions/%2F/ann")
        kit.check_equal(refusal(amqp.Closed, lambda: kit.connect(there, **ANN)),
                        (530, "NOT_ALLOWED - access to vhost '/' refused for user 'ann'"), "refusal at the door")


def test_deleted_users_and_vhosts():
    """Connections of a deleted user or vhost are closed on every node; what was in the vhost is gone from all replicas"""
    with kit.cluster(settings={"shards": 2}) as cluster:
        api = Api(cluster.nodes[0])
        api.put("/vhosts/shop")
        make_ann(api, vhost="shop")
        ann = [kit.connect(node, vhost="shop", **ANN) for node in cluster.nodes]
        guest = kit.connect(cluster.nodes[2], vhost="shop")
        kit.declare(ann[0], "box")
        kit.publish(ann[1], "box", kit.numbered(10))
        home = kit.connect(cluster.nodes[1])
        kit.declare(home, "box")
        kit.publish(home, "box", [b"kept"])
        api.delete("/users/ann")
        for connection in ann:
            kit.check_equal(ending(connection), (320, "CONNECTION_FORCED - user 'ann' is deleted"), "ann's end")
        kit.check_equal(kit.declare(guest, "box", passive=True).fields["message_count"], 10, "guest is still in")
        api.delete("/vhosts/shop")
        kit.check_equal(ending(guest), (320, "CONNECTION_FORCED - vhost 'shop' is deleted"), "guest's end")
        api.put("/vhosts/shop")
        api.put("/permissions/shop/guest", {"configure": ".*", "write": ".*", "read": ".*"}, expect=204)
        again = kit.connect(cluster.nodes[0], vhost="shop")
        kit.check_equal(kit.declare(again, "box").fields["message_count"], 0, "a new queue of the same name")
        kit.check_equal(kit.declare(home, "box", passive=True).fields["message_count"], 1, "the other vhost's queue")


def test_limits():
    """Limits of connections and channels count over all nodes, and what was closed counts no more"""
    with kit.cluster(settings={"shards": 2}) as cluster:
        api = Api(cluster.nodes[0])
        make_ann(api)
        api.put("/user-limits/ann/max-connections", {"value": 2}, expect=204)
        first, second = kit.connect(cluster.nodes[1], **ANN), kit.connect(cluster.nodes[2], **ANN)

        def full(node):
            try:
                kit.connect(node, **ANN).close()
                return False
            except amqp.Closed as error:
                kit.check_equal((error.code, error.text), (
                    530, "NOT_ALLOWED - connection refused for user 'ann': user connection limit (2) is reached"), "refusal")
                return True
        for node in cluster.nodes:
            kit.wait_for("the node knows that ann has two connections", lambda at=node: full(at))
        second.close()
        kit.wait_for("there is room again", lambda: not full(cluster.nodes[0]))
        api.put("/user-limits/ann/max-channels", {"value": 1}, expect=204)
        text = refusal(amqp.Closed, lambda: first.open_channel(2))
        kit.check_equal(text, (530, "NOT_ALLOWED - number of channels opened for user 'ann' has reached the maximum allowed "
                                    "user limit of (1)"), "channels")
        api.delete("/user-limits/ann/max-connections")
        api.put("/vhost-limits/%2F/max-queues", {"value": 1}, expect=204)
        guest = kit.connect(cluster.nodes[2])
        kit.declare(guest, "one")
        code, text = refusal(amqp.ChannelClosed, lambda: kit.declare(guest, "two"))
        kit.check_equal((code, text), (406, "PRECONDITION_FAILED - cannot declare queue 'two': queue limit in vhost '/' (1) "
                                            "is reached"), "queues")


def test_policies():
    """A policy changes queues that are there, whoever leads them, and those that come; without it they are as declared"""
    with kit.cluster(settings={"cluster.groups": 3}) as cluster:
        api, writer = Api(cluster.nodes[0]), kit.connect(cluster.nodes[1])
        queues = [f"cut.{at}" for at in range(6)]
        for queue in queues:
            kit.declare(writer, queue)
            kit.publish(writer, queue, kit.numbered(10))
        kit.declare(writer, "whole")
        kit.publish(writer, "whole", kit.numbered(10))

        def lengths(names, length):
            return all(kit.queue_facts(cluster.nodes[2], queue)["messages"] == length for queue in names)
        api.put("/policies/%2F/cut", {"pattern": "^cut", "definition": {"max-length": 4}, "apply-to": "queues"})
        kit.wait_for("the policy has shortened all queues", lambda: lengths(queues, 4))
        api.put("/operator-policies/%2F/less", {"pattern": "", "definition": {"max-length": 2}, "priority": 1})
        kit.wait_for("the operator has shortened all", lambda: lengths([*queues, "whole"], 2))
        kit.declare(writer, "cut.new")
        kit.publish(writer, "cut.new", kit.numbered(10))
        kit.wait_for("a queue that came later is as short", lambda: lengths(["cut.new"], 2))
        api.delete("/operator-policies/%2F/less")
        dead = cluster.leader(queues[0])
        kit.kill(dead)
        alive = kit.others(cluster, dead)[0]
        with kit.connected(alive) as connection:
            def refilled():
                kit.publish(connection, queues[0], kit.numbered(10))
                kit.publish(connection, "whole", kit.numbered(10))
                facts = [kit.queue_facts(alive, queue)["messages"] for queue in (queues[0], "whole")]
                return facts[0] == 4 and facts[1] >= 10
            kit.wait_for("the first policy alone counts again, under a new leader", refilled)


def test_policy_for_dead_letters():
    """Dead-letter and alternate exchanges may come from policies, and go with them"""
    with kit.cluster() as cluster:
        api, client = Api(cluster.nodes[0]), kit.connect(cluster.nodes[1])
        for queue in ("short", "dead", "lost"):
            kit.declare(client, queue)
        client.call(1, "exchange.declare", exchange="narrow", type="direct")
        client.call(1, "exchange.declare", exchange="rest", type="fanout")
        client.call(1, "queue.bind", queue="lost", exchange="rest", routing_key="")
        api.put("/policies/%2F/dlx", {"pattern": "^short$", "apply-to": "queues", "definition": {
            "max-length": 1, "dead-letter-exchange": "", "dead-letter-routing-key": "dead"}})
        api.put("/policies/%2F/ae", {"pattern": "^narrow$", "apply-to": "exchanges",
                                     "definition": {"alternate-exchange": "rest"}})
        kit.publish(client, "nowhere", [b"x"], exchange="narrow")
        kit.check_equal(bytes(kit.get(client, "lost").body), b"x", "by the alternate exchange")

        def overflows():
            kit.publish(client, "short", [b"1", b"2"])
            return kit.get(client, "dead")
        kit.wait_for("a message dies into the policy's exchange", overflows)
        code = api.put("/policies/%2F/bad", {"pattern": "(", "definition": {"max-length": 1}}, expect=400).json
        kit.check("Validation failed" in code["reason"], code)
        code = api.put("/policies/%2F/bad", {"pattern": "", "definition": {"max-lenght": 1}}, expect=400).json
        kit.check("are not recognised policy settings" in code["reason"], code)
