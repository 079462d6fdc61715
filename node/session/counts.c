#include "node/session/counts.h"

#include "base/mem.h"

void counts_close(struct counts *c)
{
    size_t at = 0;
    struct slice name;
    struct exchange_count *x;
    while ((x = map_str_next(&c->exchanges, &at, &name))) {
        map_u64_close(&x->places);
        mem_free(x->routed);
        mem_free(x);
    }
    map_str_close(&c->exchanges);
    mem_free(c->by_number);
    mem_free(c->queues);
    *c = (struct counts){0};
}

/* --- exchanges --- */

static struct exchange_count *exchange_of(struct counts *c, struct slice name)
{
    struct exchange_count *x = c->last;
    if (x && slice_equal(slice_of(x->name, x->name_size), name)) return x;
    x = map_str_get(&c->exchanges, name);
    if (x || c->exchanges.count >= COUNTS_EXCHANGES_MAX) return c->last = x;
    x = mem_zalloc(sizeof *x);
    x->name_size = (uint8_t)name.size;
    if (name.size) memcpy(x->name, name.data, name.size);
    x->number = (uint16_t)(c->exchanges.count + 1);
    map_str_set(&c->exchanges, slice_of(x->name, x->name_size), x);
    c->by_number = mem_grow(c->by_number, &c->by_number_capacity, x->number, sizeof(struct exchange_count *));
    c->by_number[x->number - 1] = x;
    return c->last = x;
}

/* Messages often go where the last ones went: the place behind the last is tried before the map. */
static void count_routed(struct exchange_count *x, uint64_t queue, uint64_t count)
{
    if (x->hint < x->routed_count && x->routed[x->hint].queue == queue) {
        x->routed[x->hint++].count += count;
        return;
    }
    size_t place = (size_t)(uintptr_t)map_u64_get(&x->places, queue);
    if (!place && x->routed_count == COUNTS_ROUTED_MAX) return;
    if (!place) {
        x->routed = mem_grow(x->routed, &x->routed_capacity, x->routed_count + 1, sizeof *x->routed);
        x->routed[x->routed_count++] = (struct session_routed){queue, 0};
        place = x->routed_count;
        map_u64_set(&x->places, queue, (void *)(uintptr_t)place);
    }
    x->routed[place - 1].count += count;
    x->hint = place;
}

uint16_t counts_published(struct counts *c, struct slice exchange, const struct route *route)
{
    struct exchange_count *x = exchange_of(c, exchange);
    if (!x) return 0;
    x->counts.in++;
    x->counts.out += route->count;
    if (x->hint >= route->count) x->hint -= route->count;
    for (size_t i = 0; i < route->count; i++) count_routed(x, route->targets[i].queue, 1);
    return x->number;
}

struct session_exchange_counts *counts_exchange(struct counts *c, uint16_t number)
{
    return number ? &c->by_number[number - 1]->counts : NULL;
}

void counts_keep(struct counts *to, const struct counts *from)
{
    struct session_exchange_info info;
    for (size_t at = 0; counts_next_exchange(from, &at, &info);) {
        struct exchange_count *x = exchange_of(to, info.name);
        for (size_t i = 0; x && i < sizeof info.counts / sizeof(uint64_t); i++)
            ((uint64_t *)&x->counts)[i] += ((const uint64_t *)&info.counts)[i];
        for (size_t i = 0; x && i < info.routed_count; i++) count_routed(x, info.routed[i].queue, info.routed[i].count);
    }
}

bool counts_next_exchange(const struct counts *c, size_t *cursor, struct session_exchange_info *info)
{
    struct slice name;
    const struct exchange_count *x = map_str_next(&c->exchanges, cursor, &name);
    if (x) *info = (struct session_exchange_info){name, x->counts, x->routed, x->routed_count};
    return x != NULL;
}

/* --- queues: few, and looked for when a consumer comes or a message is asked for --- */

uint16_t counts_number(struct counts *c, uint64_t queue)
{
    for (size_t i = 0; i < c->queue_count; i++)
        if (c->queues[i].queue == queue) return (uint16_t)(i + 1);
    if (c->queue_count == COUNTS_QUEUES_MAX) return 0;
    c->queues = mem_grow(c->queues, &c->queue_capacity, c->queue_count + 1, sizeof *c->queues);
    c->queues[c->queue_count++] = (struct session_queue_counts){.queue = queue};
    return (uint16_t)c->queue_count;
}

struct session_queue_counts *counts_queue(struct counts *c, uint16_t number)
{
    return number ? &c->queues[number - 1] : NULL;
}
