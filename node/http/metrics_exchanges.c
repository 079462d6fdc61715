/* Figures of exchanges, and of exchanges with the queues that got messages from them: what clients of this node did,
 * since it started. Counted by connections, so they are added up once for each scrape. */
#include "base/map.h"
#include "base/mem.h"
#include "node/http/metrics.h"

struct exchange_figure {
    struct figure figure;
    size_t place; /* in struct session_exchange_counts + 1; 0: by queue */
    size_t sum;   /* in struct session_stats */
};
#define PLACES(field, all)                                                  \
    offsetof(struct session_exchange_counts, field) / sizeof(uint64_t) + 1, \
        offsetof(struct session_stats, all) / sizeof(uint64_t)

static const struct exchange_figure figures[] = {
    {{"exchange_metrics", "exchange_messages_published_total", "counter",
      "Total number of messages published into an exchange"},
     PLACES(in, publish)},
    {{"exchange_metrics", "exchange_messages_confirmed_total", "counter",
      "Total number of messages published into an exchange and confirmed"},
     PLACES(confirmed, confirm)},
    {{"exchange_metrics", "exchange_messages_unroutable_returned_total", "counter",
      "Total number of messages published as mandatory into an exchange and returned to the publisher as unroutable"},
     PLACES(returned, return_unroutable)},
    {{"exchange_metrics", "exchange_messages_unroutable_dropped_total", "counter",
      "Total number of messages published as non-mandatory into an exchange and dropped as unroutable"},
     PLACES(dropped, drop_unroutable)},
    {{"queue_exchange_metrics", "queue_exchange_messages_published_total", "counter",
      "Total number of messages published into a queue through an exchange"},
     0,
     offsetof(struct session_stats, routed) / sizeof(uint64_t)},
};
enum { FIGURES = sizeof figures / sizeof figures[0] };

/* An exchange, or an exchange and a queue: the labels are the key. */
struct tally {
    struct session_exchange_counts counts;
    uint64_t routed;
    struct slice labels; /* owned */
};

struct tallies {
    struct map_str by_labels; /* struct tally */
    uint64_t cursor;
    bool more, pairs;
    const struct scrape *scrape;
    struct buf labels;
};

static struct tally *tally_of(struct tallies *t)
{
    struct tally *one = map_str_get(&t->by_labels, buf_slice(&t->labels));
    if (one) return one;
    one = mem_zalloc(sizeof *one);
    one->labels = slice_of(mem_strndup((const char *)t->labels.data, t->labels.size), t->labels.size);
    map_str_set(&t->by_labels, one->labels, one);
    return one;
}

static void begin_labels(struct tallies *t, const char *name, struct slice value)
{
    buf_clear(&t->labels);
    buf_put_u8(&t->labels, '{');
    label_put(&t->labels, name, value);
    buf_put_u8(&t->labels, ',');
}

static void add_pairs(struct tallies *t, const struct topology *topology, struct slice vhost,
                      const struct session_exchange_info *info)
{
    for (size_t i = 0; i < info->routed_count; i++) {
        const struct queue_record *q = topology_queue_by_id(topology, info->routed[i].queue);
        if (!q || !scrape_has_queue(t->scrape, q->vhost, q->name)) continue;
        begin_labels(t, "queue_vhost", q->vhost);
        label_put(&t->labels, "queue", q->name);
        buf_put_u8(&t->labels, ',');
        label_put(&t->labels, "exchange_vhost", vhost);
        buf_put_u8(&t->labels, ',');
        label_put(&t->labels, "exchange", info->name);
        buf_put_u8(&t->labels, '}');
        tally_of(t)->routed += info->routed[i].count;
    }
}

static void add(struct tallies *t, const struct topology *topology, struct slice vhost,
                const struct session_exchange_info *info)
{
    if (!scrape_has_vhost(t->scrape, vhost)) return;
    if (t->pairs) {
        add_pairs(t, topology, vhost, info);
        return;
    }
    begin_labels(t, "vhost", vhost);
    label_put(&t->labels, "exchange", info->name);
    buf_put_u8(&t->labels, '}');
    struct tally *one = tally_of(t);
    for (size_t i = 0; i < sizeof info->counts / sizeof(uint64_t); i++)
        ((uint64_t *)&one->counts)[i] += ((const uint64_t *)&info->counts)[i];
}

static void look_at_open(struct shard *s, void *arg)
{
    struct tallies *t = arg;
    struct shard_connection_info c;
    struct session_exchange_info info;
    t->more = true;
    for (unsigned i = 0; i < HTTP_SLICE / 4 && (t->more = shard_next_connection(s, &t->cursor, &c)); i++)
        for (uint64_t at = 0; session_next_exchange(c.handle, &at, &info);)
            add(t, broker_topology(shard_broker(s)), c.session.vhost, &info);
}

static void look_at_closed(struct shard *s, void *arg)
{
    struct tallies *t = arg;
    struct slice vhost;
    struct session_exchange_info info;
    for (size_t at = 0; shard_next_closed_exchange(s, &at, &vhost, &info);)
        add(t, broker_topology(shard_broker(s)), vhost, &info);
}

static void gather(struct scrape *s, struct tallies *t)
{
    for (uint16_t i = 0; i < node_settings(s->http->params.node)->shard_count; i++) {
        struct shard *shard = node_shard(s->http->params.node, i);
        t->cursor = 0;
        do shard_call_any(shard, look_at_open, t);
        while (t->more);
        shard_call_any(shard, look_at_closed, t);
    }
}

static void put_all(struct scrape *s, struct exposition *e, const struct exchange_figure *f)
{
    struct tallies t = {.scrape = s, .pairs = !f->place};
    size_t at = 0;
    struct tally *one;
    gather(s, &t);
    while ((one = map_str_next(&t.by_labels, &at, NULL))) {
        expose_count(e, f->figure.name, one->labels,
                     f->place ? ((const uint64_t *)&one->counts)[f->place - 1] : one->routed);
        mem_free((void *)one->labels.data);
        mem_free(one);
    }
    map_str_close(&t.by_labels);
    buf_close(&t.labels);
}

bool scrape_exchanges(struct scrape *s, struct exposition *e)
{
    if (!scrape_figure(s, e, figures, sizeof figures[0], FIGURES)) return false;
    const struct exchange_figure *f = &figures[s->at.figure];
    if (s->kind == SCRAPE_SUMS)
        expose_count(e, f->figure.name, (struct slice){0}, ((const uint64_t *)&s->totals.stats)[f->sum]);
    else put_all(s, e, f);
    s->at = (struct scrape_at){.figure = s->at.figure + 1};
    return true;
}
