"""The cluster: who is in it, joining and leaving."""

from . import facts
from .api import path_of
from .commands import CTL, DIAGNOSTICS, command
from .formatters import Message, Report
from .nodes import in_sections
from .outcome import Failure, Refused, Unreachable
from .progress import Progress

SECTION = "Cluster"
MOVE_TIMEOUT = 600.0
NOT_MEMBER = "{:not_a_cluster_node, 'The node selected is not in the cluster.'}"


def cluster_data(call):
    overview, nodes = call.api.get("/api/overview"), call.api.get("/api/nodes")
    running = [node for node in nodes if node.get("running", True)]
    flags = facts.feature_flags(call)
    version = {"erlang_version": overview.get("erlang_version", ""),
               "rabbitmq_name": overview.get("product_name", "RabbitMQ"),
               "rabbitmq_version": overview.get("rabbitmq_version", "")}
    listeners, states = facts.listeners_of(call), states_of(call)
    return {"alarms": [{"node": node["name"], "resource": resource, "type": "resource_limit"}
                       for node in running for resource in facts.alarms_of(node)],
            "cluster_name": overview.get("cluster_name", ""),
            "cluster_tags": overview.get("cluster_tags") or [],
            "cpu_cores": {node["name"]: node.get("processors", 0) for node in running},
            "disk_nodes": sorted(node["name"] for node in nodes), "feature_flags": flags,
            "listeners": {node["name"]: [listener for listener in listeners if listener["node"] == node["name"]]
                          for node in running},
            "maintenance_status": {node["name"]: facts.maintenance_of(node, states.get(node["name"]))
                                   for node in running},
            "partitions": {node["name"]: node["partitions"] for node in running if node.get("partitions")},
            "ram_nodes": [],
            "running_nodes": sorted(node["name"] for node in running),
            "versions": {node["name"]: version for node in running}}


@command("cluster_status", "[--timeout <timeout>]",
         "Displays all the nodes in the cluster grouped by node type, together with the currently running nodes",
         SECTION, (CTL, DIAGNOSTICS), banner=lambda call: f"Cluster status of node {call.node_or_url()} ...",
         examples=[("cluster_status", "who is in it, who is up, who is being drained, which alarms there are"),
                   ("-q cluster_status --formatter json", "for programs: running_nodes, disk_nodes, alarms ...")])
def cluster_status(call):
    data = cluster_data(call)
    flags = [f"Flag: {flag['name']}, state: {flag['state']}" for flag in data["feature_flags"]]
    sections = [
        ("Basics", [f"Cluster name: {data['cluster_name']}",
                    f"Total CPU cores available cluster-wide: {sum(data['cpu_cores'].values())}"]),
        ("Cluster Tags", tag_lines(data["cluster_tags"])),
        ("Disk Nodes", data["disk_nodes"]), ("Running Nodes", data["running_nodes"]),
        ("Versions", [f"{node}: {of['rabbitmq_name']} {of['rabbitmq_version']} on Erlang {of['erlang_version']}"
                      for node, of in data["versions"].items()]),
        ("CPU Cores", [f"Node: {node}, available CPU cores: {count}" for node, count in data["cpu_cores"].items()]),
        ("Maintenance status", [f"Node: {node}, status: {state}" for node,
                                state in data["maintenance_status"].items()]),
        ("Alarms", [f"{alarm['resource'].capitalize()} alarm on node {alarm['node']}" for alarm in data["alarms"]]
         or ["(none)"]),
        ("Network Partitions", [f"Node {node} cannot communicate with {', '.join(others)}"
                                for node, others in data["partitions"].items()] or ["(none)"]),
        ("Listeners", [f"Node: {node}, i{facts.listener_line(listener)[1:]}"
                       for node, there in data["listeners"].items() for listener in there] or ["(none)"]),
        ("Feature flags", flags or ["(none)"])]
    return Report(in_sections(sections), data)


def tag_lines(tags):
    pairs = tags.items() if isinstance(tags, dict) else [(tag.get("name"), tag.get("value")) for tag in tags]
    return [f"{name}: {value}" for name, value in pairs] or ["(none)"]


@command("set_cluster_name", "<name>", "Sets the cluster name", "Configuration and Environment", words=(1, 1),
         banner=lambda call: f"Setting cluster name to {call.words[0]} ...")
def set_cluster_name(call):
    call.api.put("/api/cluster-name", {"name": call.words[0]})


def members_of(call):
    """What Warren tells of the members; None where the node has no such list."""
    try:
        found = call.api.find("/api/cluster/members")
    except Refused as refused:
        if refused.status == 405:
            return None
        raise
    return found.get("members", found) if isinstance(found, dict) else found


def states_of(call):
    """{name: state} of the members, as far as the node tells."""
    try:
        return {member["name"]: member.get("state") for member in members_of(call) or []}
    except Refused:
        return {}


def number_of(call, wanted):
    """A member's number, from its name or the number itself."""
    members = members_of(call)
    if members is None:
        raise Failure("this node does not offer changes of membership (/api/cluster/members)")
    for member in members:
        if wanted in (member.get("name"), str(member.get("id"))):
            return member["id"]
    raise Failure(NOT_MEMBER)


@command("forget_cluster_node", "[--offline] [--force] <existing_cluster_member_node>",
         "Removes a dead node from the cluster",
         SECTION, words=(1, 1), switches={"all-in-khepri": bool, "force": bool}, default_timeout=MOVE_TIMEOUT,
         details=[("--force", "also when groups of queues have no majority without it, and may be lost for good by that")],
         banner=lambda call: f"Removing node {call.words[0]} from the cluster",
         examples=[("forget_cluster_node warren@c",
                    "a node that is dead for good: its replicas are made anew on others, and its "
                    "number is not used again")])
def forget_cluster_node(call):
    path = path_of("cluster", "members", number_of(call, call.words[0]))
    try:
        call.api.delete(path + ("?force=true" if call.option("force") else ""))
    except Refused as refused:
        if refused.status == 409 and "force" in refused.text:
            raise Failure(f"Warning: {refused.text}") from None
        raise


@command("leave_cluster", "", "Makes a node that runs leave the cluster: its replicas move first", SECTION,
         default_timeout=MOVE_TIMEOUT, banner=lambda call: f"Node {call.node_or_url()} leaves the cluster ...",
         examples=[("leave_cluster -n warren@c", "it stops at the end, and its number is not used again")])
def leave_cluster(call):
    """The node stops by itself at the end: nobody answers then, and that is what is waited for."""
    number, name = number_of(call, call.node), call.node
    call.api.post(path_of("cluster", "members", number, "leave"))

    def question():
        try:
            left = [member for member in members_of(call) or [] if member["id"] == number]
        except Unreachable:
            return True, ""
        return not left, f"it has {left[0].get('replicas')} replicas" if left else ""
    call.wait(question, Progress("waiting for the replicas to move", call.quiet))
    return Message(f"Node {name} has left", "message")


JOIN = ("a node joins when it starts: give it 'cluster.join = HOST:PORT' of any member, the cluster's secret and a "
        "node.id that was "
        "never used, and start it; on one machine: ha/cluster join")


@command("join_cluster", "[--disc|--ram] <existing_cluster_member>",
         "Instructs the node to become a member of the cluster that the specified node is in", SECTION, words=(1, 1),
         switches={"disc": bool, "ram": bool},
         banner=lambda call: f"Clustering node {call.node_or_url()} with {call.words[0]}")
def join_cluster(call):
    """A node that is a member already has what was asked for; another one finds its cluster when it starts."""
    wanted = call.words[0]
    if wanted in [node["name"] for node in call.api.get("/api/nodes")]:
        return
    raise Failure(JOIN)


def refused(name, usage, about, instead, words=(0, None), switches=None, section=SECTION):
    @command(name, usage, about, section, words=words, switches=switches)
    def run(call):
        raise Failure(f"{about[0].lower()}{about[1:]}: {instead}")
    return run


refused("force_boot", "", "Starts a node although its peers are not there",
        "not needed, a node always starts, and serves as soon "
        "as a majority is up. A majority that is lost for good: docs/operate.md, 'A majority is lost for good'", (0, 0))
refused("force_standalone_khepri_boot", "", "Makes one node a cluster of its own", "docs/operate.md, 'A majority is lost for good'",
        (0, 0))
refused("rename_cluster_node", "<oldnode1> <newnode1> [...]", "Renames cluster nodes in the local database",
        "not needed, a node is "
        "its node.id; change node.name in its configuration and restart it")
refused("update_cluster_nodes", "<seed_node>", "Makes a node learn the members anew",
        "not needed, the members are replicated", (1, 1))
refused("change_cluster_node_type", "<disc | ram>", "Changes the type of the cluster node",
        "every node keeps its data on disk", (1, 1))
