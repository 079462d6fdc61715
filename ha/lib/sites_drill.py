"""ha/drill --sites 2: traffic in two sites that are linked both ways, trouble on the line and on both sides, and a report."""

import contextlib
import os
import pathlib
import shutil
import tempfile
import time

import amqp
import drill_report
import two_sites as sites
from cluster import Cluster
from cluster_node import Problem, kill
from program import program, settings_of
from ports import free_base_port
from sites_ledger import Books
from sites_line import line_for
from sites_traffic import SitesTraffic

STEADY_TIMEOUT = 60.0
ARRIVAL_TIMEOUT = 90.0    # a cut without a word costs two heartbeats, and everything that waited has to come
SLOWNESS = 0.1            # seconds each way

FAULTS = ("cut-slow-kill", "cut-link", "slow-link", "kill-both-sides")
SLOWED = ("cut-slow-kill", "slow-link")
HOLD = {"cut-slow-kill": 2.0, "cut-link": 3.0, "slow-link": 3.0, "kill-both-sides": 2.0}


class Trouble:
    """The faults; each returns when line and nodes are whole again."""

    def __init__(self, clusters, line, queue, hold, say):
        self.clusters, self.line, self.queue, self.hold, self.say = clusters, line, queue, hold, say

    def inject(self, fault):
        try:
            getattr(self, fault.replace("-", "_"))()
        finally:
            self.line.heal()

    def cut_link(self):
        self.say(f"the line is cut for {self.hold:g} s")
        self.line.cut()
        time.sleep(self.hold)

    def slow_link(self):
        self.say(f"the line takes {SLOWNESS * 1000:.0f} ms each way for {self.hold:g} s")
        self.line.slow(SLOWNESS)
        time.sleep(self.hold)

    def kill_both_sides(self):
        self.bring_back(self.kill_leaders())

    def cut_slow_kill(self):
        """The line slow, then cut; meanwhile a node dies on each side."""
        self.slow_link()
        killed = self.kill_leaders()
        self.cut_link()
        self.line.heal()
        self.bring_back(killed)

    def kill_leaders(self):
        killed = []
        for site, cluster in self.clusters.items():
            node = cluster.leader(self.queue)
            self.say(f"site {site}: kill -9 {node.name}, leader of {self.queue}")
            kill([node])
            killed.append(node)
        time.sleep(self.hold)
        return killed

    def bring_back(self, nodes):
        for node in nodes:
            node.start()
        for cluster in self.clusters.values():
            cluster.wait_ready(STEADY_TIMEOUT)


@contextlib.contextmanager
def own_sites(options, line, say):
    """Two clusters for this drill, linked over the line."""
    binary, asked = program(options.binary, say), settings_of(options.set)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="warren-drill-"))
    clusters = {}
    try:
        state = sites.remember(directory, sites.DEFAULT_PATTERN)
        for site in sites.SITES:
            place = line.place(site, options.nodes)
            settings = {**sites.settings_of(site), **({"loopback_users.guest": "false"} if place else {}), **asked}
            clusters[site] = Cluster.create(sites.site_dir(directory, site), nodes=options.nodes, base_port=free_base_port(),
                                            haproxy=not options.direct, binary=binary, settings=settings, **place)
            for node in clusters[site].nodes:
                node.start()
        for cluster in clusters.values():
            cluster.wait_serving(STEADY_TIMEOUT)
        sites.federate(clusters, state, line.addresses(clusters))
        say(f"started two sites of {options.nodes} nodes in {directory}")
        yield clusters
    finally:
        for cluster in clusters.values():
            cluster.stop()
        shutil.rmtree(directory, ignore_errors=True)


def run(options, say):
    """The drill; gives the report."""
    if options.dir or options.keep:
        raise Problem("a drill over two sites makes both by itself and takes them down: without --dir and --keep")
    with line_for(options.fault in SLOWED, say) as line, own_sites(options, line, say) as clusters:
        return run_rounds(clusters, line, options, say)


def run_rounds(clusters, line, options, say):
    books = Books(sites.SITES, options.dedup)
    exchange = f"federated.drill.{os.getpid()}"
    addresses = {site: cluster.addresses() for site, cluster in clusters.items()}
    traffic = SitesTraffic(books, addresses, exchange, options.queues, options.rate, options.size, options.dedup)
    began, rounds, troubles = time.monotonic(), [], []
    traffic.declare()
    for cluster in clusters.values():
        sites.wait_linked(cluster, exchange)
    trouble = Trouble(clusters, line, traffic.queues[0], HOLD[options.fault] if options.hold is None else options.hold, say)
    traffic.start()
    try:
        for number in range(options.rounds):
            what = f"round {number + 1} of {options.rounds}"
            if not traffic.wait_steady(STEADY_TIMEOUT):
                raise Problem(f"{what}: traffic did not flow: {traffic.problems()}")
            trouble.inject(options.fault)
            if not traffic.wait_steady(STEADY_TIMEOUT):
                raise Problem(f"{what}: confirms did not come again: {traffic.problems()}")
            behind = traffic.wait_arrived(time.monotonic(), ARRIVAL_TIMEOUT)
            if behind is None:
                raise Problem(f"{what}: {ARRIVAL_TIMEOUT:.0f} s after the line was healed messages are still missing")
            rounds.append({"catch_up_ms": round(behind * 1000, 1)})
            say(f"{what}: both sites have everything {behind * 1000:.0f} ms after all was whole and confirms flowed")
    except (Problem, TimeoutError) as error:
        troubles.append(str(error))
    say("waiting for the last confirms and deliveries")
    unconfirmed = traffic.finish(ARRIVAL_TIMEOUT)
    try:
        traffic.remove()
    except amqp.LOSSES as error:
        troubles.append(f"the queues could not be deleted: {error}")
    return report(books, options, type(line).__name__, rounds, unconfirmed, troubles, time.monotonic() - began)


def report(books, options, line, rounds, unconfirmed, troubles, seconds):
    found = {str(site): {**book.figures(), "examples": book.examples()} for site, book in books.sites.items()}
    result = {"fault": options.fault, "line": "namespaces" if line == "NamespaceLine" else "forwarder", "dedup": options.dedup,
              "rounds": len(rounds), "seconds": round(seconds, 1), **books.figures(), "unconfirmed": unconfirmed,
              "longest_catch_up_ms": max((one["catch_up_ms"] for one in rounds), default=0.0), "sites": found}
    promises = ["lost", "foreign"] + (["duplicated"] if options.dedup else [])
    broken = [promise for site, figures in found.items() for promise in drill_report.broken(figures, promises, f"site {site}: ")]
    broken += drill_report.broken(result, ("unconfirmed", "returned"))
    result["broken_promises"] = broken + troubles
    return result


def print_report(result):
    drill_report.print_figures(result, ("published", "confirmed", "republished", "nacked", "unconfirmed", "returned",
                                        "publisher_connections_lost", "longest_catch_up_ms"))
    print(f"\n{'':<34}" + "".join(f"{'site ' + site:>12}" for site in result["sites"]))
    for name in ("delivered", "lost", "duplicated", "duplicated_redelivered", "reordered", "longest_lag_ms", "connections_lost"):
        print(f"{name:<34}" + "".join(f"{figures[name]:>12}" for figures in result["sites"].values()))
    drill_report.print_verdict(result, f"{result['fault']} over {result['line']}",
                               {f"site {site}: ": figures["examples"] for site, figures in result["sites"].items()})
