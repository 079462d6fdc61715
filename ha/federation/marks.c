#include "ha/federation/marks.h"

#include "ha/bridge/headers.h"

#define RECEIVED_FROM "x-received-from"
#define BOUND_FROM "x-bound-from"

static void put_text(struct buf *b, const char *key, struct slice text)
{
    if (text.size) amqp_table_put_string(b, key, text);
}

static void put_source(struct buf *b, const struct marks_source *from)
{
    put_text(b, "uri", from->uri);
    put_text(b, "exchange", from->exchange);
    put_text(b, "queue", from->queue);
    amqp_table_put_bool(b, "redelivered", from->redelivered);
    put_text(b, "cluster-name", from->cluster_name);
    amqp_table_put_string(b, "vhost", from->vhost);
}

/* Encodes `p` with other headers; a user id that is not trusted is left out. */
static void encode(struct buf *b, struct amqp_properties *p, const struct buf *headers, bool trust_user_id)
{
    p->flags |= AMQP_HAS_HEADERS;
    p->headers = buf_slice(headers);
    if (!trust_user_id) p->flags &= (uint16_t)~AMQP_HAS_USER_ID;
    amqp_properties_encode(b, p);
}

static struct slice headers_of(const struct amqp_properties *p)
{
    return p->flags & AMQP_HAS_HEADERS ? p->headers : (struct slice){NULL, 0};
}

struct slice marks_headers(struct slice properties)
{
    struct amqp_properties_brief p;
    if (amqp_properties_brief(properties, &p) || !(p.flags & AMQP_HAS_HEADERS)) return (struct slice){NULL, 0};
    return p.headers;
}

bool marks_put_exchange(struct buf *b, struct slice properties, const struct marks_source *from)
{
    struct amqp_properties p;
    struct buf info = {0}, headers = {0};
    if (amqp_properties_decode(properties, &p)) return false;
    put_source(&info, from);
    headers_prepend(&headers, headers_of(&p), RECEIVED_FROM, buf_slice(&info));
    encode(b, &p, &headers, from->trust_user_id);
    buf_close(&info);
    buf_close(&headers);
    return true;
}

/* --- queues --- */

static bool same_text(struct slice table, const char *key, struct slice text)
{
    struct slice found;
    return amqp_table_find_string(table, key, &found) ? slice_equal(found, text) : !text.size;
}

/* The stops of `items` but this queue, whose visits are returned. */
static int64_t take_visits(struct buf *others, struct slice items, const struct marks_source *from)
{
    struct reader r = reader_of(items);
    struct amqp_value stop;
    int64_t visits = 0;
    while (amqp_array_next(&r, &stop)) {
        bool here = stop.type == 'F' && same_text(stop.bytes, "uri", from->uri) &&
                    same_text(stop.bytes, "queue", from->queue) && same_text(stop.bytes, "vhost", from->vhost);
        if (!here) amqp_array_put_value(others, &stop);
        else if (!amqp_table_find_integer(stop.bytes, "visit-count", &visits)) visits = 0;
    }
    return visits;
}

/* The headers without the stops (they go to `items`), with the first exchange and key if the
 * message never travelled. */
static int64_t prepare(struct buf *rest, struct buf *items, struct slice headers, const struct marks_source *from,
                       struct slice exchange, struct slice routing_key)
{
    struct slice been;
    bool travelled = headers_array(headers, RECEIVED_FROM, &been);
    struct reader r = reader_of(headers);
    struct slice key;
    struct amqp_value value;
    while (amqp_table_next(&r, &key, &value)) {
        bool original = slice_is(key, "x-original-exchange") || slice_is(key, "x-original-routing-key");
        if (slice_is(key, RECEIVED_FROM) || (original && !travelled)) continue;
        /* CC would send it to further queues here. */
        amqp_table_put_value(rest, slice_is(key, "CC") ? slice_str("x-original-cc") : key, &value);
    }
    if (travelled) return take_visits(items, been, from);
    amqp_table_put_string(rest, "x-original-exchange", exchange);
    amqp_table_put_string(rest, "x-original-routing-key", routing_key);
    return 0;
}

bool marks_put_queue(struct buf *b, struct slice properties, const struct marks_source *from, struct slice exchange,
                     struct slice routing_key)
{
    struct amqp_properties p;
    struct buf info = {0}, items = {0}, rest = {0}, headers = {0};
    if (amqp_properties_decode(properties, &p)) return false;
    int64_t visits = prepare(&rest, &items, headers_of(&p), from, exchange, routing_key);
    put_source(&info, from);
    amqp_table_put_integer(&info, "visit-count", visits + 1);
    size_t array = amqp_table_open_array(&headers, RECEIVED_FROM);
    size_t table = amqp_array_open_table(&headers);
    buf_put_slice(&headers, buf_slice(&info));
    amqp_nested_close(&headers, table);
    buf_put_slice(&headers, buf_slice(&items));
    amqp_nested_close(&headers, array);
    buf_put_slice(&headers, buf_slice(&rest));
    encode(b, &p, &headers, from->trust_user_id);
    buf_close(&info);
    buf_close(&items);
    buf_close(&rest);
    buf_close(&headers);
    return true;
}

/* --- bindings --- */

/* How many hops a message could still make to get where this binding comes from. It travels against the messages, so it
 * counts down from the most restrictive link that it has passed. */
static int64_t hops_left(struct slice arguments, const struct marks_downstream *d)
{
    struct slice items;
    struct amqp_value stop;
    int64_t hops = 0;
    if (!headers_array(arguments, BOUND_FROM, &items)) return d->max_hops;
    struct reader r = reader_of(items);
    for (bool first = true; amqp_array_next(&r, &stop); first = false) {
        if (stop.type != 'F') continue;
        if (first) amqp_table_find_integer(stop.bytes, "hops", &hops);
        bool seen = d->upstream_cluster_name.size && same_text(stop.bytes, "cluster-name", d->upstream_cluster_name) &&
                    same_text(stop.bytes, "vhost", d->upstream_vhost);
        if (seen) return 0;
    }
    return hops - 1 < d->max_hops ? hops - 1 : d->max_hops;
}

bool marks_put_binding(struct buf *b, struct slice arguments, const struct marks_downstream *d)
{
    int64_t hops = hops_left(arguments, d);
    struct buf info = {0};
    if (hops <= 0) return false;
    amqp_table_put_string(&info, "cluster-name", d->cluster_name);
    amqp_table_put_string(&info, "vhost", d->vhost);
    amqp_table_put_string(&info, "exchange", d->exchange);
    struct amqp_value value = {.type = 's', .integer = hops};
    amqp_table_put_value(&info, slice_str("hops"), &value);
    headers_prepend(b, arguments, BOUND_FROM, buf_slice(&info));
    buf_close(&info);
    return true;
}
