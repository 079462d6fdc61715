"""kombu, and Celery on top of it. usage: kombu_client.py everyday HOST PORT | publish|consume HOST PORT QUEUE COUNT"""

import pathlib
import socket
import subprocess
import sys
import time

import kombu

PATIENCE = 60.0
TASKS = pathlib.Path(__file__).resolve().parent / "celery_tasks.py"


def ok(name):
    print(f"ok: {name}", flush=True)


def everyday(url):
    exchange = kombu.Exchange("kombu.x", "topic", durable=True)
    queue = kombu.Queue("kombu.q", exchange, "orders.#", durable=True)
    with kombu.Connection(url, transport_options={"confirm_publish": True}) as connection:
        bound = queue(connection.default_channel)
        bound.declare()
        ok("declare and bind")
        producer = kombu.Producer(connection)
        for at in range(20):
            producer.publish({"at": at}, exchange=exchange, routing_key=f"orders.{at}", delivery_mode=2)
        ok("publish with confirms")
        seen = []

        def take(body, message):
            if body["at"] % 7 == 0 and not message.delivery_info["redelivered"]:
                message.requeue()
                return
            seen.append(body["at"])
            message.ack()

        with connection.Consumer(bound, callbacks=[take], prefetch_count=3):
            while len(seen) < 20:
                connection.drain_events(timeout=10)
        assert sorted(seen) == list(range(20)), seen
        ok("consume with prefetch, ack, requeue")
        assert bound.get() is None
        ok("get of nothing")
        bound.delete()
        exchange(connection.default_channel).delete()
        ok("clean up")
    celery(url)


def celery(url):
    """A worker of its own: plain tasks, a retry, an ETA, priorities, remote control (pidbox)."""
    python = sys.executable
    worker = subprocess.Popen([python, "-m", "celery", "-A", "celery_tasks", "-b", url, "worker", "--pool", "solo", "-l", "WARNING",
                               "--without-gossip", "-n", "tests@localhost"], cwd=TASKS.parent, stdout=subprocess.DEVNULL,
                              stderr=subprocess.STDOUT)
    try:
        import os
        os.environ["CELERY_BROKER"] = url
        sys.path.insert(0, str(TASKS.parent))
        import celery_tasks
        assert celery_tasks.add.delay(2, 3).get(timeout=30) == 5
        ok("celery: a task and its result")
        assert celery_tasks.flaky.delay().get(timeout=30) == 2
        ok("celery: retries")
        began = time.time()
        assert celery_tasks.add.apply_async((1, 1), countdown=1).get(timeout=30) == 2 and time.time() - began >= 1
        ok("celery: countdown (ETA)")
        results = [celery_tasks.add.apply_async((at, 0), priority=at) for at in range(10)]
        assert [result.get(timeout=30) for result in results] == list(range(10))
        ok("celery: priorities")
        assert celery_tasks.app.control.ping(timeout=5) == [{"tests@localhost": {"ok": "pong"}}]
        ok("celery: remote control")
    finally:
        worker.terminate()
        try:
            worker.wait(15)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def publish(url, name, count):
    number = reconnects = 0
    while number < count:
        connection = kombu.Connection(url, heartbeat=5, transport_options={"confirm_publish": True})
        try:
            producer = kombu.Producer(connection)
            kombu.Queue(name, durable=True)(connection.default_channel).declare()
            while number < count:
                producer.publish(str(number), routing_key=name, delivery_mode=2, content_type="text/plain",
                                 content_encoding="utf-8", timeout=20)
                number += 1
        except (*connection.connection_errors, *connection.channel_errors, socket.timeout):
            reconnects += 1
            time.sleep(0.05)
        finally:
            release(connection)
    print(f"confirmed {number} reconnects {reconnects}")


def release(connection):
    try:
        connection.release()
    except Exception:
        pass  # it is broken; that is why we are here


def consume(url, name, count):
    seen, numbers = set(), {"flagged": 0, "unflagged": 0}
    end = time.monotonic() + PATIENCE

    def take(body, message):
        number = int(body)
        if number in seen:
            numbers["flagged" if message.delivery_info["redelivered"] else "unflagged"] += 1
        seen.add(number)
        message.ack()

    while len(seen) < count and time.monotonic() < end:
        connection = kombu.Connection(url, heartbeat=5)
        try:
            queue = kombu.Queue(name, durable=True)(connection.default_channel)
            queue.declare()
            with connection.Consumer(queue, callbacks=[take], prefetch_count=50):
                while len(seen) < count and time.monotonic() < end:
                    connection.drain_events(timeout=5)
        except (*connection.connection_errors, *connection.channel_errors, socket.timeout):
            time.sleep(0.05)
        finally:
            release(connection)
    print(f"seen {len(seen)} flagged {numbers['flagged']} unflagged {numbers['unflagged']}")


def main(role, host, port, *more):
    url = f"amqp://guest:guest@{host}:{port}//"
    if role == "everyday":
        everyday(url)
    else:
        {"publish": publish, "consume": consume}[role](url, more[0], int(more[1]))


main(*sys.argv[1:])
