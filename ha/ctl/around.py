"""What stands around a cluster: HAProxy's configuration, failure drills, the order of an upgrade. Not in RabbitMQ's tools."""

import os
import pathlib
import shutil
import subprocess

from . import facts
from .cluster import members_of
from .commands import OWN, command
from .formatters import Message
from .outcome import CONFIGURATION, USAGE, BadUsage, Failure

HA = pathlib.Path(__file__).resolve().parent.parent
MODES = ("balance", "warren")
WILDCARDS = ("0.0.0.0", "::", "")


# --- HAProxy ---

def check_mode(call):
    if call.option("mode", "balance") not in MODES:
        raise BadUsage(f"mode '{call.option('mode')}' is not known; try balance or warren")


@command("haproxy-config", "[--mode <balance | warren>] [--listen <host:port>] [--listen-http <host:port>]",
         "Prints an HAProxy configuration for the nodes of the cluster", "Cluster", OWN,
         switches={"mode": str, "listen": str, "listen-http": str}, check=check_mode,
         details=[("--mode balance", "a new connection goes to the node with the fewest; every node serves every queue"),
                  ("--mode warren", "one node takes all clients, the others stand by"),
                  ("--listen <host:port>", "where clients connect, '*:5672' unless named"),
                  ("--listen-http <host:port>", "where the management page is, none unless named")],
         examples=[("haproxy-config > haproxy.cfg && haproxy -c -f haproxy.cfg", "ha/haproxy/README.md explains each line"),
                   ("haproxy-config --mode warren --listen 10.0.0.9:5672", "an address of its own")])
def haproxy_config(call):
    words = [str(HA / "haproxy" / "generate"), "--mode", call.option("mode", "balance"),
             "--listen", call.option("listen", "*:5672")]
    if call.option("listen-http"):
        words += ["--listen-http", call.option("listen-http")]
    for node, ports in sorted(ports_of(call).items()):
        words += ["--node", f"{node}={ports['host']}:{ports['amqp']}:{ports['http']}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(done.stderr.strip() or done.stdout.strip())
    return Message(done.stdout.rstrip("\n"))


def ports_of(call):
    """{short name of a node: its host and ports}; only nodes that are up tell of their listeners."""
    up = [node["name"] for node in facts.running_nodes(call)]
    missing = [node["name"] for node in call.api.get("/api/nodes") if node["name"] not in up]
    if missing:
        raise Failure(f"{', '.join(missing)} cannot be asked where it listens: start it first")
    hosts = {member["name"]: member["address"].rpartition(":")[0] for member in members_of(call) or []}
    found = {}
    for listener in call.api.get("/api/overview")["listeners"]:
        if listener["protocol"] not in ("amqp", "http"):
            continue
        short = listener["node"].rpartition("@")[2] or listener["node"]
        address = listener["ip_address"]
        if address in WILDCARDS:
            address = hosts.get(listener["node"]) or call.api.host
        found.setdefault(short, {"host": address}).setdefault(listener["protocol"], listener["port"])
    lacking = [name for name, ports in found.items() if not {"amqp", "http"} <= ports.keys()]
    if lacking:
        raise Failure(f"{', '.join(lacking)} has no plain AMQP port, or no management.tcp for the health checks",
                      CONFIGURATION)
    return found


# --- drills ---

@command("drill", "[run] <options of ha/drill>",
         "Runs marked traffic, breaks something, and reports what was lost, repeated or reordered, and how long it took",
         "Operations", OWN, words=(0, None), raw=True,
         details=[("--help", "all faults and options")],
         examples=[("drill --fault kill-leader --rounds 5", "on a cluster of its own, which is taken down at the end"),
                   ("drill --fault rolling-restart --dir .cluster", "on the one that ha/cluster has started")])
def drill(call):
    words = call.words[1:] if call.words[:1] == ["run"] else call.words
    if not (HA.parent / "CMakeLists.txt").exists() and not {"--binary", "--dir"} & set(words):
        binary = shutil.which("warrend")
        if not binary:
            raise Failure("warrend is not in PATH: name it with --binary", CONFIGURATION)
        words = [*words, "--binary", binary]
    os.execv(HA / "drill", [str(HA / "drill"), *words])


# --- upgrades ---

@command("upgrade", "plan", "Tells the steps of a rolling upgrade of this cluster, and what stands against it now", "Upgrade", OWN,
         words=(1, 1), check=lambda call: check_plan(call),
         examples=[("upgrade plan", "exit code 69 while a step would cost a majority, or something else is wrong")])
def upgrade(call):
    members = members_of(call) or []
    against = list(objections(call, members))
    leader = call.api.get("/api/cluster/members").get("leader")
    order = sorted(members, key=lambda member: (member["id"] == leader, member["id"]))
    lines = ["Before:", "  rabbitmqctl export_definitions definitions.json",
             "  read the new version's notes; nodes of two versions stay together only as long as this takes", ""]
    for number, member in enumerate(order, 1):
        last = " (it leads the meta group: the last one)" if member["id"] == leader and len(order) > 1 else ""
        lines += [f"{number}. {member['name']}{last}:", f"  rabbitmq-upgrade -n {member['name']} drain",
                  f"  rabbitmq-upgrade -n {member['name']} await_online_quorum_plus_one -t 300",
                  "  on its machine: install the package, systemctl restart warren",
                  f"  rabbitmq-upgrade -n {member['name']} revive",
                  f"  rabbitmqctl -n {member['name']} await_startup -t 300", ""]
    lines += ["After:", "  rabbitmq-upgrade post_upgrade"]
    if against:
        raise Failure("\n".join(lines + ["", "Not now:", *(f"  {reason}" for reason in against)]))
    return Message("\n".join(lines))


def check_plan(call):
    if call.words[0] != "plan":
        raise BadUsage(f"'{call.words[0]}' is not known; try plan", USAGE)


def objections(call, members):
    """What stands against stopping nodes one after the other."""
    for member in members:
        if not member["running"]:
            yield f"{member['name']} is down: start it, or forget it"
        elif member["state"] != "member":
            yield f"{member['name']} is {member['state']}"
    if 1 < len(members) < 3:
        yield "two nodes have no spare: while one is stopped nobody is served"
    elif len(members) == 1:
        yield "there is one node: nobody is served while it restarts"
    for group in call.api.get("/api/cluster/groups"):
        if not group["leader"]:
            yield f"group {group['group']} has no leader"
        elif len(members) > 2 and len(group["placement"]) < 3:
            yield f"group {group['group']} has {len(group['placement'])} replicas: wait until it has three"
    for node in facts.running_nodes(call):
        for resource in facts.alarms_of(node):
            yield f"{node['name']} is short of {resource}"
