/* Bindings: the index of each exchange, and auto-delete of sources that lost their last one. */
#include <stdlib.h>

#include "base/field_table.h"
#include "router/topology_internal.h"

struct argument {
    struct slice key, whole; /* `whole`: with the key and its value, as they stand in the table */
};

static int by_key(const void *left, const void *right)
{
    const struct argument *a = left, *b = right;
    int order = slice_compare(a->key, b->key);
    return order ? order : a->whole.data < b->whole.data ? -1 : 1; /* of one key: as they came */
}

/* In whatever order a client names the arguments, it means the same binding. */
static void put_in_order(struct buf *b, struct slice arguments)
{
    struct argument *items = NULL;
    size_t count = 0, capacity = 0;
    struct reader r = reader_of(arguments);
    struct slice key;
    struct table_value v;
    for (const uint8_t *at = r.at; table_next(&r, &key, &v); at = r.at) {
        items = mem_grow(items, &capacity, count + 1, sizeof *items);
        items[count++] = (struct argument){key, slice_of(at, (size_t)(r.at - at))};
    }
    if (count > 1) qsort(items, count, sizeof *items, by_key);
    for (size_t i = 0; i < count; i++) buf_put_slice(b, items[i].whole);
    mem_free(items);
}

static struct slice identity_of(struct slice source, struct slice destination, bool to_exchange, struct slice key,
                                struct slice arguments)
{
    struct buf b = {0};
    buf_put_u8(&b, to_exchange);
    buf_put_counted(&b, source);
    buf_put_counted(&b, destination);
    buf_put_counted(&b, key);
    put_in_order(&b, arguments);
    return buf_slice(&b);
}

struct binding_record *binding_find(struct vhost *v, struct slice source, struct slice destination, bool to_exchange,
                                    struct slice key, struct slice arguments)
{
    struct slice identity = identity_of(source, destination, to_exchange, key, arguments);
    struct binding_record *b = map_str_get(&v->bindings, identity);
    slice_drop(identity);
    return b;
}

void same_key_insert(struct binding_record *b, struct binding_record *before, struct binding_record *after)
{
    b->same_key_before = before;
    b->same_key = after;
    if (before) before->same_key = b;
    if (after) after->same_key_before = b;
}

void same_key_remove(struct binding_record *b)
{
    if (b->same_key_before) b->same_key_before->same_key = b->same_key;
    if (b->same_key) b->same_key->same_key_before = b->same_key_before;
}

static void key_insert(struct exchange_record *x, struct binding_record *b)
{
    struct binding_record *first = map_str_get(&x->by_key, b->routing_key);
    if (first) same_key_insert(b, first, first->same_key);
    else map_str_set(&x->by_key, b->routing_key, b);
}

/* The map's key bytes belong to the first of the chain: when that goes, the next takes its place. */
static void key_remove(struct exchange_record *x, struct binding_record *b)
{
    bool first = !b->same_key_before;
    same_key_remove(b);
    if (!first) return;
    map_str_remove(&x->by_key, b->routing_key);
    if (b->same_key) map_str_set(&x->by_key, b->same_key->routing_key, b->same_key);
}

struct binding_record *binding_create(struct topology *t, struct exchange_record *source,
                                      struct exchange_record *to_exchange, struct queue_entry *to_queue,
                                      struct slice key, struct slice arguments)
{
    struct binding_record *b = mem_zalloc(sizeof *b);
    b->source = source;
    b->to_exchange = to_exchange;
    b->to_queue = to_queue;
    b->routing_key = slice_keep(key);
    b->arguments = slice_keep(arguments);
    b->identity = identity_of(source->base.name, to_queue ? to_queue->base.name : to_exchange->base.name,
                              to_exchange != NULL, key, arguments);
    b->serial = ++t->serial;
    list_append(&source->from, &b->source_link);
    list_append(to_queue ? &to_queue->to : &to_exchange->to, &b->destination_link);
    map_str_set(&source->vhost->bindings, b->identity, b);
    ordered_add(&t->bindings, b->serial, b);
    if (source->kind == EXCHANGE_DIRECT) key_insert(source, b);
    if (source->kind == EXCHANGE_TOPIC) topic_insert(&source->topics, b);
    if (source->choices) choice_insert(source->choices, source->kind, b);
    source->binding_count++;
    t->version++;
    return b;
}

void binding_remove(struct topology *t, struct binding_record *b)
{
    struct exchange_record *source = b->source;
    if (source->kind == EXCHANGE_DIRECT) key_remove(source, b);
    if (source->kind == EXCHANGE_TOPIC) topic_remove(&source->topics, b);
    if (source->choices) choice_remove(source->choices, b);
    map_str_remove(&source->vhost->bindings, b->identity);
    ordered_remove(&t->bindings, b->serial);
    list_remove(&b->source_link);
    list_remove(&b->destination_link);
    slice_drop(b->identity);
    slice_drop(b->routing_key);
    slice_drop(b->arguments);
    mem_free(b);
    source->binding_count--;
    t->version++;
    if (source->base.auto_delete && list_empty(&source->from)) exchange_remove(t, source);
}

struct ends {
    struct vhost *vhost;
    struct exchange_record *source, *to_exchange;
    struct queue_entry *to_queue;
};

static bool find_ends(struct topology *t, const struct topology_command *c, struct ends *e, struct topology_result *r)
{
    *e = (struct ends){.vhost = vhost_find(t, c->vhost)};
    if (!e->vhost) {
        refuse(r, 530, "NOT_ALLOWED - vhost %.*s not found", SLICE_FORMAT(c->vhost));
        return false;
    }
    e->source = map_str_get(&e->vhost->exchanges, c->source);
    if (c->to_exchange) e->to_exchange = map_str_get(&e->vhost->exchanges, c->name);
    else e->to_queue = map_str_get(&e->vhost->queues, c->name);
    if (!c->source.size || (c->to_exchange && !c->name.size)) {
        refuse(r, 403, "ACCESS_REFUSED - operation not permitted on the default exchange");
    } else if (!e->source) {
        refuse_not_found(r, "exchange", c->source, c->vhost);
    } else if (!e->to_exchange && !e->to_queue) {
        refuse_not_found(r, c->to_exchange ? "exchange" : "queue", c->name, c->vhost);
    } else if (e->to_queue && e->to_queue->base.exclusive && e->to_queue->base.owner != c->connection) {
        refuse(r, 405,
               "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '%.*s' in vhost '%.*s'. It could be "
               "originally declared on "
               "another connection or the exclusive property value does not match that of the original declaration.",
               SLICE_FORMAT(c->name), SLICE_FORMAT(c->vhost));
    }
    return r->reply_code == 0;
}

void binding_declare(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r)
{
    struct ends e;
    if (!find_ends(t, c, &e, r)) return;
    if (binding_find(e.vhost, c->source, c->name, c->to_exchange, c->routing_key, c->arguments)) return;
    if (e.source->kind == EXCHANGE_HEADERS && !headers_check(c->arguments, r)) return;
    if (!choice_check_binding(e.source->kind, c->to_exchange, c->routing_key, r)) return;
    r->created = true;
    if (change) binding_create(t, e.source, e.to_exchange, e.to_queue, c->routing_key, c->arguments);
}

void binding_delete(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r)
{
    struct ends e;
    bool there = find_ends(t, c, &e, r);
    struct binding_record *b =
        e.vhost ? binding_find(e.vhost, c->source, c->name, c->to_exchange, c->routing_key, c->arguments) : NULL;
    if (!there) {
        /* Unbinding what is not there succeeds, also from a queue that is another's. */
        if (r->reply_code == 404 || (r->reply_code == 405 && !b)) *r = (struct topology_result){0};
        return;
    }
    if (b && change) binding_remove(t, b);
}
