/* What a shovel changes in a message's properties: publish-properties, x-shovelled, x-shovelled-timestamp.
 *
 * Pure; any thread. */
#ifndef WARREN_HA_SHOVEL_PROPERTIES_H
#define WARREN_HA_SHOVEL_PROPERTIES_H

#include "base/err.h"
#include "ha/shovel/definition.h"

/* The keys of `publish-properties` are those of the 14 properties, with hyphens or underscores. */
int shovel_properties_check(const json_t *properties, struct err *err);

struct shovel_forward {
    const struct shovel_definition *definition;
    struct slice forward_info; /* the table of x-shovelled; empty: no such header */
    uint64_t wall_s;           /* for x-shovelled-timestamp */
};
/* Appends flags and values. `raw` is what the source sent; false: it cannot be read. */
bool shovel_properties_put(struct buf *b, struct slice raw, const struct shovel_forward *f);

#endif
