"""What the API tells of nodes and the cluster, in the shape that several commands show."""

from .api import path_of
from .outcome import Failure, Refused

PURPOSES = {"amqp": "AMQP 0-9-1", "amqp/ssl": "AMQP 0-9-1 over TLS", "http": "HTTP API", "https": "HTTP API over TLS",
            "clustering": "inter-node communication", "http/prometheus": "Prometheus exporter API over HTTP"}
PROTOCOL_NAMES = {"amqp091": "amqp", "amqp0.9.1": "amqp", "amqp0-9-1": "amqp", "amqps": "amqp/ssl",
                  "management": "http",
                  "prometheus": "http/prometheus"}


def node_of(call, name=None):
    """The facts of a node; a Failure when it is not in the cluster."""
    name = name or call.node
    found = call.api.find(path_of("nodes", name))
    if found is None:
        raise Failure(f"node '{name}' is not in the cluster")
    return found


def running_nodes(call):
    return [node for node in call.api.get("/api/nodes") if node.get("running", True)]


def interface_of(listener):
    address = str(listener.get("ip_address") or "")
    return f"[{address}]" if ":" in address else address


def listeners_of(call, node=None):
    """The listeners of one node, or of all of them, as RabbitMQ's tools show them."""
    return [{"interface": interface_of(listener), "node": listener["node"], "port": int(listener["port"]),
             "protocol": listener["protocol"], "purpose": PURPOSES.get(listener["protocol"], listener["protocol"])}
            for listener in call.api.get("/api/overview").get("listeners", [])
            if node is None or listener["node"] == node]


def listener_line(listener):
    return (f"Interface: {listener['interface']}, port: {listener['port']}, protocol: {listener['protocol']}, "
            f"purpose: {listener['purpose']}")


def alarms_of(node):
    """The resources that a node has run out of."""
    return [resource for resource, key in (("memory", "mem_alarm"), ("disk", "disk_free_alarm")) if node.get(key)]


def feature_flags(call):
    try:
        return call.api.get("/api/feature-flags")
    except Refused:
        return []


def plugins_of(node):
    return list(node.get("enabled_plugins") or [])


def maintenance_of(node, state=None):
    return "marked for maintenance" if node.get("being_drained") or state == "draining" else "not under maintenance"


# RabbitMQ's names of what the node's own figures tell apart.
MEMORY_PARTS = {"rabbitmq_memory_quorum_queue_erlang_process_bytes": "quorum_queue_procs",
                "rabbitmq_memory_binary_heap_bytes": "binary", "rabbitmq_memory_other_system_bytes": "other_system",
                "rabbitmq_memory_rss_bytes": "total"}


def memory_of(call, name):
    """What a node's memory is used for: queues, their contents, the rest."""
    memory = (call.api.get(path_of("nodes", name, "memory")) or {}).get("memory") or {}
    status, body = call.api.exchange("GET", "/metrics/memory-breakdown")
    parts = {}
    for line in body.decode().splitlines() if status == 200 else []:
        part = MEMORY_PARTS.get(line.partition(" ")[0].partition("{")[0])
        if part:
            parts[part] = int(float(line.rpartition(" ")[2]))
    if not parts:
        return memory
    rss = parts.pop("total", 0)
    return {"strategy": "rss", "total": {"erlang": 0, "rss": rss, "allocated": rss}, **parts}


def memory_rows(memory, total):
    """[(kind, bytes, percent)], the largest first."""
    parts = [(kind, size) for kind, size in memory.items() if isinstance(size, int) and kind != "total"]
    return [(kind, size, round(100 * size / total, 2) if total else 0.0) for kind,
            size in sorted(parts, key=lambda part: -part[1])]


def total_memory(node, memory):
    total = memory.get("total")
    if isinstance(total, dict):
        total = total.get(memory.get("strategy")) or total.get("rss")
    return total or node.get("mem_used") or 0


UNITS = {"bytes": 1, "mb": 1000 ** 2, "gb": 1000 ** 3}


def in_unit(size, unit):
    return f"{size} bytes" if unit == "bytes" else f"{round(size / UNITS[unit], 4)} {unit}"
