/* /api/queues */
#include <stdio.h>

#include "base/mem.h"
#include "node/http/conversation.h"
#include "node/http/families.h"
#include "node/http/peers.h"
#include "node/http/queue_facts.h"
#include "node/http/queue_json.h"

json_t *queues_here(struct http *h, const struct view *v)
{
    struct queue_list list;
    struct members members;
    members_open(h, &members);
    queue_list_open(&list, h, (struct slice){0}, (struct slice){0}, NULL);
    json_t *array = json_array();
    for (size_t i = 0; i < list.count; i++)
        if (list.items[i].leader == node_settings(h->params.node)->node)
            json_array_append_new(array, queue_json(h, v, &members, &list, &list.items[i]));
    queue_list_close(&list);
    members_close(&members);
    return array;
}

/* Queues without a replica on this node: what their leaders say takes the place of what is not known here. */
static json_t *complete(struct request *r, json_t *array)
{
    bool all_here = true;
    for (size_t i = 0; i < json_array_size(array) && all_here; i++)
        all_here = json_is_true(json_object_get(json_array_get(array, i), "here"));
    if (all_here) return array;
    json_t *others = peers_list_view(r, json_array(), "queues"), *by_name = json_object();
    struct buf key = {0};
    for (unsigned pass = 0; pass < 2; pass++) {
        const json_t *from = pass ? array : others;
        for (size_t i = 0; i < json_array_size(from); i++) {
            json_t *q = json_array_get(from, i);
            buf_clear(&key);
            buf_printf(&key, "%s/%s", json_string_value(json_object_get(q, "vhost")),
                       json_string_value(json_object_get(q, "name")));
            buf_put_u8(&key, 0);
            if (!pass) json_object_set(by_name, (const char *)key.data, q);
            json_t *known = pass ? json_object_get(by_name, (const char *)key.data) : NULL;
            if (known && !json_is_true(json_object_get(q, "here"))) json_array_set(array, i, known);
        }
    }
    buf_close(&key);
    json_decref(by_name);
    json_decref(others);
    return array;
}

static void drop_unseen(struct request *r, struct queue_list *l)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->count; i++)
        if (caller_sees(r, queue_vhost(l, &l->items[i]))) {
            struct queue_facts hidden = l->items[kept]; /* stays behind the end: its memory is the list's */
            l->items[kept++] = l->items[i];
            l->items[i] = hidden;
        }
    l->shown = kept;
}

static bool is_by_name(const struct listing *l)
{
    return !l->sort || !*l->sort || !strcmp(l->sort, "vhost,name");
}

/* By name, which is how pages are read, only what is shown is made into JSON. */
static void answer_queues(struct request *r, struct listing *listing, struct queue_list *list, struct answer *a)
{
    struct members members;
    size_t count = list->shown, from = 0, shown = count;
    bool by_name = is_by_name(listing);
    if (by_name) queue_list_sort(list, listing->reverse);
    if (by_name && !listing_cut(listing, count, &from, &shown, a)) return;
    members_open(r->http, &members);
    json_t *array = json_array();
    for (size_t i = from; i < from + shown; i++)
        json_array_append_new(array, queue_json(r->http, &r->view, &members, list, &list->items[i]));
    members_close(&members);
    array = complete(r, array);
    owners_put(r, array);
    if (by_name) listing_answer_cut(listing, array, count, list->total, a);
    else listing_answer(listing, array, list->total, "", a);
}

void api_queues_list(struct request *r, struct answer *a)
{
    struct listing listing;
    struct queue_list list;
    struct slice vhost = r->captures[0];
    if ((vhost.data && !vhost_answer(r, vhost, a)) || !listing_open(&listing, r, a)) return;
    queue_list_open(&list, r->http, vhost, (struct slice){0}, &listing);
    drop_unseen(r, &list);
    answer_queues(r, &listing, &list, a);
    queue_list_close(&list);
    listing_close(&listing);
}

/* The same list: RabbitMQ's shorter one leaves out what costs it much. A vhost of that name is
 * reached by its queues. */
void api_queues_detailed(struct request *r, struct answer *a)
{
    api_queues_list(r, a);
}

/* New; NULL: there is none. */
static json_t *find(struct request *r)
{
    struct queue_list list;
    struct members members;
    members_open(r->http, &members);
    queue_list_open(&list, r->http, r->captures[0], r->captures[1], NULL);
    json_t *found = list.count ? queue_json(r->http, &r->view, &members, &list, &list.items[0]) : NULL;
    queue_list_close(&list);
    members_close(&members);
    return found;
}

bool queue_answer(struct request *r, struct answer *a)
{
    json_t *found = find_or_answer(r, find, a);
    json_decref(found);
    return found != NULL;
}

/* Moves the consumers, and says what the queue has in common with them. */
static void put_consumers(json_t *o, json_t *consumers)
{
    uint64_t active = 0;
    for (size_t i = 0; i < json_array_size(consumers); i++) {
        const json_t *consumer = json_array_get(consumers, i);
        json_t *tag = json_object_get(consumer, "consumer_tag");
        active += json_is_true(json_object_get(consumer, "active"));
        if (slice_is(slice_json(json_object_get(consumer, "activity_status")), "single_active"))
            json_object_set(o, "single_active_consumer_tag", tag);
        if (json_is_true(json_object_get(consumer, "exclusive"))) json_object_set(o, "exclusive_consumer_tag", tag);
    }
    json_put(o, "active_consumers", json_number(active));
    json_put(o, "consumer_details", consumers);
}

void api_queue_get(struct request *r, struct answer *a)
{
    json_t *found = find_or_answer(r, find, a);
    if (!found) return;
    json_t *array = json_array();
    json_array_append_new(array, found);
    complete(r, array);
    owners_put(r, array);
    found = json_array_get(array, 0);
    if (r->view.stats) {
        put_consumers(found, consumers_of_queue(r, r->captures[0], r->captures[1]));
        json_t *flows = flows_everywhere(r), *self = columns_of(found, "name,vhost");
        json_put(found, "incoming", flows_of(flows, "queue", self, "exchange"));
        json_put(found, "deliveries", flows_of(flows, "queue", self, "channel_details"));
        json_decref(self);
        json_decref(flows);
    }
    answer_json(a, columns_of(found, request_query(r, "columns")));
    json_decref(array);
}

void api_queue_put(struct request *r, struct answer *a)
{
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
    struct amqp_queue_declare *d = &m.queue_declare;
    struct buf arguments = {0};
    d->queue = r->captures[1];
    bool exclusive;
    if (name_fits(d->queue, a) && vhost_answer(r, r->captures[0], a) &&
        body_bool(r, "durable", false, &d->durable, a) && body_bool(r, "auto_delete", false, &d->auto_delete, a) &&
        body_bool(r, "exclusive", false, &exclusive, a) && body_table(r, "arguments", &arguments, a)) {
        json_t *before = find(r);
        d->arguments = buf_slice(&arguments);
        if (conversation_once(r, r->captures[0], &m, a)) answer_done(a, !before);
        json_decref(before);
    }
    buf_close(&arguments);
}

void api_queue_delete(struct request *r, struct answer *a)
{
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DELETE);
    m.queue_delete.queue = r->captures[1];
    m.queue_delete.if_unused = request_flag(r, "if-unused");
    m.queue_delete.if_empty = request_flag(r, "if-empty");
    if (queue_answer(r, a) && conversation_once(r, r->captures[0], &m, a)) answer_done(a, false);
}

void api_queue_purge(struct request *r, struct answer *a)
{
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_PURGE);
    m.queue_purge.queue = r->captures[1];
    if (queue_answer(r, a) && conversation_once(r, r->captures[0], &m, a)) answer_done(a, false);
}

/* Replicas are in step by themselves: both actions of classic mirrors are done before they are asked for. */
void api_queue_actions(struct request *r, struct answer *a)
{
    static const char *const needed[] = {"action", NULL};
    struct slice action = body_text(r, "action", "");
    if (!queue_answer(r, a) || !body_requires(r, needed, a)) return;
    if (slice_is(action, "sync") || slice_is(action, "cancel_sync")) answer_done(a, false);
    else answer_bad(a, "Unknown action %.*s", (int)action.size, (const char *)action.data);
}
