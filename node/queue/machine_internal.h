/* Inside the queue machine: what its files share. */
#ifndef WARREN_NODE_QUEUE_MACHINE_INTERNAL_H
#define WARREN_NODE_QUEUE_MACHINE_INTERNAL_H

#include "base/check.h"
#include "base/mem.h"
#include "node/queue/dedup.h"
#include "node/queue/page.h"
#include "node/queue/port_table.h"
#include "node/queue/queue_machine.h"

struct machine_port;

struct consumer {
    struct machine_port *port;
    struct queue *queue;
    uint32_t id;
    uint8_t flags;
    uint32_t prefetch;
    int32_t priority;
    uint32_t unacked;
    uint64_t timeout_ms;    /* of an ack, if no queue's setting goes before it; 0: none */
    uint64_t oldest_ms;     /* nothing it holds went out before */
    struct slice tag;       /* owned */
    struct list queue_link; /* queue.consumers: by priority, then round robin */
    struct list port_link;  /* machine_port.consumers */
};

/* A message that waits in its slot for its next try. */
struct delayed {
    uint64_t at_ms;
    uint64_t number;
    uint8_t level;
};

struct queue {
    uint64_t id;
    struct queue_settings settings; /* slices owned */
    struct level **levels;          /* level_count of them, by priority, NULL until used */
    unsigned level_count;
    uint64_t ready, unacked, ready_bytes, unacked_bytes, dead_pending;
    struct queue_counts counts;
    uint64_t free_ms, blocked_ms, counted_ms; /* capacity.c */
    struct list consumers;
    uint32_t consumer_count;
    struct consumer *active; /* single active consumer */
    struct consumer *exclusive;
    bool blocked; /* no consumer can take more: set by a vain search, cleared when one can again */
    bool stirred; /* in queue_machine.stirred */
    bool had_consumers, unused_told;
    uint64_t expiring;       /* messages with a TTL */
    struct delayed *delayed; /* heap, the next one that is due on top */
    size_t delayed_count, delayed_capacity;
    uint64_t delayed_bytes;
    struct dedup *dedup;    /* NULL: nothing to remember */
    uint64_t used_ms;       /* x-expires counts from here */
    uint64_t timeout_at_ms; /* no consumer has held a message for too long before; UINT64_MAX: none will */
    uint64_t timer_ms;      /* earliest time in the heap for this queue; 0: none */
};

/* Unacked deliveries of a port by dseq, in chunks, so that one old delivery keeps its chunk and no more. */
enum { UNACKED_CHUNK = 256 };
struct unacked_item {
    uint64_t queue;
    uint64_t number;
    uint64_t delivered_ms;
    uint32_t consumer; /* 0: a get */
    uint8_t level;
    bool live;
};
struct unacked_chunk {
    uint32_t live;
    struct unacked_item items[UNACKED_CHUNK];
};

/* A consumer that the group cancelled. Kept, because the effect that says so may be lost with a leader. */
enum { PORT_CANCELLED_KEPT = 64 /* the newest of a port */ };
struct cancelled {
    uint32_t consumer;
    uint64_t timeout_ms; /* 0: its queue went */
};

struct machine_port {
    struct port_base base;
    uint64_t next_dseq; /* of the next delivery; the first is 1 */
    uint32_t limit;
    uint64_t unacked;
    uint64_t held;         /* of them by consumers: what the limit counts; a get's message is not */
    struct map_u64 chunks; /* dseq / UNACKED_CHUNK -> struct unacked_chunk */
    uint64_t oldest_chunk; /* no lower one exists */
    struct list consumers;
    uint32_t *window_sizes; /* ring by dseq: content sizes of what is not received */
    uint32_t window_capacity;
    uint64_t window_from; /* dseq up to which sizes were taken off */
    uint64_t window_bytes;
    struct cancelled *cancelled; /* oldest first */
    uint32_t cancelled_count;
};

/* A message that is to be published by the leader's shell; also, before, one that an exchange keeps back. */
struct dead_letter_record {
    uint64_t number; /* 0 while it is kept back */
    uint64_t queue;  /* that it left; 0: none */
    uint64_t due_ms; /* kept back: until then; in the order of serials */
    uint64_t serial;
    uint64_t target;              /* DEAD_HISTORY: a queue, or 0 */
    struct slice vhost, exchange; /* DEAD_DUE, DEAD_HISTORY: where it goes on; owned, one block */
    struct slice targets;         /* le64 ids of the queues that have refused it; owned; empty: by its route */
    uint8_t reason;
    bool gone; /* only a running checkpoint still holds it */
    struct stored content;
    uint32_t pending;
    struct list link; /* queue_machine.dead, rising numbers */
};

/* In manifests: a dead letter with targets; one among what is kept back that is tried again. */
enum { DEAD_AIMED = 0x80 };
#define POSTPONED_AGAIN (UINT64_C(1) << 63)

struct history {
    struct slice vhost, exchange; /* owned, one block */
    struct list messages;         /* struct dead_letter_record, as they came */
    size_t count;
    struct list link; /* queue_machine.histories, as they were first used */
};

struct timer {
    uint64_t at_ms;
    uint64_t queue;
};

/* A content that the running checkpoint stores; `before` is where it was, `after` where it will be. */
struct pending_content {
    struct page *page; /* NULL: a dead letter */
    uint16_t offset;   /* of the slot within the page's numbers */
    struct dead_letter_record *dead;
    struct location before, after;
};

struct queue_machine {
    uint32_t group;
    struct store *store;
    struct port_table ports;
    struct map_u64 queues;
    struct queue **order; /* by id */
    size_t queue_count, order_capacity;
    struct queue *last; /* found last */
    uint64_t now_ms;
    uint64_t dead_number;
    struct list dead;
    struct dead_letter_record **postponed; /* heap, the next one that is due on top */
    size_t postponed_count, postponed_capacity;
    uint64_t postponed_serial;
    struct list histories;
    uint64_t *stirred; /* ids of queues that something came back to, or whose consumers changed, in this command */
    size_t stirred_count, stirred_capacity;
    struct timer *timers; /* heap */
    size_t timer_count, timer_capacity;
    uint64_t *due; /* ids of queues whose time is up, in this run of timers */
    size_t due_count, due_capacity;
    struct pending_content *pending;
    size_t pending_count, pending_capacity;
    struct page **indexed; /* pages whose index the running checkpoint writes */
    size_t indexed_count, indexed_capacity;
    struct queue_machine_figures figures; /* what is counted; the rest is looked up */
};

/* queue.c */
struct queue *queue_find(struct queue_machine *m, uint64_t id);
struct queue *queue_make(struct queue_machine *m, uint64_t id);
void queue_set(struct queue *q, const struct queue_settings *s);
void queue_drop(struct queue_machine *m, struct queue *q, struct effects *effects); /* cancels, releases, frees */
struct level *queue_level(struct queue *q, uint8_t level); /* made when it is used for the first time */
/* The next ready message: highest level first. */
bool queue_front(struct queue_machine *m, struct queue *q, uint8_t *level, uint64_t *number, struct slot **slot);
void queue_used(struct queue_machine *m, struct queue *q);

/* A message leaves its slot. */
static inline void queue_forget(struct queue *q, uint8_t level, uint64_t number)
{
    if (q->dedup) dedup_gone(q->dedup, dedup_place(level, number));
}

/* capacity.c: how much of the time consumers could take messages. Not part of the state. */
void capacity_block(struct queue_machine *m, struct queue *q, bool blocked); /* sets q->blocked */
double capacity_of(const struct queue_machine *m, const struct queue *q);

/* enqueue.c */
void enqueue(struct queue_machine *m, struct machine_port *port, const struct command *command, struct part chunk,
             struct effects *effects);

/* Brings a queue that drops its head down to its maximum length: what would be delivered next goes first. */
void drop_heads(struct queue_machine *m, struct queue *q, struct effects *effects);

/* deliver.c */
struct consumer *next_consumer(const struct queue *q); /* whose turn it is; NULL: nobody can take more */
void pump(struct queue_machine *m, struct queue *q, struct effects *effects);
void port_may_take_more(struct queue_machine *m, struct machine_port *port, struct effects *effects);
/* A queue of other ports' consumers, too, may have to be looked at: noted now, pumped at the end of the command. */
void stir(struct queue_machine *m, struct queue *q);
void trim_stirred(struct queue_machine *m, struct effects *effects); /* what came back may be too much */
void pump_stirred(struct queue_machine *m, struct effects *effects);
void emit_delivery(struct queue_machine *m, struct machine_port *port, uint64_t dseq, const struct unacked_item *item,
                   struct effects *effects);
uint64_t hand_out(struct queue_machine *m, struct queue *q, struct machine_port *port, struct consumer *consumer,
                  uint8_t level, uint64_t number, struct slot *slot);

/* consumer.c */
void attach(struct queue_machine *m, struct machine_port *port, const struct command *command, struct effects *effects);
void detach(struct queue_machine *m, struct machine_port *port, const struct command *command, struct effects *effects);
void consumer_remove(struct queue_machine *m, struct consumer *c, struct effects *effects);
void consumer_free(struct consumer *c); /* out of its lists, nothing else */
void consumer_tell_cancelled(struct consumer *c, uint64_t timeout_ms, struct effects *effects);
void consumer_keep_cancelled(struct machine_port *port, struct cancelled what);
struct consumer *consumer_find(struct machine_port *port, uint32_t id);
void consumer_insert(struct queue *q, struct consumer *c);
void choose_active(struct queue *q); /* the first of the highest priority */

/* settle.c */
void settle(struct queue_machine *m, struct machine_port *port, const struct command *command, struct effects *effects);
void settle_range(struct queue_machine *m, struct machine_port *port, uint64_t first, uint64_t last, uint8_t outcome,
                  struct effects *effects);
struct unacked_item *unacked_add(struct machine_port *port, uint64_t dseq);
struct unacked_item *unacked_next(struct machine_port *port, uint64_t *dseq); /* the next above *dseq, or NULL */
struct unacked_item *unacked_at(struct machine_port *port, uint64_t dseq);
void window_add(struct machine_port *port, uint64_t dseq, uint32_t size);
void window_received(struct machine_port *port);

/* history.c */
struct history *history_make(struct queue_machine *m, struct slice vhost, struct slice exchange);
void history_append(struct history *h, struct dead_letter_record *d);
void history_keep(struct queue_machine *m, struct slice vhost, const struct enqueue_store *store,
                  const struct stored *content);
bool history_bind(struct queue_machine *m, const struct command_history *c, struct effects *effects);
void history_forget(struct queue_machine *m, const struct command_history *c);
void histories_clear(struct queue_machine *m);

/* retry.c */
void retry_push(struct queue *q, struct delayed item);
uint64_t retry_time(const struct queue *q); /* UINT64_MAX: nothing waits */
/* How long a message that just came back waits; 0: it is ready at once. `failed`: the client could not cope with it or
 * went away; else it gave it back. */
uint64_t retry_delay(const struct queue *q, const struct slot *slot, bool failed);
void retry_later(struct queue_machine *m, struct queue *q, uint8_t level, uint64_t number, struct slot *slot,
                 uint64_t delay_ms);
void retry_due(struct queue_machine *m, struct queue *q); /* stirs the queue if anything got ready */
void retry_all(struct queue_machine *m, struct queue *q); /* due or not */

/* timeout.c */
void consumer_took(struct queue_machine *m, struct consumer *c); /* a delivery, counted already */
void consumers_watch(struct queue_machine *m, struct queue *q);  /* the timeouts may have changed */
void consumers_time_out(struct queue_machine *m, struct queue *q, struct effects *effects);

/* The consumer is cancelled; what it held goes back with this outcome, as if the client had settled it. */
void consumer_give_up(struct queue_machine *m, struct consumer *c, uint64_t timeout_ms, uint8_t outcome,
                      struct effects *effects);

/* disconnected.c */
void node_silent(struct queue_machine *m, const struct command_node_silent *s, struct effects *effects);

/* expire.c */
enum { EXPIRE_PAGES_MAX = 64 /* pages that one run of the timers looks through */ };
void timer_restore(struct queue_machine *m, struct queue *q, uint64_t at_ms);
void timers_run(struct queue_machine *m, struct effects *effects);
void timer_set(struct queue_machine *m, struct queue *q);
uint64_t timer_next(const struct queue *q); /* when something of the queue is due; UINT64_MAX: never */

/* dead_letter.c */
/* Takes a message out of its queue: to the dead letters if the queue has an exchange for them, else away. It is ready,
 * or was unacked and is in no count any more. */
void bury(struct queue_machine *m, struct queue *q, uint8_t level, uint64_t number, struct slot *slot, uint8_t reason,
          struct effects *effects);
void bury_content(struct queue_machine *m, struct queue *q, struct stored content, uint8_t reason,
                  struct effects *effects);
uint64_t dead_letters_from(const struct queue_machine *m, uint64_t queue); /* how many wait for their targets' word */
void dead_lettered(struct queue_machine *m, const struct command *command, struct effects *effects);
void dead_letter_again(struct queue_machine *m, const struct command *command);
void dead_letter_aim(struct dead_letter_record *d, struct slice targets); /* copies */
void dead_letter_append(struct queue_machine *m, struct dead_letter_record *d,
                        struct effects *effects);                                               /* numbers it */
void dead_letter_name(struct dead_letter_record *d, struct slice vhost, struct slice exchange); /* copies */
void dead_letter_free(struct queue_machine *m, struct dead_letter_record *d);

/* postponed.c */
enum { POSTPONED_DUE_MAX = 4096 /* that one run of the timers sends on */ };
void postpone(struct queue_machine *m, struct slice vhost, const struct enqueue_store *store,
              const struct stored *content);
void postpone_again(struct queue_machine *m, struct dead_letter_record *d, uint64_t after_ms);
void postponed_restore(struct queue_machine *m, struct dead_letter_record *d);
void postponed_due(struct queue_machine *m, struct effects *effects);
uint64_t postponed_time(const struct queue_machine *m); /* UINT64_MAX: nothing waits */

/* checkpoint.c, restore.c */
void machine_checkpoint(void *self, struct checkpoint *c);
void machine_checkpoint_done(void *self, bool durable);
int machine_restore(void *self, struct slice manifest, struct err *err);

/* digest.c, check.c */
uint64_t machine_digest(void *self);
bool machine_check(void *self, struct err *err);

/* commands.c */
void machine_command(void *machine, struct port_base *base, const struct command *command, struct part chunk,
                     struct effects *effects);

/* queue_machine.c */
struct port_base *machine_port_create(void *machine);
void machine_clear(struct queue_machine *m, bool release);

#endif
