/* The cluster's objects: the same on each node, and asked for by name only. */
#include "base/map.h"
#include "base/mem.h"
#include "node/http/metrics.h"
#include "router/registry.h"

struct walk {
    struct scrape *scrape;
    struct exposition *e;
    const struct map_str *counts; /* bindings by source; NULL: names only */
    bool more;
};

/* RabbitMQ leaves out the nameless exchange and internal ones. */
static bool is_shown(const struct scrape *s, const struct exchange *x)
{
    return x->name.size && !x->internal && scrape_has_vhost(s, x->vhost);
}

static void put_key(struct buf *key, struct slice vhost, struct slice name)
{
    buf_clear(key);
    buf_put_slice(key, vhost);
    buf_put_u8(key, 0);
    buf_put_slice(key, name);
}

static void exchanges_slice(struct shard *s, void *arg)
{
    struct walk *w = arg;
    const struct exchange *x = NULL;
    struct buf labels = {0}, key = {0};
    for (unsigned i = 0;
         i < HTTP_SLICE && (x = topology_next_exchange(broker_topology(shard_broker(s)), &w->scrape->at.cursor)); i++) {
        if (!is_shown(w->scrape, x)) continue;
        buf_clear(&labels);
        buf_put_u8(&labels, '{');
        label_put(&labels, "vhost", x->vhost);
        buf_put_u8(&labels, ',');
        label_put(&labels, "exchange", x->name);
        buf_put_u8(&labels, ',');
        label_put(&labels, "type", x->type);
        buf_put_u8(&labels, '}');
        put_key(&key, x->vhost, x->name);
        const uint64_t *count = w->counts ? map_str_get(w->counts, buf_slice(&key)) : NULL;
        if (w->counts) expose_count(w->e, "exchange_bindings", buf_slice(&labels), count ? *count : 0);
        else expose_count(w->e, "exchange_name", buf_slice(&labels), 1);
    }
    w->more = x != NULL;
    buf_close(&labels);
    buf_close(&key);
}

bool scrape_exchange_names(struct scrape *s, struct exposition *outer)
{
    struct exposition e = {outer->out, "rabbitmq_cluster_"};
    struct walk w = {.scrape = s, .e = &e};
    if (!scrape_has(s, "exchange_names")) return false;
    if (!s->at.begun) expose_head(&e, "exchange_name", "gauge", "Enumerates exchanges without any additional info");
    s->at.begun = true;
    shard_call_any(node_shard(s->http->params.node, 0), exchanges_slice, &w);
    return w.more;
}

/* --- bindings --- */

struct counting {
    struct map_str counts; /* uint64_t, with its key behind it */
    uint64_t cursor;
    bool more;
};

static void count_slice(struct shard *s, void *arg)
{
    struct counting *c = arg;
    struct binding b;
    struct buf key = {0};
    c->more = true;
    for (unsigned i = 0; i < HTTP_SLICE * 4 && c->more; i++) {
        c->more = topology_next_binding(broker_topology(shard_broker(s)), &c->cursor, &b);
        if (!c->more) break;
        put_key(&key, b.vhost, b.source);
        uint64_t *count = map_str_get(&c->counts, buf_slice(&key));
        if (!count) {
            count = mem_zalloc(sizeof *count + key.size);
            memcpy(count + 1, key.data, key.size);
            map_str_set(&c->counts, slice_of((uint8_t *)(count + 1), key.size), count);
        }
        ++*count;
    }
    buf_close(&key);
}

bool scrape_exchange_bindings(struct scrape *s, struct exposition *outer)
{
    struct exposition e = {outer->out, "rabbitmq_cluster_"};
    struct counting c = {0};
    struct walk w = {.scrape = s, .e = &e, .counts = &c.counts};
    size_t at = 0;
    uint64_t *count;
    if (!scrape_has(s, "exchange_bindings")) return false;
    do shard_call_any(node_shard(s->http->params.node, 0), count_slice, &c);
    while (c.more);
    expose_head(&e, "exchange_bindings", "gauge", "Number of bindings for an exchange. This value is cluster-wide.");
    do shard_call_any(node_shard(s->http->params.node, 0), exchanges_slice, &w);
    while (w.more);
    while ((count = map_str_next(&c.counts, &at, NULL))) mem_free(count);
    map_str_close(&c.counts);
    return false;
}

/* --- vhosts --- */

static void vhosts_slice(struct shard *s, void *arg)
{
    struct walk *w = arg;
    const struct registry_item *item;
    struct buf labels = {0};
    const struct topology *t = broker_topology(shard_broker(s));
    for (uint64_t at = 0; (item = registry_next(t, REGISTRY_VHOST, &at));) {
        if (!scrape_has_vhost(w->scrape, item->name)) continue;
        buf_clear(&labels);
        buf_put_u8(&labels, '{');
        label_put(&labels, "vhost", item->name);
        buf_put_u8(&labels, '}');
        expose_count(w->e, "vhost_status", buf_slice(&labels), 1);
    }
    buf_close(&labels);
}

/* All of them are running: a vhost is no process that could fail alone. */
bool scrape_vhosts(struct scrape *s, struct exposition *outer)
{
    struct exposition e = {outer->out, "rabbitmq_cluster_"};
    struct walk w = {.scrape = s, .e = &e};
    if (!scrape_has(s, "vhost_status")) return false;
    expose_head(&e, "vhost_status", "gauge", "Whether a given vhost is running");
    shard_call_any(node_shard(s->http->params.node, 0), vhosts_slice, &w);
    return false;
}
