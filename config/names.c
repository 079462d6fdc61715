/* RabbitMQ's keys that are called otherwise here, and those that change nothing here, each with the reason. */
#include <fnmatch.h>

#include "config/config_internal.h"

static const struct {
    const char *other, *name;
} names[] = {
    {"cluster_name", "cluster.name"},
    {"max_channels_per_connection", "channel_max"},
    {"max_connections", "connection_max"},
    {"management.load_definitions", "load_definitions"},
    {"definitions.local.path", "load_definitions"},
    {"management.listener.port", "management.tcp.port"},
    {"management.listener.ip", "management.tcp.ip"},
    {"queue_master_locator", "queue_leader_locator"},
    {"quorum_queue.initial_cluster_size", "cluster.replicas"},
    {"raft.wal_max_size_bytes", "wal.file_size"},
    {"log.syslog.ip", "log.syslog.host"},
};

static const struct {
    const char *pattern, *reason;
} without_effect[] = {
    /* listeners */
    {"num_acceptors.*", "each shard accepts by itself"},
    {"tcp_listen_options.exit_on_close", "a closed connection is always forgotten"},
    {"tcp_listen_options.buffer", "reads are as large as the shard's read buffer"},
    {"tcp_listen_options.*", "the kernel's default is kept"},
    {"reverse_dns_lookups", "connections are listed by address"},
    {"socket_writer.*", "connections write once a turn"},
    {"ssl_options.dh*", "OpenSSL's default is kept"},
    {"ssl_options.user_lookup_fun", "OpenSSL's default is kept"},
    {"ssl_options.psk_identity", "OpenSSL's default is kept"},
    {"ssl_options.reuse_session*", "OpenSSL's default is kept"},
    {"ssl_options.secure_renegotiate", "OpenSSL's default is kept"},
    {"ssl_options.bypass_pem_cache", "OpenSSL's default is kept"},
    {"ssl_options.hibernate_after", "OpenSSL's default is kept"},
    {"ssl_options.log_level", "OpenSSL's default is kept"},
    {"ssl_options.crl*", "OpenSSL's default is kept"},
    {"ssl_allow_poodle_attack", "SSL 3 is never spoken"},
    /* limits */
    {"session_max_per_connection", "AMQP 1.0 is not spoken"},
    {"link_max_per_session", "AMQP 1.0 is not spoken"},
    {"message_interceptors.*", "messages are not changed on their way"},
    /* identity */
    {"feature_flags.*", "all that this version has is on"},
    {"deprecated_features.permit.*", "nothing that is deprecated in RabbitMQ is taken away"},
    {"permit_deprecated_features.*", "nothing that is deprecated in RabbitMQ is taken away"},
    /* resources */
    {"vm_memory_high_watermark_paging_ratio", "queues are paged out as their log is used up"},
    {"vm_memory_calculation_strategy", "resident memory counts"},
    {"memory_monitor_interval", "memory is looked at once a second"},
    {"disk_monitor.*", "the disk is looked at once a second"},
    {"collect_statistics", "statistics are always there"},
    {"collect_statistics_interval", "statistics are gathered when they are asked for"},
    {"background_gc_*", "there is no garbage to collect"},
    {"hipe_compile", "Warren is compiled"},
    {"queue_index_embed_msgs_below", "messages lie in the log and in segments"},
    {"msg_store_*", "messages lie in the log and in segments"},
    {"lazy_queue_explicit_gc_run_operation_threshold", "there is no garbage to collect"},
    {"queue_explicit_gc_run_operation_threshold", "there is no garbage to collect"},
    {"classic_queue.*", "all queues are kept in one way"},
    {"max_message_size_*", "max_message_size counts"},
    /* cluster */
    {"cluster_formation.node_cleanup.*", "members go when an operator removes them"},
    {"cluster_formation.internal_lock_retries", "no lock is needed to form a cluster"},
    {"cluster_formation.randomized_startup_delay_range.*", "nodes may start at once and in any order"},
    {"cluster_formation.node_type", "all nodes keep data on disk"},
    {"cluster_formation.lock_retry_*", "no lock is needed to form a cluster"},
    {"cluster_formation.aws.*", "this way of discovery is not there; peer_discovery_backend says what is"},
    {"cluster_formation.consul.*", "this way of discovery is not there; peer_discovery_backend says what is"},
    {"cluster_formation.etcd.*", "this way of discovery is not there; peer_discovery_backend says what is"},
    {"cluster_formation.dns.*", "this way of discovery is not there; peer_discovery_backend says what is"},
    {"cluster_formation.k8s.*", "pods are found by their names, without Kubernetes' API"},
    {"cluster_formation.classic_config.*", "nodes are not registered anywhere"},
    {"cluster_formation.registration.*", "nodes are not registered anywhere"},
    {"cluster_partition_handling", "a majority goes on, a minority refuses (Raft)"},
    {"cluster_partition_handling.*", "a majority goes on, a minority refuses (Raft)"},
    {"cluster_keepalive_interval", "raft.heartbeat_ms and cluster.node_timeout_ms say when a node is dead"},
    {"net_ticktime", "raft.heartbeat_ms and cluster.node_timeout_ms say when a node is dead"},
    {"distribution.*", "nodes talk over cluster.listen"},
    {"delegate_count", "nodes talk over one link for each shard"},
    {"mnesia_table_loading_retry_*", "state is read from the node's own disk"},
    {"schema_db.*", "state is read from the node's own disk"},
    {"khepri_*", "the meta group keeps the topology"},
    /* replication */
    {"quorum_queue.commands_soft_limit", "publishers are slowed by bytes: BROKER_CONNECTION_BYTES_MAX"},
    {"quorum_queue.*", "replicas belong to groups, not to queues: cluster.replicas"},
    {"raft.segment_max_entries", "segments are cut by bytes"},
    {"raft.data_dir", "the log lies in data_dir"},
    {"raft.snapshot_chunk_size", "see wal.*, checkpoint.log_bytes and cluster.transfer_rate"},
    {"raft.wal_*", "see wal.*, checkpoint.log_bytes and cluster.transfer_rate"},
    {"raft.adaptive_failure_detector.*", "see wal.*, checkpoint.log_bytes and cluster.transfer_rate"},
    {"mirroring_*", "mirroring is by Raft; cluster.transfer_rate slows catching up"},
    {"ha_promote_*", "only a replica that has all confirmed messages can lead"},
    {"stream.*", "streams are not there"},
    /* rights */
    {"auth_http.ssl_options.*", "OpenSSL's default is kept"},
    {"auth_cache.cache_module*", "answers are kept in the node's own memory"},
    {"auth_cache.cache_refusals", "a no is kept as long as a yes"},
    {"auth_cache.cached_backend.*", "auth_backends.N.authn and .authz say that"},
    {"auth_oauth2.*", "users are known here or to auth_http: others cannot log in"},
    {"auth_ldap.*", "users are known here or to auth_http: others cannot log in"},
    {"anonymous_login_*", "nobody logs in without a name"},
    {"access_control.*", "rights are asked for as in RabbitMQ's default"},
    /* definitions */
    {"definitions.tls.*", "OpenSSL's default is kept"},
    /* management, metrics */
    {"management.disable_basic_auth", "credentials come by basic authentication"},
    {"management.http.*", "the server's default is kept"},
    {"management.login_session_timeout", "the browser keeps the login"},
    {"management.http_log_dir", "requests are not logged"},
    {"management.delegate_count", "nodes are asked all at once"},
    {"management.tcp.*", "the server's default is kept"},
    {"management.ssl.*", "HTTPS takes management.ssl.port, ip, cacertfile, certfile, keyfile and password"},
    {"management.listener.*", "HTTPS takes management.ssl.*"},
    {"management.oauth_*", "the management port has nothing like it"},
    {"management.sample_*", "the management port has nothing like it"},
    {"management.process_stats_gc_timeout", "the management port has nothing like it"},
    {"management.restrictions.*", "the management port has nothing like it"},
    {"management.require_auth_for_api_desc_page", "the management port has nothing like it"},
    {"management.queue_storage_version", "the management port has nothing like it"},
    {"management_agent.*", "the management port is part of the node"},
    {"prometheus.ssl.*", "metrics over TLS are on management.ssl.port"},
    {"prometheus.tcp.*", "the server's default is kept"},
    {"prometheus.filter_*", "the server's default is kept"},
    /* logs */
    {"log.file.rotation.compress", "old files stay as they are; logrotate can compress them"},
    {"log.*.formatter.*", "the formats of lines are fixed"},
    {"log.*.use_*", "lines have no colours"},
    {"log.console.color_esc_seqs.*", "lines have no colours"},
    {"log.syslog.multiline_mode", "an event is one line"},
    {"log.syslog.ssl_options.*", "TLS towards a syslog server is not there"},
    {"log.journald.fields", "the fields are fixed"},
    {"log.exchange*", "lines go to a file, standard error, syslog or the journal"},
    {"log.*.level", "no line is of this category"},
    {"log.*.file", "all lines go to log.file"},
    {"log.error_logger*", "lines go to a file or to standard error"},
    {"log.error.*", "lines go to a file or to standard error"},
    /* plugins of RabbitMQ */
    {"federation.*", "links of federation follow the parameters of their upstreams"},
    {"mqtt.*", "MQTT is not spoken"},
    {"stomp.*", "STOMP is not spoken"},
    {"amqp1_0.*", "AMQP 1.0 is not spoken"},
    {"web_mqtt.*", "MQTT is not spoken"},
    {"web_stomp.*", "STOMP is not spoken"},
    {"trust_store.*", "clients are checked by ssl_options.cacertfile"},
    {"sharding.*", "sharding is not there"},
    {"consistent_hash_exchange.*", "the exchange needs no setting"},
    {"delayed_message.*", "the exchange needs no setting"},
    {"erlang.*", "there is no Erlang in it"},
    {"proxy_protocol.*", "proxies are named by proxy_protocol.trusted.N"},
};

const char *config_other_name(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(name, names[i].other)) return names[i].name;
    return name;
}

const char *config_without_effect(const char *name)
{
    for (size_t i = 0; i < sizeof without_effect / sizeof without_effect[0]; i++)
        if (!fnmatch(without_effect[i].pattern, name, 0)) return without_effect[i].reason;
    return NULL;
}
