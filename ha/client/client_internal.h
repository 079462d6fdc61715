/* Inside ha/client only. */
#ifndef WARREN_HA_CLIENT_CLIENT_INTERNAL_H
#define WARREN_HA_CLIENT_CLIENT_INTERNAL_H

#include "base/mem.h"
#include "base/ring.h"
#include "ha/client/client.h"
#include "node/amqp/frame.h"
#include "node/amqp/table.h"

/*   START -> TUNE -> OPEN_OK -> RUNNING -> CLOSE_OK -> OVER
 *
 * Each names what the server is to send next. Any phase may go to OVER. */
enum client_phase {
    CLIENT_PHASE_START,
    CLIENT_PHASE_TUNE,
    CLIENT_PHASE_OPEN_OK,
    CLIENT_PHASE_RUNNING,
    CLIENT_PHASE_CLOSE_OK,
    CLIENT_PHASE_OVER,
};

struct client_request {
    unsigned method; /* amqp_method_number of the request */
    uint64_t token;
};

enum client_content { CLIENT_CONTENT_NONE, CLIENT_CONTENT_HEADER, CLIENT_CONTENT_BODY };

struct client_channel {
    bool closing;                    /* we sent channel.close: everything but its answer is passed over */
    struct client_request *requests; /* unanswered, oldest first, from `request_head` */
    size_t request_head, request_count, request_capacity;
    uint64_t published; /* since confirm.select */
    bool confirms;
    uint8_t content; /* enum client_content */
    struct buf head; /* the payload of deliver, return or get-ok, while its content is awaited */
    struct buf properties;
    uint64_t body_size;
    struct buf body;
};

struct client {
    client_event_cb event;
    void *self;
    char *user, *password, *vhost, *name;
    unsigned mechanisms;
    int heartbeat_wanted_s;
    uint16_t channel_max;
    uint32_t frame_max;
    uint16_t heartbeat_s;
    uint8_t phase; /* enum client_phase */
    bool paused, blocked;
    bool was_full;
    bool in_input;
    uint64_t now_ms, deadline_ms; /* deadline: of the handshake or of close-ok */
    uint64_t received_ms, sent_ms;
    struct buf output;
    struct buf server_properties;
    struct client_channel **channels; /* by number; NULL: not open */
    size_t channel_capacity;
    char reason[256 + 64];
};

/* connection.c */
void client_put(struct client *c, uint16_t channel, const struct amqp_method *m);
void client_fail(struct client *c, uint16_t reply_code, const char *format, ...) __attribute__((format(printf, 3, 4)));
void client_connection_method(struct client *c, const struct amqp_method *m);

/* handshake.c */
void client_on_start(struct client *c, const struct amqp_connection_start *start);
void client_on_tune(struct client *c, const struct amqp_connection_tune *tune);

/* channel.c */
struct client_channel *client_channel_find(const struct client *c, uint16_t channel);
void client_channel_method(struct client *c, uint16_t channel, const struct amqp_method *m, struct slice payload);
void client_channel_header(struct client *c, uint16_t channel, struct slice payload);
void client_channel_body(struct client *c, uint16_t channel, struct slice payload);
void client_channel_forget(struct client *c, uint16_t channel);

#endif
