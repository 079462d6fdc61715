/* Inside node/session only: the connection.
 *
 * It is a chain of phases (handshake.c), then a set of channels (channel_internal.h). */
#ifndef WARREN_NODE_SESSION_INTERNAL_H
#define WARREN_NODE_SESSION_INTERNAL_H

#include <stdio.h>

#include "base/list.h"
#include "base/mem.h"
#include "node/amqp/frame.h"
#include "node/amqp/table.h"
#include "node/session/counts.h"
#include "node/session/session.h"

struct channel;

enum {
    SESSION_INITIAL_FRAME_MAX = 8192,     /* bytes, before tune-ok; if the settings do not say */
    SESSION_CLOSE_TIMEOUT_MS = 30000,     /* for the client's close-ok */
    SESSION_SILENT_CLOSE_DELAY_MS = 3000, /* before a client that failed to log in loses its socket */
    SESSION_FAREWELL_TIMEOUT_MS = 5000,   /* for the client's exclusive queues to go before close-ok */
    SESSION_IDLE_OUTPUT_MAX = 16 << 10,   /* bytes of output buffer that a silent connection keeps */
    SESSION_TEXT_SIZE = 1024,             /* of a reply text before it is cut to a short string */
    SESSION_OUTPUT_MAX = 4 << 20,         /* of output that waits; above, the client's input waits, too */
};

/*   HEADER -> START -> TUNE -> OPEN -> RUNNING -> CLOSING -> CLOSED
 *
 * Each names what the client is to send next. Any phase may go to CLOSING (a close was sent, or the delay of a silent
 * close runs) or to CLOSED. */
enum phase { PHASE_HEADER, PHASE_START, PHASE_TUNE, PHASE_OPEN, PHASE_RUNNING, PHASE_CLOSING, PHASE_CLOSED };

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
    struct backend_channel *asker;      /* asks for news of the topology (news.c); NULL: not at it */
    bool has_news;                      /* it has its answer */
    bool asks_outside;                  /* it asks an HTTP server (outside.c) */
    bool outside_login, outside_rights; /* struct session_login_way of the way that let the user in */
    struct buf outside_tags;            /* the user's, with spaces between */
    struct buf ask;                     /* the question that was looked up last */
    struct backend_channel *farewell;   /* deletes exclusive queues before close-ok; NULL: not at it */
    uint64_t farewell_queue;            /* the one that was asked for last */
    struct list dirty;                  /* channels with news for the end of the turn */
    struct channel *borrower;           /* its content points into the input of this call */
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
void session_close_channels(struct session *s);
void session_end(struct session *s); /* to PHASE_CLOSED, all channels closed */

/* --- failure.c --- */
/* Ends the connection with an error; class and method are those in hand. In the handshake RabbitMQ's rules say whether
 * the client is told at all. */
void session_fail(struct session *s, uint16_t code, const char *format, ...) __attribute__((format(printf, 3, 4)));
void session_fail_frame(struct session *s, const struct amqp_frame *f, uint16_t code, const char *why);
/* A method frame that cannot be decoded, with the code that amqp_method_decode() gave. */
void session_fail_method(struct session *s, const struct amqp_frame *f, uint16_t code);
void session_fail_text(struct session *s, const struct amqp_frame *f); /* a short string that is not UTF-8 */
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
bool session_login_again(struct session *s);  /* update-secret: what is open is held against the rights of now */
void session_login_refuse(struct session *s); /* refuse_at_ms is reached */

/* --- news.c --- */
bool session_wait_for_news(struct session *s); /* true: the frame must wait; false: what the topology says now counts */
void session_news(struct session *s);
struct slice session_peer_address(const struct session *s); /* the host of "host:port -> ..." */

/* --- outside.c --- */
/* What an HTTP server says about the user. AUTH_UNKNOWN: session_ask_outside() or channel_ask_outside() asks it. */
enum auth_word session_outside_login(struct session *s, struct slice user, const struct slice *password);
enum auth_word session_outside_vhost(struct session *s, struct slice vhost);
enum auth_word session_outside_resource(struct session *s, enum auth_permission permission, const char *kind,
                                        struct slice name);
enum auth_word session_outside_topic(struct session *s, enum auth_permission permission, struct slice exchange,
                                     struct slice key);
bool session_ask_outside(struct session *s); /* true: the frame of channel 0 waits */

/* --- farewell.c --- */
void session_farewell_begin(struct session *s); /* the client sent connection.close */
void session_farewell_reply(struct session *s);
void session_farewell_end(struct session *s); /* close-ok, whatever is left */

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

/* --- channel_trace.c --- */
void session_look_at_tracing(struct session *s); /* when the connection opens, and when the registry changed */

#endif
