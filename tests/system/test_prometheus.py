"""Metrics for Prometheus: RabbitMQ's names, on their own port, for the node, for each object, and as chosen."""

import http.client
import re

import kit
import ports

# What the official overview dashboard asks for.
DASHBOARD = """build_info identity_info erlang_uptime_seconds connections channels consumers queues connections_opened_total
connections_closed_total channels_opened_total channels_closed_total queues_declared_total queues_created_total
queues_deleted_total queue_messages_ready queue_messages_unacked queue_messages global_publishers global_consumers
global_messages_received_total global_messages_received_confirm_total global_messages_confirmed_total
global_messages_routed_total global_messages_delivered_total global_messages_delivered_consume_auto_ack_total
global_messages_delivered_consume_manual_ack_total global_messages_delivered_get_auto_ack_total
global_messages_delivered_get_manual_ack_total global_messages_get_empty_total global_messages_redelivered_total
global_messages_acknowledged_total global_messages_unroutable_dropped_total global_messages_unroutable_returned_total
message_size_bytes_bucket message_size_bytes_count message_size_bytes_sum disk_space_available_bytes
disk_space_available_limit_bytes process_open_fds process_max_fds process_resident_memory_bytes
resident_memory_limit_bytes""".split()


def scrape(node, path="/metrics", port=None):
    """(status, {name: {labels: value}}); every line must be one of the text format."""
    connection = http.client.HTTPConnection(node.host, port or node.http_port, timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    text, found = response.read().decode(), {}
    connection.close()
    for line in text.splitlines():
        if line.startswith("# ") or response.status != 200:
            continue
        match = re.fullmatch(r'([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\]|\\.)*",?)+\})? ([0-9.e+-]+)', line)
        kit.check(match, f"no line of the text format: {line}")
        found.setdefault(match[1], {})[match[2] or ""] = float(match[3])
    return response.status, found


def test_metrics():
    """The node's figures are there under the names of the official dashboard, and count what clients do"""
    port = ports.free_base_port()
    with kit.cluster(nodes=1, settings={"prometheus.tcp.port": port, "prometheus.tcp.ip": "127.0.0.1"}) as cluster, \
            kit.connected(cluster.nodes[0], name="counted") as connection:
        node = cluster.nodes[0]
        kit.declare(connection, "q")
        kit.publish(connection, "q", [b"x" * 50, b"y" * 5000])
        kit.consume(connection, "q", 2)
        kit.publish(connection, "q", [b"z"])
        kit.get(connection, "q")
        kit.get(connection, "q")
        connection.publish(1, "", "nobody", b"lost")
        kit.declare(connection, "deep")
        kit.publish(connection, "deep", kit.numbered(5))

        status, found = scrape(node, port=port)
        missing = [name for name in DASHBOARD if "rabbitmq_" + name not in found]
        kit.check_equal((status, missing), (200, []), "what the dashboard misses")

        def value(name):
            return sum(found["rabbitmq_" + name].values())

        for name, wanted in {"connections": 1, "channels": 1, "queues": 2, "queue_messages_ready": 5, "queues_created_total": 2,
                             "global_messages_received_total": 9, "global_messages_confirmed_total": 9,
                             "global_messages_routed_total": 8, "global_messages_unroutable_dropped_total": 1,
                             "global_messages_delivered_consume_manual_ack_total": 2, "global_messages_acknowledged_total": 2,
                             "global_messages_delivered_get_auto_ack_total": 1, "global_messages_get_empty_total": 1,
                             "global_messages_delivered_total": 3, "global_publishers": 1,
                             "message_size_bytes_count": 9}.items():
            kit.wait_for(f"{name} = {wanted}", lambda name=name, wanted=wanted: (
                found.clear(), found.update(scrape(node, port=port)[1]), value(name) == wanted)[2])
        buckets = found["rabbitmq_message_size_bytes_bucket"]
        kit.check_equal([buckets[f'{{protocol="amqp091",le="{top}"}}'] for top in ("100.0", "1000.0", "10000.0", "+Inf")],
                        [8, 8, 9, 9], "sizes")

        status, each = scrape(node, "/metrics/per-object", port)
        kit.check_equal(each["rabbitmq_queue_messages_ready"]['{vhost="/",queue="deep"}'], 5, "of one queue")
        kit.check_equal(len(each["rabbitmq_connection_channels"]), 1, "of one connection")
        kit.check_equal(list(each["rabbitmq_channel_messages_published_total"].values()), [9], "of one channel")
        status, chosen = scrape(node, "/metrics/detailed?family=queue_coarse_metrics&family=exchange_names&queue=deep", port)
        kit.check_equal(chosen["rabbitmq_detailed_queue_messages"], {'{vhost="/",queue="deep"}': 5}, "detailed")
        kit.check(len(chosen["rabbitmq_cluster_exchange_name"]) >= 7, "exchange names")
        kit.check("rabbitmq_detailed_connection_channels" not in chosen, "a family that was not asked for")
        kit.check_equal(set(scrape(node, "/metrics/detailed", port)[1]), {"rabbitmq_identity_info", "rabbitmq_build_info"}, "none")
        kit.check_equal(scrape(node, "/api/overview", port)[0], 404, "the API on the port of metrics")
        kit.check_equal(scrape(node)[0], 401, "metrics on the management port without credentials")
