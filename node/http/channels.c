/* /api/channels and /api/consumers */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "node/http/families.h"
#include "node/http/peers.h"
#include "node/http/stats.h"

struct walk {
    uint64_t connection, channel; /* cursors: a slice may end between two channels of a connection */
    bool more, consumers;
    json_t *array;
};

json_t *channel_details(struct shard *s, const struct shard_connection_info *c, uint16_t number)
{
    char name[160];
    json_t *o = json_object();
    const char *arrow = strstr(c->session.peer, " -> ");
    snprintf(name, sizeof name, "%s (%u)", c->session.peer, number);
    json_put(o, "name", json_string(name));
    json_put(o, "number", json_integer(number));
    json_put(o, "connection_name", json_string(c->session.peer));
    json_put(o, "user", json_slice(c->session.user));
    json_put(o, "node", json_string(shard_settings(s)->name));
    const char *colon = arrow ? memrchr(c->session.peer, ':', (size_t)(arrow - c->session.peer)) : NULL;
    if (colon) {
        json_put(o, "peer_host", json_slice(slice_of(c->session.peer, (size_t)(colon - c->session.peer))));
        json_put(o, "peer_port", json_integer(atoi(colon + 1)));
    }
    return o;
}

static json_t *channel_json(struct shard *s, const struct shard_connection_info *c,
                            const struct session_channel_info *i)
{
    json_t *o = json_object(), *details = channel_details(s, c, i->number), *connection = json_object();
    static const char *const shared[] = {"peer_host", "peer_port"};
    json_put(connection, "name", json_string(c->session.peer));
    for (size_t k = 0; k < sizeof shared / sizeof shared[0]; k++)
        if (json_object_get(details, shared[k]))
            json_object_set(connection, shared[k], json_object_get(details, shared[k]));
    json_object_set(o, "name", json_object_get(details, "name"));
    json_decref(details);
    json_put(o, "connection_details", connection);
    json_put(o, "number", json_integer(i->number));
    json_put(o, "user", json_slice(c->session.user));
    json_put(o, "user_who_performed_action", json_slice(c->session.user));
    json_put(o, "vhost", json_slice(c->session.vhost));
    json_put(o, "node", json_string(shard_settings(s)->name));
    json_put(o, "state", json_string(c->session.blocked ? "flow" : "running"));
    json_put(o, "confirm", json_boolean(i->confirm));
    json_put(o, "transactional", json_boolean(i->transactional));
    json_put(o, "consumer_count", json_number(i->consumers));
    json_put(o, "messages_unacknowledged", json_number(i->unacked));
    json_put(o, "messages_unconfirmed", json_number(i->unconfirmed));
    json_put(o, "messages_uncommitted", json_number(i->uncommitted));
    json_put(o, "acks_uncommitted", json_number(i->acks_uncommitted));
    json_put(o, "prefetch_count", json_integer(i->prefetch));
    json_put(o, "global_prefetch_count", json_integer(i->global_prefetch));
    json_put(o, "pending_raft_commands", json_number(i->unconfirmed));
    struct stats stats = {0};
    stats_of_session(&stats, &i->stats);
    json_put(o, "message_stats", message_stats_json(&stats));
    return o;
}

static json_t *consumer_json(struct shard *s, const struct shard_connection_info *c, uint16_t channel,
                             const struct session_consumer_info *i)
{
    const struct queue_record *q = topology_queue_by_id(broker_topology(shard_broker(s)), i->queue);
    if (!q) return NULL;
    json_t *o = json_object(), *queue = json_object();
    json_put(queue, "name", json_slice(q->name));
    json_put(queue, "vhost", json_slice(q->vhost));
    json_put(o, "queue", queue);
    json_put(o, "channel_details", channel_details(s, c, channel));
    json_put(o, "consumer_tag", json_slice(i->tag));
    json_put(o, "ack_required", json_boolean(!i->no_ack));
    json_put(o, "exclusive", json_boolean(i->exclusive));
    json_put(o, "prefetch_count", json_integer(i->prefetch));
    json_put(o, "arguments", json_table(i->arguments));
    json_put(o, "active", json_true());
    json_put(o, "activity_status", json_string("up"));
    json_put(o, "consumer_id",
             json_integer(i->id)); /* with the port, for find_active(); taken out before it is shown */
    json_put(o, "port_id", json_number(broker_channel_port(c->broker, channel, i->group)));
    json_put(o, "consumer_timeout", json_null());
    return o;
}

static size_t add_consumers(struct walk *w, struct shard *s, const struct shard_connection_info *c, uint16_t channel)
{
    struct session_consumer_info info;
    size_t count = 0;
    for (size_t cursor = 0; session_next_consumer(c->handle, channel, &cursor, &info); count++) {
        json_t *o = consumer_json(s, c, channel, &info);
        if (o) json_array_append_new(w->array, o);
    }
    return count;
}

static void walk_slice(struct shard *s, void *arg)
{
    struct walk *w = arg;
    struct shard_connection_info c;
    struct session_channel_info channel;
    size_t made = 0;
    for (;;) {
        uint64_t before = w->connection;
        if (!shard_next_connection(s, &w->connection, &c)) break;
        while (made < HTTP_SLICE / 4 && session_next_channel(c.handle, &w->channel, &channel)) {
            made += w->consumers ? add_consumers(w, s, &c, channel.number) : 1;
            if (!w->consumers) json_array_append_new(w->array, channel_json(s, &c, &channel));
        }
        if (made >= HTTP_SLICE / 4) {
            w->connection = before; /* the same connection again, from this channel on */
            w->more = true;
            return;
        }
        w->channel = 0;
    }
    w->more = false;
}

static json_t *walk(struct http *h, bool consumers)
{
    struct walk w = {.array = json_array(), .consumers = consumers};
    for (uint16_t i = 0; i < node_settings(h->params.node)->shard_count; i++) {
        w.connection = w.channel = 0;
        do shard_call_any(node_shard(h->params.node, i), walk_slice, &w);
        while (w.more);
    }
    return w.array;
}

json_t *channels_here(struct http *h, const struct view *v)
{
    json_t *all = walk(h, false);
    for (size_t i = 0; i < json_array_size(all); i++) {
        char key[200];
        json_t *o = json_array_get(all, i);
        snprintf(key, sizeof key, "channel %s", json_string_value(json_object_get(o, "name")));
        sampler_details(h->sampler, key, v, RANGE_MSG_RATES, json_object_get(o, "message_stats"));
        sampler_put_idle(h->sampler, key, o);
    }
    return all;
}

json_t *consumers_here(struct http *h)
{
    return walk(h, true);
}

/* --- single active consumers: which one it is, the queue's replica here knows --- */

struct looking {
    json_t *consumers;
    size_t from, to;
};

static bool is_active(const struct queue_machine *m, uint64_t queue, uint64_t port, uint64_t id)
{
    struct consumer_stat stat;
    for (uint64_t cursor = 0; queue_machine_next_consumer(m, queue, &cursor, &stat);)
        if (stat.port == port && stat.consumer == id) return stat.active;
    return false;
}

static void look(struct shard *s, void *arg)
{
    struct looking *l = arg;
    struct broker *b = shard_broker(s);
    for (size_t i = l->from; i < l->to; i++) {
        json_t *o = json_array_get(l->consumers, i), *queue = json_object_get(o, "queue");
        const struct queue_record *q = topology_queue(broker_topology(b), slice_json(json_object_get(queue, "vhost")),
                                                      slice_json(json_object_get(queue, "name")));
        const struct queue_machine *m = q ? broker_queues(b, q->group) : NULL;
        const struct queue_settings *settings = m ? queue_machine_settings(m, q->id) : NULL;
        if (!settings || !settings->single_active_consumer) continue;
        bool active = is_active(m, q->id, (uint64_t)json_integer_value(json_object_get(o, "port_id")),
                                (uint64_t)json_integer_value(json_object_get(o, "consumer_id")));
        json_put(o, "active", json_boolean(active));
        json_put(o, "activity_status", json_string(active ? "single_active" : "waiting"));
    }
}

static json_t *consumers_everywhere(struct request *r)
{
    json_t *all = peers_list(r->http->peers, consumers_here(r->http), "consumers");
    for (size_t i = 0; i < json_array_size(all); i += HTTP_SLICE / 4) {
        size_t left = json_array_size(all) - i;
        struct looking l = {all, i, i + (left < HTTP_SLICE / 4 ? left : HTTP_SLICE / 4)};
        each_shard(r->http, look, &l);
    }
    for (size_t i = 0; i < json_array_size(all); i++) {
        json_object_del(json_array_get(all, i), "consumer_id");
        json_object_del(json_array_get(all, i), "port_id");
    }
    return all;
}

/* --- paths --- */

static json_t *channels_seen(struct request *r)
{
    json_t *all = peers_list_view(r, channels_here(r->http, &r->view), "channels");
    for (size_t i = json_array_size(all); i-- > 0 && !caller_monitors(r);)
        if (!slice_is(slice_json(json_object_get(json_array_get(all, i), "user")), r->caller.user))
            json_array_remove(all, i);
    return all;
}

void api_channels_list(struct request *r, struct answer *a)
{
    listing_answer_named(r, channels_seen(r), "name", a);
}

void api_channels_of_vhost(struct request *r, struct answer *a)
{
    if (vhost_answer(r, r->captures[0], a))
        listing_answer_named(r, listing_keep(channels_seen(r), NULL, "vhost", r->captures[0]), "name", a);
}

void api_channels_of_connection(struct request *r, struct answer *a)
{
    listing_answer_named(r, listing_keep(channels_seen(r), "connection_details", "name", r->captures[0]), "name", a);
}

/* The channel as rows name it; borrowed; NULL: none does. */
static json_t *details_of(const json_t *channel, const json_t *flows)
{
    for (size_t i = 0; i < json_array_size(flows); i++) {
        json_t *details = json_object_get(json_array_get(flows, i), "channel_details");
        if (details && json_equal(json_object_get(details, "name"), json_object_get(channel, "name"))) return details;
    }
    return NULL;
}

void api_channel_get(struct request *r, struct answer *a)
{
    json_t *found = listing_keep(channels_seen(r), NULL, "name", r->captures[0]), *one = json_array_get(found, 0);
    if (!one) {
        answer_not_found(a);
    } else {
        json_t *consumers = consumers_everywhere(r);
        json_t *flows = flows_everywhere(r), *self = details_of(one, flows);
        json_put(one, "publishes", flows_of(flows, "channel_details", self, "exchange"));
        json_put(one, "deliveries", flows_of(flows, "channel_details", self, "queue"));
        json_decref(flows);
        json_put(one, "consumer_details", listing_keep(consumers, "channel_details", "name", r->captures[0]));
        answer_json(a, columns_of(one, request_query(r, "columns")));
    }
    json_decref(found);
}

json_t *consumers_of_queue(struct request *r, struct slice vhost, struct slice name)
{
    json_t *all = consumers_everywhere(r);
    return listing_keep(listing_keep(all, "queue", "vhost", vhost), "queue", "name", name);
}

void api_consumers_list(struct request *r, struct answer *a)
{
    struct slice vhost = r->captures[0];
    if (vhost.data && !vhost_answer(r, vhost, a)) return;
    json_t *all = consumers_everywhere(r);
    if (vhost.data) listing_keep(all, "queue", "vhost", vhost);
    for (size_t i = json_array_size(all); i-- > 0;)
        if (!caller_sees(r, slice_json(json_object_get(json_object_get(json_array_get(all, i), "queue"), "vhost"))))
            json_array_remove(all, i);
    listing_answer_named(r, all, "channel_details.name,consumer_tag", a);
}
