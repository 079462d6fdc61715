/* From a route to commands: one ENQUEUE per group, with the queues, the exchanges that keep the message there, and what
 * it brings along. Pure. */
#ifndef WARREN_NODE_BROKER_PUBLISH_H
#define WARREN_NODE_BROKER_PUBLISH_H

#include "node/session/backend.h"

/* What one group gets; borrowed for the call. */
struct publish_share {
    uint32_t group;
    const uint64_t *queues;
    uint32_t queue_count;
    const struct enqueue_marks *marks; /* NULL: none */
};
typedef void (*publish_share_cb)(void *arg, const struct publish *m, const struct publish_share *share);

/* Groups with queues first, in their order, then those that only keep it. Returns how many shares there were. */
unsigned publish_shares(const struct route *route, const struct publish *m, publish_share_cb each, void *arg);

#endif
