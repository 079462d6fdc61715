/* Routing: which queues get a message. Pure; reads a topology. Sources: AMQP 0-9-1 section 3.1.3, RabbitMQ for headers
 * matching (x-match all, any, all-with-x, any-with-x) and for the exchanges that choose one of their bindings; CC/BCC
 * left to the session, alternate exchange included. Nothing is allocated once the route and the topology's scratch
 * memory have grown. */
#ifndef WARREN_ROUTER_ROUTE_H
#define WARREN_ROUTER_ROUTE_H

#include "router/topology.h"

/* The queues of a message: each once, sorted by (group, id), so that runs of one group are neighbours. Reused by its
 * owner; route_close() frees. */
struct route_target {
    uint32_t group;
    uint64_t queue;
};
struct route {
    struct route_target *targets;
    size_t count;
    size_t capacity;
    /* What the result depends on besides exchange and key: an exchange was met that looks at it. */
    bool depends_on_headers;
    bool depends_on_properties;
    bool depends_on_chance; /* on route_query.random, and on who leads which group */
};
void route_close(struct route *r);
void route_add(struct route *r, uint32_t group, uint64_t queue); /* keeps the order; twice is once */

/* Until topology_version() changes, every message with this exchange and key goes the same way. */
static inline bool route_is_lasting(const struct route *r)
{
    return !r->depends_on_headers && !r->depends_on_properties && !r->depends_on_chance;
}

/* What there is to know of a message. All is borrowed for the call. */
struct route_query {
    struct slice vhost, exchange, routing_key;
    struct slice headers;    /* field table without its length; empty if none */
    struct slice properties; /* flags and values as in a header frame; empty if none */
    struct slice hash_key;   /* what hash exchanges hash. The message's own routing key; also for its further ones (CC):
                                so all choose the same binding, and the message goes to one */
    uint64_t random;         /* what is left to chance is a function of this and of the exchange's name: another number
                                for each message, the same for its further keys */
    bool (*is_local)(void *arg, uint32_t group); /* led by this node: what x-local-random prefers. NULL: not known */
    void *is_local_arg;
};

/* Fills `route`. False: no such exchange. */
bool route_find(struct topology *t, const struct route_query *query, struct route *route);
/* For messages of which no more is known: no other properties, random 0. */
bool route_message(struct topology *t, struct slice vhost, struct slice exchange, struct slice routing_key,
                   struct slice headers, struct route *route);

/* The topic rule alone: words between dots, `*` one word, `#` none or more. For tests and filters. */
bool route_topic_matches(struct slice pattern, struct slice routing_key);

#endif
