/* /api/exchanges */
#include "node/http/conversation.h"
#include "node/http/families.h"
#include "router/policy.h"

struct walk {
    const struct request *request;
    const struct listing *listing;
    struct slice vhost; /* data NULL: all */
    uint64_t cursor;
    json_t *array;
    size_t total;
    bool more;
};

struct lookup {
    struct slice vhost, name;
    json_t *found; /* NULL: there is none */
};

struct slice exchange_name_of(struct slice segment)
{
    return slice_is(segment, "amq.default") ? slice_str("") : segment;
}

json_t *exchange_declared(const struct exchange *x)
{
    json_t *o = json_object();
    json_put(o, "name", json_slice(x->name));
    json_put(o, "vhost", json_slice(x->vhost));
    json_put(o, "type", json_slice(x->type));
    json_put(o, "durable", json_boolean(x->durable));
    json_put(o, "auto_delete", json_boolean(x->auto_delete));
    json_put(o, "internal", json_boolean(x->internal));
    json_put(o, "arguments", json_table(x->arguments));
    return o;
}

static json_t *exchange_json(const struct topology *t, const struct exchange *x)
{
    struct policy_match match;
    json_t *o = exchange_declared(x);
    policy_of_exchange(t, x, &match);
    if (match.policy) json_put(o, "policy", json_slice(match.policy->name));
    return o;
}

static void list_slice(struct shard *s, void *arg)
{
    struct walk *w = arg;
    struct topology *t = broker_topology(shard_broker(s));
    const struct exchange *x = NULL;
    for (unsigned i = 0; i < HTTP_SLICE && (x = topology_next_exchange(t, &w->cursor)); i++) {
        if (w->vhost.data && !slice_equal(w->vhost, x->vhost)) continue;
        w->total++;
        if (listing_wants(w->listing, x->name)) json_array_append_new(w->array, exchange_json(t, x));
    }
    w->more = x != NULL;
}

void api_exchanges_list(struct request *r, struct answer *a)
{
    struct listing listing;
    struct walk w = {.request = r, .listing = &listing, .vhost = r->captures[0], .array = json_array()};
    if (!listing_open(&listing, r, a)) return;
    if (w.vhost.data && !vhost_answer(r, w.vhost, a)) {
        listing_close(&listing);
        json_decref(w.array);
        return;
    }
    do shard_call_any(node_shard(r->http->params.node, 0), list_slice, &w);
    while (w.more);
    w.array = caller_filter(r, w.array);
    exchange_stats_put(r, w.array);
    listing_answer(&listing, w.array, w.total, "vhost,name", a);
}

static void look(struct shard *s, void *arg)
{
    struct lookup *l = arg;
    const struct topology *t = broker_topology(shard_broker(s));
    const struct exchange *x = topology_exchange(t, l->vhost, l->name);
    if (x) l->found = exchange_json(t, x);
}

static json_t *find(struct request *r)
{
    struct lookup l = {r->captures[0], exchange_name_of(r->captures[1]), NULL};
    shard_call_any(node_shard(r->http->params.node, 0), look, &l);
    return l.found;
}

bool exchange_answer(struct request *r, struct answer *a)
{
    json_t *found = find_or_answer(r, find, a);
    json_decref(found);
    return found != NULL;
}

void api_exchange_get(struct request *r, struct answer *a)
{
    json_t *found = find_or_answer(r, find, a);
    if (!found) return;
    json_t *array = json_array();
    json_array_append(array, found);
    exchange_stats_put(r, array);
    json_decref(array);
    json_t *flows = flows_everywhere(r), *self = columns_of(found, "name,vhost");
    json_put(found, "incoming", flows_of(flows, "exchange", self, "channel_details"));
    json_put(found, "outgoing", flows_of(flows, "exchange", self, "queue"));
    json_decref(self);
    json_decref(flows);
    answer_json(a, columns_of(found, request_query(r, "columns")));
    json_decref(found);
}

void api_exchange_put(struct request *r, struct answer *a)
{
    struct amqp_method m = amqp_method_of(AMQP_EXCHANGE_DECLARE);
    struct amqp_exchange_declare *d = &m.exchange_declare;
    struct buf arguments = {0};
    d->exchange = exchange_name_of(r->captures[1]);
    d->type = body_text(r, "type", "direct");
    bool fine = name_fits(d->exchange, a) && name_fits(d->type, a) && vhost_answer(r, r->captures[0], a) &&
                body_bool(r, "durable", false, &d->durable, a) &&
                body_bool(r, "auto_delete", false, &d->auto_delete, a) &&
                body_bool(r, "internal", false, &d->internal, a) && body_table(r, "arguments", &arguments, a);
    if (fine) {
        json_t *before = find(r);
        d->arguments = buf_slice(&arguments);
        if (conversation_once(r, r->captures[0], &m, a)) answer_done(a, !before);
        json_decref(before);
    }
    buf_close(&arguments);
}

void api_exchange_delete(struct request *r, struct answer *a)
{
    struct amqp_method m = amqp_method_of(AMQP_EXCHANGE_DELETE);
    m.exchange_delete.exchange = exchange_name_of(r->captures[1]);
    m.exchange_delete.if_unused = request_flag(r, "if-unused");
    if (exchange_answer(r, a) && conversation_once(r, r->captures[0], &m, a)) answer_done(a, false);
}
