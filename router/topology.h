/* The topology: vhosts, exchanges, bindings and the list of queues, changed only by commands of the meta group.
 *
 * Every shard of every node holds a copy and applies the same commands in the same order. Deterministic and pure.
 * Thread: the owner's shard. Records are borrowed: they live until the next topology_apply(). */
#ifndef WARREN_ROUTER_TOPOLOGY_H
#define WARREN_ROUTER_TOPOLOGY_H

#include "base/buf.h"
#include "base/err.h"
#include "base/reader.h"

struct topology;
struct vhost;

enum { TOPOLOGY_NAME_MAX = 255, TOPOLOGY_TEXT_MAX = 512 };
enum {
    EXCHANGE_WINDOW_MAX =
        1 << 20, /* keys that an x-message-deduplication exchange remembers, whatever x-cache-size says */
    EXCHANGE_HISTORY_LENGTH = 20,   /* messages of an x-recent-history exchange by default ... */
    EXCHANGE_HISTORY_MAX = 1 << 16, /* ... and at most */
};

struct exchange {
    struct slice vhost;
    struct slice name;
    struct slice type; /* topology_knows_exchange_type() */
    bool durable, auto_delete, internal;
    struct slice arguments; /* field table without its length, as declared */
};

struct queue_record {
    uint64_t id;    /* never used again */
    uint32_t group; /* where it lives */
    struct slice vhost;
    struct slice name;
    bool durable, exclusive, auto_delete;
    uint64_t owner;         /* exclusive: the connection (a port_id-like number); else 0 */
    struct slice arguments; /* field table without its length, as declared */
};

struct binding {
    struct slice vhost;
    struct slice source;
    struct slice destination;
    bool to_exchange;
    struct slice routing_key;
    struct slice arguments;
};

/* --- commands (codec in topology_command.c; logged inside COMMAND_TOPOLOGY; docs/formats/topology.md) --- */
enum topology_command_type {
    TOPOLOGY_EXCHANGE_DECLARE = 1,
    TOPOLOGY_EXCHANGE_DELETE,
    TOPOLOGY_QUEUE_DECLARE,
    TOPOLOGY_QUEUE_DELETE, /* by id or by name; the machine's side is emptied before */
    TOPOLOGY_BIND,
    TOPOLOGY_UNBIND,
    TOPOLOGY_OWNERS_GONE, /* deletes the exclusive queues of one connection, or of a node's with an epoch up to this */
    TOPOLOGY_SET,         /* an item of the registry: registry.h */
    TOPOLOGY_CLEAR,
    TOPOLOGY_SEED,
    TOPOLOGY_MEMBERS, /* members.h */
    TOPOLOGY_ALIVE,   /* lives.h */
};
struct topology_command {
    uint8_t type;
    struct slice vhost;
    struct slice name; /* exchange or queue; bind: destination; set, clear: the item */
    struct slice kind; /* exchange type; set, clear: registry_kind_word() */
    bool durable, exclusive, auto_delete, internal, if_unused, to_exchange;
    bool compares_labels;     /* QUEUE_DECLARE: of a queue that is there, arguments without effect count, too */
    uint64_t connection;      /* the caller, for exclusive queues; also the owner of a new one; OWNERS_GONE: the one */
    uint64_t queue_id;        /* QUEUE_DELETE: 0 = by name */
    uint32_t group;           /* QUEUE_DECLARE: one that the declarer prefers; 0: none (topology_group_for()) */
    struct slice source;      /* bind; set, clear: the item's detail */
    struct slice routing_key; /* bind */
    struct slice arguments;   /* field table; set: JSON; seed: commands */
    uint8_t node;             /* OWNERS_GONE, ALIVE */
    uint32_t epoch;
};
void topology_command_encode(struct buf *b, const struct topology_command *c);
bool topology_command_decode(struct slice bytes, struct topology_command *c);

/* The outcome: reply_code 0 is success; else AMQP's code and RabbitMQ's text ("PRECONDITION_FAILED - inequivalent arg
 * ..."). */
struct topology_result {
    uint16_t reply_code;
    bool created;      /* declare: it was not there before */
    bool renewed;      /* declare: it is of the time before a restart of all, and this keeps it (lives.h) */
    uint64_t queue_id; /* queue declare and delete */
    uint32_t group;
    char text[TOPOLOGY_TEXT_MAX];
};

/* group_count: queue groups besides the meta group, for the choice of a group. A new topology has the vhost "/" with
 * its pre-declared exchanges. */
struct topology *topology_create(uint32_t group_count);
/* ... and groups above them, for queues that want another number of replicas than usual (replicas.h). */
struct topology *topology_create_with_spare(uint32_t group_count, uint32_t spare_count);
void topology_destroy(struct topology *t);

/* Applies a command; `index` is its Raft index. A command that is refused changes nothing and is refused in the same
 * words on every replica. */
void topology_apply(struct topology *t, uint64_t index, const struct topology_command *c,
                    struct topology_result *result);
/* What apply would answer, changing nothing: lets a session answer a re-declare or an error without a commit. */
void topology_examine(struct topology *t, const struct topology_command *c, struct topology_result *result);
uint64_t
topology_index(const struct topology *t); /* of the last command that was not refused: equal copies have equal ones */
uint64_t topology_version(const struct topology *t); /* grows whenever a route may change; never 0 */

/* --- lookups; NULL when absent --- */
bool topology_knows_exchange_type(struct slice type);
/* The queue group that keeps what an exchange keeps: decided by its name, 1 to the number of groups. */
uint32_t topology_home_group(const struct topology *t, struct slice vhost, struct slice exchange);
bool topology_keeps_history(const struct topology *t, struct slice vhost,
                            struct slice exchange); /* there is one that does */
bool topology_has_vhost(const struct topology *t, struct slice vhost);
const struct exchange *topology_exchange(const struct topology *t, struct slice vhost, struct slice name);
const struct queue_record *topology_queue(const struct topology *t, struct slice vhost, struct slice name);
const struct queue_record *topology_queue_by_id(const struct topology *t, uint64_t id);
uint64_t topology_last_queue_id(const struct topology *t); /* the highest ever given; ids are not used again */
/* The group with the fewest queues, the lowest number among equals; of those that fit (NULL: all), no spare ones.
 * 0: none fits. */
uint32_t topology_emptiest_group(const struct topology *t, bool (*fits)(void *arg, uint32_t group), void *arg);
uint32_t topology_group_queues(const struct topology *t, uint32_t group); /* how many live there */
size_t topology_queue_count(const struct topology *t);                    /* without those of direct reply-to */
/* A queue behind a consumer of direct reply-to. Clients take it for a name and no queue: no limit counts it, no policy
 * concerns it, no list shows it. */
bool topology_is_reply_queue(struct slice name);
size_t topology_exchange_count(const struct topology *t);
/* Walks in a fixed order (by id / by vhost and name); start with *cursor = 0; NULL at the end. */
const struct queue_record *topology_next_queue(const struct topology *t, uint64_t *cursor);
const struct exchange *topology_next_exchange(const struct topology *t, uint64_t *cursor);
/* Walks bindings (the implicit ones to "" are not listed); false at the end. */
bool topology_next_binding(const struct topology *t, uint64_t *cursor, struct binding *binding);
/* Exclusive queues of a connection; start with *cursor = 0. */
const struct queue_record *topology_next_owned(const struct topology *t, uint64_t connection, uint64_t *cursor);

/* --- manifest --- */
void topology_encode(const struct topology *t, struct buf *b);
int topology_restore(struct topology *t, struct slice bytes, struct err *err); /* replaces everything, or nothing */
void topology_reset(struct topology *t);                                       /* as topology_create() gave it */
uint64_t topology_digest(const struct topology *t);
bool topology_check(const struct topology *t, struct err *err);

#endif
