/* Which nodes hold a replica of which group: a function of the cluster's members, the same on every node. Pure.
 *
 * The meta group is on every node (on the first GROUP_MEMBERS_MAX of a larger cluster). Queue group g is on `replicas`
 * nodes, starting at the g-th (round robin over the ids in order), so that replicas and first choices of leaders
 * balance. */
#ifndef WARREN_REPLICATION_CLUSTER_PLACEMENT_H
#define WARREN_REPLICATION_CLUSTER_PLACEMENT_H

#include <stdint.h>

#include "replication/group/group.h"

struct placement {
    uint8_t nodes[64];    /* ids, rising */
    uint32_t node_count;  /* 0: this node joins, and founds nothing */
    uint32_t group_count; /* the meta group included */
    uint32_t replicas;
};

/* Fills `members` (GROUP_MEMBERS_MAX at most); the first is the preferred leader. Returns how many. */
uint32_t placement_members(const struct placement *p, uint32_t group, struct group_member *members);
bool placement_holds(const struct placement *p, uint32_t group, uint8_t node);
uint8_t placement_preferred_leader(const struct placement *p, uint32_t group);

/* --- the plan: what placement should become when members come and go. Pure. --- */

struct placement_plan {
    uint32_t group_count; /* the meta group included */
    uint32_t replicas;
    bool eligible[64]; /* by node: replicas belong there */
    bool meta[64];     /* by node: the meta group's do */
    bool here[64];     /* by node: in touch, so that new replicas may go there */
    uint8_t zone[64];  /* by node: nodes with the same number share a fate; 0: unknown, shares with nobody */
    struct group_placement {
        uint8_t count;
        uint8_t nodes[GROUP_MEMBERS_MAX]; /* the first should lead */
    } * groups;
};

/* The next group whose placement should change, and to what; false: all is well. One change, as small as possible:
 * first what members that are not eligible held goes to others, then the number of replicas, then the balance of
 * replicas, then that of first places. Repeating it with its own answer ends. */
bool placement_next_change(const struct placement_plan *p, uint32_t *group, struct group_placement *to);

#endif
