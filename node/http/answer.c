/* Answers and the JSON of AMQP's things. */
#include "base/mem.h"
#include "node/amqp/table.h"
#include "node/http/http_internal.h"

void answer_json(struct answer *a, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    json_decref(value);
    buf_put_slice(&a->body, slice_str(text ? text : "null"));
    free(text);
}

void answer_error(struct answer *a, unsigned status, const char *error, const char *reason)
{
    a->status = status;
    answer_json(a, json_pack("{s:s, s:s}", "error", error, "reason", reason));
}

json_t *json_slice(struct slice text)
{
    json_t *whole = json_stringn((const char *)text.data, text.size);
    if (whole) return whole;
    struct buf clean = {0};
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < 0x80)
            buf_put_u8(&clean, text.data[i]);
        else
            buf_put(&clean, "\xef\xbf\xbd", 3);
    }
    whole = json_stringn((const char *)clean.data, clean.size);
    buf_close(&clean);
    return whole ? whole : json_null();
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

static json_t *json_value(const struct amqp_value *v)
{
    int64_t integer;
    if (amqp_value_integer(v, &integer)) return json_integer(integer);
    switch (v->type) {
    case 't': return json_boolean(v->boolean);
    case 'f':
    case 'd': return json_real(v->real);
    case 'T': return json_integer(v->integer);
    case 'S':
    case 'x': return json_slice(v->bytes);
    case 'F': return json_table(v->bytes);
    case 'A': return json_array_of(v->bytes);
    default: return json_null();
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
        json_t *value = json_value(&v);
        if (json_object_set_new(object, name, value)) json_object_set_new(object, "unprintable", json_null());
        mem_free(name);
    }
    return object;
}

void each_shard(struct http *h, void (*call)(struct shard *s, void *arg), void *arg)
{
    for (uint16_t i = 0; i < node_settings(h->params.node)->shard_count; i++) shard_call_any(node_shard(h->params.node, i), call, arg);
}
