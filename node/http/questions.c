/* What this node tells others of itself. */
#include <stdio.h>
#include <stdlib.h>

#include "node/http/boot.h"
#include "node/http/families.h"
#include "node/http/peers.h"

/* The next line of the question. */
static struct slice next_line(struct slice *rest)
{
    const uint8_t *end = rest->size ? memchr(rest->data, '\n', rest->size) : NULL;
    struct slice line = end ? slice_of(rest->data, (size_t)(end - rest->data)) : *rest;
    *rest = end ? slice_of(end + 1, rest->size - line.size - 1) : slice_of(rest->data + rest->size, 0);
    return line;
}

json_t *question_answer(struct http *h, struct slice question)
{
    struct slice rest = question, word = next_line(&rest);
    struct view view = view_of_line(rest); /* of those that have one */
    if (slice_is(word, "connections")) return connections_here(h, &view);
    if (slice_is(word, "channels")) return channels_here(h, &view);
    if (slice_is(word, "consumers")) return consumers_here(h);
    if (slice_is(word, "node")) return node_here(h, &view);
    if (slice_is(word, "exchanges")) return exchange_stats_here(h, &view);
    if (slice_is(word, "queues")) return queues_here(h, &view);
    if (slice_is(word, "reset attempts")) {
        if (slice_is(rest, node_settings(h->params.node)->name)) node_attempts_reset(h);
        return json_true();
    }
    if (slice_is(word, "flows")) return flows_here(h, &view);
    if (slice_is(word, "owners")) return owners_here(h, rest);
    if (slice_is(word, "definitions")) return boot_state(h);
    if (slice_is(word, "replica")) {
        char number[16];
        snprintf(number, sizeof number, "%.*s", (int)(rest.size < 15 ? rest.size : 15), (const char *)rest.data);
        return replica_here(h, (uint32_t)strtoul(number, NULL, 10));
    }
    if (slice_is(word, "links")) return links_here(h);
    if (slice_is(word, "restart")) {
        struct slice kind = next_line(&rest), vhost = next_line(&rest), name = next_line(&rest);
        link_restart_here(h, kind, vhost, name, rest);
        return json_true();
    }
    if (slice_is(word, "close")) {
        struct slice name = next_line(&rest);
        return json_boolean(connection_close_here(h, name, rest));
    }
    return NULL;
}
