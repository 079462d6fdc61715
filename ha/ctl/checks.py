"""Health checks: each ends with an exit code other than 0 when something is wrong."""

import socket

from . import facts
from .api import path_of
from .commands import DIAGNOSTICS, QUEUES, command
from .formatters import Message, Report
from .outcome import Failure, Refused, Unreachable

SECTION = "Monitoring, observability and health checks"
CONNECT_TIMEOUT = 5.0


def check(name, usage, about, banner, tools=(DIAGNOSTICS,), **more):
    return command(name, usage, about, SECTION, tools, banner=banner, **more)


def health(call, path, missing_ok=False):
    """(True, {}) when a check of the API is passed, else (False, its answer)."""
    try:
        call.api.get(path)
        return True, {}
    except Refused as refused:
        if refused.status == 503:
            import json
            return False, json.loads(call.api.exchange("GET", path)[1] or b"{}")
        if missing_ok and refused.status == 404:
            return True, {}
        raise


def running(call):
    """(True, sentence), (False, sentence): does the node serve?"""
    ready, why = call.is_ready()
    node = call.node_or_url()
    if ready:
        return True, f"RabbitMQ on node {node} is fully booted and running"
    return False, f"RabbitMQ on node {node} is not running or has not fully booted yet (check with is_booting): {why}"


@check("check_running", "", "Health check that exits with a non-zero code if the node does not serve clients",
       lambda call: f"Checking if RabbitMQ is running on node {call.node_or_url()} ...")
def check_running(call):
    call.api.exchange("GET", "/health/live")
    good, text = running(call)
    if not good:
        raise Failure(text, bare=True)
    return Message(text, "message")


@check("is_running", "", "Checks if the node serves clients; the exit code is 0 either way",
       lambda call: f"Asking node {call.node_or_url()} for its status ...")
def is_running(call):
    call.api.exchange("GET", "/health/live")
    good, text = running(call)
    return Report(text, {"message": text, "result": good})


@check("is_booting", "", "Checks if the node is up and does not serve clients yet",
       lambda call: f"Asking node {call.node_or_url()} for its boot status ...")
def is_booting(call):
    call.api.exchange("GET", "/health/live")
    booting = not running(call)[0]
    node = call.node_or_url()
    text = (f"RabbitMQ on node {node} is booting" if booting else
            f"RabbitMQ on node {node} is fully booted (check with is_running), stopped or has not started booting yet")
    return Report(text, {"message": text, "result": booting})


@command("node_health_check", "[--timeout <timeout>]", "DEPRECATED. Checks that the node serves, and its alarms. "
         "See check_running and check_local_alarms", "Deprecated", ("rabbitmqctl", DIAGNOSTICS), default_timeout=70.0,
         banner=lambda call: ("This command is DEPRECATED and will be removed in a future version.\nUse check_running, "
                              "check_local_alarms and check_port_connectivity instead.\n"
                              f"Timeout: {int(call.timeout)} seconds ...\nChecking health of node "
                              f"{call.node_or_url()} ..."))
def node_health_check(call):
    good, text = running(call)
    alarms = facts.alarms_of(facts.node_of(call)) if good else []
    if not good or alarms:
        raise Failure(f"Health check failed: "
                      f"{text if not good else 'resource alarm(s) in effect: ' + ', '.join(alarms)}", 70)
    return Message("Health check passed", "message")


# Alarms

def alarm_list(call, local):
    nodes = [facts.node_of(call)] if local else facts.running_nodes(call)
    return [{"node": node["name"], "resource": resource} for node in nodes for resource in facts.alarms_of(node)]


def alarm_lines(alarms):
    return "\n".join(f"{alarm['resource'].capitalize()} alarm on node {alarm['node']}" for alarm in alarms)


def alarm_check(call, local, words):
    found = alarm_list(call, local)
    data = {"alarms": found, "local" if local else "global": found, "node": call.node, "result": "error" if found
            else "ok"}
    if found:
        raise Failure(f"Alarms on node {call.node}:\n{alarm_lines(found)}", bare=True, data=data)
    return Report(f"Node {call.node} reported no {words}", {"alarms": [], "node": call.node, "result": "ok"})


@check("check_alarms", "",
       "Health check that exits with a non-zero code if the target node reports any alarms, local or cluster-wide",
       lambda call: f"Asking node {call.node_or_url()} to report any local resource alarms ...")
def check_alarms(call):
    return alarm_check(call, False, "alarms, local or clusterwide")


@check("check_local_alarms", "",
       "Health check that exits with a non-zero code if the target node reports any local alarms",
       lambda call: f"Asking node {call.node_or_url()} to report any local resource alarms ...")
def check_local_alarms(call):
    return alarm_check(call, True, "local alarms")


@check("alarms", "", "Lists resource alarms (local or cluster-wide) in effect on the target node",
       lambda call: f"Asking node {call.node_or_url()} to report any known resource alarms ...")
def alarms(call):
    found = alarm_list(call, False)
    text = alarm_lines(found) or f"Node {call.node} reported no alarms, local or clusterwide"
    return Report(text, {"alarms": found, "node": call.node, "result": "ok"})


# Listeners

@check("listeners", "", "Lists active connection listeners (bound interface, port, protocol) on the target node",
       lambda call: f"Asking node {call.node_or_url()} to report its protocol listeners ...")
def listeners(call):
    found = facts.listeners_of(call, call.node)
    return Report("\n".join(map(facts.listener_line, found)), {"listeners": found, "node": call.node, "result": "ok"})


def address_of(listener, host):
    interface = listener["interface"].strip("[]")
    return host if interface in ("", "0.0.0.0", "::", "*") else interface


@check("check_port_connectivity", "[--address <address>]",
       "Basic TCP connectivity health check for each listener's port on the target node",
       lambda call: f"Testing TCP connections to all active listeners on node {call.node_or_url()} ...",
       switches={"address": str})
def check_port_connectivity(call):
    found = sorted(facts.listeners_of(call, call.node), key=lambda listener: listener["port"])
    failed = []
    for listener in found:
        try:
            host = call.option("address") or address_of(listener, call.api.host)
            socket.create_connection((host, listener["port"]), timeout=CONNECT_TIMEOUT).close()
        except OSError:
            failed.append(listener)
    if failed:
        lines = "\n".join(map(facts.listener_line, failed))
        raise Failure(f"Connection to ports of the following listeners on node {call.node} failed: \n{lines}",
                      bare=True,
                      data={"failures": failed, "node": call.node, "result": "error"})
    ports = ", ".join(str(listener["port"]) for listener in found)
    return Report(f"Successfully connected to ports {ports} on node {call.node}.",
                  {"listeners": found, "node": call.node, "result": "ok"})


@check("check_port_listener", "<port>",
       "Health check that exits with a non-zero code if target node does not have an active listener "
       "for given port",
       lambda call: f"Asking node {call.node_or_url()} if there's an active listener on port {call.words[0]} ...",
       words=(1, 1))
def check_port_listener(call):
    found, port = facts.listeners_of(call, call.node), call.words[0]
    if port in [str(listener["port"]) for listener in found]:
        return Report(f"A listener for port {port} is running on node {call.node}.",
                      {"node": call.node, "port": port, "result": "ok"})
    ports = sorted(listener["port"] for listener in found)
    raise Failure(f"No listener for port {port} is active on node {call.node}. Found listeners that use the following "
                  f"ports: "
                  f"{', '.join(map(str, ports))}", bare=True,
                  data={"listeners": found, "missing": port, "ports": ports, "result": "error"})


@check("check_protocol_listener", "<protocol>",
       "Health check that exits with a non-zero code if target node does not have an active "
       "listener for given protocol",
       lambda call: (f"Asking node {call.node_or_url()} if there's an active listener for protocol "
                                                   f"{call.words[0]} ..."), words=(1, 1))
def check_protocol_listener(call):
    wanted = facts.PROTOCOL_NAMES.get(call.words[0].lower(), call.words[0].lower())
    there = sorted({listener["protocol"] for listener in facts.listeners_of(call, call.node)})
    if wanted in there:
        return Report(f"A listener for protocol {wanted} is running on node {call.node}.",
                      {"node": call.node, "protocol": wanted, "result": "ok"})
    raise Failure(f"No listener for protocol {call.words[0]} is active on node {call.node}. Found listeners for the "
                  f"following "
                  f"protocols: {', '.join(there)}",
                  data={"missing": call.words[0], "protocols": there, "result": "error"})


# What the node checks itself

@check("check_virtual_hosts", "", "Health check that checks if all vhosts are running in the target node",
       lambda call: f"Checking if all vhosts are running on node {call.node_or_url()} ...")
def check_virtual_hosts(call):
    good, answer = health(call, "/api/health/checks/virtual-hosts")
    if not good:
        raise Failure(f"Some virtual hosts on node {call.node} are down: {answer.get('reason')}", bare=True)
    return Report(f"Node {call.node} reported all vhosts as running", {"result": "ok"})


@check("check_certificate_expiration", "[--within <period>] [--unit <unit>]",
       "Checks the expiration date on the certificates for every listener configured to use TLS",
       lambda call: f"Checking certificate expiration on node {call.node_or_url()} ...",
       switches={"within": int, "unit": str},
       details=[("<period>", "period of time to check. Default is four (weeks)"),
                ("<unit>", "days, weeks, months or years. Default is weeks")])
def check_certificate_expiration(call):
    within, unit = call.option("within", 4), call.option("unit", "weeks")
    good, answer = health(call, path_of("health", "checks", "certificate-expiration", within, unit))
    if not good:
        raise Failure(f"Certificates on node {call.node} expire within {within} {unit}: {answer.get('reason', answer)}",
                      bare=True)
    return Message(f"No certificates are expiring within {within} {unit}.", "message")


def critical(name, path, about, banner, good_text, tools=(DIAGNOSTICS, QUEUES)):
    @check(name, "", about, banner, tools)
    def run(call):
        nodes = call.api.get("/api/nodes")
        if len(nodes) == 1:
            return Message(f"Node {call.node} seems to be the only one in a single node cluster, the check does not "
                           f"apply", "message")
        good, answer = health(call, path)
        if not good:
            queues = [queue.get("readable_name") or queue.get("name") for queue in answer.get("queues", [])]
            raise Failure("\n".join([f"Error:\n{answer.get('reason', 'the node is critical')}", *map(str, queues)]),
                          bare=True)
        return Message(good_text.format(node=call.node), "message")
    return run


critical("check_if_node_is_quorum_critical", "/api/health/checks/node-is-quorum-critical",
         "Health check that exits with a non-zero code if there are queues with minimum online quorum (queues that "
         "would lose their "
         "quorum if the target node is shut down)",
         lambda call: f"Checking if node {call.node_or_url()} is critical for quorum of any quorum queues ...",
         "Node {node} reported no quorum queues with minimum quorum")
critical("check_if_node_is_mirror_sync_critical", "/api/health/checks/node-is-mirror-sync-critical",
         "Health check that exits with a non-zero code if there are queues without online synchronised mirrors",
         lambda call: f"Checking if node {call.node_or_url()} is critical for data safety of any classic mirrored "
                      f"queues ...",
         "Node {node} reported no classic mirrored queues without online synchronised mirrors")


@check("check_for_quorum_queues_without_an_elected_leader", "[--vhost <vhost>] [--across-all-vhosts] [<pattern>]",
       "Checks for queues that have no leader now",
       lambda call: (f"Checking for queues without an elected leader in "
                     f"{'all virtual hosts' if call.option('across-all-vhosts') else f'virtual host {call.vhost!r}'}"),
       words=(0, 1), switches={"across-all-vhosts": bool})
def check_for_quorum_queues_without_an_elected_leader(call):
    import re
    from .listing import pages
    path = "/api/queues" if call.option("across-all-vhosts") else path_of("queues", call.vhost)
    pattern = call.words[0] if call.words else ""
    leaderless = [queue["name"] for queue in pages(call, path)
                  if re.search(pattern, queue["name"]) and not (queue.get("leader") or queue.get("node"))]
    if leaderless:
        raise Failure(f"Queues without an elected leader: {', '.join(leaderless)}",
                      data={"result": "error", "queues": leaderless, "vhost": call.vhost})
    return Message(f"Node {call.node} reported all queues as having responsive leader replicas", "message")


def metadata_store(name, with_data):
    words = " and has data" if with_data else ""

    @check(name, "", f"Health check that exits with a non-zero code unless the metadata store is initialized{words}",
           lambda call: f"Checking if metadata store on node {call.node_or_url()} has been initialized{words} ...")
    def run(call):
        """The meta group is the metadata store: initialized when it has a leader and its first entry is applied."""
        good, why = call.is_ready()
        if not good:
            raise Failure(f"Metadata store on node {call.node_or_url()} reports to not have finished initialization: "
                          f"{why}", bare=True)
        if with_data and not call.api.get("/api/vhosts"):
            raise Failure(f"Metadata store on node {call.node} has no data", bare=True)
        return Message(f"Metadata store on node {call.node} has completed its initialization", "message")
    return run


metadata_store("check_if_metadata_store_is_initialized", False)
metadata_store("check_if_metadata_store_is_initialized_with_data", True)


@check("check_if_node_is_in_service", "",
       "Health check that exits with a non-zero code while the node is being drained",
       lambda call: f"Checking if node {call.node_or_url()} is in service ...")
def check_if_node_is_in_service(call):
    try:
        drained = facts.node_of(call).get("being_drained")
    except Unreachable:
        drained = True
    if drained:
        raise Failure(f"Node {call.node_or_url()} is under maintenance", bare=True)
    return Message(f"Node {call.node} is in service", "message")
