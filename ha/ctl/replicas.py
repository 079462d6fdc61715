"""rabbitmq-queues: replicas and leaders of queues."""

import re

from .api import path_of
from .commands import DIAGNOSTICS, QUEUES, command
from .formatters import Message, Rows
from .listing import pages
from .outcome import DATA, BadUsage, Failure, Refused
from .queues import queue_of

MONITORING = "Monitoring, observability and health checks"
STATUS_COLUMNS = ("Node Name", "Raft State", "Membership", "Last Log Index", "Last Written", "Last Applied",
                  "Commit Index",
                  "Snapshot Index", "Term", "Machine Version")
TYPES = ("all", "classic", "quorum", "stream")
PATTERNS = {"vhost-pattern": str, "queue-pattern": str, "errors-only": bool}


@command("quorum_status", "[--vhost <vhost>] <queue>", "Displays quorum status of a queue: its replicas", MONITORING,
         (QUEUES, DIAGNOSTICS), words=(1, 1),
         banner=lambda call: f"Status of quorum queue {call.words[0]} on node {call.node_or_url()} ...",
         examples=[("quorum_status orders", "which node leads the queue, which follow, which are away")])
def quorum_status(call):
    queue = queue_of(call, call.words[0])
    try:
        found = call.api.find(path_of("queues", "quorum", call.vhost, call.words[0], "status"))
    except Refused:
        found = None
    if found:
        columns = [column for column in STATUS_COLUMNS if column in found[0]] + [key for key in found[0]
                                                                                 if key not in STATUS_COLUMNS]
        return Rows(columns, found, pretty=True)
    members = queue.get("members") or [queue.get("leader") or queue.get("node")]
    online = queue.get("online") or members
    rows = [{"Node Name": member, "Membership": "voter",
             "Raft State": "leader" if member == queue.get("leader") else "follower" if member in online else "noproc"}
            for member in members if member]
    return Rows(STATUS_COLUMNS[:3], rows, pretty=True)


def matching(call, select=lambda queue: True):
    vhosts, names = call.option("vhost-pattern", ".*"), call.option("queue-pattern", ".*")
    return [queue for queue in pages(call, "/api/queues")
            if re.search(vhosts, queue["vhost"]) and re.search(names, queue["name"]) and select(queue)]


def check_type(call):
    if call.words[0] not in TYPES:
        raise Failure(f"type {call.words[0]} is not supported. Try one of all, classic, quorum, stream.")


@command("rebalance", "< all | classic | quorum | stream > [--vhost-pattern <pattern>] [--queue-pattern <pattern>]",
         "Re-balances leaders of replicated queues across up-and-running cluster nodes", "Cluster", (QUEUES,),
         words=(1, 1),
         switches=PATTERNS, check=check_type,
         banner=lambda call: (f"Re-balancing leaders of {call.words[0] if call.words[0] == 'all' else call.words[0]} "
                              f"queues..."),
         examples=[("rebalance all", "after a rolling restart; leaders also go back by themselves")])
def rebalance(call):
    """Leaders are those of groups, and a group has many queues: patterns choose what is counted, not what moves."""
    call.api.post("/api/rebalance/queues")
    counts = {node["name"]: [0, 0] for node in call.api.get("/api/nodes") if node.get("running", True)}
    for queue in matching(call):
        leader = queue.get("leader") or queue.get("node")
        if leader in counts:
            counts[leader][queue.get("type") != "quorum"] += 1
    return Rows(("Node name", "Number of quorum queues", "Number of replicated classic queues"),
                [{"Node name": node, "Number of quorum queues": quorum, "Number of replicated classic queues": classic}
                 for node, (quorum, classic) in sorted(counts.items())], pretty=True)


def check_node(call, node):
    if node not in [known["name"] for known in call.api.get("/api/nodes") if known.get("running", True)]:
        raise Failure("node_not_running")


def change_replica(call, queue, node, verb):
    path = path_of("queues", "quorum", queue["vhost"], queue["name"], "replicas", verb)
    return call.api.post(path, {"node": node}) if verb == "add" else call.api.delete(path, {"node": node})


def with_neighbours(answer, what):
    """Replicas and leaders are those of a group; the other queues of the group go where one of them is told to go."""
    others = (answer or {}).get("queues_of_the_group", 1) - 1
    return Message(f"{what}, and {others} other queues of its group go along", "message") if others > 0 else None


@command("add_member", "[--vhost <vhost>] <queue> <node>",
         "Adds a replica of a queue on the given node", "Replication", (QUEUES,), words=(2, 2),
         banner=lambda call: f"Adding a replica for queue {call.words[0]} on node {call.words[1]}...",
         details=[("<queue>", "the group of the queue gets the replica, and with it the group's other queues")])
def add_member(call):
    name, node = call.words
    queue = queue_of(call, name)
    if node in (queue.get("members") or []):
        return None
    check_node(call, node)
    return with_neighbours(change_replica(call, queue, node, "add"), f"Queue {name} gets a replica on {node}")


@command("delete_member", "[--vhost <vhost>] <queue> <node>", "Removes a replica of a queue from the given node",
         "Replication",
         (QUEUES,), words=(2, 2),
         banner=lambda call: f"Removing a replica of queue {call.words[0]} on node {call.words[1]}...")
def delete_member(call):
    name, node = call.words
    queue = queue_of(call, name)
    members = queue.get("members") or []
    if members == [node]:
        raise Failure("last_node")
    if node not in members:
        return None
    return with_neighbours(change_replica(call, queue, node, "delete"), f"Queue {name} gives up its replica on {node}")


def result_rows(call, queues, node, verb, result_size):
    rows = []
    for queue in queues:
        size = len(queue.get("members") or [])
        try:
            if size == 1 and verb == "delete":
                raise Failure("the last node cannot be removed")
            change_replica(call, queue, node, verb)
            rows.append({"vhost": queue["vhost"], "name": queue["name"], "size": size + result_size, "result": "ok"})
        except Failure as failure:
            rows.append({"vhost": queue["vhost"], "name": queue["name"], "size": size,
                         "result": f"error: {failure.text}"})
    if call.option("errors-only"):
        rows = [row for row in rows if row["result"] != "ok"]
    return Rows(("vhost", "name", "size", "result"), rows)


def check_strategy(call):
    if call.words[1] not in ("all", "even"):
        raise BadUsage(f"\"strategy '{call.words[1]}' is not recognised.\"")


@command("grow", "<node> <all | even> [--vhost-pattern <pattern>] [--queue-pattern <pattern>] [--errors-only]",
         "Adds a replica on the given node for all matching queues", "Cluster", (QUEUES,), words=(2, 2),
         switches=PATTERNS,
         check=check_strategy, banner=lambda call: f"Growing {call.words[1]} quorum queues on {call.words[0]}...",
         details=[("<all | even>", "all matching queues, or those with an even number of replicas")])
def grow(call):
    node, strategy = call.words
    found = matching(call, lambda queue: node not in (queue.get("members") or [])
                     and (strategy == "all" or len(queue.get("members") or []) % 2 == 0))
    return result_rows(call, found, node, "add", 1)


@command("shrink", "<node> [--errors-only] [--vhost-pattern <pattern>] [--queue-pattern <pattern>]",
         "Removes the replicas of all matching queues from the given node", "Cluster", (QUEUES,), words=(1, 1),
         switches=PATTERNS,
         banner=lambda call: f"Shrinking quorum queues on {call.words[0]}...",
         examples=[("shrink warren@c", "before it is taken away; forget_cluster_node does it too")])
def shrink(call):
    node = call.words[0]
    return result_rows(call, matching(call, lambda queue: node in (queue.get("members") or [])), node, "delete", -1)


@command("grow_to_count", "<node_count> [--vhost-pattern <pattern>] [--queue-pattern <pattern>] [--errors-only]",
         "Gives all matching queues so many replicas", "Cluster", (QUEUES,), words=(1, 1), switches=PATTERNS,
         banner=lambda call: f"Growing quorum queues to {call.words[0]} replicas...")
def grow_to_count(call):
    if not call.words[0].isdigit() or int(call.words[0]) < 1:
        raise BadUsage("Bad argument: the count must be a positive integer", DATA)
    nodes = [node["name"] for node in call.api.get("/api/nodes") if node.get("running", True)]
    rows = []
    for queue in matching(call):
        members = list(queue.get("members") or [])
        for node in [node for node in nodes if node not in members][:max(0, int(call.words[0]) - len(members))]:
            told = result_rows(call, [{**queue, "members": members}], node, "add", 1).rows
            if all(row["result"] == "ok" for row in told):
                members.append(node)
            rows += told
    return Rows(("vhost", "name", "size", "result"), rows)


@command("transfer_leadership", "[--vhost <vhost>] <queue> <node>", "Makes another node lead a queue", "Replication",
         (QUEUES,),
         words=(2, 2),
         details=[("<node>", "leads the whole group of the queue, until 'rebalance' spreads leaders again")],
         banner=lambda call: f"Transferring leadership of queue {call.words[0]} to node {call.words[1]}...")
def transfer_leadership(call):
    name, node = call.words
    queue = queue_of(call, name)
    if node not in (queue.get("members") or []):
        raise Failure(f"node {node} has no replica of queue '{name}'")
    if queue.get("leader") == node:
        return None
    path = path_of("queues", "quorum", call.vhost, name, "leader")
    return with_neighbours(call.api.post(path, {"node": node}), f"Queue {name} is led by {node}")


def check_position(call):
    if not call.words[1].isdigit() or int(call.words[1]) < 1:
        raise BadUsage("position value must be greater than 0", DATA)


@command("peek", "[--vhost <vhost>] <queue> <position>", "Peeks at the given position of a queue", MONITORING,
         (QUEUES,), words=(2, 2),
         check=check_position,
         banner=lambda call: f"Peeking at quorum queue {call.words[0]} at position {call.words[1]} on node "
                             f"{call.node_or_url()} ...",
         details=[("<position>",
                   "starts at 1; the messages before it are fetched and put back, and count as redelivered")])
def peek(call):
    name, position = call.words[0], int(call.words[1])
    queue_of(call, name, text=f"Target queue was not found in virtual host '{call.vhost}'")
    found = call.api.post(path_of("queues", call.vhost, name, "get"),
                          {"count": position, "ackmode": "ack_requeue_true", "encoding": "auto", "truncate": 50000})
    if len(found) < position:
        raise Failure("Target queue does not have a message at that position")
    message = found[position - 1]
    rows = [("payload", message["payload"]), ("payload_bytes", message.get("payload_bytes")),
            ("exchange", message["exchange"]),
            ("routing_key", message["routing_key"]), ("redelivered", message["redelivered"])]
    properties = message.get("properties") or {}
    rows += [(key, value) for key, value in (properties.items() if isinstance(properties, dict) else [])]
    return Rows(("keys", "values"), [{"keys": key, "values": value} for key, value in rows], pretty=True)


def nothing_to_do(name, about, banner):
    @command(name, "[--vhost <vhost>] <queue>", about, "Operations", (QUEUES, DIAGNOSTICS), words=(1, 1), banner=banner)
    def run(call):
        queue_of(call, call.words[0])
        return Message("Checkpoints are written and memory is given back by the node itself", "message")
    return run


nothing_to_do("reclaim_quorum_memory", "Nothing: a node gives memory back by itself",
              lambda call: f"Will flush Raft WAL of quorum queue {call.words[0]} ...")
nothing_to_do("force_checkpoint", "Nothing: checkpoints are written when the log has grown",
              lambda call: f"Forcing checkpoint for queue {call.words[0]} ...")


@command("check_if_new_quorum_queue_replicas_have_finished_initial_sync", "",
         "Health check that exits with a non-zero code while replicas are away or catch up for the first time",
         MONITORING, (QUEUES, DIAGNOSTICS),
         banner=lambda call: f"Checking if replicas on node {call.node_or_url()} have caught up ...")
def check_if_new_quorum_queue_replicas_have_finished_initial_sync(call):
    behind = [queue["name"] for queue in pages(call, "/api/queues")
              if call.node in (queue.get("members") or []) and call.node not in (queue.get("online") or [])]
    if behind:
        raise Failure(f"Replicas of these queues on node {call.node} have not caught up: {', '.join(behind)}")
    return Message(f"All replicas on node {call.node} have caught up", "message")
