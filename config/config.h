/* Configuration: RabbitMQ's sysctl form, `key = value`, `#` comments; every key in one table (keys.c).
 *
 * Thread: the main thread, before the node starts; constant afterwards. A plain struct: nothing to free.
 * A key that is set twice has its last value; lines after a wrong one are read, too.
 * Errors name file, line and key; `err` gets the first, struct config keeps all. A key that is not known is a warning
 * with the nearest known name, a key of RabbitMQ that changes nothing here a warning with the reason (names.c).
 * $(NAME) in a value is the environment's NAME. */
#ifndef WARREN_CONFIG_CONFIG_H
#define WARREN_CONFIG_CONFIG_H

#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    CONFIG_LIST_MAX = 64,
    CONFIG_TEXT_MAX = 256,
    CONFIG_WARNINGS_MAX = 64,
    CONFIG_ERRORS_MAX = 64,
    CONFIG_NAMES_MAX = 16,
    CONFIG_SNI_MAX = 16
};

struct config_tls {
    char cacertfile[CONFIG_TEXT_MAX], certfile[CONFIG_TEXT_MAX], keyfile[CONFIG_TEXT_MAX], password[CONFIG_TEXT_MAX];
};

/* What AMQP's listeners have besides. */
struct config_ssl_options {
    char verify[CONFIG_TEXT_MAX]; /* verify_peer or verify_none */
    bool fail_if_no_peer_cert, honor_cipher_order, honor_ecc_order, client_renegotiation;
    int64_t depth;
    char versions[CONFIG_LIST_MAX][CONFIG_TEXT_MAX], ciphers[CONFIG_LIST_MAX][CONFIG_TEXT_MAX];
    char sni_hostname[CONFIG_SNI_MAX + 1][CONFIG_TEXT_MAX], sni_certfile[CONFIG_SNI_MAX + 1][CONFIG_TEXT_MAX],
        sni_keyfile[CONFIG_SNI_MAX + 1][CONFIG_TEXT_MAX];
};

enum { CONFIG_LOG_CATEGORIES = 9 /* of node/logger/line.h */ };

/* Where log lines go, and which. Levels: empty: log.level counts. */
struct config_log {
    char level[CONFIG_TEXT_MAX], category_levels[CONFIG_LOG_CATEGORIES][CONFIG_TEXT_MAX];
    char file[CONFIG_TEXT_MAX], dir[CONFIG_TEXT_MAX], file_level[CONFIG_TEXT_MAX], file_formatter[CONFIG_TEXT_MAX];
    char rotation_date[CONFIG_TEXT_MAX];
    int64_t rotation_size, rotation_count;
    bool console, syslog, journald;
    char console_stdio[CONFIG_TEXT_MAX], console_level[CONFIG_TEXT_MAX], console_formatter[CONFIG_TEXT_MAX];
    char syslog_host[CONFIG_TEXT_MAX], syslog_facility[CONFIG_TEXT_MAX], syslog_identity[CONFIG_TEXT_MAX];
    char syslog_protocol[CONFIG_TEXT_MAX], syslog_transport[CONFIG_TEXT_MAX], syslog_level[CONFIG_TEXT_MAX];
    char syslog_formatter[CONFIG_TEXT_MAX];
    int64_t syslog_port;
    char journald_level[CONFIG_TEXT_MAX];
};

/* Where something was set. */
struct config_place {
    uint16_t origin; /* a file, --set, a variable: config.origins from 1 on; 0: nobody has set it */
    uint32_t line;   /* 0: it has no lines */
};

enum { CONFIG_ORIGINS_MAX = 64, CONFIG_KEYS_MAX = 256, CONFIG_SECRETS_MAX = 64 };

enum { CONFIG_PAIRS_MAX = 256, CONFIG_PAIR_VALUE_MAX = 1024 };

/* A key whose name people make up in part: shovel.NAME.src-uri. Who uses it checks the value. */
struct config_pair {
    char name[CONFIG_TEXT_MAX];
    char value[CONFIG_PAIR_VALUE_MAX];
    struct config_place place;
};

enum { CONFIG_CORS_MAX = 32 };

/* What the management port adds to its answers, and what it counts. */
struct config_management {
    char path_prefix[CONFIG_TEXT_MAX];                   /* "/warren", without a stroke at its end; or empty */
    char cors_origins[CONFIG_CORS_MAX][CONFIG_TEXT_MAX]; /* [1] is the first; "*": all */
    int64_t cors_max_age_s, body_max;
    char csp[CONFIG_TEXT_MAX], hsts[CONFIG_TEXT_MAX]; /* policies, sent as they are; empty: none */
    char content_type_options[CONFIG_TEXT_MAX], frame_options[CONFIG_TEXT_MAX], xss_protection[CONFIG_TEXT_MAX];
    char rates_mode[CONFIG_TEXT_MAX]; /* basic, detailed, none */
    bool disable_stats, queue_totals;
    struct config_pair samples[CONFIG_PAIRS_MAX]; /* management.sample_retention_policies.SET.SPAN = seconds */
};

struct config {
    int64_t node_id;
    char node_name[CONFIG_TEXT_MAX];
    char data_dir[CONFIG_TEXT_MAX];
    char listeners_tcp[CONFIG_LIST_MAX][CONFIG_TEXT_MAX]; /* [0] is listeners.tcp.default, [N] listeners.tcp.N */
    char listeners_ssl[CONFIG_LIST_MAX][CONFIG_TEXT_MAX];
    char listeners_tcp_none[CONFIG_TEXT_MAX]; /* "none": no plain port */
    char listeners_ssl_none[CONFIG_TEXT_MAX];
    char listener_names[CONFIG_NAMES_MAX][CONFIG_TEXT_MAX]; /* listeners.tcp.NAME: its place is counted from the end */
    char node_ip[CONFIG_TEXT_MAX]; /* with node_port: where clients are heard if no listener is named */
    int64_t node_port;
    struct config_tls ssl;
    struct config_ssl_options ssl_options;
    int64_t ssl_handshake_timeout_ms;
    char ssl_cert_login_from[CONFIG_TEXT_MAX], ssl_cert_login_san_type[CONFIG_TEXT_MAX];
    int64_t ssl_cert_login_san_index;
    char auth_mechanisms[CONFIG_LIST_MAX][CONFIG_TEXT_MAX]; /* none: the built-in ones */
    char proxy_protocol[CONFIG_TEXT_MAX], proxy_trusted[CONFIG_LIST_MAX][CONFIG_TEXT_MAX];
    char agent_tcp[CONFIG_TEXT_MAX];
    char management_tcp[CONFIG_TEXT_MAX], management_socket[CONFIG_TEXT_MAX];
    int64_t management_tcp_port; /* 0: see management_tcp */
    char management_tcp_ip[CONFIG_TEXT_MAX];
    int64_t management_ssl_port; /* 0: none */
    char load_definitions[CONFIG_TEXT_MAX];
    char definitions_backend[CONFIG_TEXT_MAX], definitions_url[CONFIG_TEXT_MAX], definitions_verify[CONFIG_TEXT_MAX],
        definitions_hash[CONFIG_TEXT_MAX];
    bool definitions_skip;
    struct config_tls definitions_tls;
    int64_t prometheus_tcp_port; /* 0: none */
    char prometheus_tcp_ip[CONFIG_TEXT_MAX];
    char prometheus_path[CONFIG_TEXT_MAX];
    bool prometheus_per_object, prometheus_authentication;
    char management_ssl_ip[CONFIG_TEXT_MAX];
    struct config_tls management_ssl, cluster_ssl;
    struct config_management management;
    char cluster_listen[CONFIG_TEXT_MAX];
    char cluster_peers[CONFIG_LIST_MAX][CONFIG_TEXT_MAX]; /* by node id */
    char cluster_name[CONFIG_TEXT_MAX];
    char cluster_join[CONFIG_TEXT_MAX];
    char node_zone[CONFIG_TEXT_MAX];
    char cluster_secret_file[CONFIG_TEXT_MAX];
    char cluster_secret[CONFIG_TEXT_MAX]; /* the secret itself, from the environment; the file counts more */
    char formation_backend[CONFIG_TEXT_MAX], formation_nodes[CONFIG_LIST_MAX][CONFIG_TEXT_MAX];
    char formation_k8s_service[CONFIG_TEXT_MAX], formation_k8s_suffix[CONFIG_TEXT_MAX];
    int64_t formation_size, formation_port;
    char formation_dns[CONFIG_TEXT_MAX]; /* empty if members are not found so */
    int64_t discovery_limit, discovery_interval_ms;
    int64_t cluster_groups, cluster_replicas, cluster_node_timeout_ms, cluster_transfer_rate;
    int64_t election_timeout_ms, heartbeat_ms;
    int64_t shards;
    int64_t disk_free_limit, memory_high_watermark, memory_total;
    double disk_free_relative, memory_relative; /* of the machine's memory; disk: 0: disk_free_limit counts */
    int64_t wal_file_size, wal_size, wal_cache_size, checkpoint_log_bytes;
    int64_t heartbeat, frame_max, channel_max, max_message_size, handshake_timeout_ms, publish_timeout_ms;
    int64_t consumer_timeout_ms, consumer_disconnected_timeout_ms;
    char queue_leader_locator[CONFIG_TEXT_MAX];
    char default_queue_type[CONFIG_TEXT_MAX];
    bool relaxed_redeclare;
    int64_t tcp_backlog, tcp_sndbuf, tcp_recbuf; /* buffers: 0: the kernel's */
    bool tcp_nodelay, tcp_keepalive, tcp_linger;
    int64_t tcp_linger_s;
    int64_t connection_max, channel_max_per_node, consumer_max_per_channel; /* 0: no limit */
    int64_t vhost_max, cluster_queue_limit, cluster_exchange_limit;
    int64_t initial_frame_max;
    char password_hashing_module[CONFIG_TEXT_MAX];
    char credential_validator[CONFIG_TEXT_MAX], credential_regexp[CONFIG_TEXT_MAX];
    int64_t credential_min_length;
    struct config_pair default_users[CONFIG_PAIRS_MAX], default_policies[CONFIG_PAIRS_MAX],
        default_limits[CONFIG_PAIRS_MAX];
    char default_user[CONFIG_TEXT_MAX], default_pass[CONFIG_TEXT_MAX];
    char default_vhost[CONFIG_TEXT_MAX];
    char default_configure[CONFIG_TEXT_MAX], default_write[CONFIG_TEXT_MAX], default_read[CONFIG_TEXT_MAX];
    bool default_tag_administrator, default_tag_monitoring, default_tag_policymaker, default_tag_management,
        default_tag_impersonator;
    bool loopback_users_guest;
    char loopback_users_none[CONFIG_TEXT_MAX];
    struct config_pair default_tags_more[CONFIG_PAIRS_MAX], loopback_users_more[CONFIG_PAIRS_MAX];
    struct config_pair node_tags[CONFIG_PAIRS_MAX];
    char placement_tag[CONFIG_TEXT_MAX];
    char auth_backends[CONFIG_LIST_MAX][CONFIG_TEXT_MAX], auth_backends_authn[CONFIG_LIST_MAX][CONFIG_TEXT_MAX],
        auth_backends_authz[CONFIG_LIST_MAX][CONFIG_TEXT_MAX];
    char auth_cached_backend[CONFIG_TEXT_MAX], auth_http_method[CONFIG_TEXT_MAX], auth_http_verify[CONFIG_TEXT_MAX];
    char auth_http_paths[4][CONFIG_TEXT_MAX]; /* user, vhost, resource, topic */
    int64_t auth_http_timeout_ms, auth_http_connect_ms, auth_cache_ttl_ms;
    struct config_tls auth_http_tls;
    struct config_pair cluster_tags[CONFIG_PAIRS_MAX]; /* cluster_tags.NAME: shown by the API */
    char motd_file[CONFIG_TEXT_MAX];
    char product_name[CONFIG_TEXT_MAX], product_version[CONFIG_TEXT_MAX];
    struct config_log log;
    char pid_file[CONFIG_TEXT_MAX];
    bool plugin_management, plugin_prometheus; /* enabled_plugins names them: their ports are RabbitMQ's by default */
    struct config_pair shovels[CONFIG_PAIRS_MAX]; /* up to the first with an empty name */
    char decoder_passphrase[CONFIG_TEXT_MAX], decoder_cipher[CONFIG_TEXT_MAX], decoder_hash[CONFIG_TEXT_MAX];
    int64_t decoder_iterations;
    struct config_pair secrets[CONFIG_SECRETS_MAX]; /* encrypted values until config_check() */
    size_t secret_count;
    char warnings[CONFIG_WARNINGS_MAX][CONFIG_TEXT_MAX * 2];
    size_t warning_count;
    char errors[CONFIG_ERRORS_MAX][CONFIG_TEXT_MAX * 2]; /* of all lines and assignments; not config_check()'s */
    size_t error_count;
    char origins[CONFIG_ORIGINS_MAX][CONFIG_TEXT_MAX];
    uint16_t origin_count;
    struct config_place place;                   /* of the line that is being read */
    struct config_place places[CONFIG_KEYS_MAX]; /* where each key of the table was set last */
};

void config_init(struct config *c); /* defaults */
int config_load(struct config *c, const char *path, struct err *err);
/* A file with what stands beside it (conf.d, enabled_plugins, as RabbitMQ has it), or a folder's *.conf in order. */
int config_load_path(struct config *c, const char *path, struct err *err);
/* What RabbitMQ's variables of the environment say. Before the files, which count more. */
int config_environment(struct config *c, struct err *err);
/* The files that RABBITMQ_CONFIG_FILE and RABBITMQ_CONFIG_FILES name; *found: there was one. */
int config_load_environment_files(struct config *c, bool *found, struct err *err);
int config_parse(struct config *c, struct slice text, const char *origin, struct err *err);
int config_set(struct config *c, const char *assignment, struct err *err); /* "key=value" */
/* A whole number, with RabbitMQ's units of sizes. */
int config_parse_integer(const char *text, int64_t *out);
void config_keep_error(struct config *c, const char *text); /* one more, told with the others */
int config_check(struct config *c, struct err *err); /* what single keys cannot say; fills what follows from others */
/* Puts the file and line in front of an error that names a key: of the first one in it that somebody has set. */
void config_locate(const struct config *c, struct err *err);
/* Of a sample_retention_policies key: "minute" and its like in seconds; 0: no such span. */
unsigned config_sample_span_s(const char *span);
/* Each key with the value that counts, in the order of the table; of a list those that are set. Secrets are
 * asterisks. */
void config_show(const struct config *c, void (*each)(void *arg, const char *name, const char *value), void *arg);
void config_print_keys(FILE *out); /* the table, for people and as an example file */

#endif
