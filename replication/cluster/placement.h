/* Which nodes hold a replica of which group: a function of the cluster's members, the same on every node. Pure.
 *
 * The meta group is on every node (on the first GROUP_MEMBERS_MAX of a larger cluster). Queue group g is on `replicas` nodes, starting at the
 * g-th (round robin over the ids in order), so that replicas and first choices of leaders balance. */
#ifndef WARREN_REPLICATION_CLUSTER_PLACEMENT_H
#define WARREN_REPLICATION_CLUSTER_PLACEMENT_H

#include <stdint.h>

#include "replication/group/group.h"

struct placement {
    uint8_t nodes[64]; /* ids, rising */
    uint32_t node_count;
    uint32_t group_count; /* the meta group included */
    uint32_t replicas;
};

/* Fills `members` (GROUP_MEMBERS_MAX at most); the first is the preferred leader. Returns how many. */
uint32_t placement_members(const struct placement *p, uint32_t group, struct group_member *members);
bool placement_holds(const struct placement *p, uint32_t group, uint8_t node);
uint8_t placement_preferred_leader(const struct placement *p, uint32_t group);

#endif
