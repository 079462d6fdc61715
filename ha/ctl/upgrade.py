"""rabbitmq-upgrade: maintenance of a node."""

from .api import path_of
from .cluster import members_of, number_of
from .commands import UPGRADE, command
from .formatters import Message
from .outcome import Failure, Refused, Unreachable
from .progress import Progress
from .replicas import rebalance
from .service import FORCE, FORCE_DETAILS, check_spare, wait_until_it_leads_nothing

SECTION = "Upgrade"
DRAIN_TIMEOUT = 300.0


@command("drain", "[--force]", "Puts the node in maintenance mode. Such nodes lead no queues, and HAProxy sends them no clients",
         SECTION, (UPGRADE,),
         default_timeout=DRAIN_TIMEOUT, switches=FORCE, details=FORCE_DETAILS,
         banner=lambda call: f"Will put node {call.node_or_url()} into maintenance mode. The node will no longer "
                             f"serve any client traffic!",
         examples=[("drain -n warren@a", "then stop it, replace what is to be replaced, start it, and revive it"),
                   ("drain -n warren@a -t 60", "exit code 75 when it still leads something after a minute")])
def drain(call):
    """What is drained is about to be stopped: where that would cost a majority it is better known now."""
    check_spare(call)
    number = number_of(call, call.node)
    call.api.post(path_of("cluster", "members", number, "drain"))
    wait_until_it_leads_nothing(call, number)


@command("revive", "",
         "Puts the node out of maintenance and into regular operating mode. Such nodes will again serve client "
         "traffic and "
         "host primary queue replicas", SECTION, (UPGRADE,),
         banner=lambda call: (f"Will put node {call.node_or_url()} back into regular operating mode. The node will "
                              f"again serve client "
                              "traffic and host primary queue replicas."))
def revive(call):
    """A node that is down is revived too: it stays drained over a restart, and starts in service then."""
    wanted = call.option("node")
    try:
        number = number_of(call, call.node)
    except Unreachable:
        if not wanted:
            raise
        call.ask_any_node()
        number = number_of(call, wanted)
    call.api.post(path_of("cluster", "members", number, "revive"))


@command("await_online_quorum_plus_one", "[--timeout <timeout>]",
         "Waits for all queues to have an above minimum online quorum. This makes "
         "sure that no queues would lose their quorum if the target node is shut down", SECTION, (UPGRADE,),
         default_timeout=120.0,
         banner=lambda call: (f"Will wait for a quorum + 1 of nodes to be online for all quorum queues for "
                              f"{int(call.timeout)} "
                              "seconds..."),
         examples=[("await_online_quorum_plus_one -t 300", "between two nodes of a rolling restart")])
def await_online_quorum_plus_one(call):
    if len(call.api.get("/api/nodes")) == 1:
        return Message("Target node seems to be the only one in a single node cluster, the command does not apply",
                       "message")

    def question():
        try:
            call.api.get("/api/health/checks/node-is-quorum-critical")
        except Refused as refused:
            if refused.status == 503:
                return False, "stopping the node would cost a majority"
            raise Failure(refused.text) from None
        return True, ""
    call.wait(question, Progress("waiting for a spare node", call.quiet))
    return None


@command("await_online_synchronized_mirror", "[--timeout <timeout>]",
         "The same as await_online_quorum_plus_one: every queue is mirrored "
         "in the same way", SECTION, (UPGRADE,), default_timeout=120.0,
         banner=lambda call: (f"Will wait for a synchronised mirror be online for all classic mirrored queues for "
                              f"{int(call.timeout)} "
                              "seconds..."))
def await_online_synchronized_mirror(call):
    return await_online_quorum_plus_one(call)


@command("post_upgrade", "", "Runs post-upgrade tasks: spreads the leaders", SECTION, (UPGRADE,),
         banner=lambda call: "Executing post upgrade tasks...\nRebalancing queue masters...")
def post_upgrade(call):
    return rebalance(call)


@command("has_reached_target_cluster_size", "",
         "Health check that exits with a non-zero code while nodes of the cluster are down",
         SECTION, (UPGRADE, "rabbitmq-diagnostics"),
         banner=lambda call: f"Checking if the cluster of node {call.node_or_url()} has all its nodes ...")
def has_reached_target_cluster_size(call):
    members = members_of(call)
    nodes = call.api.get("/api/nodes")
    down = [node["name"] for node in nodes if not node.get("running", True)]
    if down or (members is not None and len(members) > len(nodes)):
        raise Failure(f"these nodes are down: {', '.join(down)}", bare=True)
    return Message(f"All {len(nodes)} nodes of the cluster are up", "message")
