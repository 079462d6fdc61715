/* Lives: which processes carry the cluster, so that what is transient goes when all of them have ended, and only then.
 *
 * A node's process is a life, known by node and epoch. The leader of the meta group names each life that it sees
 * (TOPOLOGY_ALIVE); OWNERS_GONE ends one. A life begins as a newcomer:
 *
 *     newcomer --- a carrier is seen alive beside it ---> carrier      the cluster went on all the time
 *         +------- the last carrier is gone -----------> carrier      it was down: what is transient and older goes
 *
 * Older than the first newcomer, that is: what is declared since, for the first time or again, stays. So the wait for a
 * node that does not come back takes nothing from clients that are here already. Pure. Thread: the owner's shard. */
#ifndef WARREN_ROUTER_LIVES_H
#define WARREN_ROUTER_LIVES_H

#include "router/topology.h"

enum { LIVES_MAX = 64 /* nodes 1 to 63 */ };
enum life_state { LIFE_UNKNOWN, LIFE_NEWCOMER, LIFE_CARRIER, LIFE_PAST /* the node has had a later one since */ };

enum life_state topology_life(const struct topology *t, uint8_t node, uint32_t epoch);
/* Calls `each` for every life, by node. */
void topology_lives(const struct topology *t, void (*each)(void *arg, uint8_t node, uint32_t epoch), void *arg);
struct topology_command life_seen_command(uint8_t node, uint32_t epoch);

#endif
