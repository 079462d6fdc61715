/* publish_in and publish_out of exchanges: counted by connections, added up over shards and nodes. */
#include <stdio.h>

#include "node/http/families.h"
#include "node/http/peers.h"
#include "node/http/stats.h"

struct gathering {
    json_t *sums; /* vhost -> name -> [in, out] */
    uint64_t cursor;
    bool more;
};

static void add(json_t *sums, struct slice vhost, const struct session_exchange_info *info)
{
    json_t *key = json_slice(vhost), *name = json_slice(info->name);
    json_t *names = json_object_get(sums, json_string_value(key));
    if (!names) json_put(sums, json_string_value(key), names = json_object());
    json_t *counts = json_object_get(names, json_string_value(name));
    json_int_t in = json_integer_value(json_array_get(counts, 0)), out = json_integer_value(json_array_get(counts, 1));
    json_put(names, json_string_value(name),
             json_pack("[I, I]", in + (json_int_t)info->counts.in, out + (json_int_t)info->counts.out));
    json_decref(key);
    json_decref(name);
}

static void open_ones(struct shard *s, void *arg)
{
    struct gathering *g = arg;
    struct shard_connection_info c;
    struct session_exchange_info info;
    g->more = true;
    for (unsigned i = 0; i < HTTP_SLICE && (g->more = shard_next_connection(s, &g->cursor, &c)); i++)
        for (uint64_t at = 0; session_next_exchange(c.handle, &at, &info);) add(g->sums, c.session.vhost, &info);
}

static void closed_ones(struct shard *s, void *arg)
{
    struct gathering *g = arg;
    struct slice vhost;
    struct session_exchange_info info;
    for (size_t at = 0; shard_next_closed_exchange(s, &at, &vhost, &info);) add(g->sums, vhost, &info);
}

json_t *exchange_counts_here(struct http *h)
{
    struct gathering g = {.sums = json_object()};
    for (uint16_t i = 0; i < node_settings(h->params.node)->shard_count; i++) {
        struct shard *s = node_shard(h->params.node, i);
        g.cursor = 0;
        do shard_call_any(s, open_ones, &g);
        while (g.more);
        shard_call_any(s, closed_ones, &g);
    }
    return g.sums;
}

/* Counts and rates as the API shows them: name -> message_stats, of one vhost after the other. */
json_t *exchange_stats_here(struct http *h, const struct view *v)
{
    json_t *sums = exchange_counts_here(h), *names, *counts;
    const char *vhost, *name;
    json_object_foreach(sums, vhost, names)
    {
        json_object_foreach(names, name, counts)
        {
            char key[600];
            struct stats stats = {0};
            snprintf(key, sizeof key, "exchange %s/%s", vhost, name);
            stats.values[STAT_PUBLISH_IN] = (uint64_t)json_integer_value(json_array_get(counts, 0));
            stats.values[STAT_PUBLISH_OUT] = (uint64_t)json_integer_value(json_array_get(counts, 1));
            json_t *o = json_object();
            json_put_stat(o, STAT_PUBLISH_IN, &stats);
            json_put_stat(o, STAT_PUBLISH_OUT, &stats);
            sampler_details(h->sampler, key, v, RANGE_MSG_RATES, o);
            json_object_set_new(names, name, o);
        }
    }
    return sums;
}

/* Gives each exchange its message_stats, summed over all nodes. */
void exchange_stats_put(struct request *r, json_t *exchanges)
{
    if (!r->view.stats) return;
    json_t *total = exchange_stats_here(r->http, &r->view), *others = peers_ask_view(r, "exchanges");
    for (size_t i = 0; i < json_array_size(others); i++) json_sum(total, json_array_get(others, i));
    for (size_t i = 0; i < json_array_size(exchanges); i++) {
        json_t *x = json_array_get(exchanges, i);
        json_t *stats = json_object_get(json_object_get(total, json_string_value(json_object_get(x, "vhost"))),
                                        json_string_value(json_object_get(x, "name")));
        if (stats) json_object_set(x, "message_stats", stats);
    }
    json_decref(others);
    json_decref(total);
}
