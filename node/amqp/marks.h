/* What in a message's headers steers the broker besides CC and BCC: deduplication, a producer's sequence, delay.
 *
 *     x-deduplication-header   any plain value: which message this is, for exchanges and queues that deduplicate
 *     x-cache-ttl              ms for which the exchange remembers it
 *     x-producer-id            text or integer ...
 *     x-producer-sequence      ... and an integer from 0 on: each queue drops what is not above the producer's last one
 *     x-delay                  ms, for exchanges of type x-delayed-message
 *     x-recent-history-no-store  true: exchanges of type x-recent-history forget it
 *
 * Pure; any thread; no allocation. Values of other types are as good as absent, as with RabbitMQ's plugins. */
#ifndef WARREN_NODE_AMQP_MARKS_H
#define WARREN_NODE_AMQP_MARKS_H

#include "base/slice.h"

enum { AMQP_MARK_SIZE_MAX = 128 /* bytes of a key or producer; of a longer one its type and hashes stand for it */ };
#define AMQP_DELAY_MS_MAX INT64_C(4294967295) /* a longer delay is none, as in RabbitMQ's plugin */

struct amqp_mark {
    uint8_t size; /* 0: there is none */
    uint8_t bytes[AMQP_MARK_SIZE_MAX];
};

struct amqp_marks {
    struct amqp_mark key;
    uint64_t key_ttl_ms; /* 0: not given */
    struct amqp_mark producer;
    uint64_t sequence; /* when there is a producer */
    uint64_t delay_ms; /* 0: none */
    bool no_store;
};

/* `headers`: a table without its length, validated. False: nothing of all this is in it. */
bool amqp_marks_find(struct slice headers, struct amqp_marks *marks);

static inline struct slice amqp_mark_slice(const struct amqp_mark *m)
{
    return m->size ? slice_of(m->bytes, m->size) : slice_of(NULL, 0);
}

#endif
