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
    json_decref(links);
    expose_kind(e, &federation);
    expose_kind(e, &dynamic);
    expose_kind(e, &fixed);
    return false;
}
