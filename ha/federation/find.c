#include "ha/federation/find.h"

#include <stdlib.h>

#include "ha/federation/federated.h"
#include "router/json.h"
#include "router/policy.h"

struct finder {
    const struct topology *topology;
    const char *cluster_name;
    void (*found)(void *arg, const struct federation_link *link);
    void *arg;
    const struct exchange *exchange; /* at hand; else the queue */
    const struct queue_record *queue;
};

static bool is_federation(const json_t *definition)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)definition, key, value)
    {
        if (!strncmp(key, "federation-upstream", strlen("federation-upstream"))) return true;
    }
    return false;
}

static bool any_federation(const struct topology *t)
{
    const struct registry_item *item;
    bool found = false;
    for (uint64_t cursor = 0; !found && (item = registry_next(t, REGISTRY_POLICY, &cursor));) {
        json_t *policy = json_of(item->value, NULL);
        found = is_federation(json_object_get(policy, "definition"));
        json_decref(policy);
    }
    return found;
}

static void on_upstream(void *arg, const char *upstream, const json_t *value)
{
    struct finder *f = arg;
    struct federation_link link = {.upstream = upstream, .is_queue = f->queue != NULL};
    char *text;
    if (f->queue) {
        link.vhost = f->queue->vhost;
        link.name = f->queue->name;
        link.group = f->queue->group;
        text = federated_queue_text(f->queue, f->cluster_name, upstream, value);
    } else {
        link.vhost = f->exchange->vhost;
        link.name = f->exchange->name;
        text = federated_exchange_text(f->exchange, f->cluster_name, upstream, value);
    }
    link.text = text;
    f->found(f->arg, &link);
    free(text);
}

static void find_exchanges(struct finder *f)
{
    struct policy_match m;
    f->queue = NULL;
    for (uint64_t cursor = 0; (f->exchange = topology_next_exchange(f->topology, &cursor));) {
        /* The default exchange has no bindings, an internal one takes no publishes. */
        if (!f->exchange->name.size || f->exchange->internal) continue;
        policy_of_exchange(f->topology, f->exchange, &m);
        if (m.definition) upstream_find(f->topology, f->exchange->vhost, m.definition, on_upstream, f);
    }
}

static void find_queues(struct finder *f)
{
    struct policy_match m;
    for (uint64_t cursor = 0; (f->queue = topology_next_queue(f->topology, &cursor));) {
        if (f->queue->exclusive) continue;
        policy_of_queue(f->topology, f->queue, &m);
        if (m.definition) upstream_find(f->topology, f->queue->vhost, m.definition, on_upstream, f);
    }
}

void federation_find(const struct topology *t, const char *cluster_name,
                     void (*found)(void *arg, const struct federation_link *link), void *arg)
{
    struct finder f = {.topology = t, .cluster_name = cluster_name, .found = found, .arg = arg};
    if (!any_federation(t)) return;
    find_exchanges(&f);
    find_queues(&f);
}
