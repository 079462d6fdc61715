#include "node/auth/defaults.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/mem.h"
#include "router/json.h"
#include "router/pattern.h"

/* One user, operator policy or set of limits, and the vhosts it is for. */
struct item {
    char *name;
    struct pattern *vhosts; /* NULL: all */
    json_t *value;
    json_t *permission; /* a user's */
};

enum part { USERS, POLICIES, LIMITS, PARTS };

struct auth_defaults {
    struct item *items[PARTS];
    size_t counts[PARTS], capacities[PARTS];
};

/* A line while it is read. */
struct line {
    struct item *item;
    const char *key, *value;
    const char *hashing;
    void (*random)(void *bytes, size_t size);
};

/* --- values --- */

static int wrong(struct err *err, const char *should)
{
    return (int)err_set(err, ERR_INVALID, "%s", should);
}

static int set_pattern(struct pattern **to, const char *text, struct err *err)
{
    struct err why;
    struct pattern *p = pattern_create(slice_str(text), &why);
    if (!p) return (int)err_set(err, ERR_INVALID, "no regular expression: %s", why.text);
    pattern_destroy(*to);
    *to = p;
    return 0;
}

/* Milliseconds: 5000, or 1d12h30m as RabbitMQ has it. */
static bool read_duration(const char *text, int64_t *ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {"w", 604800000}};
    char *end;
    if (config_parse_integer(text, ms) == 0) return *ms >= 0;
    for (*ms = 0; *text; text = end) {
        if (!isdigit((unsigned char)*text)) return false;
        long long number = strtoll(text, &end, 10);
        size_t size = strspn(end, "wdhms"), i = 0;
        while (i < 6 && (strlen(units[i].unit) != size || strncmp(units[i].unit, end, size) != 0)) i++;
        if (i == 6 || __builtin_mul_overflow(number, units[i].ms, &number) || __builtin_add_overflow(*ms, number, ms))
            return false;
        end += size;
    }
    return true;
}

static json_t *words_json(const char *text)
{
    json_t *list = json_array();
    for (const char *at = text; *at;) {
        size_t size = strcspn(at, ", []");
        if (size) json_array_append_new(list, json_stringn(at, size));
        at += size + strspn(at + size, ", []");
    }
    return list;
}

/* --- lines --- */

static int set_user(struct line *l, struct err *err)
{
    struct item *item = l->item;
    struct pattern *looked_at = NULL;
    if (!strcmp(l->key, "password")) {
        uint8_t salt[AUTH_SALT_SIZE];
        struct buf hash = {0};
        l->random(salt, sizeof salt);
        auth_password_hash(l->hashing, salt, slice_str(l->value), &hash);
        json_object_set_new(item->value, "password_hash", json_stringn((const char *)hash.data, hash.size));
        json_object_set_new(item->value, "hashing_algorithm", json_string(l->hashing));
        buf_close(&hash);
        return 0;
    }
    if (!strcmp(l->key, "tags")) return json_object_set_new(item->value, "tags", words_json(l->value));
    if (strcmp(l->key, "configure") != 0 && strcmp(l->key, "write") != 0 && strcmp(l->key, "read") != 0)
        return wrong(err, "a default user has vhost_pattern, password, tags, configure, write and read");
    int code = *l->value ? set_pattern(&looked_at, l->value, err) : 0;
    pattern_destroy(looked_at);
    json_object_set_new(item->permission, l->key, json_string(l->value));
    return code;
}

/* Keys of a policy have dashes where the configuration has underscores. */
static void policy_key(const char *key, char *to, size_t size)
{
    snprintf(to, size, "%s", key);
    for (; *to; to++)
        if (*to == '_') *to = '-';
}

static int set_policy(struct line *l, struct err *err)
{
    json_t *value = l->item->value, *definition = json_object_get(value, "definition"), *given;
    struct pattern *looked_at = NULL;
    char key[CONFIG_TEXT_MAX];
    int64_t number;
    policy_key(l->key, key, sizeof key);
    bool is_time = !strcmp(key, "expires") || !strcmp(key, "message-ttl");
    if (!strcmp(key, "queue-pattern")) {
        int code = set_pattern(&looked_at, l->value, err);
        pattern_destroy(looked_at);
        json_object_set_new(value, "pattern", json_string(l->value));
        return code;
    }
    if (!strcmp(key, "apply-to")) return json_object_set_new(value, "apply-to", json_string(l->value));
    if (is_time && !read_duration(l->value, &number)) return wrong(err, "give a time, as in 12h30m, or milliseconds");
    if (is_time || config_parse_integer(l->value, &number) == 0) given = json_integer(number);
    else given = strcmp(key, "ha-params") != 0 ? json_string(l->value) : words_json(l->value);
    return json_object_set_new(definition, key, given);
}

static int set_limit(struct line *l, struct err *err)
{
    char key[CONFIG_TEXT_MAX];
    int64_t number;
    policy_key(l->key, key, sizeof key);
    if (strcmp(key, "max-connections") != 0 && strcmp(key, "max-queues") != 0)
        return wrong(err, "a default limit has pattern, max_connections and max_queues");
    if (config_parse_integer(l->value, &number) || number < 1) return wrong(err, "give a number from 1");
    return json_object_set_new(l->item->value, key, json_integer(number));
}

static const struct {
    const char *vhosts; /* the key that says for which vhosts */
    int (*set)(struct line *l, struct err *err);
} parts[PARTS] = {{"vhost_pattern", set_user}, {"vhost_pattern", set_policy}, {"pattern", set_limit}};

static json_t *first_value(enum part part)
{
    if (part == USERS)
        return json_pack("{s:s, s:s, s:[]}", "password_hash", "", "hashing_algorithm", "rabbit_password_hashing_sha256",
                         "tags");
    if (part == POLICIES)
        return json_pack("{s:s, s:s, s:i, s:{}}", "pattern", ".*", "apply-to", "all", "priority", 0, "definition");
    return json_object();
}

static struct item *item_of(struct auth_defaults *d, enum part part, const char *name, size_t size)
{
    for (size_t i = 0; i < d->counts[part]; i++) {
        struct item *item = &d->items[part][i];
        if (strlen(item->name) == size && !strncmp(item->name, name, size)) return item;
    }
    d->items[part] = mem_grow(d->items[part], &d->capacities[part], d->counts[part] + 1, sizeof *d->items[part]);
    struct item *item = &d->items[part][d->counts[part]++];
    *item = (struct item){.name = mem_strndup(name, size), .value = first_value(part)};
    if (part == USERS) item->permission = json_pack("{s:s, s:s, s:s}", "configure", ".*", "write", ".*", "read", ".*");
    return item;
}

/* PREFIX.NAME.KEY; NAME may have dots. RabbitMQ puts the keys of classic queues under classic_queues. */
static int read_line(struct auth_defaults *d, enum part part, const char *prefix, const struct config_pair *pair,
                     struct line *l, struct err *err)
{
    static const char nested[] = ".classic_queues";
    const char *name = pair->name + strlen(prefix), *dot = strrchr(name, '.');
    size_t size = dot ? (size_t)(dot - name) : 0;
    if (part == POLICIES && size > sizeof nested - 1 && !strncmp(dot - (sizeof nested - 1), nested, sizeof nested - 1))
        size -= sizeof nested - 1;
    if (!size || !dot[1]) return wrong(err, "a name and a key must follow");
    l->item = item_of(d, part, name, size);
    l->key = dot + 1;
    l->value = pair->value;
    if (!strcmp(l->key, parts[part].vhosts)) return set_pattern(&l->item->vhosts, pair->value, err);
    return parts[part].set(l, err);
}

/* --- what the registry says to it --- */

static int check_policy(const struct item *item, struct err *err)
{
    struct topology_result why = {0};
    char *text = json_dumps(item->value, JSON_COMPACT | JSON_SORT_KEYS);
    struct registry_item stored = {.kind = REGISTRY_OPERATOR_POLICY,
                                   .vhost = slice_str("/"),
                                   .name = slice_str(item->name),
                                   .value = slice_str(text)};
    bool good = registry_check_value(&stored, &why);
    free(text);
    if (good) return 0;
    for (char *at = why.text; *at; at++)
        if (*at == '\n') *at = ' ';
    return (int)err_set(err, ERR_INVALID, "default_policies.operator.%s: %s", item->name, why.text);
}

static int read_part(struct auth_defaults *d, enum part part, const char *prefix, const struct config_pair *pairs,
                     struct line *l, struct err *err)
{
    int code = 0;
    for (size_t i = 0; i < CONFIG_PAIRS_MAX && *pairs[i].name && !code; i++) {
        code = read_line(d, part, prefix, &pairs[i], l, err);
        if (code) err_wrap(err, "%s", pairs[i].name);
    }
    for (size_t i = 0; part == POLICIES && i < d->counts[part] && !code; i++)
        code = check_policy(&d->items[part][i], err);
    return code;
}

/* --- the door --- */

int auth_defaults_create(struct auth_defaults **out, const struct config *c, void (*random)(void *bytes, size_t size),
                         struct err *err)
{
    struct auth_defaults *d = mem_zalloc(sizeof *d);
    struct line line = {.hashing = c->password_hashing_module, .random = random};
    int code = read_part(d, USERS, "default_users.", c->default_users, &line, err);
    if (!code) code = read_part(d, POLICIES, "default_policies.operator.", c->default_policies, &line, err);
    if (!code) code = read_part(d, LIMITS, "default_limits.vhosts.", c->default_limits, &line, err);
    if (code) auth_defaults_destroy(d);
    *out = code ? NULL : d;
    return code;
}

void auth_defaults_destroy(struct auth_defaults *d)
{
    for (int part = 0; d && part < PARTS; part++) {
        for (size_t i = 0; i < d->counts[part]; i++) {
            struct item *item = &d->items[part][i];
            mem_free(item->name);
            pattern_destroy(item->vhosts);
            json_decref(item->value);
            json_decref(item->permission);
        }
        mem_free(d->items[part]);
    }
    mem_free(d);
}

static void put(struct buf *items, enum registry_kind kind, struct slice vhost, struct slice name, const json_t *value)
{
    struct buf one = {0};
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    CHECK(text);
    struct topology_command c = registry_set_command(kind, vhost, name, (struct slice){0}, slice_str(text));
    topology_command_encode(&one, &c);
    buf_put_counted(items, buf_slice(&one));
    buf_close(&one);
    free(text);
}

static bool is_for(const struct item *item, struct slice vhost)
{
    return !item->vhosts || pattern_matches(item->vhosts, vhost);
}

/* RabbitMQ takes the first that fits. */
static void put_limits(const struct auth_defaults *d, struct slice vhost, struct buf *items)
{
    for (size_t i = 0; i < d->counts[LIMITS]; i++) {
        const char *limit;
        json_t *value;
        if (!is_for(&d->items[LIMITS][i], vhost)) continue;
        json_object_foreach(d->items[LIMITS][i].value, limit, value)
            put(items, REGISTRY_VHOST_LIMIT, vhost, slice_str(limit), value);
        return;
    }
}

void auth_defaults_put(const struct auth_defaults *d, const struct topology *t, struct slice vhost, struct buf *items)
{
    struct slice none = {0};
    if (!d) return;
    put_limits(d, vhost, items);
    for (size_t i = 0; i < d->counts[POLICIES]; i++) {
        const struct item *item = &d->items[POLICIES][i];
        if (is_for(item, vhost)) put(items, REGISTRY_OPERATOR_POLICY, vhost, slice_str(item->name), item->value);
    }
    for (size_t i = 0; i < d->counts[USERS]; i++) {
        const struct item *item = &d->items[USERS][i];
        struct slice name = slice_str(item->name);
        if (!is_for(item, vhost)) continue;
        if (!t || !registry_find(t, REGISTRY_USER, none, name, none))
            put(items, REGISTRY_USER, none, name, item->value);
        put(items, REGISTRY_PERMISSION, vhost, name, item->permission);
    }
}
