/* What the machine of a queue is told of its arguments and policies, and told again when policies change. */
#include "node/broker/broker_internal.h"
#include "router/policy.h"

_Static_assert(QUEUE_TIME_MS_MAX <= COMMAND_TIME_MS_MAX, "what an argument or a policy may say, a command can carry");

enum { SETTINGS_SLICE = 4096 /* queues of the topology that one tick looks at */ };

static void copy_settings(struct queue_settings *to, const struct queue_arguments *from, bool auto_delete)
{
    *to = (struct queue_settings){
        .auto_delete = auto_delete,
        .single_active_consumer = from->single_active_consumer,
        .has_dead_letter_exchange = from->has_dead_letter_exchange,
        .max_priority = from->max_priority,
        .overflow = from->overflow,
        .message_ttl_ms = from->message_ttl_ms,
        .expires_ms = from->expires_ms,
        .max_length = from->max_length,
        .max_length_bytes = from->max_length_bytes,
        .delivery_limit = from->delivery_limit,
        .delayed_retry = from->delayed_retry,
        .delayed_retry_min_ms = from->delayed_retry_min_ms,
        .delayed_retry_max_ms = from->delayed_retry_max_ms,
        .consumer_timeout_ms = from->consumer_timeout_ms,
        .disconnected_timeout_ms = from->disconnected_timeout_ms,
        .deduplicates = from->deduplicates,
        .window_size = from->window_size,
        .window_ttl_ms = from->window_ttl_ms,
        .dead_letter_exchange = from->dead_letter_exchange,
        .dead_letter_routing_key = from->dead_letter_routing_key,
    };
}

bool queue_record_settings(const struct topology *t, const struct queue_record *record, struct queue_settings *settings)
{
    struct queue_arguments arguments;
    if (!policy_queue_arguments(t, record, &arguments)) return false;
    copy_settings(settings, &arguments, record->auto_delete);
    return true;
}

static bool same(const struct queue_settings *a, const struct queue_settings *b)
{
    struct buf left = {0}, right = {0};
    queue_settings_encode(&left, a);
    queue_settings_encode(&right, b);
    bool equal = slice_equal(buf_slice(&left), buf_slice(&right));
    buf_close(&left);
    buf_close(&right);
    return equal;
}

static void look_at(struct host *h, const struct queue_record *record)
{
    const struct queue_settings *current =
        record->group == h->id ? queue_machine_settings(h->queues, record->id) : NULL;
    struct command_configure configure = {.queue = record->id};
    if (!current || !queue_record_settings(h->broker->params.topology, record, &configure.settings)) return;
    if (!same(current, &configure.settings)) command_configure_encode(host_system_writer(h), &configure);
}

/* A slice at a time, so that a policy over many queues does not hold the shard up. */
void settings_tick(struct host *h)
{
    struct topology *t = h->broker->params.topology;
    if (h->settings_version != policy_version(t)) {
        h->settings_version = policy_version(t);
        h->settings_cursor = 0;
    }
    const struct queue_record *record;
    for (int i = 0; i < SETTINGS_SLICE && h->settings_cursor != UINT64_MAX; i++)
        if ((record = topology_next_queue(t, &h->settings_cursor))) look_at(h, record);
}
