/* Inside node/session only: the connection, its channels and what they share.
 *
 * A connection is a chain of phases (handshake.c), then a set of channels (channel.c). A channel does one thing at a
 * time: while it waits for an answer of the broker (struct question) its next frame stays in the input and the
 * connection is stalled. */
#ifndef WARREN_NODE_SESSION_INTERNAL_H
#define WARREN_NODE_SESSION_INTERNAL_H

#include <stdio.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "node/amqp/frame.h"
#include "node/amqp/properties.h"
#include "node/amqp/table.h"
#include "node/queue/effect.h"
#include "node/session/counts.h"
#include "node/session/session.h"

enum {
    SESSION_INITIAL_FRAME_MAX = 8192,     /* bytes, before tune-ok; if the settings do not say */
    SESSION_CLOSE_TIMEOUT_MS = 30000,     /* for the client's close-ok */
    SESSION_SILENT_CLOSE_DELAY_MS = 3000, /* before a client that failed to log in loses its socket */
    SESSION_FAREWELL_TIMEOUT_MS = 5000,   /* for the client's exclusive queues to go before close-ok */
    SESSION_CONSUMERS_MAX = 65536,        /* of one channel */
    SESSION_PUBLISHES_MAX = 65536,        /* of one channel without an answer; above, the input waits */
    SESSION_PUBLISH_BYTES_MAX = 64 << 20, /* their bodies together */
    SESSION_TX_BYTES_MAX = 64 << 20,      /* what a channel holds until tx.commit, with its bookkeeping */
    SESSION_CONTENT_KEPT_MAX = 1 << 20,   /* bytes of a content buffer that a channel keeps for its next message */
    SESSION_IDLE_OUTPUT_MAX = 16 << 10,   /* bytes of output buffer that a silent connection keeps */
    SESSION_TEXT_SIZE = 1024,             /* of a reply text before it is cut to a short string */
    SESSION_OUTPUT_MAX = 4 << 20,         /* of output that waits; above, the client's input waits, too */
    SESSION_OUTSIDE_KEPT_MS = 1000,       /* how long a channel goes on publishing by an HTTP server's word */
    SETTLE_RUNS = 16,                     /* groups whose settlements are gathered side by side */
};

/*   HEADER -> START -> TUNE -> OPEN -> RUNNING -> CLOSING -> CLOSED
 *
 * Each names what the client is to send next. Any phase may go to CLOSING (a close was sent, or the delay of a silent
 * close runs) or to CLOSED. */
enum phase { PHASE_HEADER, PHASE_START, PHASE_TUNE, PHASE_OPEN, PHASE_RUNNING, PHASE_CLOSING, PHASE_CLOSED };

/* --- channel_acks.c: deliveries that the client holds unacked, and settlements on their way out --- */

struct unacked_entry {
    uint64_t tag;
    uint64_t dseq;
    uint32_t group;
    uint16_t counts; /* counts_queue() */
    bool settled;    /* taken out of order; goes when it reaches the front or at the next compaction */
};

/* Ascending by tag, from `head` to `tail`. Tags are nearly dense, so an entry is found by subtraction, else by halving.
 */
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
    uint64_t version; /* registry_version() it is good for; 0: empty */
    uint64_t until_ms; /* an HTTP server's word is not good for ever; UINT64_MAX: the registry's */
    bool topics;      /* the user has rules for routing keys there */
    uint8_t size;
    uint8_t exchange[AMQP_SHORTSTR_MAX];
};

/* --- channel_tx.c: what waits for tx.commit --- */

struct tx_settle {
    uint64_t tag;
    uint64_t dseq;
    uint32_t group;
    uint16_t counts;
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

/* --- channel.c --- */

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
    bool limited; /* basic.qos global is in force */
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

struct session {
    const struct session_settings *settings;
    const struct backend *backend;
    char *peer;
    bool peer_is_loopback;
    bool trusted;     /* session_trust() */
    uint8_t phase;    /* enum phase */
    bool deaf;        /* in CLOSING: what comes in is thrown away unread */
    bool out_of_step; /* the client's bytes are no frames any more; only a close-ok is listened for */
    bool stalled;     /* the next frame must wait for an event */
    bool unread; /* it did, and was not read since: what the client sends is not heard, so it is not called silent */
    bool cancel_notify; /* the client's capabilities */
    bool hears_blocked;
    const char *blocked; /* why publishes wait; NULL: they do not */
    bool blocked_told;   /* connection.blocked was sent */
    bool traced;         /* the vhost wants copies of what is published and delivered (channel_trace.c) */
    bool failure_close;
    bool challenged; /* START: connection.secure was sent, and `user` is only claimed */
    uint16_t channel_max;
    uint16_t heartbeat_s;
    uint32_t frame_max;
    uint16_t stalled_channel;
    uint16_t class_id, method_id; /* of the method in hand, for replies */
    size_t kept;                  /* bytes of the last input that were not used */
    uint64_t now_ms;
    uint64_t created_ms;
    uint64_t received_ms;
    uint64_t sent_ms;
    uint64_t close_deadline_ms;
    uint64_t refuse_at_ms;     /* START: the login failed, and is told so then; 0: it did not */
    uint64_t publish_check_ms; /* when the oldest publishes are looked at next */
    uint64_t token;            /* the backend's connection token */
    struct buf output;
    struct channel **channels; /* by number; NULL: not open */
    size_t channels_capacity;
    uint32_t channel_count;
    struct backend_channel *asker;    /* asks for news of the topology (news.c); NULL: not at it */
    bool asks_outside;                /* it asks an HTTP server (outside.c) */
    bool outside_login, outside_rights; /* struct session_login_way of the way that let the user in */
    struct buf outside_tags;          /* the user's, with spaces between */
    struct buf ask;                   /* the question that was looked up last */
    bool has_news;                    /* it did */
    struct backend_channel *farewell; /* deletes exclusive queues before close-ok; NULL: not at it */
    uint64_t farewell_queue;          /* the one that was asked for last */
    struct list dirty;                /* channels with news for the end of the turn */
    struct channel *borrower;         /* its content points into the input of this call */
    struct buf user, vhost, mechanism, client_properties, connection_name;
    struct session_tls *tls;       /* NULL: plain */
    char ended[SESSION_TEXT_SIZE]; /* why it ended, for the log */
    struct session_info counters;
    struct session_stats gone; /* of channels that are closed */
    struct counts gone_counts; /* of channels that are closed: exchanges */
};

/* For "%.*s". */
#define SLICE_ARG(s) (int)(s).size, (s).data ? (const char *)(s).data : "" /* a slice or a buf */

/* --- connection.c --- */
/* A publish comes: true if an alarm makes it wait; the client is told once. */
bool session_blocked(struct session *s);
struct channel *session_channel(const struct session *s, uint16_t number); /* NULL: not open */
void session_mark_dirty(struct channel *ch);
void session_close_channels(struct session *s);
void session_end(struct session *s); /* to PHASE_CLOSED, all channels closed */

/* --- failure.c --- */
/* Ends the connection with an error; class and method are those in hand. In the handshake RabbitMQ's rules say whether
 * the client is told at all. */
void session_fail(struct session *s, uint16_t code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Ends the channel, or the connection when the code is a hard one. */
void channel_fail(struct channel *ch, uint16_t code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same with the whole text at hand ("NOT_FOUND - no queue ..."). */
void channel_fail_text(struct channel *ch, uint16_t code, struct slice text);
void channel_fail_no_queue(struct channel *ch, struct slice name);
void channel_fail_no_exchange(struct channel *ch, struct slice name);
void channel_fail_locked(struct channel *ch, struct slice name);
void session_fail_frame(struct session *s, const struct amqp_frame *f, uint16_t code, const char *why);
/* A method frame that cannot be decoded, with the code that amqp_method_decode() gave. */
void session_fail_method(struct session *s, const struct amqp_frame *f, uint16_t code);
/* Keeps the socket for a moment, deaf and dumb: a client that guesses passwords learns slowly. */
void session_close_silently(struct session *s, const char *why);
/* Bytes as RabbitMQ prints them: <<"text">> or <<1,2,3>>. */
void session_print_bytes(struct buf *b, struct slice bytes);

/* --- handshake.c --- */
/* Channel 0: a method frame's payload. */
bool session_handshake_method(struct session *s, const struct amqp_method *m);
void session_handshake_send_start(struct session *s);
void session_handshake_send(struct session *s, const struct amqp_method *m);

/* --- login.c; false: the frame must wait --- */
bool session_login_start(struct session *s, const struct amqp_connection_start_ok *ok);
bool session_login_secure(struct session *s, struct slice response);
bool session_login_again(struct session *s); /* update-secret: what is open is held against the rights of now */
void session_login_refuse(struct session *s); /* refuse_at_ms is reached */

/* --- news.c --- */
bool session_wait_for_news(struct session *s); /* true: the frame must wait; false: what the topology says now counts */
void session_news(struct session *s);
struct slice session_peer_address(const struct session *s); /* the host of "host:port -> ..." */

/* outside.c: what an HTTP server says about the user; AUTH_UNKNOWN: then one of the last two asks it */
enum auth_word session_outside_login(struct session *s, struct slice user, const struct slice *password);
enum auth_word session_outside_vhost(struct session *s, struct slice vhost);
enum auth_word session_outside_resource(struct session *s, enum auth_permission permission, const char *kind,
                                        struct slice name);
enum auth_word session_outside_topic(struct session *s, enum auth_permission permission, struct slice exchange,
                                     struct slice key);
bool session_ask_outside(struct session *s); /* true: the frame of channel 0 waits */
void channel_ask_outside(struct channel *ch, const struct amqp_method *m); /* NULL: a held publish waits */

/* --- farewell.c --- */
void session_farewell_begin(struct session *s); /* the client sent connection.close */
void session_farewell_reply(struct session *s);
void session_farewell_end(struct session *s); /* close-ok, whatever is left */

/* --- channel.c --- */
/* False: the frame must wait. */
bool channel_frame(struct session *s, const struct amqp_frame *f);
void channel_method(struct channel *ch, const struct amqp_method *m);
struct channel *channel_open(struct session *s, uint16_t number);
void channel_release(struct channel *ch); /* closes it at the backend and empties it; the struct stays */
void channel_free(struct channel *ch);    /* and forgets the number */
void channel_send(struct channel *ch, const struct amqp_method *m);
void channel_send_empty(struct channel *ch, unsigned number); /* an -ok without fields */

/* --- channel_question.c --- */
/* Opens a question of the method in hand. `name` is copied. */
void channel_question_open(struct channel *ch, enum question_kind kind, struct slice name, bool no_wait);
void channel_question_close(struct question *q);
/* The topology may be behind: asks for news and runs `m` again after it. False: it is up to date, judge now. */
bool channel_question_refresh_first(struct channel *ch, const struct amqp_method *m);

/* --- channel_rights.c --- */
/* May the user? False: the channel failed with 403, or the method waits for a refresh. `kind`: "exchange", "queue". */
bool channel_may(struct channel *ch, const struct amqp_method *m, enum auth_permission permission, const char *kind,
                 struct slice name);
void channel_may_go_on_reading(struct channel *ch, struct slice queue); /* else the channel fails */
bool channel_may_bind_topic(struct channel *ch, const struct amqp_method *m, struct slice exchange, struct slice key);
/* A declare that names another exchange by argument `key` reads from the one and writes to the other. */
bool channel_may_dead_letter(struct channel *ch, const struct amqp_method *m, const char *kind, struct slice name,
                             struct slice arguments, const char *key);
enum channel_publish_right {
    PUBLISH_ALLOWED,
    PUBLISH_NOT_TO_EXCHANGE,
    PUBLISH_NOT_TO_TOPIC,
    PUBLISH_UNKNOWN /* channel_ask_outside() */
};
enum channel_publish_right channel_publish_allowed(struct channel *ch, struct slice exchange, struct slice key);
void channel_publish_refuse(struct channel *ch, enum channel_publish_right right, struct slice exchange,
                            struct slice key);
bool channel_may_claim_user(struct channel *ch, struct slice user_id); /* as the user-id of a message */

/* --- channel_exchange.c, channel_queue.c, channel_basic.c --- */
void channel_exchange_declare(struct channel *ch, const struct amqp_method *m);
void channel_exchange_delete(struct channel *ch, const struct amqp_method *m);
void channel_exchange_bind(struct channel *ch, const struct amqp_method *m, bool unbind);
void channel_queue_declare(struct channel *ch, const struct amqp_method *m);
void channel_queue_bind(struct channel *ch, const struct amqp_method *m);
void channel_queue_unbind(struct channel *ch, const struct amqp_method *m);
void channel_queue_purge(struct channel *ch, const struct amqp_method *m);
void channel_queue_delete(struct channel *ch, const struct amqp_method *m);
void channel_queue_declared(struct channel *ch, const struct question *q, const struct backend_reply *reply);
void channel_basic_qos(struct channel *ch, const struct amqp_method *m);
void channel_basic_consume(struct channel *ch, const struct amqp_method *m);
void channel_basic_attach_reply_consumer(struct channel *ch, const struct question *q,
                                         const struct backend_reply *reply);
void channel_basic_cancel(struct channel *ch, const struct amqp_method *m);
void channel_basic_get(struct channel *ch, const struct amqp_method *m);
void channel_basic_recover(struct channel *ch, const struct amqp_method *m);
/* Submits a change of the topology. What an up-to-date topology refuses, or need not change, is answered without a
 * commit. */
void channel_change_submit(struct channel *ch, enum question_kind kind, const struct topology_command *c, bool no_wait,
                           uint8_t delete_flags);
/* The queue that a method means ("" is the last one declared), looked up and free for this connection. NULL: the
 * channel failed, or the method waits for a refresh. */
const struct queue_record *channel_queue_find(struct channel *ch, const struct amqp_method *m, struct slice name);
/* False: the channel failed (404). An empty name becomes the last declared queue's. */
bool channel_queue_expand_name(struct channel *ch, struct slice *name);

/* --- channel_consumers.c --- */
struct consumer *channel_consumer_create(struct channel *ch, struct slice tag);
struct consumer *channel_consumer_by_id(struct channel *ch, uint32_t id);
struct consumer *channel_consumer_by_tag(struct channel *ch, struct slice tag);
void channel_consumer_destroy(struct channel *ch, struct consumer *c);
void channel_consumers_close(struct channel *ch);
void channel_consumer_announce(struct channel *ch, struct consumer *c); /* consume-ok, once */
static inline struct slice channel_consumer_tag(const struct consumer *c)
{
    return slice_of(c->tag, c->tag_size);
}

/* --- mechanisms.c --- */
void session_tls_free(struct session_tls *t);
void session_mechanisms_put(const struct session *s, struct buf *out); /* as connection.start names them */
bool session_mechanism_is_offered(const struct session *s, struct slice name);

/* --- names.c --- */
enum { NAME_SIZE_MAX = AMQP_SHORTSTR_MAX };
/* Without CR and LF, into `space`; returns the name. */
struct slice session_name_strip(struct slice name, uint8_t space[NAME_SIZE_MAX]);
/* prefix + 22 random characters */
struct slice session_name_generate(struct session *s, const char *prefix, uint8_t space[NAME_SIZE_MAX]);
bool session_name_is_reserved(struct slice name); /* begins with "amq." */
bool session_name_begins(struct slice s, const char *prefix);

/* --- channel_arguments.c --- */
/* Checks a declare's arguments; true: fine. Else the channel failed with 406 or, for what is not there yet, 540. */
bool channel_queue_arguments_check(struct channel *ch, struct slice queue, struct slice arguments);
struct consumer_arguments {
    int32_t priority;
    bool has_timeout;
    uint64_t timeout_ms;
    bool identify;
};
bool channel_consumer_arguments_check(struct channel *ch, struct slice queue, struct slice arguments,
                                      struct consumer_arguments *out);

/* --- channel_publish.c --- */
/* False: too much is under way; the frame must wait. */
bool channel_publish_begin(struct channel *ch, const struct amqp_method *m);
void channel_publish_header(struct channel *ch, const struct amqp_frame *f);
void channel_publish_body(struct channel *ch, struct slice part);
void channel_publish_again(struct channel *ch); /* after a refresh */
void channel_publish_own(struct channel *ch);   /* copies what is borrowed from the input */
void channel_publishing_close(struct channel *ch);
void channel_publish_send(struct channel *ch, const struct outgoing *m); /* to its queues, or back to the client */

/* --- channel_trace.c --- */
void session_look_at_tracing(struct session *s); /* when the connection opens, and when the registry changed */
/* In a vhost that is traced: */
void channel_trace_publish(struct channel *ch, const struct outgoing *m);
void channel_trace_delivery(struct channel *ch, uint64_t queue, const struct session_delivery *d);

/* --- channel_publish_keys.c --- */
/* CC and BCC: adds the routes of their keys; `query` is the one that the message's own key was looked up with. */
void channel_publish_route_copies(struct channel *ch, const struct route_query *query, struct route *route);
bool channel_publish_check_copies(struct channel *ch, struct slice headers); /* false: the channel ended */
bool channel_publish_has_copies(struct slice headers);
/* False: the channel failed. */
bool channel_publish_check_reply_to(struct channel *ch, const struct amqp_properties_brief *brief);
/* The properties as they are delivered: without BCC, with the real address of a direct reply. `properties` points into
 * `rewritten` when something had to change. */
void channel_publish_rewrite_properties(struct channel *ch, const struct amqp_properties_brief *brief,
                                        struct slice *properties, struct buf *rewritten);

/* --- channel_confirms.c --- */
void channel_confirms_init(struct confirms *c);
void channel_confirms_close(struct confirms *c);
bool channel_confirms_full(const struct confirms *c);
void channel_confirms_select(struct confirms *c);
uint64_t channel_confirms_push(struct channel *ch, uint32_t bytes, uint16_t exchange /* counts_exchange() */); /* the new tag; waits for channel_confirms_expect() */
void channel_confirms_expect(struct channel *ch, uint64_t tag, unsigned groups);
void channel_confirms_answer(struct channel *ch, uint64_t tag, bool ok);
void channel_confirms_flush(struct channel *ch); /* writes acks and nacks */
/* Gives up what was published more than `timeout_ms` ago: nacks, or false when the client did not ask for confirms. */
bool channel_confirms_expire(struct channel *ch, uint64_t now_ms, uint64_t timeout_ms);

/* --- channel_acks.c --- */
void channel_unacked_close(struct unacked *u);
void channel_unacked_push(struct unacked *u, const struct unacked_entry *entry);
/* Puts back what a rollback frees; sorts `settles` by tag. */
void channel_unacked_restore(struct unacked *u, struct tx_settle *settles, size_t count);
/* Settles what the client names, at once or at tx.commit; 406 for an unknown tag. */
void channel_acks_settle(struct channel *ch, uint64_t tag, bool multiple, uint8_t outcome);
void channel_acks_requeue_all(struct channel *ch);
void channel_acks_count(struct channel *ch, uint16_t counts); /* an ack of a message of that queue */
void channel_settle_add(struct channel *ch, uint32_t group, uint64_t dseq, uint8_t outcome);
void channel_settle_flush(struct channel *ch); /* before every question, and at the end of the turn */

/* --- channel_tx.c --- */
void channel_tx_init(struct tx *tx);
void channel_tx_close(struct tx *tx); /* drops all that is held */
void channel_tx_select(struct channel *ch);
void channel_tx_commit(struct channel *ch);
void channel_tx_rollback(struct channel *ch);
void channel_tx_publish(struct channel *ch, const struct outgoing *m); /* copies; may fail the channel */
void channel_tx_settle(struct channel *ch, const struct unacked_entry *e, uint8_t outcome);
bool channel_tx_fits(struct channel *ch); /* false: more is held than may be, and the channel failed */
void channel_tx_answered(struct channel *ch, uint64_t tag, bool refused); /* all groups have, for this tag */
void channel_tx_continue(struct channel *ch); /* at the end of a turn: commit-ok, if nothing is waited for */

#endif
