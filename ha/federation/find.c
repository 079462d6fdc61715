#include "ha/federation/find.h"

#include <stdlib.h>

#include "base/mem.h"
#include "ha/federation/federated.h"
#include "router/json.h"
#include "router/pattern.h"
#include "router/registry.h"

struct policy {
    struct slice vhost;
    json_t *value;
    struct pattern *pattern;
    int64_t priority;
    bool exchanges, queues;
};

struct finder {
    const struct topology *topology;
    const char *cluster_name;
    void (*found)(void *arg, const struct federation_link *link);
    void *arg;
    struct policy *policies;
    size_t count, capacity;
    const struct exchange *exchange; /* at hand; else the queue */
    const struct queue_record *queue;
};

static bool is_federation(const json_t *definition)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)definition, key,
                        value) if (!strncmp(key, "federation-upstream", strlen("federation-upstream"))) return true;
    return false;
}

static void add_policy(struct finder *f, const struct registry_item *item, bool *federation)
{
    json_t *value = json_of(item->value, NULL);
    struct pattern *pattern = value ? pattern_create(json_text(value, "pattern"), NULL) : NULL;
    if (!pattern) {
        json_decref(value);
        return;
    }
    struct slice apply = json_text(value, "apply-to");
    bool all = !apply.data || slice_is(apply, "all");
    f->policies = mem_grow(f->policies, &f->capacity, f->count + 1, sizeof *f->policies);
    f->policies[f->count++] = (struct policy){.vhost = item->vhost,
                                              .value = value,
                                              .pattern = pattern,
                                              .priority = json_integer_value(json_object_get(value, "priority")),
                                              .exchanges = all || slice_is(apply, "exchanges"),
                                              .queues = all || (apply.size >= 6 && !slice_is(apply, "exchanges"))};
    *federation = *federation || is_federation(json_object_get(value, "definition"));
}

/* The definition of the policy in force: of those that match the one with the highest priority. */
static const json_t *definition_for(const struct finder *f, bool queue, struct slice vhost, struct slice name)
{
    const struct policy *best = NULL;
    for (size_t i = 0; i < f->count; i++) {
        const struct policy *p = &f->policies[i];
        if (!(queue ? p->queues : p->exchanges) || (best && p->priority <= best->priority)) continue;
        if (slice_equal(p->vhost, vhost) && pattern_matches(p->pattern, name)) best = p;
    }
    return best ? json_object_get(best->value, "definition") : NULL;
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
    f->queue = NULL;
    for (uint64_t cursor = 0; (f->exchange = topology_next_exchange(f->topology, &cursor));) {
        /* The default exchange has no bindings, an internal one takes no publishes. */
        if (!f->exchange->name.size || f->exchange->internal) continue;
        const json_t *definition = definition_for(f, false, f->exchange->vhost, f->exchange->name);
        if (definition) upstream_find(f->topology, f->exchange->vhost, definition, on_upstream, f);
    }
}

static void find_queues(struct finder *f)
{
    for (uint64_t cursor = 0; (f->queue = topology_next_queue(f->topology, &cursor));) {
        if (f->queue->exclusive) continue;
        const json_t *definition = definition_for(f, true, f->queue->vhost, f->queue->name);
        if (definition) upstream_find(f->topology, f->queue->vhost, definition, on_upstream, f);
    }
}

void federation_find(const struct topology *t, const char *cluster_name,
                     void (*found)(void *arg, const struct federation_link *link), void *arg)
{
    struct finder f = {.topology = t, .cluster_name = cluster_name, .found = found, .arg = arg};
    const struct registry_item *item;
    bool federation = false;
    for (uint64_t cursor = 0; (item = registry_next(t, REGISTRY_POLICY, &cursor));) add_policy(&f, item, &federation);
    if (federation) {
        find_exchanges(&f);
        find_queues(&f);
    }
    for (size_t i = 0; i < f.count; i++) {
        json_decref(f.policies[i].value);
        pattern_destroy(f.policies[i].pattern);
    }
    mem_free(f.policies);
}
