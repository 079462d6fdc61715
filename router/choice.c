/* The bindings of an exchange that chooses one of them: kept in order, and the choice by kind. */
#include "router/choice.h"

#include "base/check.h"
#include "base/hash.h"

struct choices {
    struct choice *items;
    size_t count, capacity;
    uint64_t exchange_hash; /* so that two exchanges do not throw the same dice for one message */
    struct hash_source source;
};

bool choice_check_exchange(int kind, struct slice arguments, struct topology_result *r)
{
    struct hash_source ignored;
    return kind != EXCHANGE_CONSISTENT_HASH || hash_exchange_parse(arguments, &ignored, r);
}

/* RabbitMQ's rules: queues alone, and each is bound alike. */
static bool local_random_check(bool to_exchange, struct slice routing_key, struct topology_result *r)
{
    if (routing_key.size)
        refuse(r, 406, "PRECONDITION_FAILED - Non empty binding '%.*s' key not permitted", SLICE_FORMAT(routing_key));
    else if (to_exchange) refuse(r, 406, "PRECONDITION_FAILED - Destination not found");
    return !routing_key.size && !to_exchange;
}

bool choice_check_binding(int kind, bool to_exchange, struct slice routing_key, struct topology_result *r)
{
    if (kind == EXCHANGE_LOCAL_RANDOM) return local_random_check(to_exchange, routing_key, r);
    return kind != EXCHANGE_CONSISTENT_HASH || hash_exchange_weight(routing_key, r);
}

struct choices *choice_open(const struct exchange_record *x)
{
    struct topology_result ignored;
    if (x->kind < EXCHANGE_CHOOSES_FROM) return NULL;
    struct choices *c = mem_zalloc(sizeof *c);
    c->exchange_hash = hash_slice(x->base.name);
    if (x->kind == EXCHANGE_CONSISTENT_HASH) hash_exchange_parse(x->base.arguments, &c->source, &ignored);
    return c;
}

void choice_close(struct choices *c)
{
    if (c) mem_free(c->items);
    mem_free(c);
}

/* --- order --- */

static struct slice destination_of(const struct binding_record *b)
{
    return b->to_queue ? b->to_queue->base.name : b->to_exchange->base.name;
}

static int compare(const struct binding_record *a, const struct binding_record *b)
{
    if (!a->to_exchange != !b->to_exchange) return a->to_exchange ? 1 : -1;
    int order = slice_compare(destination_of(a), destination_of(b));
    if (!order) order = slice_compare(a->routing_key, b->routing_key);
    return order ? order : slice_compare(a->arguments, b->arguments);
}

/* The first that is not before `b`: `b` itself if it is there. */
static size_t place_of(const struct choices *c, const struct binding_record *b)
{
    size_t low = 0, high = c->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(c->items[middle].binding, b) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

void choice_insert(struct choices *c, int kind, struct binding_record *b)
{
    struct topology_result ignored;
    struct slice name = destination_of(b);
    size_t at = place_of(c, b);
    c->items = mem_grow(c->items, &c->capacity, c->count + 1, sizeof *c->items);
    memmove(&c->items[at + 1], &c->items[at], (c->count - at) * sizeof *c->items);
    c->count++;
    c->items[at] = (struct choice){
        .binding = b,
        .destination_hash = hash_bytes(name.data, name.size, b->to_exchange != NULL),
        .weight = kind == EXCHANGE_CONSISTENT_HASH ? hash_exchange_weight(b->routing_key, &ignored) : 1,
    };
}

void choice_remove(struct choices *c, struct binding_record *b)
{
    size_t at = place_of(c, b);
    CHECK(at < c->count && c->items[at].binding == b);
    c->count--;
    memmove(&c->items[at], &c->items[at + 1], (c->count - at) * sizeof *c->items);
}

/* --- choosing --- */

/* Evenly one of `count`. */
static size_t below(uint64_t random, size_t count)
{
    return (size_t)((random >> 32) * count >> 32);
}

static bool is_local(const struct binding_record *b, const struct route_query *q)
{
    return b->to_queue && q->is_local && q->is_local(q->is_local_arg, b->to_queue->base.group);
}

/* One of those whose group is led here, if there are any. */
static size_t local_or_any(const struct choices *c, const struct route_query *q, uint64_t random)
{
    size_t local = 0;
    for (size_t i = 0; i < c->count; i++) local += is_local(c->items[i].binding, q);
    if (!local) return below(random, c->count);
    size_t left = below(random, local);
    for (size_t i = 0; i < c->count; i++)
        if (is_local(c->items[i].binding, q) && !left--) return i;
    return below(random, c->count); /* not reached while is_local() is steady */
}

static void note_dependence(const struct choices *c, int kind, struct route *route)
{
    if (kind == EXCHANGE_RANDOM || kind == EXCHANGE_LOCAL_RANDOM) route->depends_on_chance = true;
    else if (c->source.kind == HASH_HEADER) route->depends_on_headers = true;
    else if (c->source.kind == HASH_PROPERTY) route->depends_on_properties = true;
}

struct binding_record *choice_make(const struct choices *c, int kind, const struct route_query *query,
                                   struct route *route)
{
    if (!c->count) return NULL;
    if (c->count == 1) return c->items[0].binding; /* whatever the message is */
    note_dependence(c, kind, route);
    uint64_t random = hash_u64(query->random ^ c->exchange_hash);
    switch (kind) {
    case EXCHANGE_CONSISTENT_HASH:
        return hash_exchange_pick(c->items, c->count, hash_exchange_hash(&c->source, query))->binding;
    case EXCHANGE_MODULUS_HASH:
        return c->items[hash_slice(query->routing_key) % c->count].binding;
    case EXCHANGE_LOCAL_RANDOM:
        return c->items[local_or_any(c, query, random)].binding;
    default:
        return c->items[below(random, c->count)].binding;
    }
}
