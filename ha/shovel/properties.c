#include "ha/shovel/properties.h"

#include <stddef.h>

#include "ha/bridge/headers.h"

enum property_kind { TEXT, OCTET, TIMESTAMP, HEADERS };

static const struct property {
    const char *name; /* with underscores */
    uint16_t flag;
    uint8_t kind;
    size_t offset;
} properties_known[] = {
    {"content_type", AMQP_HAS_CONTENT_TYPE, TEXT, offsetof(struct amqp_properties, content_type)},
    {"content_encoding", AMQP_HAS_CONTENT_ENCODING, TEXT, offsetof(struct amqp_properties, content_encoding)},
    {"headers", AMQP_HAS_HEADERS, HEADERS, offsetof(struct amqp_properties, headers)},
    {"delivery_mode", AMQP_HAS_DELIVERY_MODE, OCTET, offsetof(struct amqp_properties, delivery_mode)},
    {"priority", AMQP_HAS_PRIORITY, OCTET, offsetof(struct amqp_properties, priority)},
    {"correlation_id", AMQP_HAS_CORRELATION_ID, TEXT, offsetof(struct amqp_properties, correlation_id)},
    {"reply_to", AMQP_HAS_REPLY_TO, TEXT, offsetof(struct amqp_properties, reply_to)},
    {"expiration", AMQP_HAS_EXPIRATION, TEXT, offsetof(struct amqp_properties, expiration)},
    {"message_id", AMQP_HAS_MESSAGE_ID, TEXT, offsetof(struct amqp_properties, message_id)},
    {"timestamp", AMQP_HAS_TIMESTAMP, TIMESTAMP, offsetof(struct amqp_properties, timestamp)},
    {"type", AMQP_HAS_TYPE, TEXT, offsetof(struct amqp_properties, type)},
    {"user_id", AMQP_HAS_USER_ID, TEXT, offsetof(struct amqp_properties, user_id)},
    {"app_id", AMQP_HAS_APP_ID, TEXT, offsetof(struct amqp_properties, app_id)},
    {"cluster_id", AMQP_HAS_CLUSTER_ID, TEXT, offsetof(struct amqp_properties, cluster_id)},
};

static bool same_name(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if (*a != *b && !(*a == '_' && *b == '-')) return false;
    return *a == *b;
}

static const struct property *find(const char *name)
{
    for (size_t i = 0; i < sizeof properties_known / sizeof properties_known[0]; i++)
        if (same_name(properties_known[i].name, name)) return &properties_known[i];
    return NULL;
}

static bool fits(const struct property *p, const json_t *value)
{
    struct buf scratch = {0};
    bool ok = false;
    switch (p->kind) {
    case TEXT:
        return json_is_string(value) && json_string_length(value) <= AMQP_SHORTSTR_MAX;
    case OCTET:
        return json_is_integer(value) && json_integer_value(value) >= 0 && json_integer_value(value) <= UINT8_MAX;
    case TIMESTAMP:
        return json_is_integer(value) && json_integer_value(value) >= 0;
    case HEADERS:
        ok = json_is_object(value) && json_to_table(&scratch, value);
        buf_close(&scratch);
        return ok;
    }
    return ok;
}

int shovel_properties_check(const json_t *properties, struct err *err)
{
    const char *name;
    json_t *value;
    if (json_is_array(properties) && !json_array_size(properties)) return 0; /* an empty proplist */
    if (!json_is_object(properties)) return (int)err_set(err, ERR_INVALID, "publish-properties should be a map");
    json_object_foreach((json_t *)(uintptr_t)properties, name, value)
    {
        const struct property *p = find(name);
        if (!p) return (int)err_set(err, ERR_INVALID, "Unrecognised terms [{<<\"%s\">>}] in publish-properties", name);
        if (!fits(p, value))
            return (int)err_set(err, ERR_INVALID, "publish-properties: %s has a value that does not fit", name);
    }
    return 0;
}

static void set_property(struct amqp_properties *p, const struct property *known, const json_t *value,
                         struct buf *table)
{
    void *field = (char *)p + known->offset;
    p->flags |= known->flag;
    switch (known->kind) {
    case TEXT:
        *(struct slice *)field = slice_of(json_string_value(value), json_string_length(value));
        break;
    case OCTET:
        *(uint8_t *)field = (uint8_t)json_integer_value(value);
        break;
    case TIMESTAMP:
        *(uint64_t *)field = (uint64_t)json_integer_value(value);
        break;
    case HEADERS:
        json_to_table(table, value);
        *(struct slice *)field = buf_slice(table);
        break;
    }
}

/* Replaces p->headers by a table with the marks in it; `spare` holds its bytes. */
static void mark(struct amqp_properties *p, const struct shovel_forward *f, struct buf *spare)
{
    struct slice headers = p->flags & AMQP_HAS_HEADERS ? p->headers : (struct slice){NULL, 0};
    struct buf before = {0};
    if (f->definition->add_timestamp_header) {
        headers_without(&before, headers, "x-shovelled-timestamp");
        struct amqp_value seconds = {.type = 'l', .integer = (int64_t)f->wall_s};
        amqp_table_put_value(&before, slice_str("x-shovelled-timestamp"), &seconds);
        headers = buf_slice(&before);
    }
    if (f->forward_info.size) headers_prepend(spare, headers, "x-shovelled", f->forward_info);
    else buf_put_slice(spare, headers);
    buf_close(&before);
    p->flags |= AMQP_HAS_HEADERS;
    p->headers = buf_slice(spare);
}

/* A source that is no Warren gives messages no identity: then the publisher's message-id has to do. */
static void identify(struct amqp_properties *p, struct buf *spare)
{
    static const char key[] = "x-deduplication-header";
    struct slice headers = p->flags & AMQP_HAS_HEADERS ? p->headers : (struct slice){NULL, 0};
    struct amqp_value v;
    if (!(p->flags & AMQP_HAS_MESSAGE_ID) || amqp_table_find(headers, key, &v)) return;
    buf_put_slice(spare, headers);
    amqp_table_put_string(spare, key, p->message_id);
    p->flags |= AMQP_HAS_HEADERS;
    p->headers = buf_slice(spare);
}

bool shovel_properties_put(struct buf *b, struct slice raw, const struct shovel_forward *f)
{
    const struct shovel_definition *d = f->definition;
    bool marks = f->forward_info.size || d->add_timestamp_header;
    if (!d->properties && !marks && !d->add_deduplication) {
        buf_put_slice(b, raw);
        return true;
    }
    struct amqp_properties p;
    struct buf table = {0}, marked = {0}, identified = {0};
    const char *name;
    json_t *value;
    if (amqp_properties_decode(raw, &p)) return false;
    json_object_foreach(d->properties, name, value) set_property(&p, find(name), value, &table);
    if (d->add_deduplication) identify(&p, &identified);
    if (marks) mark(&p, f, &marked);
    amqp_properties_encode(b, &p);
    buf_close(&table);
    buf_close(&marked);
    buf_close(&identified);
    return true;
}
