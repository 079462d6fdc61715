/* Kinds of queues: what is asked of the broker with arguments, headers and exchanges, so that the
 * ledger can judge it. */
#include <stdio.h>

#include "node/amqp/method.h"
#include "node/amqp/properties.h"
#include "node/amqp/table.h"
#include "router/policy.h"
#include "tests/sim/sim.h"

enum { DELAY_STEP_MS = 100, POLICY_EVERY_MS = 400, PLAIN_QUEUES = 4 };

static const char *const words[KIND_COUNT] = {"plain",    "dedup", "delayed", "priority", "single",
                                              "rejected", "dead",  "retry",   "timeout"};

int kind_of_word(const char *word)
{
    for (int kind = 0; kind < KIND_COUNT; kind++)
        if (!strcmp(words[kind], word)) return kind;
    return -1;
}

void kinds_choose(struct world *w)
{
    unsigned consumers = 0;
    w->queue_count = w->options.features ? KIND_COUNT : PLAIN_QUEUES;
    for (unsigned q = 0; q < w->queue_count; q++) {
        w->kinds[q] = w->options.features ? (uint8_t)q : KIND_PLAIN;
        w->consumer_queue[consumers++] = (uint8_t)q;
        if (w->kinds[q] == KIND_SINGLE) w->consumer_queue[consumers++] = (uint8_t)q;
    }
    w->client_count = SIM_PUBLISHERS + consumers;
}

/* Nobody publishes to the queue of dead letters. */
unsigned kind_queue_of(const struct world *w, uint64_t id)
{
    unsigned queue = (unsigned)(id % w->queue_count);
    return w->kinds[queue] == KIND_DEAD ? KIND_REJECTED : queue;
}

unsigned kind_priority_of(const struct world *w, unsigned queue, uint64_t id)
{
    return w->kinds[queue] == KIND_PRIORITY ? (unsigned)(id / w->queue_count % SIM_PRIORITIES) : 0;
}

uint64_t kind_delay_ms(const struct world *w, unsigned queue, uint64_t id)
{
    return w->kinds[queue] == KIND_DELAYED ? (1 + id / w->queue_count % 4) * DELAY_STEP_MS : 0;
}

bool kind_rejects(const struct world *w, unsigned queue, uint64_t id)
{
    return w->kinds[queue] == KIND_REJECTED && id / 3 % 2;
}

void kind_put_arguments(const struct world *w, unsigned queue, struct buf *table)
{
    char dead[16];
    if (w->kinds[queue] == w->options.bugs.ignored_kind) return;
    switch (w->kinds[queue]) {
    case KIND_DEDUP:
        amqp_table_put_bool(table, "x-message-deduplication", true);
        amqp_table_put_integer(table, "x-cache-size", 100000);
        return;
    case KIND_PRIORITY:
        amqp_table_put_integer(table, "x-max-priority", SIM_PRIORITIES - 1);
        return;
    case KIND_SINGLE:
        amqp_table_put_bool(table, "x-single-active-consumer", true);
        return;
    case KIND_REJECTED:
        snprintf(dead, sizeof dead, "q%u", KIND_DEAD);
        amqp_table_put_string(table, "x-dead-letter-exchange", slice_str(""));
        amqp_table_put_string(table, "x-dead-letter-routing-key", slice_str(dead));
        return;
    case KIND_RETRY:
        amqp_table_put_string(table, "x-delayed-retry-type", slice_str("all"));
        amqp_table_put_integer(table, "x-delayed-retry-min", KIND_RETRY_MIN_MS);
        amqp_table_put_integer(table, "x-delayed-retry-max", 2 * KIND_RETRY_MIN_MS);
        return;
    case KIND_TIMEOUT:
        amqp_table_put_integer(table, "x-consumer-timeout", KIND_TIMEOUT_MS);
        return;
    default:
        return;
    }
}

void kind_publish(const struct world *w, unsigned queue, uint64_t id, const char *name, struct amqp_method *m,
                  struct buf *properties)
{
    struct amqp_properties p = {.flags = 0};
    struct buf headers = {0};
    bool heard = w->kinds[queue] != w->options.bugs.ignored_kind;
    m->basic_publish.routing_key = slice_str(name);
    m->basic_publish.mandatory = w->kinds[queue] != KIND_DELAYED;
    if (w->kinds[queue] == KIND_DELAYED) m->basic_publish.exchange = slice_str(KIND_DELAYED_EXCHANGE);
    if (w->kinds[queue] == KIND_DELAYED && heard)
        amqp_table_put_integer(&headers, "x-delay", (int64_t)kind_delay_ms(w, queue, id));
    if (w->kinds[queue] == KIND_DEDUP && heard) amqp_table_put_integer(&headers, "x-deduplication-header", (int64_t)id);
    if (headers.size) {
        p.flags |= AMQP_HAS_HEADERS;
        p.headers = buf_slice(&headers);
    }
    if (w->kinds[queue] == KIND_PRIORITY) {
        p.flags |= AMQP_HAS_PRIORITY;
        p.priority = (uint8_t)kind_priority_of(w, queue, id);
    }
    amqp_properties_encode(properties, &p);
    buf_close(&headers);
}

/* --- policies --- */

static void on_changed(void *arg, const struct broker_changed *answer)
{
    struct sim_policy *p = arg;
    world_say(p->w, "policy %u: %u %s", p->number, answer->reply_code, answer->text ? answer->text : "");
    if (!answer->reply_code) p->answered_ms = p->w->now_ms;
}

/* It bounds nothing that happens here, but every queue is configured anew. Its priority is its number. */
void policies_change(struct world *w)
{
    char text[160];
    struct buf value = {0};
    if (!w->options.features || random_below(&w->random, POLICY_EVERY_MS)) return;
    struct sim_node *n = w->nodes[1 + random_below(&w->random, w->node_count)];
    if (!node_alive(n) || !node_group(n, 0) || w->policy_count == SIM_POLICIES_MAX) return;
    struct sim_policy *p = &w->policies[w->policy_count++];
    *p = (struct sim_policy){.w = w, .number = w->policy_count, .sent_ms = w->now_ms};
    snprintf(text, sizeof text,
             "{\"pattern\":\"^q\",\"apply-to\":\"queues\",\"priority\":%u,\"definition\":{\"max-length\":%u}}",
             p->number, 1000000 + p->number);
    CHECK(registry_canonical(slice_str(text), &value, NULL));
    struct topology_command c =
        registry_set_command(REGISTRY_POLICY, slice_str("/"), slice_str("p"), (struct slice){0}, buf_slice(&value));
    broker_change(n->broker, &c, on_changed, p);
    buf_close(&value);
}

/* The number of the policy that a node has; 0: none. */
static unsigned policy_of(const struct sim_node *n)
{
    const struct registry_item *item =
        registry_find(n->topology, REGISTRY_POLICY, slice_str("/"), slice_str("p"), (struct slice){0});
    json_t *value = item ? json_loadb((const char *)item->value.data, item->value.size, 0, NULL) : NULL;
    unsigned number = (unsigned)json_integer_value(json_object_get(value, "priority"));
    json_decref(value);
    return number;
}

/* A change without an answer may have come late and lie over others; one that was answered before another was sent may
 * not. */
void policies_compare(struct world *w)
{
    unsigned found = policy_of(w->nodes[1]);
    const struct sim_policy *is = found ? &w->policies[found - 1] : NULL;
    for (uint8_t node = 2; node <= w->node_count; node++)
        if (node_group(w->nodes[node], 0) && policy_of(w->nodes[node]) != found)
            world_fail(w, "at rest, nodes 1 and %u have different policies", node);
    for (unsigned i = 0; i < w->policy_count; i++) {
        const struct sim_policy *p = &w->policies[i];
        if (p->answered_ms && (!is || (is->answered_ms && is->answered_ms < p->sent_ms)))
            world_fail(w, "policy %u was answered for, but number %u is there", p->number, found);
    }
}
