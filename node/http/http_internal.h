/* Inside the management port: what its files share.
 *
 * A request runs on a thread of its own (libmicrohttpd's). It looks at shards through each_shard() and slices of
 * shard_call_any(), and changes things as any client would: in a conversation in AMQP (conversation.h) or by a change
 * of the registry. One file per family of paths; route_table.c names them all. */
#ifndef WARREN_NODE_HTTP_HTTP_INTERNAL_H
#define WARREN_NODE_HTTP_HTTP_INTERNAL_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "node/auth/sources.h"
#include "node/http/http.h"
#include "node/http/stream.h"
#include "node/http/view.h"

struct MHD_Connection;
struct MHD_Daemon;

enum {
    HTTP_CAPTURES_MAX = 8, /* {names} in a pattern */
    HTTP_QUERY_MAX = 16,   /* options that one request is asked for */
    HTTP_BACKLOG = 128,    /* of HTTPS; the plain port has libmicrohttpd's */
    HTTP_THREAD_STACK = 512 << 10,
    HTTP_STRANGER_BODY_MAX = 64 << 10, /* bytes of a body before its sender is known; the rest is not kept */
    HTTP_SLICE = 256, /* records that one call on a shard walks over: it must not hold up the shard's clients */
};

struct guesses;
struct lobby;
struct peers;
struct sampler;
struct telemetry;
struct request;
struct answer;

struct http {
    struct http_params params;
    struct peers *peers;
    struct boot *boot; /* NULL: no definitions to load */
    struct sampler *sampler;
    struct telemetry *telemetry;              /* what scrapes cost */
    _Atomic(const struct http_links *) links; /* NULL: not told yet */
    /* Logins since start: attempts on this port, and what was counted of AMQP's when somebody reset them. */
    atomic_ullong logins_failed, logins_succeeded;
    atomic_ullong amqp_failed_before, amqp_succeeded_before;
    struct MHD_Daemon *local;   /* NULL: no socket of this machine */
    struct MHD_Daemon *metrics; /* NULL: no port of metrics alone */
    /* Requests ask for these while ports are still being opened. */
    pthread_mutex_t sources_lock;
    struct login_sources sources; /* attempts on this port; guarded by the lock */
    struct guesses *guesses;      /* the same */
    struct lobby *lobby;          /* connections of all ports but the local one */
    atomic_bool closing;
    _Atomic(struct MHD_Daemon *) daemon; /* NULL: no plain port */
    _Atomic(struct https *) https;       /* NULL: no port with TLS */
    char address[128];
};

/* server.c: a daemon on the address, or on a listening socket (else -1), with what TLS needs;
 * NULL: it cannot listen. */
struct MHD_OptionItem;
struct sockaddr_storage;
struct MHD_Daemon *http_start(struct http *h, const struct sockaddr_storage *address, int listener,
                              struct MHD_OptionItem *more, bool tls);

/* headers.c */
struct MHD_Response;
void headers_add(const struct request *r, const struct answer *a, struct MHD_Response *response);

/* https.c */
int https_open(struct http *h, struct err *err);
void https_reload(struct https *s, bool all);
int64_t https_not_after(struct https *s); /* seconds since 1970 */
void https_close(struct https *s);

/* What a path needs of its caller. An administrator has them all, and each includes TAG_MANAGEMENT. */
enum http_tag { TAG_NONE, TAG_MANAGEMENT, TAG_POLICYMAKER, TAG_MONITORING, TAG_ADMINISTRATOR };

enum http_method { HTTP_GET, HTTP_PUT, HTTP_POST, HTTP_DELETE, HTTP_METHODS };

struct caller {
    char *user, *password; /* owned */
    uint32_t tags;         /* bits 1 << enum http_tag */
    json_t *vhosts;        /* those that it may enter, as members of an object; NULL: not looked at yet */
};

struct request {
    struct http *http;
    struct MHD_Connection *connection;
    enum http_method method;
    const struct route_entry *entry; /* that the path fits; NULL: none, or not looked for yet */
    const char *pattern;             /* its */
    struct caller caller;
    enum { LOGIN_NOT_TRIED, LOGIN_REFUSED, LOGIN_DONE } login;
    uint32_t refused_after_ms;                /* how long the no to its login waits */
    struct slice captures[HTTP_CAPTURES_MAX]; /* the path's {names}, decoded, in the order of the pattern */
    struct query {
        const char *name;
        char *value; /* owned */
    } query[HTTP_QUERY_MAX];
    unsigned query_count;
    char *path;       /* owned; the captures lie in it; NULL: not looked at yet, or not ours */
    struct buf bytes; /* the body as it came */
    json_t *body;     /* an object; an empty one when there was no body */
    struct view view;
    bool looked_at; /* routes_look() was called */
    bool too_large;
    bool trusted;      /* it is the node's own: nobody asks for rights */
    bool local;        /* it came by the socket of this machine */
    bool metrics_only; /* it came on the port that knows nothing but metrics */
};

/* An answer under construction; the server sends and frees it. */
struct answer {
    unsigned status;
    const char *content_type;
    const char *allow; /* 405 and OPTIONS: the methods */
    bool challenge;    /* 401: say how to log in */
    bool page;         /* a file of the page: it may load nothing from elsewhere */
    char *location;    /* owned */
    struct buf body;
    struct stream_source stream; /* .self not NULL: instead of the body */
};

/* --- answer.c --- */
void answer_json(struct answer *a, json_t *value); /* moves the value */
void answer_error(struct answer *a, unsigned status, const char *error, const char *reason);
void answer_bad(struct answer *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
void answer_not_found(struct answer *a);
void answer_empty(struct answer *a, unsigned status);
void answer_done(struct answer *a, bool created); /* 201 or 204 */

/* --- json_amqp.c: AMQP's things as JSON and back --- */
json_t *json_slice(struct slice text);        /* bytes that are not UTF-8 become U+FFFD */
json_t *json_table(struct slice field_table); /* an AMQP field table as an object */
json_t *json_number(uint64_t value);
/* An object as a field table without its length, appended. False: it nests too deep, or a key is too long. */
bool table_of_json(struct buf *table, const json_t *object);
struct slice slice_json(const json_t *text); /* borrows; empty when it is no string */
/* Sets a member whose name may be any text. Moves the value. */
void json_put(json_t *object, const char *name, json_t *value);

/* --- server.c --- */
/* What follows the question mark; `name` must be a constant. NULL: not given. */
const char *request_query(struct request *r, const char *name);
bool request_flag(struct request *r, const char *name); /* ?name=true */
/* All values of an option that may come several times, with commas between. */
void request_query_all(struct request *r, const char *name, char *text, size_t size);

const char *request_header(const struct request *r, const char *name); /* NULL: not given */

/* --- routes.c --- */
/* What is asked for, when the head is there. */
void routes_look(struct request *r, const char *method, const char *path);
bool routes_know_caller(struct request *r); /* who may send more than HTTP_STRANGER_BODY_MAX */
void routes_answer(struct request *r, const char *method, struct answer *a);
struct slice http_unescape(char *text, size_t size); /* %XX, in place */

/* --- fields.c: members of a request's body --- */
/* The members that are missing, as RabbitMQ lists them: answers 400 and false. `names` ends with NULL. */
bool body_requires(const struct request *r, const char *const *names, struct answer *a);
/* false or true, or the words; else 400 and false. */
bool body_bool(const struct request *r, const char *name, bool otherwise, bool *out, struct answer *a);
/* The table in "arguments", appended. */
bool body_table(const struct request *r, const char *name, struct buf *table, struct answer *a);
struct slice body_text(const struct request *r, const char *name, const char *otherwise);
/* Longer texts do not fit AMQP's short strings. */
bool name_fits(struct slice name, struct answer *a);

/* --- listing.c: ?columns, sort, page and name of a list --- */
struct listing {
    const char *columns, *sort, *name;
    char *name_kept; /* owned */
    bool reverse, paged;
    long page, page_size;
    struct pattern *pattern; /* ?use_regex */
};
bool listing_open(struct listing *l, struct request *r, struct answer *a); /* false: answered 400 */
/* A listing that only chooses by a pattern; an empty pattern wants all. False: answered 400. */
bool listing_of_pattern(struct listing *l, struct request *r, struct slice pattern, struct answer *a);
bool listing_wants(const struct listing *l, struct slice name);
/* Sorts by ?sort, or by the comma separated `order`; cuts out the page and the columns; moves `items`. `total`: how
 * many there were before listing_wants(). Closes the listing. */
void listing_answer(struct listing *l, json_t *items, size_t total, const char *order, struct answer *a);
/* For lists that are sorted before they are JSON: which of `count` items the page shows. False: answered 400. */
bool listing_cut(const struct listing *l, size_t count, size_t *from, size_t *shown, struct answer *a);
/* Those items, in their order; moves, and closes the listing. */
void listing_answer_cut(struct listing *l, json_t *items, size_t count, size_t total, struct answer *a);
void listing_close(struct listing *l);
/* The whole answer, with whatever the caller asked of the list; moves `items`. `named` heeds ?name= too. */
void listing_answer_all(struct request *r, json_t *items, const char *order, struct answer *a);
void listing_answer_named(struct request *r, json_t *items, const char *order, struct answer *a);
/* Drops what has not this text at `object`.`member` (object NULL: at the top); text.data NULL: nothing. Gives
 * `items`. */
json_t *listing_keep(json_t *items, const char *object, const char *member, struct slice text);
json_t *listing_sort(json_t *items, const char *order); /* moves; by comma separated members */
json_t *columns_of(json_t *item, const char *columns);  /* new; the whole item when columns is NULL */

/* --- shards.c --- */
/* Who is who, as shard 0 knows it. */
enum { NODE_IDS = 64 };
struct members {
    char *names[NODE_IDS]; /* by node id; NULL when it is no member */
    bool up[NODE_IDS];     /* linked, or this node */
};
void members_open(struct http *h, struct members *m);
void members_close(struct members *m);
uint32_t members_count(struct http *h);
/* --- on the shard's thread --- */
/* A member's name, also when it was never met since this node started; "unknown" if nobody told it. */
const char *member_name(struct shard *s, uint8_t node);
/* Runs `call` on each shard in turn, with `arg`. */
void each_shard(struct http *h, void (*call)(struct shard *s, void *arg), void *arg);
bool vhost_exists(struct http *h, struct slice vhost);

/* --- caller.c --- */
bool caller_check(struct request *r, const char *user, const char *password);
bool caller_login(struct request *r); /* fills r->caller; false: nobody we know. Tried once */
bool caller_has(const struct request *r, enum http_tag tag);
bool caller_monitors(const struct request *r);           /* sees connections of others, too */
bool caller_sees(struct request *r, struct slice vhost); /* whether lists show what is in there */
json_t *caller_filter(struct request *r, json_t *items); /* moves; without those of vhosts not seen */
bool vhost_answer(struct request *r, struct slice vhost, struct answer *a); /* false: answered 404 or 401 */
/* What `find` gives, of the vhost in the path, which must be there and seen. New; NULL: answered. */
json_t *find_or_answer(struct request *r, json_t *(*find)(struct request *r), struct answer *a);

/* --- families --- */
/* A health check's outcome; `details` moves, NULL: none. */
void check_passed(struct answer *a);
void check_failed_because(struct answer *a, json_t *details, const char *reason);
struct slice exchange_name_of(struct slice segment); /* "amq.default" is "" */
/* The exchange or queue of the first two captures exists; false: answered. */
bool exchange_answer(struct request *r, struct answer *a);
bool queue_answer(struct request *r, struct answer *a);

typedef void request_handler(struct request *r, struct answer *a);
request_handler api_overview_get, api_whoami_get, api_version_get, api_extensions_get, api_cluster_name_get;
request_handler api_nodes_list, api_node_get, api_node_memory, api_node_memory_relative;
request_handler api_connections_list, api_connections_of_vhost, api_connections_of_user, api_connections_of_user_delete,
    api_connection_get, api_connection_delete;
request_handler api_channels_list, api_channels_of_vhost, api_channels_of_connection, api_channel_get;
request_handler api_consumers_list;
request_handler api_exchanges_list, api_exchange_get, api_exchange_put, api_exchange_delete, api_exchange_publish,
    api_exchange_bindings_source, api_exchange_bindings_destination;
request_handler api_queues_list, api_queues_detailed, api_queue_get, api_queue_put, api_queue_delete, api_queue_purge,
    api_queue_bindings, api_queue_messages_get, api_queue_actions;
request_handler api_replica_add, api_replica_delete, api_replicas_grow, api_replicas_shrink, api_queue_status,
    api_queue_leader;
request_handler api_bindings_list, api_bindings_between_list, api_binding_post, api_binding_get, api_binding_delete;
request_handler api_shovels_list, api_shovel_get, api_shovel_delete, api_shovel_restart;
request_handler api_federation_links_list, api_federation_links_down, api_federation_link_restart;
request_handler api_metrics_get, api_metrics_per_object, api_metrics_detailed, api_metrics_memory, api_health_get;
request_handler api_vhosts_list, api_vhost_get, api_vhost_put, api_vhost_delete, api_vhost_protect, api_vhost_unprotect,
    api_vhost_start;
request_handler api_users_list, api_users_without_permissions, api_users_bulk_delete, api_user_get, api_user_put,
    api_user_delete, api_hash_password;
request_handler api_permissions_list, api_permissions_of_vhost, api_permissions_of_user, api_permission_get,
    api_permission_put, api_permission_delete;
request_handler api_topic_permissions_list, api_topic_permissions_of_vhost, api_topic_permissions_of_user,
    api_topic_permission_get, api_topic_permission_put, api_topic_permission_delete;
request_handler api_vhost_limits_list, api_vhost_limit_put, api_vhost_limit_delete;
request_handler api_user_limits_list, api_user_limit_put, api_user_limit_delete;
request_handler api_policies_list, api_policy_get, api_policy_put, api_policy_delete;
request_handler api_operator_policies_list, api_operator_policy_get, api_operator_policy_put,
    api_operator_policy_delete;
request_handler api_parameters_list, api_parameter_get, api_parameter_put, api_parameter_delete;
request_handler api_global_parameters_list, api_global_parameter_get, api_global_parameter_put,
    api_global_parameter_delete;
request_handler api_definitions_get, api_definitions_post, api_definitions_check;
request_handler api_check_alarms, api_check_local_alarms, api_check_port, api_check_protocol, api_check_certificates,
    api_check_vhosts, api_check_quorum_critical, api_check_mirror_critical, api_check_in_service, api_check_ready,
    api_check_connection_limit, api_check_cluster_size, api_check_metadata, api_check_metadata_with_data,
    api_check_leaderless_queues, api_check_node, api_aliveness_test;
request_handler api_members_list, api_groups_list, api_member_drain, api_member_revive, api_member_leave,
    api_member_forget;
request_handler api_cluster_name_put, api_rebalance, api_reset, api_login, api_auth_get, api_auth_attempts,
    api_auth_attempts_by_source, api_auth_attempts_reset, api_feature_flags_list, api_feature_flag_enable,
    api_deprecated_features_list, api_deprecated_features_used, api_effective_config, api_cli_index, api_rabbitmqadmin;
request_handler api_log_get, api_log_levels_get, api_log_levels_put, api_log_rotate, api_limits_get, api_limits_put,
    api_listeners_act, api_stop, api_node_reset, api_exchange_route;
request_handler page_index_get, page_file_get;

/* Sums over one node; of queues, those of the groups that it leads: so nodes add up to the cluster. */
struct totals {
    uint64_t publishers;                      /* channels that have published */
    uint64_t logins_failed, logins_succeeded; /* by AMQP */
    uint64_t queues, exchanges, connections, channels, consumers, ready, unacked;
    uint64_t queues_led;
    struct queue_stat queue;    /* of all queues led together; id: how many */
    struct session_stats stats; /* of all connections since the node started */
    uint64_t connections_opened, connections_closed, log_bytes, log_syncs;
    uint64_t files[FS_COUNTS]; /* enum fs_count */
    uint64_t topology_changes; /* entries of the meta group */
    struct store_figures stores;
    uint64_t waits[SHARD_WAITS];           /* of clients, by cause */
    struct group_figures groups;           /* of all replicas */
    struct queue_machine_figures machines; /* of all replicas; timers and postponed of those led */
    uint64_t groups_led;
    bool disk_alarm, memory_alarm; /* of this node */
};
void totals_gather(struct http *h, struct totals *t);
json_t *nodes_everywhere(struct request *r); /* new: an object per member of the cluster */
/* attempts.c */
struct sockaddr;
/* Of this port. Gives how long a no shall wait, in milliseconds. */
uint32_t attempts_note(struct http *h, const struct sockaddr *from, const char *user, bool welcome);
void attempts_put(json_t *o, struct http *h, const struct totals *t);
json_t *attempts_sources(struct http *h);  /* of this node, by where they came from; new */
void about_put(json_t *o, struct http *h); /* about.c: ports, plugins, files of this node */
json_t *exchange_types_json(void);
void exchange_stats_put(struct request *r, json_t *exchanges); /* message_stats, of those that have any */
json_t *cluster_name_json(struct http *h);
/* Of all nodes that are in touch. */
json_t *connections_seen(struct request *r);
json_t *consumers_of_queue(struct request *r, struct slice vhost, struct slice name);

uint64_t process_resident_bytes(void);
uint64_t process_open_files(void);
uint64_t process_files_max(void);
uint64_t disk_free_bytes(const char *path);

#endif
