#include "ha/federation/upstream.h"

#include <stddef.h>

#include "base/mem.h"
#include "router/json.h"
#include "router/pattern.h"
#include "router/registry.h"

enum { PREFETCH = 1000, RECONNECT_DELAY_S = 5, MAX_HOPS = 1, PREFETCH_MAX = UINT16_MAX, ACK_ON_CONFIRM = 2 };
enum { CLEANUP_NEVER = 1, CHANNELS_SINGLE = 1 };

static const char *const ack_modes[] = {"no-ack", "on-publish", "on-confirm", NULL};
static const char *const queue_types[] = {"classic", "quorum", NULL};
static const char *const cleanup_modes[] = {"default", "never", NULL};
static const char *const channel_modes[] = {"multiple", "single", NULL};

#define AT(field) offsetof(struct upstream, field)

static const struct json_key keys[] = {
    {"uri", JSON_KIND_URIS, true, AT(uris)},
    {"exchange", JSON_KIND_STRING, false, AT(exchange)},
    {"queue", JSON_KIND_STRING, false, AT(queue)},
    {"consumer-tag", JSON_KIND_STRING, false, AT(consumer_tag)},
    {"prefetch-count", JSON_KIND_NUMBER, false, AT(prefetch)},
    {"reconnect-delay", JSON_KIND_NUMBER, false, AT(reconnect_delay_s)},
    {"max-hops", JSON_KIND_NUMBER, false, AT(max_hops)},
    {"expires", JSON_KIND_NUMBER, false, AT(expires_ms)},
    {"message-ttl", JSON_KIND_NUMBER, false, AT(message_ttl_ms)},
    {"trust-user-id", JSON_KIND_BOOLEAN, false, AT(trust_user_id)},
    {"bind-nowait", JSON_KIND_BOOLEAN, false, AT(bind_nowait)},
    {"ack-mode", JSON_KIND_ENUM, false, AT(ack_mode), ack_modes},
    {"queue-type", JSON_KIND_ENUM, false, AT(queue_type), queue_types},
    {"resource-cleanup-mode", JSON_KIND_ENUM, false, AT(cleanup_mode), cleanup_modes},
    {"channel-use-mode", JSON_KIND_ENUM, false, AT(channel_use_mode), channel_modes},
    {"ha-policy", JSON_KIND_STRING, false, AT(ha_policy)},
    {NULL},
};

static int check(struct upstream *u, struct err *err)
{
    char *const names[] = {u->exchange, u->queue, u->consumer_tag};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i] && strlen(names[i]) > 255)
            return (int)err_set(err, ERR_INVALID, "a name is longer than 255 bytes");
    if (u->prefetch > PREFETCH_MAX)
        return (int)err_set(err, ERR_INVALID, "prefetch-count should be a number up to 65535");
    if (u->max_hops > INT32_MAX) return (int)err_set(err, ERR_INVALID, "max-hops should be a smaller number");
    return 0;
}

int upstream_read(struct upstream *u, const char *name, const json_t *value, struct err *err)
{
    *u = (struct upstream){.prefetch = PREFETCH,
                           .reconnect_delay_s = RECONNECT_DELAY_S,
                           .max_hops = MAX_HOPS,
                           .expires_ms = -1,
                           .message_ttl_ms = -1,
                           .ack_mode = ACK_ON_CONFIRM};
    int code = json_read(value, keys, name, u, err);
    if (!code) code = check(u, err);
    if (code) upstream_close(u);
    else u->name = mem_strdup(name);
    return code;
}

void upstream_close(struct upstream *u)
{
    json_read_close(keys, u);
    mem_free(u->name);
    u->name = NULL;
}

enum relay_ack_mode upstream_ack_mode(const struct upstream *u)
{
    static const uint8_t modes[] = {RELAY_NO_ACK, RELAY_ON_PUBLISH, RELAY_ON_CONFIRM};
    return (enum relay_ack_mode)modes[u->ack_mode];
}

const char *upstream_queue_type(const struct upstream *u)
{
    return queue_types[u->queue_type];
}

bool upstream_is_single_channel(const struct upstream *u)
{
    return u->channel_use_mode == CHANNELS_SINGLE;
}

bool upstream_cleans_up(const struct upstream *u)
{
    return u->cleanup_mode != CLEANUP_NEVER;
}

/* --- sets --- */

/* The entry without the key that names its upstream: what is left are overrides. */
static json_t *overrides_of(const json_t *entry)
{
    json_t *rest = json_deep_copy(entry);
    json_object_del(rest, "upstream");
    return rest;
}

static int check_entry(const char *name, const json_t *entry, struct err *err)
{
    struct upstream u;
    if (!json_is_object(entry)) return (int)err_set(err, ERR_INVALID, "%s should be a list of maps", name);
    if (!json_is_string(json_object_get(entry, "upstream")))
        return (int)err_set(err, ERR_INVALID, "Key \"upstream\" not found in %s", name);
    json_t *rest = overrides_of(entry);
    if (!json_object_get(rest, "uri")) json_object_set_new(rest, "uri", json_string("amqp://"));
    int code = upstream_read(&u, name, rest, err);
    if (!code) upstream_close(&u);
    json_decref(rest);
    return code;
}

int upstream_set_check(const char *name, const json_t *value, struct err *err)
{
    size_t i;
    json_t *entry;
    if (!json_is_array(value)) return (int)err_set(err, ERR_INVALID, "%s should be a list of maps", name);
    json_array_foreach(value, i, entry)
    {
        int code = check_entry(name, entry, err);
        if (code) return code;
    }
    return 0;
}

/* --- what a policy names --- */

struct search {
    const struct topology *topology;
    struct slice vhost;
    void (*found)(void *arg, const char *name, const json_t *value);
    void *arg;
};

static void report(const struct search *s, struct slice name, const json_t *value)
{
    struct upstream u;
    char *text = mem_strndup((const char *)name.data, name.size);
    if (!upstream_read(&u, text, value, NULL)) {
        upstream_close(&u);
        s->found(s->arg, text, value);
    }
    mem_free(text);
}

static json_t *parameter(const struct search *s, const char *component, struct slice name)
{
    const struct registry_item *item =
        registry_find(s->topology, REGISTRY_PARAMETER, s->vhost, slice_str(component), name);
    return item ? json_of(item->value, NULL) : NULL;
}

static void find_one(const struct search *s, struct slice name, const json_t *overrides)
{
    json_t *value = parameter(s, "federation-upstream", name);
    if (!value) return;
    if (overrides) json_object_update(value, (json_t *)(uintptr_t)overrides);
    report(s, name, value);
    json_decref(value);
}

static void find_all(const struct search *s, const struct pattern *pattern)
{
    const struct registry_item *item;
    for (uint64_t cursor = 0; (item = registry_next(s->topology, REGISTRY_PARAMETER, &cursor));) {
        if (!slice_is(item->name, "federation-upstream") || !slice_equal(item->vhost, s->vhost)) continue;
        if (!pattern || pattern_matches(pattern, item->detail)) find_one(s, item->detail, NULL);
    }
}

static void find_set(const struct search *s, struct slice name)
{
    json_t *set = parameter(s, "federation-upstream-set", name), *entry;
    size_t i;
    if (!set && slice_is(name, "all")) find_all(s, NULL);
    json_array_foreach(set, i, entry)
    {
        json_t *overrides = overrides_of(entry);
        find_one(s, json_text(entry, "upstream"), overrides);
        json_decref(overrides);
    }
    json_decref(set);
}

void upstream_find(const struct topology *t, struct slice vhost, const json_t *definition,
                   void (*found)(void *arg, const char *name, const json_t *value), void *arg)
{
    struct search s = {t, vhost, found, arg};
    struct slice name = json_text(definition, "federation-upstream");
    if (name.data) {
        find_one(&s, name, NULL);
        return;
    }
    name = json_text(definition, "federation-upstream-set");
    if (name.data) {
        find_set(&s, name);
        return;
    }
    name = json_text(definition, "federation-upstream-pattern");
    struct pattern *pattern = name.data ? pattern_create(name, NULL) : NULL;
    if (pattern) find_all(&s, pattern);
    pattern_destroy(pattern);
}
