/* The members of the cluster and where each group's replicas belong: a part of the topology, changed by its commands.
 *
 *                  join                     leave                     all replicas moved
 *     (unknown) -----------> IN <-> DRAINING ------> LEAVING -------------------------------> GONE
 *                             +----------------------- forget (it is dead) ------------------->
 *
 * GONE stays for ever: a number that was given up is never another node's. Pure. Thread: the owner's shard. */
#ifndef WARREN_ROUTER_MEMBERS_H
#define WARREN_ROUTER_MEMBERS_H

#include "router/topology.h"

enum { MEMBERS_MAX = 64, MEMBER_ZONE_MAX = 63, MEMBER_DATA_ID_SIZE = 16, PLACED_MAX = 9 };
enum member_state { MEMBER_UNKNOWN, MEMBER_IN, MEMBER_DRAINING, MEMBER_LEAVING, MEMBER_GONE };

struct member {
    uint8_t state;
    uint8_t data_id[MEMBER_DATA_ID_SIZE]; /* of its disk; zero: not told yet */
    char name[TOPOLOGY_NAME_MAX + 1], address[TOPOLOGY_NAME_MAX + 1], zone[MEMBER_ZONE_MAX + 1];
};

/* Where a group's replicas belong; the first should lead. */
struct placed {
    uint8_t count;
    uint8_t nodes[PLACED_MAX];
};

const struct member *topology_member(const struct topology *t, uint8_t node);   /* never NULL */
const struct placed *topology_placed(const struct topology *t, uint32_t group); /* never NULL; count 0: not decided */
bool topology_members_seeded(const struct topology *t); /* what the configuration says of members counts no more */
bool member_counts(const struct member *m);             /* IN or DRAINING: replicas belong there */

/* Adds a member (state IN), or tells its name, address and zone anew; refused when its number belongs to another disk
 * or was given up. An empty data id: it has not told yet. */
struct topology_command member_tell_command(uint8_t node, struct slice name, struct slice address, struct slice zone,
                                            struct slice data_id);
struct topology_command member_state_command(uint8_t node, enum member_state state);
struct topology_command members_seeded_command(void);
/* `nodes` is borrowed. */
struct topology_command members_place_command(uint32_t group, const struct placed *placed);

#endif
