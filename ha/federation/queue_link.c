#include "ha/federation/queue_link.h"

#include "base/mem.h"
#include "ha/federation/exchange_link_internal.h"
#include "ha/federation/marks.h"
#include "node/amqp/frame.h"
#include "node/amqp/table.h"

enum { UPSTREAM_PRIORITY = -1 };

struct queue_link {
    struct bridge bridge; /* first: the type's functions get it */
    struct federated federated;
    struct client_uri local;
    char *connection_name;
    bool wanted, consuming;
    struct buf tag, properties, uri;
};

static void opened(struct bridge *b, enum bridge_side side);
static void on_event(struct bridge *b, enum bridge_side side, const struct client_event *e);
static void running(struct bridge *b);

static const struct bridge_type type = {.opened = opened, .event = on_event, .running = running};

static struct queue_link *of(struct bridge *b)
{
    return (struct queue_link *)(void *)b;
}

struct queue_link *queue_link_create(struct federated *federated, const struct bridge_host *host, void *host_self,
                                     uint64_t now_ms)
{
    struct queue_link *l = mem_zalloc(sizeof *l);
    struct buf text = {0};
    l->federated = *federated;
    *federated = (struct federated){0};
    const struct upstream *u = &l->federated.upstream;
    federated_put_connection_name(&text, &l->federated);
    l->connection_name = mem_strndup((const char *)text.data, text.size);
    buf_close(&text);
    buf_printf(&l->tag, "federation-link-%s", u->name);
    if (u->consumer_tag) {
        buf_clear(&l->tag);
        buf_put_slice(&l->tag, slice_str(u->consumer_tag));
    }
    if (l->tag.size > AMQP_SHORTSTR_MAX) l->tag.size = AMQP_SHORTSTR_MAX;
    bridge_init(&l->bridge, &type, host, host_self, now_ms);
    federation_prepare(&l->bridge, &l->federated, &l->local);
    l->bridge.name = l->connection_name;
    return l;
}

void queue_link_destroy(struct queue_link *l)
{
    bridge_close(&l->bridge);
    client_uri_close(&l->local);
    federated_close(&l->federated);
    mem_free(l->connection_name);
    buf_close(&l->tag);
    buf_close(&l->properties);
    buf_close(&l->uri);
    mem_free(l);
}

struct bridge *queue_link_bridge(struct queue_link *l)
{
    return &l->bridge;
}

const struct federated *queue_link_federated(const struct queue_link *l)
{
    return &l->federated;
}

bool queue_link_is_consuming(const struct queue_link *l)
{
    return l->consuming && bridge_may_forward(&l->bridge);
}

/* --- setting up --- */

static void opened(struct bridge *b, enum bridge_side side)
{
    struct queue_link *l = of(b);
    const struct federated *f = &l->federated;
    struct amqp_method m;
    if (side == BRIDGE_DEST) {
        m = amqp_method_of(AMQP_CONFIRM_SELECT);
        if (b->ack_mode != RELAY_ON_CONFIRM) bridge_ready(b, side);
        else client_send(b->ends[side].client, BRIDGE_CHANNEL, &m, TOKEN_DECLARED);
        return;
    }
    m = amqp_method_of(AMQP_QUEUE_DECLARE);
    m.queue_declare = (struct amqp_queue_declare){.queue = federated_upstream_name(f),
                                                  .durable = f->durable,
                                                  .auto_delete = f->auto_delete,
                                                  .arguments = buf_slice(&f->arguments)};
    client_send(b->ends[side].client, BRIDGE_CHANNEL, &m, TOKEN_NONE);
    m = amqp_method_of(AMQP_BASIC_QOS);
    m.basic_qos.prefetch_count = b->ack_mode == RELAY_NO_ACK ? 0 : (uint16_t)f->upstream.prefetch;
    client_send(b->ends[side].client, BRIDGE_CHANNEL, &m, TOKEN_DECLARED);
}

static void consume(struct queue_link *l)
{
    struct amqp_method m = amqp_method_of(AMQP_BASIC_CONSUME);
    struct buf arguments = {0};
    amqp_table_put_integer(&arguments, "x-priority", UPSTREAM_PRIORITY);
    m.basic_consume.queue = federated_upstream_name(&l->federated);
    m.basic_consume.consumer_tag = buf_slice(&l->tag);
    m.basic_consume.no_ack = l->bridge.ack_mode == RELAY_NO_ACK;
    m.basic_consume.arguments = buf_slice(&arguments);
    client_send(l->bridge.ends[BRIDGE_SOURCE].client, BRIDGE_CHANNEL, &m, TOKEN_NONE);
    buf_close(&arguments);
    l->bridge.look_queue = federated_upstream_name(&l->federated);
    l->consuming = true;
}

static void cancel(struct queue_link *l)
{
    struct amqp_method m = amqp_method_of(AMQP_BASIC_CANCEL);
    m.basic_cancel.consumer_tag = buf_slice(&l->tag);
    client_send(l->bridge.ends[BRIDGE_SOURCE].client, BRIDGE_CHANNEL, &m, TOKEN_NONE);
    l->bridge.look_queue = (struct slice){0}; /* what waits there is not waited for here */
    l->bridge.lag.marked = false;
    l->bridge.lag.last_ms = l->bridge.waiting = 0;
    l->consuming = false;
}

static void running(struct bridge *b)
{
    struct queue_link *l = of(b);
    l->consuming = false;
    buf_clear(&l->uri);
    client_uri_public(&l->uri, bridge_uri(b, BRIDGE_SOURCE));
    if (l->wanted) consume(l);
}

void queue_link_want(struct queue_link *l, bool wanted)
{
    l->wanted = wanted;
    if (!bridge_may_forward(&l->bridge) || wanted == l->consuming) return;
    if (wanted) consume(l);
    else cancel(l);
}

/* --- running --- */

static void forward(struct queue_link *l, const struct client_event *e)
{
    const struct federated *f = &l->federated;
    const struct amqp_basic_deliver *from = &e->method->basic_deliver;
    struct marks_source source = {.uri = buf_slice(&l->uri),
                                  .queue = federated_upstream_name(f),
                                  .vhost = slice_str(bridge_uri(&l->bridge, BRIDGE_SOURCE)->vhost),
                                  .redelivered = from->redelivered,
                                  .trust_user_id = f->upstream.trust_user_id};
    struct amqp_method m = amqp_method_of(AMQP_BASIC_PUBLISH);
    if (!bridge_may_forward(&l->bridge)) return;
    buf_clear(&l->properties);
    if (!marks_put_queue(&l->properties, e->properties, &source, from->exchange, from->routing_key)) {
        bridge_fail(&l->bridge, "upstream: the properties of a message cannot be read");
        return;
    }
    m.basic_publish.routing_key = slice_str(f->name);
    m.basic_publish.mandatory = l->bridge.ack_mode == RELAY_ON_CONFIRM; /* a queue that is gone swallows nothing */
    bridge_forward(&l->bridge, from->delivery_tag, &m, buf_slice(&l->properties), e->body);
}

static void on_event(struct bridge *b, enum bridge_side side, const struct client_event *e)
{
    switch (e->kind) {
    case CLIENT_EVENT_ANSWERED:
        if (e->token == TOKEN_DECLARED) bridge_ready(b, side);
        break;
    case CLIENT_EVENT_DELIVERED:
        forward(of(b), e);
        break;
    case CLIENT_EVENT_CHANNEL_CLOSED:
        bridge_fail(b, "%s: %.*s", side == BRIDGE_SOURCE ? "upstream" : "downstream", (int)e->text.size,
                    (const char *)e->text.data);
        break;
    case CLIENT_EVENT_RETURNED:
        bridge_fail(b, "downstream: the queue is gone");
        break;
    case CLIENT_EVENT_CANCELLED:
        bridge_fail(b, "upstream: the consumer was cancelled; the queue may be gone");
        break;
    default:
        break;
    }
}
