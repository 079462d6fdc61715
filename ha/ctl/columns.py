"""The columns of listings: which there are, and where the management API has their values."""

from .values import Arguments, Atom, Term, pid_of


def field(name=None, kind=None):
    """A column that is a field of the API's object, under another name if need be."""
    def value(row, column):
        found = row.get(name or column)
        if found in (None, "", "undefined"):
            return "" if name == "" else None
        return kind(found) if kind else found
    return value


def nodes(*names):
    def value(row, _):
        found = next((row[name] for name in names if row.get(name)), None)
        return [Atom(node) for node in found] if found else None
    return value


def queue_pid(row, _):
    node = row.get("leader") or row.get("node")
    return pid_of(node, f"{row['vhost']}/{row['name']}") if node else None


def owner_pid(row, _):
    owner = row.get("owner_pid_details") or {}
    return connection_pid(owner) if owner.get("name") else None


def replica_pids(*names):
    replicas = nodes(*names)

    def value(row, column):
        found = replicas(row, column)
        return [pid_of(node, f"{row['vhost']}/{row['name']}") for node in found] if found else None
    return value


def connection_pid(row, _=None):
    return pid_of(row.get("node", "node"), row["name"])


def channel_pid(row, _=None):
    details = row.get("connection_details") or {}
    node = row.get("node") or details.get("node", "node")
    name = row["name"]
    return pid_of(node, details.get("name") or name.rpartition(" (")[0], row.get("number", name))


def channel_connection(row, _):
    details = row.get("connection_details") or {}
    return pid_of(row.get("node", "node"), details.get("name") or row["name"].rpartition(" (")[0])


def consumer_channel(row, _):
    return channel_pid(row.get("channel_details") or {"name": ""})


def protocol(row, _):
    """AMQP 0-9-1 is a triple to RabbitMQ's tools."""
    words = (row.get("protocol") or "").replace("AMQP ", "").replace(".", "-").split("-")
    return Term("{" + ",".join(words) + "}") if len(words) == 3 and all(map(str.isdigit,
                                                                            words)) else row.get("protocol")


def exclusive(row, _):
    return bool(row.get("exclusive") or (row.get("owner_pid_details") or {}).get("name"))


_same = field()


def _arguments_or_none(row, _):
    return Arguments(row.get("arguments") or {})


def _binding_end(name):
    return lambda row, _: row.get(name) or ""


QUEUE = {
    "name": _same, "durable": _same, "auto_delete": _same, "arguments": _arguments_or_none, "policy": field(),
    "operator_policy": field(), "effective_policy_definition": lambda row, _: Arguments(
        row.get("effective_policy_definition") or {}),
    "pid": queue_pid, "owner_pid": owner_pid, "exclusive": exclusive, "exclusive_consumer_pid": lambda row, _: None,
    "exclusive_consumer_tag": field(), "messages_ready": _same, "messages_unacknowledged": _same, "messages": _same,
    "messages_ready_ram": _same, "messages_unacknowledged_ram": _same, "messages_ram": _same,
"messages_persistent": _same,
    "message_bytes": _same, "message_bytes_ready": _same, "message_bytes_unacknowledged": _same,
"message_bytes_ram": _same,
    "message_bytes_persistent": _same, "head_message_timestamp": _same, "disk_reads": _same, "disk_writes": _same,
    "consumers": _same, "consumer_utilisation": _same, "consumer_capacity": _same, "memory": _same,
    "slave_pids": replica_pids("slave_nodes"), "synchronised_slave_pids": replica_pids("synchronised_slave_nodes"),
    "state": field("state", Atom), "type": field("type", Atom), "leader": field("leader", Atom),
"members": nodes("members"),
    "online": nodes("online"), "single_active_consumer_tag": field(), "single_active_consumer_pid": lambda row, _: None,
    "messages_dlx": field(), "delivery_limit": field(), "vhost": _same, "node": field("node", Atom),
    "idle_since": field(),
}
EXCHANGE = {
    "name": field(""), "type": field("type", Atom), "durable": _same, "auto_delete": _same, "internal": _same,
    "arguments": _arguments_or_none, "policy": field(), "vhost": _same,
}
BINDING = {
    "source_name": _binding_end("source"), "source_kind": lambda row, _: Atom("exchange"),
    "destination_name": _binding_end("destination"), "destination_kind": field("destination_type", Atom),
    "routing_key": _binding_end("routing_key"), "arguments": _arguments_or_none,
}
CONNECTION = {
    "pid": connection_pid, "name": _same, "port": _same, "host": _same, "peer_port": _same, "peer_host": _same,
"ssl": _same,
    "ssl_protocol": field(), "ssl_key_exchange": field(), "ssl_cipher": field(), "ssl_hash": field(),
    "peer_cert_subject": field(), "peer_cert_issuer": field(), "peer_cert_validity": field(),
"state": field("state", Atom),
    "channels": _same, "protocol": protocol, "auth_mechanism": _same, "user": _same, "vhost": _same, "timeout": _same,
    "frame_max": _same, "channel_max": _same, "client_properties": field("client_properties", Arguments),
"connected_at": _same,
    "recv_oct": _same, "recv_cnt": _same, "send_oct": _same, "send_cnt": _same, "send_pend": _same,
    "user_provided_name": field(), "node": field("node", Atom),
}
CHANNEL = {
    "pid": channel_pid, "connection": channel_connection, "name": _same, "number": _same, "user": _same, "vhost": _same,
    "transactional": _same, "confirm": _same, "consumer_count": _same, "messages_unacknowledged": _same,
    "messages_uncommitted": _same, "acks_uncommitted": _same, "messages_unconfirmed": _same, "prefetch_count": _same,
    "global_prefetch_count": _same, "state": field("state", Atom), "node": field("node", Atom),
}
CONSUMER = {
    "queue_name": lambda row, _: (row.get("queue") or {}).get("name", ""), "channel_pid": consumer_channel,
    "consumer_tag": _same, "ack_required": _same, "prefetch_count": _same, "active": _same,
    "activity_status": field("activity_status", Atom), "arguments": _arguments_or_none, "exclusive": _same,
}


def row_of(table, columns, found):
    return {column: table[column](found, column) for column in columns}
