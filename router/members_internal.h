/* Inside the router: members (members.c) and where groups are (placed.c). */
#ifndef WARREN_ROUTER_MEMBERS_INTERNAL_H
#define WARREN_ROUTER_MEMBERS_INTERNAL_H

#include "router/replicas.h"
#include "router/topology_internal.h"

/* How the members' commands use the fields of a command: .epoch says which. */
enum members_action {
    ACTION_TELL = 1,
    ACTION_STATE,
    ACTION_SEEDED,
    ACTION_PLACE,
    ACTION_ADD_REPLICA,
    ACTION_REMOVE_REPLICA,
    ACTION_COUNT_REPLICAS,
    ACTION_LEAD,
    ACTION_LEVEL
};

struct placed_group {
    struct placed placed;
    struct placement_order order;
    uint64_t founders;         /* of a spare group */
    bool classed;              /* a spare group that is for somebody */
    struct replica_wish class; /* ... with this wish */
};

struct members {
    bool seeded;
    uint8_t replicas;
    uint16_t level;
    struct member of[MEMBERS_MAX];
    struct placed_group *groups; /* the meta group and the spare groups included */
};

/* placed.c. False: no such action. */
bool placed_change(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r);
void placed_classify(struct topology *t, uint32_t group, const struct replica_wish *wish);
void placed_encode(const struct topology *t, struct buf *b);
bool placed_restore(struct topology *t, struct reader *r);

#endif
