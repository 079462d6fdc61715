/* Routing: which queues get a message. Pure; reads a topology. Sources: AMQP 0-9-1 section 3.1.3, RabbitMQ for headers
 * matching (x-match all, any, all-with-x, any-with-x), CC/BCC left to the session, alternate exchange included. */
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
    bool depends_on_headers; /* a headers exchange was met: the result is not valid for other headers */
};
void route_close(struct route *r);
void route_add(struct route *r, uint32_t group, uint64_t queue); /* keeps the order; twice is once */

/* Fills `route`. `headers` is the message's headers field table without its length (empty if none). False: no such
 * exchange. */
bool route_message(struct topology *t, struct slice vhost, struct slice exchange, struct slice routing_key,
                   struct slice headers, struct route *route);

/* The topic rule alone: words between dots, `*` one word, `#` none or more. For tests and filters. */
bool route_topic_matches(struct slice pattern, struct slice routing_key);

#endif
