/* Which links there should be: read from the topology's registry and from the configuration, compared as texts.
 *
 * Pure. A plan is built on a shard's thread (it reads its topology) and used on the runner's: everything in it is
 * copied. Lifetime: a zeroed plan .. plan_close(). */
#ifndef WARREN_HA_RUNNER_PLAN_H
#define WARREN_HA_RUNNER_PLAN_H

#include "base/buf.h"
#include "config/config.h"
#include "router/topology.h"

enum plan_kind { PLAN_SHOVEL, PLAN_STATIC_SHOVEL, PLAN_EXCHANGE_LINK, PLAN_QUEUE_LINK };

struct plan_item {
    uint8_t kind; /* enum plan_kind */
    char *vhost, *name;
    char *upstream; /* of a federation link; else "" */
    char *text;     /* what makes it restart when it changes: JSON */
    uint32_t group; /* of a federated queue: only nodes with a replica run its link; else 0 */
};

struct plan {
    struct plan_item *items;
    size_t count, capacity;
};

void plan_close(struct plan *p);
void plan_add(struct plan *p, enum plan_kind kind, struct slice vhost, struct slice name, struct slice upstream,
              struct slice text, uint32_t group);
/* The shovels among the registry's parameters, and what its policies federate. */
void plan_read_topology(struct plan *p, const struct topology *t, const char *cluster_name);
/* The same kind and names; the text may differ. */
bool plan_same(const struct plan_item *a, const struct plan_item *b);
const char *plan_kind_word(const struct plan_item *item);
/* The static shovels. ERR_INVALID: what is wrong with one; nothing was added. */
int plan_read_config(struct plan *p, const struct config_pair *pairs, struct err *err);

/* The node that is to run an item, of those in `nodes` (a bit each): the same answer on every node that sees the same
 * nodes. 0: none. */
uint8_t plan_owner(const struct plan_item *item, uint64_t nodes);

#endif
