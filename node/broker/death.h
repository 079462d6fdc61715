/* What a message carries when it was dead-lettered: x-death, x-first-death-*, x-last-death-*, and where it goes next.
 * Pure. Source: RabbitMQ's documentation of dead lettering, 3.13. */
#ifndef WARREN_NODE_BROKER_DEATH_H
#define WARREN_NODE_BROKER_DEATH_H

#include "node/queue/command.h"
#include "node/queue/effect.h"
#include "router/route.h"

struct death {
    struct slice vhost;
    uint64_t random;         /* given: for exchanges that choose by chance; the same however often the letter is sent */
    struct content content;  /* to publish: exchange, routing key, properties; the body borrows from the original */
    bool persistent;
    uint8_t priority;
    bool uses_cc;            /* the CC keys route too */
    struct slice headers;    /* of the new properties */
    struct buf properties;   /* owns */
    struct buf names;        /* owns copies of exchange and key */
};

/* False: the queue has no dead-letter exchange (any more), or the content does not parse: drop the message. */
bool death_compose(struct death *d, const struct queue_record *queue, struct slice content, uint8_t reason, uint64_t clock_ms);
void death_close(struct death *d);
bool death_route(struct topology *t, const struct death *d, struct route *route);
/* The message has been in this queue before and nobody rejected it on the way round: it would go round for ever. */
bool death_is_cycle(struct topology *t, const struct death *d, uint64_t queue);

#endif
