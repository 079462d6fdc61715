/* Which queues get a message: one walk over exchanges, each visited once. */
#include "router/route.h"

#include <stdlib.h>

#include "base/table_index.h"
#include "router/federation.h"
#include "router/topology_internal.h"

struct walk {
    struct topology *topology;
    struct route *route;
    const struct route_query *query;
    size_t found;  /* destinations of the exchange at hand: none means its alternate */
    bool windowed; /* a window lies before it */
    struct table_index headers;
};

void route_close(struct route *r)
{
    mem_free(r->targets);
    mem_free(r->stores);
    *r = (struct route){0};
}

void route_add(struct route *r, uint32_t group, uint64_t queue)
{
    size_t at = r->count;
    while (at > 0 && (r->targets[at - 1].group > group ||
                      (r->targets[at - 1].group == group && r->targets[at - 1].queue > queue)))
        at--;
    if (at > 0 && r->targets[at - 1].group == group && r->targets[at - 1].queue == queue) return;
    if (r->count == r->capacity) {
        r->capacity = r->capacity ? r->capacity * 2 : 4;
        r->targets = mem_realloc(r->targets, r->capacity * sizeof *r->targets);
    }
    memmove(&r->targets[at + 1], &r->targets[at], (r->count - at) * sizeof *r->targets);
    r->targets[at] = (struct route_target){.group = group, .queue = queue};
    r->count++;
}

static void append(struct route *r, uint32_t group, uint64_t queue, bool windowed)
{
    if (r->count == r->capacity) {
        r->capacity = r->capacity ? r->capacity * 2 : 4;
        r->targets = mem_realloc(r->targets, r->capacity * sizeof *r->targets);
    }
    r->targets[r->count++] = (struct route_target){.group = group, .windowed = windowed, .queue = queue};
}

static int by_group_and_id(const void *a, const void *b)
{
    const struct route_target *x = a, *y = b;
    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    return x->queue < y->queue ? -1 : x->queue > y->queue;
}

static void sort_and_unite(struct route *r)
{
    if (r->count < 2) return;
    qsort(r->targets, r->count, sizeof *r->targets, by_group_and_id);
    size_t to = 1;
    for (size_t i = 1; i < r->count; i++) {
        if (by_group_and_id(&r->targets[i], &r->targets[to - 1])) r->targets[to++] = r->targets[i];
        else r->targets[to - 1].windowed &= r->targets[i].windowed;
    }
    r->count = to;
}

static void add_store(struct route *r, struct route_store store)
{
    for (size_t i = 0; i < r->store_count; i++)
        if (r->stores[i].kind == store.kind && slice_equal(r->stores[i].exchange, store.exchange)) return;
    r->stores = mem_grow(r->stores, &r->store_capacity, r->store_count + 1, sizeof *r->stores);
    r->stores[r->store_count++] = store;
}

/* --- the walk --- */

static void visit_later(struct walk *w, struct exchange_record *x)
{
    struct topology *t = w->topology;
    if (x->visited == t->walk) return;
    x->visited = t->walk;
    x->windowed = w->windowed;
    t->pending = mem_grow(t->pending, &t->pending_capacity, t->pending_count + 1, sizeof *t->pending);
    t->pending[t->pending_count++] = x;
}

static void take(void *arg, struct binding_record *b)
{
    struct walk *w = arg;
    w->found++;
    if (b->to_queue) append(w->route, b->to_queue->base.group, b->to_queue->base.id, w->windowed);
    else visit_later(w, b->to_exchange);
}

static void by_key(struct walk *w, struct exchange_record *x, struct slice key)
{
    if (!x->base.name.size) {
        struct queue_entry *q = map_str_get(&x->vhost->queues, key);
        if (!q) return;
        w->found++;
        append(w->route, q->base.group, q->base.id, w->windowed);
    } else if (x->kind == EXCHANGE_DIRECT) {
        for (struct binding_record *b = map_str_get(&x->by_key, key); b; b = b->same_key) take(w, b);
    } else {
        topic_match(x->topics, key, take, w);
    }
}

static void by_keys(struct walk *w, struct exchange_record *x)
{
    by_key(w, x, w->query->routing_key);
    for (size_t i = 0; i < ROUTE_FURTHER; i++) {
        struct reader r = reader_of(w->query->further[i]);
        struct table_value key;
        while (table_item(&r, &key))
            if (key.type == 'S') by_key(w, x, key.bytes); /* RabbitMQ passes over the others, too */
    }
}

static void keep(struct walk *w, struct exchange_record *x, uint8_t kind)
{
    add_store(w->route, (struct route_store){.group = topology_home_group(w->topology, x->vhost->name, x->base.name),
                                             .kind = kind,
                                             .length = x->traits.history_length,
                                             .exchange = x->base.name});
}

/* What the types of exchanges do that keep messages or remember them. False: it goes no further for now. */
static bool pass(struct walk *w, struct exchange_record *x)
{
    const struct exchange_traits *traits = &x->traits;
    w->windowed = x->windowed || traits->deduplicates;
    if (traits->deduplicates && !w->route->window.exchange.data)
        w->route->window = (struct route_window){x->base.name, traits->window_size, traits->window_ttl_ms};
    w->route->depends_on_headers |= traits->delays || traits->history_length;
    if (traits->delays && w->query->delayed) {
        keep(w, x, ROUTE_STORE_DELAY);
        w->route->held_back = true;
        return false;
    }
    if (traits->history_length && !w->query->no_store) keep(w, x, ROUTE_STORE_HISTORY);
    return true;
}

static void visit(struct walk *w, struct exchange_record *x)
{
    w->found = 0;
    if (!pass(w, x)) return;
    if (!x->base.name.size || x->kind == EXCHANGE_DIRECT || x->kind == EXCHANGE_TOPIC) {
        by_keys(w, x);
    } else if (x->choices) {
        struct binding_record *b = choice_make(x->choices, x->kind, w->query, w->route);
        if (b) take(w, b);
    } else {
        if (x->kind != EXCHANGE_FANOUT) w->route->depends_on_headers = true;
        if (x->kind == EXCHANGE_FEDERATION_UPSTREAM && !federation_forwards(x->base.arguments, w->query->headers))
            return;
        LIST_FOR(&x->from, link)
        {
            struct binding_record *b = LIST_ITEM(link, struct binding_record, source_link);
            if (x->kind != EXCHANGE_HEADERS || headers_match(b->arguments, &w->headers)) take(w, b);
        }
    }
    if (w->found || !x->alternate.size) return; /* the default exchange leads nowhere as an alternate: so in RabbitMQ */
    struct exchange_record *alternate = map_str_get(&x->vhost->exchanges, x->alternate);
    if (alternate) visit_later(w, alternate);
}

bool route_find(struct topology *t, const struct route_query *query, struct route *route)
{
    route->count = route->store_count = 0;
    route->window = (struct route_window){0};
    route->held_back = false;
    route->depends_on_headers = route->depends_on_properties = route->depends_on_chance = false;
    struct vhost *v = vhost_find(t, query->vhost);
    struct exchange_record *x = v ? map_str_get(&v->exchanges, query->exchange) : NULL;
    if (!x) return false;
    t->walk++;
    struct walk w = {.topology = t, .route = route, .query = query};
    table_index_open(&w.headers, query->headers);
    x->visited = t->walk;
    x->windowed = false;
    visit(&w, x);
    while (t->pending_count) visit(&w, t->pending[--t->pending_count]);
    table_index_close(&w.headers);
    sort_and_unite(route);
    return true;
}

bool route_message(struct topology *t, struct slice vhost, struct slice exchange, struct slice routing_key,
                   struct slice headers, struct route *route)
{
    struct route_query query = {.vhost = vhost, .exchange = exchange, .routing_key = routing_key, .headers = headers};
    return route_find(t, &query, route);
}
