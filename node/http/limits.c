/* /api/vhost-limits and /api/user-limits */
#include "node/http/definitions.h"

/* One object per owner: {"vhost": ..., "value": {"max-queues": 5}}. The owner and the limit are members of the item as
 * it is shown. */
json_t *limits_grouped(struct http *h, enum registry_kind kind, struct slice owner)
{
    const char *key = kind == REGISTRY_VHOST_LIMIT ? "vhost" : "user";
    json_t *items = items_shown(h, kind, (struct slice){0}), *groups = json_array(), *last = NULL;
    for (size_t i = 0; i < json_array_size(items); i++) { /* in order of their owners */
        const json_t *item = json_array_get(items, i);
        json_t *name = json_object_get(item, key);
        if (owner.data && !slice_equal(slice_json(name), owner)) continue;
        if (!last || !json_equal(json_object_get(last, key), name)) {
            last = json_object();
            json_object_set(last, key, name);
            json_put(last, "value", json_object());
            json_array_append_new(groups, last);
        }
        json_object_set(json_object_get(last, "value"), json_string_value(json_object_get(item, "limit")),
                        json_object_get(item, "value"));
    }
    json_decref(items);
    return groups;
}

static void answer_list(struct request *r, enum registry_kind kind, struct slice owner, struct answer *a)
{
    struct listing listing;
    if (!listing_open(&listing, r, a)) return;
    json_t *groups = limits_grouped(r->http, kind, owner);
    listing_answer(&listing, groups, json_array_size(groups), "", a);
}

static struct item_name limit_of(const struct request *r, enum registry_kind kind)
{
    const struct slice *c = r->captures;
    if (kind == REGISTRY_VHOST_LIMIT) return (struct item_name){kind, c[0], c[1], {0}};
    return (struct item_name){kind, {0}, c[0], c[1]};
}

static void put_limit(struct request *r, enum registry_kind kind, struct answer *a)
{
    static const char *const needed[] = {"value", NULL};
    if (body_requires(r, needed, a) &&
        item_set(r, limit_of(r, kind), json_incref(json_object_get(r->body, "value")), a))
        answer_done(a, false);
}

/* As RabbitMQ: what is not set can be cleared too. */
static void delete_limit(struct request *r, enum registry_kind kind, struct answer *a)
{
    json_t *before = item_get(r->http, limit_of(r, kind));
    if (before) item_delete(r, limit_of(r, kind), a);
    else answer_done(a, false);
    json_decref(before);
}

void api_vhost_limits_list(struct request *r, struct answer *a)
{
    struct slice vhost = r->captures[0];
    if (!vhost.data || vhost_answer(r, vhost, a)) answer_list(r, REGISTRY_VHOST_LIMIT, vhost, a);
}

void api_vhost_limit_put(struct request *r, struct answer *a)
{
    if (vhost_answer(r, r->captures[0], a)) put_limit(r, REGISTRY_VHOST_LIMIT, a);
}

void api_vhost_limit_delete(struct request *r, struct answer *a)
{
    if (vhost_answer(r, r->captures[0], a)) delete_limit(r, REGISTRY_VHOST_LIMIT, a);
}

void api_user_limits_list(struct request *r, struct answer *a)
{
    if (!r->captures[0].data || user_answer(r, r->captures[0], a))
        answer_list(r, REGISTRY_USER_LIMIT, r->captures[0], a);
}

void api_user_limit_put(struct request *r, struct answer *a)
{
    if (user_answer(r, r->captures[0], a)) put_limit(r, REGISTRY_USER_LIMIT, a);
}

void api_user_limit_delete(struct request *r, struct answer *a)
{
    if (user_answer(r, r->captures[0], a)) delete_limit(r, REGISTRY_USER_LIMIT, a);
}
