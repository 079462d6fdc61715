#include "router/queue_arguments.h"

#include <stdio.h>

#include "base/field_table.h"

const char *const queue_overflow_names[] = {"drop-head", "reject-publish", "reject-publish-dlx", NULL};
const char *const queue_retry_names[] = {"disabled", "all", "failed", "returned", NULL};

static bool refuse(struct topology_result *result, const char *key, const char *why)
{
    if (!result) return false;
    result->reply_code = 406;
    snprintf(result->text, sizeof result->text, "PRECONDITION_FAILED - invalid arg '%s': %s", key, why);
    return false;
}

/* `most`: so that a time added to a clock stays a time. */
static bool limit(struct slice table, const char *key, int64_t most, int64_t *value, struct topology_result *result)
{
    struct table_value v;
    *value = -1;
    if (!table_find(table, slice_str(key), &v)) return true;
    if (!table_value_is_integer(&v)) return refuse(result, key, "not an integer");
    if (v.integer < 0 && strcmp(key, "x-delivery-limit")) return refuse(result, key, "negative");
    if (v.integer > most) return refuse(result, key, "too big");
    *value = v.integer < 0 ? -1 : v.integer;
    return true;
}

static bool text(struct slice table, const char *key, struct slice *value, struct topology_result *result)
{
    struct table_value v;
    *value = (struct slice){0};
    if (!table_find(table, slice_str(key), &v)) return true;
    if (v.type != 'S') return refuse(result, key, "not a string");
    *value = v.bytes.data ? v.bytes : slice_str("");
    return true;
}

/* One of some names, as its number; the first if it is not there. */
static bool choice(struct slice table, const char *key, const char *const *names, uint8_t *number,
                   struct topology_result *result)
{
    struct slice name;
    *number = 0;
    if (!text(table, key, &name, result)) return false;
    if (!name.data) return true;
    for (uint8_t i = 0; names[i]; i++)
        if (slice_is(name, names[i])) {
            *number = i;
            return true;
        }
    return refuse(result, key, "invalid value");
}

static bool retry_of(struct slice t, struct queue_arguments *a, struct topology_result *result)
{
    return choice(t, "x-delayed-retry-type", queue_retry_names, &a->delayed_retry, result) &&
           limit(t, "x-delayed-retry-min", QUEUE_TIME_MS_MAX, &a->delayed_retry_min_ms, result) &&
           limit(t, "x-delayed-retry-max", QUEUE_TIME_MS_MAX, &a->delayed_retry_max_ms, result) &&
           limit(t, "x-consumer-timeout", QUEUE_TIME_MS_MAX, &a->consumer_timeout_ms, result) &&
           limit(t, "x-consumer-disconnected-timeout", QUEUE_TIME_MS_MAX, &a->disconnected_timeout_ms, result);
}

static bool window_of(struct slice t, struct queue_arguments *a, struct topology_result *result)
{
    struct table_value v;
    a->window_size = a->window_ttl_ms = -1;
    if (!table_find(t, slice_str("x-message-deduplication"), &v)) return true;
    if (v.type != 't') return refuse(result, "x-message-deduplication", "not a boolean");
    a->deduplicates = v.integer;
    return limit(t, "x-cache-size", INT64_MAX, &a->window_size, result) &&
           limit(t, "x-cache-ttl", QUEUE_TIME_MS_MAX, &a->window_ttl_ms, result);
}

/* What they mean: replicas.h. */
static bool replicas_of(struct slice t, struct topology_result *result)
{
    static const char *const keys[] = {"x-quorum-initial-group-size", "x-quorum-target-group-size",
                                       "x-initial-cluster-size"};
    int64_t size;
    struct slice tag;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!limit(t, keys[i], INT64_MAX, &size, result)) return false;
        if (!size) return refuse(result, keys[i], "zero");
    }
    return text(t, "x-member-placement-tag", &tag, result);
}

bool queue_arguments_decode(struct slice t, struct queue_arguments *a, struct topology_result *result)
{
    *a = (struct queue_arguments){0};
    int64_t priorities;
    struct table_value v;
    if (!limit(t, "x-message-ttl", QUEUE_TIME_MS_MAX, &a->message_ttl_ms, result) ||
        !limit(t, "x-expires", QUEUE_TIME_MS_MAX, &a->expires_ms, result) ||
        !limit(t, "x-max-length", INT64_MAX, &a->max_length, result) ||
        !limit(t, "x-max-length-bytes", INT64_MAX, &a->max_length_bytes, result) ||
        !limit(t, "x-delivery-limit", INT64_MAX, &a->delivery_limit, result) ||
        !limit(t, "x-max-priority", UINT8_MAX, &priorities, result))
        return false;
    if (!text(t, "x-dead-letter-exchange", &a->dead_letter_exchange, result) ||
        !text(t, "x-dead-letter-routing-key", &a->dead_letter_routing_key, result) ||
        !choice(t, "x-overflow", queue_overflow_names, &a->overflow, result) || !retry_of(t, a, result) ||
        !window_of(t, a, result) || !replicas_of(t, result))
        return false;
    if (!a->expires_ms) return refuse(result, "x-expires", "zero");
    if (a->dead_letter_routing_key.data && !a->dead_letter_exchange.data)
        return refuse(result, "x-dead-letter-routing-key", "there is no x-dead-letter-exchange");
    a->max_priority = priorities > 0 ? (uint8_t)priorities : 0;
    a->has_dead_letter_exchange = a->dead_letter_exchange.data != NULL;
    if (table_find(t, slice_str("x-dead-letter-strategy"), &v))
        a->dead_letters_at_least_once = v.type == 'S' && slice_is(v.bytes, "at-least-once");
    if (table_find(t, slice_str("x-single-active-consumer"), &v)) {
        if (v.type != 't') return refuse(result, "x-single-active-consumer", "not a boolean");
        a->single_active_consumer = v.integer;
    }
    return true;
}
