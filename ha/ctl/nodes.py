"""Nodes: are they up, what do they look like."""

from . import facts
from .commands import CTL, DIAGNOSTICS, command
from .formatters import Message, Report, bright
from .outcome import DATA, BadUsage, Failure, Unreachable
from .progress import Progress

SECTION = "Nodes"
MONITORING = "Monitoring, observability and health checks"
BOTH = (CTL, DIAGNOSTICS)
AWAIT_TIMEOUT = 300.0


@command("await_startup", "[--timeout <timeout>]", "Waits for the node to serve clients", SECTION,
         default_timeout=AWAIT_TIMEOUT,
         examples=[("await_startup -n warren@a -t 60",
                    "until the node has a leader for every group; exit code 75 after a minute")])
def await_startup(call):
    call.wait(call.is_ready, Progress("waiting for the node", call.quiet))


@command("await_online_nodes", "<count> [--timeout <timeout>]", "Waits for <count> nodes to join the cluster",
         "Cluster",
         words=(1, 1), default_timeout=AWAIT_TIMEOUT, check=lambda call: count_of(call),
         banner=lambda call: f"Will wait for at least {call.words[0]} nodes to join the cluster of "
                             f"{call.node_or_url()}. "
                             f"Timeout: {int(call.timeout)} seconds.",
         examples=[("await_online_nodes 3 -t 120", "for scripts that start all nodes at once")])
def await_online_nodes(call):
    def question():
        online = len(facts.running_nodes(call))
        return online >= count_of(call), f"{online} of {count_of(call)} nodes are up"
    call.wait(question, Progress("waiting for nodes", call.quiet))


def count_of(call):
    if not call.words[0].isdigit() or int(call.words[0]) < 1:
        raise BadUsage("Bad argument: the count must be a positive integer", DATA)
    return int(call.words[0])


@command("wait", "[<pidfile>] [--pid|-P <pid>] [--timeout <timeout>]",
         "Waits for the node to serve; the process is not looked at. "
         "See also 'rabbitmqctl await_startup'", SECTION, BOTH, words=(0, 1), switches={"pid": int},
         letters={"P": "pid"},
         default_timeout=AWAIT_TIMEOUT,
         banner=lambda call: f"Waiting for node '{call.option('node') or call.api.url}' to serve")
def wait(call):
    if not call.words and call.option("pid") is None:
        raise BadUsage("not enough arguments.")
    if call.words:
        call.wait(lambda: pid_file_is_there(call.words[0]))
    call.wait(call.is_ready, Progress("waiting for the node", call.quiet))
    return Message(f"Node '{call.node}' is running", "message")


def pid_file_is_there(path):
    import os
    return os.path.exists(path), f"{path} is not there yet"


@command("ping", "[--timeout <timeout>]", "Checks that the node's process is up and that this tool can talk to it",
         MONITORING, BOTH,
         banner=lambda call: (f"Will ping {call.option('node') or call.api.url}. This only checks that the process "
                              f"answers. "
                              f"Timeout: {int(call.timeout * 1000)} ms."))
def ping(call):
    try:
        status, _ = call.api.exchange("GET", "/health/live")
        if status in (404, 405):
            call.api.get("/api/overview")
    except Unreachable as error:
        raise Failure(f"Failed to connect to {error.url} in {int(call.timeout * 1000)} ms: {error.why}") from None
    return Message("Ping succeeded", "message", wrapped=False)


def status_data(call):
    node = facts.node_of(call)
    overview = call.api.get("/api/overview")
    memory = facts.memory_of(call, call.node)
    totals = overview.get("object_totals", {})
    return {"active_plugins": facts.plugins_of(node), "alarms": facts.alarms_of(node),
            "config_files": node.get("config_files") or [], "data_directory": node.get("db_dir") or "",
            "disk_free": node.get("disk_free"), "disk_free_limit": node.get("disk_free_limit"),
            "erlang_version": overview.get("erlang_full_version", ""),
            "file_descriptors": {"total_used": node.get("fd_used", 0), "total_limit": node.get("fd_total", 0),
                                 "sockets_used": node.get("sockets_used", 0),
                                 "sockets_limit": node.get("sockets_total", 0)},
            "is_under_maintenance": bool(node.get("being_drained")), "listeners": facts.listeners_of(call, call.node),
            "log_files": node.get("log_files") or [], "memory": memory, "net_ticktime": node.get("net_ticktime", 0),
            "os": "Linux", "pid": int(node.get("os_pid") or 0),
            "processes": {"limit": node.get("proc_total", 0), "used": node.get("proc_used", 0)},
            "product_name": overview.get("product_name", ""), "product_version": overview.get("product_version", ""),
            "rabbitmq_version": overview.get("rabbitmq_version", ""), "raft_data_directory": node.get("db_dir") or "",
            "release_series_support_status": overview.get("release_series_support_status", "supported"),
            "run_queue": node.get("run_queue", 0),
            "totals": {"virtual_host_count": len(call.api.get("/api/vhosts")),
                       "connection_count": totals.get("connections", 0), "queue_count": totals.get("queues", 0)},
            "uptime": node.get("uptime", 0) // 1000,
            "vm_memory_calculation_strategy": node.get("mem_calculation_strategy", "rss"),
            "vm_memory_high_watermark_limit": node.get("mem_limit"), "mem_used": node.get("mem_used", 0)}


@command("status", "[--unit <bytes | mb | gb>] [--timeout <timeout>]", "Displays status of a node", MONITORING, BOTH,
         switches={"unit": str}, check=lambda call: unit_of(call),
         banner=lambda call: f"Status of node {call.node_or_url()} ...",
         examples=[("status -n warren@a", "memory, disk, listeners, alarms of one node"),
                   ("status --formatter json", "for programs")])
def status(call):
    data = status_data(call)
    return Report(status_text(call, data), data)


def unit_of(call):
    unit = str(call.option("unit", "gb")).lower()
    if unit not in facts.UNITS:
        raise BadUsage(f"unit '{unit}' is not supported. Please use one of: bytes, mb, gb")
    return unit


def status_text(call, data):
    unit, files = unit_of(call), data["file_descriptors"]
    total = facts.total_memory({"mem_used": data["mem_used"]}, data["memory"])
    sections = [
        ("Runtime", [f"OS PID: {data['pid']}", f"OS: {data['os']}", f"Uptime (seconds): {data['uptime']}",
                     f"Is under maintenance?: {'true' if data['is_under_maintenance'] else 'false'}",
                     f"RabbitMQ version: {data['rabbitmq_version']}", f"Node name: {call.node}",
                     f"Product: {data['product_name']} {data['product_version']}"]),
        ("Plugins", ["Enabled plugins:", ""] + [f" * {name}" for name in data["active_plugins"]]),
        ("Data directory", [f"Node data directory: {data['data_directory']}",
                            f"Raft data directory: {data['raft_data_directory']}"]),
        ("Config files", starred(data["config_files"])), ("Log file(s)", starred(data["log_files"])),
        ("Alarms", [f"{resource.capitalize()} alarm on node {call.node}" for resource in data["alarms"]] or ["(none)"]),
        ("Memory", [f"Total memory used: {facts.in_unit(total, unit)}",
                    f"Calculation strategy: {data['vm_memory_calculation_strategy']}",
                    f"Memory high watermark, computed to: "
                    f"{facts.in_unit(data['vm_memory_high_watermark_limit'] or 0, unit)}", ""]
         + [f"{kind}: {facts.in_unit(size, unit)} ({percent} %)"
            for kind, size, percent in facts.memory_rows(data["memory"], total)]),
        ("File Descriptors", [f"Total: {files['total_used']}, limit: {files['total_limit']}",
                              f"Sockets: {files['sockets_used']}, limit: {files['sockets_limit']}"]),
        ("Free Disk Space", [f"Low free disk space watermark: {facts.in_unit(data['disk_free_limit'] or 0, unit)}",
                             f"Free disk space: {facts.in_unit(data['disk_free'] or 0, unit)}"]),
        ("Totals", [f"Connection count: {data['totals']['connection_count']}",
                    f"Queue count: {data['totals']['queue_count']}",
                    f"Virtual host count: {data['totals']['virtual_host_count']}"]),
        ("Listeners", [facts.listener_line(listener) for listener in data["listeners"]])]
    return in_sections(sections)


def starred(lines):
    return [f" * {line}" for line in lines] or ["(none)"]


def in_sections(sections):
    return "\n\n".join("\n".join([bright(title), "", *lines]) for title, lines in sections)
