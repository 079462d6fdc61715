/* What a message carries when it was dead-lettered (x-death, x-first-death-*, x-last-death-*) or is due at last
 * (x-delay), and where it goes next. Pure. Sources: RabbitMQ's documentation of dead lettering, 3.13; its plugin
 * for delayed messages. */
#ifndef WARREN_NODE_BROKER_DEATH_H
#define WARREN_NODE_BROKER_DEATH_H

#include "node/amqp/marks.h"
#include "node/queue/command.h"
#include "node/queue/effect.h"
#include "router/route.h"

struct death {
    struct slice vhost;
    uint64_t random;        /* given: for exchanges that choose by chance; the same however often the letter is sent */
    struct content content; /* to publish: exchange, routing key, properties; body and bcc borrow from the original */
    bool at_least_once;     /* what its targets refuse is tried again */
    bool persistent;
    uint8_t priority;
    uint64_t ttl_ms;         /* UINT64_MAX: none */
    struct slice exchange;   /* that routes it */
    bool due;                /* an exchange kept it back; no exchange does so again */
    struct amqp_marks marks; /* of its headers; `marked`: there are any */
    bool marked;
    bool uses_cc;          /* the CC keys route too; those of BCC are in `content`, if they do */
    struct slice headers;  /* of the new properties */
    struct buf properties; /* owns */
    struct buf names;      /* owns copies of exchange and key */
};

/* False: the queue has no dead-letter exchange (any more), or the content does not parse: drop the message. */
bool death_compose(struct death *d, const struct topology *t, const struct queue_record *queue, struct slice content,
                   uint8_t reason, uint64_t clock_ms);
/* A message that an exchange kept: as it was; with `due` (x-delayed-message) but for x-delay, which is negative from
 * now on. False: it does not parse. `names`: counted vhost, counted exchange; borrowed until death_close(). */
bool death_compose_kept(struct death *d, struct slice names, struct slice content, bool due);
bool death_look_at_headers(struct death *d); /* after the content is there; false: they do not parse */
void death_close(struct death *d);
bool death_route(struct topology *t, const struct death *d, struct route *route);
/* The message has been in this queue before and nobody rejected it on the way round: it would go round for ever. */
bool death_is_cycle(struct topology *t, const struct death *d, uint64_t queue);

#endif
