/* A shovel: a consumer here, a publisher there (RabbitMQ's shovel).
 *
 * Sans I/O, over ha/bridge. Thread: its host's. Lifetime: shovel_create() .. shovel_destroy(). */
#ifndef WARREN_HA_SHOVEL_SHOVEL_H
#define WARREN_HA_SHOVEL_SHOVEL_H

#include "ha/bridge/bridge.h"
#include "ha/shovel/definition.h"

struct shovel;

struct shovel_identity { /* copied */
    const char *name, *vhost;
    const char *cluster_name;
    bool is_static;
};

/* `definition` moves into the shovel. `wall_ms` is the wall clock at now_ms, for headers and durations. */
struct shovel *shovel_create(struct shovel_definition *definition, const struct shovel_identity *identity,
                             const struct bridge_host *host, void *host_self, uint64_t now_ms, uint64_t wall_ms);
void shovel_destroy(struct shovel *s);
struct bridge *shovel_bridge(struct shovel *s);
const struct shovel_definition *shovel_definition(const struct shovel *s);
/* True when delete-after has come true: the parameter is to be deleted. */
bool shovel_is_done(const struct shovel *s);
/* Messages that are still to be moved; UINT64_MAX: for ever. */
uint64_t shovel_remaining(const struct shovel *s);
/* To be called with bridge_turn(): the deadline of src-delete-after-duration. */
void shovel_turn(struct shovel *s, uint64_t now_ms);

#endif
