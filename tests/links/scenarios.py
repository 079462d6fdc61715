"""What links must stand. Each function is one scenario; the first line of its docstring is its title."""

import time

import kit
from cable import Cable
from sites import kill_node, rabbit, warren
from traffic import Sink, Stream, report


def declare(site, queue=None, exchange=None, kind="topic", key="#"):
    with kit.connected(site.addresses()[0]) as connection:
        if exchange:
            connection.call(1, "exchange.declare", exchange=exchange, type=kind, durable=True)
        if queue:
            kit.declare(connection, queue)
        if queue and exchange:
            connection.call(1, "queue.bind", queue=queue, exchange=exchange, routing_key=key)


def shovel_value(source, dest, **more):
    return {"src-uri": source, "src-queue": "in", "dest-uri": dest, "dest-queue": "out", "reconnect-delay": 1, **more}


def shovel_under_fire():
    """a shovel loses nothing while its line is cut and held, its owner and its source's leader are killed"""
    with warren("north", 3) as north, warren("south", 3) as south:
        cable = Cable(north.all_addresses())
        declare(north, "in")
        declare(south, "out")
        south.parameter("shovel", "s", shovel_value(north.uri(cable), "amqp://"))
        south.wait_running("shovel")
        stream, sink = Stream(north, "", "in"), Sink(south, "out")
        time.sleep(1)
        cable.cut()
        time.sleep(1)
        cable.heal()
        south.wait_running("shovel")
        owner = south.node(south.running("shovel")[0]["node"])
        kill_node(south, owner)
        began = time.monotonic()
        south.wait_running("shovel")
        print(f"    the shovel ran on another node after {time.monotonic() - began:.1f} s")
        leader = north.cluster.leader("in")
        kill_node(north, leader)
        time.sleep(1)
        kit.start(north.cluster, leader)
        kit.start(south.cluster, owner)
        cable.hold()
        time.sleep(2)
        cable.heal()
        time.sleep(1)
        stream.stop()
        report(stream, sink)
        sink.stop()
        cable.close()


def shovel_once():
    """a shovel that adds deduplication, under the same fire: each message once in a queue that deduplicates"""
    with warren("north", 3) as north, warren("south", 3) as south:
        cable = Cable(north.all_addresses())
        declare(north, "in")
        with kit.connected(south.addresses()[0]) as connection:
            kit.declare(connection, "out", arguments={"x-message-deduplication": True, "x-cache-size": 100000})
        south.parameter("shovel", "s", shovel_value(north.uri(cable), "amqp://", **{"dest-add-deduplication": True}))
        south.wait_running("shovel")
        stream, sink = Stream(north, "", "in"), Sink(south, "out")
        for _ in range(3):
            time.sleep(1)
            cable.cut()
            time.sleep(0.5)
            cable.heal()
            south.wait_running("shovel")
        owner = south.node(south.running("shovel")[0]["node"])
        kill_node(south, owner)
        south.wait_running("shovel")
        kit.start(south.cluster, owner)
        leader = north.cluster.leader("in")
        kill_node(north, leader)
        time.sleep(1)
        kit.start(north.cluster, leader)
        stream.stop()
        report(stream, sink)
        dropped = sum(kit.metric(node, "warren_messages_deduplicated_total") for node in south.cluster.nodes)
        print(f"    {dropped:.0f} repeats dropped by living nodes")
        # Numbers may come twice: the publisher repeats what was not confirmed. What the shovel takes over may not.
        kit.check(len(sink.identities) >= len(stream.confirmed), "messages without an identity")
        twice = [identity for identity, count in sink.identities.items() if count > 1]
        kit.check(not twice, f"moved twice: {twice[:5]}")
        sink.stop()
        cable.close()


def shovel_queue_length():
    """a shovel with delete-after queue-length moves just that and deletes itself"""
    with warren("north") as north, warren("south") as south:
        declare(north, "in")
        with kit.connected(north.addresses()[0]) as connection:
            kit.publish(connection, "in", [b"%d" % i for i in range(1000)])
        south.parameter("shovel", "once", shovel_value(north.uri(), "amqp://", **{"delete-after": "queue-length"}))
        kit.wait_for("the shovel deleted", lambda: not south.api().get("/parameters/shovel"), 20)
        with kit.connected(south.addresses()[0]) as connection:
            events = kit.consume(connection, "out", 1000)
            kit.check_equal([int(e.body) for e in events], list(range(1000)), "the messages in their order")


def exchange_federation_under_fire(upstream=None, downstream=None):
    """exchange federation loses nothing while its line is cut and nodes of both sides are killed"""
    with warren("north", 3) as north, warren("south", 3) as south:
        cable = Cable(north.all_addresses())
        declare(north, exchange="fed.orders")
        declare(south, "orders", "fed.orders", key="order.#")
        south.parameter("federation-upstream", "north", {"uri": north.uri(cable), "reconnect-delay": 1})
        south.policy("fed", "^fed[.]", {"federation-upstream-set": "all"}, "exchanges")
        south.wait_running("federation")
        stream, sink = Stream(north, "fed.orders", "order.new"), Sink(south, "orders")
        time.sleep(1)
        for blow in (cable.cut, lambda: kill_node(south, owner), lambda: kill_node(north, north.cluster.nodes[0])):
            owner = south.node(south.wait_running("federation")[0]["node"])
            blow()
            time.sleep(1)
            cable.heal()
            for site in (north, south):
                kit.start(site.cluster, *site.cluster.nodes)
        south.wait_running("federation")
        time.sleep(1)
        stream.stop()
        report(stream, sink)
        sink.stop()
        cable.close()


def queue_federation():
    """a federated queue takes from its upstream only while consumers here have nothing to do"""
    with warren("north") as north, warren("south") as south:
        federate_queue(north, south)


def federate_queue(up, down):
    declare(up, "jobs")
    declare(down, "jobs")
    down.parameter("federation-upstream", "up", {"uri": up.uri(), "reconnect-delay": 1})
    down.policy("jobs", "^jobs$", {"federation-upstream": "up"}, "queues")
    down.wait_running("federation")
    stream = Stream(up, "", "jobs")
    time.sleep(1.5)
    with kit.connected(down.addresses()[0]) as connection:
        kit.check(kit.get(connection, "jobs") is None, "a message came though nobody wanted it")
    sink = Sink(down, "jobs")
    time.sleep(2)
    stream.stop()
    report(stream, sink)
    marks = sink.headers[0]["x-received-from"]
    kit.check(sink.headers[0]["x-original-routing-key"] == "jobs" and len(marks) == 1, f"the marks are {sink.headers[0]}")
    sink.stop()


def federate_exchange(up, down, exchange="fed.orders", cable=None, cut=True):
    declare(up, exchange=exchange)
    declare(down, "orders", exchange, key="order.#")
    down.parameter("federation-upstream", "up", {"uri": up.uri(cable), "reconnect-delay": 1})
    down.policy("fed", "^fed[.]", {"federation-upstream-set": "all"}, "exchanges")
    down.wait_running("federation")
    stream, sink = Stream(up, exchange, "order.new"), Sink(down, "orders")
    time.sleep(1.5)
    if cable and cut:
        cable.cut()
        time.sleep(1)
        cable.heal()
        down.wait_running("federation")
    time.sleep(1.5)
    stream.stop()
    report(stream, sink)
    stops = sink.headers[0]["x-received-from"]
    kit.check(len(stops) == 1 and stops[0]["cluster-name"] == up.name, f"x-received-from is {stops}")
    sink.stop()


def from_rabbitmq():
    """from RabbitMQ to Warren: exchange federation, queue federation and a shovel, with cuts"""
    with rabbit("rabbit") as up:
        with warren("warren", 3) as down:
            cable = Cable(up.all_addresses())
            federate_exchange(up, down, cable=cable)
            federate_queue(up, down)
            shovel_between(down, up, down, cable)
            cable.close()


def from_rabbitmq_without_plugins():
    """from a RabbitMQ that has no federation plugin, which refuses the exchange type with 503: a fanout does"""
    with rabbit("plain", plugins="[rabbitmq_management].") as up:
        with warren("warren") as down:
            federate_exchange(up, down)
            internal = [x["type"] for x in up.api().get("/exchanges/%2F") if x["name"].startswith("federation: ")]
            kit.check_equal(internal, ["fanout"], "types of internal exchanges at the upstream")


def to_rabbitmq():
    """from Warren to RabbitMQ, whose own plugins do the work: exchange federation, queue federation, a shovel"""
    with rabbit("rabbit") as down:
        with warren("warren", 3) as up:
            cable = Cable(up.all_addresses())
            federate_exchange(up, down, cable=cable)
            federate_queue(up, down)
            shovel_between(down, up, down, cable)
            cable.close()


def to_rabbitmq_by_our_shovel():
    """a shovel of Warren's delivers to RabbitMQ, which is killed and comes back"""
    with rabbit("rabbit") as down:
        with warren("warren", 3) as up:
            cable = Cable(down.all_addresses())
            declare(up, "in")
            declare(down, "out")
            up.parameter("shovel", "s", shovel_value("amqp://", down.uri(cable)))
            up.wait_running("shovel")
            stream = Stream(up, "", "in")
            time.sleep(2)
            down.kill()
            time.sleep(1)
            down.start()
            up.wait_running("shovel")
            sink = Sink(down, "out")
            time.sleep(2)
            stream.stop()
            report(stream, sink)
            sink.stop()
            cable.close()


def shovel_between(runner, source, dest, cable):
    declare(source, "in")
    declare(dest, "out")
    here = "amqp://"
    runner.parameter("shovel", "s", shovel_value(source.uri(cable) if source is not runner else here,
                                                 dest.uri(cable) if dest is not runner else here))
    runner.wait_running("shovel")
    stream, sink = Stream(source, "", "in"), Sink(dest, "out")
    time.sleep(1)
    cable.cut()
    time.sleep(1)
    cable.heal()
    runner.wait_running("shovel")
    time.sleep(1)
    stream.stop()
    report(stream, sink)
    sink.stop()


def ring_of_three():
    """three sites in a ring, one of them RabbitMQ: each message comes once to each site"""
    with rabbit("rabbit") as c, warren("a") as a, warren("b") as b:
        sites = [a, b, c]
        for site in sites:
            declare(site, "all", "fed.ring", "fanout")
        for site, up in zip(sites, [c, a, b]):
            site.parameter("federation-upstream", "up", {"uri": up.uri(), "max-hops": 2, "reconnect-delay": 1})
            site.policy("fed", "^fed[.]", {"federation-upstream": "up"}, "exchanges")
        for site in sites:
            site.wait_running("federation")
        time.sleep(2)  # bindings go round
        for number, site in enumerate(sites):
            with kit.connected(site.addresses()[0]) as connection:
                kit.publish(connection, "", [b"%d" % (number * 100 + i) for i in range(100)], exchange="fed.ring")
        sinks = [Sink(site, "all") for site in sites]
        for sink in sinks:
            sink.wait(set(range(300)))
        time.sleep(2)
        for sink in sinks:
            sink.stop()
            repeated = sum(count - 1 for count in sink.counts.values())
            print(f"    {sink.site.name}: {len(sink.counts)} messages, {repeated} repeated")
            kit.check_equal(repeated, 0, f"repeated at {sink.site.name}")


def two_data_centres():
    """two sites linked both ways: traffic at both, the line slow, cut and healed, nodes of both killed; both have all"""
    with warren("east", 3) as east, warren("west", 3) as west:
        sites, cables = [east, west], [Cable(west.all_addresses()), Cable(east.all_addresses())]
        for site in sites:
            declare(site, "all", "fed.news", "topic")
        for site, other, cable in zip(sites, [west, east], cables):
            site.parameter("federation-upstream", "other", {"uri": other.uri(cable), "reconnect-delay": 1})
            site.policy("fed", "^fed[.]", {"federation-upstream": "other"}, "exchanges")
        for site in sites:
            site.wait_running("federation")
        time.sleep(1)  # bindings go over
        streams, sinks = [Stream(site, "fed.news", "k") for site in sites], [Sink(site, "all") for site in sites]
        for cable in cables:
            cable.delay = 0.05
        time.sleep(1)
        for cable in cables:
            cable.cut()
        time.sleep(1)
        kill_node(east, east.cluster.nodes[0])
        kill_node(west, west.cluster.nodes[1])
        for cable in cables:
            cable.delay = 0.0
            cable.heal()
        time.sleep(2)
        for site in sites:
            kit.start(site.cluster, *site.cluster.nodes)
            site.wait_running("federation")
        time.sleep(1)
        for stream in streams:
            stream.stop()
        # Both streams count from 0, so a message that is lost at one site is a number that came only once.
        both = streams[0].confirmed & streams[1].confirmed
        for site, sink in zip(sites, sinks):
            kit.wait_for(f"all messages of both at {site.name}",
                         lambda sink=sink: all(sink.counts[number] >= 2 for number in both), 60, 0.2)
            for stream in streams:
                sink.wait(stream.confirmed)
            repeated = sum(count - 2 for number, count in sink.counts.items() if number in both)
            print(f"    {site.name}: {len(both)} numbers of both sites, 0 lost, {repeated} repeated")
            sink.stop()
        for cable in cables:
            cable.close()


def many_bindings():
    """10,000 bindings over a line with 100 ms of delay are mirrored in seconds"""
    with warren("north") as north, warren("south") as south:
        cable = Cable(north.all_addresses())
        declare(north, exchange="fed.many")
        declare(south, "q", "fed.many", key="first")
        with kit.connected(south.addresses()[0]) as connection:
            for channel in range(2, 42):  # a channel's bindings are committed one after the other
                connection.open_channel(channel)
            for number in range(10000):
                connection.send(2 + number % 40, "queue.bind", queue="q", exchange="fed.many", routing_key=f"k.{number}",
                                nowait=True)
            for channel in range(2, 42):
                connection.call(channel, "queue.declare", queue="q", durable=True, timeout=60)
        cable.delay = 0.1
        south.parameter("federation-upstream", "north", {"uri": north.uri(cable), "reconnect-delay": 1})
        began = time.monotonic()
        south.policy("fed", "^fed[.]", {"federation-upstream": "north"}, "exchanges")
        south.wait_running("federation", timeout=120)
        took = time.monotonic() - began
        print(f"    {took:.1f} s")
        bindings = north.api().get("/exchanges/%2F/fed.many/bindings/source")
        kit.check_equal(len(bindings), 10001, "bindings at the upstream")
        kit.check(took < 30, f"it took {took:.1f} s; one after the other it would be 2000 s")
        cable.close()
