/* The topology's life, lookups and walks. */
#include "router/topology_internal.h"

#include "base/check.h"

struct slice slice_keep(struct slice s)
{
    uint8_t *copy = mem_alloc(s.size + 1);
    if (s.size) memcpy(copy, s.data, s.size);
    copy[s.size] = 0;
    return slice_of(copy, s.size);
}

void slice_drop(struct slice s)
{
    mem_free((void *)s.data);
}

/* --- records in order --- */

static size_t ordered_find(const struct ordered *o, uint64_t serial)
{
    size_t low = 0, high = o->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (o->items[middle].serial < serial) low = middle + 1;
        else high = middle;
    }
    return low;
}

void ordered_add(struct ordered *o, uint64_t serial, void *record)
{
    CHECK(!o->count || o->items[o->count - 1].serial < serial);
    o->items = mem_grow(o->items, &o->capacity, o->count + 1, sizeof *o->items);
    o->items[o->count++] = (struct ordered_item){serial, record};
    o->live++;
}

void ordered_remove(struct ordered *o, uint64_t serial)
{
    size_t at = ordered_find(o, serial);
    CHECK(at < o->count && o->items[at].serial == serial && o->items[at].record);
    o->items[at].record = NULL;
    o->live--;
    if (o->count < 64 || o->live * 2 > o->count) return;
    size_t to = 0;
    for (size_t i = 0; i < o->count; i++)
        if (o->items[i].record) o->items[to++] = o->items[i];
    o->count = to;
}

/* `cursor` is the serial to go on from. */
void *ordered_next(const struct ordered *o, uint64_t *cursor)
{
    for (size_t at = ordered_find(o, *cursor); at < o->count; at++) {
        if (!o->items[at].record) continue;
        *cursor = o->items[at].serial + 1;
        return o->items[at].record;
    }
    *cursor = UINT64_MAX;
    return NULL;
}

/* --- life --- */

struct topology *topology_create(uint32_t group_count)
{
    return topology_create_with_spare(group_count, 0);
}

struct topology *topology_create_with_spare(uint32_t group_count, uint32_t spare_count)
{
    struct topology *t = mem_zalloc(sizeof *t);
    t->group_count = group_count ? group_count : 1;
    t->spare_count = spare_count;
    t->version = 1;
    t->group_queues = mem_zalloc((t->group_count + spare_count + 1) * sizeof *t->group_queues);
    list_init(&t->owned);
    t->registry_version = t->policy_version = 1;
    t->policies = policies_create();
    t->members = members_create(t->group_count + spare_count);
    vhost_create_predeclared(t, slice_str("/"));
    registry_put(t, &(struct registry_item){.name = slice_str("/"), .value = slice_str("{}")});
    return t;
}

void topology_clear(struct topology *t)
{
    uint64_t cursor = 0;
    void *record;
    while ((record = ordered_next(&t->queues, &cursor))) queue_remove(t, record);
    for (cursor = 0; (record = ordered_next(&t->exchanges, &cursor));) exchange_remove(t, record);
    for (cursor = 0; (record = ordered_next(&t->vhost_order, &cursor));) vhost_free(t, record);
    registry_close(t);
    struct ordered *all[] = {&t->queues, &t->exchanges, &t->bindings, &t->vhost_order};
    for (size_t i = 0; i < 4; i++) {
        mem_free(all[i]->items);
        *all[i] = (struct ordered){0};
    }
    map_u64_close(&t->queues_by_id);
    map_str_close(&t->vhosts);
    t->serial = 0;
}

void topology_destroy(struct topology *t)
{
    topology_clear(t);
    policies_destroy(t->policies);
    members_destroy(t->members);
    mem_free(t->group_queues);
    mem_free(t->pending);
    mem_free(t);
}

/* --- commands --- */

static void carry_out(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r)
{
    *r = (struct topology_result){0};
    switch (c->type) {
    case TOPOLOGY_EXCHANGE_DECLARE:
        exchange_declare(t, c, change, r);
        break;
    case TOPOLOGY_EXCHANGE_DELETE:
        exchange_delete(t, c, change, r);
        break;
    case TOPOLOGY_QUEUE_DECLARE:
        queue_declare(t, c, change, r);
        break;
    case TOPOLOGY_QUEUE_DELETE:
        queue_delete(t, c, change, r);
        break;
    case TOPOLOGY_BIND:
        binding_declare(t, c, change, r);
        break;
    case TOPOLOGY_UNBIND:
        binding_delete(t, c, change, r);
        break;
    case TOPOLOGY_OWNERS_GONE:
        owners_gone(t, c, change);
        break;
    case TOPOLOGY_SET:
        registry_set(t, c, change, r);
        break;
    case TOPOLOGY_CLEAR:
        registry_clear(t, c, change, r);
        break;
    case TOPOLOGY_SEED:
        registry_seed(t, c, change, r);
        break;
    case TOPOLOGY_MEMBERS:
        members_change(t, c, change, r);
        break;
    case TOPOLOGY_ALIVE:
        life_seen(t, c, change);
        break;
    default:
        refuse(r, 540, "NOT_IMPLEMENTED - unknown change of the topology");
        break;
    }
}

void topology_apply(struct topology *t, uint64_t index, const struct topology_command *c,
                    struct topology_result *result)
{
    carry_out(t, c, true, result);
    if (!result->reply_code) t->index = index;
}

void topology_examine(struct topology *t, const struct topology_command *c, struct topology_result *result)
{
    carry_out(t, c, false, result);
}

/* --- lookups --- */

uint64_t topology_index(const struct topology *t)
{
    return t->index;
}

uint64_t topology_version(const struct topology *t)
{
    return t->version;
}

uint64_t topology_last_queue_id(const struct topology *t)
{
    return t->last_queue_id;
}

bool topology_has_vhost(const struct topology *t, struct slice vhost)
{
    return vhost_find(t, vhost) != NULL;
}

const struct exchange *topology_exchange(const struct topology *t, struct slice vhost, struct slice name)
{
    struct vhost *v = vhost_find(t, vhost);
    struct exchange_record *x = v ? map_str_get(&v->exchanges, name) : NULL;
    return x ? &x->base : NULL;
}

const struct queue_record *topology_queue(const struct topology *t, struct slice vhost, struct slice name)
{
    struct vhost *v = vhost_find(t, vhost);
    struct queue_entry *q = v ? map_str_get(&v->queues, name) : NULL;
    return q ? &q->base : NULL;
}

const struct queue_record *topology_queue_by_id(const struct topology *t, uint64_t id)
{
    struct queue_entry *q = map_u64_get(&t->queues_by_id, id);
    return q ? &q->base : NULL;
}

size_t topology_queue_count(const struct topology *t)
{
    return t->queues.live - t->reply_queues;
}

size_t topology_exchange_count(const struct topology *t)
{
    return t->exchanges.live;
}

const struct queue_record *topology_next_queue(const struct topology *t, uint64_t *cursor)
{
    struct queue_entry *q = ordered_next(&t->queues, cursor);
    return q ? &q->base : NULL;
}

const struct exchange *topology_next_exchange(const struct topology *t, uint64_t *cursor)
{
    struct exchange_record *x = ordered_next(&t->exchanges, cursor);
    return x ? &x->base : NULL;
}

bool topology_next_binding(const struct topology *t, uint64_t *cursor, struct binding *out)
{
    struct binding_record *b = ordered_next(&t->bindings, cursor);
    if (!b) return false;
    *out = (struct binding){.vhost = b->source->vhost->name,
                            .source = b->source->base.name,
                            .destination = b->to_queue ? b->to_queue->base.name : b->to_exchange->base.name,
                            .to_exchange = b->to_exchange != NULL,
                            .routing_key = b->routing_key,
                            .arguments = b->arguments};
    return true;
}

const struct queue_record *topology_next_owned(const struct topology *t, uint64_t connection, uint64_t *cursor)
{
    const struct queue_record *best = NULL;
    LIST_FOR(&t->owned, link)
    {
        const struct queue_record *q = &LIST_ITEM(link, struct queue_entry, owned_link)->base;
        if (q->owner == connection && q->id >= *cursor && (!best || q->id < best->id)) best = q;
    }
    if (best) *cursor = best->id + 1;
    return best;
}
