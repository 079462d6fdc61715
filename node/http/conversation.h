/* A conversation in AMQP with this very node: how a request over HTTP declares, binds, publishes and gets.
 *
 * The request is a client like any other, with the caller's name and password: rights, refusals and their texts are
 * those of a session. A socket pair takes the place of TCP; the other end belongs to a shard and is not listed.
 *
 * Thread:   the request's; calls wait, for `publish_timeout_ms` and a little at most.
 * Lifetime: conversation_open() .. conversation_close(), within the request. Channel 1 is open. */
#ifndef WARREN_NODE_HTTP_CONVERSATION_H
#define WARREN_NODE_HTTP_CONVERSATION_H

#include "node/amqp/frame.h"
#include "node/http/http_internal.h"

struct conversation;

/* Why the node said no: AMQP's code and text ("NOT_FOUND - no queue ..."); code 0: no answer at all. */
struct refusal {
    uint16_t code;
    char text[512];
};

/* A message that came: slices live until the next call. */
struct message {
    struct slice properties, body;
};

/* 0: `why` says it. */
struct conversation *conversation_open(struct request *r, struct slice vhost, struct refusal *why);
void conversation_close(struct conversation *c);

void conversation_send(struct conversation *c, const struct amqp_method *m);
void conversation_push(struct conversation *c); /* what was sent leaves now, not with the next receive */
void conversation_publish(struct conversation *c, const struct amqp_method *m, const struct message *message);
/* The next method of the node; a content that belongs to it is in `message` (may be NULL). What `m` points to lives
 * until the next call. False: the node closed channel or connection, or said nothing in time. */
bool conversation_receive(struct conversation *c, struct amqp_method *m, struct message *message, struct refusal *why);
/* Sends and receives. */
bool conversation_call(struct conversation *c, const struct amqp_method *m, struct amqp_method *answer,
                       struct message *message, struct refusal *why);

/* One method in a conversation of its own; a refusal is answered as RabbitMQ does. */
bool conversation_once(struct request *r, struct slice vhost, const struct amqp_method *m, struct answer *a);
void answer_refusal(struct answer *a, const struct refusal *why);

#endif
