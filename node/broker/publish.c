#include "node/broker/publish.h"

#include "base/mem.h"

struct sharing {
    const struct route *route;
    const struct publish *message;
    publish_share_cb each;
    void *arg;
    uint64_t *queues;
    struct buf stores;
    unsigned count;
};

static uint64_t value_of(const struct sharing *s, const struct route_store *store)
{
    return store->kind == ROUTE_STORE_DELAY ? s->message->marks->delay_ms : store->length;
}

static uint32_t collect_stores(struct sharing *s, uint32_t group)
{
    uint32_t count = 0;
    buf_clear(&s->stores);
    for (size_t i = 0; i < s->route->store_count; i++) {
        const struct route_store *store = &s->route->stores[i];
        if (store->group != group) continue;
        enqueue_store_put(
            &s->stores,
            &(struct enqueue_store){.kind = store->kind, .value = value_of(s, store), .exchange = store->exchange});
        count++;
    }
    return count;
}

/* The queues from `first` to `last`, those behind a window first. Returns how many these are. */
static uint32_t collect_queues(struct sharing *s, size_t first, size_t last)
{
    uint32_t count = 0, windowed;
    for (size_t i = first; i < last; i++)
        if (s->route->targets[i].windowed) s->queues[count++] = s->route->targets[i].queue;
    windowed = count;
    for (size_t i = first; i < last; i++)
        if (!s->route->targets[i].windowed) s->queues[count++] = s->route->targets[i].queue;
    return windowed;
}

static void share_marked(struct sharing *s, struct publish_share *result, uint32_t windowed)
{
    const struct amqp_marks *m = s->message->marks;
    const struct route_window *window = &s->route->window;
    struct enqueue_marks marks = {.windowed = windowed};
    marks.store_count = collect_stores(s, result->group);
    marks.stores = buf_slice(&s->stores);
    marks.vhost = s->message->vhost;
    if (m) {
        marks.key = amqp_mark_slice(&m->key);
        marks.key_ttl_ms = m->key_ttl_ms < COMMAND_TIME_MS_MAX ? m->key_ttl_ms : COMMAND_TIME_MS_MAX;
        marks.producer = amqp_mark_slice(&m->producer);
        marks.sequence = m->sequence;
    }
    if (marks.key.data && marks.windowed) {
        marks.window = window->exchange;
        marks.window_size = window->size;
        marks.window_ttl_ms = window->ttl_ms;
    }
    if (marks.key.data || marks.producer.data || marks.store_count) result->marks = &marks;
    s->each(s->arg, s->message, result);
}

static void share(struct sharing *s, uint32_t group, size_t first, size_t last)
{
    struct publish_share result = {.group = group, .queues = s->queues, .queue_count = (uint32_t)(last - first)};
    uint32_t windowed = collect_queues(s, first, last);
    if (s->message->marks || s->route->store_count) share_marked(s, &result, windowed);
    else s->each(s->arg, s->message, &result);
    s->count++;
}

/* True: a group that has queues, or that an earlier store named. */
static bool was_shared(const struct sharing *s, size_t store)
{
    uint32_t group = s->route->stores[store].group;
    for (size_t i = 0; i < s->route->count; i++)
        if (s->route->targets[i].group == group) return true;
    for (size_t i = 0; i < store; i++)
        if (s->route->stores[i].group == group) return true;
    return false;
}

unsigned publish_shares(const struct route *route, const struct publish *m, publish_share_cb each, void *arg)
{
    uint64_t few[64];
    bool many = route->count > sizeof few / sizeof few[0];
    struct sharing s = {.route = route, .message = m, .each = each, .arg = arg, .queues = few};
    if (many) s.queues = mem_alloc(route->count * sizeof *s.queues);
    for (size_t i = 0; i < route->count;) {
        size_t first = i;
        while (i < route->count && route->targets[i].group == route->targets[first].group) i++;
        share(&s, route->targets[first].group, first, i);
    }
    for (size_t i = 0; i < route->store_count; i++)
        if (!was_shared(&s, i)) share(&s, route->stores[i].group, 0, 0);
    if (many) mem_free(s.queues);
    buf_close(&s.stores);
    return s.count;
}
