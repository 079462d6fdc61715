"""Why a queue, a node or a message is where it is, and what could happen to it; where replicas are. Not in RabbitMQ's tools."""

import json

from . import facts
from .api import path_of
from .cluster import members_of
from .commands import OWN, command
from .formatters import Message, Report, Rows
from .outcome import DATA, BadUsage, Failure

SECTION = "Monitoring, observability and health checks"
KINDS = {"queue": (1, 1), "node": (0, 1), "message": (1, 2)}
# What of a queue's settings answers questions: (key of an argument, of a policy, the sentence).
SETTINGS = (
    ("x-message-ttl", "message-ttl", "messages go after {} ms"),
    ("x-expires", "expires", "the queue goes after {} ms without use"),
    ("x-max-length", "max-length", "at most {} messages wait"),
    ("x-max-length-bytes", "max-length-bytes", "at most {} bytes wait"),
    ("x-overflow", "overflow", "when it is full: {}"),
    ("x-dead-letter-exchange", "dead-letter-exchange", "what is rejected or expires goes to the exchange '{}'"),
    ("x-delivery-limit", "delivery-limit", "a message is delivered again at most {} times"),
    ("x-single-active-consumer", None, "one consumer at a time gets messages"),
    ("x-max-priority", "max-priority", "{} priorities"),
)


def check_words(call):
    kind = call.words[0]
    if kind not in KINDS:
        raise BadUsage(f"'{kind}' cannot be explained; try queue, node or message")
    least, most = KINDS[kind]
    if len(call.words) - 1 < least:
        raise BadUsage("not enough arguments.")
    if len(call.words) - 1 > most:
        raise BadUsage("too many arguments.")
    headers_of(call)


def headers_of(call):
    try:
        found = json.loads(call.option("headers", "{}"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise BadUsage("--headers takes a JSON object, as '{\"colour\":\"red\"}'", DATA)
    return found


@command("explain", "queue <queue> | node [<node>] | message <exchange> [<routing key>] [--headers <json>]",
         "Tells in sentences where something is, what becomes of it, and why it does not move", SECTION, OWN, words=(1, 3),
         switches={"headers": str}, check=check_words,
         details=[("queue <queue>", "its group and replicas, what waits and why, its limits and where they come from"),
                  ("node [<node>]", "what it leads and keeps, whether it serves, what its stop would cost"),
                  ("message <exchange> [<routing key>]", "which queues would get it; nothing is published"),
                  ("--headers <json>", "of that message, for headers exchanges")],
         examples=[("explain queue orders -p shop", "the first question when messages do not arrive"),
                   ("explain message amq.topic orders.eu.new", "did I bind what I think I bound?"),
                   ("explain node warren@b", "before maintenance")])
def explain(call):
    lines, data = {"queue": explain_queue, "node": explain_node, "message": explain_message}[call.words[0]](call)
    return Report("\n".join(lines), data)


# --- a queue ---

def explain_queue(call):
    queue = call.api.find(path_of("queues", call.vhost, call.words[1]))
    if queue is None:
        raise Failure(f"queue '{call.words[1]}' not found in vhost '{call.vhost}'", DATA)
    lines = [f"Queue '{queue['name']}' in vhost '{call.vhost}' was declared as {queue.get('type', 'classic')}"
             f"{', durable' if queue.get('durable') else ', transient'}"
             f"{', exclusive' if queue.get('exclusive') else ''}.", *where_it_is(queue), *what_waits(queue), *limits_of(queue),
             *bound_to(call, queue)]
    return lines, queue


def where_it_is(queue):
    members, online = queue.get("members") or [], queue.get("online") or []
    away = [name for name in members if name not in online]
    yield f"Its group {queue.get('group')} has replicas on {', '.join(members)}."
    if queue.get("leader"):
        yield f"{queue['leader']} leads it: publishing and consuming go there, from whatever node a client is connected to."
    else:
        yield "It has no leader: nothing can be published or consumed until a majority of these nodes is up."
    if away:
        yield f"Not up: {', '.join(away)}."
    spare = len(online) - (len(members) // 2 + 1)
    if queue.get("leader") and len(members) > 1:
        yield (f"{spare} of the nodes that are up may fail, and it still serves." if spare > 0 else
               "If one more of them fails, it serves nobody until one is back.")


def what_waits(queue):
    ready, unacked = queue.get("messages_ready", 0), queue.get("messages_unacknowledged", 0)
    consumers, active = queue.get("consumers", 0), queue.get("active_consumers", 0)
    yield f"{ready} messages are ready, {unacked} are with consumers and not acknowledged."
    if queue.get("messages_delayed"):
        yield f"{queue['messages_delayed']} wait for their next try."
    if ready and not consumers:
        yield "Nobody consumes: what is ready waits for a consumer."
    elif ready and unacked:
        yield (f"{consumers} consumers ({active} active) hold what they have not acknowledged; if ready ones do not move, "
               "they are at their prefetch, or slow.")
    elif ready:
        yield f"{consumers} consumers are there ({active} active) and hold nothing: they do not read, or a delivery is on its way."
    elif not consumers:
        yield "It is idle: no messages, no consumers." if not unacked else "basic.get has taken what is not acknowledged."


def limits_of(queue):
    arguments, policy = queue.get("arguments") or {}, queue.get("effective_policy_definition") or {}
    for argument, key, sentence in SETTINGS:
        if argument in arguments:
            yield f"By its argument {argument}: {sentence.format(arguments[argument])}."
        elif key in policy:
            names = [name for name in (queue.get("policy"), queue.get("operator_policy")) if name]
            yield f"By the policy {' and '.join(names)}: {sentence.format(policy[key])}."


def bound_to(call, queue):
    bindings = [binding for binding in call.api.get(path_of("queues", call.vhost, queue["name"], "bindings"))
                if binding["source"]]
    if not bindings:
        yield "No exchange is bound to it: it gets what is published to the default exchange with its name."
    for binding in bindings[:10]:
        yield f"It gets from exchange '{binding['source']}' what has the key '{binding['routing_key']}'."
    if len(bindings) > 10:
        yield f"... and {len(bindings) - 10} more bindings: list_bindings."


# --- a node ---

def explain_node(call):
    wanted = call.words[1] if len(call.words) > 1 else call.node
    members = {member["name"]: member for member in members_of(call) or []}
    if wanted not in members:
        raise Failure(f"'{wanted}' is not in the cluster; its nodes are {', '.join(members)}", DATA)
    member, groups = members[wanted], call.api.get("/api/cluster/groups")
    led = [group["group"] for group in groups if group["leader"] == member["id"]]
    kept = [group["group"] for group in groups if member["id"] in group["placement"]]
    data = {**member, "leads": led, "keeps": kept, "critical_for": critical_for(member, groups, members)}
    return list(sentences_of_node(call, member, data)), data


def critical_for(member, groups, members):
    """The groups that would have no majority without it."""
    up = {of["id"] for of in members.values() if of["running"]} - {member["id"]}
    return [group["group"] for group in groups
            if len(group["placement"]) > 1 and member["id"] in group["placement"]
            and len(up & set(group["placement"])) < len(group["placement"]) // 2 + 1]


def sentences_of_node(call, member, data):
    zone = f", in zone {member['zone']}" if member.get("zone") else ""
    yield f"Node {member['name']} is number {member['id']}, at {member['address']}{zone}."
    if not member["running"]:
        yield "It is down, or cannot be reached from the node that was asked."
    if member["state"] == "draining":
        yield "It is drained: it leads nothing, and load balancers send it no clients; 'revive' ends that."
    elif member["state"] == "leaving":
        yield f"It leaves: {member['replicas']} replicas have to move yet."
    led = [group for group in data["leads"] if group]
    yield (f"It keeps replicas of {len(data['keeps'])} groups, and leads {len(led)} of queues (placement wants "
           f"{member['preferred_leader_of']}){' and the meta group' if 0 in data['leads'] else ''}.")
    node = call.api.find(path_of("nodes", member["name"])) or {}
    for resource in facts.alarms_of(node):
        yield f"It is short of {resource}: publishers of the whole cluster wait."
    if data["critical_for"] and member["running"]:
        yield (f"If it stopped now, {len(data['critical_for'])} groups would serve nobody until another node is back: "
               "shutdown would refuse.")
    elif data["critical_for"]:
        yield f"{len(data['critical_for'])} groups have no majority without it."
    elif member["running"] and len(data["keeps"]):
        yield "It may stop: the others go on."


# --- a message ---

def explain_message(call):
    exchange, key = call.words[1], call.words[2] if len(call.words) > 2 else ""
    path = path_of("exchanges", call.vhost, exchange or "amq.default")
    if call.api.find(path) is None:
        raise Failure(f"exchange '{exchange}' not found in vhost '{call.vhost}'", DATA)
    found = call.api.post(f"{path}/route", {"routing_key": key, "headers": headers_of(call)})
    name = f"exchange '{exchange}'" if exchange and exchange != "amq.default" else "the default exchange"
    lines = [f"A message to {name} with the key '{key}' goes to {len(found['queues'])} queues"
             f"{':' if found['queues'] else '.'}", *(f"  {queue}" for queue in found["queues"])]
    lines += [f"The exchange '{store['exchange']}' keeps it "
              f"{'for its delay, when it has one' if store['kind'] == 'delay' else 'for queues that are bound later'}."
              for store in found["kept_by"]]
    if found["by_chance"]:
        lines.append("An exchange on the way chooses by chance: another message may go elsewhere.")
    if found["by_properties"]:
        lines.append("An exchange on the way looks at properties of a message, which were taken as empty.")
    if not found["routed"]:
        lines.append("Nobody gets it: it is dropped, or returned to a publisher that asked for that (mandatory).")
    return lines, found


# --- placement ---

@command("placement", "show | plan", "Shows where the groups of queues have their replicas, and what will change",
         "Replication", OWN, words=(1, 1), check=lambda call: check_placement(call),
         details=[("show", "a line for each group: who leads it, where its replicas are, how many queues it has"),
                  ("plan", "what the cluster does by itself next: replicas that move, leaders that go back")],
         examples=[("placement show", "are leaders spread? who has what?"),
                   ("placement plan", "after a join, a leave or a restart: is it done?")])
def placement(call):
    return show_placement(call) if call.words[0] == "show" else plan_placement(call)


def check_placement(call):
    if call.words[0] not in ("show", "plan"):
        raise BadUsage(f"'{call.words[0]}' is not known; try show or plan")


def show_placement(call):
    from .listing import pages
    names = {member["id"]: member["name"] for member in members_of(call) or []}
    queues = {}
    for queue in pages(call, "/api/queues", ("group",)):
        queues[queue.get("group")] = queues.get(queue.get("group"), 0) + 1
    rows = [{"group": group["group"], "leader": names.get(group["leader"], ""),
             "replicas": [names.get(number, str(number)) for number in group["placement"]],
             "queues": queues.get(group["group"], 0)} for group in call.api.get("/api/cluster/groups")]
    return Rows(("group", "leader", "replicas", "queues"), rows, listing=True)


def plan_placement(call):
    found = call.api.get("/api/cluster/members")
    names = {member["id"]: member["name"] for member in found["members"]}
    moves = open_moves(call, found)
    lines = [f"{moves} groups have replicas to move." if moves else "All replicas are where they belong." if moves == 0 else
             f"Only {names.get(found.get('leader'), 'the leader of the meta group')} knows which replicas have to move."]
    away = {member["id"] for member in found["members"] if not member["running"] or member["state"] != "member"}
    for group in call.api.get("/api/cluster/groups"):
        order = [group["ordered_leader"]] if group.get("ordered_leader") in group["placement"] else []
        wanted = next((number for number in order + group["placement"] if number not in away), None)
        if not group["leader"]:
            lines.append(f"Group {group['group']} has no leader.")
        elif wanted is not None and group["placement"] and group["leader"] != (order + group["placement"])[0] == wanted:
            lines.append(f"Group {group['group']}: {names.get(wanted)} will lead it again, now "
                         f"{names.get(group['leader'])} does.")
    return Message("\n".join(lines), "message")


def open_moves(call, found):
    """How many groups have replicas to move; None when nobody who knows could be asked."""
    if found.get("moves_open") is not None:
        return found["moves_open"]
    from . import target
    leader = next((member["name"] for member in found["members"] if member["id"] == found.get("leader")), None)
    if leader is None:
        return None
    try:
        return target.connect({**call.options, "url": None, "node": leader}, call.timeout).get("/api/cluster/members")["moves_open"]
    except Failure:
        return None
