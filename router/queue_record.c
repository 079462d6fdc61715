/* The list of queues: declare, delete, and what goes with an owner. */
#include "router/members_internal.h"
#include "router/queue_arguments.h"

bool topology_is_reply_queue(struct slice name)
{
    static const char prefix[] = "amq.rabbitmq.reply-to.";
    return name.size >= sizeof prefix - 1 && !memcmp(name.data, prefix, sizeof prefix - 1);
}

static void count_reply_queue(struct topology *t, struct queue_entry *q, int difference)
{
    if (!topology_is_reply_queue(q->base.name)) return;
    t->reply_queues += (size_t)difference;
    q->vhost->reply_queues += (size_t)difference;
}

struct queue_entry *queue_create(struct topology *t, struct vhost *v, const struct queue_record *what)
{
    struct queue_entry *q = mem_zalloc(sizeof *q);
    q->base = *what;
    q->base.vhost = v->name;
    q->base.name = slice_keep(what->name);
    q->base.arguments = slice_keep(what->arguments);
    q->vhost = v;
    q->era = t->era;
    list_init(&q->to);
    list_init(&q->owned_link);
    if (q->base.exclusive) list_append(&t->owned, &q->owned_link);
    map_str_set(&v->queues, q->base.name, q);
    map_u64_set(&t->queues_by_id, q->base.id, q);
    ordered_add(&t->queues, q->base.id, q);
    count_reply_queue(t, q, 1);
    if (q->base.id > t->last_queue_id) t->last_queue_id = q->base.id;
    if (q->base.group <= t->group_count + t->spare_count) t->group_queues[q->base.group]++;
    t->version++;
    return q;
}

void queue_remove(struct topology *t, struct queue_entry *q)
{
    while (!list_empty(&q->to)) binding_remove(t, LIST_ITEM(q->to.next, struct binding_record, destination_link));
    list_remove(&q->owned_link);
    count_reply_queue(t, q, -1);
    map_str_remove(&q->vhost->queues, q->base.name);
    map_u64_remove(&t->queues_by_id, q->base.id);
    ordered_remove(&t->queues, q->base.id);
    if (q->base.group <= t->group_count + t->spare_count) t->group_queues[q->base.group]--;
    slice_drop(q->base.name);
    slice_drop(q->base.arguments);
    mem_free(q);
    t->version++;
}

static void locked(struct topology_result *r, struct slice name, struct slice vhost)
{
    refuse(r, 405,
           "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '%.*s' in vhost '%.*s'. It could be "
           "originally declared on another "
           "connection or the exclusive property value does not match that of the original declaration.",
           SLICE_FORMAT(name), SLICE_FORMAT(vhost));
}

static bool others(const struct queue_entry *q, uint64_t connection)
{
    return q->base.exclusive && q->base.owner != connection;
}

static bool same_queue(const struct queue_entry *q, const struct topology_command *c, struct topology_result *r)
{
    /* RabbitMQ's order: the first that differs is named. */
    static const char *const keys[] = {"x-expires",
                                       "x-message-ttl",
                                       "x-dead-letter-exchange",
                                       "x-dead-letter-routing-key",
                                       "x-max-length",
                                       "x-max-length-bytes",
                                       "x-max-priority",
                                       "x-overflow",
                                       "x-single-active-consumer",
                                       "x-delivery-limit",
                                       "x-delayed-retry-type",
                                       "x-delayed-retry-min",
                                       "x-delayed-retry-max",
                                       "x-consumer-timeout",
                                       "x-consumer-disconnected-timeout",
                                       NULL};
    static const char *const labels[] = {"x-queue-mode", "x-queue-version", "x-queue-type", NULL};
    if (q->base.exclusive != c->exclusive) {
        locked(r, c->name, c->vhost);
        return false;
    }
    return equivalent_flag(r, "queue", c->name, c->vhost, "durable", c->durable, q->base.durable) &&
           equivalent_flag(r, "queue", c->name, c->vhost, "auto_delete", c->auto_delete, q->base.auto_delete) &&
           equivalent_arguments(r, "queue", c->name, c->vhost, keys, c->arguments, q->base.arguments) &&
           (!c->compares_labels ||
            equivalent_arguments(r, "queue", c->name, c->vhost, labels, c->arguments, q->base.arguments));
}

uint32_t topology_group_queues(const struct topology *t, uint32_t group)
{
    return group <= t->group_count + t->spare_count ? t->group_queues[group] : 0;
}

uint32_t topology_emptiest_group(const struct topology *t, bool (*fits)(void *arg, uint32_t group), void *arg)
{
    uint32_t best = 0;
    for (uint32_t g = 1; g <= t->group_count; g++)
        if ((!fits || fits(arg, g)) && (!best || t->group_queues[g] < t->group_queues[best])) best = g;
    return best;
}

void queue_declare(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r)
{
    struct vhost *v = vhost_find(t, c->vhost);
    struct queue_arguments arguments;
    if (!v) {
        refuse(r, 530, "NOT_ALLOWED - vhost %.*s not found", SLICE_FORMAT(c->vhost));
        return;
    }
    struct queue_entry *q = map_str_get(&v->queues, c->name);
    if (q) {
        r->queue_id = q->base.id;
        r->group = q->base.group;
        if (others(q, c->connection)) locked(r, c->name, c->vhost);
        else if (same_queue(q, c, r)) life_renew(t, q->base.durable, &q->era, change, r);
        return;
    }
    int64_t limit = registry_limit(t, REGISTRY_VHOST_LIMIT, c->vhost, slice_str("max-queues"), (struct slice){0});
    bool counts = limit >= 0 && !topology_is_reply_queue(c->name);
    if (counts && v->queues.count - v->reply_queues >= (uint64_t)limit) {
        refuse(r, 406,
               "PRECONDITION_FAILED - cannot declare queue '%.*s': queue limit in vhost '%.*s' (%lld) is reached",
               SLICE_FORMAT(c->name), SLICE_FORMAT(c->vhost), (long long)limit);
        return;
    }
    if (!queue_arguments_decode(c->arguments, &arguments, r)) return;
    struct queue_record wishes = {.vhost = v->name, .name = c->name, .arguments = c->arguments};
    struct replica_wish wish;
    bool founds;
    replica_wish_of_queue(t, &wishes, &wish);
    r->created = true;
    r->group = topology_group_for(t, &wish, c->group, &founds);
    if (!change) return;
    if (founds) placed_classify(t, r->group, &wish);
    struct queue_record record = {.id = t->last_queue_id + 1,
                                  .group = r->group,
                                  .name = c->name,
                                  .durable = c->durable,
                                  .exclusive = c->exclusive,
                                  .auto_delete = c->auto_delete,
                                  .owner = c->exclusive ? c->connection : 0,
                                  .arguments = c->arguments};
    r->queue_id = queue_create(t, v, &record)->base.id;
}

void queue_delete(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r)
{
    struct vhost *v = vhost_find(t, c->vhost);
    struct queue_entry *q = c->queue_id ? map_u64_get(&t->queues_by_id, c->queue_id)
                            : v         ? map_str_get(&v->queues, c->name)
                                        : NULL;
    if (!q) return; /* deleting what is not there succeeds */
    if (others(q, c->connection) && !c->queue_id) {
        locked(r, c->name, c->vhost);
        return;
    }
    r->queue_id = q->base.id;
    r->group = q->base.group;
    if (change) queue_remove(t, q);
}

static bool is_gone(const struct topology_command *c, uint64_t owner)
{
    if (c->connection) return owner == c->connection;
    return owner >> 56 == c->node && (owner >> 32 & 0xffffff) <= c->epoch; /* as in a port's id */
}

void owners_gone(struct topology *t, const struct topology_command *c, bool change)
{
    if (!change) return;
    LIST_FOR_SAFE(&t->owned, link)
    {
        struct queue_entry *q = LIST_ITEM(link, struct queue_entry, owned_link);
        if (is_gone(c, q->base.owner)) queue_remove(t, q);
    }
    if (!c->connection) life_gone(t, c->node, c->epoch);
}
