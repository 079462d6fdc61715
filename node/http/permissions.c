/* /api/permissions and /api/topic-permissions */
#include "node/http/items.h"

static void list_all(struct request *r, enum registry_kind kind, struct answer *a)
{
    listing_answer_all(r, items_shown(r->http, kind, (struct slice){0}), "vhost,user", a);
}

static void list_of_vhost(struct request *r, enum registry_kind kind, struct answer *a)
{
    if (vhost_answer(r, r->captures[0], a))
        listing_answer_all(r, items_shown(r->http, kind, r->captures[0]), "vhost,user", a);
}

static void list_of_user(struct request *r, enum registry_kind kind, struct answer *a)
{
    if (user_answer(r, r->captures[0], a))
        listing_answer_all(r, listing_keep(items_shown(r->http, kind, (struct slice){0}), NULL, "user", r->captures[0]),
                           "vhost,user", a);
}

void api_permissions_list(struct request *r, struct answer *a)
{
    list_all(r, REGISTRY_PERMISSION, a);
}

void api_permissions_of_vhost(struct request *r, struct answer *a)
{
    list_of_vhost(r, REGISTRY_PERMISSION, a);
}

void api_permissions_of_user(struct request *r, struct answer *a)
{
    list_of_user(r, REGISTRY_PERMISSION, a);
}

void api_topic_permissions_list(struct request *r, struct answer *a)
{
    list_all(r, REGISTRY_TOPIC_PERMISSION, a);
}

void api_topic_permissions_of_vhost(struct request *r, struct answer *a)
{
    list_of_vhost(r, REGISTRY_TOPIC_PERMISSION, a);
}

void api_topic_permissions_of_user(struct request *r, struct answer *a)
{
    list_of_user(r, REGISTRY_TOPIC_PERMISSION, a);
}

/* --- one: {vhost} {user}, topics also {exchange} --- */

static struct item_name permission_of(const struct request *r)
{
    return (struct item_name){REGISTRY_PERMISSION, r->captures[0], r->captures[1], {0}};
}

static bool both_exist(struct request *r, struct answer *a)
{
    json_t *user = item_get(r->http, (struct item_name){.kind = REGISTRY_USER, .name = r->captures[1]});
    bool exist = user && vhost_exists(r->http, r->captures[0]);
    json_decref(user);
    if (!exist && r->method == HTTP_PUT) answer_bad(a, "vhost_or_user_not_found");
    else if (!exist) answer_not_found(a);
    return exist;
}

void api_permission_get(struct request *r, struct answer *a)
{
    json_t *items =
        listing_keep(items_shown(r->http, REGISTRY_PERMISSION, r->captures[0]), NULL, "user", r->captures[1]);
    if (json_array_size(items)) answer_json(a, json_incref(json_array_get(items, 0)));
    else answer_not_found(a);
    json_decref(items);
}

void api_permission_put(struct request *r, struct answer *a)
{
    static const char *const needed[] = {"configure", "write", "read", NULL};
    if (both_exist(r, a) && body_requires(r, needed, a))
        item_put(r, permission_of(r),
                 json_pack("{s:O, s:O, s:O}", "configure", json_object_get(r->body, "configure"), "write",
                           json_object_get(r->body, "write"), "read", json_object_get(r->body, "read")),
                 a);
}

void api_permission_delete(struct request *r, struct answer *a)
{
    item_delete(r, permission_of(r), a);
}

void api_topic_permission_get(struct request *r, struct answer *a)
{
    if (!both_exist(r, a)) return;
    json_t *items =
        listing_keep(items_shown(r->http, REGISTRY_TOPIC_PERMISSION, r->captures[0]), NULL, "user", r->captures[1]);
    if (json_array_size(items)) listing_answer_all(r, json_incref(items), "vhost,user", a);
    else answer_not_found(a);
    json_decref(items);
}

void api_topic_permission_put(struct request *r, struct answer *a)
{
    static const char *const needed[] = {"exchange", "write", "read", NULL};
    if (!both_exist(r, a) || !body_requires(r, needed, a)) return;
    struct item_name name = {REGISTRY_TOPIC_PERMISSION, r->captures[0], r->captures[1],
                             slice_json(json_object_get(r->body, "exchange"))};
    /* As in RabbitMQ it is the user's permissions in the vhost that are new, or not, whatever the exchange. */
    json_t *before =
        listing_keep(items_shown(r->http, REGISTRY_TOPIC_PERMISSION, r->captures[0]), NULL, "user", r->captures[1]);
    json_t *value =
        json_pack("{s:O, s:O}", "write", json_object_get(r->body, "write"), "read", json_object_get(r->body, "read"));
    if (item_set(r, name, value, a)) answer_done(a, !json_array_size(before));
    json_decref(before);
}

/* All of the user in the vhost, or those of one exchange. */
void api_topic_permission_delete(struct request *r, struct answer *a)
{
    json_t *items =
        listing_keep(items_shown(r->http, REGISTRY_TOPIC_PERMISSION, r->captures[0]), NULL, "user", r->captures[1]);
    size_t removed = 0;
    for (size_t i = 0; i < json_array_size(items); i++) {
        struct slice exchange = slice_json(json_object_get(json_array_get(items, i), "exchange"));
        if (r->captures[2].data && !slice_equal(exchange, r->captures[2])) continue;
        struct item_name name = {REGISTRY_TOPIC_PERMISSION, r->captures[0], r->captures[1], exchange};
        if (!item_clear(r, name, a)) break;
        removed++;
    }
    json_decref(items);
    if (a->status == 200 && removed) answer_done(a, false);
    else if (a->status == 200) answer_not_found(a);
}
