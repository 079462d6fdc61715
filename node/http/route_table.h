/* The table of paths, constant; any thread. Sources: RabbitMQ's HTTP API; what is Warren's own is below /api/cluster and
 * /api/this-node. */
#ifndef WARREN_NODE_HTTP_ROUTE_TABLE_H
#define WARREN_NODE_HTTP_ROUTE_TABLE_H

#include "node/http/http_internal.h"

/* A pattern's {} matches one segment of a path and captures it. */
struct route_entry {
    const char *pattern;
    enum http_tag tag;
    enum http_tag changed_by; /* methods other than GET, when they need more */
    bool figures;             /* GET shows nothing but figures: refused where they are switched off */
    request_handler *handlers[HTTP_METHODS];
};

extern const struct route_entry route_table[];
extern const size_t route_count;

#endif
