#include "node/http/queue_facts.h"

#include <stdlib.h>

#include "base/mem.h"
#include "node/amqp/properties.h"
#include "router/policy.h"

struct walk {
    struct queue_list *list;
    const struct listing *listing;
    struct slice vhost, name;
    uint64_t cursor;
    bool more;
};

static char *name_of(const struct registry_item *item)
{
    return item ? mem_strndup((const char *)item->name.data, item->name.size) : NULL;
}

static void learn_policies(struct queue_facts *q, const struct topology *t, const struct queue_record *record)
{
    struct policy_match match;
    policy_of_queue(t, record, &match);
    q->policy = name_of(match.policy);
    q->operator_policy = name_of(match.operator_policy);
    if (match.policy || match.operator_policy) q->definition = policy_effective_definition(&match);
}

uint64_t queue_head_timestamp(const struct queue_machine *m, uint64_t queue)
{
    struct part head = queue_machine_head(m, queue);
    struct content content;
    struct amqp_properties properties;
    if (!head.blob || !content_decode(part_slice(head), &content)) return 0;
    return amqp_properties_decode(content.properties, &properties) ? 0 : properties.timestamp;
}

static void learn_messages(struct queue_facts *q, const struct queue_machine *m)
{
    uint64_t ready[QUEUE_PRIORITIES_MAX];
    queue_machine_stat(m, q->id, &q->stat);
    q->head_timestamp = queue_head_timestamp(m, q->id);
    unsigned count = queue_machine_priorities(m, q->id, ready);
    if (count <= 1) return;
    q->priority_count = count;
    q->priorities = mem_alloc(count * sizeof *q->priorities);
    memcpy(q->priorities, ready, count * sizeof *q->priorities);
}

/* Where replicas are; on a node without one, where they belong. */
static void learn_replicas(struct queue_facts *q, struct shard *s)
{
    struct group *group = broker_group(shard_broker(s), q->group);
    struct group_status status = {0};
    if (group) group_status(group, &status);
    for (uint32_t i = 0; i < status.member_count; i++) {
        bool near = !status.leads || status.match_index[i] + GROUP_ENTRIES_IN_FLIGHT_MAX >= status.last_index;
        q->replicas[q->replica_count++] = status.members[i].node;
        if (near && status.members[i].role == GROUP_VOTER)
            q->synchronised |= UINT64_C(1) << (status.members[i].node & 63);
    }
    if (q->replica_count) return;
    q->replica_count = (uint8_t)shard_replicas(s, q->group, q->replicas);
    for (uint32_t i = 0; i < q->replica_count; i++) q->synchronised |= UINT64_C(1) << (q->replicas[i] & 63);
}

static void add(struct walk *w, struct shard *s, const struct queue_record *record)
{
    struct queue_list *l = w->list;
    l->total++;
    if (w->listing && !listing_wants(w->listing, record->name)) return;
    if (l->count == l->capacity) l->items = mem_grow(l->items, &l->capacity, l->count + 1, sizeof *l->items);
    struct queue_facts *q = &l->items[l->count++];
    struct queue_machine *m = broker_queues(shard_broker(s), record->group);
    *q = (struct queue_facts){.id = record->id,
                              .group = record->group,
                              .leader = broker_leader(shard_broker(s), record->group),
                              .owner = record->owner,
                              .durable = record->durable,
                              .exclusive = record->exclusive,
                              .auto_delete = record->auto_delete};
    learn_replicas(q, s);
    learn_policies(q, broker_topology(shard_broker(s)), record);
    q->here = m != NULL;
    if (m) learn_messages(q, m);
    q->vhost_at = l->texts.size;
    buf_put_slice(&l->texts, record->vhost);
    q->name_at = l->texts.size;
    buf_put_slice(&l->texts, record->name);
    q->arguments_at = l->texts.size;
    buf_put_slice(&l->texts, record->arguments);
    q->end = l->texts.size;
}

/* Each shard shows the queues of its groups. */
static void one(struct shard *s, void *arg)
{
    struct walk *w = arg;
    const struct queue_record *record = topology_queue(broker_topology(shard_broker(s)), w->vhost, w->name);
    if (record && record->group % shard_settings(s)->shard_count == shard_id(s)) add(w, s, record);
}

static void slice(struct shard *s, void *arg)
{
    struct walk *w = arg;
    struct topology *t = broker_topology(shard_broker(s));
    uint16_t shards = shard_settings(s)->shard_count;
    const struct queue_record *record = NULL;
    for (unsigned i = 0; i < HTTP_SLICE && (record = topology_next_queue(t, &w->cursor)); i++)
        if (record->group % shards == shard_id(s) && (!w->vhost.data || slice_equal(w->vhost, record->vhost)) &&
            !topology_is_reply_queue(record->name))
            add(w, s, record);
    w->more = record != NULL;
}

void queue_list_open(struct queue_list *l, struct http *h, struct slice vhost, struct slice name,
                     const struct listing *listing)
{
    struct walk w = {.list = l, .listing = listing, .vhost = vhost, .name = name};
    *l = (struct queue_list){0};
    if (name.data) {
        each_shard(h, one, &w);
        return;
    }
    for (uint16_t i = 0; i < node_settings(h->params.node)->shard_count; i++) {
        w.cursor = 0;
        do shard_call_any(node_shard(h->params.node, i), slice, &w);
        while (w.more);
    }
}

struct order {
    struct slice vhost, name;
    size_t at;
};

static int compare(const void *left, const void *right)
{
    const struct order *a = left, *b = right;
    int vhosts = slice_compare(a->vhost, b->vhost);
    return vhosts ? vhosts : slice_compare(a->name, b->name);
}

void queue_list_sort(struct queue_list *l, bool reverse)
{
    size_t count = l->shown;
    if (!count) return;
    struct order *orders = mem_alloc(count * sizeof *orders);
    struct queue_facts *sorted = mem_alloc(count * sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        orders[i] = (struct order){queue_vhost(l, &l->items[i]), queue_name(l, &l->items[i]), i};
    qsort(orders, count, sizeof *orders, compare);
    for (size_t i = 0; i < count; i++) sorted[i] = l->items[orders[reverse ? count - 1 - i : i].at];
    memcpy(l->items, sorted, count * sizeof *sorted);
    mem_free(orders);
    mem_free(sorted);
}

void queue_list_close(struct queue_list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        mem_free(l->items[i].policy);
        mem_free(l->items[i].operator_policy);
        mem_free(l->items[i].priorities);
        json_decref(l->items[i].definition);
    }
    mem_free(l->items);
    buf_close(&l->texts);
}

struct slice queue_vhost(const struct queue_list *l, const struct queue_facts *q)
{
    return slice_of(l->texts.data + q->vhost_at, q->name_at - q->vhost_at);
}

struct slice queue_name(const struct queue_list *l, const struct queue_facts *q)
{
    return slice_of(l->texts.data + q->name_at, q->arguments_at - q->name_at);
}

struct slice queue_arguments_of(const struct queue_list *l, const struct queue_facts *q)
{
    return slice_of(l->texts.data + q->arguments_at, q->end - q->arguments_at);
}
