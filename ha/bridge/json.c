#include "ha/bridge/json.h"

#include "base/mem.h"
#include "node/amqp/table.h"
#include "router/json.h"

static int refuse(struct err *err, const char *name, const char *should, const json_t *value)
{
    struct buf term = {0};
    json_print_erlang(value, &term);
    err_set(err, ERR_INVALID, "%s should be %s, actually was %.*s", name, should, (int)term.size,
            (const char *)term.data);
    buf_close(&term);
    return ERR_INVALID;
}

/* --- values --- */

static int read_uri(const json_t *value, const char *name, struct client_uri *uri, struct err *err)
{
    struct err why;
    if (!json_is_string(value)) return refuse(err, name, "binary", value);
    struct slice text = slice_of(json_string_value(value), json_string_length(value));
    if (!client_uri_parse(text, uri, &why)) return 0;
    return (int)err_set(err, ERR_INVALID, "\"%.*s\" not a valid URI: %s", text.size > 128 ? 128 : (int)text.size,
                        (const char *)text.data, why.text);
}

static void close_uris(struct json_uris *u)
{
    for (size_t i = 0; i < u->count; i++) client_uri_close(&u->uris[i]);
    mem_free(u->uris);
    *u = (struct json_uris){0};
}

static int read_uris(const json_t *value, const char *name, struct json_uris *u, struct err *err)
{
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    if (!json_is_array(value) && !json_is_string(value)) return refuse(err, name, "list", value);
    if (!count || count > JSON_URIS_MAX)
        return (int)err_set(err, ERR_INVALID, "%s should have from 1 to %d URIs", name, JSON_URIS_MAX);
    close_uris(u);
    u->uris = mem_zalloc(count * sizeof *u->uris);
    for (size_t i = 0; i < count; i++) {
        int code = read_uri(json_is_array(value) ? json_array_get(value, i) : value, name, &u->uris[i], err);
        if (code) return code;
        u->count++;
    }
    return 0;
}

static int read_enum(const json_t *value, const struct json_key *key, uint8_t *out, struct err *err)
{
    struct buf should = {0};
    for (uint8_t i = 0; key->choices[i]; i++) {
        if (json_is_string(value) && !strcmp(json_string_value(value), key->choices[i])) {
            *out = i;
            buf_close(&should);
            return 0;
        }
        buf_printf(&should, "%s'%s'", i ? "," : "one of [", key->choices[i]);
    }
    buf_printf(&should, "]%c", 0);
    int code = refuse(err, key->name, (const char *)should.data, value);
    buf_close(&should);
    return code;
}

static int read_string(const json_t *value, const char *name, char **out, struct err *err)
{
    if (!json_is_string(value)) return refuse(err, name, "binary", value);
    if (strlen(json_string_value(value)) != json_string_length(value))
        return (int)err_set(err, ERR_INVALID, "%s should not contain a zero byte", name);
    mem_free(*out);
    *out = mem_strdup(json_string_value(value));
    return 0;
}

static int read_value(const json_t *value, const struct json_key *key, void *field, struct err *err)
{
    switch (key->kind) {
    case JSON_KIND_STRING:
        return read_string(value, key->name, field, err);
    case JSON_KIND_NUMBER:
        if (!json_is_integer(value) || json_integer_value(value) < 0) return refuse(err, key->name, "a number", value);
        *(int64_t *)field = json_integer_value(value);
        return 0;
    case JSON_KIND_BOOLEAN:
        if (!json_is_boolean(value)) return refuse(err, key->name, "boolean", value);
        *(bool *)field = json_is_true(value);
        return 0;
    case JSON_KIND_TABLE:
        if (json_is_array(value) && !json_array_size(value)) return 0; /* an empty proplist */
        if (!json_is_object(value)) return refuse(err, key->name, "a map", value);
        buf_clear(field);
        if (json_to_table(field, value)) return 0;
        return (int)err_set(err, ERR_INVALID, "%s is nested too deep, or has a key longer than 255 bytes", key->name);
    case JSON_KIND_URIS:
        return read_uris(value, key->name, field, err);
    case JSON_KIND_ENUM:
        return read_enum(value, key, field, err);
    default:
        return 0;
    }
}

static const struct json_key *find_key(const struct json_key *keys, const char *name)
{
    for (; keys->name; keys++)
        if (!strcmp(keys->name, name)) return keys;
    return NULL;
}

int json_read(const json_t *object, const struct json_key *keys, const char *what, void *out, struct err *err)
{
    const char *name;
    json_t *value;
    if (!json_is_object(object)) return (int)err_set(err, ERR_INVALID, "%s should be a map", what ? what : "the value");
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        const struct json_key *key = find_key(keys, name);
        if (!key && what) return (int)err_set(err, ERR_INVALID, "Unrecognised terms [{<<\"%s\">>}] in %s", name, what);
        if (!key || json_is_null(value)) continue;
        int code = read_value(value, key, (char *)out + key->offset, err);
        if (code) return code;
    }
    for (; keys->name; keys++) {
        if (!keys->mandatory ||
            (json_object_get(object, keys->name) && !json_is_null(json_object_get(object, keys->name))))
            continue;
        return (int)err_set(err, ERR_INVALID, "Key \"%s\" not found in %s", keys->name, what ? what : "the value");
    }
    return 0;
}

void json_read_close(const struct json_key *keys, void *out)
{
    for (; keys->name; keys++) {
        void *field = (char *)out + keys->offset;
        if (keys->kind == JSON_KIND_URIS) close_uris(field);
        if (keys->kind == JSON_KIND_TABLE) buf_close(field);
        if (keys->kind != JSON_KIND_STRING) continue;
        mem_free(*(char **)field);
        *(char **)field = NULL;
    }
}

/* --- field tables --- */

static bool to_value(struct buf *nested, const json_t *json, struct amqp_value *value, unsigned depth);

static bool put_entries(struct buf *b, const json_t *object, unsigned depth)
{
    const char *name;
    json_t *item;
    json_object_foreach((json_t *)(uintptr_t)object, name, item)
    {
        struct buf nested = {0};
        struct amqp_value value;
        bool ok = strlen(name) <= 255 && to_value(&nested, item, &value, depth);
        if (ok) amqp_table_put_value(b, slice_str(name), &value);
        buf_close(&nested);
        if (!ok) return false;
    }
    return true;
}

static bool put_items(struct buf *b, const json_t *array, unsigned depth)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        struct buf nested = {0};
        struct amqp_value value;
        bool ok = to_value(&nested, json_array_get(array, i), &value, depth);
        if (ok) amqp_array_put_value(b, &value);
        buf_close(&nested);
        if (!ok) return false;
    }
    return true;
}

static bool to_value(struct buf *nested, const json_t *json, struct amqp_value *value, unsigned depth)
{
    bool ok = depth < JSON_DEPTH_MAX;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        ok = ok && put_entries(nested, json, depth + 1);
        *value = (struct amqp_value){.type = 'F', .bytes = buf_slice(nested)};
        break;
    case JSON_ARRAY:
        ok = ok && put_items(nested, json, depth + 1);
        *value = (struct amqp_value){.type = 'A', .bytes = buf_slice(nested)};
        break;
    case JSON_STRING:
        *value = (struct amqp_value){.type = 'S', .bytes = slice_of(json_string_value(json), json_string_length(json))};
        break;
    case JSON_INTEGER:
        *value = (struct amqp_value){.type = 'l', .integer = json_integer_value(json)};
        break;
    case JSON_REAL:
        *value = (struct amqp_value){.type = 'd', .real = json_real_value(json)};
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        *value = (struct amqp_value){.type = 't', .boolean = json_is_true(json)};
        break;
    case JSON_NULL:
        *value = (struct amqp_value){.type = 'V'};
        break;
    }
    return ok;
}

bool json_to_table(struct buf *b, const json_t *object)
{
    return put_entries(b, object, 0);
}
