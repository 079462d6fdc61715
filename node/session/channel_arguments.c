/* Arguments of queue.declare and basic.consume: types and ranges, and what is not there yet. Source: RabbitMQ's
 * documentation of each argument; compatibility.md section 5. The reply texts are Erlang terms, as RabbitMQ's. */
#include "base/field_table.h"
#include "node/session/channel_internal.h"
#include "router/queue_arguments.h"

enum { WHY_SIZE = 320 /* a short string in its quotes */ };

enum check {
    CHECK_COUNT,    /* an integer >= 0 */
    CHECK_SIZE,     /* an integer >= 1 */
    CHECK_LIMIT,    /* an integer >= -1 */
    CHECK_BYTE,     /* 0 .. 255 */
    CHECK_TTL,      /* 0 .. QUEUE_TIME_MS_MAX */
    CHECK_EXPIRES,  /* the same, but not 0 */
    CHECK_DEAD_KEY, /* text, and there must be an exchange for it */
    CHECK_INTEGER,
    CHECK_BOOL,
    CHECK_OVERFLOW,
    CHECK_STRATEGY,
    CHECK_QUEUE_TYPE,
    CHECK_QUEUE_MODE,
    CHECK_QUEUE_VERSION,
    CHECK_RETRY_TYPE,
    CHECK_LOCATOR,
    CHECK_MISSING, /* not there yet: refused with 540 */
};

struct rule {
    const char *key;
    enum check check;
};

/* In RabbitMQ's order, which shows when two are wrong. Arguments that are not listed change nothing here and are only
 * remembered. */
static const struct rule queue_rules[] = {
    {"x-queue-type", CHECK_QUEUE_TYPE},
    {"x-expires", CHECK_EXPIRES},
    {"x-message-ttl", CHECK_TTL},
    {"x-dead-letter-routing-key", CHECK_DEAD_KEY},
    {"x-dead-letter-strategy", CHECK_STRATEGY},
    {"x-max-length", CHECK_COUNT},
    {"x-max-length-bytes", CHECK_COUNT},
    {"x-max-in-memory-length", CHECK_COUNT},
    {"x-max-in-memory-bytes", CHECK_COUNT},
    {"x-max-priority", CHECK_BYTE},
    {"x-overflow", CHECK_OVERFLOW},
    {"x-queue-mode", CHECK_QUEUE_MODE},
    {"x-queue-version", CHECK_QUEUE_VERSION},
    {"x-single-active-consumer", CHECK_BOOL},
    {"x-quorum-initial-group-size", CHECK_SIZE},
    {"x-quorum-target-group-size", CHECK_SIZE},
    {"x-initial-cluster-size", CHECK_SIZE},
    {"x-queue-leader-locator", CHECK_LOCATOR},
    {"x-delivery-limit", CHECK_LIMIT},
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
    {"x-priority", CHECK_INTEGER},     {"x-cancel-on-ha-failover", CHECK_BOOL}, {"x-stream-offset", CHECK_MISSING},
    {"x-consumer-timeout", CHECK_TTL}, {"x-stream-filter", CHECK_MISSING},      {"x-filter", CHECK_MISSING},
    {"x-replay-from", CHECK_MISSING},  {"x-message-group", CHECK_MISSING},      {"x-message-identity", CHECK_BOOL},
};

static void invalid(struct channel *ch, struct slice queue, const char *key, const char *why)
{
    channel_fail(ch, AMQP_PRECONDITION_FAILED, "invalid arg '%s' for queue '%.*s' in vhost '%.*s': %s", key,
                 SLICE_ARG(queue), SLICE_ARG(ch->session->vhost), why);
}

static const char *wrong_type(const struct amqp_value *v, char why[WHY_SIZE])
{
    snprintf(why, WHY_SIZE, "{unacceptable_type,%s}", table_type_name(v->type));
    return why;
}

/* NULL: fine. Else why not, into `why`. */
static const char *check_integer(const struct amqp_value *v, int64_t least, int64_t most, char why[WHY_SIZE])
{
    int64_t n;
    if (!amqp_value_integer(v, &n)) {
        snprintf(why, WHY_SIZE, "\"expected integer, got %s\"", table_type_name(v->type));
        return why;
    }
    if (n >= least && n <= most) return NULL;
    const char *what = n < 0 ? "value_negative" : n < least ? "value_zero" : "value_too_large";
    snprintf(why, WHY_SIZE, "{%s,%lld}", most == UINT8_MAX && n > most ? "max_value_exceeded" : what, (long long)n);
    return why;
}

static const char *check_version(const struct amqp_value *v, char why[WHY_SIZE])
{
    const char *wrong = check_integer(v, 0, INT64_MAX, why);
    if (wrong || v->integer == 1 || v->integer == 2) return wrong;
    snprintf(why, WHY_SIZE, "\"unsupported queue version '%lld'\"", (long long)v->integer);
    return why;
}

/* `what` is an atom, or a noun that the value is added to. */
static const char *check_choice(const struct amqp_value *v, const char *const *choices, const char *what,
                                char why[WHY_SIZE])
{
    if (v->type != 'S') return wrong_type(v, why);
    for (; *choices; choices++)
        if (slice_is(v->bytes, *choices)) return NULL;
    if (!strchr(what, ' ')) return what;
    snprintf(why, WHY_SIZE, "\"unsupported %s '%.*s'\"", what, SLICE_ARG(v->bytes));
    return why;
}

static const char *check_value(const struct amqp_value *v, enum check check, char why[WHY_SIZE])
{
    static const char *const overflows[] = {"drop-head", "reject-publish", "reject-publish-dlx", NULL};
    static const char *const strategies[] = {"at-most-once", "at-least-once", NULL};
    static const char *const types[] = {"classic", "quorum", NULL};
    static const char *const modes[] = {"default", "lazy", NULL};
    static const char *const locators[] = {"client-local", "balanced", "random", "least-leaders", NULL};
    static const char *const retries[] = {"disabled", "all", "failed", "returned", NULL};
    switch (check) {
    case CHECK_COUNT:
        return check_integer(v, 0, INT64_MAX, why);
    case CHECK_SIZE:
        return check_integer(v, 1, INT64_MAX, why);
    case CHECK_LIMIT:
        return check_integer(v, -1, INT64_MAX, why);
    case CHECK_BYTE:
        return check_integer(v, 0, UINT8_MAX, why);
    case CHECK_TTL:
        return check_integer(v, 0, QUEUE_TIME_MS_MAX, why);
    case CHECK_EXPIRES:
        return check_integer(v, 1, QUEUE_TIME_MS_MAX, why);
    case CHECK_DEAD_KEY:
        return v->type == 'S' ? NULL : wrong_type(v, why);
    case CHECK_INTEGER:
        return check_integer(v, INT64_MIN, INT64_MAX, why);
    case CHECK_BOOL:
        return v->type == 't' ? NULL : wrong_type(v, why);
    case CHECK_OVERFLOW:
        return check_choice(v, overflows, "invalid_overflow", why);
    case CHECK_STRATEGY:
        return check_choice(v, strategies, "invalid_dlx_strategy", why);
    case CHECK_QUEUE_TYPE:
        return check_choice(v, types, "queue type", why);
    case CHECK_QUEUE_MODE:
        return check_choice(v, modes, "queue mode", why);
    case CHECK_QUEUE_VERSION:
        return check_version(v, why);
    case CHECK_RETRY_TYPE:
        return check_choice(v, retries, "invalid_retry_type", why);
    case CHECK_LOCATOR:
        return check_choice(v, locators, "invalid_queue_locator_arg", why);
    case CHECK_MISSING:
        break;
    }
    return NULL;
}

static bool check(struct channel *ch, struct slice queue, struct slice arguments, const struct rule *rules,
                  size_t count)
{
    char text[WHY_SIZE];
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
        if (!why && rules[i].check == CHECK_DEAD_KEY && !amqp_table_find(arguments, "x-dead-letter-exchange", &v))
            why = "routing_key_but_no_dlx_defined";
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
    if (amqp_table_find(arguments, "x-dead-letter-exchange", &v) && v.type != 'S') {
        channel_fail(ch, AMQP_PRECONDITION_FAILED,
                     "invalid type '%s' for arg 'x-dead-letter-exchange' in queue '%.*s' in vhost '%.*s'",
                     table_type_name(v.type), SLICE_ARG(queue), SLICE_ARG(ch->session->vhost));
        return false;
    }
    return check(ch, queue, arguments, queue_rules, sizeof queue_rules / sizeof queue_rules[0]);
}

bool channel_consumer_arguments_check(struct channel *ch, struct slice queue, struct slice arguments,
                                      struct consumer_arguments *out)
{
    int64_t n;
    *out = (struct consumer_arguments){0};
    if (!arguments.size) return true;
    if (!check(ch, queue, arguments, consumer_rules, sizeof consumer_rules / sizeof consumer_rules[0])) return false;
    out->has_timeout = amqp_table_find_integer(arguments, "x-consumer-timeout", &n);
    if (out->has_timeout) out->timeout_ms = (uint64_t)n;
    struct amqp_value v;
    out->identify = amqp_table_find(arguments, "x-message-identity", &v) && v.type == 't' && v.boolean;
    if (amqp_table_find_integer(arguments, "x-priority", &n))
        out->priority = n < INT32_MIN ? INT32_MIN : n > INT32_MAX ? INT32_MAX : (int32_t)n;
    return true;
}
