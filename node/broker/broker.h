/* The broker of one shard: where sessions, topology and groups meet.
 *
 * Thread:   its shard. Lifetime: broker_create() .. broker_destroy(). No socket, no clock: time and carriers are given,
 *           so the simulator runs this code as it is.
 * Towards clients it implements node/session/backend.h: channels, their ports, open questions (channel.c, port.c,
 * question.c). Towards groups it is the leader's shell: takes chunks in, carries effects out (host.c, carry.c,
 * load.c), dead-letters (dead_letter.c), and tidies up after nodes that died and queues that were deleted
 * (reap.c). leaders.c knows who leads. */
#ifndef WARREN_NODE_BROKER_BROKER_H
#define WARREN_NODE_BROKER_BROKER_H

#include "node/auth/auth.h"
#include "node/mail/mail.h"
#include "node/meta/meta_machine.h"
#include "node/queue/queue_machine.h"
#include "node/session/session.h"
#include "replication/cluster/placement.h"
#include "replication/group/group.h"

struct broker;
struct broker_connection;

enum {
    BROKER_NODES_MAX = 64,
    BROKER_SHARDS_MAX = 64,                /* a power of two: a port's counter has its shard in its low bits */
    BROKER_CHUNK_SIZE_MAX = 128 << 10,     /* bytes of commands after which a port's chunk is posted at once */
    BROKER_CONNECTION_BYTES_MAX = 8 << 20, /* published by a connection without an answer before it is not read */
    BROKER_TOPOLOGY_WAIT_MS = 2000, /* a change is answered when every connected node applied it, or after this */
    BROKER_ELECTION_MS = 3000, /* a group whose leader was lost counts as led for so long: another one is elected */
    BROKER_RECONCILE_MS = 300, /* after deletes: how soon the leader looks for queues that are gone */
};

struct broker_io {
    void *self;
    void (*post)(void *self, uint16_t shard, struct mail *m); /* to another shard of this node; moves */
    void (*send)(void *self, uint8_t node, struct slice head, const struct part *parts,
                 uint32_t part_count); /* a MAIL_FRAME on this shard's link */
    bool (*connected)(void *self, uint8_t node);
    uint32_t (*peer_epoch)(void *self, uint8_t node); /* 0: never seen */
    void (*epoch_gone)(void *self,
                       uint32_t epoch); /* the cluster gave this node up: the node must take a newer epoch */
    void (*random_bytes)(void *self, void *bytes, size_t size);
    uint64_t (*clock_ms)(void *self); /* wall clock, for x-death's time */
    void (*seed)(void *self,
                 struct buf *items); /* what a new cluster starts with (registry_seed_command()); NULL: nothing */
    void (*ask)(void *self, uint64_t id, struct slice question); /* of an HTTP server; then broker_outside_answered() */
    void (*note)(void *self, int level, const char *line);
};

/* What membership.c needs to know; NULL in broker_params: no controller runs, placement is the configuration's. */
struct membership_params {
    const char *name, *address, *zone; /* of this node, as told to the others */
    const char *tags;                  /* node_tags.*: NAME=VALUE, a line each */
    const char *placement_tag;         /* of the tag that replicas are spread by; empty: by zone */
    const uint8_t *data_id;            /* MEMBER_DATA_ID_SIZE */
    uint16_t level;                    /* of this program: LEVEL_NOW */
    const struct placement *founding;  /* of the configuration; node_count 0: this node joins */
    const char *const *addresses;      /* of the founders, by node id */
};

struct broker_params {
    uint8_t node;
    uint32_t epoch;
    uint16_t shard, shard_count;
    uint32_t group_count; /* the meta group included */
    struct topology *topology;
    const struct broker_io *io;
    const struct session_settings *session_settings;
    uint32_t node_timeout_ms;         /* a node silent for so long is declared down: its ports close */
    uint64_t disconnected_timeout_ms; /* its consumers go earlier, of queues without a time of their own; 0: no */
    uint64_t question_timeout_ms;     /* a question without an answer for so long gets 541 */
    const char *const *local_users;   /* they may log in from loopback addresses only; ends with NULL; NULL: none */
    bool open_to_all;                 /* no users: for the simulator */
    const struct membership_params *membership;
    bool drop_acks; /* planted bug, for the simulator only */
};

struct broker *broker_create(const struct broker_params *params);
void broker_destroy(struct broker *b);

/* Makes a group of this shard known. machine: the queue machine, or for group 0 the meta machine. */
void broker_add_group(struct broker *b, struct group *group, struct store *store, struct queue_machine *queues,
                      struct meta_machine *meta, struct effects *effects);

/* Before the group is closed; it does not lead. */
void broker_remove_group(struct broker *b, uint32_t group);

/* --- from the group's shell --- */
void broker_leading(struct broker *b, uint32_t group, uint64_t term, bool leads);
void broker_effects(struct broker *b, uint32_t group);
/* The meta machine changed this shard's topology (shard 0), or a sibling's mail did. */
void broker_topology_applied(struct broker *b, uint64_t index, struct slice command);

/* --- carriers' other end --- */
void broker_mail(struct broker *b, struct mail *m); /* from a sibling; moves */
void broker_frame(struct broker *b, uint8_t node, struct blob *blob, uint32_t offset, uint32_t size);
void broker_node_up(struct broker *b, uint8_t node, uint32_t epoch);
void broker_node_down(struct broker *b, uint8_t node, bool dead);

/* --- the turn --- */
void broker_turn(struct broker *b, uint64_t now_ms); /* posts chunks, offers waiting ones, deadlines */
bool broker_has_work(const struct broker *b);        /* chunks or mail that another broker_turn() would move */
uint64_t broker_deadline_ms(const struct broker *b);

/* --- connections --- */
struct broker_connection *broker_connection_open(struct broker *b);
void broker_connection_hide(struct broker_connection *c); /* a conversation of this process: its login is not counted */
const struct backend *broker_connection_backend(struct broker_connection *c);
void broker_connection_attach(struct broker_connection *c, struct session *session, void (*touched)(void *arg),
                              void *arg);                  /* touched: the session got an event */
void broker_connection_close(struct broker_connection *c); /* channels were closed by the session */
bool broker_connection_congested(const struct broker_connection *c);
/* The session's output is below its high water mark, and was not or broker_connection_behind(): receipts may go. */
void broker_connection_drained(struct broker_connection *c);
bool broker_connection_behind(const struct broker_connection *c); /* deliveries in hand were not receipted */

/* --- what others ask: the management port --- */
struct broker_changed {
    uint16_t reply_code; /* 0: done */
    bool created;
    const char *text; /* why not; borrowed for the call */
};
/* A change of the topology that no channel asks for, neither a queue's declare nor delete. `done` is called once:
 * when it is applied on every reachable node, refused, or had no answer in time (541). */
void broker_change(struct broker *b, const struct topology_command *command,
                   void (*done)(void *arg, const struct broker_changed *changed), void *arg);
/* A name and a password, as a client would log in. */
bool broker_login(struct broker *b, struct slice user, struct slice password, bool loopback);
struct auth *broker_auth(struct broker *b);
bool broker_may_come(const struct broker *b, struct slice user, bool loopback);
/* An HTTP server's word, good for so long; and that the asker with this id may go on. */
void broker_outside_learn(struct broker *b, const uint8_t key[AUTH_OUTSIDE_KEY_SIZE], enum auth_word word,
                          struct slice tags, uint64_t keep_ms);
void broker_outside_answered(struct broker *b, uint64_t id);
enum auth_word broker_outside_find(const struct broker *b, struct slice question, struct slice *tags);
uint8_t broker_leader(const struct broker *b, uint32_t group); /* node; 0: unknown */
/* Whether clients may be told that the group is served: a leader is known, or was until a moment ago (a leadership that
 * changes hands is no reason to send clients away). */
bool broker_group_is_led(const struct broker *b, uint32_t group);
/* The port by which a channel talks to a group: what the group's consumers are known by. 0: none. */
uint64_t broker_channel_port(const struct broker_connection *c, uint16_t channel, uint32_t group);
/* Who should lead a group, of those who may: 0: nobody is known, or wanted. */
uint8_t broker_preferred_leader(const struct broker *b, uint32_t group);
/* Replicas that have to move before all is where placement wants it; 0 also where that is not known (shard 0 of the
 * meta leader knows). */
uint32_t broker_moves_open(const struct broker *b);
bool broker_settled(const struct broker *b); /* the leader of the meta group knows: nothing moves, nor will */
/* Replicas that a group should have, be there nodes for them or not; on the leader of the meta group, else 0. */
uint32_t broker_wanted_replicas(const struct broker *b, uint32_t group);
uint64_t broker_login_count(const struct broker *b, bool succeeded); /* attempts by password */
struct login_sources *broker_login_sources(struct broker *b);        /* the same, by where they came from */
bool broker_ready(const struct broker *b); /* every group has a leader, and the cluster has been set up */
struct topology *broker_topology(struct broker *b);
/* The topology names this process: it holds all that the cluster had decided before this node was (re)started. */
bool broker_topology_is_caught_up(const struct broker *b);
struct queue_machine *broker_queues(struct broker *b,
                                    uint32_t group); /* NULL if the group is not on this shard and node */
struct group *broker_group(struct broker *b, uint32_t group);

#endif
