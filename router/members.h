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

enum {
    MEMBERS_MAX = 64,
    MEMBER_ZONE_MAX = 63,
    MEMBER_TAG_MAX = 63,   /* of the name of a tag */
    MEMBER_TAGS_MAX = 255, /* of all tags */
    MEMBER_DATA_ID_SIZE = 16,
    PLACED_MAX = 9
};
/* What a program knows: a release whose commands or frames an older one would not understand raises LEVEL_NOW. The
 * cluster works at the lowest level of its members and never goes back; what is newer is proposed only at
 * topology_level() (decision 0011). */
#ifndef WARREN_LEVEL /* the test of rolling upgrades builds a program of the next level */
#define WARREN_LEVEL 1
#endif
enum { LEVEL_NOW = WARREN_LEVEL };
enum member_state { MEMBER_UNKNOWN, MEMBER_IN, MEMBER_DRAINING, MEMBER_LEAVING, MEMBER_GONE };

struct member {
    uint8_t state;
    uint16_t level;                       /* of its program; 0: not told yet */
    uint8_t data_id[MEMBER_DATA_ID_SIZE]; /* of its disk; zero: not told yet */
    char name[TOPOLOGY_NAME_MAX + 1], address[TOPOLOGY_NAME_MAX + 1], zone[MEMBER_ZONE_MAX + 1];
    char tags[MEMBER_TAGS_MAX + 1]; /* node_tags.*: NAME=VALUE, a line each */
};

/* Where a group's replicas belong; the first should lead. */
struct placed {
    uint8_t count;
    uint8_t nodes[PLACED_MAX];
};

/* What an operator said about a group's replicas; it goes before what its queues want. */
struct placement_order {
    uint8_t count;          /* copies; 0: as usual */
    uint64_t with, without; /* bits of nodes */
    uint8_t leader;         /* should lead, wherever the group's first place is; 0: as usual */
};

struct replica_wish; /* replicas.h */

const struct member *topology_member(const struct topology *t, uint8_t node);   /* never NULL */
const struct placed *topology_placed(const struct topology *t, uint32_t group); /* never NULL; count 0: not decided */
bool topology_group_is_there(const struct topology *t, uint32_t group); /* a spare group is not, before its birth */
/* Not spare. A node without a leader of one of these serves badly; a spare one may have a single replica, and be away
 * with it, which is the matter of its queues alone. */
bool topology_group_is_usual(const struct topology *t, uint32_t group);
/* A spare group: the nodes that begin it, as bits; 0: it is not born, or was there from the start. */
uint64_t topology_founders(const struct topology *t, uint32_t group);
/* What a spare group is for; NULL: it is none, or for nobody yet. */
const struct replica_wish *topology_class(const struct topology *t, uint32_t group);
const struct placement_order *topology_order(const struct topology *t, uint32_t group); /* never NULL */
uint8_t topology_member_by_name(const struct topology *t, struct slice name); /* of those that count; 0: nobody */
struct slice member_tag(const struct member *m, const char *tag);             /* data NULL: it has none of that name */
uint32_t topology_usual_replicas(const struct topology *t); /* cluster.replicas when the cluster was made; 0: unknown */
bool topology_members_seeded(const struct topology *t);     /* what the configuration says of members counts no more */
uint16_t topology_level(const struct topology *t); /* that the cluster works at; 0: a new one, before all have told */
uint16_t topology_level_of_members(const struct topology *t); /* the lowest; 0: somebody has not told */
bool member_counts(const struct member *m);                   /* IN or DRAINING: replicas belong there */

/* Adds a member (state IN), or tells its name, address, zone, tags (set .kind) and level (set .group) anew; refused
 * when its number belongs to another disk or was given up, or when its program knows less than the cluster works with.
 * An empty data id, level 0: it has not told yet. */
struct topology_command member_tell_command(uint8_t node, struct slice name, struct slice address, struct slice zone,
                                            struct slice data_id);
struct topology_command member_state_command(uint8_t node, enum member_state state);
struct topology_command members_seeded_command(uint32_t replicas);
struct topology_command members_level_command(uint16_t level); /* refused unless every member knows it */
/* `placed` is borrowed. The first one of a spare group is its birth. */
struct topology_command members_place_command(uint32_t group, const struct placed *placed);
/* An operator's orders: a copy on that node, none there; so many (0: as usual, orders about nodes
 * are forgotten too). */
struct topology_command members_add_replica_command(uint32_t group, uint8_t node);
struct topology_command members_remove_replica_command(uint32_t group, uint8_t node);
struct topology_command members_count_replicas_command(uint32_t group, uint8_t count);
/* That node shall lead; 0: who should by placement. */
struct topology_command members_lead_command(uint32_t group, uint8_t node);

#endif
