/* Commands: wishes to a group's machine, as plain bytes that are logged (docs/formats/command.md).
 *
 * A port packs the commands of a turn into a chunk:
 *
 *     le32 size (of the whole chunk) | u8 version (1) | u8 flags | le16 zero | le32 count
 *     le64 port | le64 previous (number before the first command) | le64 received (highest dseq the port has in hand)
 *     command ...
 *
 * A command: u8 type | varint size of the payload | payload. The n-th command of a chunk has the number previous + n;
 * in a SPARSE chunk each command starts with a le64 number of its own (rising), and `previous` is the number of the
 * last command sent to this group before. Pure; any thread. */
#ifndef WARREN_NODE_QUEUE_COMMAND_H
#define WARREN_NODE_QUEUE_COMMAND_H

#include "base/blob.h"
#include "base/buf.h"
#include "base/reader.h"

enum { CHUNK_VERSION = 1, CHUNK_HEADER_SIZE = 36, CHUNK_SPARSE = 1 };
#define COMMAND_TIME_MS_MAX UINT64_C(315360000000) /* ten years; of times that are added to a clock */

enum command_type {
    /* queue groups */
    COMMAND_ENQUEUE = 1,       /* a message into one or more queues of the group */
    COMMAND_SETTLE,            /* ack, reject or requeue ranges of dseqs of this port */
    COMMAND_ATTACH,            /* a consumer; replied */
    COMMAND_DETACH,            /* replied; what it holds unacked stays with the port */
    COMMAND_LIMIT,             /* prefetch of the whole port (basic.qos global) */
    COMMAND_GET,               /* one message; a delivery with consumer 0, or an empty reply; replied either way */
    COMMAND_PURGE,             /* replied with the count */
    COMMAND_DELETE,            /* if-unused, if-empty; replied with the count */
    COMMAND_CONFIGURE,         /* creates the queue or changes its settings; replied with ready count and consumers */
    COMMAND_STAT,              /* replied with ready count and consumers */
    COMMAND_CLOSE,             /* the port goes: consumers detach, unacked are requeued */
    COMMAND_RECEIPT,           /* nothing but the chunk's `received` */
    COMMAND_HISTORY_BIND = 15, /* a new binding gets what an x-recent-history exchange kept; replied */
    /* from the system */
    COMMAND_NODE_DOWN = 13,         /* all ports of a node with an epoch up to this one are closed, for ever */
    COMMAND_DEAD_LETTERED,          /* the targets of this dead letter have it: remove the message */
    COMMAND_HISTORY_FORGET = 16,    /* the exchange is gone */
    COMMAND_NODE_SILENT = 17,       /* a node is out of reach: some queues' consumers do not wait for its end */
    COMMAND_DEAD_LETTER_AGAIN = 18, /* targets have refused this dead letter: it waits, and then goes to these alone */
    /* meta group (node/meta): payload is a router/topology_command */
    COMMAND_TOPOLOGY = 64, /* replied */
    COMMAND_NOTHING = 65,  /* a committed round trip ("refresh"); replied */
};

/* A message's content travels and is stored as one run of bytes:
 *     u8 len, exchange | u8 len, routing key | varint len, properties (flags and values, as the client sent them) |
 *     [varint len, blind copies, if CONTENT_HAS_BCC is set in the length before] | body */
#define CONTENT_HAS_BCC (UINT64_C(1) << 32)
struct content {
    struct slice exchange;
    struct slice routing_key;
    struct slice properties;
    struct slice body;
    /* The array of the BCC header, which no consumer sees: dead letters and delayed messages go by it. */
    struct slice bcc;
};
bool content_decode(struct slice bytes, struct content *c);
void content_encode(struct buf *b, const struct content *c);
size_t content_size(const struct content *c);

enum {
    ENQUEUE_PERSISTENT = 1,
    ENQUEUE_MARKED = 2,       /* marks stand before the content */
    ENQUEUE_WHOLE = 4,        /* all of the queues take it, or none */
    ENQUEUE_QUEUES_MAX = 4096 /* queues of one group in one command */
};

/* What a few messages bring along besides content. Slices with data NULL: not there. */
struct enqueue_marks {
    struct slice key;                    /* which message this is, for queues and exchanges that deduplicate */
    uint64_t key_ttl_ms;                 /* how long the exchange's window remembers it; 0: as long as that says */
    struct slice window;                 /* the exchange that deduplicates ... */
    uint32_t windowed;                   /* ... for the first so many of the queues ... */
    uint64_t window_size, window_ttl_ms; /* ... among so many keys, for so long (0: for ever) */
    struct slice producer; /* each queue drops a message whose sequence is not above the producer's last one */
    uint64_t sequence;
    struct slice vhost; /* of the stores */
    uint32_t store_count;
    struct slice stores; /* encoded: enqueue_store_next() */
};

/* An exchange that keeps the message in this group, besides the queues of the command. */
enum enqueue_store_kind {
    ENQUEUE_STORE_DELAY = 1,   /* value: ms until it goes on */
    ENQUEUE_STORE_HISTORY = 2, /* value: messages kept */
};
struct enqueue_store {
    uint8_t kind;
    uint64_t value;
    struct slice exchange;
};
void enqueue_marks_put(struct buf *b, const struct enqueue_marks *m);
bool enqueue_marks_read(struct reader *r, struct enqueue_marks *m);
void enqueue_store_put(struct buf *stores, const struct enqueue_store *s);
bool enqueue_store_next(struct reader *r, struct enqueue_store *s); /* false: the end, or r->failed */

struct command_enqueue {
    uint8_t flags;
    uint8_t priority;       /* 0 when the message has none */
    uint64_t ttl_ms;        /* UINT64_MAX: none */
    uint32_t queue_count;   /* 0 only if there are stores */
    struct slice queue_ids; /* queue_count times le64 */
    struct enqueue_marks marks;
    struct slice content; /* encoded content */
};

enum settle_outcome {
    SETTLE_ACK = 0,
    SETTLE_REJECT = 1,  /* dead-letter or drop */
    SETTLE_REQUEUE = 2, /* given back */
    SETTLE_FAIL = 3,    /* given back because something went wrong; only delayed retry tells the difference */
    SETTLE_UNSEEN = 4,  /* given back by the node: the client has never seen it, so this was no delivery */
};
struct command_settle {
    uint8_t outcome;
    uint64_t first; /* dseq */
    uint64_t last;  /* dseq, inclusive; members already settled are skipped */
};

enum {
    ATTACH_EXCLUSIVE = 1,
    ATTACH_NO_ACK = 2,      /* the session acks; never times out */
    ATTACH_TIMEOUT_OWN = 4, /* timeout_ms is the consumer's own and goes before the queue's */
};
struct command_attach {
    uint64_t queue;
    uint32_t consumer; /* chosen by the port, unique in it, > 0 */
    uint8_t flags;
    uint32_t prefetch; /* unacked messages at once; 0: no limit (the port's receive window still holds) */
    int32_t priority;
    uint64_t timeout_ms; /* of an ack: the consumer's own, or the node's default; 0: none */
    struct slice tag;
};
struct command_detach {
    uint32_t consumer;
};
struct command_limit {
    uint32_t prefetch; /* over all consumers of the port; 0: no limit */
};
struct command_get {
    uint64_t queue;
};
struct command_purge {
    uint64_t queue;
};
enum { DELETE_IF_UNUSED = 1, DELETE_IF_EMPTY = 2 };
struct command_delete {
    uint64_t queue;
    uint8_t flags;
};
struct command_stat {
    uint64_t queue;
};

enum queue_overflow { OVERFLOW_DROP_HEAD = 0, OVERFLOW_REJECT_PUBLISH = 1, OVERFLOW_REJECT_PUBLISH_DLX = 2 };
enum delayed_retry {
    DELAYED_RETRY_DISABLED = 0,
    DELAYED_RETRY_ALL = 1,
    DELAYED_RETRY_FAILED = 2,
    DELAYED_RETRY_RETURNED = 3,
};
enum { QUEUE_NO_LIMIT = -1 };
/* Everything the machine knows of a queue's settings; limits are QUEUE_NO_LIMIT when not set. */
struct queue_settings {
    bool auto_delete;
    bool single_active_consumer;
    bool has_dead_letter_exchange; /* the exchange may be "" */
    uint8_t max_priority;          /* 0: no priorities */
    uint8_t overflow;              /* enum queue_overflow */
    uint8_t delayed_retry;         /* enum delayed_retry: which of the messages that come back wait */
    int64_t message_ttl_ms;
    int64_t expires_ms;
    int64_t max_length;
    int64_t max_length_bytes;
    int64_t delivery_limit;
    int64_t delayed_retry_min_ms;    /* a message that came back for the n-th time waits n times as long ... */
    int64_t delayed_retry_max_ms;    /* ... but no longer than this */
    int64_t consumer_timeout_ms;     /* 0: none; not set: the consumer's */
    int64_t disconnected_timeout_ms; /* consumers of a node that is out of reach for so long go */
    bool deduplicates;               /* drops a message whose key one that it holds has ... */
    int64_t window_size;             /* ... or one of the last so many that it held ... */
    int64_t window_ttl_ms;           /* ... for so long */
    struct slice dead_letter_exchange;
    struct slice dead_letter_routing_key; /* data NULL: keep the message's */
};
struct command_configure {
    uint64_t queue;
    struct queue_settings settings;
};
struct command_history {
    struct slice vhost, exchange;
    uint64_t queue;           /* BIND: where to; 0: to an exchange */
    struct slice destination; /* BIND: its name */
};
struct command_node_down {
    uint8_t node;
    uint32_t epoch; /* ports of the node with an epoch <= this */
};
struct command_node_silent {
    uint8_t node;
    uint32_t epoch;      /* up to this one */
    uint64_t silent_ms;  /* for so long */
    uint64_t timeout_ms; /* of queues without their own; UINT64_MAX: none */
};
struct command_dead_lettered {
    uint64_t first; /* dead-letter numbers, see EFFECT_DEAD_LETTER */
    uint64_t last;
};
struct command_dead_letter_again {
    uint64_t number;
    uint32_t after_ms;
    struct slice targets; /* le64 ids of queues; empty: by its route, as before */
};

void queue_settings_encode(struct buf *b, const struct queue_settings *s);
bool queue_settings_decode(struct reader *r, struct queue_settings *s);

/* --- reading --- */
struct chunk {
    uint32_t size;
    uint8_t flags;
    uint32_t count;
    uint64_t port;
    uint64_t previous;
    uint64_t received;
    struct slice commands;
};
/* False when the bytes are not a whole chunk of a known version. */
bool chunk_decode(struct slice bytes, struct chunk *chunk);

struct command {
    uint8_t type;
    uint64_t number;
    struct slice payload;
};
struct chunk_cursor {
    struct reader reader;
    const struct chunk *chunk;
    uint32_t read;
    bool failed;
};
void chunk_cursor_init(struct chunk_cursor *c, const struct chunk *chunk);
bool chunk_cursor_next(struct chunk_cursor *c, struct command *command); /* false: the end, or c->failed */

bool command_enqueue_decode(struct slice payload, struct command_enqueue *c);
bool command_settle_decode(struct slice payload, struct command_settle *c);
bool command_attach_decode(struct slice payload, struct command_attach *c);
bool command_detach_decode(struct slice payload, struct command_detach *c);
bool command_limit_decode(struct slice payload, struct command_limit *c);
bool command_queue_decode(struct slice payload, uint64_t *queue); /* get, purge, stat */
enum { GET_NO_ACK = 1 /* the session acks; only counted apart */ };
bool command_get_decode(struct slice payload, uint64_t *queue, uint8_t *flags); /* the flags may be missing: 0 */
bool command_delete_decode(struct slice payload, struct command_delete *c);
bool command_configure_decode(struct slice payload, struct command_configure *c);
bool command_history_decode(struct slice payload, struct command_history *c);
bool command_node_silent_decode(struct slice payload, struct command_node_silent *c);
bool command_node_down_decode(struct slice payload, struct command_node_down *c);
bool command_dead_lettered_decode(struct slice payload, struct command_dead_lettered *c);
bool command_dead_letter_again_decode(struct slice payload, struct command_dead_letter_again *c);

/* --- writing --- */
/* A chunk under construction: append commands, then take the blob. No allocation per command. */
struct chunk_writer {
    struct buf bytes;
    uint32_t count;
    uint8_t flags;
};
void chunk_writer_begin(struct chunk_writer *w, uint64_t port, uint64_t previous, uint8_t flags);
/* One more command, whose payload of `size` bytes the caller puts behind. `number`: in a SPARSE chunk only. */
void chunk_writer_begin_command(struct chunk_writer *w, uint64_t number, uint8_t type, size_t size);
bool chunk_writer_empty(const struct chunk_writer *w);
/* Sets size, count and `received`, copies the bytes into a blob with one reference, and empties the writer. */
struct blob *chunk_writer_finish(struct chunk_writer *w, uint64_t received);
void chunk_writer_close(struct chunk_writer *w);

/* Each appends one command. `number` counts only in SPARSE chunks. */
void command_enqueue_encode(struct chunk_writer *w, uint64_t number, uint8_t flags, uint8_t priority, uint64_t ttl_ms,
                            const uint64_t *queues, uint32_t queue_count, const struct content *content);
/* The same with marks; NULL: none. */
void command_enqueue_marked_encode(struct chunk_writer *w, uint64_t number, uint8_t flags, uint8_t priority,
                                   uint64_t ttl_ms, const uint64_t *queues, uint32_t queue_count,
                                   const struct enqueue_marks *marks, const struct content *content);
void command_settle_encode(struct chunk_writer *w, uint8_t outcome, uint64_t first, uint64_t last);
void command_attach_encode(struct chunk_writer *w, const struct command_attach *c);
void command_detach_encode(struct chunk_writer *w, uint32_t consumer);
void command_limit_encode(struct chunk_writer *w, uint32_t prefetch);
void command_queue_encode(struct chunk_writer *w, uint8_t type, uint64_t queue); /* get, purge, stat */
void command_get_encode(struct chunk_writer *w, uint64_t queue, bool no_ack);
void command_delete_encode(struct chunk_writer *w, uint64_t queue, uint8_t flags);
void command_configure_encode(struct chunk_writer *w, const struct command_configure *c);
void command_empty_encode(struct chunk_writer *w, uint8_t type); /* close, receipt, nothing */
void command_history_encode(struct chunk_writer *w, uint8_t type, const struct command_history *c);
void command_node_silent_encode(struct chunk_writer *w, const struct command_node_silent *c);
void command_node_down_encode(struct chunk_writer *w, uint8_t node, uint32_t epoch);
void command_dead_lettered_encode(struct chunk_writer *w, uint64_t first, uint64_t last);
void command_dead_letter_again_encode(struct chunk_writer *w, const struct command_dead_letter_again *c);
void command_topology_encode(struct chunk_writer *w, struct slice topology_command);

#endif
