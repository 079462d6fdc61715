/* Arguments of queue.declare and basic.consume: types and ranges, and what is not there yet. Source: RabbitMQ's
 * documentation of each argument; compatibility.md section 5. */
#include "node/session/session_internal.h"

enum check {
    CHECK_COUNT,   /* an integer >= 0 */
    CHECK_LIMIT,   /* an integer >= -1 */
    CHECK_BYTE,    /* 0 .. 255 */
    CHECK_TTL,     /* 0 .. 2^32 - 1 milliseconds */
    CHECK_EXPIRES, /* the same, but not 0 */
    CHECK_TEXT,
    CHECK_BOOL,
    CHECK_OVERFLOW,
    CHECK_STRATEGY,
    CHECK_QUEUE_TYPE,
    CHECK_RETRY_TYPE,
    CHECK_MISSING, /* not there yet: refused with 540 */
};

struct rule {
    const char *key;
    enum check check;
};

/* Arguments that are not listed change nothing here and are only remembered. */
static const struct rule queue_rules[] = {
    {"x-message-ttl", CHECK_TTL},
    {"x-expires", CHECK_EXPIRES},
    {"x-max-length", CHECK_COUNT},
    {"x-max-length-bytes", CHECK_COUNT},
    {"x-max-priority", CHECK_BYTE},
    {"x-overflow", CHECK_OVERFLOW},
    {"x-dead-letter-exchange", CHECK_TEXT},
    {"x-dead-letter-routing-key", CHECK_TEXT},
    {"x-dead-letter-strategy", CHECK_STRATEGY},
    {"x-single-active-consumer", CHECK_BOOL},
    {"x-delivery-limit", CHECK_LIMIT},
    {"x-queue-type", CHECK_QUEUE_TYPE},
    {"x-consumer-timeout", CHECK_TTL},
    {"x-consumer-disconnected-timeout", CHECK_TTL},
    {"x-delayed-retry-type", CHECK_RETRY_TYPE},
    {"x-delayed-retry-min", CHECK_EXPIRES},
    {"x-delayed-retry-max", CHECK_EXPIRES},
    {"x-message-deduplication", CHECK_BOOL},
    {"x-max-age", CHECK_MISSING},
    {"x-stream-max-segment-size-bytes", CHECK_MISSING},
};

static const struct rule consumer_rules[] = {
    {"x-consumer-timeout", CHECK_TTL}, {"x-stream-offset", CHECK_MISSING}, {"x-stream-filter", CHECK_MISSING},
    {"x-filter", CHECK_MISSING},       {"x-replay-from", CHECK_MISSING},   {"x-message-group", CHECK_MISSING},
};

static void invalid(struct channel *ch, struct slice queue, const char *key, const char *why)
{
    channel_fail(ch, AMQP_PRECONDITION_FAILED, "invalid arg '%s' for queue '%.*s' in vhost '%.*s': %s", key,
                 SLICE_ARG(queue), SLICE_ARG(ch->session->vhost), why);
}

/* NULL: fine. Else why not, into `text`. */
static const char *check_integer(const struct amqp_value *v, int64_t least, int64_t most, char text[64])
{
    int64_t n;
    if (!amqp_value_integer(v, &n)) return "unacceptable_type";
    if (n >= least && n <= most) return NULL;
    const char *what = n > most ? "value_too_big" : n < 0 ? "value_negative" : "value_zero";
    snprintf(text, 64, "{%s,%lld}", what, (long long)n);
    return text;
}

static const char *check_choice(const struct amqp_value *v, const char *const *choices)
{
    if (v->type != 'S') return "unacceptable_type";
    for (; *choices; choices++)
        if (slice_is(v->bytes, *choices)) return NULL;
    return "invalid value";
}

static const char *check_value(const struct amqp_value *v, enum check check, char text[64])
{
    static const char *const overflows[] = {"drop-head", "reject-publish", "reject-publish-dlx", NULL};
    static const char *const strategies[] = {"at-most-once", "at-least-once", NULL};
    static const char *const types[] = {"classic", "quorum", NULL};
    static const char *const retries[] = {"disabled", "all", "failed", "returned", NULL};
    switch (check) {
    case CHECK_COUNT:
        return check_integer(v, 0, INT64_MAX, text);
    case CHECK_LIMIT:
        return check_integer(v, -1, INT64_MAX, text);
    case CHECK_BYTE:
        return check_integer(v, 0, UINT8_MAX, text);
    case CHECK_TTL:
        return check_integer(v, 0, UINT32_MAX, text);
    case CHECK_EXPIRES:
        return check_integer(v, 1, UINT32_MAX, text);
    case CHECK_TEXT:
        return v->type == 'S' ? NULL : "unacceptable_type";
    case CHECK_BOOL:
        return v->type == 't' ? NULL : "unacceptable_type";
    case CHECK_OVERFLOW:
        return check_choice(v, overflows);
    case CHECK_STRATEGY:
        return check_choice(v, strategies);
    case CHECK_QUEUE_TYPE:
        return check_choice(v, types);
    case CHECK_RETRY_TYPE:
        return check_choice(v, retries);
    case CHECK_MISSING:
        break;
    }
    return NULL;
}

static bool check(struct channel *ch, struct slice queue, struct slice arguments, const struct rule *rules,
                  size_t count)
{
    char text[64];
    for (size_t i = 0; i < count; i++) {
        struct amqp_value v;
        if (!amqp_table_find(arguments, rules[i].key, &v)) continue;
        if (rules[i].check == CHECK_MISSING ||
            (rules[i].check == CHECK_QUEUE_TYPE && v.type == 'S' && slice_is(v.bytes, "stream"))) {
            channel_fail(ch, AMQP_NOT_IMPLEMENTED, "argument '%s' of queue '%.*s' in vhost '%.*s'", rules[i].key,
                         SLICE_ARG(queue), SLICE_ARG(ch->session->vhost));
            return false;
        }
        const char *why = check_value(&v, rules[i].check, text);
        if (!why) continue;
        invalid(ch, queue, rules[i].key, why);
        return false;
    }
    return true;
}

bool channel_queue_arguments_check(struct channel *ch, struct slice queue, struct slice arguments)
{
    struct amqp_value v;
    if (!arguments.size) return true;
    if (!check(ch, queue, arguments, queue_rules, sizeof queue_rules / sizeof queue_rules[0])) return false;
    if (amqp_table_find(arguments, "x-dead-letter-routing-key", &v) &&
        !amqp_table_find(arguments, "x-dead-letter-exchange", &v)) {
        invalid(ch, queue, "x-dead-letter-routing-key", "routing_key_but_no_dlx_defined");
        return false;
    }
    return true;
}

bool channel_consumer_arguments_check(struct channel *ch, struct slice queue, struct slice arguments,
                                      struct consumer_arguments *out)
{
    struct amqp_value v;
    int64_t n;
    *out = (struct consumer_arguments){0};
    if (!arguments.size) return true;
    if (!check(ch, queue, arguments, consumer_rules, sizeof consumer_rules / sizeof consumer_rules[0])) return false;
    out->has_timeout = amqp_table_find_integer(arguments, "x-consumer-timeout", &n);
    if (out->has_timeout) out->timeout_ms = (uint64_t)n;
    if (!amqp_table_find(arguments, "x-priority", &v)) return true;
    if (!amqp_value_integer(&v, &n) || n < INT32_MIN || n > INT32_MAX) {
        invalid(ch, queue, "x-priority", "unacceptable_type");
        return false;
    }
    out->priority = (int32_t)n;
    return true;
}
