/* AMQP's texts and tables as JSON, and back. */
#include <string.h>

#include "base/mem.h"
#include "node/amqp/table.h"
#include "node/http/http_internal.h"

enum { KEY_MAX = 255 /* bytes of a table's key */ };

void json_put(json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, value)) json_object_set_new(object, "unprintable", json_null());
}

json_t *json_number(uint64_t value)
{
    return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

json_t *json_slice(struct slice text)
{
    json_t *whole = json_stringn(text.data ? (const char *)text.data : "", text.size);
    if (whole) return whole;
    struct buf clean = {0};
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < 0x80) buf_put_u8(&clean, text.data[i]);
        else buf_put(&clean, "\xef\xbf\xbd", 3);
    }
    whole = json_stringn((const char *)clean.data, clean.size);
    buf_close(&clean);
    return whole ? whole : json_null();
}

struct slice slice_json(const json_t *text)
{
    if (!json_is_string(text)) return (struct slice){0};
    return slice_of(json_string_value(text), json_string_length(text));
}

static json_t *json_value(const struct amqp_value *v);

static json_t *json_array_of(struct slice items)
{
    json_t *array = json_array();
    struct reader r = reader_of(items);
    struct amqp_value v;
    while (amqp_array_next(&r, &v)) json_array_append_new(array, json_value(&v));
    return array;
}

static json_t *json_decimal(const struct amqp_value *v)
{
    double value = v->decimal.unscaled;
    for (unsigned i = 0; i < v->decimal.scale; i++) value /= 10;
    return json_real(value);
}

static json_t *json_value(const struct amqp_value *v)
{
    int64_t integer;
    if (amqp_value_integer(v, &integer)) return json_integer(integer);
    json_t *real;
    switch (v->type) {
    case 't':
        return json_boolean(v->boolean);
    case 'f':
    case 'd':
        real = json_real(v->real);
        return real ? real : json_null(); /* not a number, infinite */
    case 'D':
        return json_decimal(v);
    case 'T':
        return json_integer(v->integer);
    case 'S':
    case 'x':
        return json_slice(v->bytes);
    case 'F':
        return json_table(v->bytes);
    case 'A':
        return json_array_of(v->bytes);
    default:
        return json_null();
    }
}

json_t *json_table(struct slice table)
{
    json_t *object = json_object();
    struct reader r = reader_of(table);
    struct slice key;
    struct amqp_value v;
    while (amqp_table_next(&r, &key, &v)) {
        char *name = mem_strndup((const char *)key.data, key.size);
        json_put(object, name, json_value(&v));
        mem_free(name);
    }
    return object;
}

/* --- back --- */

static bool put_table(struct buf *b, const json_t *object, unsigned depth);

static bool put_value(struct buf *b, const json_t *value, unsigned depth);

static bool put_array(struct buf *b, const json_t *array, unsigned depth)
{
    size_t at;
    json_t *item;
    json_array_foreach(array, at, item)
    {
        if (!put_value(b, item, depth)) return false;
    }
    return true;
}

static bool put_nested(struct buf *b, uint8_t type, const json_t *value, unsigned depth)
{
    if (depth >= AMQP_TABLE_DEPTH_MAX) return false;
    buf_put_u8(b, type);
    buf_put_be32(b, 0);
    size_t at = b->size;
    bool ok = type == 'F' ? put_table(b, value, depth + 1) : put_array(b, value, depth + 1);
    buf_set_be32(b, at - 4, (uint32_t)(b->size - at));
    return ok;
}

static bool put_value(struct buf *b, const json_t *value, unsigned depth)
{
    uint64_t bits;
    double real;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return put_nested(b, 'F', value, depth);
    case JSON_ARRAY:
        return put_nested(b, 'A', value, depth);
    case JSON_STRING:
        buf_put_u8(b, 'S');
        buf_put_be32(b, (uint32_t)json_string_length(value));
        buf_put(b, json_string_value(value), json_string_length(value));
        return true;
    case JSON_INTEGER:
        buf_put_u8(b, 'l');
        buf_put_be64(b, (uint64_t)json_integer_value(value));
        return true;
    case JSON_REAL:
        real = json_real_value(value);
        memcpy(&bits, &real, sizeof bits);
        buf_put_u8(b, 'd');
        buf_put_be64(b, bits);
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        buf_put_u8(b, 't');
        buf_put_u8(b, json_is_true(value));
        return true;
    default:
        buf_put_u8(b, 'V');
        return true;
    }
}

static bool put_table(struct buf *b, const json_t *object, unsigned depth)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        size_t size = strlen(key);
        if (size > KEY_MAX) return false;
        buf_put_u8(b, (uint8_t)size);
        buf_put(b, key, size);
        if (!put_value(b, value, depth)) return false;
    }
    return true;
}

bool table_of_json(struct buf *table, const json_t *object)
{
    return !object || json_is_null(object) || (json_is_array(object) && !json_array_size(object)) ||
           (json_is_object(object) && put_table(table, object, 0));
}
