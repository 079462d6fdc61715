/* A client's connection and its channels, sans I/O: bytes and events in; bytes and requests (backend.h) out.
 *
 * Thread:   the shard that accepted the connection.
 * Lifetime: session_create() .. session_destroy(); the caller destroys it when session_state() is SESSION_CLOSED and
 *           the output was written, or when the socket broke (session_abandon() first: closes the channels at the
 *           backend).
 * Sources:  AMQP 0-9-1; RabbitMQ 3.13 where it says more. */
#ifndef WARREN_NODE_SESSION_SESSION_H
#define WARREN_NODE_SESSION_SESSION_H

#include "base/buf.h"
#include "node/session/backend.h"

struct session;

/* One way in, of auth_backends: who knows the password, and who knows what the user may do. */
struct session_login_way {
    bool outside_login, outside_rights; /* an HTTP server; else the registry */
};

struct session_settings {
    uint16_t channel_max;                           /* 2047 */
    uint32_t frame_max;                             /* 131072 */
    uint16_t heartbeat_s;                           /* 60 */
    uint32_t handshake_timeout_ms;                  /* 10000 */
    uint64_t message_size_max;                      /* 134217728 */
    uint64_t node_connection_max, node_channel_max; /* of all clients of this node; 0: no limit */
    bool leaders_local;         /* a new queue is led by this node if neither argument nor policy says otherwise */
    uint32_t consumer_max;      /* of a channel; 0: SESSION_CONSUMERS_MAX */
    uint32_t initial_frame_max; /* bytes of a frame before tune-ok; 0: SESSION_INITIAL_FRAME_MAX */
    uint64_t cluster_queue_max, cluster_exchange_max; /* from so many on, none is declared; 0: no limit */
    /* A publish without an answer for so long is nacked (confirm mode) or the connection closed with 541. */
    uint64_t publish_timeout_ms;
    /* A consumer that holds a message unacked for so long is cancelled, if neither it nor its queue says otherwise; 0:
     * never. */
    uint64_t consumer_timeout_ms;
    const struct session_login_way *ways; /* tried in their order; none: the registry alone */
    size_t way_count;
    bool topics_outside;            /* the HTTP server is asked about routing keys, too */
    const char *mechanisms;         /* "PLAIN AMQPLAIN EXTERNAL"; NULL: the first two */
    bool compares_labels;           /* a queue declared again with another x-queue-type, mode or version is refused */
    const char *default_queue_type; /* of a queue that names none, in a vhost that names none; NULL or "": none */
    const char *product;            /* "RabbitMQ" */
    const char *version;            /* 3.13 form */
    const char *cluster_name;
    const char *node_name;
    size_t output_high_water; /* bytes; above it session_wants_deliveries() is false */
};

/* A client that came by TLS. */
struct session_tls {
    const char *protocol, *key_exchange, *cipher, *hash; /* RabbitMQ's words */
    struct slice subject, issuer, validity;              /* of its certificate; empty: it has none */
    struct slice user;   /* who it is by its certificate, for EXTERNAL; size 0: nobody */
    const char *no_user; /* why, for the log */
};

enum session_state {
    SESSION_OPEN,    /* handshake or normal service */
    SESSION_CLOSING, /* write what is in the output, then wait for close-ok or the deadline */
    SESSION_CLOSED,  /* write what is in the output, then close the socket */
};

/* `settings` and `backend` must outlive the session. `peer` is for listings, e.g. "127.0.0.1:40312 ->
 * 127.0.0.1:5672" (copied). */
struct session *session_create(const struct session_settings *settings, const struct backend *backend, const char *peer,
                               bool peer_is_loopback, uint64_t now_ms);
/* Before the first input; copied. */
void session_set_tls(struct session *s, const struct session_tls *tls);
void session_destroy(struct session *s);
void session_abandon(struct session *s);

/* Before the first byte: the peer is this process itself (a link between clusters at its local end). Whoever it says
 * it is is believed, and without a name it may do everything. */
void session_trust(struct session *s);

/* --- bytes --- */
/* Takes what it can use of the bytes (whole frames); returns how many were taken. Fewer than given: keep the rest and
 * come back with more, or, if session_stalled(), after an event. */
size_t session_input(struct session *s, const uint8_t *data, size_t size, uint64_t now_ms);
bool session_stalled(const struct session *s);
/* The caller writes from its front and buf_consume()s; then calls session_written(). */
struct buf *session_output(struct session *s);
void session_written(struct session *s, uint64_t now_ms);
/* Ends a turn: coalesced confirms and settles are made. Call after inputs and events, before writing. */
void session_turn_end(struct session *s, uint64_t now_ms);

/* --- time --- */
uint64_t session_deadline_ms(const struct session *s); /* when session_tick() is wanted next; UINT64_MAX: never */
void session_tick(struct session *s, uint64_t now_ms);

enum session_state session_state(const struct session *s);
bool session_wants_deliveries(const struct session *s);   /* the output is below its high water mark */
void session_drained(struct session *s, uint64_t now_ms); /* it is so again */

/* --- events from the broker; `channel` is the number given to channel_open(); events for a channel that is gone
 * are ignored --- */
void session_reply(struct session *s, uint16_t channel, const struct backend_reply *reply);
/* One group has (ok) or refuses (not ok) the publishes with this tag. */
void session_confirm(struct session *s, uint16_t channel, uint64_t tag, bool ok);
struct session_delivery {
    uint32_t group;
    uint32_t consumer; /* 0: for the get that is asked */
    uint64_t dseq;
    bool redelivered;
    uint64_t delivery_count; /* how often it came back from a client; above 0 it goes out as x-delivery-count */
    uint64_t ready_left;     /* get-ok's message-count */
    uint64_t place;          /* of the message in its queue: the same whenever it comes, no other's */
    struct content content;
};
void session_deliver(struct session *s, uint16_t channel, const struct session_delivery *delivery);
/* Deliveries wait for acks of others, by basic.qos with global: no receipts are told until they are gone. */
bool session_is_holding(const struct session *s, uint16_t channel);
/* `timeout_ms`: it held a message for so long; 0: its queue is gone. */
void session_consumer_cancelled(struct session *s, uint16_t channel, uint32_t group, uint32_t consumer,
                                uint64_t timeout_ms);
/* Cancels what consumes from queues that are gone, as session_consumer_cancelled() does: `gone` says which are. */
void session_cancel_consumers(struct session *s, bool (*gone)(void *arg, uint32_t group, uint64_t queue), void *arg);
/* An alarm: publishes of this connection wait from here on, and a client that can hear it is told when it publishes.
 * NULL: they go on. `reason` must stay until the next call. */
void session_block(struct session *s, const char *reason);
/* The registry changed: a connection whose user or vhost is gone is closed with 320. */
void session_registry_changed(struct session *s, uint64_t now_ms);
/* Closes the connection from our side (320 on shutdown or when ports are gone; 541 when the broker cannot go on). */
void session_close(struct session *s, uint16_t reply_code, const char *text, uint64_t now_ms);

/* --- listings (listing.c) --- */
/* What a channel did, in RabbitMQ's words: `deliver` and `get` are to be acked, the others not. */
enum { SESSION_SIZES = 9 /* of messages: up to 100 bytes, 1000, 10^4, 10^5, 10^6, 10^7, 5*10^7, 10^8, and above */ };
struct session_stats { /* nothing but uint64_t: they are added up as one array */
    uint64_t publish, confirm, return_unroutable, drop_unroutable;
    uint64_t deliver, deliver_no_ack, get, get_no_ack, get_empty, redeliver, ack;
    uint64_t channels_opened, channels_closed;
    uint64_t publish_to_confirm, routed; /* of `publish`, those in confirm mode; how many queues got them */
    uint64_t queues_declared, queues_created, queues_deleted;
    uint64_t body_bytes, sizes[SESSION_SIZES]; /* of published bodies */
};
void session_stats_add(struct session_stats *to, const struct session_stats *from);
struct session_info {
    const char *peer;
    uint64_t token; /* of queue_record.owner */
    struct slice user, vhost, client_properties, connection_name, mechanism;
    uint32_t channels;
    uint16_t channel_max;
    uint16_t heartbeat_s;
    uint32_t frame_max;
    bool open; /* handshake is over */
    uint64_t received_frames, sent_frames;
    struct session_stats stats;    /* of all channels that it had */
    bool blocked;                  /* publishes wait because of an alarm */
    const struct session_tls *tls; /* NULL: plain */
    const char *ended; /* why it ended, for a log line; "" while it is open or when the client closed it in order */
};
void session_info(const struct session *s, struct session_info *info);

struct session_channel_info {
    uint16_t number;
    uint16_t prefetch, global_prefetch; /* of new consumers; of all together. 0: no limit */
    bool confirm, transactional;
    size_t consumers, unacked, unconfirmed, uncommitted, acks_uncommitted;
    struct session_stats stats;
};
/* Walks the open channels by number; false at the end. Start with *cursor = 0. */
bool session_next_channel(const struct session *s, uint64_t *cursor, struct session_channel_info *info);
/* What was done with one exchange, and with one queue (node/session/counts.h has the bounds). */
struct session_exchange_counts { /* nothing but uint64_t */
    uint64_t in, out;            /* messages published to it; messages that queues got from it */
    uint64_t confirmed, returned, dropped;
};
struct session_routed {
    uint64_t queue, count; /* messages that it got from the exchange */
};
struct session_exchange_info {
    struct slice name;
    struct session_exchange_counts counts;
    const struct session_routed *routed;
    size_t routed_count;
};
struct session_queue_counts {
    uint64_t queue;
    uint64_t get, get_no_ack, get_empty, deliver, deliver_no_ack, redeliver, ack;
};
/* Walks the exchanges that were published to, in no order, one perhaps several times: add up. False at the end. Start
 * with *cursor = 0. */
bool session_next_exchange(const struct session *s, uint64_t *cursor, struct session_exchange_info *info);
/* The same for what one channel did. */
bool session_next_channel_exchange(const struct session *s, uint16_t channel, size_t *cursor,
                                   struct session_exchange_info *info);
bool session_next_channel_queue(const struct session *s, uint16_t channel, size_t *cursor,
                                struct session_queue_counts *counts);
struct session_consumer_info {
    struct slice tag, arguments; /* borrowed until the session's next call */
    uint32_t group, id;
    uint64_t queue;
    uint16_t prefetch;
    bool no_ack, exclusive;
};
/* Walks a channel's consumers, in no order; false at the end. Start with *cursor = 0. */
bool session_next_consumer(const struct session *s, uint16_t channel, size_t *cursor,
                           struct session_consumer_info *info);

#endif
