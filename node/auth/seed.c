/* What a new cluster starts with. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "node/auth/defaults.h"

static void put(struct buf *items, struct topology_command c)
{
    struct buf one = {0};
    topology_command_encode(&one, &c);
    buf_put_counted(items, buf_slice(&one));
    buf_close(&one);
}

static void put_json(struct buf *items, enum registry_kind kind, struct slice vhost, struct slice name, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    CHECK(text); /* names come from the configuration: text */
    put(items, registry_set_command(kind, vhost, name, (struct slice){0}, slice_str(text)));
    free(text);
    json_decref(value);
}

static json_t *tags_of(const char *tags)
{
    json_t *list = json_array();
    while (*tags) {
        size_t size = strcspn(tags, ", ");
        if (size) json_array_append_new(list, json_stringn(tags, size));
        tags += size + strspn(tags + size, ", ");
    }
    return list;
}

/* A random UUID (RFC 4122, version 4) behind RabbitMQ's prefix. */
static json_t *cluster_id(const uint8_t random[16])
{
    char text[64];
    uint8_t b[16];
    memcpy(b, random, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    int size = snprintf(text, sizeof text, "rabbitmq-cluster-id-");
    for (int i = 0; i < 16; i++)
        size += snprintf(text + size, sizeof text - (size_t)size, "%s%02x",
                         i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
    return json_string(text);
}

void auth_seed_put(const struct auth_seed *seed, struct buf *items)
{
    struct slice none = {0}, vhost = slice_str(seed->vhost);
    put_json(items, REGISTRY_VHOST, none, vhost,
             json_pack("{s:s,s:[]}", "description", "Default virtual host", "tags"));
    if (strcmp(seed->vhost, "/") != 0) put(items, registry_clear_command(REGISTRY_VHOST, none, slice_str("/"), none));
    put_json(items, REGISTRY_GLOBAL_PARAMETER, none, slice_str("internal_cluster_id"), cluster_id(seed->cluster_id));
    auth_defaults_put(seed->defaults, NULL, vhost, items);
    if (!seed->user || !*seed->user) return;
    struct buf hash = {0};
    auth_password_hash(seed->hashing, seed->salt, slice_str(seed->password), &hash);
    put_json(items, REGISTRY_USER, none, slice_str(seed->user),
             json_pack("{s:s#,s:s,s:o}", "password_hash", (const char *)hash.data, (int)hash.size, "hashing_algorithm",
                       seed->hashing, "tags", tags_of(seed->tags)));
    put_json(items, REGISTRY_PERMISSION, vhost, slice_str(seed->user),
             json_pack("{s:s,s:s,s:s}", "configure", seed->configure, "write", seed->write, "read", seed->read));
    buf_close(&hash);
}
