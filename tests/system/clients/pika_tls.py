"""A pika client over TLS. usage: pika_tls.py HOST PORT CA [external CERT KEY] [hold]

Logs in (as guest, or by its certificate), publishes with confirms and gets the message back; with `hold` a second time, on the same
connection, when a line comes on standard input. Prints "ok" each time."""

import ssl
import sys

import pika


def main(host, port, authority, *words):
    context = ssl.create_default_context(cafile=authority)
    credentials = pika.PlainCredentials("guest", "guest")
    if "external" in words:
        context.load_cert_chain(*words[1:3])
        credentials = pika.credentials.ExternalCredentials()
    connection = pika.BlockingConnection(pika.ConnectionParameters(
        host, int(port), credentials=credentials, heartbeat=30, ssl_options=pika.SSLOptions(context, "localhost")))
    channel = connection.channel()
    channel.confirm_delivery()
    queue = channel.queue_declare("", exclusive=True).method.queue
    turn(channel, queue)
    if "hold" in words:
        sys.stdin.readline()
        turn(channel, queue)
    connection.close()


def turn(channel, queue):
    for body in (b"small", b"large " * 200_000):
        channel.basic_publish("", queue, body, mandatory=True)
        assert channel.basic_get(queue, auto_ack=True)[2] == body
    print("ok", flush=True)


main(*sys.argv[1:])
