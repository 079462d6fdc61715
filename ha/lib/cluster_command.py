"""The verbs of ha/cluster."""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import amqp
import check_amqp
import members_command
import sites_command
import two_sites as sites
from cluster import Cluster
from cluster_node import HTTP_OFFSET, Problem
from program import DEFAULT_BINARY, build_node, settings_of

READY_TIMEOUT = 60.0

DESCRIPTION = """\
A Warren cluster on this machine: nodes on loopback, HAProxy in front.

  ha/cluster up                    installs, builds, starts three nodes and HAProxy, sends a message through
  ha/cluster status                who runs where, and who is ready
  ha/cluster leader orders         number of the node that leads the queue 'orders'
  ha/cluster kill $(ha/cluster leader orders)      kill -9: power cut; another node takes over
  ha/cluster start 2               a killed or stopped node comes back and catches up by itself
  ha/cluster pause 1; ha/cluster resume 1          a node that hangs (SIGSTOP), and goes on
  ha/cluster join                  one more node: it asks to be a member, and gets its share of replicas
  ha/cluster drain 2               hands over what node 2 leads, for maintenance; ha/cluster revive 2 ends that
  ha/cluster leave 4               its replicas move to the others, then it stops and is a member no more
  ha/cluster forget 3              the same for a node that is dead for good
  ha/cluster down                  stops everything that `up` started; data stays for the next `up`
  ha/cluster down --wipe           ... and removes the cluster's directory

With base port P: HAProxy has AMQP on P and HTTP on P+10000; node I has AMQP on P+I, HTTP on P+10000+I and its link to
the other nodes on P+20000+I. User and password are guest. Several clusters run side by side:

  ha/cluster up --dir /var/tmp/second --base-port 7000
  ha/cluster status --dir /var/tmp/second

Two data centres: two clusters, in DIR/site-1 and DIR/site-2, the second one on ports 100 higher, linked both ways by federation.

  ha/cluster up --sites 2          starts both, links them, sends a message from each to the other
  ha/cluster kill 1 --site 2       every verb for one of them; status and down without --site mean both
"""

NEXT_STEPS = """
Try next:
  amqp-declare-queue --url amqp://127.0.0.1:{port} -d -q orders      (these three are in the package amqp-tools)
  amqp-publish --url amqp://127.0.0.1:{port} -p -r orders -b hello
  amqp-get --url amqp://127.0.0.1:{port} -q orders
  {me} status{options}
  {me} kill $({me} leader orders{options}){options}      and publish again: nothing is lost
  {me} start N{options}
  ha/drill --fault kill-leader{drill_options}      the same under load, with proof
"""

progress_began = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - progress_began:5.1f} s] {text}", file=sys.stderr, flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(prog="ha/cluster", description=DESCRIPTION,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--dir", default=".cluster", help="the cluster's directory (default %(default)s)")
    common.add_argument("--site", type=int, choices=sites.SITES, help="this one of two sites")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    up = verbs.add_parser("up", parents=[common], help="start the cluster; what runs already stays as it is")
    up.add_argument("--nodes", type=int, help="default 3")
    up.add_argument("--base-port", type=int, help="default 5672")
    up.add_argument("--no-haproxy", action="store_true", help="nodes only")
    up.add_argument("--mode", choices=("balance", "warren"), help="HAProxy: all nodes (balance, the default) or one "
                                                                  "master with backups (warren)")
    up.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a line for every node's configuration")
    up.add_argument("--binary", help="use this warrend instead of building one")
    up.add_argument("--sites", type=int, choices=(1, 2), help="2: two clusters, linked both ways")
    up.add_argument("--federate", metavar="REGEX", help="exchanges that the sites share (default " +
                    sites.DEFAULT_PATTERN + ")")

    down = verbs.add_parser("down", parents=[common], help="stop what `up` started")
    down.add_argument("--wipe", action="store_true", help="remove the directory with all data too")
    status = verbs.add_parser("status", parents=[common], help="who runs where, and who is ready")
    status.add_argument("--json", action="store_true")
    for verb, text in (("kill", "kill -9 a node"), ("term", "stop a node in good order, and wait for its end"),
                       ("start", "start a node that does not run, and wait until it serves"),
                       ("pause", "SIGSTOP: the node hangs"), ("resume", "SIGCONT: it goes on")):
        verbs.add_parser(verb, parents=[common], help=text).add_argument("node", type=int, metavar="I")
    verbs.add_parser("join", parents=[common], help="one more node joins")
    for verb, text in (("leave", "replicas move away, then the node stops and is a member no more"),
                       ("forget", "a dead node is a member no more; its replicas are made anew on others"),
                       ("drain", "the node leads nothing, and HAProxy sends it no clients"), ("revive", "ends drain")):
        verbs.add_parser(verb, parents=[common], help=text).add_argument("node", type=int, metavar="I")
    leader = verbs.add_parser("leader", parents=[common], help="print the number of the node that leads a queue")
    leader.add_argument("queue", metavar="QUEUE")
    leader.add_argument("--vhost", default="/")
    logs = verbs.add_parser("logs", parents=[common], help="what a node has printed")
    logs.add_argument("node", type=int, metavar="I")
    logs.add_argument("-f", "--follow", action="store_true", help="go on until interrupted")
    return parser.parse_args()


def describe(options, settings):
    """The cluster that `up` means: what is written down in its directory, unless asked otherwise."""
    path = pathlib.Path(options.dir) / "cluster.json"
    there = json.loads(path.read_text()) if path.exists() else {}
    binary = os.path.abspath(options.binary) if options.binary else there.get("binary")
    return Cluster.create(
        options.dir, nodes=options.nodes or len(there.get("hosts", [0] * 3)),
        base_port=options.base_port or there.get("base_port", 5672), binary=binary,
        haproxy=not options.no_haproxy and there.get("haproxy", True),
        mode=options.mode or there.get("mode", "balance"), settings={**settings, **settings_of(options.set)},
        hosts=there.get("hosts") if not options.nodes else None, netns=there.get("netns"))


def start_up(options, settings):
    """Starts what does not run yet, waits until it serves, and sends a message through; gives the cluster."""
    cluster = describe(options, settings)
    cluster.lock()
    if cluster.binary == str(DEFAULT_BINARY):
        build_node(say)
    cluster.check_ports()
    started = [node for node in cluster.nodes if node.start()]
    for node in started:
        say(f"started {node.name}")
    for node in cluster.nodes:
        if node.process.state() == "paused":
            node.process.send(signal.SIGCONT)
            say(f"resumed {node.name}")
    cluster.wait_ready(READY_TIMEOUT, progress=say if started else None)
    if cluster.with_haproxy:
        if cluster.start_haproxy():
            say("started HAProxy")
        cluster.wait_haproxy(READY_TIMEOUT)
    host, port = cluster.addresses()[0]
    try:
        confirm_ms, back_ms = check_amqp.round_trip(host, port, "warren.check")
    except (RuntimeError, *amqp.LOSSES) as error:
        raise Problem(f"the cluster is up, but a message through {host}:{port} failed: {error}") from error
    say(f"one message through {'HAProxy' if cluster.with_haproxy else 'node 1'} to a mirrored queue: confirmed in "
        f"{confirm_ms:.1f} ms, back in {back_ms:.1f} ms")
    return cluster


def up(options):
    if options.sites == 2:
        if (pathlib.Path(options.dir) / "cluster.json").exists():
            raise Problem(f"in {options.dir} there is one cluster, not two sites; name another --dir")
        state = sites_command.up(options, start_up, say)
        both_status(options)
        sites_command.print_next_steps(options, state)
        return
    if options.federate:
        raise Problem("--federate is for two sites: --sites 2")
    cluster = start_up(options, {})
    print_status(cluster)
    extra = "" if options.dir == ".cluster" else f" --dir {options.dir}"
    print(NEXT_STEPS.format(port=cluster.addresses()[0][1], me="ha/cluster", options=extra, drill_options=extra))


def status_rows(cluster):
    rows = []
    for node in cluster.nodes:
        state = node.process.state()
        ready, reason = node.health(timeout=1.0) if state == "up" else (False, "")
        rows.append({"node": node.number, "name": node.name, "pid": node.process.pid(), "state": state, "ready": ready,
                     "reason": reason, "host": node.host, "amqp": node.amqp_port, "http": node.http_port,
                     "link": node.link_port, "resident_mib": round(node.process.resident_mib(), 1),
                     "log": str(node.process.output_file)})
    return rows


def print_status(cluster):
    print(f"\n{'':<10}{'pid':>8}  {'state':<22}{'AMQP':<18}{'HTTP':<18}{'link':<18}{'memory':>9}")
    for row in status_rows(cluster):
        state = row["state"] if row["state"] != "up" else "ready" if row["ready"] else "up, not ready"
        address = [f"{row['host']}:{row[port]}" for port in ("amqp", "http", "link")]
        print(f"node {row['node']:<5}{row['pid'] or '-':>8}  {state:<22}{address[0]:<18}{address[1]:<18}{address[2]:<18}"
              f"{row['resident_mib']:>5.0f} MiB")
        if row["reason"] and not row["ready"]:
            print(f"          {row['reason'].splitlines()[0]}")
    if cluster.with_haproxy:
        pid = cluster.haproxy.pid()
        print(f"{'HAProxy':<10}{pid or '-':>8}  {'up, ' + cluster.mode if pid else 'down':<22}"
              f"127.0.0.1:{cluster.base_port:<8}127.0.0.1:{cluster.base_port + HTTP_OFFSET:<8}")
    print(f"files in {cluster.dir}")


def status_of(cluster):
    return {"nodes": status_rows(cluster), "base_port": cluster.base_port, "haproxy": cluster.haproxy.pid(),
            "mode": cluster.mode, "dir": str(cluster.dir)}


def status(options):
    cluster = Cluster(options.dir)
    if options.json:
        print(json.dumps(status_of(cluster), indent=1))
    else:
        print_status(cluster)


def both_status(options):
    if getattr(options, "json", False):
        print(sites_command.status_json(options.dir, status_of))
        return
    for site, cluster in sites.clusters_of(options.dir).items():
        print(f"\nsite {site}", end="")
        print_status(cluster)
    print()
    sites_command.print_links(options.dir)


def of_sites(options):
    """Turns a verb on a directory with two sites into one on a site, or into one on both; gives the latter, else None."""
    if not sites_command.is_sites(options.dir):
        if options.site:
            raise Problem(f"there are no sites in {options.dir}; start two with: ha/cluster up --sites 2")
        return None
    if options.site:
        options.dir = str(sites.site_dir(options.dir, options.site))
        return None
    if options.verb == "up":
        options.sites = 2
        return None
    both = {"status": both_status, "down": lambda options: sites_command.down(options, say)}
    if options.verb not in both:
        raise Problem(f"there are two sites in {options.dir}; say which one with --site 1 or --site 2")
    return both[options.verb]


def down(options):
    cluster = Cluster(options.dir)
    cluster.lock()
    cluster.stop()
    say("stopped")
    if options.wipe:
        shutil.rmtree(cluster.dir)
        say(f"removed {cluster.dir}")
    else:
        say(f"data stays in {cluster.dir}; remove it with --wipe")


def act_on_node(options):
    cluster = Cluster(options.dir)
    node = cluster.node(options.node)
    if options.verb == "start":
        cluster.lock()
        say(f"{node.name} starts" if node.start() else f"{node.name} runs already")
        cluster.wait_ready(READY_TIMEOUT, [node.number], say)
        return
    number = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "pause": signal.SIGSTOP, "resume": signal.SIGCONT}
    if not node.process.send(number[options.verb]):
        raise Problem(f"{node.name} does not run")
    if options.verb in ("kill", "term"):
        if not node.process.wait_gone(READY_TIMEOUT):
            raise Problem(f"{node.name} is still there after {READY_TIMEOUT:.0f} s; see {node.process.output_file}")
        node.process.pid_file.unlink(missing_ok=True)
    words = {"kill": "killed", "term": "stopped", "pause": "paused", "resume": "goes on"}
    say(f"{node.name} {words[options.verb]}")


def leader(options):
    print(Cluster(options.dir).leader(options.queue, options.vhost).number)


def logs(options):
    node = Cluster(options.dir).node(options.node)
    sys.stdout.flush()
    subprocess.run(["tail", "-n", "200"] + (["-F"] if options.follow else []) + [str(node.process.output_file)], check=False)


def main():
    options = parse_arguments()
    verbs = {"up": up, "down": down, "status": status, "leader": leader, "logs": logs}
    try:
        of_both = of_sites(options)
        if of_both:
            of_both(options)
        elif options.verb in members_command.VERBS:
            members_command.VERBS[options.verb](options, say)
        else:
            verbs.get(options.verb, act_on_node)(options)
    except Problem as problem:
        print(f"cluster: {problem}", file=sys.stderr)
        return 1
    except OSError as error:   # a folder that cannot be made, a full disk
        print(f"cluster: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
