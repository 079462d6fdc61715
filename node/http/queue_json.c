#include "node/http/queue_json.h"

#include <stdio.h>

#include "node/amqp/table.h"
#include "node/http/stats.h"

static json_t *node_name(const struct members *m, uint8_t node)
{
    const char *name = m->names[node & (NODE_IDS - 1)];
    return json_slice(slice_str(name ? name : ""));
}

static void put_replicas(json_t *o, const struct members *m, const struct queue_facts *q)
{
    json_t *all = json_array(), *online = json_array(), *mirrors = json_array(), *synchronised = json_array();
    for (uint32_t i = 0; i < q->replica_count; i++) {
        unsigned node = q->replicas[i] & (NODE_IDS - 1);
        json_array_append_new(all, node_name(m, q->replicas[i]));
        if (m->up[node]) json_array_append_new(online, node_name(m, q->replicas[i]));
        if (node == q->leader) continue;
        json_array_append_new(mirrors, node_name(m, q->replicas[i]));
        if (m->up[node] && (q->synchronised >> node & 1))
            json_array_append_new(synchronised, node_name(m, q->replicas[i]));
    }
    json_put(o, "members", all);
    json_put(o, "online", online);
    json_put(o, "slave_nodes", mirrors);
    json_put(o, "synchronised_slave_nodes", synchronised);
    json_put(o, "recoverable_slaves", json_incref(mirrors));
}

static void put_lengths(json_t *o, const struct queue_stat *s)
{
    json_put(o, "messages", json_number(s->ready + s->unacked + s->delayed));
    json_put(o, "messages_ready", json_number(s->ready));
    json_put(o, "messages_unacknowledged", json_number(s->unacked));
}

static void put_counts(json_t *o, const struct queue_stat *s)
{
    json_put(o, "messages_delayed", json_number(s->delayed)); /* for their next try; neither ready nor unacked */
    json_put(o, "messages_persistent", json_number(s->ready + s->unacked)); /* a replica keeps every message on disk */
    json_put(o, "message_bytes", json_number(s->ready_bytes + s->unacked_bytes + s->delayed_bytes));
    json_put(o, "message_bytes_ready", json_number(s->ready_bytes));
    json_put(o, "message_bytes_unacknowledged", json_number(s->unacked_bytes));
    json_put(o, "message_bytes_persistent", json_number(s->ready_bytes + s->unacked_bytes));
    json_put(o, "messages_dlx", json_number(s->dead_letters_pending));
    json_put(o, "consumers", json_number(s->consumers));
}

static void put_stats(json_t *o, struct http *h, const struct view *v, const struct queue_facts *q)
{
    char key[64];
    struct stats stats = {0};
    snprintf(key, sizeof key, "queue %llu", (unsigned long long)q->id);
    stats_of_queue(&stats, &q->stat);
    static const struct queue_counts nothing;
    bool used = memcmp(&q->stat.counts, &nothing, sizeof nothing) != 0;
    json_t *messages = used ? message_stats_json(&stats) : sampler_no_messages(h->sampler);
    if (used) sampler_details(h->sampler, key, v, RANGE_MSG_RATES, messages);
    sampler_details(h->sampler, key, v, RANGE_LENGTHS, o);
    json_put(o, "message_stats", messages);
    json_put(o, "head_message_timestamp", q->head_timestamp ? json_number(q->head_timestamp) : json_null());
    sampler_put_idle(h->sampler, key, o);
}

static json_t *name_or_null(const char *name)
{
    return name ? json_slice(slice_str(name)) : json_null();
}

static void put_policies(json_t *o, const struct queue_facts *q)
{
    json_put(o, "policy", name_or_null(q->policy));
    json_put(o, "operator_policy", name_or_null(q->operator_policy));
    json_put(o, "effective_policy_definition", q->definition ? json_incref(q->definition) : json_object());
}

static void put_memory(json_t *o, const struct queue_stat *s)
{
    uint64_t all = s->ready + s->unacked + s->delayed, bytes = s->ready_bytes + s->unacked_bytes + s->delayed_bytes;
    json_put(o, "messages_ram", json_number(s->memory));
    json_put(o, "messages_ready_ram", json_number(s->memory_ready));
    json_put(o, "messages_unacknowledged_ram", json_number(s->memory - s->memory_ready));
    json_put(o, "messages_paged_out", json_number(all - s->memory));
    json_put(o, "message_bytes_ram", json_number(s->memory_bytes));
    json_put(o, "message_bytes_paged_out", json_number(bytes - s->memory_bytes));
    json_put(o, "memory", json_number(s->held_bytes));
}

/* RabbitMQ tells it of classic queues. Rates are those of message_stats. */
static void put_backing_queue(json_t *o, const struct queue_facts *q)
{
    const json_t *stats = json_object_get(o, "message_stats");
    static const char *const rates[][2] = {{"avg_ingress_rate", "publish_details"},
                                           {"avg_egress_rate", "deliver_get_details"},
                                           {"avg_ack_ingress_rate", "deliver_get_details"},
                                           {"avg_ack_egress_rate", "ack_details"}};
    json_t *status = json_object();
    json_put(status, "mode", json_string("default"));
    json_put(status, "version", json_integer(2));
    json_put(status, "len", json_number(q->stat.ready));
    json_put(status, "num_pending_acks", json_number(q->stat.unacked));
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        const json_t *rate = json_object_get(json_object_get(stats, rates[i][1]), "rate");
        json_put(status, rates[i][0], json_real(json_number_value(rate)));
    }
    if (q->priority_count > 1) {
        json_t *lengths = json_object();
        char name[16];
        for (unsigned i = 0; i < q->priority_count; i++) {
            snprintf(name, sizeof name, "%u", i);
            json_put(lengths, name, json_number(q->priorities[i]));
        }
        json_put(status, "priority_lengths", lengths);
    }
    json_put(o, "backing_queue_status", status);
}

static void put_consumption(json_t *o, const struct queue_stat *s)
{
    double capacity = s->consumers ? (double)s->capacity_permille / 1000 : 0;
    json_put(o, "consumer_capacity", json_real(capacity));
    json_put(o, "consumer_utilisation", json_real(capacity));
    json_put(o, "exclusive_consumer_tag", json_null());
    json_put(o, "single_active_consumer_tag", json_null());
}

/* What RabbitMQ's queues have and Warren's have no use for, so that tools find a number or a list. */
static void put_fixed(json_t *o)
{
    json_put(o, "reductions", json_integer(0));
    json_put(o, "garbage_collection", json_object());
}

json_t *queue_json(struct http *h, const struct view *v, const struct members *m, const struct queue_list *l,
                   const struct queue_facts *q)
{
    struct slice type = slice_str("classic"), arguments = queue_arguments_of(l, q);
    amqp_table_find_string(arguments, "x-queue-type", &type);
    json_t *o = json_object();
    json_put(o, "name", json_slice(queue_name(l, q)));
    json_put(o, "vhost", json_slice(queue_vhost(l, q)));
    json_put(o, "type", json_slice(type));
    json_put(o, "durable", json_boolean(q->durable));
    json_put(o, "auto_delete", json_boolean(q->auto_delete));
    json_put(o, "exclusive", json_boolean(q->exclusive));
    if (q->owner) json_put(o, OWNER, json_number(q->owner));
    json_put(o, "arguments", json_table(arguments));
    json_put(o, "node", node_name(m, q->leader));
    json_put(o, "leader", node_name(m, q->leader));
    json_put(o, "leader_id", json_integer(q->leader));
    json_put(o, "group", json_integer(q->group));
    json_put(o, "state", json_string(q->leader ? "running" : "minority"));
    json_put(o, "here", json_boolean(q->here));
    put_replicas(o, m, q);
    put_policies(o, q);
    if (v->stats || v->totals) put_lengths(o, &q->stat);
    if (!v->stats) return o;
    put_counts(o, &q->stat);
    put_stats(o, h, v, q);
    put_memory(o, &q->stat);
    put_consumption(o, &q->stat);
    if (slice_is(type, "classic")) put_backing_queue(o, q);
    put_fixed(o);
    return o;
}
