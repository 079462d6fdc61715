/* What a queue remembers of the messages that came, so that a repeat is dropped: which keys it holds, what exchanges
 * that deduplicate let through, and how far each producer has got. Part of the replicated state: a repeat is a repeat
 * after a change of leader, and after a restart of the whole cluster.
 *
 * Lifetime: made for the first message that brings such marks, gone with its queue. Pure. */
#ifndef WARREN_NODE_QUEUE_DEDUP_H
#define WARREN_NODE_QUEUE_DEDUP_H

#include "node/queue/command.h"
#include "node/queue/recall.h"

enum {
    DEDUP_WINDOW_MAX = 1 << 20,    /* keys in one window, whatever is asked for */
    DEDUP_EXCHANGES_MAX = 64,      /* windows of one queue; the one that was used least recently goes */
    DEDUP_PRODUCERS_MAX = 1 << 14, /* of one queue; the one that was heard least recently goes */
};

struct dedup_exchange {
    struct list link;
    struct slice name;    /* owned; "" is the queue's own window */
    struct recall window; /* value: ms from which the key is new again; UINT64_MAX: never */
};

struct dedup {
    struct list exchanges; /* least recently used first */
    size_t exchange_count;
    struct recall producers; /* value: the highest sequence; least recently heard first */
    struct recall held;      /* value: the place of the message that has the key */
    struct map_u64 places;   /* the same, by place */
};

struct dedup *dedup_create(void);
void dedup_destroy(struct dedup *d); /* NULL is fine */

/* True: the queue has seen it. Changes nothing. `windowed`: it came through the exchange's window. */
bool dedup_knows(const struct dedup *d, const struct queue_settings *s, const struct enqueue_marks *m, bool windowed,
                 uint64_t now_ms);
/* The queue took it, at this place. */
void dedup_note(struct dedup *d, const struct queue_settings *s, const struct enqueue_marks *m, bool windowed,
                uint64_t place, uint64_t now_ms);
void dedup_gone(struct dedup *d, uint64_t place); /* the message there leaves the queue */
size_t dedup_count(const struct dedup *d);        /* keys and producers */

void dedup_encode(const struct dedup *d, struct buf *b);
struct dedup *dedup_decode(struct reader *r); /* r->failed: damaged, and NULL */

static inline uint64_t dedup_place(uint8_t level, uint64_t number)
{
    return (uint64_t)level << 56 | number;
}

#endif
