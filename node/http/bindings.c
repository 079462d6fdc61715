/* /api/bindings, and the bindings of one exchange or queue. */
#include <ctype.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/mem.h"
#include "node/http/conversation.h"

/* What is looked for; data NULL: any. */
struct filter {
    struct slice vhost, source, destination, properties;
    bool has_type, to_exchange;
};

struct walk {
    struct filter filter;
    uint64_t cursor;
    json_t *array;
    struct buf *key, *arguments; /* of the first that fits, as it was declared; NULL: not wanted */
    bool more;
};

/* --- the name of a binding between two ends: its routing key, and a short hash of its arguments --- */

static void put_quoted(struct buf *b, struct slice key)
{
    for (size_t i = 0; i < key.size; i++) {
        unsigned char c = key.data[i];
        if (isalnum(c) || c == '.' || c == '-' || c == '_') buf_put_u8(b, c);
        else if (c == ' ') buf_put_u8(b, '+');
        else buf_printf(b, "%%%02X", c);
    }
}

static void put_hash(struct buf *b, struct slice arguments)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint64_t hash = hash_bytes(arguments.data, arguments.size, 0);
    for (unsigned i = 0; i < 6; i++) buf_put_u8(b, (uint8_t)digits[hash >> (6 * i) & 63]);
}

static void put_properties_key(struct buf *b, const struct binding *binding)
{
    put_quoted(b, binding->routing_key);
    if (binding->arguments.size || !binding->routing_key.size) buf_put_u8(b, '~');
    if (binding->arguments.size) put_hash(b, binding->arguments);
}

/* --- walks --- */

static json_t *binding_json(const struct binding *b, struct slice properties)
{
    json_t *o = json_object();
    json_put(o, "source", json_slice(b->source));
    json_put(o, "vhost", json_slice(b->vhost));
    json_put(o, "destination", json_slice(b->destination));
    json_put(o, "destination_type", json_string(b->to_exchange ? "exchange" : "queue"));
    json_put(o, "routing_key", json_slice(b->routing_key));
    json_put(o, "arguments", json_table(b->arguments));
    json_put(o, "properties_key", json_slice(properties));
    return o;
}

static bool fits(struct slice wanted, struct slice given)
{
    return !wanted.data || slice_equal(wanted, given);
}

static void consider(struct walk *w, const struct binding *b)
{
    const struct filter *f = &w->filter;
    if (!fits(f->vhost, b->vhost) || !fits(f->source, b->source) || !fits(f->destination, b->destination) ||
        (f->has_type && f->to_exchange != b->to_exchange))
        return;
    struct buf properties = {0};
    put_properties_key(&properties, b);
    if (fits(f->properties, buf_slice(&properties))) {
        if (w->key && !json_array_size(w->array)) {
            buf_put_slice(w->key, b->routing_key);
            buf_put_slice(w->arguments, b->arguments);
        }
        json_array_append_new(w->array, binding_json(b, buf_slice(&properties)));
    }
    buf_close(&properties);
}

/* Every queue is bound to the default exchange by its name. */
static void list_implicit(struct shard *s, void *arg)
{
    struct walk *w = arg;
    const struct queue_record *q = NULL;
    struct topology *t = broker_topology(shard_broker(s));
    for (unsigned i = 0; i < HTTP_SLICE && (q = topology_next_queue(t, &w->cursor)); i++)
        if (!topology_is_reply_queue(q->name))
            consider(w,
                     &(struct binding){
                         .vhost = q->vhost, .source = slice_str(""), .destination = q->name, .routing_key = q->name});
    w->more = q != NULL;
}

static void list_explicit(struct shard *s, void *arg)
{
    struct walk *w = arg;
    struct binding b;
    struct topology *t = broker_topology(shard_broker(s));
    unsigned i = 0;
    w->more = true;
    while (i++ < HTTP_SLICE && (w->more = topology_next_binding(t, &w->cursor, &b))) consider(w, &b);
}

static json_t *collect(struct request *r, const struct filter *filter, struct buf *key, struct buf *arguments)
{
    struct walk w = {.filter = *filter, .array = json_array(), .key = key, .arguments = arguments, .more = true};
    struct shard *s = node_shard(r->http->params.node, 0);
    bool implicit = (!filter->source.data || !filter->source.size) && !(filter->has_type && filter->to_exchange);
    while (implicit && w.more) shard_call_any(s, list_implicit, &w);
    w.cursor = 0;
    w.more = !filter->source.data || filter->source.size;
    while (w.more) shard_call_any(s, list_explicit, &w);
    return w.array;
}

static void answer_list(struct request *r, const struct filter *filter, struct answer *a)
{
    struct listing listing;
    if (!listing_open(&listing, r, a)) return;
    json_t *found = caller_filter(r, collect(r, filter, NULL, NULL));
    listing_answer(&listing, found, json_array_size(found), "", a);
}

void api_bindings_list(struct request *r, struct answer *a)
{
    struct filter f = {.vhost = r->captures[0]};
    if (!f.vhost.data || vhost_answer(r, f.vhost, a)) answer_list(r, &f, a);
}

void api_exchange_bindings_source(struct request *r, struct answer *a)
{
    struct filter f = {.vhost = r->captures[0], .source = exchange_name_of(r->captures[1])};
    if (exchange_answer(r, a)) answer_list(r, &f, a);
}

void api_exchange_bindings_destination(struct request *r, struct answer *a)
{
    struct filter f = {.vhost = r->captures[0],
                       .destination = exchange_name_of(r->captures[1]),
                       .has_type = true,
                       .to_exchange = true};
    if (exchange_answer(r, a)) answer_list(r, &f, a);
}

void api_queue_bindings(struct request *r, struct answer *a)
{
    struct filter f = {.vhost = r->captures[0], .destination = r->captures[1], .has_type = true};
    if (queue_answer(r, a)) answer_list(r, &f, a);
}

/* --- between two ends: {vhost} {source} {q or e} {destination} {properties} --- */

struct ends {
    struct slice vhost, source, destination;
    bool to_exchange, exist;
};

static void look(struct shard *s, void *arg)
{
    struct ends *e = arg;
    struct topology *t = broker_topology(shard_broker(s));
    e->exist = topology_exchange(t, e->vhost, e->source) &&
               (e->to_exchange ? topology_exchange(t, e->vhost, e->destination) != NULL
                               : topology_queue(t, e->vhost, e->destination) != NULL);
}

/* False: answered. */
static bool find_ends(struct request *r, struct filter *f, struct answer *a)
{
    const struct slice *c = r->captures;
    bool to_exchange = slice_is(c[2], "e");
    struct ends e = {c[0], exchange_name_of(c[1]), to_exchange ? exchange_name_of(c[3]) : c[3], to_exchange, false};
    *f = (struct filter){e.vhost, e.source, e.destination, c[4], true, to_exchange};
    if (!to_exchange && !slice_is(c[2], "q")) {
        answer_not_found(a);
        return false;
    }
    if (!vhost_answer(r, e.vhost, a)) return false;
    shard_call_any(node_shard(r->http->params.node, 0), look, &e);
    if (!e.exist && r->method != HTTP_POST) answer_not_found(a);
    return e.exist || r->method == HTTP_POST;
}

void api_bindings_between_list(struct request *r, struct answer *a)
{
    struct filter f;
    if (find_ends(r, &f, a)) answer_list(r, &f, a);
}

static void fill_bind(struct amqp_method *m, const struct filter *f, bool unbind, struct slice key, struct slice table)
{
    *m = amqp_method_of(f->to_exchange ? (unbind ? AMQP_EXCHANGE_UNBIND : AMQP_EXCHANGE_BIND)
                                       : (unbind ? AMQP_QUEUE_UNBIND : AMQP_QUEUE_BIND));
    if (f->to_exchange) {
        m->exchange_bind = (struct amqp_exchange_bind){
            .destination = f->destination, .source = f->source, .routing_key = key, .arguments = table};
    } else if (unbind) {
        m->queue_unbind = (struct amqp_queue_unbind){
            .queue = f->destination, .exchange = f->source, .routing_key = key, .arguments = table};
    } else {
        m->queue_bind = (struct amqp_queue_bind){
            .queue = f->destination, .exchange = f->source, .routing_key = key, .arguments = table};
    }
}

/* Relative to the path, and quoted once more than properties_key is, as RabbitMQ's. */
static char *location_of(const struct filter *f, struct slice properties)
{
    struct buf b = {0};
    put_quoted(&b, f->destination);
    buf_put_u8(&b, '/');
    for (size_t i = 0; i < properties.size; i++) {
        if (properties.data[i] == '%') buf_put(&b, "%25", 3);
        else if (properties.data[i] == '+') buf_put(&b, "%2B", 3);
        else buf_put_u8(&b, properties.data[i]);
    }
    char *text = mem_strndup((const char *)b.data, b.size);
    buf_close(&b);
    return text;
}

void api_binding_post(struct request *r, struct answer *a)
{
    struct filter f;
    struct amqp_method m;
    struct buf arguments = {0}, properties = {0};
    struct slice key = body_text(r, "routing_key", "");
    if (find_ends(r, &f, a) && name_fits(f.source, a) && name_fits(f.destination, a) && name_fits(key, a) &&
        body_table(r, "arguments", &arguments, a)) {
        struct binding b = {.routing_key = key, .arguments = buf_slice(&arguments)};
        fill_bind(&m, &f, false, key, b.arguments);
        if (conversation_once(r, f.vhost, &m, a)) {
            put_properties_key(&properties, &b);
            a->location = location_of(&f, buf_slice(&properties));
            answer_done(a, true);
        }
    }
    buf_close(&arguments);
    buf_close(&properties);
}

void api_binding_get(struct request *r, struct answer *a)
{
    struct filter f;
    if (!find_ends(r, &f, a)) return;
    json_t *found = collect(r, &f, NULL, NULL);
    if (json_array_size(found)) answer_json(a, json_incref(json_array_get(found, 0)));
    else answer_not_found(a);
    json_decref(found);
}

void api_binding_delete(struct request *r, struct answer *a)
{
    struct filter f;
    struct buf key = {0}, arguments = {0};
    struct amqp_method m;
    if (!find_ends(r, &f, a)) return;
    json_t *found = collect(r, &f, &key, &arguments);
    if (!json_array_size(found)) {
        answer_not_found(a);
    } else {
        fill_bind(&m, &f, true, buf_slice(&key), buf_slice(&arguments));
        if (conversation_once(r, f.vhost, &m, a)) answer_done(a, false);
    }
    json_decref(found);
    buf_close(&key);
    buf_close(&arguments);
}
