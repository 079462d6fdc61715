/* Figures of links between clusters that this node runs. */
#include "node/http/families.h"
#include "node/http/items.h"
#include "node/http/metrics.h"
#include "router/json.h"

#include <stdio.h>

static const char *const states[] = {"starting", "running", "terminated", "error"};
enum { STATES = sizeof states / sizeof states[0] };

struct kind {
    const char *metric, *help;
    unsigned counts[STATES];
    bool any;
};

static void count(struct kind *k, const json_t *link, const char *member)
{
    struct slice word = json_text(link, member);
    for (unsigned i = 0; i < STATES; i++)
        if (slice_is(word, states[i])) k->counts[i]++, k->any = true;
}

static void expose_kind(struct exposition *e, const struct kind *k)
{
    char labels[64];
    if (!k->any) return;
    expose_head(e, k->metric, "gauge", k->help);
    for (unsigned i = 0; i < STATES; i++) {
        if (!k->counts[i]) continue;
        snprintf(labels, sizeof labels, "{status=\"%s\"}", states[i]);
        expose_count(e, k->metric, slice_str(labels), k->counts[i]);
    }
}

/* One figure of each link. */
static void expose_lag(struct exposition *e, json_t *links, const char *metric, const char *member, const char *help)
{
    json_t *link;
    size_t i;
    struct buf labels = {0};
    if (json_array_size(links)) expose_head(e, metric, "gauge", help);
    json_array_foreach(links, i, link)
    {
        struct slice type = json_text(link, "type"), upstream = json_text(link, "upstream");
        bool federation = upstream.size != 0;
        buf_clear(&labels);
        buf_put_u8(&labels, '{');
        label_put(&labels, "kind", federation ? type : slice_str("shovel")); /* "exchange" or "queue" */
        buf_put_u8(&labels, ',');
        label_put(&labels, "vhost", json_text(link, "vhost"));
        buf_put_u8(&labels, ',');
        label_put(&labels, "name",
                  json_text(link, !federation               ? "name"
                                  : slice_is(type, "queue") ? "queue"
                                                            : "exchange"));
        buf_put_u8(&labels, ',');
        label_put(&labels, "upstream", upstream);
        buf_put_u8(&labels, '}');
        expose_value(e, metric, buf_slice(&labels), json_number_value(json_object_get(link, member)));
    }
    buf_close(&labels);
}

bool scrape_links(struct scrape *s, struct exposition *e)
{
    struct kind federation = {"federation_links", "Federation links that this node runs"};
    struct kind dynamic = {"shovel_dynamic", "Dynamic shovels that this node runs"};
    struct kind fixed = {"shovel_static", "Static shovels that this node runs"};
    json_t *links = links_here(s->http), *link;
    size_t i;
    json_array_foreach(links, i, link)
    {
        if (json_object_get(link, "upstream")) count(&federation, link, "status");
        else count(slice_is(json_text(link, "type"), "static") ? &fixed : &dynamic, link, "state");
    }
    struct exposition own = {e->out, "warren_"};
    expose_lag(&own, links, "link_lag_seconds", "lag_seconds",
               "How long messages take to cross, or have waited already");
    expose_lag(&own, links, "link_lag_messages", "lag_messages", "Messages that wait at the source, and on the way");
    json_decref(links);
    expose_kind(e, &federation);
    expose_kind(e, &dynamic);
    expose_kind(e, &fixed);
    return false;
}
