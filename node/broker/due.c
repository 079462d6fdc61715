/* A message that an exchange kept: its delay is over, or somebody wants to see it once more. */
#include "node/amqp/properties.h"
#include "node/amqp/table.h"
#include "node/broker/death.h"

static void negate(struct amqp_value *v)
{
    if (v->type == 'f' || v->type == 'd') v->real = -v->real;
    else *v = (struct amqp_value){.type = 'l', .integer = -v->integer};
}

static void put_headers(struct buf *b, struct slice headers, bool due)
{
    struct reader r = reader_of(headers);
    struct slice key;
    struct amqp_value v;
    int64_t ignored;
    while (amqp_table_next(&r, &key, &v)) {
        bool number = v.type == 'f' || v.type == 'd' || amqp_value_integer(&v, &ignored);
        if (due && number && slice_is(key, "x-delay")) negate(&v);
        amqp_table_put_value(b, key, &v);
    }
}

/* The time to live counts from now. It was checked when the message was published. */
static uint64_t ttl_of(struct slice expiration)
{
    uint64_t ttl_ms = 0;
    if (!expiration.size) return UINT64_MAX;
    for (size_t i = 0; i < expiration.size; i++)
        if (expiration.data[i] >= '0' && expiration.data[i] <= '9' && ttl_ms <= COMMAND_TIME_MS_MAX)
            ttl_ms = ttl_ms * 10 + (uint64_t)(expiration.data[i] - '0');
    return ttl_ms;
}

bool death_compose_kept(struct death *d, struct slice names, struct slice bytes, bool due)
{
    struct content original;
    struct amqp_properties p;
    struct reader r = reader_of(names);
    d->vhost = reader_counted(&r);
    d->exchange = reader_counted(&r);
    if (r.failed || !content_decode(bytes, &original) || amqp_properties_decode(original.properties, &p)) return false;
    struct buf headers = {0};
    put_headers(&headers, p.headers, due);
    amqp_properties_replace_headers(&d->properties, original.properties, buf_slice(&headers), 0);
    buf_close(&headers);
    d->content = original;
    d->content.properties = buf_slice(&d->properties);
    d->due = due;
    d->uses_cc = true;
    d->persistent = p.delivery_mode == AMQP_DELIVERY_PERSISTENT;
    d->priority = p.priority;
    d->ttl_ms = ttl_of(p.expiration);
    return death_look_at_headers(d);
}
