/* Who gives messages to whom (management.rates_mode = detailed): channels to exchanges, exchanges to queues, queues to
 * channels. A row names two of the three, and has what went between them as "stats". */
#include <stdio.h>

#include "base/mem.h"
#include "config/config.h"
#include "node/http/families.h"
#include "node/http/peers.h"
#include "node/http/stats.h"

struct walk {
    json_t *rows; /* key -> row */
    uint64_t cursor;
    bool more;
};

static json_t *name_json(struct slice vhost, struct slice name)
{
    json_t *o = json_object();
    json_put(o, "name", json_slice(name));
    json_put(o, "vhost", json_slice(vhost));
    return o;
}

static json_t *queue_name_json(struct shard *s, uint64_t id)
{
    const struct queue_record *q = topology_queue_by_id(broker_topology(shard_broker(s)), id);
    return q ? name_json(q->vhost, q->name) : NULL;
}

/* Adds to the row of these two. Moves them. */
static void add(struct walk *w, const char *key, const char *from, json_t *one, const char *to, json_t *other,
                const struct stats *stats)
{
    json_t *row = json_object_get(w->rows, key), *counts = json_object();
    for (unsigned k = 0; k < STAT_MESSAGE_KINDS; k++)
        if (stats->values[k]) json_put_stat(counts, k, stats);
    if (row) {
        json_sum(json_object_get(row, "stats"), counts);
        json_decref(counts);
        json_decref(one);
        json_decref(other);
        return;
    }
    row = json_object();
    json_put(row, "stats", counts);
    json_put(row, from, one);
    json_put(row, to, other);
    json_put(w->rows, key, row);
}

static void add_routed(struct walk *w, struct shard *s, struct slice vhost, const struct session_exchange_info *x)
{
    char key[1024];
    for (size_t i = 0; i < x->routed_count; i++) {
        struct stats stats = {0};
        json_t *queue = queue_name_json(s, x->routed[i].queue);
        if (!queue) continue;
        stats.values[STAT_PUBLISH] = x->routed[i].count;
        snprintf(key, sizeof key, "flow exchange %.*s/%.*s queue %llu", (int)vhost.size, (const char *)vhost.data,
                 (int)x->name.size, (const char *)x->name.data, (unsigned long long)x->routed[i].queue);
        add(w, key, "exchange", name_json(vhost, x->name), "queue", queue, &stats);
    }
}

static void add_channel(struct walk *w, struct shard *s, const struct shard_connection_info *c, uint16_t number)
{
    struct session_exchange_info x;
    struct session_queue_counts q;
    char key[1024];
    for (size_t at = 0; session_next_channel_exchange(c->handle, number, &at, &x);) {
        struct stats stats = {0};
        stats.values[STAT_PUBLISH] = x.counts.in;
        stats.values[STAT_CONFIRM] = x.counts.confirmed;
        stats.values[STAT_RETURN_UNROUTABLE] = x.counts.returned;
        stats.values[STAT_DROP_UNROUTABLE] = x.counts.dropped;
        snprintf(key, sizeof key, "flow channel %s (%u) exchange %.*s", c->session.peer, number, (int)x.name.size,
                 (const char *)x.name.data);
        add(w, key, "channel_details", channel_details(s, c, number), "exchange", name_json(c->session.vhost, x.name),
            &stats);
    }
    for (size_t at = 0; session_next_channel_queue(c->handle, number, &at, &q);) {
        struct stats stats = {0};
        json_t *queue = queue_name_json(s, q.queue);
        if (!queue) continue;
        stats_of_channel_queue(&stats, &q);
        snprintf(key, sizeof key, "flow queue %llu channel %s (%u)", (unsigned long long)q.queue, c->session.peer,
                 number);
        add(w, key, "queue", queue, "channel_details", channel_details(s, c, number), &stats);
    }
}

static void open_ones(struct shard *s, void *arg)
{
    struct walk *w = arg;
    struct shard_connection_info c;
    struct session_exchange_info x;
    struct session_channel_info channel;
    w->more = true;
    for (unsigned i = 0; i < HTTP_SLICE / 8 && (w->more = shard_next_connection(s, &w->cursor, &c)); i++) {
        for (uint64_t at = 0; session_next_exchange(c.handle, &at, &x);) add_routed(w, s, c.session.vhost, &x);
        for (uint64_t at = 0; session_next_channel(c.handle, &at, &channel);) add_channel(w, s, &c, channel.number);
    }
}

static void closed_ones(struct shard *s, void *arg)
{
    struct walk *w = arg;
    struct slice vhost;
    struct session_exchange_info x;
    for (size_t at = 0; shard_next_closed_exchange(s, &at, &vhost, &x);) add_routed(w, s, vhost, &x);
}

static bool are_wanted(const struct http *h)
{
    return !strcmp(h->params.management->rates_mode, "detailed");
}

json_t *flow_counts_here(struct http *h)
{
    struct walk w = {.rows = json_object()};
    if (!are_wanted(h)) return w.rows;
    for (uint16_t i = 0; i < node_settings(h->params.node)->shard_count; i++) {
        struct shard *s = node_shard(h->params.node, i);
        w.cursor = 0;
        do shard_call_any(s, open_ones, &w);
        while (w.more);
        shard_call_any(s, closed_ones, &w);
    }
    return w.rows;
}

json_t *flows_here(struct http *h, const struct view *v)
{
    json_t *counts = flow_counts_here(h), *rows = json_array(), *row;
    const char *key;
    json_object_foreach(counts, key, row)
    {
        sampler_details(h->sampler, key, v, RANGE_MSG_RATES, json_object_get(row, "stats"));
        json_array_append(rows, row);
    }
    json_decref(counts);
    return rows;
}

/* --- showing --- */

/* The row with the same other end, or NULL: an exchange and a queue meet on several nodes. */
static json_t *find(const json_t *rows, const char *to, const json_t *other)
{
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (json_equal(json_object_get(json_array_get(rows, i), to), other)) return json_array_get(rows, i);
    return NULL;
}

json_t *flows_of(json_t *flows, const char *from, const json_t *one, const char *to)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < json_array_size(flows); i++) {
        json_t *flow = json_array_get(flows, i), *other = json_object_get(flow, to);
        if (!other || !json_equal(json_object_get(flow, from), one)) continue;
        json_t *there = find(rows, to, other);
        if (there) json_sum(json_object_get(there, "stats"), json_object_get(flow, "stats"));
        else json_array_append_new(rows, json_pack("{s:O, s:O}", "stats", json_object_get(flow, "stats"), to, other));
    }
    return rows;
}

json_t *flows_everywhere(struct request *r)
{
    if (!are_wanted(r->http)) return json_array();
    return peers_list_view(r, flows_here(r->http, &r->view), "flows");
}
