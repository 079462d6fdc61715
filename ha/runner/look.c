/* What the runner asks the shards: who is there, what should run, which bindings there are, which
 * queues want messages. */
#include "base/map.h"
#include "base/mem.h"
#include "ha/runner/runner_internal.h"
#include "router/registry.h"

/* --- nodes and plan --- */

struct around {
    struct runner *runner;
    uint64_t nodes;
    uint32_t members;
    bool stopping;
};

static void see_replicas(struct runner *r, struct shard *s)
{
    for (uint32_t g = 0; g < r->settings->placement.group_count; g++) {
        uint8_t nodes[GROUP_MEMBERS_MAX];
        uint32_t count = shard_replicas(s, g, nodes);
        r->replicas[g] = 0;
        for (uint32_t i = 0; i < count; i++) r->replicas[g] |= 1ull << (nodes[i] & 63);
    }
}

static void see_around(struct shard *s, void *arg)
{
    struct around *a = arg;
    struct runner *r = a->runner;
    const struct topology *t = broker_topology(shard_broker(s));
    a->stopping = shard_stopping(s);
    uint8_t members[64];
    a->members = shard_members(s, members);
    for (uint32_t i = 0; i < a->members; i++)
        if (shard_peer_connected(s, members[i])) a->nodes |= 1ull << members[i];
    see_replicas(r, s);
    if (registry_version(t) == r->registry_version && topology_version(t) == r->topology_version) return;
    r->registry_version = registry_version(t);
    r->topology_version = topology_version(t);
    r->bindings_stale = true;
    registry_cluster_name(t, r->settings->session.cluster_name, r->cluster_name);
    plan_close(&r->dynamic);
    plan_read_topology(&r->dynamic, t, r->worker_host.cluster_name);
}

uint64_t look_around(struct runner *r)
{
    struct around a = {.runner = r};
    shard_call_any(node_shard(r->node, 0), see_around, &a);
    bool majority = (unsigned)__builtin_popcountll(a.nodes) > a.members / 2;
    return majority && !a.stopping ? a.nodes : 0;
}

/* --- bindings --- */

/* Copies of bindings for one exchange: be16 key, key, be32 arguments, arguments. Several links may
 * share an exchange. */
struct collected {
    struct buf name; /* vhost, zero, exchange */
    struct buf items;
};

struct collection {
    struct runner *runner;
    struct map_str exchanges; /* struct collected by name */
};

static void put_exchange_name(struct buf *b, struct slice vhost, struct slice exchange)
{
    buf_clear(b);
    buf_put_slice(b, vhost);
    buf_put_u8(b, 0);
    buf_put_slice(b, exchange);
}

static void collect(struct shard *s, void *arg)
{
    struct collection *c = arg;
    const struct topology *t = broker_topology(shard_broker(s));
    struct binding b;
    struct buf name = {0};
    for (uint64_t cursor = 0; topology_next_binding(t, &cursor, &b);) {
        put_exchange_name(&name, b.vhost, b.source);
        struct collected *into = map_str_get(&c->exchanges, buf_slice(&name));
        if (!into) continue;
        buf_put_be16(&into->items, (uint16_t)b.routing_key.size);
        buf_put_slice(&into->items, b.routing_key);
        buf_put_be32(&into->items, (uint32_t)b.arguments.size);
        buf_put_slice(&into->items, b.arguments);
    }
    buf_close(&name);
}

static void name_exchanges(struct collection *c)
{
    for (size_t i = 0; i < c->runner->worker_count; i++) {
        const struct plan_item *item = worker_item(c->runner->workers[i]);
        if (item->kind != PLAN_EXCHANGE_LINK) continue;
        struct collected *one = mem_zalloc(sizeof *one);
        put_exchange_name(&one->name, slice_str(item->vhost), slice_str(item->name));
        if (map_str_get(&c->exchanges, buf_slice(&one->name))) {
            buf_close(&one->name);
            mem_free(one);
        } else {
            map_str_set(&c->exchanges, buf_slice(&one->name), one);
        }
    }
}

static void tell_bindings(struct worker *w, const struct collected *from)
{
    struct exchange_link *l = worker_exchange_link(w);
    struct reader r = reader_of(buf_slice(&from->items));
    exchange_link_bindings_begin(l);
    while (reader_left(&r)) {
        struct slice key = reader_bytes(&r, reader_be16(&r));
        struct slice arguments = reader_bytes(&r, reader_be32(&r));
        exchange_link_binding(l, key, arguments);
    }
    exchange_link_bindings_end(l);
    worker_turn(w);
}

void look_for_bindings(struct runner *r)
{
    struct collection c = {.runner = r};
    struct collected *one;
    struct buf name = {0};
    size_t at = 0;
    if (!r->bindings_stale) return;
    r->bindings_stale = false;
    name_exchanges(&c);
    if (c.exchanges.count) shard_call_any(node_shard(r->node, 0), collect, &c);
    for (size_t i = 0; i < r->worker_count; i++) {
        const struct plan_item *item = worker_item(r->workers[i]);
        if (item->kind != PLAN_EXCHANGE_LINK) continue;
        put_exchange_name(&name, slice_str(item->vhost), slice_str(item->name));
        tell_bindings(r->workers[i], map_str_get(&c.exchanges, buf_slice(&name)));
    }
    while ((one = map_str_next(&c.exchanges, &at, NULL))) {
        buf_close(&one->name);
        buf_close(&one->items);
        mem_free(one);
    }
    map_str_close(&c.exchanges);
    buf_close(&name);
}

/* --- queues --- */

struct queue_question {
    uint32_t group;
    uint64_t queue;
    bool wants;
};

/* An empty queue with a consumer of its own: one with a priority below zero is another cluster's link, and two clusters
 * would send a message to and fro for ever. */
static void ask_queue(struct shard *s, void *arg)
{
    struct queue_question *q = arg;
    const struct queue_machine *m = broker_queues(shard_broker(s), q->group);
    struct queue_stat stat;
    struct consumer_stat consumer;
    if (!m || !queue_machine_stat(m, q->queue, &stat) || stat.ready) return;
    for (uint64_t cursor = 0; queue_machine_next_consumer(m, q->queue, &cursor, &consumer);)
        q->wants = q->wants || (consumer.priority >= 0 && (!consumer.prefetch || consumer.unacked < consumer.prefetch));
}

void look_at_queues(struct runner *r)
{
    for (size_t i = 0; i < r->worker_count; i++) {
        struct queue_link *l = worker_queue_link(r->workers[i]);
        if (!l) continue;
        const struct federated *f = queue_link_federated(l);
        struct queue_question q = {.group = f->group, .queue = f->queue_id};
        shard_call_any(node_shard(r->node, (uint16_t)(f->group % r->settings->shard_count)), ask_queue, &q);
        queue_link_want(l, q.wants);
        worker_turn(r->workers[i]);
    }
}
