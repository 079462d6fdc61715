/* What a channel did, by exchange and by queue, for metrics. Plain counters; what goes beyond a bound is not counted
 * apart (the sums of struct session_stats have it all).
 *
 * Thread: the session's. Lifetime: counts_close() frees; a zeroed struct has counted nothing. */
#ifndef WARREN_NODE_SESSION_COUNTS_H
#define WARREN_NODE_SESSION_COUNTS_H

#include "base/map.h"
#include "node/session/session.h"
#include "router/route.h"

enum {
    COUNTS_EXCHANGES_MAX = 1024, /* of a channel, and of all the closed ones of a connection */
    COUNTS_ROUTED_MAX = 4096,    /* queues of one of these exchanges */
    COUNTS_QUEUES_MAX = 1024,    /* that a channel takes messages from */
};

struct exchange_count {
    struct session_exchange_counts counts;
    struct session_routed *routed; /* one for each queue that got messages from it */
    size_t routed_count, routed_capacity, hint;
    struct map_u64 places; /* queue -> its struct session_routed's number + 1 */
    uint16_t number;       /* from 1 */
    uint8_t name_size;
    uint8_t name[255];
};

struct counts {
    struct map_str exchanges; /* struct exchange_count by name */
    struct exchange_count **by_number;
    size_t by_number_capacity;
    struct exchange_count *last; /* that a message went to */
    struct session_queue_counts *queues;
    size_t queue_count, queue_capacity;
};

void counts_close(struct counts *c);
/* A message was published. Returns the exchange's number; 0: one too many. */
uint16_t counts_published(struct counts *c, struct slice exchange, const struct route *route);
struct session_exchange_counts *counts_exchange(struct counts *c, uint16_t number); /* NULL for 0 */
/* The number of a queue, from 1; 0: one too many. */
uint16_t counts_number(struct counts *c, uint64_t queue);
struct session_queue_counts *counts_queue(struct counts *c, uint16_t number); /* NULL for 0 */
/* Adds the exchanges of a channel that closes. */
void counts_keep(struct counts *to, const struct counts *from);
bool counts_next_exchange(const struct counts *c, size_t *cursor, struct session_exchange_info *info);

#endif
