#include "ha/federation/federated.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "router/json.h"

static void set_text(json_t *o, const char *key, struct slice text)
{
    json_object_set_new(o, key, json_stringn(text.size ? (const char *)text.data : "", text.size));
}

static void set_bytes(json_t *o, const char *key, struct slice bytes)
{
    struct buf hex = {0};
    for (size_t i = 0; i < bytes.size; i++) buf_printf(&hex, "%02x", bytes.data[i]);
    set_text(o, key, buf_slice(&hex));
    buf_close(&hex);
}

static char *finish_text(json_t *o, const char *cluster_name, const char *upstream, const json_t *value)
{
    set_text(o, "cluster_name", slice_str(cluster_name));
    set_text(o, "upstream", slice_str(upstream));
    json_object_set_new(o, "value", json_deep_copy(value));
    char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(o);
    return text;
}

char *federated_exchange_text(const struct exchange *x, const char *cluster_name, const char *upstream,
                              const json_t *value)
{
    json_t *o = json_object();
    set_text(o, "vhost", x->vhost);
    set_text(o, "name", x->name);
    set_text(o, "type", x->type);
    json_object_set_new(o, "durable", json_boolean(x->durable));
    json_object_set_new(o, "auto_delete", json_boolean(x->auto_delete));
    json_object_set_new(o, "internal", json_boolean(x->internal));
    set_bytes(o, "arguments", x->arguments);
    return finish_text(o, cluster_name, upstream, value);
}

char *federated_queue_text(const struct queue_record *q, const char *cluster_name, const char *upstream,
                           const json_t *value)
{
    json_t *o = json_object();
    set_text(o, "vhost", q->vhost);
    set_text(o, "name", q->name);
    json_object_set_new(o, "durable", json_boolean(q->durable));
    json_object_set_new(o, "auto_delete", json_boolean(q->auto_delete));
    json_object_set_new(o, "group", json_integer(q->group));
    json_object_set_new(o, "id", json_integer((json_int_t)q->id));
    set_bytes(o, "arguments", q->arguments);
    return finish_text(o, cluster_name, upstream, value);
}

/* --- reading it again: the text is our own --- */

static char *text_of(const json_t *o, const char *key)
{
    struct slice s = json_text(o, key);
    return mem_strndup(s.size ? (const char *)s.data : "", s.size);
}

static void bytes_of(struct buf *b, const json_t *o, const char *key)
{
    struct slice hex = json_text(o, key);
    for (size_t i = 0; i + 1 < hex.size; i += 2) {
        char pair[3] = {(char)hex.data[i], (char)hex.data[i + 1], 0};
        buf_put_u8(b, (uint8_t)strtoul(pair, NULL, 16));
    }
}

int federated_read(struct federated *f, const char *text, struct err *err)
{
    json_t *o = json_of(slice_str(text), err);
    *f = (struct federated){0};
    if (!o) return ERR_INVALID;
    char *upstream = text_of(o, "upstream");
    int code = upstream_read(&f->upstream, upstream, json_object_get(o, "value"), err);
    mem_free(upstream);
    if (!code) {
        f->is_queue = !json_object_get(o, "type");
        f->vhost = text_of(o, "vhost");
        f->name = text_of(o, "name");
        f->type = text_of(o, "type");
        f->cluster_name = text_of(o, "cluster_name");
        f->durable = json_is_true(json_object_get(o, "durable"));
        f->auto_delete = json_is_true(json_object_get(o, "auto_delete"));
        f->internal = json_is_true(json_object_get(o, "internal"));
        f->group = (uint32_t)json_integer_value(json_object_get(o, "group"));
        f->queue_id = (uint64_t)json_integer_value(json_object_get(o, "id"));
        bytes_of(&f->arguments, o, "arguments");
    }
    json_decref(o);
    return code;
}

void federated_close(struct federated *f)
{
    upstream_close(&f->upstream);
    mem_free(f->vhost);
    mem_free(f->name);
    mem_free(f->type);
    mem_free(f->cluster_name);
    buf_close(&f->arguments);
    *f = (struct federated){0};
}

/* --- names --- */

struct slice federated_upstream_name(const struct federated *f)
{
    const char *other = f->is_queue ? f->upstream.queue : f->upstream.exchange;
    return slice_str(other && *other ? other : f->name);
}

void federated_put_queue_name(struct buf *b, const struct federated *f, struct slice vhost)
{
    struct slice there = federated_upstream_name(f);
    buf_printf(b, "federation: %.*s -> %s", (int)there.size, (const char *)there.data, f->cluster_name);
    if (!slice_is(vhost, f->vhost)) buf_printf(b, ":%s:%s", f->vhost, f->name);
    else if (!slice_is(there, f->name)) buf_printf(b, ":%s", f->name);
}

void federated_put_connection_name(struct buf *b, const struct federated *f)
{
    buf_printf(b, "Federation link (upstream: %s)", f->upstream.name);
}
