/* A shard: one thread, one libuv loop, and everything born on it: connections, sessions, groups, log, links. No lock
 * guards any of that. The heartbeat is turn.c: read it first.
 *
 * Thread:   the functions of a running shard are its own thread's, except those ending in `_any`.
 * Lifetime: shard_open() (blocking: recovers log and groups) .. shard_start() .. shard_stop_any(), shard_join() ..
 * shard_close(). */
#ifndef WARREN_NODE_SHARD_SHARD_H
#define WARREN_NODE_SHARD_SHARD_H

#include "base/err.h"
#include "node/auth/certificate.h"
#include "node/broker/broker.h"
#include "node/logger/logger.h"
#include "node/session/session.h"
#include "replication/cluster/placement.h"
#include "replication/sys/fs_counted.h"

struct shard;
struct node;
struct net_entrance;
struct tls_context;

enum {
    SHARD_RING_CAPACITY = 4096,    /* mails on their way between two shards; beyond, the sender stops reading sockets */
    SHARD_STOP_TRANSFER_MS = 3000, /* how long a planned stop tries to hand leaderships over */
    SHARD_STOP_CLIENTS_MS = 1000,  /* how long it waits for clients to read their close */
};

/* What all shards of a node share; constant while they run. */
struct outside;

struct node_settings {
    uint8_t node;
    const char *name;
    const char *data_dir;
    uint16_t shard_count;
    struct placement placement;
    struct session_settings session;
    const char *zone;          /* machines that share a fate; empty: unknown */
    const char *tags;          /* node_tags.*: NAME=VALUE, a line each */
    const char *placement_tag; /* replicas are spread by this one; empty: by zone */
    uint8_t data_id[16];
    const char *join[2];        /* addresses of members to ask; NULL: none */
    const char *cluster_listen; /* NULL: alone */
    const char *peers[64];      /* address by node id; NULL: none */
    const uint8_t *secret;
    size_t secret_size;
    uint32_t election_timeout_ms, heartbeat_ms, node_timeout_ms;
    uint64_t disconnected_timeout_ms;       /* 0: consumers of a silent node go with it */
    uint64_t disk_free_limit, memory_limit; /* bytes, at the start (node_limit_any()); 0: no alarm */
    uint64_t memory_total;                  /* of the machine */
    uint64_t log_file_size, log_bytes_max, log_cache_size, checkpoint_log_bytes, transfer_rate;
    const struct net_entrance *entrances;                     /* by AMQP listener */
    struct tls_context *link_listener_tls, *link_dialler_tls; /* NULL: links are plain */
    struct certificate_login certificate_login;
    uint32_t tls_handshake_timeout_ms;
    uint64_t vhost_max; /* from so many on, none is made through this node; 0: no limit */
    /* What a new cluster starts with; empty user: none. */
    const char *default_vhost, *user, *password, *default_tags;
    const char *default_permissions[AUTH_PERMISSION_COUNT];
    struct outside *outside;                    /* users that an HTTP server knows; NULL: none */
    const struct auth_defaults *vhost_defaults; /* what each new vhost begins with */
    struct auth_password_rules password_rules;
    const char *const *local_users; /* they may log in from loopback addresses only; ends with NULL */
    struct logger *logger;
};

int shard_open(struct shard **out, struct node *node, const struct node_settings *settings, uint16_t id, uint32_t epoch,
               struct err *err);
void shard_start(struct shard *s);
void shard_stop_any(struct shard *s); /* hand over, close clients with 320, sync, leave the thread */
void shard_join(struct shard *s);
void shard_close(struct shard *s);

/* Runs `call` on the shard's thread and waits for it. For the HTTP thread and for signals; never from a shard. */
void shard_call_any(struct shard *s, void (*call)(struct shard *s, void *arg), void *arg);

/* Gives a client's socket that the listener accepted, or a peer's connection, to a shard. From any shard's thread of
 * this node. */
void shard_give_client(struct shard *from, uint16_t to, int fd, unsigned listener);
void shard_give_link(struct shard *from, uint16_t to, int fd, struct slice hello);

/* --- on its thread --- */
/* Questions to other nodes, by shard 0's links. The events come on shard 0; slices are borrowed. */
enum { SHARD_ANSWER_CONGESTION = 1 << 20 /* bytes towards a peer beyond which answers wait: replication goes first */ };
struct question_events {
    void *self;
    void (*asked)(void *self, uint8_t node, uint64_t id, struct slice question);
    void (*answered)(void *self, uint8_t node, uint64_t id, bool last, struct slice part);
    void (*gone)(void *self, uint8_t node); /* its link broke: it answers no more */
};
void shard_on_questions(struct shard *s, const struct question_events *events);
bool shard_ask(struct shard *s, uint8_t node, uint64_t id, struct slice question); /* false: not linked */
enum question_outcome { QUESTION_SENT, QUESTION_LATER, QUESTION_NOBODY };
enum question_outcome shard_answer(struct shard *s, uint8_t node, uint64_t id, bool last, struct slice part);
/* A client of this process, at the other end of a socket pair (node/http/conversation.h): it counts as local, and is
 * neither listed nor counted. Takes the descriptor over. */
void shard_open_conversation(struct shard *s, int fd, bool trusted /* session_trust() */);
/* The same for the local end of a link between clusters, which is trusted (session_trust()). */
void shard_open_link(struct shard *s, int fd);
enum alarm { ALARM_DISK = 1, ALARM_MEMORY = 2 };
uint8_t shard_alarms(const struct shard *s, uint8_t node); /* of a node, as last heard */
const char *alarm_reason(const struct shard *s);           /* NULL: publishers are free */
struct broker *shard_broker(struct shard *s);
uint16_t shard_id(const struct shard *s);
struct uv_loop_s *shard_loop(struct shard *s);
uint64_t shard_now_ms(const struct shard *s);
bool shard_stopping(const struct shard *s);
bool shard_peer_connected(const struct shard *s, uint8_t node);
/* The members' ids, rising; before the first start's leader wrote them down: the configuration's. At least one. */
uint32_t shard_members(const struct shard *s, uint8_t nodes[static 64]);
/* Where a group's replicas belong; returns how many. */
uint32_t shard_replicas(struct shard *s, uint32_t group, uint8_t nodes[static GROUP_MEMBERS_MAX]);
bool shard_drains(const struct shard *s); /* this node is draining or leaving: it should lead nothing */
const char *shard_node_name(const struct shard *s, uint8_t node); /* "unknown" while it was never met */
const struct node_settings *shard_settings(const struct shard *s);

struct shard_connection_info {
    struct session_info session;
    const struct session *handle; /* for its channels and consumers */
    const struct broker_connection *broker;
    const char *local;
    uint64_t bytes_in, bytes_out, connected_at_ms;
};
/* Walks the clients; false at the end. Start with *cursor = 0. */
/* A cursor stays good while clients come and go: a walk may go on in another call. */
bool shard_next_connection(struct shard *s, uint64_t *cursor, struct shard_connection_info *info);
/* Closes it with 320 and this reason ("Closed via management plugin"); `name` as listed. False: there is none. */
/* What connections published that are gone; a walk must end within the call. False at the end. */
bool shard_next_closed_exchange(const struct shard *s, size_t *cursor, struct slice *vhost,
                                struct session_exchange_info *info);
bool shard_close_connection(struct shard *s, struct slice name, struct slice reason);
size_t shard_connection_count(const struct shard *s);

unsigned shard_busy_any(const struct shard *s); /* thousandths of the last seconds that its thread was at work */

/* Why a connection was made to wait. */
enum shard_wait {
    WAIT_UNANSWERED, /* too much that it published has no answer: its queues are slow */
    WAIT_SHARDS,     /* another shard does not keep up with the mail of this one */
    WAIT_READER,     /* it does not read what it gets: deliveries to it pause */
    SHARD_WAITS
};
struct shard_figures {
    uint64_t connections_opened, connections_closed, logins_failed, logins_succeeded;
    struct session_stats closed; /* what connections did that are closed */
    uint64_t log_bytes, log_syncs;
    uint64_t files[FS_COUNTS];   /* enum fs_count: log and segments */
    struct store_figures stores; /* all together */
    uint64_t waits[SHARD_WAITS]; /* by cause: how often */
};
void shard_figures(const struct shard *s, struct shard_figures *f);
void shard_store_figures(const struct shard *s, uint32_t group, struct store_figures *f); /* zeros: it is not here */

#endif
