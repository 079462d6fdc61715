#include "config/keys.h"

#include <stddef.h>

#define AT(field) offsetof(struct config, field)

const struct key keys[] = {
    {"node.id", KEY_INTEGER, AT(node_id), "1", 1, 63, "This node's number, stable for life; stored in data_dir, a mismatch refuses to start."},
    {"node.name", KEY_TEXT, AT(node_name), "", 0, 0, "Shown to people; default warren@<hostname>."},
    {"data_dir", KEY_TEXT, AT(data_dir), "/var/lib/warren", 0, 0, "Where everything durable lives."},
    {"shards", KEY_INTEGER, AT(shards), "1", 1, 63, "Threads that own connections and groups; fixed when the node is made."},
    {"listeners.tcp.", KEY_LIST, AT(listeners_tcp), "", 0, CONFIG_LIST_MAX - 1, "AMQP addresses: listeners.tcp.default, listeners.tcp.1, .2 ...; host:port or port."},
    {"management.tcp", KEY_ADDRESS, AT(management_tcp), "", 0, 0, "HTTP: health checks, API, metrics. Absent: none."},
    {"cluster.listen", KEY_ADDRESS, AT(cluster_listen), "", 0, 0, "Node-to-node link; needed when there are peers."},
    {"cluster.peers.", KEY_LIST, AT(cluster_peers), "", 1, CONFIG_LIST_MAX - 1, "All initial members by node id, this node included. Absent: a cluster of one."},
    {"cluster.name", KEY_TEXT, AT(cluster_name), "warren", 0, 0, "Told to clients and shown on pages."},
    {"cluster.secret_file", KEY_TEXT, AT(cluster_secret_file), "", 0, 0, "Peers prove that they know this file's content."},
    {"cluster.groups", KEY_INTEGER, AT(cluster_groups), "16", 1, 1023, "Queue groups besides the meta group; fixed when the cluster is made."},
    {"cluster.replicas", KEY_INTEGER, AT(cluster_replicas), "3", 1, 9, "Replicas of each queue group, at most the number of nodes."},
    {"cluster.node_timeout_ms", KEY_INTEGER, AT(cluster_node_timeout_ms), "10000", 500, 3600000, "A node silent for so long is given up: what its clients hold is requeued."},
    {"cluster.transfer_rate", KEY_INTEGER, AT(cluster_transfer_rate), "0", 0, INT64_MAX, "Bytes a second towards a replica that catches up from segments; 0: no limit."},
    {"raft.election_timeout_ms", KEY_INTEGER, AT(election_timeout_ms), "500", 100, 60000, "Silence of a leader after which another is elected; a leader known dead is replaced at once."},
    {"raft.heartbeat_ms", KEY_INTEGER, AT(heartbeat_ms), "100", 10, 10000, "How often a leader without news tells that it lives."},
    {"wal.file_size", KEY_INTEGER, AT(wal_file_size), "64MiB", 1 << 20, 1 << 30, "Bytes of one file of the write-ahead log."},
    {"wal.cache_size", KEY_INTEGER, AT(wal_cache_size), "16MiB", 1 << 20, 1 << 30, "Bytes of log entries kept in memory for followers that are a little behind."},
    {"checkpoint.log_bytes", KEY_INTEGER, AT(checkpoint_log_bytes), "32MiB", 1 << 16, INT64_C(1) << 40, "A group's share of the log that makes it write a checkpoint."},
    {"heartbeat", KEY_INTEGER, AT(heartbeat), "60", 0, 65535, "Seconds between heartbeats offered to clients; 0: none."},
    {"frame_max", KEY_INTEGER, AT(frame_max), "131072", 4096, 1 << 30, "Bytes of the largest frame."},
    {"channel_max", KEY_INTEGER, AT(channel_max), "2047", 1, 65535, "Channels of one connection."},
    {"max_message_size", KEY_INTEGER, AT(max_message_size), "134217728", 1, 536870912, "Bytes of the largest message body."},
    {"handshake_timeout", KEY_INTEGER, AT(handshake_timeout_ms), "10000", 100, 600000, "Milliseconds a client may take to open its connection."},
    {"publish_timeout_ms", KEY_INTEGER, AT(publish_timeout_ms), "10000", 100, 600000, "How long a publish or a question may wait for a majority before it is refused."},
    {"tcp_listen_options.backlog", KEY_INTEGER, AT(tcp_backlog), "512", 1, 65535, "Connections that wait to be accepted."},
    {"default_user", KEY_TEXT, AT(default_user), "guest", 0, 0, "The user who may log in; empty: nobody."},
    {"default_pass", KEY_TEXT, AT(default_pass), "guest", 0, 0, "Its password."},
    {"loopback_users.guest", KEY_BOOLEAN, AT(loopback_users_guest), "true", 0, 0, "guest may log in from loopback addresses only."},
    {"product.name", KEY_TEXT, AT(product_name), "RabbitMQ", 0, 0, "Told to clients, some of which choose their behaviour by it."},
    {"product.version", KEY_TEXT, AT(product_version), "3.13.7", 0, 0, "Told to clients, in RabbitMQ's form."},
    {"log.file", KEY_TEXT, AT(log_file), "", 0, 0, "Where lines go; absent: standard error."},
    {"log.level", KEY_TEXT, AT(log_level), "info", 0, 0, "error, warning, info or debug."},
};
const size_t key_count = sizeof keys / sizeof keys[0];
