"""Metrics for Prometheus: RabbitMQ's names, on their own port, for the node, for each object, and as chosen."""

import base64
import gzip
import http.client
import re
import time

import amqp
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


def fetch(node, path, port=None, **headers):
    """(status, headers, body)"""
    connection = http.client.HTTPConnection(node.host, port or node.http_port, timeout=60)
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, response.headers, body


def scrape(node, path="/metrics", port=None):
    """(status, {name: {labels: value}}); every line must be one of the text format."""
    response, _, body = fetch(node, path, port)
    text, found = body.decode(), {}
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
        kit.check_equal(len(chosen["rabbitmq_cluster_exchange_name"]), 5, "exchange names: without the nameless and internal ones")
        kit.check("rabbitmq_detailed_connection_channels" not in chosen, "a family that was not asked for")
        kit.check_equal(set(scrape(node, "/metrics/detailed", port)[1]), {"rabbitmq_identity_info", "rabbitmq_build_info"}, "none")
        kit.check_equal(scrape(node, "/api/overview", port)[0], 404, "the API on the port of metrics")
        kit.check_equal(scrape(node)[0], 401, "metrics on the management port without credentials")


# Further figures that agents collect, of all objects together and of each; without the prefix.
OTHERS = """alarms_memory_used_watermark alarms_free_disk_space_watermark alarms_file_descriptor_limit auth_attempts_total
auth_attempts_succeeded_total auth_attempts_failed_total global_messages_dead_lettered_expired_total
global_messages_dead_lettered_rejected_total global_messages_dead_lettered_maxlen_total
global_messages_dead_lettered_delivery_limit_total global_messages_dead_lettered_confirmed_total raft_term raft_commit_index
raft_last_written_index raft_snapshot_index raft_commit_latency_seconds raft_num_segments raft_max_num_segments raft_term_total
raft_log_commit_index raft_log_last_applied_index raft_log_last_written_index raft_log_snapshot_index
raft_entry_commit_latency_seconds io_read_ops_total io_write_ops_total io_sync_ops_total io_seek_ops_total io_reopen_ops_total
io_read_bytes_total io_write_bytes_total io_read_time_seconds_total io_write_time_seconds_total io_sync_time_seconds_total
io_seek_time_seconds_total msg_store_read_total msg_store_write_total queue_index_read_ops_total queue_index_write_ops_total
schema_db_ram_tx_total schema_db_disk_tx_total""".split()
QUEUE = """consumers consumer_capacity consumer_utilisation messages_ram messages_ram_bytes messages_ready_ram messages_unacked_ram
messages_persistent messages_persistent_bytes messages_bytes messages_ready_bytes messages_unacked_bytes messages_paged_out
messages_paged_out_bytes disk_reads_total disk_writes_total process_memory_bytes process_reductions_total messages_published_total
get_ack_total get_total get_empty_total messages_delivered_total messages_delivered_ack_total messages_redelivered_total
messages_acked_total""".split()
CONNECTION = """incoming_bytes_total outgoing_bytes_total incoming_packets_total outgoing_packets_total pending_packets channels
process_reductions_total""".split()
CHANNEL = """consumers messages_unacked messages_unconfirmed messages_uncommitted acks_uncommitted prefetch process_reductions_total""".split()


def labels_of(**labels):
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


def test_every_object():
    """Sums and single objects have every figure that agents collect; queues, exchanges and channels count apart"""
    with kit.cluster(nodes=1, settings={"prometheus.tcp.port": (port := ports.free_base_port()), "prometheus.tcp.ip": "127.0.0.1"}) \
            as cluster, kit.connected(cluster.nodes[0], name="counted") as connection:
        node = cluster.nodes[0]
        for queue in ("q", "other"):
            kit.declare(connection, queue)
            connection.call(1, "queue.bind", queue=queue, exchange="amq.fanout")
        kit.publish(connection, "", [b"12345"] * 3, exchange="amq.fanout", timestamp=1234567890)
        connection.publish(1, "amq.direct", "nowhere", b"dropped")
        kit.check_equal(connection.poll(10).name, "basic.ack", "what no queue wants is confirmed")
        kit.get(connection, "q")
        held = kit.get(connection, "q", no_ack=False)
        connection.ack(1, held.fields["delivery_tag"])
        kit.consume(connection, "q", 1)
        kit.get(connection, "q")

        def agrees():
            return scrape(node, "/metrics/detailed?family=queue_delivery_metrics", port)[1][
                "rabbitmq_detailed_queue_messages_acked_total"][labels_of(vhost="/", queue="q")] == 3

        kit.wait_for("the acks to be counted", agrees)
        wanted = [*DASHBOARD, *OTHERS, *(f"queue_{name}" for name in QUEUE), *(f"connection_{name}" for name in CONNECTION),
                  *(f"channel_{name}" for name in CHANNEL), "consumer_prefetch"]
        for path in ("/metrics", "/metrics/per-object"):
            found = scrape(node, path, port)[1]
            kit.check_equal([name for name in wanted if "rabbitmq_" + name not in found], [], f"what {path} misses")
        q, other = labels_of(vhost="/", queue="q"), labels_of(vhost="/", queue="other")

        def of_queue(name, labels):
            return found["rabbitmq_queue_" + name][labels]

        for name, value in {"get_total": 1, "get_ack_total": 1, "get_empty_total": 1, "messages_delivered_ack_total": 1,
                            "messages_delivered_total": 0, "messages_published_total": 3, "messages_ram": 0}.items():
            kit.check_equal(of_queue(name, q), value, f"{name} of q")
        for name, value in {"messages_ready": 3, "messages_ram": 3, "messages_ready_ram": 3, "messages_ram_bytes": 15,
                            "messages_paged_out": 0, "head_message_timestamp": 1234567890}.items():
            kit.check_equal(of_queue(name, other), value, f"{name} of other")
        kit.check(of_queue("process_memory_bytes", other) > of_queue("process_memory_bytes", q) > 0, "memory of queues")
        kit.check_equal(q in found["rabbitmq_queue_head_message_timestamp"], False, "an empty queue has no head")

        fanout, direct = labels_of(vhost="/", exchange="amq.fanout"), labels_of(vhost="/", exchange="amq.direct")
        for name, labels, value in (("published", fanout, 3), ("confirmed", fanout, 3), ("published", direct, 1),
                                    ("unroutable_dropped", direct, 1), ("unroutable_dropped", fanout, 0), ("unroutable_returned", direct, 0)):
            kit.check_equal(found[f"rabbitmq_exchange_messages_{name}_total"][labels], value, f"{name} {labels}")
        pair = labels_of(queue_vhost="/", queue="other", exchange_vhost="/", exchange="amq.fanout")
        kit.check_equal(found["rabbitmq_queue_exchange_messages_published_total"][pair], 3, "from the exchange to the queue")
        channel = next(iter(found["rabbitmq_channel_consumers"]))
        kit.check_equal(found["rabbitmq_channel_messages_published_total"][channel[:-1] + "," + fanout[1:]], 3, "channel and exchange")
        kit.check_equal(found["rabbitmq_channel_messages_acked_total"][channel[:-1] + "," + q[1:]], 2, "channel and queue")
        chosen = scrape(node, "/metrics/detailed?family=channel_queue_exchange_metrics", port)[1]
        kit.check_equal(set(chosen["rabbitmq_detailed_queue_messages_published_total"].values()), {3}, "channel, queue and exchange")
        kit.check(found["rabbitmq_io_write_bytes_total"][""] > 0 and found["rabbitmq_io_sync_time_seconds_total"][""] > 0, "the log's I/O")
        kit.check(max(found["rabbitmq_raft_entry_commit_latency_seconds"].values()) < 10, "commit latency")
        kit.check(found["warren_commits_total"][""] > 0, "commits")
        connection.close()

        def kept():
            later = scrape(node, "/metrics/per-object", port)[1]
            return later["rabbitmq_connections"][""] == 0 and later["rabbitmq_exchange_messages_published_total"][fanout] == 3

        kit.wait_for("exchanges to keep their counts when the client is gone", kept)


def test_dead_letter_counters():
    """Dead letters count by reason, and by whether there is an exchange for them; confirmed when their target has them"""
    with kit.cluster() as cluster, kit.connected(cluster.nodes[0]) as connection:
        kit.declare(connection, "target")
        kit.declare(connection, "kept", arguments={"x-max-length": 2, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "target"})
        kit.declare(connection, "gone", arguments={"x-message-ttl": 1})
        kit.publish(connection, "kept", kit.numbered(5))
        kit.publish(connection, "gone", kit.numbered(4))
        connection.call(1, "basic.get", "basic.get-ok", queue="kept", no_ack=False)
        connection.send(1, "basic.reject", delivery_tag=1, requeue=False)
        connection.flush()

        def total(reason, strategy):
            labels = labels_of(queue_type="rabbit_quorum_queue", dead_letter_strategy=strategy)
            values = [scrape_with_login(node)[f"rabbitmq_global_messages_dead_lettered_{reason}_total"].get(labels, 0)
                      for node in cluster.nodes]
            return sum(values)

        for reason, strategy, count in (("maxlen", "at_least_once", 3), ("rejected", "at_least_once", 1), ("expired", "disabled", 4),
                                        ("confirmed", "at_least_once", 4), ("maxlen", "disabled", 0)):
            kit.wait_for(f"{count} {reason} {strategy} on all nodes together", lambda r=reason, s=strategy, c=count: total(r, s) == c)


def scrape_with_login(node, path="/metrics"):
    found = {}
    for line in node.get(path)[1].decode().splitlines():
        match = re.fullmatch(r'([a-z_]+)(\{.*\})? ([0-9.e+-]+)', line)
        if match:
            found.setdefault(match[1], {})[match[2] or ""] = float(match[3])
    return found


def test_change_of_leader():
    """Who leads what, how long nobody did, and what a member lacks are told by each node"""
    with kit.cluster() as cluster, kit.connected(cluster.nodes[0]) as connection:
        queue, victim = kit.queue_led_by(cluster, connection, "q", cluster.nodes[1:])
        kit.publish(connection, queue, kit.numbered(100))
        staying, groups = kit.others(cluster, victim), len(victim.get_json("/api/cluster/groups"))
        queues = len(victim.get_json("/api/queues"))

        def scraped(nodes):
            """What the nodes say while none of their groups is on its way to another leader."""
            found = [scrape_with_login(node) for node in nodes]
            return sum(one["warren_groups_led"][""] for one in found) == groups and found

        def pauses(found):
            return sum(one["warren_leaderless_seconds_count"][""] for one in found)

        before = kit.wait_for("each group's leader", lambda: scraped([*staying, victim]))
        kit.check_equal(sum(one["warren_queues_led"][""] for one in before), queues, "queues led")
        kit.kill(victim)
        kit.wait_for("the survivors to count the pauses of the groups that they took over",
                     lambda: (found := scraped(staying)) and pauses(found) > pauses(before[:2]))
        kit.publish(connection, queue, kit.numbered(100))
        kit.wait_for("the dead member lacks entries",
                     lambda: sum(sum(one["warren_replica_lag_entries"].values()) for one in map(scrape_with_login, staying)) > 0)
        for one in map(scrape_with_login, staying):
            kit.check(one["warren_leaderless_seconds_bucket"]['{le="+Inf"}'] == one["warren_leaderless_seconds_count"][""],
                      "the last bucket has them all")


FAMILIES = """queue_coarse_metrics queue_consumer_count queue_metrics queue_delivery_metrics queue_exchange_metrics exchange_metrics
channel_metrics channel_exchange_metrics channel_process_metrics channel_queue_metrics channel_queue_exchange_metrics
connection_coarse_metrics connection_metrics connection_churn_metrics node_coarse_metrics node_metrics node_persister_metrics ra_metrics
auth_attempt_metrics auth_attempt_detailed_metrics vhost_status exchange_names exchange_bindings""".split()


def test_detailed_families():
    """Each family of /metrics/detailed brings figures of its own, and no figure comes twice"""
    with kit.cluster(nodes=1, settings={}) as cluster, kit.connected(cluster.nodes[0]) as connection:
        node = cluster.nodes[0]
        kit.declare(connection, "q")
        connection.call(1, "queue.bind", queue="q", exchange="amq.topic", routing_key="#")
        kit.publish(connection, "x", kit.numbered(2), exchange="amq.topic")
        kit.get(connection, "q")
        for family in FAMILIES:
            found = scrape_with_login(node, f"/metrics/detailed?family={family}")
            kit.check(len(found) > 2, f"{family} brings nothing")
            kit.check(all(name.startswith(("rabbitmq_detailed_", "rabbitmq_cluster_")) or name.endswith("_info") for name in found), family)
        bindings = scrape_with_login(node, "/metrics/detailed?family=exchange_bindings")["rabbitmq_cluster_exchange_bindings"]
        kit.check_equal(bindings[labels_of(vhost="/", exchange="amq.topic", type="topic")], 1, "bindings of amq.topic")
        kit.check_equal(bindings[labels_of(vhost="/", exchange="amq.fanout", type="fanout")], 0, "bindings of amq.fanout")
        kit.check_equal(scrape_with_login(node, "/metrics/detailed?family=vhost_status")["rabbitmq_cluster_vhost_status"],
                        {labels_of(vhost="/"): 1}, "vhosts")
        everything = "&".join(f"family={family}" for family in FAMILIES)
        for path in ("/metrics", "/metrics/per-object", f"/metrics/detailed?{everything}", "/metrics/memory-breakdown"):
            text = node.get(path)[1].decode()
            heads = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
            kit.check_equal(sorted(name for name in set(heads) if heads.count(name) > 1), [], f"families that {path} has twice")
            lines = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
            kit.check_equal(sorted(line for line in set(lines) if lines.count(line) > 1)[:5], [], f"lines that {path} has twice")
            helped = re.findall(r"^# HELP (\S+) \S", text, re.MULTILINE)
            kit.check_equal(helped, heads, f"{path}: each family has type and help")
        nothing = scrape_with_login(node, "/metrics/detailed?family=queue_coarse_metrics&vhost=elsewhere")
        kit.check("rabbitmq_detailed_queue_messages" not in nothing, "of another vhost")


def test_gzip_and_cost():
    """A scrape is compressed for who takes gzip, and the next one tells what it cost"""
    port = ports.free_base_port()
    with kit.cluster(nodes=1, settings={"prometheus.tcp.port": port, "prometheus.tcp.ip": "127.0.0.1"}) as cluster:
        node = cluster.nodes[0]
        _, headers, packed = fetch(node, "/metrics", port, **{"Accept-Encoding": "deflate, gzip;q=0.5"})
        kit.check_equal(headers["Content-Encoding"], "gzip", "encoding")
        text = gzip.decompress(packed).decode()
        kit.check("rabbitmq_build_info{" in text and len(packed) < len(text) / 3, f"{len(packed)} bytes of {len(text)}")
        for refusal in ("identity", "gzip;q=0", "x-gzipped"):
            _, headers, plain = fetch(node, "/metrics", port, **{"Accept-Encoding": refusal})
            kit.check(headers["Content-Encoding"] is None and plain.startswith(b"# TYPE"), refusal)
        kit.check_equal(headers["Content-Type"], "text/plain; version=0.0.4", "type")
        labels = 'registry="default",content_type="text/plain; version=0.0.4"'

        def told():
            found = scrape(node, port=port)[1]
            return found["telemetry_scrape_duration_seconds_count"]["{" + labels + "}"] >= 4 and found

        found = kit.wait_for("four scrapes to be counted", told)
        kit.check(found["telemetry_scrape_size_bytes_sum"]["{" + labels + "}"] > 4 * len(text) / 2, "sizes")
        kit.check_equal(found["telemetry_scrape_encoded_size_bytes_sum"]["{" + labels + ',encoding="gzip"}'], len(packed), "gzip's size")


def test_keys():
    """Another path, credentials and lines for each object: prometheus.path, .authentication.enabled, .return_per_object_metrics"""
    port = ports.free_base_port()
    settings = {"prometheus.tcp.port": port, "prometheus.tcp.ip": "127.0.0.1", "prometheus.path": "/figures",
                "prometheus.authentication.enabled": "true", "prometheus.return_per_object_metrics": "true"}
    login = {"Authorization": "Basic " + base64.b64encode(b"guest:guest").decode()}
    with kit.cluster(nodes=1, settings=settings) as cluster, kit.connected(cluster.nodes[0]) as connection:
        node = cluster.nodes[0]
        kit.declare(connection, "q")
        kit.check_equal(fetch(node, "/figures", port)[0].status, 401, "without credentials")
        kit.check_equal(fetch(node, "/metrics", port, **login)[0].status, 404, "the usual path")
        response, _, body = fetch(node, "/figures", port, **login)
        kit.check_equal(response.status, 200, "with credentials")
        kit.check(b'rabbitmq_queue_messages_ready{vhost="/",queue="q"} 0' in body, "a line for each queue")
        kit.check_equal(fetch(node, "/figures/detailed?family=ra_metrics", port, **login)[0].status, 200, "below it")
        kit.check_equal(fetch(node, "/metrics", **login)[0].status, 200, "the management port keeps its path")


def test_logins_by_source():
    """Logins count by address, user and protocol, in the metrics and the API, until they are reset"""
    with kit.cluster(nodes=1, settings={}) as cluster:
        node = cluster.nodes[0]
        kit.connect(node).close()
        for _ in range(2):
            try:
                kit.connect(node, user="mallory", password="guess")
                raise AssertionError("a wrong password was taken")
            except amqp.Closed:
                pass
        found = scrape_with_login(node, "/metrics/detailed?family=auth_attempt_detailed_metrics")
        ours = labels_of(remote_address="127.0.0.1", username="mallory", protocol="amqp091")
        kit.check_equal(found["rabbitmq_detailed_auth_attempts_detailed_failed_total"][ours], 2, "wrong passwords")
        kit.check_equal(found["rabbitmq_detailed_auth_attempts_detailed_total"][ours], 2, "attempts")
        right = labels_of(remote_address="127.0.0.1", username="guest", protocol="amqp091")
        kit.check_equal(found["rabbitmq_detailed_auth_attempts_detailed_succeeded_total"][right], 1, "right passwords")
        http_ones = labels_of(remote_address="127.0.0.1", username="guest", protocol="http")
        kit.check(found["rabbitmq_detailed_auth_attempts_detailed_total"][http_ones] >= 1, "logins over HTTP")

        def told():
            return {(one["username"], one["protocol"]): one for one in node.get_json(f"/api/auth/attempts/{node.name}/source")}

        kit.check_equal(told()["mallory", "amqp091"]["auth_attempts_failed"], 2, "in the API")
        node.change("DELETE", f"/api/auth/attempts/{node.name}/source")
        kit.check(("mallory", "amqp091") not in told(), "a reset forgets")


def test_who_is_to_blame():
    """A consumer that does not read counts as a slow reader; a publisher ahead of its queues as one with unanswered publishes"""
    with kit.cluster(nodes=3) as cluster:
        node = cluster.nodes[0]

        def waits(cause):
            return scrape_with_login(node)["warren_waits_total"][labels_of(cause=cause)]

        kit.check_equal([waits(cause) for cause in ("slow_reader", "unanswered_publishes", "busy_shard")], [0, 0, 0], "at first")
        with kit.connected(node) as publisher, kit.connected(node) as deaf:
            kit.declare(publisher, "q")
            deaf.call(1, "basic.consume", queue="q", no_ack=True)
            kit.publish(publisher, "q", [b"x" * 500_000] * 30, window=10)    # more than sockets hold
            kit.wait_for("the deaf consumer to be noticed", lambda: waits("slow_reader") > 0)
            kit.kill(*cluster.nodes[1:])                                     # nothing is confirmed any more
            for _ in range(40):
                publisher.publish(1, "", "q", b"x" * 500_000)

            def ahead():
                publisher.poll(0)
                return waits("unanswered_publishes") > 0

            kit.wait_for("the publisher to be noticed", ahead)


@kit.long
@kit.limit(900)
def test_a_hundred_thousand_queues():
    """With 100,000 queues /metrics takes less than a second, and a line for each object little memory"""
    port = ports.free_base_port()
    with kit.cluster(nodes=1, settings={"prometheus.tcp.port": port, "prometheus.tcp.ip": "127.0.0.1"}) as cluster:
        node, count = cluster.nodes[0], 100_000
        with kit.connected(node) as connection:
            channels = range(2, 402)
            for channel in channels:
                connection.open_channel(channel)
            for first in range(0, count, len(channels)):   # many at once: each waits for two commits
                for number, channel in enumerate(channels, first):
                    connection.send(channel, "queue.declare", queue=f"queue-{number}", durable=True)
                for _ in channels:
                    event = connection.poll(30)
                    kit.check(event is not None and event.name == "queue.declare-ok", f"{event} instead of queue.declare-ok")
        kit.wait_for("all queues", lambda: kit.metric(node, "rabbitmq_queues") == count)

        def timed(path):
            began = time.monotonic()
            body = fetch(node, path, port)[2]
            return time.monotonic() - began, body

        seconds = min(timed("/metrics")[0] for _ in range(3))
        resident = kit.metric(node, "rabbitmq_process_resident_memory_bytes")
        each, body = timed("/metrics/per-object")
        grown = kit.metric(node, "rabbitmq_process_resident_memory_bytes") - resident
        print(f"/metrics {seconds * 1000:.0f} ms; per object {each:.1f} s, {len(body) / 2**20:.0f} MiB, memory grew {grown / 2**20:.1f} MiB")
        kit.check(seconds < 1, f"/metrics took {seconds:.2f} s")
        kit.check_equal(body.count(b"rabbitmq_queue_messages_ready{"), count, "lines of queues")
        kit.check(grown < 16 << 20, f"memory grew by {grown / 2**20:.1f} MiB for {len(body) / 2**20:.0f} MiB of text")
