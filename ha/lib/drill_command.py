"""ha/drill: marked traffic, an injected fault, and a report."""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import drill_random
import sites_drill
from cluster import DEFAULT_BINARY, Cluster, Problem, build_node
from drill_faults import FAULTS, HOLD, Faults
from drill_ledger import Ledger
from drill_traffic import LOSSES, Traffic
from namespaces import Namespaces
from ports import free_base_port

STEADY_TIMEOUT = 60.0
END_TIMEOUT = 60.0

DESCRIPTION = """\
Runs marked traffic through a cluster, breaks something, and reports what the clients saw.

  ha/drill --fault kill-leader --rounds 20           a cluster of its own, taken down at the end
  ha/drill --fault pause-leader --dir .cluster       the cluster that ha/cluster up has started
  ha/drill --fault partition-leader                  as root: each node in a network namespace of its own
  ha/drill --fault random --nodes 5 --rounds 20      Jepsen's queue workload; --seed N repeats the order of its faults

  kill-leader       kill -9 of the node that leads the first queue; it comes back after --hold seconds
  kill-all          kill -9 of every node at the same time, then a start of all
  pause-leader      the leader hangs (SIGSTOP) for --hold seconds
  partition-leader  the leader cannot reach the other nodes for --hold seconds, but clients can reach it
  rolling-restart   every node in turn is stopped in good order and started again; a nack is a broken promise, too
  none              nothing: what the traffic itself costs
  random            kills, pauses, halves, rings of overlapping majorities, nodes alone, by seed; see below

Publishers wait for confirms and publish again what is unconfirmed when their connection breaks. Consumers ack everything, and
prove from time to time that the broker knows their acks. Then the report:

  lost                         confirmed, never delivered                                         broken promise
  resurrected                  delivered although its ack was known to the broker                 broken promise
  reordered                    before its predecessor of the same channel, without the flag       broken promise
  duplicated_unflagged         delivered again without the redelivered flag                       broken promise
  redelivered_on_open_channel  delivered again to a channel that still held it                    broken promise
  returned                     the broker did not find a queue that is there                      broken promise
  unconfirmed                  never confirmed, also not long after the fault                     broken promise
  duplicated_redelivered       delivered again with the flag, after a consumer's connection broke
  duplicated_by_republishing   published twice because the first confirm did not arrive
  longest_pause_ms             longest wait for a confirm, and the same for publishers whose connection lived

With --fault random five clients, each with one node, put and take one number at a time. Then all is healed and the queue drained:

  lost                         put and confirmed, never taken                                     broken promise
  unexpected                   taken, but never put                                               broken promise
  duplicated_unflagged         taken again without the redelivered flag                           broken promise
  recovered                    taken though the put was never answered
  unknown, refused             puts without an answer, puts with a nack

As root its nodes are in network namespaces; otherwise, or with --dir, there are kills and pauses only.

Two sites (--sites 2): two clusters linked both ways by federation, marked traffic into both, every message due at both.

  ha/drill --sites 2 --dedup --rounds 5

  cut-slow-kill     the line slow (100 ms each way), a node killed on each side, the line cut and healed, the nodes back; the default
  cut-link          the line cut for --hold seconds; as root in network namespaces, else by a forwarder on loopback
  slow-link         the line slow for --hold seconds
  kill-both-sides   kill -9 of a leader on each side

The report has for each site: lost (broken promise), duplicated without and with the redelivered flag, reordered, longest lag from
publishing to arrival. Federation delivers at least once, so duplicated is a broken promise only with --dedup: then queues know
repeats (x-message-deduplication).

Exit code: 0 all promises kept, 1 one was broken, 2 the drill could not run.
"""

PROMISES = ("lost", "resurrected", "reordered", "duplicated_unflagged", "redelivered_on_open_channel", "returned", "foreign",
            "unconfirmed")


def parse_arguments():
    parser = argparse.ArgumentParser(prog="ha/drill", description=DESCRIPTION,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fault", choices=(*FAULTS, "random") + sites_drill.FAULTS, help="default kill-leader, of two sites cut-slow-kill")
    parser.add_argument("--sites", type=int, choices=(1, 2), default=1, help="2: two clusters, linked both ways")
    parser.add_argument("--dedup", action="store_true", help="two sites: each message once per site")
    parser.add_argument("--seed", type=int, help="of --fault random: the same faults in the same order")
    parser.add_argument("--rounds", type=int, default=3, help="how often the fault happens (default %(default)s)")
    parser.add_argument("--hold", type=float, help="seconds that the damage lasts (default: by fault)")
    parser.add_argument("--queues", type=int, default=4, help="queues, with a publisher and a consumer each (default %(default)s)")
    parser.add_argument("--rate", type=float, default=1000, help="messages a second over all queues (default %(default)s)")
    parser.add_argument("--size", type=int, default=128, help="bytes of a body (default %(default)s)")
    parser.add_argument("--dir", help="directory of a running cluster; without, the drill starts one of its own")
    parser.add_argument("--nodes", type=int, default=3, help="of a cluster of its own (default %(default)s)")
    parser.add_argument("--direct", action="store_true", help="clients connect to the nodes, not to HAProxy")
    parser.add_argument("--binary", help="use this warrend for a cluster of its own instead of building one")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a line for every node's configuration")
    parser.add_argument("--json", metavar="FILE", help="write the report there too; - prints it and nothing else")
    parser.add_argument("--keep", action="store_true", help="leave a cluster of its own running for a look")
    options = parser.parse_args()
    faults = sites_drill.FAULTS if options.sites == 2 else (*FAULTS, "random")
    options.fault = options.fault or faults[0]
    if options.fault not in faults:
        parser.error(f"{options.fault} is not for {'two sites' if options.sites == 2 else 'one site'}: {', '.join(faults)}")
    if options.dedup and options.sites != 2:
        parser.error("--dedup is for two sites: --sites 2")
    if options.rounds < 1 or options.queues < 1 or options.rate <= 0:
        parser.error("rounds, queues and rate must be positive")
    return options


@contextlib.contextmanager
def own_cluster(options, say):
    """A cluster for this drill, in namespaces when the fault is about the network."""
    binary = os.path.abspath(options.binary) if options.binary else DEFAULT_BINARY
    if binary == DEFAULT_BINARY:
        build_node(say)
    settings = dict(pair.split("=", 1) for pair in options.set)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="warren-drill-"))
    namespaces = None
    if options.fault == "partition-leader" or (options.fault == "random" and os.getuid() == 0 and can_part()):
        if os.getuid() != 0:
            raise Problem("partitions need network namespaces: run this as root")
        namespaces = Namespaces(options.nodes)
        settings["loopback_users.guest"] = "false"  # the nodes are not on loopback
    cluster = None
    try:
        if namespaces:
            namespaces.open()
        cluster = Cluster.create(directory, nodes=options.nodes, base_port=free_base_port(), haproxy=not options.direct,
                                 binary=binary, settings=settings, hosts=namespaces and namespaces.hosts,
                                 netns=namespaces and namespaces.names)
        for node in cluster.nodes:
            node.start()
        cluster.wait_ready(STEADY_TIMEOUT)
        if cluster.with_haproxy:
            cluster.start_haproxy()
            cluster.wait_haproxy(STEADY_TIMEOUT)
        say(f"started {options.nodes} nodes in {directory}")
        yield cluster, namespaces
    finally:
        if options.keep:
            say(f"left running; stop with: ha/cluster down --wipe --dir {directory}")
        else:
            if cluster:
                cluster.stop()
            if namespaces:
                namespaces.close()
            shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def running_cluster(options):
    if options.fault == "partition-leader":
        raise Problem("a partition needs a cluster in network namespaces; without --dir the drill starts one")
    cluster = Cluster(options.dir)
    cluster.wait_ready(STEADY_TIMEOUT)
    yield cluster, None


def can_part():
    """Whether this machine gives network namespaces."""
    return subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0


def run_drill(cluster, namespaces, options, say):
    """The drill itself; gives the report."""
    if options.fault == "random":
        return drill_random.run(cluster, namespaces, options, say)
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
                troubles.append(f"round {number + 1}: traffic did not flow: " + problems_of(traffic))
                break
            traffic.take_pauses()
            faults.inject(options.fault, queues[0])
            if not traffic.wait_steady(STEADY_TIMEOUT):
                troubles.append(f"round {number + 1}: confirms did not come again: " + problems_of(traffic))
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
    except LOSSES as error:
        troubles.append(f"the queues could not be read to the end: {error}")
    return report(ledger, options, rounds, unconfirmed, troubles, time.monotonic() - began)


def problems_of(traffic):
    return "; ".join(sorted({actor.problem for actor in traffic.publishers if actor.problem})) or "no error was seen"


def report(ledger, options, rounds, unconfirmed, troubles, seconds):
    missing = ledger.missing()
    result = {"fault": options.fault, "rounds": len(rounds), "seconds": round(seconds, 1), **ledger.figures(),
              "lost": len(missing), "unconfirmed": unconfirmed,
              "longest_pause_ms": max((one["pause_ms"] for one in rounds), default=0.0),
              "longest_pause_connection_kept_ms": max((one["pause_connection_kept_ms"] for one in rounds), default=0.0),
              "median_pause_connection_kept_ms": median([one["pause_connection_kept_ms"] for one in rounds]),
              "pauses": rounds, "examples": ledger.examples()}
    if missing:
        result["examples"]["lost"] = [str(key) for key in missing[:5]]
    # A stop in good order hands over first: a client may have to reconnect, but what it publishes is not refused.
    promises = PROMISES + (("nacked",) if result["fault"] == "rolling-restart" else ())
    result["broken_promises"] = [f"{name}: {result[name]}" for name in promises if result[name]] + troubles
    return result


def median(values):
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else 0.0


def print_report(result):
    print()
    for name in ("published", "confirmed", "republished", "nacked", "delivered", "lost", "duplicated_redelivered",
                 "duplicated_unflagged", "redelivered_on_open_channel", "duplicated_by_republishing", "reordered",
                 "resurrected", "returned", "unconfirmed", "connections_lost", "longest_pause_ms",
                 "longest_pause_connection_kept_ms", "median_pause_connection_kept_ms"):
        print(f"{name:<34}{result[name]:>12}")
    for promise in result["broken_promises"]:
        print(f"BROKEN: {promise}")
    for name, marks in result["examples"].items():
        print(f"  {name}, for example: {', '.join(marks)}")
    if not result["broken_promises"]:
        print(f"{result['fault']}, {result['rounds']} rounds: all promises kept")


def main():
    options = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))  # so that what was started is stopped
    began = time.monotonic()

    def say(text):
        print(f"[{time.monotonic() - began:5.1f} s] {text}", file=sys.stderr, flush=True)

    try:
        if options.sites == 2:
            result = sites_drill.run(options, say)
        else:
            with running_cluster(options) if options.dir else own_cluster(options, say) as (cluster, namespaces):
                result = run_drill(cluster, namespaces, options, say)
    except (Problem, OSError) as problem:
        print(f"drill: {problem}", file=sys.stderr)
        return 2
    except LOSSES as problem:
        print(f"drill: the cluster does not serve: {problem}", file=sys.stderr)
        return 2
    if options.json == "-":
        print(json.dumps(result, indent=1))
    else:
        shown = sites_drill if options.sites == 2 else drill_random if options.fault == "random" else None
        (shown.print_report if shown else print_report)(result)
        if options.json:
            pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")
    return 1 if result["broken_promises"] else 0


if __name__ == "__main__":
    sys.exit(main())
