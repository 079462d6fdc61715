#!/usr/bin/env python3
"""Sends one message through a broker to a durable queue, waits for the confirm, and gets it back.

    ha/check_amqp.py [HOST:PORT] [--queue NAME] [--timeout SECONDS]

Exit code 0 when the same message came back; needs nothing besides Python. The queue is deleted at the end.
"""

import argparse
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
import amqp  # noqa: E402


def round_trip(host, port, queue, user="guest", password="guest", timeout=10.0):
    """Gives the milliseconds from publish to confirm and from publish to having the message back; raises otherwise."""
    with amqp.connected(host, port, user=user, password=password, name="check", timeout=timeout) as connection:
        connection.call(1, "queue.declare", queue=queue, durable=True, timeout=timeout)
        connection.call(1, "queue.purge", queue=queue, timeout=timeout)
        connection.call(1, "confirm.select")
        body = os.urandom(16).hex().encode()
        began = time.monotonic()
        connection.publish(1, "", queue, body, mandatory=True, delivery_mode=2)
        answer = connection.poll(timeout)
        if answer is None or answer.name != "basic.ack":
            raise RuntimeError(f"the message was not confirmed: {answer.name if answer else 'silence'}")
        confirmed = time.monotonic()
        got = connection.call(1, "basic.get", "basic.get-ok", "basic.get-empty", queue=queue, timeout=timeout)
        if got.body != body:
            raise RuntimeError("the queue gave another message, or none")
        connection.ack(1, got.fields["delivery_tag"])
        back = time.monotonic()
        connection.call(1, "queue.delete", queue=queue, timeout=timeout)
        return (confirmed - began) * 1000, (back - began) * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", nargs="?", default="127.0.0.1:5672")
    parser.add_argument("--queue", default="warren.check")
    parser.add_argument("--timeout", type=float, default=10.0)
    options = parser.parse_args()
    host, _, port = options.address.rpartition(":")
    try:
        confirm_ms, back_ms = round_trip(host or "127.0.0.1", int(port), options.queue, timeout=options.timeout)
    except (RuntimeError, *amqp.LOSSES) as error:
        print(f"{options.address}: {error}", file=sys.stderr)
        return 1
    print(f"{options.address}: confirmed in {confirm_ms:.1f} ms, back in {back_ms:.1f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
