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
    uint32_t group_count; /* the meta group included, and the spare groups */
    uint32_t spare_count; /* the last ones: nobody founds them before they are needed */
    uint32_t replicas;
};
enum { PLACEMENT_SPARE_GROUPS = 16 };

/* Fills `members` (GROUP_MEMBERS_MAX at most); the first is the preferred leader. Returns how many. */
uint32_t placement_members(const struct placement *p, uint32_t group, struct group_member *members);
bool placement_holds(const struct placement *p, uint32_t group, uint8_t node);
uint8_t placement_preferred_leader(const struct placement *p, uint32_t group);

/* --- the plan: what placement should become when members come and go. Pure. --- */

struct placement_plan {
    uint32_t group_count; /* the meta group included */
    uint32_t replicas;    /* of groups of which nothing else is wanted */
    bool eligible[64];    /* by node: replicas belong there */
    bool meta[64];        /* by node: the meta group's do */
    bool here[64];        /* by node: in touch, so that new replicas may go there */
    uint8_t zone[64];     /* by node: nodes with the same number share a fate; 0: unknown, shares with nobody */
    struct group_placement {
        uint8_t count;
        uint8_t nodes[GROUP_MEMBERS_MAX]; /* the first should lead; count 0: a spare group, not born */
    } * groups;
    /* What is wanted of each group; NULL, or its count 0: as usual. */
    const struct group_want {
        uint8_t count;
        bool born;              /* it is needed: a spare group has to begin */
        uint64_t with, without; /* bits of nodes that must hold a replica, and must not */
        const uint8_t *zone;    /* instead of the plan's; NULL: the plan's */
    } * wants;
};

/* How many replicas are wanted of a group, whether or not there are nodes for them. */
uint32_t placement_wanted(const struct placement_plan *p, uint32_t group);

/* The next group whose placement should change, and to what; false: all is well. One change, as small as possible:
 * first what members that are not eligible held goes to others, then the number of replicas and what must be where,
 * then zones, then the balance of replicas, then that of first places. A spare group begins with all its replicas at
 * once. Repeating it with its own answer ends. */
bool placement_next_change(const struct placement_plan *p, uint32_t *group, struct group_placement *to);

#endif
