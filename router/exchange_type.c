/* Types of exchanges: what each does to a message, as read from its type and arguments. */
#include "router/exchange_type.h"

#include <stdlib.h>

#include "base/field_table.h"
#include "base/hash.h"
#include "router/federation.h"

static const char *const names[] = {
    "direct",         "fanout",   "topic",         "headers", "x-federation-upstream", "x-consistent-hash",
    "x-modulus-hash", "x-random", "x-local-random"};
_Static_assert(sizeof names / sizeof names[0] == EXCHANGE_KIND_COUNT, "a name for each kind");

int exchange_kind_of(struct slice type)
{
    for (int kind = 0; kind < EXCHANGE_KIND_COUNT; kind++)
        if (slice_is(type, names[kind])) return kind;
    bool like_fanout = slice_is(type, "x-message-deduplication") || slice_is(type, "x-recent-history");
    return like_fanout || slice_is(type, "x-delayed-message") ? EXCHANGE_FANOUT : -1;
}

bool topology_knows_exchange_type(struct slice type)
{
    return exchange_kind_of(type) >= 0;
}

uint32_t topology_home_group(const struct topology *t, struct slice vhost, struct slice exchange)
{
    uint64_t hash = hash_bytes(exchange.data, exchange.size, hash_slice(vhost));
    return 1 + (uint32_t)(hash % t->group_count);
}

bool topology_keeps_history(const struct topology *t, struct slice vhost, struct slice exchange)
{
    struct vhost *v = vhost_find(t, vhost);
    const struct exchange_record *x = v ? map_str_get(&v->exchanges, exchange) : NULL;
    return x && x->traits.history_length;
}

/* An integer, or, as the plugin has it, a text that begins with one. */
static bool positive(struct slice arguments, const char *key, uint64_t most, uint64_t *value)
{
    struct table_value v;
    char text[24];
    int64_t n = 0;
    if (!table_find(arguments, slice_str(key), &v)) return false;
    if (v.type == 'S') {
        size_t size = v.bytes.size < sizeof text ? v.bytes.size : sizeof text - 1;
        memcpy(text, v.bytes.data, size);
        text[size] = 0;
        n = strtoll(text, NULL, 10);
    } else if (table_value_is_integer(&v)) {
        n = v.integer;
    }
    if (n <= 0) return false;
    *value = (uint64_t)n < most ? (uint64_t)n : most;
    return true;
}

static bool window_of(struct slice arguments, struct exchange_traits *traits, struct topology_result *r)
{
    struct table_value v;
    traits->deduplicates = true;
    if (!positive(arguments, "x-cache-size", EXCHANGE_WINDOW_MAX, &traits->window_size)) {
        refuse(r, 406,
               "PRECONDITION_FAILED - Missing or invalid argument, 'x-cache-size' must be an integer greater than 0");
    } else if (table_find(arguments, slice_str("x-cache-ttl"), &v) &&
               !positive(arguments, "x-cache-ttl", UINT32_MAX, &traits->window_ttl_ms)) {
        refuse(r, 406, "PRECONDITION_FAILED - Invalid argument, 'x-cache-ttl' must be an integer greater than 0");
    } else if (table_find(arguments, slice_str("x-cache-persistence"), &v) &&
               !(v.type == 'S' && (slice_is(v.bytes, "disk") || slice_is(v.bytes, "memory")))) {
        refuse(r, 406,
               "PRECONDITION_FAILED - Invalid argument, 'x-cache-persistence' must be either 'disk' or 'memory'");
    }
    return !r->reply_code;
}

static bool history_of(struct slice arguments, struct exchange_traits *traits, struct topology_result *r)
{
    struct table_value v;
    traits->history_length = EXCHANGE_HISTORY_LENGTH;
    if (!table_find(arguments, slice_str("x-recent-history-length"), &v)) return true;
    if (!table_value_is_integer(&v) || v.integer < 1) {
        char text[TABLE_VALUE_TEXT_MAX];
        table_value_print_term(&v, text, sizeof text);
        refuse(r, 406,
               "PRECONDITION_FAILED - Invalid argument %s, 'x-recent-history-length' must be a positive integer", text);
        return false;
    }
    traits->history_length = v.integer < EXCHANGE_HISTORY_MAX ? (uint32_t)v.integer : EXCHANGE_HISTORY_MAX;
    return true;
}

bool exchange_traits_of(struct slice type, struct slice arguments, struct exchange_traits *traits,
                        struct topology_result *r)
{
    *traits = (struct exchange_traits){0};
    if (slice_is(type, "x-delayed-message")) {
        struct table_value v;
        traits->delays = true;
        if (!table_find(arguments, slice_str("x-delayed-type"), &v) || v.type != 'S' ||
            slice_is(v.bytes, "x-delayed-message")) {
            refuse(r, 406,
                   "PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be an existing exchange type");
            return false;
        }
        type = v.bytes;
    }
    int kind = exchange_kind_of(type);
    if (kind < 0) {
        refuse(r, 503, "COMMAND_INVALID - unknown exchange type '%.*s'", SLICE_FORMAT(type));
        return false;
    }
    traits->kind = (uint8_t)kind;
    if (slice_is(type, "x-message-deduplication")) return window_of(arguments, traits, r);
    if (slice_is(type, "x-recent-history")) return history_of(arguments, traits, r);
    if (kind == EXCHANGE_FEDERATION_UPSTREAM) return federation_check_exchange(arguments, r);
    return choice_check_exchange(kind, arguments, r);
}
