/* GET /api/definitions: what there is, as a file that RabbitMQ reads, too. In a fixed order, so that two exports of the
 * same state are equal. */
#include "node/http/definitions.h"

#include "base/mem.h"
#include "node/http/families.h"

static bool is_systems(struct slice name)
{
    return !name.size || (name.size >= 4 && !memcmp(name.data, "amq.", 4));
}

/* Only these members, in this order. */
static json_t *project(const json_t *from, const char *const *members)
{
    json_t *o = json_object();
    for (; *members; members++)
        if (json_object_get(from, *members)) json_object_set(o, *members, json_object_get(from, *members));
    return o;
}

static json_t *project_all(json_t *items, const char *const *members)
{
    json_t *array = json_array();
    for (size_t i = 0; i < json_array_size(items); i++)
        json_array_append_new(array, project(json_array_get(items, i), members));
    json_decref(items);
    return array;
}

/* --- parts --- */

struct walk {
    struct slice vhost;
    uint64_t cursor;
    json_t *array;
    bool more;
};

static bool fits(const struct walk *w, struct slice vhost)
{
    return !w->vhost.data || slice_equal(w->vhost, vhost);
}

static void list_queues(struct shard *s, void *arg)
{
    struct walk *w = arg;
    const struct queue_record *q = NULL;
    struct topology *t = broker_topology(shard_broker(s));
    for (unsigned i = 0; i < HTTP_SLICE && (q = topology_next_queue(t, &w->cursor)); i++) {
        if (q->exclusive || !fits(w, q->vhost)) continue;
        json_t *o = json_object();
        json_put(o, "name", json_slice(q->name));
        json_put(o, "vhost", json_slice(q->vhost));
        json_put(o, "durable", json_boolean(q->durable));
        json_put(o, "auto_delete", json_boolean(q->auto_delete));
        json_put(o, "arguments", json_table(q->arguments));
        json_array_append_new(w->array, o);
    }
    w->more = q != NULL;
}

static void list_exchanges(struct shard *s, void *arg)
{
    struct walk *w = arg;
    const struct exchange *x = NULL;
    struct topology *t = broker_topology(shard_broker(s));
    for (unsigned i = 0; i < HTTP_SLICE && (x = topology_next_exchange(t, &w->cursor)); i++) {
        if (is_systems(x->name) || !fits(w, x->vhost)) continue;
        json_array_append_new(w->array, exchange_declared(x));
    }
    w->more = x != NULL;
}

/* A binding of an exclusive queue goes with it. */
static bool stays(struct topology *t, const struct binding *b)
{
    const struct queue_record *q = b->to_exchange ? NULL : topology_queue(t, b->vhost, b->destination);
    return b->to_exchange || (q && !q->exclusive);
}

static void list_bindings(struct shard *s, void *arg)
{
    struct walk *w = arg;
    struct binding b;
    struct topology *t = broker_topology(shard_broker(s));
    w->more = true;
    for (unsigned i = 0; i < HTTP_SLICE && (w->more = topology_next_binding(t, &w->cursor, &b)); i++) {
        if (!fits(w, b.vhost) || !stays(t, &b)) continue;
        json_t *o = json_object();
        json_put(o, "source", json_slice(b.source));
        json_put(o, "vhost", json_slice(b.vhost));
        json_put(o, "destination", json_slice(b.destination));
        json_put(o, "destination_type", json_string(b.to_exchange ? "exchange" : "queue"));
        json_put(o, "routing_key", json_slice(b.routing_key));
        json_put(o, "arguments", json_table(b.arguments));
        json_array_append_new(w->array, o);
    }
}

static json_t *walk(struct http *h, void (*slice)(struct shard *s, void *arg), struct slice vhost, const char *order)
{
    struct walk w = {.vhost = vhost, .array = json_array()};
    do shard_call_any(node_shard(h->params.node, 0), slice, &w);
    while (w.more);
    return listing_sort(w.array, order);
}

/* RabbitMQ keeps limits of vhosts and operator policies among the parameters. */
static json_t *parameters(struct http *h, struct slice vhost)
{
    static const char *const members[] = {"value", "vhost", "component", "name", NULL};
    json_t *array = items_shown(h, REGISTRY_PARAMETER, vhost);
    json_t *limits = limits_grouped(h, REGISTRY_VHOST_LIMIT, vhost);
    json_t *operators = items_shown(h, REGISTRY_OPERATOR_POLICY, vhost);
    for (size_t i = 0; i < json_array_size(limits); i++) {
        json_t *o = json_array_get(limits, i);
        json_put(o, "component", json_string("vhost-limits"));
        json_put(o, "name", json_string("limits"));
        json_array_append(array, o);
    }
    for (size_t i = 0; i < json_array_size(operators); i++) {
        json_t *policy = json_array_get(operators, i), *o = json_object();
        json_put(o, "value", policy_value(policy));
        json_object_set(o, "vhost", json_object_get(policy, "vhost"));
        json_put(o, "component", json_string("operator_policy"));
        json_object_set(o, "name", json_object_get(policy, "name"));
        json_array_append_new(array, o);
    }
    json_decref(limits);
    json_decref(operators);
    return project_all(array, members);
}

static json_t *vhosts(struct http *h)
{
    json_t *all = items_shown(h, REGISTRY_VHOST, (struct slice){0});
    for (size_t i = 0; i < json_array_size(all); i++) {
        static const char *const described[] = {"description", "tags", "default_queue_type", NULL};
        json_t *o = json_array_get(all, i);
        json_put(o, "metadata", project(o, described));
    }
    return all;
}

static json_t *without_vhost(json_t *items)
{
    for (size_t i = 0; i < json_array_size(items); i++) json_object_del(json_array_get(items, i), "vhost");
    return items;
}

json_t *definitions_of_vhost(struct http *h, struct slice vhost)
{
    static const char *const policy[] = {"name", "pattern", "apply-to", "definition", "priority", NULL};
    json_t *o = json_object();
    json_put(o, "rabbit_version", json_string(h->params.version));
    json_put(o, "rabbitmq_version", json_string(h->params.version));
    json_put(o, "parameters", without_vhost(parameters(h, vhost)));
    json_put(o, "policies", project_all(items_shown(h, REGISTRY_POLICY, vhost), policy));
    json_put(o, "queues", without_vhost(walk(h, list_queues, vhost, "name")));
    json_put(o, "exchanges", without_vhost(walk(h, list_exchanges, vhost, "name")));
    json_put(o, "bindings", without_vhost(walk(h, list_bindings, vhost, "source,destination,routing_key")));
    return o;
}

json_t *definitions_of_all(struct http *h)
{
    static const char *const user[] = {"name", "password_hash", "hashing_algorithm", "tags", "limits", NULL};
    static const char *const permission[] = {"user", "vhost", "configure", "write", "read", NULL};
    static const char *const topic[] = {"user", "vhost", "exchange", "write", "read", NULL};
    static const char *const global[] = {"name", "value", NULL};
    static const char *const policy[] = {"vhost", "name", "pattern", "apply-to", "definition", "priority", NULL};
    struct slice all = {0};
    json_t *o = json_object();
    json_put(o, "rabbit_version", json_string(h->params.version));
    json_put(o, "rabbitmq_version", json_string(h->params.version));
    json_put(o, "product_name", json_string(h->params.product));
    json_put(o, "product_version", json_string(h->params.version));
    json_put(o, "users", project_all(users_shown(h), user));
    json_put(o, "vhosts", vhosts(h));
    json_put(o, "permissions", project_all(items_shown(h, REGISTRY_PERMISSION, all), permission));
    json_put(o, "topic_permissions", project_all(items_shown(h, REGISTRY_TOPIC_PERMISSION, all), topic));
    json_put(o, "parameters", parameters(h, all));
    json_put(o, "global_parameters", project_all(items_shown(h, REGISTRY_GLOBAL_PARAMETER, all), global));
    json_put(o, "policies", project_all(items_shown(h, REGISTRY_POLICY, all), policy));
    json_put(o, "queues", walk(h, list_queues, all, "vhost,name"));
    json_put(o, "exchanges", walk(h, list_exchanges, all, "vhost,name"));
    json_put(o, "bindings", walk(h, list_bindings, all, "vhost,source,destination,routing_key"));
    return o;
}

void api_definitions_get(struct request *r, struct answer *a)
{
    struct slice vhost = r->captures[0];
    if (!vhost.data) answer_json(a, definitions_of_all(r->http));
    else if (vhost_answer(r, vhost, a)) answer_json(a, definitions_of_vhost(r->http, vhost));
}
