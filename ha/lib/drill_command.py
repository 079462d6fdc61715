"""ha/drill: its options, and which drill they mean."""

import argparse
import json
import pathlib
import signal
import sys
import time

import amqp
import drill_rounds
import random_drill
import sites_drill
from cluster_node import Problem
from drill_cluster import own_cluster, running_cluster
from drill_faults import FAULTS

DESCRIPTION = """\
Runs marked traffic through a cluster, breaks something, and reports what the clients saw.

  ha/drill --fault kill-leader --rounds 20           a cluster of its own, taken down at the end
  ha/drill --fault pause-leader --dir .cluster       the cluster that ha/cluster up has started
  ha/drill --fault partition-leader                  as root: each node in a network namespace of its own
  ha/drill --fault random --nodes 5 --rounds 20      Jepsen's queue workload; --seed N repeats the order of its faults

Faults:

  kill-leader       kill -9 of the node that leads the first queue; it comes back after --hold seconds
  kill-all          kill -9 of every node at the same time, then a start of all
  pause-leader      the leader hangs (SIGSTOP) for --hold seconds
  partition-leader  the leader cannot reach the other nodes for --hold seconds, but clients can reach it
  rolling-restart   every node in turn is stopped in good order and started again; a nack is a broken promise, too
  none              nothing: what the traffic itself costs
  random            kills, pauses, halves, rings of overlapping majorities, nodes alone, by seed; see below

Publishers wait for confirms and publish again what is unconfirmed when their connection breaks. Consumers ack everything, and
prove from time to time that the broker knows their acks. The report, after all rounds:

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

def parse_arguments():
    parser = argparse.ArgumentParser(prog="ha/drill", description=DESCRIPTION,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fault", choices=(*FAULTS, "random") + sites_drill.FAULTS, metavar="FAULT",
                        help="one of those above; default kill-leader, of two sites cut-slow-kill")
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


def main():
    options = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))  # so that what was started is stopped
    began = time.monotonic()
    kind = sites_drill if options.sites == 2 else random_drill if options.fault == "random" else drill_rounds

    def say(text):
        print(f"[{time.monotonic() - began:5.1f} s] {text}", file=sys.stderr, flush=True)

    try:
        if kind is sites_drill:
            result = sites_drill.run(options, say)
        else:
            with running_cluster(options) if options.dir else own_cluster(options, say) as (cluster, namespaces):
                result = kind.run(cluster, namespaces, options, say)
    except (Problem, OSError) as problem:
        print(f"drill: {problem}", file=sys.stderr)
        return 2
    except amqp.LOSSES as problem:
        print(f"drill: the cluster does not serve: {problem}", file=sys.stderr)
        return 2
    if options.json == "-":
        print(json.dumps(result, indent=1))
    else:
        kind.print_report(result)
        if options.json:
            pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")
    return 1 if result["broken_promises"] else 0


if __name__ == "__main__":
    sys.exit(main())
