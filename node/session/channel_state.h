/* Inside node/session only: what a channel knows, part by part. Each part belongs to the file that is named above it.
 *
 * Lifetime: all of it from channel_open() to channel_free(). */
#ifndef WARREN_NODE_SESSION_CHANNEL_STATE_H
#define WARREN_NODE_SESSION_CHANNEL_STATE_H

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "node/amqp/frame.h"
#include "node/amqp/properties.h"
#include "node/session/counts.h"
#include "node/session/session.h"

enum {
    SESSION_CONSUMERS_MAX = 65536,        /* of one channel */
    SESSION_PUBLISHES_MAX = 65536,        /* of one channel without an answer; above, the input waits */
    SESSION_PUBLISH_BYTES_MAX = 64 << 20, /* their bodies together */
    SESSION_TX_BYTES_MAX = 64 << 20,      /* what a channel holds until tx.commit, with its bookkeeping */
    SESSION_CONTENT_KEPT_MAX = 1 << 20,   /* bytes of a content buffer that a channel keeps for its next message */
    SESSION_OUTSIDE_KEPT_MS = 1000,       /* how long a channel goes on publishing by an HTTP server's word */
    SETTLE_RUNS = 16,                     /* groups whose settlements are gathered side by side */
};

/* --- channel_acks.c: deliveries that the client holds unacked, and settlements on their way out --- */

struct unacked_entry {
    uint64_t tag;
    uint64_t dseq;
    uint32_t group;
    uint16_t counts; /* counts_queue() */
    bool counted;    /* a consumer's: basic.qos with global counts it */
    bool settled;    /* taken out of order; goes when it reaches the front or at the next compaction */
};

/* Ascending by tag, from `head` to `tail`. Tags are nearly dense, so an entry is found by
 * subtraction, else by halving. */
struct unacked {
    struct unacked_entry *entries;
    size_t head, tail, capacity;
    size_t live;
};

/* Neighbouring dseqs of a group with the same outcome, not told to the broker yet. */
struct settle_run {
    uint32_t group;
    uint8_t outcome;
    bool open;
    uint64_t first, last;
};

/* --- channel_confirms.c: publishes without an answer --- */

enum publish_state { PUBLISH_WAITING, PUBLISH_DONE, PUBLISH_REPORTED };

struct pending_publish {
    uint32_t published_ms; /* low bits of the session's clock */
    uint32_t bytes;
    int16_t remaining; /* groups that have not answered; below zero while publish() runs and answers came first */
    uint8_t state;     /* enum publish_state */
    bool refused;      /* one group said no, or none answered in time */
    uint16_t exchange; /* counts_exchange() */
};

/* A ring by tag: `first` is the oldest that the client (or, without confirms, the bookkeeping) waits for. Tags count
 * from 1 over the channel's life; the client's sequence number is tag - base. */
struct confirms {
    struct pending_publish *ring;
    size_t capacity; /* a power of two, or 0 */
    uint64_t first, next;
    uint64_t base;
    uint64_t bytes;
    bool enabled;    /* confirm.select was seen */
    uint64_t *early; /* answered before their elders, since the last turn */
    size_t early_count, early_capacity;
};

/* --- channel_publish.c: content on its way in, and the route of the last message --- */

enum content_state { CONTENT_NONE, CONTENT_HEADER, CONTENT_BODY };

struct publishing {
    uint8_t state; /* enum content_state */
    bool mandatory;
    bool owned; /* the slices point into `store`; else into the input of this call */
    bool held;  /* complete, and waiting for a refresh of the topology */
    struct slice exchange, routing_key, properties;
    uint64_t body_size;
    struct slice body; /* what is there of it */
    struct buf store;
};

/* A checked message and its way. Slices and route are borrowed. */
struct outgoing {
    const struct route *route; /* empty: unroutable */
    struct publish publish;
    bool mandatory;
};

struct route_memory {
    uint64_t version; /* topology_version() it is good for; 0: empty */
    uint8_t exchange_size, key_size;
    uint8_t exchange[AMQP_SHORTSTR_MAX];
    uint8_t key[AMQP_SHORTSTR_MAX];
    struct route route;
    uint64_t random; /* the last message's, for what is left to chance; 0: not drawn yet */
};

/* --- channel_rights.c: the exchange that the channel was last allowed to publish to --- */

struct write_right {
    uint64_t version;  /* registry_version() it is good for; 0: empty */
    uint64_t until_ms; /* an HTTP server's word is not good for ever; UINT64_MAX: the registry's */
    bool topics;       /* the user has rules for routing keys there */
    uint8_t size;
    uint8_t exchange[AMQP_SHORTSTR_MAX];
};

/* --- channel_tx.c: what waits for tx.commit --- */

struct tx_settle {
    uint64_t tag;
    uint64_t dseq;
    uint32_t group;
    uint16_t counts;
    bool counted;
    uint8_t outcome;
};

struct tx {
    bool selected;             /* tx.select was seen */
    bool refused;              /* committing: a publish was refused */
    uint64_t first;            /* committing: the first publish's tag */
    size_t bytes;              /* held, all in all */
    struct list publishes;     /* struct tx_publish, in the client's order */
    struct tx_settle *settles; /* in the client's order */
    size_t settle_count, settle_capacity;
};

/* --- channel_consumers.c, channel_question.c --- */

struct consumer {
    uint32_t id;
    uint32_t group;
    uint64_t queue;
    bool no_ack;
    bool announced; /* consume-ok was sent, or must not be */
    bool identify;  /* x-message-identity: messages without a key for deduplication get one */
    bool detaching; /* basic.cancel is on its way */
    bool exclusive;
    uint16_t prefetch;
    uint16_t counts;        /* counts_queue() */
    struct slice arguments; /* owned; for listings */
    uint8_t tag_size;
    uint8_t tag[];
};

enum question_kind {
    QUESTION_NONE,
    QUESTION_REFRESH,       /* then the held method or publish is run again */
    QUESTION_OUTSIDE,       /* the same, when an HTTP server has said what it thinks */
    QUESTION_QUEUE_DECLARE, /* change or stat */
    QUESTION_QUEUE_DELETE,
    QUESTION_QUEUE_PURGE,
    QUESTION_CHANGE, /* exchange methods and bindings: the answer is the method's -ok */
    QUESTION_ATTACH,
    QUESTION_DETACH,
    QUESTION_GET,
    QUESTION_REPLY_QUEUE, /* the queue behind direct reply-to, before its consumer is attached */
    QUESTION_TX_COMMIT,   /* no question to the broker: answered when all publishes of the transaction are */
};

/* What the channel waits for; one at a time. */
struct question {
    uint8_t kind;
    bool no_wait;
    bool no_ack;       /* get */
    bool delivered;    /* get: the message came */
    unsigned method;   /* amqp_method_number of the asker */
    uint32_t consumer; /* attach, detach */
    uint64_t queue;
    struct buf name; /* of the queue or exchange, for the answer */
    struct buf held; /* refresh: the method's payload */
};

/* A delivery without acks that is settled only when the client has room. */
struct owed {
    uint32_t group;
    uint64_t dseq;
};

enum channel_state { CHANNEL_OPEN, CHANNEL_CLOSING };

struct channel {
    struct session *session;
    struct backend_channel *backend; /* NULL once it was closed there */
    uint16_t number;
    uint8_t state;     /* enum channel_state */
    bool dirty;        /* in session->dirty */
    bool refreshed;    /* the topology was just asked for: judge by it */
    uint16_t prefetch; /* of new consumers */
    uint16_t global_prefetch;
    struct session_stats stats;
    bool limited;     /* basic.qos global is in force */
    uint32_t counted; /* unacked messages of consumers */
    struct list held; /* what came beyond it; oldest first */
    struct counts counts;
    struct list dirty_link;
    uint64_t next_delivery_tag;
    uint32_t next_consumer;
    struct map_u64 consumers;     /* by id */
    struct map_str consumer_tags; /* the same, by tag */
    struct consumer *last_consumer;
    struct unacked unacked;
    struct settle_run runs[SETTLE_RUNS];
    unsigned runs_open;
    struct confirms confirms;
    struct tx tx;
    struct publishing publishing;
    struct route_memory memory;
    struct owed *owed; /* deliveries without acks that the client has no room for; oldest first */
    size_t owed_count, owed_capacity;
    struct write_right write_right;
    struct question question;
    uint8_t last_queue_size; /* the last queue declared, for empty names */
    uint8_t last_queue[AMQP_SHORTSTR_MAX];
    uint32_t reply_consumer; /* the consumer of direct reply-to; 0: none */
    struct buf reply_queue;  /* its queue's name */
};

#endif
