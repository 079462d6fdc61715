/* Vhosts: what a new one has in it, and what goes with one. */
#include "router/registry.h"
#include "router/topology_internal.h"

struct vhost *vhost_find(const struct topology *t, struct slice name)
{
    return map_str_get(&t->vhosts, name);
}

struct vhost *vhost_create(struct topology *t, struct slice name)
{
    struct vhost *v = mem_zalloc(sizeof *v);
    v->name = slice_keep(name);
    v->serial = ++t->serial;
    map_str_guard(&v->exchanges);
    map_str_guard(&v->queues);
    map_str_guard(&v->bindings);
    map_str_set(&t->vhosts, v->name, v);
    ordered_add(&t->vhost_order, v->serial, v);
    return v;
}

struct vhost *vhost_create_predeclared(struct topology *t, struct slice name)
{
    static const char *const names[][2] = {{"", "direct"},
                                           {"amq.direct", "direct"},
                                           {"amq.fanout", "fanout"},
                                           {"amq.topic", "topic"},
                                           {"amq.headers", "headers"},
                                           {"amq.match", "headers"},
                                           {"amq.rabbitmq.trace", "topic"}};
    struct vhost *v = vhost_create(t, name);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        exchange_create(t, v,
                        &(struct exchange){.name = slice_str(names[i][0]),
                                           .type = slice_str(names[i][1]),
                                           .durable = true,
                                           .internal = !strcmp(names[i][0], "amq.rabbitmq.trace")});
    return v;
}

void vhost_free(struct topology *t, struct vhost *v)
{
    map_str_remove(&t->vhosts, v->name);
    map_str_close(&v->exchanges);
    map_str_close(&v->queues);
    map_str_close(&v->bindings);
    slice_drop(v->name);
    mem_free(v);
}

void vhost_remove(struct topology *t, struct vhost *v)
{
    uint64_t cursor = 0;
    struct queue_entry *q;
    struct exchange_record *x;
    while ((q = ordered_next(&t->queues, &cursor)))
        if (q->vhost == v) queue_remove(t, q);
    for (cursor = 0; (x = ordered_next(&t->exchanges, &cursor));)
        if (x->vhost == v) exchange_remove(t, x);
    ordered_remove(&t->vhost_order, v->serial);
    vhost_free(t, v);
    t->version++;
}
