/* x-consistent-hash: what is hashed of a message, what a binding key weighs, and which of the weighted bindings wins.
 *
 * Weighted rendezvous hashing: each binding draws a number from the hash of the message and of its destination, an
 * exponential variate, and the greatest weight per number wins. A destination's share is its weight's share of all
 * weights; when one comes or goes, only its share moves; nothing depends on the order of bindings, and no ring is kept.
 * The price is one draw per binding and message. All arithmetic is on integers, so that every node on every machine
 * makes the same choice. Sources: Thaler and Ravishankar, "Using name-based mappings to increase hit rates" (1998); the
 * words of refusals and the arguments are those of RabbitMQ's plugin. */
#include "base/field_table.h"
#include "base/hash.h"
#include "router/choice.h"

enum { LONG_TABLE = 255 }; /* as a property's size: four bytes of length, then a field table */

/* The properties in the order of the wire, the first at bit 15 of the flags. size 0: a short string. */
struct property {
    const char *name; /* NULL: cannot be hashed */
    uint8_t size;
};
static const struct property properties[] = {
    {"content_type", 0},   {"content_encoding", 0}, {NULL, LONG_TABLE}, {NULL, 1},         {NULL, 1},
    {"correlation_id", 0}, {"reply_to", 0},         {"expiration", 0},  {"message_id", 0}, {"timestamp", 8},
    {"type", 0},           {"user_id", 0},          {"app_id", 0},      {"cluster_id", 0},
};
enum { PROPERTY_COUNT = sizeof properties / sizeof properties[0], PROPERTY_FIRST_FLAG = 1 << 15 };

/* --- arguments of the exchange --- */

static int property_number(struct slice name)
{
    for (int i = 0; i < PROPERTY_COUNT; i++)
        if (properties[i].name && slice_is(name, properties[i].name)) return i;
    return -1;
}

static bool is_string_or_absent(bool there, const struct table_value *v, const char *argument,
                                struct topology_result *r)
{
    if (!there || v->type == 'S') return true;
    refuse(r, 406, "PRECONDITION_FAILED - invalid type for arg '%s': %s, expected longstr", argument,
           table_type_name(v->type));
    return false;
}

bool hash_exchange_parse(struct slice arguments, struct hash_source *source, struct topology_result *r)
{
    struct table_value header, property;
    bool has_header = table_find(arguments, slice_str("hash-header"), &header);
    bool has_property = table_find(arguments, slice_str("hash-property"), &property);
    *source = (struct hash_source){.kind = HASH_ROUTING_KEY};
    if (!is_string_or_absent(has_header, &header, "hash-header", r) ||
        !is_string_or_absent(has_property, &property, "hash-property", r))
        return false;
    if (has_header && has_property) {
        refuse(r, 406, "PRECONDITION_FAILED - hash-header and hash-property are mutually exclusive");
        return false;
    }
    if (has_header) *source = (struct hash_source){.kind = HASH_HEADER, .header = header.bytes};
    if (!has_property) return true;
    int number = property_number(property.bytes);
    if (number < 0) {
        refuse(r, 406, "PRECONDITION_FAILED - Unsupported property: %.*s", SLICE_FORMAT(property.bytes));
        return false;
    }
    *source = (struct hash_source){.kind = HASH_PROPERTY, .property = (uint8_t)number};
    return true;
}

/* --- weights --- */

/* Reads as Erlang does: a sign, then digits. 0: `r` says why it is none. */
uint32_t hash_exchange_weight(struct slice key, struct topology_result *r)
{
    size_t digits = key.size && (key.data[0] == '-' || key.data[0] == '+'), at = digits;
    uint64_t weight = 0;
    for (; at < key.size && key.data[at] >= '0' && key.data[at] <= '9'; at++)
        if (weight <= HASH_WEIGHT_MAX) weight = weight * 10 + (uint64_t)(key.data[at] - '0');
    if (at == digits || at < key.size)
        refuse(r, 406, "PRECONDITION_FAILED - The binding key must be an integer: <<%s%.*s%s>>", key.size ? "\"" : "",
               SLICE_FORMAT(key), key.size ? "\"" : "");
    else if (!weight || key.data[0] == '-')
        refuse(r, 406, "PRECONDITION_FAILED - The binding key must be greater than 0");
    else if (weight > HASH_WEIGHT_MAX)
        refuse(r, 406, "PRECONDITION_FAILED - The binding key must not be greater than %u", HASH_WEIGHT_MAX);
    else return (uint32_t)weight;
    return 0;
}

/* --- hashing --- */

static uint64_t hash_integer(int64_t value)
{
    return hash_bytes(&value, sizeof value, 0);
}

/* Integers by value, whatever their width. */
static uint64_t hash_header(struct slice headers, struct slice name)
{
    struct table_value v;
    if (!table_find(headers, name, &v)) return hash_slice((struct slice){0});
    if (table_value_is_integer(&v) || v.type == 'T' || v.type == 't') return hash_integer(v.integer);
    if (table_value_is_number(&v)) return hash_bytes(&v.real, sizeof v.real, 0);
    return hash_slice(v.bytes);
}

static uint64_t hash_property(struct slice list, uint8_t wanted)
{
    struct reader r = reader_of(list);
    uint16_t flags = reader_be16(&r);
    for (uint8_t i = 0; i < PROPERTY_COUNT && !r.failed; i++) {
        if (!(flags & (PROPERTY_FIRST_FLAG >> i))) continue;
        size_t size = properties[i].size;
        if (size == LONG_TABLE) size = reader_be32(&r);
        else if (!size) size = reader_u8(&r);
        struct slice value = reader_bytes(&r, size);
        if (i == wanted && !r.failed) return hash_slice(value);
    }
    return hash_slice((struct slice){0});
}

uint64_t hash_exchange_hash(const struct hash_source *source, const struct route_query *query)
{
    if (source->kind == HASH_HEADER) return hash_header(query->headers, source->header);
    if (source->kind == HASH_PROPERTY) return hash_property(query->properties, source->property);
    return hash_slice(query->routing_key);
}

/* -ln(hash / 2^64) in units of 2^-32, at least 1, for a hash that is evenly spread.
 * With hash / 2^64 = m / 2^shift, m in [1/2, 1): -ln m = 2 atanh((1 - m) / (1 + m)), whose series is cut after the
 * ninth power: wrong by less than two millionths. */
static uint64_t exponential(uint64_t hash)
{
    static const uint64_t one = UINT64_C(1) << 32, ln_2 = 2977044472;
    unsigned shift = (unsigned)__builtin_clzll(hash | 1);
    uint64_t m = (hash | 1) << shift;
    uint64_t x = (0 - m) / ((m >> 32) + one);
    uint64_t square = x * x >> 32, sum = one / 9;
    for (int n = 7; n > 0; n -= 2) sum = one / (unsigned)n + (square * sum >> 32);
    return 2 * (x * sum >> 32) + shift * ln_2 + 1;
}

const struct choice *hash_exchange_pick(const struct choice *choices, size_t count, uint64_t hash)
{
    const struct choice *best = NULL;
    uint64_t best_drawn = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t drawn = exponential(hash_u64(hash ^ choices[i].destination_hash));
        if (best && choices[i].weight * best_drawn <= best->weight * drawn) continue;
        best = &choices[i];
        best_drawn = drawn;
    }
    return best;
}
