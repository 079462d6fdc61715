/* Routing: which queues get a message. Pure; reads a topology. Sources: AMQP 0-9-1 section 3.1.3, RabbitMQ for headers
 * matching (x-match all, any, all-with-x, any-with-x), for the exchanges that choose one of their bindings, and for
 * messages with several keys: an alternate exchange gets what none of the keys has a way for. Nothing is allocated once
 * the route and the topology's scratch memory have grown. */
#ifndef WARREN_ROUTER_ROUTE_H
#define WARREN_ROUTER_ROUTE_H

#include "router/topology.h"

/* The queues of a message: each once, sorted by (group, id), so that runs of one group are neighbours. Reused by its
 * owner; route_close() frees. */
struct route_target {
    uint32_t group;
    uint64_t queue;
    bool windowed; /* it comes by an exchange that deduplicates, and only so: route.window says which */
};

/* Where an exchange keeps messages besides queues: in a group that its name alone decides. */
enum route_store_kind {
    ROUTE_STORE_DELAY = 1,   /* x-delayed-message: the message goes on from that exchange when its delay is over */
    ROUTE_STORE_HISTORY = 2, /* x-recent-history: for queues that are bound later */
};
struct route_store {
    uint32_t group;
    uint8_t kind;
    uint32_t length;       /* HISTORY: messages kept */
    struct slice exchange; /* borrows from the topology */
};

/* The first exchange on the way that deduplicates. A message that meets two of them passes only its window. */
struct route_window {
    struct slice exchange; /* borrows from the topology; data NULL: none */
    uint64_t size;
    uint64_t ttl_ms; /* 0: by number only */
};

struct route {
    struct route_target *targets;
    size_t count;
    size_t capacity;
    struct route_store *stores;
    size_t store_count, store_capacity;
    struct route_window window;
    bool held_back; /* a store keeps it for its delay */
    /* What the result depends on besides exchange and key: an exchange was met that looks at it. */
    bool depends_on_headers;
    bool depends_on_properties;
    bool depends_on_chance; /* on route_query.random, and on who leads which group */
};
void route_close(struct route *r);
void route_add(struct route *r, uint32_t group, uint64_t queue); /* keeps the order; twice is once */
/* What a mandatory message is returned for. A history keeps it all the same. */
static inline bool route_goes_nowhere(const struct route *r)
{
    return !r->count && !r->held_back;
}

/* Until topology_version() changes, every message with this exchange and key goes the same way. */
static inline bool route_is_lasting(const struct route *r)
{
    return !r->depends_on_headers && !r->depends_on_properties && !r->depends_on_chance;
}

enum { ROUTE_FURTHER = 2 };
/* What there is to know of a message. All is borrowed for the call. */
struct route_query {
    struct slice vhost, exchange, routing_key;
    struct slice headers;                /* field table without its length; empty if none */
    struct slice properties;             /* flags and values as in a header frame; empty if none */
    struct slice further[ROUTE_FURTHER]; /* arrays as in field tables (CC, BCC): strings in them are routing keys, too.
                                            Exchanges that hash look at routing_key alone, as RabbitMQ's do */
    uint64_t random; /* what is left to chance is a function of this and of the exchange's name: another number for each
                        message */
    bool (*is_local)(void *arg, uint32_t group); /* led by this node: what x-local-random prefers. NULL: not known */
    void *is_local_arg;
    bool delayed;  /* exchanges of type x-delayed-message keep it back; false also for one whose delay is over */
    bool no_store; /* exchanges of type x-recent-history forget it */
};

/* Fills `route`. False: no such exchange. */
bool route_find(struct topology *t, const struct route_query *query, struct route *route);
/* For messages of which no more is known: no other properties, random 0. */
bool route_message(struct topology *t, struct slice vhost, struct slice exchange, struct slice routing_key,
                   struct slice headers, struct route *route);

/* The topic rule alone: words between dots, `*` one word, `#` none or more. For tests and filters. */
bool route_topic_matches(struct slice pattern, struct slice routing_key);

#endif
