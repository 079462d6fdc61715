"""aio-pika. usage: aio_pika_client.py everyday HOST PORT | publish|consume HOST PORT QUEUE COUNT"""

import asyncio
import sys
import time

import aio_pika

PATIENCE = 60.0


def ok(name):
    print(f"ok: {name}", flush=True)


async def everyday(url):
    connection = await aio_pika.connect_robust(url)
    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
    exchange = await channel.declare_exchange("aio.x", aio_pika.ExchangeType.TOPIC, durable=True)
    queue = await channel.declare_queue("aio.q", durable=True)
    await queue.bind(exchange, "orders.#")
    ok("declare and bind")
    for at in range(20):
        message = aio_pika.Message(b"%d" % at, headers={"at": at}, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await exchange.publish(message, f"orders.{at}")
    assert (await channel.declare_queue("aio.q", passive=True)).declaration_result.message_count == 20
    ok("publish with confirms")
    try:
        await exchange.publish(aio_pika.Message(b"?"), "nobody", mandatory=True)
    except aio_pika.exceptions.DeliveryError:
        ok("mandatory return")
    else:
        raise AssertionError("no return for an unroutable message")
    await channel.set_qos(prefetch_count=3)
    seen = []
    async with queue.iterator(timeout=20) as messages:
        async for message in messages:
            at = int(message.body)
            assert message.headers["at"] == at
            if at % 7 == 0 and not message.redelivered:
                await message.nack(requeue=True)
                continue
            seen.append(at)
            await message.ack()
            if len(seen) == 20:
                break
    assert sorted(seen) == list(range(20)), seen
    ok("consume with prefetch, ack, nack, requeue")
    body = bytes(range(256)) * 4000
    await channel.default_exchange.publish(aio_pika.Message(body), "aio.q")
    got = await queue.get(timeout=10)
    assert got.body == body
    await got.ack()
    ok("get, large body")
    assert await queue.get(fail=False) is None
    ok("get of nothing")
    await channel.queue_delete("aio.q")
    await channel.exchange_delete("aio.x")
    ok("clean up")
    await connection.close()


async def publish(url, name, count):
    number = reconnects = 0
    while number < count:
        try:
            connection = await aio_pika.connect(url)
            async with connection:
                channel = await connection.channel(publisher_confirms=True)
                await channel.declare_queue(name, durable=True)
                while number < count:
                    message = aio_pika.Message(b"%d" % number, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                    await asyncio.wait_for(channel.default_exchange.publish(message, name), 20)
                    number += 1
        except Exception:  # when a connection breaks, aiormq raises plain Exception too
            reconnects += 1
            await asyncio.sleep(0.05)
    print(f"confirmed {number} reconnects {reconnects}")


async def consume(url, name, count):
    seen, flagged, unflagged = set(), 0, 0
    end = time.monotonic() + PATIENCE
    while len(seen) < count and time.monotonic() < end:
        try:
            connection = await aio_pika.connect(url)
            async with connection:
                channel = await connection.channel()
                await channel.set_qos(prefetch_count=50)
                queue = await channel.declare_queue(name, durable=True)
                async with queue.iterator(timeout=5) as messages:
                    async for message in messages:
                        number = int(message.body)
                        flagged += number in seen and bool(message.redelivered)
                        unflagged += number in seen and not message.redelivered
                        seen.add(number)
                        await message.ack()
                        if len(seen) == count:
                            break
        except Exception:  # when a connection breaks, aiormq raises plain Exception too
            await asyncio.sleep(0.05)
    print(f"seen {len(seen)} flagged {flagged} unflagged {unflagged}")


def main(role, host, port, *more):
    url = f"amqp://guest:guest@{host}:{port}/"
    if role == "everyday":
        asyncio.run(everyday(url))
    else:
        asyncio.run({"publish": publish, "consume": consume}[role](url, more[0], int(more[1])))


main(*sys.argv[1:])
