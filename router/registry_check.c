/* What the items of each kind must look like; refusals in the words of RabbitMQ's parameter validation. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "router/json.h"
#include "router/pattern.h"
#include "router/policy.h"
#include "router/topology_internal.h"

/* --- names --- */

enum {
    HAS_VHOST = 1,
    HAS_DETAIL = 2,
    NEEDS_USER = 4,
    DETAIL_MAY_BE_EMPTY = 8,
    DETAIL_IS_LIMIT = 16,
    NAME_IS_LIMIT = 32
};

static const unsigned shapes[REGISTRY_KIND_COUNT] = {
    [REGISTRY_PERMISSION] = HAS_VHOST | NEEDS_USER,
    [REGISTRY_TOPIC_PERMISSION] = HAS_VHOST | NEEDS_USER | HAS_DETAIL | DETAIL_MAY_BE_EMPTY,
    [REGISTRY_VHOST_LIMIT] = HAS_VHOST | NAME_IS_LIMIT,
    [REGISTRY_USER_LIMIT] = NEEDS_USER | HAS_DETAIL | DETAIL_IS_LIMIT,
    [REGISTRY_POLICY] = HAS_VHOST,
    [REGISTRY_OPERATOR_POLICY] = HAS_VHOST,
    [REGISTRY_PARAMETER] = HAS_VHOST | HAS_DETAIL,
};

static bool no(struct topology_result *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool no(struct topology_result *r, const char *format, ...)
{
    if (!r) return false;
    va_list arguments;
    va_start(arguments, format);
    r->reply_code = 400;
    vsnprintf(r->text, sizeof r->text, format, arguments);
    va_end(arguments);
    return false;
}

static bool is_text(struct slice s)
{
    json_t *text = json_stringn(s.size ? (const char *)s.data : "", s.size); /* NULL when it is not UTF-8 */
    json_decref(text);
    return text != NULL;
}

bool registry_check_name_sizes(const struct registry_item *item, struct topology_result *r)
{
    unsigned shape = shapes[item->kind];
    const char *word = registry_kind_word(item->kind);
    if (item->vhost.size > TOPOLOGY_NAME_MAX || item->name.size > TOPOLOGY_NAME_MAX ||
        item->detail.size > TOPOLOGY_NAME_MAX)
        return no(r, "a name of the %s is longer than %d bytes", word, TOPOLOGY_NAME_MAX);
    if (!is_text(item->vhost) || !is_text(item->name) || !is_text(item->detail))
        return no(r, "a name of the %s is not UTF-8", word);
    if (!item->name.size) return no(r, "the %s has no name", word);
    if (!(shape & HAS_VHOST) != !item->vhost.size)
        return no(r, "%s", shape & HAS_VHOST ? "a vhost is missing" : "it does not belong to a vhost");
    bool detail_missing = (shape & HAS_DETAIL) && !(shape & DETAIL_MAY_BE_EMPTY) && !item->detail.size;
    if (detail_missing) return no(r, "the %s has no second name", word);
    if (!(shape & HAS_DETAIL) && item->detail.size) return no(r, "the %s has no place for a second name", word);
    bool known = true;
    if (shape & NAME_IS_LIMIT) known = slice_is(item->name, "max-connections") || slice_is(item->name, "max-queues");
    if (shape & DETAIL_IS_LIMIT)
        known = slice_is(item->detail, "max-connections") || slice_is(item->detail, "max-channels");
    return known || no(r, "Unrecognised limit '%.*s'", SLICE_FORMAT(shape & NAME_IS_LIMIT ? item->name : item->detail));
}

bool registry_check_names(const struct topology *t, const struct registry_item *item, struct topology_result *r)
{
    if (!registry_check_name_sizes(item, r)) return false;
    unsigned shape = shapes[item->kind];
    struct slice vhost = item->kind == REGISTRY_VHOST ? item->name : item->vhost, none = {0};
    if ((vhost.size || shape & HAS_VHOST) && !vhost_find(t, vhost))
        return no(r, "Virtual host '%.*s' does not exist", SLICE_FORMAT(vhost));
    if ((shape & NEEDS_USER) && !registry_find(t, REGISTRY_USER, none, item->name, none))
        return no(r, "User '%.*s' does not exist", SLICE_FORMAT(item->name));
    return true;
}

/* --- values --- */

static bool failed(struct topology_result *r, const char *what, const char *should, const json_t *value)
{
    if (!r) return false;
    struct buf shown = {0};
    json_print_erlang(value, &shown);
    no(r, "Validation failed\n\n%s should be %s, actually was %.*s\n", what, should, SLICE_FORMAT(buf_slice(&shown)));
    buf_close(&shown);
    return false;
}

static bool missing(struct topology_result *r, const char *key, struct slice where)
{
    return no(r, "Validation failed\n\nKey \"%s\" not found in %.*s\n", key, SLICE_FORMAT(where));
}

static bool want_text(const json_t *object, const char *key, bool needed, struct slice where, struct topology_result *r)
{
    const json_t *value = json_object_get(object, key);
    if (!value) return !needed || missing(r, key, where);
    return json_is_string(value) || failed(r, key, "binary", value);
}

static bool want_bool(const json_t *object, const char *key, struct topology_result *r)
{
    const json_t *value = json_object_get(object, key);
    return !value || json_is_boolean(value) || failed(r, key, "boolean", value);
}

static bool want_tags(const json_t *object, bool needed, struct slice where, struct topology_result *r)
{
    const json_t *tags = json_object_get(object, "tags"), *tag;
    size_t i;
    if (!tags) return !needed || missing(r, "tags", where);
    if (!json_is_array(tags)) return failed(r, "tags", "list", tags);
    json_array_foreach(tags, i, tag) if (!json_is_string(tag)) return failed(r, "tag", "binary", tag);
    return true;
}

/* `words`: the values that the key may have, as Erlang lists them in `shown`. */
static bool want_word(const json_t *object, const char *key, const char *const *words, size_t count, const char *shown,
                      struct topology_result *r)
{
    const json_t *value = json_object_get(object, key);
    if (!value) return true;
    for (size_t i = 0; i < count; i++)
        if (json_is_string(value) && !strcmp(json_string_value(value), words[i])) return true;
    return failed(r, key, shown, value);
}

static bool check_vhost(const json_t *v, const struct registry_item *item, struct topology_result *r)
{
    static const char *const types[] = {"classic", "quorum", "stream", "undefined"};
    return want_text(v, "description", false, item->name, r) && want_tags(v, false, item->name, r) &&
           want_bool(v, "protected_from_deletion", r) && want_bool(v, "tracing", r) &&
           want_word(v, "default_queue_type", types, 4,
                     "one of [<<\"classic\">>,<<\"quorum\">>,<<\"stream\">>,<<\"undefined\">>]", r);
}

static bool check_user(const json_t *v, const struct registry_item *item, struct topology_result *r)
{
    static const char *const algorithms[] = {"rabbit_password_hashing_sha256", "rabbit_password_hashing_sha512",
                                             "rabbit_password_hashing_md5"};
    return want_text(v, "password_hash", true, item->name, r) &&
           want_text(v, "hashing_algorithm", true, item->name, r) &&
           want_word(v, "hashing_algorithm", algorithms, 3,
                     "one of [rabbit_password_hashing_sha256,rabbit_password_hashing_sha512,"
                     "rabbit_password_hashing_md5]",
                     r) &&
           want_tags(v, true, item->name, r);
}

static bool check_policy(const json_t *v, const struct registry_item *item, struct topology_result *r)
{
    static const char *const kinds[] = {"all", "exchanges", "queues", "classic_queues", "quorum_queues", "streams"};
    static const char *const keys[] = {"apply-to", "definition", "pattern", "priority"};
    const char *key;
    const json_t *definition = json_object_get(v, "definition"), *priority = json_object_get(v, "priority");
    json_t *value;
    json_object_foreach((json_t *)v, key, value)
    {
        bool known = false;
        for (size_t i = 0; i < 4; i++) known = known || !strcmp(key, keys[i]);
        if (!known)
            return no(r, "Validation failed\n\nUnrecognised terms [%s] in %.*s\n", key, SLICE_FORMAT(item->name));
    }
    if (!want_text(v, "pattern", true, item->name, r)) return false;
    if (!definition) return missing(r, "definition", item->name);
    if (!json_is_object(definition)) return failed(r, "definition", "a map", definition);
    if (!json_object_size(definition)) return no(r, "Validation failed\n\nno policy provided\n");
    if (priority && !json_is_integer(priority)) return failed(r, "priority", "a number", priority);
    if (!policy_check_definition(definition, item->kind == REGISTRY_OPERATOR_POLICY, r)) return false;
    return want_word(v, "apply-to", kinds, 6,
                     "one of [<<\"all\">>,<<\"exchanges\">>,<<\"queues\">>,<<\"classic_queues\">>,"
                     "<<\"quorum_queues\">>,<<\"streams\">>]",
                     r);
}

static bool check_object(const json_t *v, const struct registry_item *item, struct topology_result *r)
{
    switch (item->kind) {
    case REGISTRY_VHOST:
        return check_vhost(v, item, r);
    case REGISTRY_USER:
        return check_user(v, item, r);
    case REGISTRY_PERMISSION:
        return want_text(v, "configure", true, item->name, r) && want_text(v, "write", true, item->name, r) &&
               want_text(v, "read", true, item->name, r);
    case REGISTRY_TOPIC_PERMISSION:
        return want_text(v, "write", true, item->name, r) && want_text(v, "read", true, item->name, r);
    default:
        return check_policy(v, item, r);
    }
}

bool registry_check_value(const struct registry_item *item, struct topology_result *r)
{
    struct err err;
    if (item->value.size > REGISTRY_VALUE_MAX) return no(r, "the value is longer than %d bytes", REGISTRY_VALUE_MAX);
    json_t *value = json_of(item->value, &err);
    if (!value) return no(r, "Could not parse JSON document: %s", err.text);
    bool ok = true;
    switch (item->kind) {
    case REGISTRY_PARAMETER:
    case REGISTRY_GLOBAL_PARAMETER:
        break;
    case REGISTRY_VHOST_LIMIT:
    case REGISTRY_USER_LIMIT:
        ok = json_is_integer(value) || failed(r, "limit", "an integer", value);
        break;
    default:
        ok = json_is_object(value) ? check_object(value, item, r) : failed(r, "value", "a map", value);
        break;
    }
    json_decref(value);
    return ok;
}

static bool compiles(const json_t *object, const char *key, bool in_policy, struct topology_result *r)
{
    struct err err;
    struct slice expression = json_text(object, key);
    if (!expression.data) return true;
    struct pattern *p = pattern_create(expression, &err);
    if (!p && in_policy)
        return no(r, "Validation failed\n\n%s should be regular expression but is %s\n", key, err.text);
    if (!p) return no(r, "invalid regular expression '%.*s': %s", SLICE_FORMAT(expression), err.text);
    pattern_destroy(p);
    return true;
}

bool registry_check_patterns(const struct registry_item *item, struct topology_result *r)
{
    bool policy = item->kind == REGISTRY_POLICY || item->kind == REGISTRY_OPERATOR_POLICY;
    if (!policy && item->kind != REGISTRY_PERMISSION && item->kind != REGISTRY_TOPIC_PERMISSION) return true;
    json_t *value = json_of(item->value, NULL);
    if (!value) return no(r, "Could not parse JSON document");
    bool ok = compiles(value, "configure", false, r) && compiles(value, "write", false, r) &&
              compiles(value, "read", false, r) && compiles(value, "pattern", policy, r);
    json_decref(value);
    return ok;
}

bool registry_canonical(struct slice text, struct buf *out, struct err *why)
{
    json_t *value = json_of(text, why);
    if (!value) return false;
    char *dumped = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    json_decref(value);
    CHECK(dumped);
    buf_put(out, dumped, strlen(dumped));
    free(dumped);
    return true;
}

int64_t registry_limit(const struct topology *t, enum registry_kind kind, struct slice vhost, struct slice name,
                       struct slice detail)
{
    const struct registry_item *item = registry_find(t, kind, vhost, name, detail);
    long long limit = item ? strtoll((const char *)item->value.data, NULL, 10) : -1;
    return limit < 0 ? -1 : limit;
}

void registry_cluster_name(const struct topology *t, const char *configured, char to[REGISTRY_CLUSTER_NAME_SIZE])
{
    struct slice none = {0};
    const struct registry_item *item =
        registry_find(t, REGISTRY_GLOBAL_PARAMETER, none, slice_str("cluster_name"), none);
    json_t *value = item ? json_of(item->value, NULL) : NULL;
    const char *name = json_string_value(value);
    snprintf(to, REGISTRY_CLUSTER_NAME_SIZE, "%s", name ? name : configured);
    json_decref(value);
}

const char *vhost_default_queue_type(const struct topology *t, struct slice vhost)
{
    static const char *const types[] = {"classic", "quorum", "stream"};
    const struct registry_item *item = registry_find(t, REGISTRY_VHOST, (struct slice){0}, vhost, (struct slice){0});
    const char *found = NULL;
    json_t *value = item ? json_of(item->value, NULL) : NULL;
    struct slice type = json_text(value, "default_queue_type");
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (slice_is(type, types[i])) found = types[i];
    json_decref(value);
    return found;
}

/* Asked for each connection whenever the registry changes, so values are not parsed: they are canonical, and in a
 * string the quotes would have a stroke before them. */
bool vhost_is_traced(const struct topology *t, struct slice vhost)
{
    static const char on[] = "\"tracing\":true";
    const struct registry_item *item = registry_find(t, REGISTRY_VHOST, (struct slice){0}, vhost, (struct slice){0});
    return item && item->value.size && memmem(item->value.data, item->value.size, on, sizeof on - 1);
}

bool vhost_is_protected(const struct registry_item *vhost)
{
    json_t *value = json_of(vhost->value, NULL);
    bool is = json_is_true(json_object_get(value, "protected_from_deletion"));
    json_decref(value);
    return is;
}
