/* /api/vhosts */
#include <stdio.h>

#include "node/http/definitions.h"
#include "node/http/queue_facts.h"
#include "node/http/stats.h"

static struct item_name name_of(struct slice vhost)
{
    return (struct item_name){.kind = REGISTRY_VHOST, .name = vhost};
}

/* --- showing --- */

static void put_counts(json_t *o, struct request *r, const struct queue_list *queues)
{
    struct slice name = slice_json(json_object_get(o, "name"));
    struct stats stats = {0};
    struct buf key = {0};
    if (!r->view.stats) return;
    for (size_t i = 0; i < queues->count; i++)
        if (slice_equal(queue_vhost(queues, &queues->items[i]), name)) stats_of_queue(&stats, &queues->items[i].stat);
    json_put_stat(o, STAT_MESSAGES, &stats);
    json_put_stat(o, STAT_READY, &stats);
    json_put_stat(o, STAT_UNACKED, &stats);
    json_t *messages = message_stats_json(&stats);
    buf_printf(&key, "vhost %.*s", (int)name.size, (const char *)name.data);
    buf_put_u8(&key, 0);
    sampler_details(r->http->sampler, (const char *)key.data, &r->view, RANGE_LENGTHS, o);
    sampler_details(r->http->sampler, (const char *)key.data, &r->view, RANGE_MSG_RATES, messages);
    json_put(o, "message_stats", messages);
    buf_close(&key);
}

static void set_missing(json_t *o, const char *name, json_t *value)
{
    if (json_object_get(o, name)) json_decref(value);
    else json_put(o, name, value);
}

/* Moves the item as stored; what RabbitMQ's tools look for is always there. */
static json_t *show(struct request *r, json_t *o, const struct queue_list *queues)
{
    static const char *const described[] = {"description", "tags", "default_queue_type"};
    struct members members;
    json_t *state = json_object(), *metadata = json_object();
    set_missing(o, "description", json_string(""));
    set_missing(o, "tags", json_array());
    set_missing(o, "default_queue_type", json_string("undefined"));
    set_missing(o, "tracing", json_false());
    set_missing(o, "protected_from_deletion", json_false());
    for (size_t i = 0; i < sizeof described / sizeof described[0]; i++)
        json_object_set(metadata, described[i], json_object_get(o, described[i]));
    json_put(o, "metadata", metadata);
    members_open(r->http, &members);
    for (unsigned i = 0; i < NODE_IDS; i++)
        if (members.names[i]) json_put(state, members.names[i], json_string(members.up[i] ? "running" : "nodedown"));
    members_close(&members);
    json_put(o, "cluster_state", state);
    put_counts(o, r, queues);
    return o;
}

void api_vhosts_list(struct request *r, struct answer *a)
{
    struct listing listing;
    struct queue_list queues;
    if (!listing_open(&listing, r, a)) return;
    json_t *all = items_shown(r->http, REGISTRY_VHOST, (struct slice){0}), *shown = json_array();
    queue_list_open(&queues, r->http, (struct slice){0}, (struct slice){0}, NULL);
    for (size_t i = 0; i < json_array_size(all); i++) {
        json_t *one = json_array_get(all, i);
        struct slice name = slice_json(json_object_get(one, "name"));
        if (caller_sees(r, name) && listing_wants(&listing, name)) json_array_append(shown, show(r, one, &queues));
    }
    listing_answer(&listing, shown, json_array_size(all), "name", a);
    queue_list_close(&queues);
    json_decref(all);
}

void api_vhost_get(struct request *r, struct answer *a)
{
    struct queue_list queues;
    if (!vhost_answer(r, r->captures[0], a)) return;
    json_t *o = item_get(r->http, name_of(r->captures[0]));
    if (!o) o = json_object();
    json_put(o, "name", json_slice(r->captures[0]));
    queue_list_open(&queues, r->http, r->captures[0], (struct slice){0}, NULL);
    show(r, o, &queues);
    answer_json(a, columns_of(o, request_query(r, "columns")));
    queue_list_close(&queues);
    json_decref(o);
}

/* --- changing --- */

json_t *vhost_value(const json_t *body, json_t *value)
{
    static const char *const members[] = {"description", "default_queue_type", "tracing", "protected_from_deletion"};
    const json_t *metadata = json_object_get(body, "metadata"), *tags = json_object_get(body, "tags");
    if (!value) value = json_object();
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        json_t *given = json_object_get(body, members[i]);
        if (!given) given = json_object_get(metadata, members[i]);
        if (given && !json_is_null(given)) json_object_set(value, members[i], given);
    }
    if (json_object_get(body, "defaultqueuetype")) /* rabbitmqadmin drops underscores */
        json_object_set(value, "default_queue_type", json_object_get(body, "defaultqueuetype"));
    if (!tags) tags = json_object_get(metadata, "tags");
    if (tags || !json_object_get(value, "tags")) json_put(value, "tags", words_of(tags));
    const json_t *type = json_object_get(value, "default_queue_type");
    if (slice_is(slice_json(type), "undefined")) json_object_del(value, "default_queue_type");
    return value;
}

/* Who makes a vhost may do everything in it. */
void api_vhost_put(struct request *r, struct answer *a)
{
    struct slice name = r->captures[0];
    json_t *before = item_get(r->http, name_of(name));
    bool created = !before;
    if (!name_fits(name, a)) {
        json_decref(before);
        return;
    }
    if (!item_set(r, name_of(name), vhost_value(r->body, before), a)) return;
    struct item_name permission = {REGISTRY_PERMISSION, name, slice_str(r->caller.user), {0}};
    if (created && !r->trusted && /* the local socket is nobody whom permissions could be given */
        !item_set(r, permission, json_pack("{s:s, s:s, s:s}", "configure", ".*", "write", ".*", "read", ".*"), a))
        return;
    answer_done(a, created);
}

void api_vhost_delete(struct request *r, struct answer *a)
{
    item_delete(r, name_of(r->captures[0]), a);
}

static void protect(struct request *r, bool protected, struct answer *a)
{
    json_t *value = item_get(r->http, name_of(r->captures[0]));
    if (!value) {
        answer_not_found(a);
        return;
    }
    json_put(value, "protected_from_deletion", json_boolean(protected));
    if (item_set(r, name_of(r->captures[0]), value, a)) answer_done(a, false);
}

void api_vhost_protect(struct request *r, struct answer *a)
{
    protect(r, true, a);
}

void api_vhost_unprotect(struct request *r, struct answer *a)
{
    protect(r, false, a);
}

/* A vhost runs wherever its cluster does. */
void api_vhost_start(struct request *r, struct answer *a)
{
    if (vhost_answer(r, r->captures[0], a)) answer_done(a, false);
}
