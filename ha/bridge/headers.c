#include "ha/bridge/headers.h"

static void put_array(struct buf *b, const char *key, struct slice info, struct slice items)
{
    size_t array = amqp_table_open_array(b, key);
    size_t table = amqp_array_open_table(b);
    buf_put_slice(b, info);
    amqp_nested_close(b, table);
    buf_put_slice(b, items);
    amqp_nested_close(b, array);
}

void headers_without(struct buf *b, struct slice headers, const char *key)
{
    struct reader r = reader_of(headers);
    struct slice name;
    struct amqp_value value;
    while (amqp_table_next(&r, &name, &value))
        if (!slice_is(name, key)) amqp_table_put_value(b, name, &value);
}

bool headers_array(struct slice headers, const char *key, struct slice *items)
{
    struct amqp_value value;
    if (!amqp_table_find(headers, key, &value) || value.type != 'A') return false;
    *items = value.bytes;
    return true;
}

static void put_invalid(struct buf *b, struct slice headers, const char *key, const struct amqp_value *value)
{
    struct amqp_value before;
    size_t at = amqp_table_open_table(b, "x-invalid-headers");
    if (amqp_table_find(headers, "x-invalid-headers", &before) && before.type == 'F')
        headers_without(b, before.bytes, key);
    size_t array = amqp_table_open_array(b, key);
    amqp_array_put_value(b, value);
    amqp_nested_close(b, array);
    amqp_nested_close(b, at);
}

void headers_prepend(struct buf *b, struct slice headers, const char *key, struct slice info)
{
    struct slice items = {NULL, 0};
    struct amqp_value value;
    bool invalid = amqp_table_find(headers, key, &value) && value.type != 'A';
    struct buf rest = {0};
    headers_array(headers, key, &items);
    headers_without(&rest, headers, key);
    if (invalid) {
        struct buf others = {0};
        headers_without(&others, buf_slice(&rest), "x-invalid-headers");
        put_invalid(&others, headers, key, &value);
        buf_close(&rest);
        rest = others;
    }
    put_array(b, key, info, items);
    buf_put_slice(b, buf_slice(&rest));
    buf_close(&rest);
}
