"""Taking a node out of service, and back: listeners, clients, leaders, the process. What costs a majority needs --force."""

import os
import pathlib
import time

from . import facts
from .api import path_of
from .cluster import members_of, number_of
from .commands import CTL, UPGRADE, command
from .formatters import Message
from .listing import pages
from .outcome import Failure, Refused, Unreachable
from .progress import Progress

SECTION = "Nodes"
STOP_TIMEOUT = 120.0
START_TIMEOUT = 60.0
SETTLE = 5.0            # seconds in which nodes that were just started may find each other, before a majority is missing
POLL_INTERVAL = 0.2
LOCAL = ("127.0.0.1", "::1", "localhost")       # hosts whose processes are this machine's
FORCE = {"force": bool}
FORCE_DETAILS = [("--force", "also when groups of queues lose their majority by it: they serve nobody until another node "
                             "is back")]


def wait_until_it_leads_nothing(call, number):
    """There is nobody else to lead while no other node runs."""
    def question():
        led = sum(group["leader"] == number for group in call.api.get("/api/cluster/groups"))
        return not led, f"{led} groups are led here"
    if len(facts.running_nodes(call)) > 1:
        call.wait(question, Progress("waiting for leaders to move", call.quiet))


def needs_force(call, attempt):
    """Runs attempt(force) and gives its answer. Refused with 409: tries again for a moment, then says what it takes."""
    end = time.monotonic() + SETTLE
    while True:
        try:
            return attempt(bool(call.option("force")))
        except Refused as refused:
            if refused.status != 409:
                raise
            if time.monotonic() >= end:
                raise Failure(f"Warning: {refused.text}.\nNothing was done. {way_out(call)}") from None
        time.sleep(POLL_INTERVAL)


def way_out(call):
    """What makes the node dispensable, or what it means to do without it."""
    nodes = call.api.get("/api/nodes")
    down = [node["name"] for node in nodes if not node.get("running", True)]
    if down:
        return f"Wait until {', '.join(down)} is up, or say --force"
    if len(nodes) == 2:
        return ("Two nodes are a majority only together, so this is so each time: --force accepts that queues serve nobody "
                "until both are up again; with a third node each of them could be spared")
    return ("All nodes are up: some groups have fewer than three replicas, or are just being moved (warrenctl placement "
            "show). Wait if they move, or say --force")


def check_spare(call):
    """Fails when stopping the node would cost a majority and --force is not given."""
    def attempt(force):
        try:
            call.api.get("/api/health/checks/node-is-quorum-critical")
        except Refused as refused:
            if refused.status == 503 and not force:
                refused.status = 409
                raise
    needs_force(call, attempt)


# The process

def ask_to_stop(call):
    """The process's number, after the node has said that it stops."""
    pid = str(facts.node_of(call).get("os_pid", "?"))
    needs_force(call, lambda force: call.api.post("/api/this-node/stop", {"force": force}))
    return pid


def wait_for_end(call, pid):
    """Until nobody answers any more and, where the process is on this machine, it is gone."""
    commands = pathlib.Path(f"/proc/{pid}/cmdline")
    try:
        local = call.api.host in LOCAL and "warrend" in commands.read_text(encoding="utf-8")
    except OSError:
        local = False

    def question():
        if local:
            return not _runs(commands), f"process {pid} runs"
        try:
            call.api.exchange("GET", "/health/live")
        except (Unreachable, EOFError, OSError):
            return True, ""
        return False, "it answers"
    call.wait(question, Progress("waiting for the node to stop", call.quiet))


def _runs(path):
    try:
        return path.read_text(encoding="utf-8") != ""
    except OSError:
        return False


@command("shutdown", "[--wait] [--force]",
         "Stops the node: leaders are handed over first, clients are told, everything is synced", SECTION,
         switches={"wait": bool, **FORCE}, default_timeout=STOP_TIMEOUT,
         details=[("--wait, --no-wait", "whether to wait until it has stopped; it does unless told otherwise")]
         + FORCE_DETAILS,
         examples=[("shutdown -n warren@b", "a service manager that restarts what ends has to be told by itself: "
                                            "systemctl stop warren"),
                   ("shutdown -n warren@b --no-wait", "does not wait for the end")])
def shutdown(call):
    if not call.option("wait", True):
        ask_to_stop(call)
        return None
    node, pid = call.node, str(facts.node_of(call).get("os_pid", "?"))
    say(call, f"Shutting down RabbitMQ node {node} running at PID {pid}")
    ask_to_stop(call)
    say(call, f"Waiting for PID {pid} to terminate")
    wait_for_end(call, pid)
    say(call, f"RabbitMQ node {node} running at PID {pid} successfully shut down")
    return None


def say(call, line):
    if not call.quiet:
        print(line, flush=True)


@command("stop", "[--idempotent] [--force] [<pidfile>]", "Stops the node, and with a pid file waits for its end", SECTION,
         words=(0, 1), switches={"idempotent": bool, **FORCE}, default_timeout=STOP_TIMEOUT,
         banner=lambda call: f"Stopping and halting node {call.node_or_url()} ...",
         details=[("<pidfile>", "wait until this process is gone, too"),
                  ("--idempotent", "it is no failure that the node does not run")] + FORCE_DETAILS,
         examples=[("stop -n warren@b", "as SIGTERM does, and it refuses where that would cost a majority")])
def stop(call):
    try:
        pid = ask_to_stop(call)
    except Unreachable:
        if call.option("idempotent"):
            return Message(f"Node {call.option('node') or call.api.url} is already stopped", "message")
        raise
    if call.words:
        wait_for_end(call, pid)
        call.wait(lambda: (not os.path.exists(call.words[0]), f"{call.words[0]} is there"))
    return None


# Service without ending the process

def own_connections(call):
    return [connection for connection in pages(call, "/api/connections", ("name", "node"))
            if connection["node"] == call.node]


@command("stop_app", "", "Takes the node out of service: it hears no clients, leads nothing, and its process goes on",
         SECTION, default_timeout=STOP_TIMEOUT, banner=lambda call: f"Stopping rabbit application on node "
                                                                    f"{call.node_or_url()} ...",
         examples=[("stop_app -n warren@b", "its replicas stay and count, so this costs no majority; start_app ends it")])
def stop_app(call):
    number = number_of(call, call.node)
    call.api.post("/api/this-node/listeners/suspend")
    if len(members_of(call) or []) > 1:     # the only one cannot give its leadership to anybody
        call.api.post(path_of("cluster", "members", number, "drain"))
    wait_until_it_leads_nothing(call, number)
    for connection in own_connections(call):
        try:
            call.api.delete(path_of("connections", connection["name"]), headers={"X-Reason": "node stop requested"})
        except Refused as refused:
            if refused.status != 404:
                raise


@command("start_app", "", "Puts the node back into service after stop_app", SECTION, default_timeout=START_TIMEOUT,
         banner=lambda call: f"Starting node {call.node_or_url()} ...",
         examples=[("start_app -n warren@b", "a node whose process has ended is started by its service manager")])
def start_app(call):
    call.api.post("/api/this-node/listeners/resume")
    if len(members_of(call) or []) > 1:
        call.api.post(path_of("cluster", "members", number_of(call, call.node), "revive"))
    call.wait(call.is_ready, Progress("waiting for the node", call.quiet))


@command("suspend_listeners", "", "Suspends client connection listeners so that no new client connections are accepted",
         "Operations", (CTL, UPGRADE),
         banner=lambda call: f"Will suspend client connection listeners on node {call.node_or_url()}. "
                             "The node will no longer accept client connections!",
         examples=[("suspend_listeners -n warren@b", "clients that are there stay; it ends with resume_listeners, or "
                                                     "with the process")])
def suspend_listeners(call):
    call.api.post("/api/this-node/listeners/suspend")


@command("resume_listeners", "", "Resumes client connection listeners making them accept client connections again",
         "Operations", (CTL, UPGRADE),
         banner=lambda call: f"Will resume client connection listeners on node {call.node_or_url()}. "
                             "The node will now accept client connections")
def resume_listeners(call):
    call.api.post("/api/this-node/listeners/resume")


# Beginning anew

RUNNING = ("this command requires the 'rabbit' app to be stopped on the target node. Stop it with 'rabbitmqctl "
           "stop_app'.")


def resetting(name, banner, about):
    @command(name, "", about, "Cluster", default_timeout=START_TIMEOUT,
             banner=lambda call: f"{banner} node {call.node_or_url()} ...",
             details=[("the data", "is not deleted: it is moved to DATA_DIR.aside-1, -2 and so on")],
             examples=[("stop_app; reset; start_app", "a node that is alone begins anew, as its configuration says. One of "
                        "several leaves for good instead: leave_cluster")])
    def run(call):
        try:
            call.api.post("/api/this-node/reset")
        except Refused as refused:
            raise Failure(RUNNING if "stop_app" in refused.text else refused.text) from None
        call.wait(call.is_ready, Progress("waiting for the new node", call.quiet))
    return run


resetting("reset", "Resetting", "Returns a node that is a cluster of its own to its virgin state")
resetting("force_reset", "Forcefully resetting", "The same as reset")
