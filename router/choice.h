/* Inside the router: exchanges that send a message to one of their bindings, chosen by hash or by chance.
 *
 * The bindings stand in an order of their own (queues before exchanges, then by destination, routing key, arguments),
 * not in that of their making: equal topologies choose alike. */
#ifndef WARREN_ROUTER_CHOICE_H
#define WARREN_ROUTER_CHOICE_H

#include "router/route.h"
#include "router/topology_internal.h"

/* Bounds of the arithmetic: a weight times the largest number drawn (64 ln 2 in units of 2^-32) fits 64 bits. */
#define HASH_WEIGHT_MAX (1u << 24)

struct choice {
    struct binding_record *binding;
    uint64_t destination_hash; /* of the destination alone: a binding with another weight draws the same */
    uint64_t weight;           /* x-consistent-hash; elsewhere 1 */
};

/* What x-consistent-hash looks at. */
enum { HASH_ROUTING_KEY, HASH_HEADER, HASH_PROPERTY };
struct hash_source {
    uint8_t kind;
    uint8_t property;    /* HASH_PROPERTY */
    struct slice header; /* HASH_HEADER: its name; borrows from the exchange's arguments */
};

/* hash_exchange.c. False, and weight 0: `r` says why. */
bool hash_exchange_parse(struct slice arguments, struct hash_source *source, struct topology_result *r);
uint32_t hash_exchange_weight(struct slice key, struct topology_result *r);
uint64_t hash_exchange_hash(const struct hash_source *source, const struct route_query *query);
const struct choice *hash_exchange_pick(const struct choice *choices, size_t count, uint64_t hash); /* count > 0 */

#endif
