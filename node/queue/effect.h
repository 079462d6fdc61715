/* Effects: what a machine asks the outside to do after an apply. Plain data in one growing array per group and turn;
 * carried out by the leader only. Each is safe to repeat, and whoever waits for one asks again (HELLO).
 *
 * Ownership: parts in effects borrow from the machine's messages; the list holds one reference per distinct blob
 * (effects_add_* takes it), dropped by effects_clear(). Thread: the group's shard. */
#ifndef WARREN_NODE_QUEUE_EFFECT_H
#define WARREN_NODE_QUEUE_EFFECT_H

#include "base/blob.h"
#include "base/slice.h"
#include "replication/store/store.h"

enum effect_type {
    EFFECT_APPLIED = 1,  /* port: every command up to `number` was applied */
    EFFECT_REFUSED,      /* port: the publish `number` was refused (overflow, queue gone); comes before its APPLIED */
    EFFECT_DELIVER,      /* port: a message for a consumer (or a get: consumer 0) */
    EFFECT_REPLY,        /* port: the reply to command `number` */
    EFFECT_CANCELLED,    /* port: this consumer is gone because its queue is, or (a: ms) held a message for too long */
    EFFECT_RESYNC,       /* port: a chunk did not follow; send again from `number` + 1 */
    EFFECT_GONE,         /* port: the group does not know this port (any more) */
    EFFECT_SETTLED,      /* port: of its deliveries up to `number` those up to `dseq` that are not settled follow */
    EFFECT_DEAD_LETTER,  /* broker: publish this to the queue's dead-letter exchange, then COMMAND_DEAD_LETTERED */
    EFFECT_QUEUE_UNUSED, /* broker: an auto-delete queue lost its last consumer, or x-expires ran out: delete it */
    EFFECT_TOPOLOGY,     /* meta group, on EVERY replica: this topology command was applied at `number` = index */
};

enum reply_code {
    REPLY_OK = 0,
    REPLY_EMPTY,     /* get: nothing ready */
    REPLY_NOT_FOUND, /* no such queue in the group */
    REPLY_EXCLUSIVE, /* attach: an exclusive consumer holds the queue, or others are there */
    REPLY_IN_USE,    /* delete if-unused */
    REPLY_NOT_EMPTY, /* delete if-empty */
    REPLY_INVALID,   /* bytes that are no command: only a peer's fault */
    REPLY_REFUSED,   /* topology: `text` says why, `a` is AMQP's reply code */
};

enum dead_letter_reason {
    DEAD_REJECTED = 0,
    DEAD_EXPIRED = 1,
    DEAD_MAXLEN = 2,
    DEAD_DELIVERY_LIMIT = 3,
    /* Not dead. `text`: counted vhost, counted exchange */
    DEAD_DUE = 4,     /* an exchange kept it back, and its delay is over: it goes on from there */
    DEAD_HISTORY = 5, /* an earlier message for a new binding: to queue `a`, or, if that is 0, to the exchange */
};

struct effect {
    uint8_t type; /* enum effect_type */
    uint8_t code; /* enum reply_code or enum dead_letter_reason */
    bool redelivered;
    uint32_t consumer;
    uint64_t port;
    uint64_t number; /* command number, dead-letter number, topology index; deliver: the message's place in its queue */
    uint64_t dseq;
    uint64_t queue;
    uint64_t a, b; /* reply: counts (ready, consumers) or topology results; deliver: a = ready messages left in the
                      queue (get-ok), b = delivery count */
    struct part content;      /* deliver, dead letter: encoded content; .blob NULL: it lies in a segment ... */
    struct location location; /* ... here. topology: content is the command's bytes */
    struct slice text;        /* reply, dead letter: borrowed until effects_clear() */
};

struct effects {
    struct effect *items;
    size_t count;
    size_t capacity;
    struct blob **blobs; /* one reference each */
    size_t blob_count;
    size_t blob_capacity;
};

void effects_init(struct effects *e);
void effects_clear(struct effects *e); /* keeps the arrays */
void effects_close(struct effects *e);
struct effect *effects_add(struct effects *e, uint8_t type, uint64_t port); /* zeroed; valid until the next add */
void effects_hold(struct effects *e, struct blob *blob);                    /* keeps the blob alive until clear */
struct slice effects_text(struct effects *e, struct slice text);            /* copies; alive until clear */

#endif
