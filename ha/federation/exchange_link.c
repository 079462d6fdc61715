#include "ha/federation/exchange_link.h"

#include "base/map.h"
#include "base/mem.h"
#include "ha/federation/exchange_link_internal.h"
#include "ha/federation/marks.h"
#include "router/federation.h"

enum { RECONNECT_MIN_MS = 100 };

static void opened(struct bridge *b, enum bridge_side side);
static void closed(struct bridge *b, enum bridge_side side, const struct client_event *e);
static void running(struct bridge *b);

static const struct bridge_type type = {
    .opened = opened, .event = exchange_link_setup_event, .closed = closed, .running = running};

static struct exchange_link *of(struct bridge *b)
{
    return (struct exchange_link *)(void *)b;
}

struct exchange_link *exchange_link_create(struct federated *federated, const struct bridge_host *host, void *host_self,
                                           uint64_t now_ms)
{
    struct exchange_link *l = mem_zalloc(sizeof *l);
    struct buf text = {0};
    l->federated = *federated;
    *federated = (struct federated){0};
    federated_put_connection_name(&text, &l->federated);
    l->connection_name = mem_strndup((const char *)text.data, text.size);
    buf_close(&text);
    bridge_init(&l->bridge, &type, host, host_self, now_ms);
    federation_prepare(&l->bridge, &l->federated, &l->local);
    l->bridge.name = l->connection_name;
    return l;
}

void federation_prepare(struct bridge *b, struct federated *f, struct client_uri *local)
{
    struct upstream *u = &f->upstream;
    for (size_t i = 0; i < u->uris.count; i++) { /* a URI without a path means the vhost of the same name */
        struct client_uri *uri = &u->uris.uris[i];
        if (uri->vhost_given) continue;
        mem_free(uri->vhost);
        uri->vhost = mem_strdup(f->vhost);
    }
    *local = (struct client_uri){.local = true,
                                 .host = mem_strdup(""),
                                 .vhost = mem_strdup(f->vhost),
                                 .mechanisms = CLIENT_PLAIN,
                                 .timeout_ms = 60000};
    b->ack_mode = (uint8_t)upstream_ack_mode(u);
    b->reconnect_ms = u->reconnect_delay_s ? (uint64_t)u->reconnect_delay_s * 1000 : RECONNECT_MIN_MS;
    b->ends[BRIDGE_SOURCE].uris = u->uris.uris;
    b->ends[BRIDGE_SOURCE].uri_count = u->uris.count;
    b->ends[BRIDGE_DEST].uris = local;
    b->ends[BRIDGE_DEST].uri_count = 1;
}

static void forget_bindings(struct exchange_link *l)
{
    size_t at = 0;
    struct mirrored *m;
    while ((m = map_str_next(&l->bindings, &at, NULL))) mem_free(m);
    map_str_close(&l->bindings);
}

void exchange_link_destroy(struct exchange_link *l)
{
    bridge_close(&l->bridge);
    forget_bindings(l);
    client_uri_close(&l->local);
    federated_close(&l->federated);
    mem_free(l->connection_name);
    buf_close(&l->queue);
    buf_close(&l->internal);
    buf_close(&l->properties);
    buf_close(&l->uri);
    mem_free(l);
}

struct bridge *exchange_link_bridge(struct exchange_link *l)
{
    return &l->bridge;
}

const struct federated *exchange_link_federated(const struct exchange_link *l)
{
    return &l->federated;
}

/* --- setting up: the rest is in exchange_link_setup.c --- */

static void opened(struct bridge *b, enum bridge_side side)
{
    struct exchange_link *l = of(b);
    if (side == BRIDGE_SOURCE) exchange_link_setup_begin(l);
    else if (b->ack_mode != RELAY_ON_CONFIRM) bridge_ready(b, side);
    else {
        struct amqp_method m = amqp_method_of(AMQP_CONFIRM_SELECT);
        client_send(b->ends[side].client, BRIDGE_CHANNEL, &m, TOKEN_CONFIRM);
    }
}

/* RabbitMQ without the federation plugin does not know the exchange type: 503 for the connection up to 3.13, 406 for
 * the channel since 4.0. */
void exchange_link_refused(struct exchange_link *l, const struct client_event *e)
{
    static const char unknown[] = "x-federation-upstream";
    if (l->step != STEP_DECLARE || !e->text.size || !memmem(e->text.data, e->text.size, unknown, sizeof unknown - 1))
        return;
    if (e->reply_code == AMQP_COMMAND_INVALID || e->reply_code == AMQP_PRECONDITION_FAILED) l->fanout = true;
}

static void closed(struct bridge *b, enum bridge_side side, const struct client_event *e)
{
    if (side == BRIDGE_SOURCE) exchange_link_refused(of(b), e);
}

static void running(struct bridge *b)
{
    struct exchange_link *l = of(b);
    struct amqp_method m = amqp_method_of(AMQP_BASIC_CONSUME);
    m.basic_consume.queue = buf_slice(&l->queue);
    m.basic_consume.no_ack = b->ack_mode == RELAY_NO_ACK;
    buf_clear(&l->uri);
    client_uri_public(&l->uri, bridge_uri(b, BRIDGE_SOURCE));
    client_send(b->ends[BRIDGE_SOURCE].client, BRIDGE_CHANNEL, &m, TOKEN_NONE);
    exchange_link_mirror(l); /* what changed while it was set up */
    b->wake_ms = b->now_ms + EXCHANGE_LINK_PROBE_MS;
}

void exchange_link_turn(struct exchange_link *l, uint64_t now_ms)
{
    struct bridge *b = &l->bridge;
    if (bridge_may_forward(b) && now_ms >= b->wake_ms) {
        exchange_link_probe(l);
        b->wake_ms = now_ms + EXCHANGE_LINK_PROBE_MS;
    }
    bridge_turn(b, now_ms);
}

/* --- messages --- */

void exchange_link_deliver(struct exchange_link *l, const struct client_event *e)
{
    const struct federated *f = &l->federated;
    const struct amqp_basic_deliver *from = &e->method->basic_deliver;
    struct marks_source source = {.uri = buf_slice(&l->uri),
                                  .exchange = federated_upstream_name(f),
                                  .cluster_name = exchange_link_upstream_cluster(l),
                                  .vhost = slice_str(bridge_uri(&l->bridge, BRIDGE_SOURCE)->vhost),
                                  .redelivered = from->redelivered,
                                  .trust_user_id = f->upstream.trust_user_id};
    struct amqp_method m = amqp_method_of(AMQP_BASIC_PUBLISH);
    if (!bridge_may_forward(&l->bridge)) return;
    /* An upstream without the federation plugin has a plain fanout there: the rule must hold here too. */
    if (!federation_may_travel(marks_headers(e->properties), f->upstream.max_hops, slice_str(f->cluster_name),
                               slice_str(f->vhost))) {
        bridge_drop(&l->bridge, from->delivery_tag);
        return;
    }
    buf_clear(&l->properties);
    if (!marks_put_exchange(&l->properties, e->properties, &source)) {
        bridge_fail(&l->bridge, "upstream: the properties of a message cannot be read");
        return;
    }
    m.basic_publish.exchange = slice_str(f->name);
    m.basic_publish.routing_key = from->routing_key;
    bridge_forward(&l->bridge, from->delivery_tag, &m, buf_slice(&l->properties), e->body);
}

/* --- bindings --- */

void exchange_link_bindings_begin(struct exchange_link *l)
{
    size_t at = 0;
    struct mirrored *m;
    while ((m = map_str_next(&l->bindings, &at, NULL))) m->wanted = false;
}

/* Routing key and arguments, as one map key. */
void exchange_link_binding(struct exchange_link *l, struct slice routing_key, struct slice arguments)
{
    uint8_t key[2048];
    size_t size = 1 + routing_key.size + arguments.size;
    uint8_t *text = size <= sizeof key ? key : mem_alloc(size);
    text[0] = (uint8_t)routing_key.size;
    memcpy(text + 1, routing_key.data, routing_key.size);
    if (arguments.size) memcpy(text + 1 + routing_key.size, arguments.data, arguments.size);
    struct mirrored *m = map_str_get(&l->bindings, slice_of(text, size));
    if (!m) {
        m = mem_zalloc(sizeof *m + size);
        m->size = size;
        memcpy(m->text, text, size);
        map_str_set(&l->bindings, slice_of(m->text, size), m);
    }
    m->wanted = true;
    if (text != key) mem_free(text);
}

void exchange_link_bindings_end(struct exchange_link *l)
{
    l->bindings_told = true;
    if (!l->bridge.ends[BRIDGE_SOURCE].client) return;
    if (l->step == STEP_DONE && bridge_may_forward(&l->bridge)) exchange_link_mirror(l);
    else if (l->step == STEP_WAIT_FOR_BINDINGS) exchange_link_setup_bindings(l);
}

size_t exchange_link_binding_count(const struct exchange_link *l)
{
    return l->bindings.count;
}
