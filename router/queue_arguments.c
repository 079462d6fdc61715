#include "router/queue_arguments.h"

#include <stdio.h>

#include "router/table_view.h"

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

static bool overflow_of(struct slice name, uint8_t *overflow, struct topology_result *result)
{
    static const char *const names[] = {"drop-head", "reject-publish", "reject-publish-dlx"};
    *overflow = 0;
    if (!name.data) return true;
    for (uint8_t i = 0; i < 3; i++)
        if (slice_is(name, names[i])) {
            *overflow = i;
            return true;
        }
    return refuse(result, "x-overflow", "none of drop-head, reject-publish, reject-publish-dlx");
}

bool queue_arguments_decode(struct slice t, struct queue_arguments *a, struct topology_result *result)
{
    *a = (struct queue_arguments){0};
    int64_t priorities;
    struct slice overflow;
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
        !text(t, "x-overflow", &overflow, result) || !overflow_of(overflow, &a->overflow, result))
        return false;
    if (!a->expires_ms) return refuse(result, "x-expires", "zero");
    if (a->dead_letter_routing_key.data && !a->dead_letter_exchange.data)
        return refuse(result, "x-dead-letter-routing-key", "there is no x-dead-letter-exchange");
    a->max_priority = priorities > 0 ? (uint8_t)priorities : 0;
    a->has_dead_letter_exchange = a->dead_letter_exchange.data != NULL;
    if (table_find(t, slice_str("x-single-active-consumer"), &v)) {
        if (v.type != 't') return refuse(result, "x-single-active-consumer", "not a boolean");
        a->single_active_consumer = v.integer;
    }
    return true;
}
