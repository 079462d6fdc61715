#include "node/http/items.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "node/http/conversation.h"

/* --- reading --- */

struct walk {
    enum registry_kind kind;
    struct slice vhost;
    uint64_t cursor;
    bool more;
    json_t *array;
};

struct look {
    struct item_name name;
    json_t *value;
};

static json_t *value_json(struct slice text)
{
    return json_loadb((const char *)text.data, text.size, JSON_DECODE_ANY, NULL);
}

static void list_slice(struct shard *s, void *arg)
{
    struct walk *w = arg;
    const struct registry_item *item = NULL;
    struct topology *t = broker_topology(shard_broker(s));
    for (unsigned i = 0; i < HTTP_SLICE && (item = registry_next(t, w->kind, &w->cursor)); i++) {
        if (w->vhost.data && !slice_equal(w->vhost, item->vhost)) continue;
        json_t *o = json_object();
        json_put(o, "vhost", json_slice(item->vhost));
        json_put(o, "name", json_slice(item->name));
        json_put(o, "detail", json_slice(item->detail));
        json_put(o, "value", value_json(item->value));
        json_array_append_new(w->array, o);
    }
    w->more = item != NULL;
}

json_t *items_list(struct http *h, enum registry_kind kind, struct slice vhost)
{
    struct walk w = {.kind = kind, .vhost = vhost, .array = json_array()};
    do shard_call_any(node_shard(h->params.node, 0), list_slice, &w);
    while (w.more);
    return w.array;
}

static void look_up(struct shard *s, void *arg)
{
    struct look *l = arg;
    const struct registry_item *item =
        registry_find(broker_topology(shard_broker(s)), l->name.kind, l->name.vhost, l->name.name, l->name.detail);
    if (item) l->value = value_json(item->value);
}

json_t *item_get(struct http *h, struct item_name name)
{
    struct look l = {name, NULL};
    shard_call_any(node_shard(h->params.node, 0), look_up, &l);
    return l.value;
}

bool user_answer(struct request *r, struct slice user, struct answer *a)
{
    json_t *found = item_get(r->http, (struct item_name){.kind = REGISTRY_USER, .name = user});
    json_decref(found);
    if (!found) answer_not_found(a);
    return found != NULL;
}

/* --- changing --- */

static bool change(struct http *h, const struct topology_command *c, struct refusal *why)
{
    struct node_change_result result;
    *why = (struct refusal){0};
    if (!node_change(h->params.node, c, &result)) return true;
    why->code = result.reply_code;
    snprintf(why->text, sizeof why->text, "%s", result.text);
    return false;
}

/* Shovels and upstreams are the layer above's: it knows what a sound one is. */
static bool check_parameter(struct http *h, struct item_name n, struct slice value, struct refusal *why)
{
    const struct http_links *links = atomic_load(&h->links);
    struct err err;
    if (n.kind != REGISTRY_PARAMETER || !links) return true;
    char *component = mem_strndup((const char *)n.name.data, n.name.size);
    char *name = mem_strndup((const char *)n.detail.data, n.detail.size);
    bool sound = !links->check(links->self, component, name, value, &err);
    if (!sound) {
        *why = (struct refusal){.code = 400};
        snprintf(why->text, sizeof why->text, "Validation failed\n\n%s\n", err.text);
    }
    mem_free(component);
    mem_free(name);
    return sound;
}

bool item_command(struct http *h, struct item_name n, json_t *value, struct buf *canonical, struct topology_command *c,
                  struct refusal *why)
{
    struct err err;
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    bool json = text && registry_canonical(slice_str(text), canonical, &err);
    bool ok = json && check_parameter(h, n, buf_slice(canonical), why);
    *c = registry_set_command(n.kind, n.vhost, n.name, n.detail, buf_slice(canonical));
    if (!json) {
        *why = (struct refusal){.code = 400};
        snprintf(why->text, sizeof why->text, "%s", text ? err.text : "no JSON");
    }
    free(text);
    json_decref(value);
    return ok;
}

bool item_set_quietly(struct http *h, struct item_name n, json_t *value, struct refusal *why)
{
    struct buf canonical = {0};
    struct topology_command c;
    bool ok = item_command(h, n, value, &canonical, &c, why) && change(h, &c, why);
    buf_close(&canonical);
    return ok;
}

bool item_clear_quietly(struct http *h, struct item_name n, struct refusal *why)
{
    struct topology_command c = registry_clear_command(n.kind, n.vhost, n.name, n.detail);
    return change(h, &c, why);
}

static void answer_change(struct answer *a, const struct refusal *why)
{
    switch (why->code) {
    case 404:
        answer_not_found(a);
        break;
    case 412:
        answer_error(a, 412, "precondition_failed", why->text);
        break;
    case 541:
        answer_error(a, 503, "service_unavailable", why->text);
        break;
    default:
        answer_error(a, 400, "bad_request", why->text);
        break;
    }
}

bool item_set(struct request *r, struct item_name n, json_t *value, struct answer *a)
{
    struct refusal why;
    if (item_set_quietly(r->http, n, value, &why)) return true;
    answer_change(a, &why);
    return false;
}

bool item_clear(struct request *r, struct item_name n, struct answer *a)
{
    struct refusal why;
    if (item_clear_quietly(r->http, n, &why)) return true;
    answer_change(a, &why);
    return false;
}

void item_put(struct request *r, struct item_name n, json_t *value, struct answer *a)
{
    json_t *before = item_get(r->http, n);
    if (item_set(r, n, value, a)) answer_done(a, !before);
    json_decref(before);
}

void item_delete(struct request *r, struct item_name n, struct answer *a)
{
    if (item_clear(r, n, a)) answer_done(a, false);
}

/* --- showing --- */

/* Where an item's names stand in what the API shows; NULL: nowhere. `nested`: the value is a member of its own. */
static const struct shape {
    const char *vhost, *name, *detail;
    bool nested;
} shapes[REGISTRY_KIND_COUNT] = {
    [REGISTRY_VHOST] = {NULL, "name", NULL, false},
    [REGISTRY_USER] = {NULL, "name", NULL, false},
    [REGISTRY_PERMISSION] = {"vhost", "user", NULL, false},
    [REGISTRY_TOPIC_PERMISSION] = {"vhost", "user", "exchange", false},
    [REGISTRY_VHOST_LIMIT] = {"vhost", "limit", NULL, true},
    [REGISTRY_USER_LIMIT] = {NULL, "user", "limit", true},
    [REGISTRY_POLICY] = {"vhost", "name", NULL, false},
    [REGISTRY_OPERATOR_POLICY] = {"vhost", "name", NULL, false},
    [REGISTRY_PARAMETER] = {"vhost", "component", "name", true},
    [REGISTRY_GLOBAL_PARAMETER] = {NULL, "name", NULL, true},
};

json_t *item_json(enum registry_kind kind, const json_t *item)
{
    const struct shape *shape = &shapes[kind];
    const char *const targets[] = {shape->vhost, shape->name, shape->detail}, *const sources[] = {"vhost", "name",
                                                                                                  "detail"};
    json_t *o = json_object(), *value = json_object_get(item, "value");
    for (size_t i = 0; i < 3; i++)
        if (targets[i]) json_object_set(o, targets[i], json_object_get(item, sources[i]));
    if (shape->nested) json_object_set(o, "value", value);
    else json_object_update_missing(o, value);
    if ((kind == REGISTRY_POLICY || kind == REGISTRY_OPERATOR_POLICY)) {
        if (!json_object_get(o, "priority")) json_put(o, "priority", json_integer(0));
        if (!json_object_get(o, "apply-to")) json_put(o, "apply-to", json_string("all"));
    }
    return o;
}

json_t *items_shown(struct http *h, enum registry_kind kind, struct slice vhost)
{
    json_t *items = items_list(h, kind, vhost), *shown = json_array();
    for (size_t i = 0; i < json_array_size(items); i++)
        json_array_append_new(shown, item_json(kind, json_array_get(items, i)));
    json_decref(items);
    return shown;
}

json_t *words_of(const json_t *value)
{
    json_t *list = json_array();
    if (json_is_array(value)) json_array_extend(list, (json_t *)value);
    const char *at = json_is_string(value) ? json_string_value(value) : "";
    while (*at) {
        size_t skip = strspn(at, ", ");
        at += skip;
        size_t size = strcspn(at, ", ");
        if (size) json_array_append_new(list, json_stringn(at, size));
        at += size;
    }
    return list;
}
