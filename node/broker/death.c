#include "node/broker/death.h"

#include "node/amqp/properties.h"
#include "node/amqp/table.h"
#include "router/policy.h"

static const char *reason_name(uint8_t reason)
{
    static const char *const names[] = {"rejected", "expired", "maxlen", "delivery_limit"};
    return reason < sizeof names / sizeof names[0] ? names[reason] : "rejected";
}

static bool entry_is(struct slice entry, struct slice queue, const char *reason)
{
    struct slice text;
    return amqp_table_find_string(entry, "queue", &text) && slice_equal(text, queue) &&
           amqp_table_find_string(entry, "reason", &text) && slice_is(text, reason);
}

static struct slice deaths_of(struct slice headers)
{
    struct amqp_value v;
    if (amqp_table_find(headers, "x-death", &v) && v.type == 'A') return v.bytes;
    return (struct slice){0};
}

/* The first that died of the same in the same queue. */
static bool find_death(struct slice deaths, struct slice queue, const char *reason, struct slice *entry)
{
    struct reader r = reader_of(deaths);
    struct amqp_value v;
    while (amqp_array_next(&r, &v)) {
        if (v.type != 'F' || !entry_is(v.bytes, queue, reason)) continue;
        *entry = v.bytes;
        return true;
    }
    return false;
}

static void put_count(struct buf *b, int64_t count)
{
    amqp_table_put_value(b, slice_str("count"), &(struct amqp_value){.type = 'l', .integer = count});
}

static void put_routing_keys(struct buf *b, const struct content *original, struct slice headers)
{
    size_t at = amqp_table_open_array(b, "routing-keys");
    amqp_array_put_string(b, original->routing_key);
    struct amqp_value cc;
    if (amqp_table_find(headers, "CC", &cc) && cc.type == 'A') {
        struct reader r = reader_of(cc.bytes);
        struct amqp_value key;
        while (amqp_array_next(&r, &key))
            if (key.type == 'S') amqp_array_put_string(b, key.bytes);
    }
    amqp_nested_close(b, at);
}

static void put_death(struct buf *b, struct slice headers, struct slice queue, const char *reason,
                      const struct content *original, struct slice expiration, uint64_t clock_ms)
{
    put_count(b, 1);
    amqp_table_put_string(b, "reason", slice_str(reason));
    amqp_table_put_string(b, "queue", queue);
    amqp_table_put_timestamp(b, "time", clock_ms / 1000);
    amqp_table_put_string(b, "exchange", original->exchange);
    put_routing_keys(b, original, headers);
    if (expiration.size) amqp_table_put_string(b, "original-expiration", expiration);
}

/* It goes on telling of the first time, and counts one more. */
static void put_death_again(struct buf *b, struct slice entry)
{
    struct reader r = reader_of(entry);
    struct slice key;
    struct amqp_value v;
    int64_t count = 0;
    amqp_table_find_integer(entry, "count", &count);
    put_count(b, count + 1);
    while (amqp_table_next(&r, &key, &v))
        if (!slice_is(key, "count")) amqp_table_put_value(b, key, &v);
}

/* This death first, then the earlier ones without the entry that it takes the place of. */
static void put_deaths(struct buf *b, struct slice headers, struct slice queue, const char *reason,
                       const struct content *original, struct slice expiration, uint64_t clock_ms)
{
    struct slice deaths = deaths_of(headers), before;
    size_t array = amqp_table_open_array(b, "x-death");
    size_t entry = amqp_array_open_table(b);
    if (find_death(deaths, queue, reason, &before)) put_death_again(b, before);
    else put_death(b, headers, queue, reason, original, expiration, clock_ms);
    amqp_nested_close(b, entry);
    struct reader r = reader_of(deaths);
    struct amqp_value v;
    while (amqp_array_next(&r, &v))
        if (v.type != 'F' || !entry_is(v.bytes, queue, reason)) amqp_array_put_value(b, &v);
    amqp_nested_close(b, array);
}

static bool is_ours(struct slice key, bool keep_cc)
{
    return slice_is(key, "x-death") || slice_is(key, "x-last-death-reason") || slice_is(key, "x-last-death-queue") ||
           slice_is(key, "x-last-death-exchange") || (!keep_cc && slice_is(key, "CC"));
}

static void put_headers(struct buf *b, struct slice headers, struct slice queue, const char *reason,
                        const struct content *original, struct slice expiration, uint64_t clock_ms, bool keep_cc)
{
    struct amqp_value v;
    struct slice key;
    struct reader r = reader_of(headers);
    while (amqp_table_next(&r, &key, &v))
        if (!is_ours(key, keep_cc)) amqp_table_put_value(b, key, &v);
    put_deaths(b, headers, queue, reason, original, expiration, clock_ms);
    if (!amqp_table_find(headers, "x-death", &v)) {
        amqp_table_put_string(b, "x-first-death-reason", slice_str(reason));
        amqp_table_put_string(b, "x-first-death-queue", queue);
        amqp_table_put_string(b, "x-first-death-exchange", original->exchange);
    }
    amqp_table_put_string(b, "x-last-death-reason", slice_str(reason));
    amqp_table_put_string(b, "x-last-death-queue", queue);
    amqp_table_put_string(b, "x-last-death-exchange", original->exchange);
}

bool death_look_at_headers(struct death *d)
{
    struct amqp_properties_brief brief;
    if (amqp_properties_brief(d->content.properties, &brief)) return false;
    d->headers = brief.headers;
    d->marked = brief.headers.size && amqp_marks_find(brief.headers, &d->marks);
    return true;
}

bool death_compose(struct death *d, const struct topology *t, const struct queue_record *queue, struct slice bytes,
                   uint8_t reason, uint64_t clock_ms)
{
    struct queue_arguments arguments;
    struct content original;
    struct amqp_properties p;
    if (!policy_queue_arguments(t, queue, &arguments) || !arguments.has_dead_letter_exchange) return false;
    if (!content_decode(bytes, &original) || amqp_properties_decode(original.properties, &p)) return false;
    bool new_key = arguments.dead_letter_routing_key.data != NULL;
    d->vhost = queue->vhost;
    d->at_least_once = arguments.dead_letters_at_least_once;
    d->uses_cc = !new_key;
    d->persistent = p.delivery_mode == AMQP_DELIVERY_PERSISTENT;
    d->priority = p.priority;

    struct buf headers = {0};
    put_headers(&headers, p.headers, queue->name, reason_name(reason), &original, p.expiration, clock_ms, !new_key);
    amqp_properties_replace_headers(&d->properties, original.properties, buf_slice(&headers), AMQP_HAS_EXPIRATION);
    buf_close(&headers);

    struct slice key = new_key ? arguments.dead_letter_routing_key : original.routing_key;
    buf_put_slice(&d->names, arguments.dead_letter_exchange);
    buf_put_slice(&d->names, key);
    d->content.exchange = slice_of(d->names.data, arguments.dead_letter_exchange.size);
    d->content.routing_key = slice_of(d->names.data + arguments.dead_letter_exchange.size, key.size);
    d->content.properties = buf_slice(&d->properties);
    d->content.body = original.body;
    if (!new_key) d->content.bcc = original.bcc;
    d->exchange = d->content.exchange;
    d->ttl_ms = UINT64_MAX;
    return death_look_at_headers(d);
}

void death_close(struct death *d)
{
    buf_close(&d->properties);
    buf_close(&d->names);
}

bool death_route(struct topology *t, const struct death *d, struct route *route)
{
    /* Who leads which group is left out: a new leader that sends the letter again must choose as the old one did. */
    struct route_query query = {.vhost = d->vhost,
                                .exchange = d->exchange,
                                .delayed = d->marked && d->marks.delay_ms && !d->due,
                                .no_store = d->marked && d->marks.no_store,
                                .routing_key = d->content.routing_key,
                                .headers = d->headers,
                                .properties = d->content.properties,
                                .random = d->random};
    struct amqp_value cc;
    if (d->uses_cc && amqp_table_find(d->headers, "CC", &cc) && cc.type == 'A') query.further[0] = cc.bytes;
    query.further[1] = d->content.bcc;
    return route_find(t, &query, route);
}

bool death_is_cycle(struct topology *t, const struct death *d, uint64_t queue)
{
    const struct queue_record *record = topology_queue_by_id(t, queue);
    if (!record) return false;
    struct reader r = reader_of(deaths_of(d->headers));
    struct amqp_value v;
    struct slice name, reason;
    while (amqp_array_next(&r, &v)) {
        if (v.type != 'F') continue;
        if (amqp_table_find_string(v.bytes, "reason", &reason) && slice_is(reason, "rejected")) return false;
        if (amqp_table_find_string(v.bytes, "queue", &name) && slice_equal(name, record->name)) return true;
    }
    return false;
}
