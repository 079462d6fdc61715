/* A client of an AMQP 0-9-1 broker, sans I/O: bytes in and out, events out.
 *
 * One connection with its channels. Requests may be pipelined: a channel's answers come in the order of its requests,
 * each with the token that was given to its request.
 *
 * Thread:   its owner's. Lifetime: client_create() .. client_destroy(), the latter never from inside an event.
 * Sources:  AMQP 0-9-1; RabbitMQ's extensions (confirms, nack, blocked, consumer cancel). */
#ifndef WARREN_HA_CLIENT_CLIENT_H
#define WARREN_HA_CLIENT_CLIENT_H

#include "base/buf.h"
#include "ha/client/uri.h"
#include "node/amqp/method.h"

struct client;

enum {
    CLIENT_FRAME_MAX = 131072,      /* what we ask for when the server has no limit of its own */
    CLIENT_BODY_MAX = 512 << 20,    /* bytes of a message that a server may send us */
    CLIENT_CLOSE_TIMEOUT_MS = 5000, /* for the server's close-ok */
    CLIENT_OUTPUT_HIGH = 1 << 20,   /* bytes waiting for the socket above which client_is_full() */
    CLIENT_HEARTBEAT_S = 10,        /* what is asked for when the URI does not say; the lower of both sides counts */
};

struct client_settings { /* strings are copied */
    const char *user, *password, *vhost;
    unsigned mechanisms; /* of enum client_mechanism: the first that the server offers in the order EXTERNAL, PLAIN,
                            AMQPLAIN */
    int heartbeat_s;     /* CLIENT_URI_UNSET or seconds */
    uint16_t channel_max;
    uint32_t timeout_ms; /* for the handshake */
    const char *name;    /* connection_name */
};

enum client_state {
    CLIENT_OPENING,
    CLIENT_OPEN,
    CLIENT_CLOSING, /* we asked; waiting for close-ok */
    CLIENT_CLOSED,  /* write what is in the output, then close the socket */
};

enum client_event_kind {
    CLIENT_EVENT_OPENED,  /* the handshake is over */
    CLIENT_EVENT_CLOSED,  /* once, whoever closed: reply_code (0: no reason was given) and text */
    CLIENT_EVENT_BLOCKED, /* text: the server's reason */
    CLIENT_EVENT_UNBLOCKED,
    CLIENT_EVENT_CHANNEL_CLOSED, /* by the server: reply_code, text, class and method in `method->close` */
    CLIENT_EVENT_ANSWERED,       /* method: the answer; token: of the request. get-ok brings content */
    CLIENT_EVENT_DELIVERED,      /* method: basic.deliver; content */
    CLIENT_EVENT_RETURNED,       /* method: basic.return; content */
    CLIENT_EVENT_CONFIRMED,      /* number, multiple, ok */
    CLIENT_EVENT_CANCELLED,      /* method: basic.cancel, sent by the server */
    CLIENT_EVENT_WRITABLE,       /* the output was full of publishes and is not any more */
};

/* All slices are borrowed for the call. */
struct client_event {
    uint8_t kind; /* enum client_event_kind */
    uint16_t channel;
    uint64_t token;
    const struct amqp_method *method;
    struct slice properties, body;
    uint64_t number; /* of the publish */
    bool multiple, ok;
    uint16_t reply_code;
    struct slice text;
};
typedef void (*client_event_cb)(void *self, const struct client_event *event);

struct client *client_create(const struct client_settings *settings, client_event_cb event, void *self,
                             uint64_t now_ms);
void client_destroy(struct client *c);
/* From here on nobody is told anything: for a client that only has to say goodbye. */
void client_mute(struct client *c);

/* --- bytes --- */
/* Takes whole frames and returns how many bytes were taken; give the rest again in front of what comes next. */
size_t client_input(struct client *c, const uint8_t *data, size_t size, uint64_t now_ms);
struct buf *client_output(struct client *c); /* buf_consume() what was written, then client_written() */
void client_written(struct client *c, uint64_t now_ms);
void client_lost(struct client *c, const char *why); /* the socket broke */
/* A paused client takes no input: the server's deliveries wait in sockets, and it is not called silent. */
void client_pause(struct client *c, bool paused);
bool client_is_paused(const struct client *c);
bool client_is_full(const struct client *c); /* above CLIENT_OUTPUT_HIGH, or blocked by the server: publish later */

/* --- time --- */
uint64_t client_deadline_ms(const struct client *c); /* UINT64_MAX: never */
void client_tick(struct client *c, uint64_t now_ms);

enum client_state client_state(const struct client *c);
const char *client_reason(const struct client *c);             /* why it closed; "" before */
struct slice client_server_properties(const struct client *c); /* a field table; empty before connection.start */
bool client_server_can(const struct client *c, const char *capability);

/* --- channels: numbers from 1, chosen by the caller; CHECKed to be free, within client_channel_max() --- */
uint16_t client_channel_max(const struct client *c);
void client_channel_open(struct client *c, uint16_t channel, uint64_t token);
void client_channel_close(struct client *c, uint16_t channel);
bool client_channel_is_open(const struct client *c, uint16_t channel);

/* Sends a method on a channel that is open (else nothing happens: its end is on its way). A synchronous one without
 * no-wait is answered by CLIENT_EVENT_ANSWERED, or the channel closes. */
void client_send(struct client *c, uint16_t channel, const struct amqp_method *m, uint64_t token);
/* Returns the number that CLIENT_EVENT_CONFIRMED will name (counts from 1 after confirm.select); 0 without confirms. */
uint64_t client_publish(struct client *c, uint16_t channel, const struct amqp_method *publish, struct slice properties,
                        struct slice body);
void client_ack(struct client *c, uint16_t channel, uint64_t delivery_tag, bool multiple);
void client_nack(struct client *c, uint16_t channel, uint64_t delivery_tag, bool requeue);

void client_close(struct client *c, uint16_t reply_code, const char *text);

#endif
