#include "node/auth/auth.h"

#include "base/map.h"
#include "base/mem.h"
#include "router/json.h"
#include "router/pattern.h"

static const char *const permission_keys[AUTH_PERMISSION_COUNT] = {"configure", "write", "read"};

/* One expression; a NULL pattern that is not `all` fits nothing. */
struct rule {
    bool all;
    struct pattern *pattern;
};

struct topic_rules {
    struct slice exchange; /* borrowed from the registry's item */
    struct rule rules[AUTH_PERMISSION_COUNT];
};

/* What a user may in a vhost. */
struct grants {
    struct slice key; /* owned */
    struct rule rules[AUTH_PERMISSION_COUNT];
    struct topic_rules *topics;
    size_t topic_count, topic_capacity;
};

struct auth {
    const struct topology *topology;
    bool open;
    uint64_t version; /* registry_version() of what is kept */
    struct map_str grants;
};

/* --- life --- */

struct auth *auth_create(const struct topology *t, bool open)
{
    struct auth *a = mem_zalloc(sizeof *a);
    a->topology = t;
    a->open = open;
    return a;
}

static void grants_free(struct grants *g)
{
    for (int p = 0; p < AUTH_PERMISSION_COUNT; p++) {
        pattern_destroy(g->rules[p].pattern);
        for (size_t i = 0; i < g->topic_count; i++) pattern_destroy(g->topics[i].rules[p].pattern);
    }
    mem_free(g->topics);
    mem_free((void *)g->key.data);
    mem_free(g);
}

static void forget(struct auth *a)
{
    size_t at = 0;
    struct slice key;
    struct grants *g;
    while ((g = map_str_next(&a->grants, &at, &key))) grants_free(g);
    map_str_close(&a->grants);
}

void auth_destroy(struct auth *a)
{
    forget(a);
    mem_free(a);
}

bool auth_is_open(const struct auth *a)
{
    return a->open;
}

/* --- users --- */

static const struct registry_item *user_item(const struct auth *a, struct slice user)
{
    struct slice none = {0};
    return registry_find(a->topology, REGISTRY_USER, none, user, none);
}

bool auth_has_user(const struct auth *a, struct slice user)
{
    return a->open || user_item(a, user);
}

bool auth_password_fits(const struct auth *a, struct slice user, struct slice password)
{
    const struct registry_item *item = user_item(a, user);
    if (a->open) return true;
    if (!item) return false;
    json_t *value = json_of(item->value, NULL);
    bool fits = auth_hash_fits(json_text(value, "password_hash"), json_text(value, "hashing_algorithm"), password);
    json_decref(value);
    return fits;
}

unsigned auth_tags(const struct auth *a, struct slice user)
{
    static const char *const names[] = {"management", "policymaker", "monitoring", "administrator", "impersonator"};
    const struct registry_item *item = user_item(a, user);
    json_t *value = item ? json_of(item->value, NULL) : NULL, *tag;
    unsigned tags = 0;
    size_t i;
    json_array_foreach(json_object_get(value, "tags"), i, tag) for (unsigned n = 0; n < sizeof names / sizeof names[0];
                                                                    n++) if (!strcmp(json_string_value(tag), names[n]))
        tags |= 1u << n;
    json_decref(value);
    return tags;
}

bool auth_may_enter(const struct auth *a, struct slice user, struct slice vhost)
{
    return a->open || registry_find(a->topology, REGISTRY_PERMISSION, vhost, user, (struct slice){0});
}

/* --- expressions --- */

static struct rule rule_of(struct slice expression)
{
    if (slice_is(expression, ".*")) return (struct rule){.all = true};
    return (struct rule){.pattern = pattern_create(expression.size ? expression : slice_str("^$"), NULL)};
}

static bool rule_fits(const struct rule *rule, struct slice name)
{
    return rule->all || (rule->pattern && pattern_matches(rule->pattern, name));
}

static void replace(struct buf *text, const char *variable, struct slice value)
{
    size_t size = strlen(variable);
    for (size_t at = 0; at + size <= text->size;) {
        if (memcmp(text->data + at, variable, size) != 0) {
            at++;
            continue;
        }
        struct buf out = {0};
        buf_put(&out, text->data, at);
        buf_put_slice(&out, value);
        size_t next = out.size;
        buf_put(&out, text->data + at + size, text->size - at - size);
        buf_close(text);
        *text = out;
        at = next;
    }
}

static void add_topics(struct grants *g, const struct auth *a, struct slice user, struct slice vhost)
{
    const struct registry_item *item;
    for (uint64_t cursor = 0; (item = registry_next(a->topology, REGISTRY_TOPIC_PERMISSION, &cursor));) {
        if (!slice_equal(item->vhost, vhost) || !slice_equal(item->name, user)) continue;
        json_t *value = json_of(item->value, NULL);
        g->topics = mem_grow(g->topics, &g->topic_capacity, g->topic_count + 1, sizeof *g->topics);
        struct topic_rules *topic = &g->topics[g->topic_count++];
        *topic = (struct topic_rules){.exchange = item->detail};
        for (int p = AUTH_WRITE; p <= AUTH_READ; p++) {
            struct buf expression = {0};
            buf_put_slice(&expression, json_text(value, permission_keys[p]));
            replace(&expression, "{username}", user);
            replace(&expression, "{vhost}", vhost);
            topic->rules[p] = rule_of(buf_slice(&expression));
            buf_close(&expression);
        }
        json_decref(value);
    }
}

static struct grants *compile(const struct auth *a, struct slice user, struct slice vhost, struct slice key)
{
    struct grants *g = mem_zalloc(sizeof *g);
    const struct registry_item *item = registry_find(a->topology, REGISTRY_PERMISSION, vhost, user, (struct slice){0});
    uint8_t *copy = mem_alloc(key.size);
    memcpy(copy, key.data, key.size);
    g->key = slice_of(copy, key.size);
    json_t *value = item ? json_of(item->value, NULL) : NULL;
    for (int p = 0; item && p < AUTH_PERMISSION_COUNT; p++) g->rules[p] = rule_of(json_text(value, permission_keys[p]));
    json_decref(value);
    add_topics(g, a, user, vhost);
    return g;
}

static struct grants *grants_of(struct auth *a, struct slice user, struct slice vhost)
{
    struct buf key = {0};
    buf_put_counted(&key, user);
    buf_put_slice(&key, vhost);
    if (a->version != registry_version(a->topology) || a->grants.count >= AUTH_USERS_KEPT_MAX) forget(a);
    a->version = registry_version(a->topology);
    struct grants *g = map_str_get(&a->grants, buf_slice(&key));
    if (!g) {
        g = compile(a, user, vhost, buf_slice(&key));
        map_str_set(&a->grants, g->key, g);
    }
    buf_close(&key);
    return g;
}

bool auth_may(struct auth *a, struct slice user, struct slice vhost, enum auth_permission permission, struct slice name)
{
    if (a->open) return true;
    return rule_fits(&grants_of(a, user, vhost)->rules[permission], name.size ? name : slice_str("amq.default"));
}

bool auth_may_topic(struct auth *a, struct slice user, struct slice vhost, enum auth_permission permission,
                    struct slice exchange, struct slice routing_key)
{
    if (a->open) return true;
    const struct grants *g = grants_of(a, user, vhost);
    for (size_t i = 0; i < g->topic_count; i++)
        if (slice_equal(g->topics[i].exchange, exchange))
            return rule_fits(&g->topics[i].rules[permission], routing_key);
    return true;
}

bool auth_has_topics(struct auth *a, struct slice user, struct slice vhost, struct slice exchange)
{
    if (a->open) return false;
    const struct grants *g = grants_of(a, user, vhost);
    for (size_t i = 0; i < g->topic_count; i++)
        if (slice_equal(g->topics[i].exchange, exchange)) return true;
    return false;
}

/* --- limits --- */

int64_t auth_user_limit(const struct auth *a, struct slice user, const char *limit)
{
    return registry_limit(a->topology, REGISTRY_USER_LIMIT, (struct slice){0}, user, slice_str(limit));
}

int64_t auth_vhost_limit(const struct auth *a, struct slice vhost, const char *limit)
{
    return registry_limit(a->topology, REGISTRY_VHOST_LIMIT, vhost, slice_str(limit), (struct slice){0});
}
