/* /api/connections */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "node/http/families.h"
#include "node/http/peers.h"
#include "node/http/stats.h"

struct walk {
    struct http *http;
    uint64_t cursor;
    bool more;
    json_t *array;
};

/* "127.0.0.1:40312" or "[::1]:40312" */
static void put_address(json_t *o, const char *host, const char *port, struct slice text)
{
    size_t colon = text.size;
    while (colon && text.data[colon - 1] != ':') colon--;
    struct slice name = slice_of(text.data, colon ? colon - 1 : 0);
    if (name.size > 2 && name.data[0] == '[') name = slice_of(name.data + 1, name.size - 2);
    json_put(o, host, json_slice(name));
    char digits[8] = "";
    snprintf(digits, sizeof digits, "%.*s", (int)(text.size - colon), (const char *)text.data + colon);
    json_put(o, port, json_integer(atoi(digits)));
}

void connection_put_ends(json_t *o, const char *name)
{
    const char *arrow = strstr(name, " -> ");
    if (!arrow) return;
    put_address(o, "peer_host", "peer_port", slice_of(name, (size_t)(arrow - name)));
    put_address(o, "host", "port", slice_str(arrow + 4));
}

static json_t *text_or_null(const char *text)
{
    return text ? json_slice(slice_str(text)) : json_null();
}

static json_t *slice_or_null(struct slice text)
{
    return text.size ? json_slice(text) : json_null();
}

static void put_tls(json_t *o, const struct session_tls *tls)
{
    static const struct session_tls none;
    json_put(o, "ssl", json_boolean(tls));
    if (!tls) tls = &none;
    json_put(o, "ssl_protocol", text_or_null(tls->protocol));
    json_put(o, "ssl_key_exchange", text_or_null(tls->key_exchange));
    json_put(o, "ssl_cipher", text_or_null(tls->cipher));
    json_put(o, "ssl_hash", text_or_null(tls->hash));
    json_put(o, "peer_cert_subject", slice_or_null(tls->subject));
    json_put(o, "peer_cert_issuer", slice_or_null(tls->issuer));
    json_put(o, "peer_cert_validity", slice_or_null(tls->validity));
}

static json_t *connection_json(struct shard *s, const struct shard_connection_info *i)
{
    json_t *o = json_object();
    json_put(o, "name", json_string(i->session.peer));
    json_put(o, "user_provided_name", json_slice(i->session.connection_name));
    json_put(o, "node", json_string(shard_settings(s)->name));
    json_put(o, "shard", json_integer(shard_id(s)));
    json_put(o, "vhost", json_slice(i->session.vhost));
    json_put(o, "user", json_slice(i->session.user));
    json_put(o, "user_who_performed_action", json_slice(i->session.user));
    json_put(o, "state", json_string(!i->session.open ? "starting" : i->session.blocked ? "blocked" : "running"));
    json_put(o, "protocol", json_string("AMQP 0-9-1"));
    json_put(o, "auth_mechanism", json_slice(i->session.mechanism));
    json_put(o, "channels", json_integer(i->session.channels));
    json_put(o, "channel_max", json_integer(i->session.channel_max));
    json_put(o, "frame_max", json_integer(i->session.frame_max));
    json_put(o, "timeout", json_integer(i->session.heartbeat_s));
    json_put(o, "connected_at", json_number(i->connected_at_ms));
    json_put(o, "recv_oct", json_number(i->bytes_in));
    json_put(o, "send_oct", json_number(i->bytes_out));
    json_put(o, "recv_cnt", json_number(i->session.received_frames));
    json_put(o, "send_cnt", json_number(i->session.sent_frames));
    json_put(o, "send_pend", json_integer(0));
    json_put(o, "client_properties", json_table(i->session.client_properties));
    json_put(o, "type", json_string("network"));
    json_put(o, "reductions", json_integer(0));
    json_put(o, "garbage_collection", json_object());
    connection_put_ends(o, i->session.peer);
    put_tls(o, i->session.tls);
    return o;
}

static void walk_slice(struct shard *s, void *arg)
{
    struct walk *w = arg;
    struct shard_connection_info info;
    w->more = true;
    for (unsigned i = 0; i < HTTP_SLICE / 4 && (w->more = shard_next_connection(s, &w->cursor, &info)); i++)
        json_array_append_new(w->array, connection_json(s, &info));
}

static void put_rates(struct http *h, const struct view *v, json_t *o)
{
    char key[160];
    snprintf(key, sizeof key, "connection %s", json_string_value(json_object_get(o, "name")));
    sampler_details(h->sampler, key, v, RANGE_DATA_RATES, o);
}

json_t *connections_here(struct http *h, const struct view *v)
{
    struct walk w = {.http = h, .array = json_array()};
    for (uint16_t i = 0; i < node_settings(h->params.node)->shard_count; i++) {
        w.cursor = 0;
        do shard_call_any(node_shard(h->params.node, i), walk_slice, &w);
        while (w.more);
    }
    for (size_t i = 0; i < json_array_size(w.array); i++) put_rates(h, v, json_array_get(w.array, i));
    return w.array;
}

/* Those that the caller may see: monitoring sees all, others their own. */
json_t *connections_seen(struct request *r)
{
    json_t *all = peers_list_view(r, connections_here(r->http, &r->view), "connections");
    for (size_t i = json_array_size(all); i-- > 0 && !caller_monitors(r);)
        if (!slice_is(slice_json(json_object_get(json_array_get(all, i), "user")), r->caller.user))
            json_array_remove(all, i);
    return all;
}

void api_connections_list(struct request *r, struct answer *a)
{
    listing_answer_named(r, connections_seen(r), "vhost,name", a);
}

void api_connections_of_vhost(struct request *r, struct answer *a)
{
    if (vhost_answer(r, r->captures[0], a))
        listing_answer_named(r, listing_keep(connections_seen(r), NULL, "vhost", r->captures[0]), "vhost,name", a);
}

void api_connections_of_user(struct request *r, struct answer *a)
{
    listing_answer_named(r, listing_keep(connections_seen(r), NULL, "user", r->captures[0]), "vhost,name", a);
}

/* New; NULL when there is none. */
static json_t *find(struct request *r)
{
    json_t *found = listing_keep(connections_seen(r), NULL, "name", r->captures[0]);
    json_t *first = json_incref(json_array_get(found, 0));
    json_decref(found);
    return first;
}

void api_connection_get(struct request *r, struct answer *a)
{
    json_t *found = find(r);
    if (found) answer_json(a, columns_of(found, request_query(r, "columns")));
    else answer_not_found(a);
    json_decref(found);
}

/* --- closing --- */

struct close_call {
    struct slice name, reason;
    bool closed;
};

static void close_one(struct shard *s, void *arg)
{
    struct close_call *c = arg;
    if (!c->closed) c->closed = shard_close_connection(s, c->name, c->reason);
}

bool connection_close_here(struct http *h, struct slice name, struct slice reason)
{
    struct close_call c = {name, reason, false};
    each_shard(h, close_one, &c);
    return c.closed;
}

static void close_anywhere(struct request *r, struct slice name)
{
    const char *given = request_header(r, "X-Reason");
    const char *reason = given && *given ? given : "Closed via management plugin";
    if (connection_close_here(r->http, name, slice_str(reason))) return;
    struct buf question = {0};
    buf_printf(&question, "close\n%.*s\n%s", (int)name.size, (const char *)name.data, reason);
    buf_put_u8(&question, 0);
    json_decref(peers_ask(r->http->peers, (const char *)question.data));
    buf_close(&question);
}

void api_connection_delete(struct request *r, struct answer *a)
{
    json_t *found = find(r);
    if (found) {
        close_anywhere(r, r->captures[0]);
        answer_done(a, false);
    } else {
        answer_not_found(a);
    }
    json_decref(found);
}

void api_connections_of_user_delete(struct request *r, struct answer *a)
{
    json_t *found = listing_keep(connections_seen(r), NULL, "user", r->captures[0]);
    for (size_t i = 0; i < json_array_size(found); i++)
        close_anywhere(r, slice_json(json_object_get(json_array_get(found, i), "name")));
    json_decref(found);
    answer_done(a, false);
}
