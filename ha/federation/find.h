/* Which exchanges and queues are federated, by the policies of a topology.
 *
 * Pure. Thread: the topology's owner. */
#ifndef WARREN_HA_FEDERATION_FIND_H
#define WARREN_HA_FEDERATION_FIND_H

#include "router/topology.h"

struct federation_link {
    bool is_queue;
    struct slice vhost, name;
    const char *upstream;
    const char *text; /* federated_read() */
    uint32_t group;   /* of the queue */
};

/* Calls `found` for each link that there should be. Costs nothing while no policy speaks of federation. */
void federation_find(const struct topology *t, const char *cluster_name,
                     void (*found)(void *arg, const struct federation_link *link), void *arg);

#endif
