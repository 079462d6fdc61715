/* The queue machine: every queue of one group, with its messages, consumers and what is unacked. Deterministic.
 *
 * Thread:   the group's shard. Lifetime: queue_machine_create() .. destroy(). Source of semantics: RabbitMQ 3.13.
 *
 * A message keeps its number within its queue and priority level; pages of PAGE_SLOTS slots hold the numbers' states;
 * pages that are wholly ready, never delivered and stored in a segment are paged out to a descriptor (page.h). */
#ifndef WARREN_NODE_QUEUE_QUEUE_MACHINE_H
#define WARREN_NODE_QUEUE_QUEUE_MACHINE_H

#include "node/queue/effect.h"
#include "replication/machine.h"

enum {
    PORT_WINDOW_MESSAGES = 2048, /* deliveries sent to a port above what it has received */
    PORT_WINDOW_BYTES = 4 << 20, /* and their bytes; one message may always go */
};

struct queue_machine;
struct command_node_silent;

struct queue_machine *queue_machine_create(uint32_t group, struct store *store);
void queue_machine_destroy(struct queue_machine *m);
struct machine queue_machine_as_machine(struct queue_machine *m);

/* --- reads of the applied state, for the leader's shell and for listings --- */

/* Answers a port's HELLO into `effects`: GONE; or a WELCOME as REPLY/REFUSED/APPLIED effects for what the port may have
 * missed (last reply, refused numbers, applied number, cancelled consumers) followed by DELIVER for every unacked
 * dseq above `received`. `known`: the port says that commands of it had been applied before. */
void queue_machine_hello(struct queue_machine *m, uint64_t port, bool known, uint64_t received,
                         struct effects *effects);
/* Repeats EFFECT_DEAD_LETTER for all dead letters that wait, oldest first (a new leader asks), starting after number
 * `after`. */
void queue_machine_dead_letters(struct queue_machine *m, uint64_t after, size_t count_max, struct effects *effects);

/* Repeats EFFECT_QUEUE_UNUSED for the queues that are still there (a new leader asks: the old one may have died
 * with it). */
void queue_machine_unused(struct queue_machine *m, struct effects *effects);

/* COMMAND_NODE_SILENT would take something from the node. */
bool queue_machine_loses(struct queue_machine *m, const struct command_node_silent *silent);

/* Messages that exchanges keep back in this group until their delay is over. */
uint64_t queue_machine_postponed(const struct queue_machine *m);

/* Walks the exchanges whose last messages are kept here; start with *cursor = 0; false at the end. */
bool queue_machine_next_history(const struct queue_machine *m, size_t *cursor, struct slice *vhost,
                                struct slice *exchange);

/* Since this replica started. */
struct queue_counts {
    uint64_t enqueued, redelivered, acked;
    uint64_t delivered, delivered_no_ack; /* `delivered` includes what consumers without acks and gets took */
    uint64_t got, got_no_ack, get_empty;  /* `got` includes those without acks */
    uint64_t read, written;               /* contents that deliveries read from segments, checkpoints wrote there */
};
struct queue_stat { /* nothing but uint64_t: they are added up as arrays */
    uint64_t id;
    uint64_t ready, unacked, ready_bytes, unacked_bytes, consumers, dead_letters_pending;
    uint64_t delayed, delayed_bytes; /* came back and wait for their next try; neither ready nor unacked */
    /* Of ready, unacked and delayed, those whose content is in memory; the others' is in segments only. */
    uint64_t memory, memory_ready, memory_bytes;
    uint64_t held_bytes;        /* estimate: what the queue keeps in memory, all in all */
    uint64_t capacity_permille; /* of the last seconds, in how much consumers could take messages */
    struct queue_counts counts;
};
bool queue_machine_stat(const struct queue_machine *m, uint64_t queue, struct queue_stat *stat);
/* What it was configured with; NULL: no such queue. Borrowed until the next apply. */
const struct queue_settings *queue_machine_settings(const struct queue_machine *m, uint64_t queue);
/* The content of the oldest message that is ready, if it is in memory; else .blob NULL. Borrowed until the next
 * apply. */
struct part queue_machine_head(const struct queue_machine *m, uint64_t queue);
size_t queue_machine_count(const struct queue_machine *m); /* queues */
/* Adds up to `count_max` queues in order of their ids (`id`: how many); start with *cursor = 0; false at the end. */
bool queue_machine_sum(const struct queue_machine *m, uint64_t *cursor, size_t count_max, struct queue_stat *sum);

/* Messages that are ready, by priority; returns how many priorities there are: 1 without x-max-priority, 0: no
 * queue. */
enum { QUEUE_PRIORITIES_MAX = 256 };
unsigned queue_machine_priorities(const struct queue_machine *m, uint64_t queue, uint64_t ready[QUEUE_PRIORITIES_MAX]);

/* What the group counted while it was led here, since it was opened, but for what is said to be now. */
enum { DEAD_LETTER_REASONS = 4 /* the first of enum dead_reason */ };
struct queue_machine_figures {             /* nothing but uint64_t */
    uint64_t dead[2][DEAD_LETTER_REASONS]; /* messages that left so: [0] without an exchange for them, [1] with one */
    uint64_t dead_confirmed;               /* dead letters that their targets have */
    uint64_t repeats;                      /* messages that deduplication dropped */
    uint64_t timers, postponed;            /* now: times that queues wait for; messages that exchanges keep back */
};
void queue_machine_figures(const struct queue_machine *m, struct queue_machine_figures *figures);

/* Walks the queues in order of id; start with *cursor = 0; false at the end. */
bool queue_machine_next(const struct queue_machine *m, uint64_t *cursor, struct queue_stat *stat);

struct consumer_stat {
    uint64_t port;
    uint32_t consumer;
    uint64_t queue;
    struct slice tag;
    uint32_t prefetch, unacked;
    uint8_t flags;
    int32_t priority;
    bool active;
};
bool queue_machine_next_consumer(const struct queue_machine *m, uint64_t queue, uint64_t *cursor,
                                 struct consumer_stat *stat);
/* Calls back each (node, epoch) that has ports here: the leader looks for nodes that are gone. */
void queue_machine_nodes(const struct queue_machine *m,
                         void (*each)(void *arg, uint8_t node, uint32_t epoch_min, uint32_t epoch_max), void *arg);

#endif
