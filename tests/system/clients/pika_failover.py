"""A pika program that lives with failures: it connects again and goes on. usage: pika_failover.py publish|consume HOST PORT QUEUE COUNT

`publish` sends the numbers 0 to COUNT - 1 with confirms, and prints "a third" when so much is done. `consume` acks until it has seen
all numbers, and prints how many came without having been seen before, how many again with the redelivered flag, how many again without."""

import sys
import time

import pika

PATIENCE = 90.0


def publish(connect, queue, count):
    number = reconnects = 0
    while number < count:
        try:
            with connect() as connection:
                channel = connection.channel()
                channel.queue_declare(queue, durable=True)
                channel.confirm_delivery()
                while number < count:
                    channel.basic_publish("", queue, b"%d" % number, pika.BasicProperties(delivery_mode=2), mandatory=True)
                    number += 1
                    if number == count // 3:
                        print("a third", flush=True)
        except pika.exceptions.AMQPError:
            reconnects += 1
            time.sleep(0.05)
    print(f"confirmed {number} reconnects {reconnects}")


def consume(connect, queue, count):
    seen, flagged, unflagged = set(), 0, 0
    end = time.monotonic() + PATIENCE
    while len(seen) < count and time.monotonic() < end:
        try:
            with connect() as connection:
                channel = connection.channel()
                channel.queue_declare(queue, durable=True)
                channel.basic_qos(prefetch_count=50)
                for method, _, body in channel.consume(queue, inactivity_timeout=1):
                    if method is not None:
                        number = int(body)
                        flagged += number in seen and method.redelivered
                        unflagged += number in seen and not method.redelivered
                        seen.add(number)
                        channel.basic_ack(method.delivery_tag)
                    if len(seen) == count or time.monotonic() > end:
                        channel.cancel()
                        break
        except pika.exceptions.AMQPError:
            time.sleep(0.05)
    print(f"seen {len(seen)} flagged {flagged} unflagged {unflagged}")


def main(role, host, port, queue, count):
    parameters = pika.ConnectionParameters(host, int(port), heartbeat=5)
    {"publish": publish, "consume": consume}[role](lambda: pika.BlockingConnection(parameters), queue, int(count))


main(*sys.argv[1:])
