/* /api/queues */
#include <stdio.h>

#include "base/mem.h"
#include "node/amqp/table.h"
#include "node/http/conversation.h"
#include "node/http/families.h"
#include "node/http/peers.h"
#include "node/http/queue_facts.h"
#include "node/http/stats.h"

static json_t *node_name(const struct members *m, uint8_t node)
{
    const char *name = m->names[node & (NODE_IDS - 1)];
    return json_slice(slice_str(name ? name : ""));
}

static void put_replicas(json_t *o, const struct members *m, const struct queue_facts *q)
{
    json_t *all = json_array(), *online = json_array();
    for (uint32_t i = 0; i < q->replica_count; i++) {
        json_array_append_new(all, node_name(m, q->replicas[i]));
        if (m->up[q->replicas[i] & (NODE_IDS - 1)]) json_array_append_new(online, node_name(m, q->replicas[i]));
    }
    json_put(o, "members", all);
    json_put(o, "online", online);
}

static void put_lengths(json_t *o, const struct queue_stat *s)
{
    json_put(o, "messages", json_number(s->ready + s->unacked + s->delayed));
    json_put(o, "messages_ready", json_number(s->ready));
    json_put(o, "messages_unacknowledged", json_number(s->unacked));
}

static void put_counts(json_t *o, const struct queue_stat *s)
{
    json_put(o, "messages_delayed", json_number(s->delayed)); /* for their next try; neither ready nor unacked */
    json_put(o, "messages_persistent", json_number(s->ready + s->unacked)); /* a replica keeps every message on disk */
    json_put(o, "message_bytes", json_number(s->ready_bytes + s->unacked_bytes + s->delayed_bytes));
    json_put(o, "message_bytes_ready", json_number(s->ready_bytes));
    json_put(o, "message_bytes_unacknowledged", json_number(s->unacked_bytes));
    json_put(o, "message_bytes_persistent", json_number(s->ready_bytes + s->unacked_bytes));
    json_put(o, "messages_dlx", json_number(s->dead_letters_pending));
    json_put(o, "consumers", json_number(s->consumers));
}

static void put_stats(json_t *o, struct http *h, const struct view *v, const struct queue_facts *q)
{
    char key[64];
    struct stats stats = {0};
    snprintf(key, sizeof key, "queue %llu", (unsigned long long)q->id);
    stats_of_queue(&stats, &q->stat);
    json_t *messages = message_stats_json(&stats);
    sampler_details(h->sampler, key, v, RANGE_MSG_RATES, messages);
    sampler_details(h->sampler, key, v, RANGE_LENGTHS, o);
    json_put(o, "message_stats", messages);
}

static json_t *name_or_null(const char *name)
{
    return name ? json_slice(slice_str(name)) : json_null();
}

static void put_policies(json_t *o, const struct queue_facts *q)
{
    json_put(o, "policy", name_or_null(q->policy));
    json_put(o, "operator_policy", name_or_null(q->operator_policy));
    json_put(o, "effective_policy_definition", q->definition ? json_incref(q->definition) : json_object());
}

/* What RabbitMQ's queues have and Warren's have no use for, so that tools find a number or a list. Every message is on
 * disk; what is in memory besides is not counted. */
static void put_fixed(json_t *o)
{
    static const char *const zeros[] = {"messages_ram",       "messages_ready_ram", "messages_unacknowledged_ram",
                                        "messages_paged_out", "message_bytes_ram",  "message_bytes_paged_out"};
    for (size_t i = 0; i < sizeof zeros / sizeof zeros[0]; i++) json_put(o, zeros[i], json_integer(0));

    json_put(o, "consumer_capacity", json_real(0));
    json_put(o, "consumer_utilisation", json_real(0));
    json_put(o, "exclusive_consumer_tag", json_null());
    json_put(o, "single_active_consumer_tag", json_null());
    json_put(o, "head_message_timestamp", json_null());
    json_put(o, "memory", json_integer(0));
    json_put(o, "reductions", json_integer(0));
    json_put(o, "garbage_collection", json_object());
    json_put(o, "slave_nodes", json_array());
    json_put(o, "synchronised_slave_nodes", json_array());
    json_put(o, "recoverable_slaves", json_array());
}

static json_t *queue_json(struct http *h, const struct view *v, const struct members *m, const struct queue_list *l,
                          const struct queue_facts *q)
{
    struct slice type = slice_str("classic"), arguments = queue_arguments_of(l, q);
    amqp_table_find_string(arguments, "x-queue-type", &type);
    json_t *o = json_object();
    json_put(o, "name", json_slice(queue_name(l, q)));
    json_put(o, "vhost", json_slice(queue_vhost(l, q)));
    json_put(o, "type", json_slice(type));
    json_put(o, "durable", json_boolean(q->durable));
    json_put(o, "auto_delete", json_boolean(q->auto_delete));
    json_put(o, "exclusive", json_boolean(q->exclusive));
    json_put(o, "arguments", json_table(arguments));
    json_put(o, "node", node_name(m, q->leader));
    json_put(o, "leader", node_name(m, q->leader));
    json_put(o, "leader_id", json_integer(q->leader));
    json_put(o, "group", json_integer(q->group));
    json_put(o, "state", json_string(q->leader ? "running" : "minority"));
    json_put(o, "here", json_boolean(q->here));
    put_replicas(o, m, q);
    put_policies(o, q);
    if (v->stats || v->totals) put_lengths(o, &q->stat);
    if (!v->stats) return o;
    put_counts(o, &q->stat);
    put_stats(o, h, v, q);
    put_fixed(o);
    return o;
}

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

/* The same list: RabbitMQ's shorter one leaves out what costs it much. A vhost of that name is reached by its queues.
 */
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
    if (!vhost_answer(r, r->captures[0], a)) return false;
    json_t *found = find(r);
    if (!found) answer_not_found(a);
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
    if (!vhost_answer(r, r->captures[0], a)) return;
    json_t *found = find(r);
    if (!found) {
        answer_not_found(a);
        return;
    }
    json_t *array = json_array();
    json_array_append_new(array, found);
    complete(r, array);
    found = json_array_get(array, 0);
    if (r->view.stats) {
        put_consumers(found, consumers_of_queue(r, r->captures[0], r->captures[1]));
        json_put(found, "incoming", json_array());
        json_put(found, "deliveries", json_array());
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
