"""The drill with marked traffic: round by round a fault, and how long confirms paused for it."""

import os
import time

import amqp
import drill_report
from cluster_node import Problem
from drill_faults import HOLD, Faults
from drill_ledger import Ledger
from drill_traffic import Traffic

STEADY_TIMEOUT = 60.0
END_TIMEOUT = 60.0
PROMISES = ("lost", "resurrected", "reordered", "duplicated_unflagged", "redelivered_on_open_channel", "returned", "foreign",
            "unconfirmed")
FIGURES = ("published", "confirmed", "republished", "nacked", "delivered", "lost", "duplicated_redelivered",
           "duplicated_unflagged", "redelivered_on_open_channel", "duplicated_by_republishing", "reordered", "resurrected",
           "returned", "unconfirmed", "connections_lost", "longest_pause_ms", "longest_pause_connection_kept_ms",
           "median_pause_connection_kept_ms")


def run(cluster, namespaces, options, say):
    """The drill; gives the report."""
    addresses = [(node.host, node.amqp_port) for node in cluster.nodes] if options.direct else cluster.addresses()
    ledger = Ledger()
    queues = [f"drill.{os.getpid()}.{at + 1}" for at in range(options.queues)]
    traffic = Traffic(ledger, addresses, queues, options.rate, options.size)
    faults = Faults(cluster, namespaces, HOLD[options.fault] if options.hold is None else options.hold, say)
    began, rounds, troubles = time.monotonic(), [], []
    traffic.start()
    try:
        for number in range(options.rounds):
            if not traffic.wait_steady(STEADY_TIMEOUT):
                troubles.append(f"round {number + 1}: traffic did not flow: " + traffic.problems())
                break
            traffic.take_pauses()
            faults.inject(options.fault, queues[0])
            if not traffic.wait_steady(STEADY_TIMEOUT):
                troubles.append(f"round {number + 1}: confirms did not come again: " + traffic.problems())
                break
            kept, broken = (seconds * 1000 for seconds in traffic.take_pauses())
            rounds.append({"pause_ms": round(max(kept, broken), 1), "pause_connection_kept_ms": round(kept, 1)})
            say(f"round {number + 1} of {options.rounds}: confirms paused for {max(kept, broken):.0f} ms "
                f"({kept:.0f} ms where the connection lived)")
    except (Problem, TimeoutError) as error:
        troubles.append(str(error))
    say("waiting for the last confirms and deliveries")
    unconfirmed = traffic.finish_publishing(END_TIMEOUT)
    traffic.finish_consuming(END_TIMEOUT)
    try:
        traffic.drain()
        traffic.administer("queue.delete")
    except amqp.LOSSES as error:
        troubles.append(f"the queues could not be read to the end: {error}")
    return report(ledger, options, rounds, unconfirmed, troubles, time.monotonic() - began)


def report(ledger, options, rounds, unconfirmed, troubles, seconds):
    missing = ledger.missing()
    result = {"fault": options.fault, "rounds": len(rounds), "seconds": round(seconds, 1), **ledger.figures(),
              "lost": len(missing), "unconfirmed": unconfirmed,
              "longest_pause_ms": max((one["pause_ms"] for one in rounds), default=0.0),
              "longest_pause_connection_kept_ms": max((one["pause_connection_kept_ms"] for one in rounds), default=0.0),
              "median_pause_connection_kept_ms": median([one["pause_connection_kept_ms"] for one in rounds]),
              "pauses": rounds, "examples": ledger.examples(missing)}
    # A stop in good order hands over first: a client may have to reconnect, but what it publishes is not refused.
    promises = PROMISES + (("nacked",) if result["fault"] == "rolling-restart" else ())
    result["broken_promises"] = drill_report.broken(result, promises) + troubles
    return result


def median(values):
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else 0.0


def print_report(result):
    drill_report.print_figures(result, FIGURES)
    drill_report.print_verdict(result, result["fault"], {"": result["examples"]})
