"""Everyday work of a pika program. usage: pika_everyday.py HOST PORT [CA]; with CA over TLS; exit code 0 when every step did what it should."""

import ssl
import sys
import time

import pika


def main(host, port, authority=None):
    tls = pika.SSLOptions(ssl.create_default_context(cafile=authority), "localhost") if authority else None
    parameters = pika.ConnectionParameters(host, int(port), heartbeat=10, ssl_options=tls)
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    step("declare", declare, channel)
    step("publish with confirms", publish, channel)
    step("mandatory return", mandatory_return, channel)
    step("consume, qos, ack, nack", consume, channel)
    step("get", get, channel)
    step("ttl and dead letters", dead_letters, channel)
    step("headers exchange", headers, channel)
    step("server-named exclusive queue", exclusive, channel, parameters)
    step("passive declare of nothing closes the channel", passive, connection)
    step("clean up", clean_up, channel)
    connection.close()


def step(name, function, *arguments):
    function(*arguments)
    print(f"ok: {name}", flush=True)


def declare(channel):
    channel.exchange_declare("pika.x", "topic", durable=True)
    assert channel.queue_declare("pika.q", durable=True).method.message_count == 0
    channel.queue_bind("pika.q", "pika.x", "orders.#")


def publish(channel):
    channel.confirm_delivery()
    for at in range(20):
        channel.basic_publish("pika.x", f"orders.{at}", b"%d" % at,
                              pika.BasicProperties(delivery_mode=2, content_type="text/plain", headers={"at": at}), mandatory=True)
    assert channel.queue_declare("pika.q", passive=True).method.message_count == 20


def mandatory_return(channel):
    try:
        channel.basic_publish("pika.x", "nobody", b"?", mandatory=True)
    except pika.exceptions.UnroutableError as error:
        assert error.messages[0].method.reply_code == 312, error.messages[0].method
    else:
        raise AssertionError("no return for an unroutable message")


def consume(channel):
    channel.basic_qos(prefetch_count=3)
    seen, again = [], set()
    for method, properties, body in channel.consume("pika.q", inactivity_timeout=30):
        assert method is not None, f"no more messages after {seen}"
        at = int(body)
        assert properties.headers["at"] == at and method.redelivered == (at in again)
        if at % 7 == 0 and at not in again:
            again.add(at)
            channel.basic_nack(method.delivery_tag, requeue=True)
            continue
        seen.append(at)
        channel.basic_ack(method.delivery_tag)
        if len(seen) == 20:
            break
    channel.cancel()
    assert sorted(seen) == list(range(20)), seen


def get(channel):
    channel.basic_publish("", "pika.q", b"got")
    method, _, body = channel.basic_get("pika.q")
    assert body == b"got" and method.exchange == ""
    channel.basic_reject(method.delivery_tag, requeue=False)
    assert channel.basic_get("pika.q") == (None, None, None)


def dead_letters(channel):
    channel.queue_declare("pika.dead", durable=True)
    channel.queue_declare("pika.ttl", durable=True, arguments={
        "x-message-ttl": 100, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "pika.dead"})
    channel.basic_publish("", "pika.ttl", b"late", pika.BasicProperties(delivery_mode=2))
    _, properties, body = eventually(channel, "pika.dead")
    death = properties.headers["x-death"][0]
    assert body == b"late" and death["reason"] == "expired" and death["queue"] == "pika.ttl" and death["count"] == 1


def headers(channel):
    channel.exchange_declare("pika.h", "headers")
    channel.queue_bind("pika.q", "pika.h", arguments={"x-match": "all", "kind": "red", "size": 3})
    for size in (2, 3):
        channel.basic_publish("pika.h", "", b"%d" % size, pika.BasicProperties(headers={"kind": "red", "size": size}))
    assert eventually(channel, "pika.q")[2] == b"3"
    assert channel.basic_get("pika.q")[0] is None


def exclusive(channel, parameters):
    name = channel.queue_declare("", exclusive=True).method.queue
    assert name.startswith("amq.gen-"), name
    channel.basic_publish("", name, b"mine")
    assert eventually(channel, name)[2] == b"mine"
    other = pika.BlockingConnection(parameters)
    try:
        other.channel().queue_declare(name, passive=True)
    except pika.exceptions.ChannelClosedByBroker as error:
        assert error.reply_code == 405, error
    else:
        raise AssertionError("another connection may look at an exclusive queue")
    other.close()


def passive(connection):
    channel = connection.channel()
    try:
        channel.queue_declare("pika.nothing", passive=True)
    except pika.exceptions.ChannelClosedByBroker as error:
        assert error.reply_code == 404, error
    else:
        raise AssertionError("a queue that nobody declared is there")


def clean_up(channel):
    for queue in ("pika.q", "pika.ttl", "pika.dead"):
        channel.queue_delete(queue)
    for exchange in ("pika.x", "pika.h"):
        channel.exchange_delete(exchange)


def eventually(channel, queue):
    end = time.monotonic() + 30
    while True:
        got = channel.basic_get(queue, auto_ack=True)
        if got[0] is not None:
            return got
        assert time.monotonic() < end, f"nothing arrives in {queue}"
        time.sleep(0.02)


main(*sys.argv[1:])
