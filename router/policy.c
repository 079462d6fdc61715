#include "router/policy.h"

#include <stdlib.h>

#include "base/field_table.h"
#include "router/json.h"
#include "router/pattern.h"
#include "router/topology_internal.h"

enum target { CLASSIC_QUEUES = 1, QUORUM_QUEUES = 2, STREAMS = 4, EXCHANGES = 8 };

struct policy {
    const struct registry_item *item;
    json_t *value; /* owned; the rest borrows from it */
    const json_t *definition;
    struct pattern *pattern; /* NULL: it does not compile here, and fits nothing */
    int64_t priority;
    unsigned targets; /* bits of enum target */
};

struct policies {
    uint64_t version; /* registry_version() of what is kept */
    struct policy_list {
        struct policy *items; /* by vhost, priority (highest first), name */
        size_t count;
    } lists[2]; /* users', operators' */
};

/* --- decoding --- */

static unsigned targets_of(struct slice apply_to)
{
    const unsigned queues = CLASSIC_QUEUES | QUORUM_QUEUES | STREAMS;
    if (slice_is(apply_to, "queues")) return queues;
    if (slice_is(apply_to, "classic_queues")) return CLASSIC_QUEUES;
    if (slice_is(apply_to, "quorum_queues")) return QUORUM_QUEUES;
    if (slice_is(apply_to, "streams")) return STREAMS;
    return slice_is(apply_to, "exchanges") ? EXCHANGES : queues | EXCHANGES;
}

static struct policy decode(const struct registry_item *item)
{
    struct policy p = {.item = item, .value = json_of(item->value, NULL)};
    p.definition = json_object_get(p.value, "definition");
    p.pattern = pattern_create(json_text(p.value, "pattern"), NULL);
    p.priority = json_integer_value(json_object_get(p.value, "priority"));
    p.targets = targets_of(json_text(p.value, "apply-to"));
    return p;
}

static int compare(const void *left, const void *right)
{
    const struct policy *a = left, *b = right;
    int order = slice_compare(a->item->vhost, b->item->vhost);
    if (!order && a->priority != b->priority) order = a->priority > b->priority ? -1 : 1;
    return order ? order : slice_compare(a->item->name, b->item->name);
}

static void forget(struct policy_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        pattern_destroy(list->items[i].pattern);
        json_decref(list->items[i].value);
    }
    mem_free(list->items);
    *list = (struct policy_list){0};
}

static void read_list(const struct topology *t, enum registry_kind kind, struct policy_list *list)
{
    const struct registry_item *item;
    forget(list);
    if (!registry_count(t, kind)) return;
    list->items = mem_zalloc(registry_count(t, kind) * sizeof *list->items);
    for (uint64_t cursor = 0; (item = registry_next(t, kind, &cursor));) list->items[list->count++] = decode(item);
    qsort(list->items, list->count, sizeof *list->items, compare);
}

static const struct policies *policies_of(const struct topology *t)
{
    struct policies *p = t->policies;
    if (p->version == policy_version(t)) return p;
    read_list(t, REGISTRY_POLICY, &p->lists[0]);
    read_list(t, REGISTRY_OPERATOR_POLICY, &p->lists[1]);
    p->version = policy_version(t);
    return p;
}

struct policies *policies_create(void)
{
    return mem_zalloc(sizeof(struct policies));
}

void policies_destroy(struct policies *p)
{
    forget(&p->lists[0]);
    forget(&p->lists[1]);
    mem_free(p);
}

uint64_t policy_version(const struct topology *t)
{
    return t->policy_version;
}

/* --- which fit --- */

static size_t first_of_vhost(const struct policy_list *list, struct slice vhost)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_compare(list->items[middle].item->vhost, vhost) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

static const struct policy *fitting(const struct policy_list *list, struct slice vhost, struct slice name,
                                    enum target target)
{
    for (size_t i = first_of_vhost(list, vhost); i < list->count; i++) {
        const struct policy *p = &list->items[i];
        if (!slice_equal(p->item->vhost, vhost)) return NULL;
        if ((p->targets & target) && p->pattern && pattern_matches(p->pattern, name)) return p;
    }
    return NULL;
}

static void match(const struct topology *t, struct slice vhost, struct slice name, enum target target,
                  struct policy_match *m)
{
    const struct policies *p = policies_of(t);
    const struct policy *own = fitting(&p->lists[0], vhost, name, target);
    const struct policy *operators = fitting(&p->lists[1], vhost, name, target);
    *m = (struct policy_match){own ? own->item : NULL, operators ? operators->item : NULL, own ? own->definition : NULL,
                               operators ? operators->definition : NULL};
}

void policy_of_queue(const struct topology *t, const struct queue_record *queue, struct policy_match *m)
{
    struct table_value type;
    enum target target = CLASSIC_QUEUES;
    if (table_find(queue->arguments, slice_str("x-queue-type"), &type) && type.type == 'S') {
        if (slice_is(type.bytes, "quorum")) target = QUORUM_QUEUES;
        if (slice_is(type.bytes, "stream")) target = STREAMS;
    }
    if (topology_is_reply_queue(queue->name)) *m = (struct policy_match){0};
    else match(t, queue->vhost, queue->name, target, m);
}

void policy_of_exchange(const struct topology *t, const struct exchange *exchange, struct policy_match *m)
{
    match(t, exchange->vhost, exchange->name, EXCHANGES, m);
}

const json_t *policy_key_value(const struct policy_match *m, const char *key)
{
    const json_t *own = m->definition ? json_object_get(m->definition, key) : NULL;
    const json_t *operators = m->operator_definition ? json_object_get(m->operator_definition, key) : NULL;
    if (!own || !operators) return own ? own : operators;
    bool numbers = json_is_integer(own) && json_is_integer(operators);
    /* a delivery limit of -1 is none */
    return numbers && (uint64_t)json_integer_value(own) < (uint64_t)json_integer_value(operators) ? own : operators;
}

json_t *policy_effective_definition(const struct policy_match *m)
{
    json_t *all = json_object();
    const json_t *const both[] = {m->definition, m->operator_definition};
    const char *key;
    json_t *value;
    for (size_t i = 0; i < 2; i++)
        json_object_foreach((json_t *)both[i], key, value)
            json_object_set(all, key, (json_t *)policy_key_value(m, key));
    return all;
}

/* --- with a queue's arguments --- */

static void at_most(const struct policy_match *m, const char *key, int64_t *value)
{
    const json_t *limit = policy_key_value(m, key);
    if (!json_is_integer(limit)) return;
    int64_t most = json_integer_value(limit);
    if (most >= 0 && (*value < 0 || most < *value)) *value = most;
}

/* A policy may say any number; a time has a bound. */
static void time_at_most(const struct policy_match *m, const char *key, int64_t *value)
{
    at_most(m, key, value);
    if (*value > QUEUE_TIME_MS_MAX) *value = QUEUE_TIME_MS_MAX;
}

static struct slice word(const struct policy_match *m, const char *key)
{
    const json_t *value = policy_key_value(m, key);
    if (!json_is_string(value)) return (struct slice){0};
    return slice_of(json_string_value(value), json_string_length(value));
}

static bool has(const struct queue_record *queue, const char *argument)
{
    struct table_value ignored;
    return table_find(queue->arguments, slice_str(argument), &ignored);
}

static uint8_t number_of(struct slice name, const char *const *names, uint8_t otherwise)
{
    for (uint8_t i = 0; names[i]; i++)
        if (name.data && slice_is(name, names[i])) return i;
    return otherwise;
}

bool policy_queue_arguments(const struct topology *t, const struct queue_record *queue, struct queue_arguments *a)
{
    struct policy_match m;
    struct topology_result ignored;
    if (!queue_arguments_decode(queue->arguments, a, &ignored)) return false;
    policy_of_queue(t, queue, &m);
    if (!m.definition && !m.operator_definition) return true;
    time_at_most(&m, "message-ttl", &a->message_ttl_ms);
    time_at_most(&m, "expires", &a->expires_ms);
    at_most(&m, "max-length", &a->max_length);
    at_most(&m, "max-length-bytes", &a->max_length_bytes);
    at_most(&m, "delivery-limit", &a->delivery_limit);
    time_at_most(&m, "consumer-timeout", &a->consumer_timeout_ms);
    time_at_most(&m, "consumer-disconnected-timeout", &a->disconnected_timeout_ms);
    time_at_most(&m, "delayed-retry-min", &a->delayed_retry_min_ms);
    time_at_most(&m, "delayed-retry-max", &a->delayed_retry_max_ms);
    if (!has(queue, "x-overflow")) a->overflow = number_of(word(&m, "overflow"), queue_overflow_names, a->overflow);
    if (!has(queue, "x-delayed-retry-type"))
        a->delayed_retry = number_of(word(&m, "delayed-retry-type"), queue_retry_names, a->delayed_retry);
    if (!a->has_dead_letter_exchange) a->dead_letter_exchange = word(&m, "dead-letter-exchange");
    if (!a->dead_letter_routing_key.data) a->dead_letter_routing_key = word(&m, "dead-letter-routing-key");
    a->has_dead_letter_exchange = a->dead_letter_exchange.data != NULL;
    if (!has(queue, "x-dead-letter-strategy"))
        a->dead_letters_at_least_once = slice_is(word(&m, "dead-letter-strategy"), "at-least-once");
    return true;
}

/* --- exchanges --- */

void policy_lay_over_exchange(struct topology *t, struct exchange_record *x)
{
    if (!x->base.name.size) return; /* the default exchange has no alternate, whatever a policy for all says */
    struct table_value argument;
    struct policy_match m = {0};
    bool own = table_find(x->base.arguments, slice_str("alternate-exchange"), &argument) && argument.type == 'S';
    if (!own && registry_count(t, REGISTRY_POLICY) + registry_count(t, REGISTRY_OPERATOR_POLICY) > 0)
        policy_of_exchange(t, &x->base, &m);
    struct slice name = own ? argument.bytes : word(&m, "alternate-exchange");
    if (!name.data == !x->alternate.data && slice_equal(name, x->alternate)) return;
    slice_drop(x->alternate);
    x->alternate = name.data ? slice_keep(name) : (struct slice){0};
    t->version++; /* routes may go elsewhere */
}

void policy_changed(struct topology *t)
{
    struct exchange_record *x;
    t->policy_version++;
    for (uint64_t cursor = 0; (x = ordered_next(&t->exchanges, &cursor));) policy_lay_over_exchange(t, x);
}
