#include "ha/shovel/shovel.h"

#include <stdio.h>

#include "base/mem.h"
#include "ha/shovel/declarations.h"
#include "ha/shovel/properties.h"
#include "node/amqp/frame.h"
#include "node/amqp/table.h"

/* Channel 1 carries messages. A queue that may be missing is looked for on channel 2, which its absence closes, and
 * declared on channel 3. */
enum { CHANNEL_LOOK = 2, CHANNEL_DECLARE = 3 };
enum token { TOKEN_NONE, TOKEN_DECLARATIONS, TOKEN_LOOK, TOKEN_DECLARE, TOKEN_EXCLUSIVE, TOKEN_LAST };

struct shovel {
    struct bridge bridge; /* first: the types' functions get it */
    struct shovel_definition definition;
    char *name, *vhost, *cluster_name, *connection_name;
    bool is_static;
    uint64_t created_ms, wall_offset_ms;
    uint64_t remaining;         /* to be forwarded; UINT64_MAX: for ever */
    uint64_t remaining_settled; /* to be settled */
    uint64_t settled_before;    /* link.relay.settled that counts already */
    bool counted;               /* queue-length was read */
    struct buf source_queue;    /* a server-named one: its name */
    struct buf forward_info;
    struct buf properties; /* of the message in hand */
};

static void opened(struct bridge *l, enum bridge_side side);
static void on_event(struct bridge *l, enum bridge_side side, const struct client_event *e);
static void running(struct bridge *l);

static const struct bridge_type type = {.opened = opened, .event = on_event, .running = running};

static struct shovel *of(struct bridge *l)
{
    return (struct shovel *)(void *)l;
}

struct shovel *shovel_create(struct shovel_definition *definition, const struct shovel_identity *identity,
                             const struct bridge_host *host, void *host_self, uint64_t now_ms, uint64_t wall_ms)
{
    struct shovel *s = mem_zalloc(sizeof *s);
    struct buf text = {0};
    s->definition = *definition;
    *definition = (struct shovel_definition){0};
    s->name = mem_strdup(identity->name);
    s->vhost = mem_strdup(identity->vhost);
    s->cluster_name = mem_strdup(identity->cluster_name);
    s->is_static = identity->is_static;
    buf_printf(&text, "Shovel %s", s->name);
    s->connection_name = mem_strndup((const char *)text.data, text.size);
    buf_close(&text);
    s->created_ms = now_ms;
    s->wall_offset_ms = wall_ms - now_ms;
    bridge_init(&s->bridge, &type, host, host_self, now_ms);
    s->bridge.name = s->connection_name;
    s->bridge.ack_mode = (uint8_t)shovel_ack_mode(&s->definition);
    /* A shovel that ends must leave what it does not move, which a consumer without acks cannot. */
    if (s->bridge.ack_mode == RELAY_NO_ACK && s->definition.delete_after != SHOVEL_NEVER)
        s->bridge.ack_mode = RELAY_ON_PUBLISH;
    s->bridge.ends[BRIDGE_SOURCE].uris = s->definition.src_uris.uris;
    s->bridge.ends[BRIDGE_SOURCE].uri_count = s->definition.src_uris.count;
    s->bridge.ends[BRIDGE_DEST].uris = s->definition.dest_uris.uris;
    s->bridge.ends[BRIDGE_DEST].uri_count = s->definition.dest_uris.count;
    s->bridge.reconnect_ms =
        s->definition.reconnect_delay_s ? (uint64_t)s->definition.reconnect_delay_s * 1000 : BRIDGE_NEVER;
    s->bridge.rate = (uint64_t)s->definition.rate;
    s->remaining = s->remaining_settled = UINT64_MAX;
    if (s->definition.delete_after == SHOVEL_COUNT)
        s->remaining = s->remaining_settled = (uint64_t)s->definition.delete_after_count;
    return s;
}

void shovel_destroy(struct shovel *s)
{
    bridge_close(&s->bridge);
    shovel_definition_close(&s->definition);
    mem_free(s->name);
    mem_free(s->vhost);
    mem_free(s->cluster_name);
    mem_free(s->connection_name);
    buf_close(&s->source_queue);
    buf_close(&s->forward_info);
    buf_close(&s->properties);
    mem_free(s);
}

struct bridge *shovel_bridge(struct shovel *s)
{
    return &s->bridge;
}

const struct shovel_definition *shovel_definition(const struct shovel *s)
{
    return &s->definition;
}

uint64_t shovel_remaining(const struct shovel *s)
{
    return s->remaining_settled;
}

bool shovel_is_done(const struct shovel *s)
{
    return s->bridge.state == BRIDGE_FINISHED && s->remaining_settled == 0;
}

/* --- setting up --- */

static void send(struct shovel *s, enum bridge_side side, uint16_t channel, const struct amqp_method *m,
                 enum token token)
{
    client_send(s->bridge.ends[side].client, channel, m, token);
}

static void declare(struct shovel *s, enum bridge_side side, uint16_t channel, bool passive, enum token token)
{
    bool source = side == BRIDGE_SOURCE;
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
    m.queue_declare.queue = slice_str(source ? s->definition.src_queue : s->definition.dest_queue);
    m.queue_declare.passive = passive;
    m.queue_declare.durable = true;
    m.queue_declare.arguments = buf_slice(source ? &s->definition.src_queue_args : &s->definition.dest_queue_args);
    client_channel_open(s->bridge.ends[side].client, channel, TOKEN_NONE);
    send(s, side, channel, &m, token);
}

/* After what is asked for here the last answer makes the end ready. */
static void finish_setup(struct shovel *s, enum bridge_side side)
{
    struct amqp_method m;
    bool acks = s->bridge.ack_mode != RELAY_NO_ACK;
    if (side == BRIDGE_SOURCE) {
        m = amqp_method_of(AMQP_BASIC_QOS);
        m.basic_qos.prefetch_count = acks ? (uint16_t)s->definition.prefetch : 0;
    } else {
        m = amqp_method_of(AMQP_CONFIRM_SELECT);
    }
    if (side == BRIDGE_DEST && s->bridge.ack_mode != RELAY_ON_CONFIRM) bridge_ready(&s->bridge, side);
    else send(s, side, BRIDGE_CHANNEL, &m, TOKEN_LAST);
}

static void declare_exclusive(struct shovel *s)
{
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
    m.queue_declare.exclusive = true;
    m.queue_declare.auto_delete = true;
    m.queue_declare.arguments = buf_slice(&s->definition.src_queue_args);
    send(s, BRIDGE_SOURCE, BRIDGE_CHANNEL, &m, TOKEN_EXCLUSIVE);
}

/* The shovel's own queue at this end, after whatever was declared. */
static void find_queue(struct shovel *s, enum bridge_side side)
{
    const struct shovel_definition *d = &s->definition;
    const char *queue = side == BRIDGE_SOURCE ? d->src_queue : d->dest_queue;
    if (side == BRIDGE_SOURCE && !queue) declare_exclusive(s);
    else if (queue && *queue) declare(s, side, CHANNEL_LOOK, true, TOKEN_LOOK);
    else finish_setup(s, side); /* an empty name is the last queue that was declared */
}

static void opened(struct bridge *l, enum bridge_side side)
{
    struct shovel *s = of(l);
    const json_t *list = side == BRIDGE_SOURCE ? s->definition.src_declarations : s->definition.dest_declarations;
    if (list) shovel_declarations_send(l->ends[side].client, BRIDGE_CHANNEL, list, TOKEN_DECLARATIONS);
    else find_queue(s, side);
}

static void bind_exclusive(struct shovel *s, struct slice queue)
{
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_BIND);
    buf_clear(&s->source_queue);
    buf_put_slice(&s->source_queue, queue);
    m.queue_bind.queue = queue;
    m.queue_bind.exchange = slice_str(s->definition.src_exchange);
    m.queue_bind.routing_key = slice_str(s->definition.src_exchange_key ? s->definition.src_exchange_key : "");
    send(s, BRIDGE_SOURCE, BRIDGE_CHANNEL, &m, TOKEN_NONE);
    finish_setup(s, BRIDGE_SOURCE);
}

/* queue-length counts once, when the shovel first sees its queue. */
static void count_queue(struct shovel *s, enum bridge_side side, uint32_t messages)
{
    if (side != BRIDGE_SOURCE || s->definition.delete_after != SHOVEL_QUEUE_LENGTH || s->counted) return;
    s->counted = true;
    s->remaining = s->remaining_settled = messages;
}

static void on_answer(struct shovel *s, enum bridge_side side, const struct client_event *e)
{
    switch ((enum token)e->token) {
    case TOKEN_DECLARATIONS:
        find_queue(s, side);
        break;
    case TOKEN_LOOK:
    case TOKEN_DECLARE:
        count_queue(s, side, e->method->queue_declare_ok.message_count);
        client_channel_close(s->bridge.ends[side].client, e->channel);
        finish_setup(s, side);
        break;
    case TOKEN_EXCLUSIVE:
        bind_exclusive(s, e->method->queue_declare_ok.queue);
        break;
    case TOKEN_LAST:
        bridge_ready(&s->bridge, side);
        break;
    case TOKEN_NONE:
        break;
    }
}

static void on_channel_closed(struct shovel *s, enum bridge_side side, const struct client_event *e)
{
    bool predeclared = side == BRIDGE_SOURCE ? s->definition.src_predeclared : s->definition.dest_predeclared;
    if (e->channel == CHANNEL_LOOK && e->reply_code == AMQP_NOT_FOUND && !predeclared) {
        declare(s, side, CHANNEL_DECLARE, false, TOKEN_DECLARE);
        return;
    }
    bridge_fail(&s->bridge, "%s: %.*s", side == BRIDGE_SOURCE ? "source" : "destination", (int)e->text.size,
                (const char *)e->text.data);
}

/* --- running --- */

static void put_info(struct buf *b, const char *key, const char *value)
{
    if (value) amqp_table_put_string(b, key, slice_str(value));
}

static void put_uri(struct buf *b, const char *key, const struct client_uri *uri)
{
    struct buf text = {0};
    client_uri_public(&text, uri);
    amqp_table_put_string(b, key, buf_slice(&text));
    buf_close(&text);
}

static void make_forward_info(struct shovel *s)
{
    const struct shovel_definition *d = &s->definition;
    struct buf *b = &s->forward_info;
    buf_clear(b);
    if (!d->add_forward_headers) return;
    put_info(b, "shovelled-by", s->cluster_name);
    put_info(b, "shovel-type", s->is_static ? "static" : "dynamic");
    put_info(b, "shovel-name", s->name);
    if (!s->is_static) put_info(b, "shovel-vhost", s->vhost);
    put_uri(b, "src-uri", bridge_uri(&s->bridge, BRIDGE_SOURCE));
    put_uri(b, "dest-uri", bridge_uri(&s->bridge, BRIDGE_DEST));
    put_info(b, "src-exchange", d->src_exchange);
    put_info(b, "src-exchange-key", d->src_exchange_key);
    put_info(b, "src-queue", d->src_queue);
    put_info(b, "dest-exchange", d->dest_exchange);
    put_info(b, "dest-exchange-key", d->dest_exchange_key);
    put_info(b, "dest-queue", d->dest_queue);
}

static void finish_if_done(struct shovel *s)
{
    if (s->remaining_settled == 0) bridge_finish(&s->bridge, "delete-after was reached");
}

static void running(struct bridge *l)
{
    struct shovel *s = of(l);
    struct amqp_method m = amqp_method_of(AMQP_BASIC_CONSUME);
    make_forward_info(s);
    /* What was forwarded and not settled before a failure comes again. */
    s->remaining = s->remaining_settled;
    s->settled_before = l->relay.settled;
    finish_if_done(s);
    if (l->state == BRIDGE_FINISHED) return;
    m.basic_consume.queue = s->definition.src_queue ? slice_str(s->definition.src_queue) : buf_slice(&s->source_queue);
    m.basic_consume.consumer_tag = slice_str(s->definition.src_consumer_name ? s->definition.src_consumer_name : "");
    m.basic_consume.no_ack = l->ack_mode == RELAY_NO_ACK;
    struct buf arguments = {0};
    buf_put_slice(&arguments, buf_slice(&s->definition.src_consumer_args));
    struct amqp_value yes = {.type = 't', .boolean = true};
    if (s->definition.add_deduplication) amqp_table_put_value(&arguments, slice_str("x-message-identity"), &yes);
    m.basic_consume.arguments = buf_slice(&arguments);
    send(s, BRIDGE_SOURCE, BRIDGE_CHANNEL, &m, TOKEN_NONE);
    buf_close(&arguments);
    l->look_queue = m.basic_consume.queue;
}

static void forward(struct shovel *s, const struct client_event *e)
{
    const struct shovel_definition *d = &s->definition;
    const struct amqp_basic_deliver *from = &e->method->basic_deliver;
    struct shovel_forward f = {d, buf_slice(&s->forward_info), (s->bridge.now_ms + s->wall_offset_ms) / 1000};
    struct amqp_method m = amqp_method_of(AMQP_BASIC_PUBLISH);
    if (!bridge_may_forward(&s->bridge) || s->remaining == 0) return; /* goes back when the channel closes */
    if (s->remaining != UINT64_MAX) s->remaining--;
    buf_clear(&s->properties);
    if (!shovel_properties_put(&s->properties, e->properties, &f)) {
        bridge_fail(&s->bridge, "source: the properties of a message cannot be read");
        return;
    }
    bool to_queue = d->dest_queue && *d->dest_queue;
    const char *exchange = to_queue ? "" : d->dest_exchange, *key = to_queue ? d->dest_queue : d->dest_exchange_key;
    m.basic_publish.exchange = exchange ? slice_str(exchange) : from->exchange;
    m.basic_publish.routing_key = key ? slice_str(key) : from->routing_key;
    /* A queue that was named and is gone must not swallow messages: the return ends the link
     * before the confirm comes. */
    m.basic_publish.mandatory = to_queue && s->bridge.ack_mode == RELAY_ON_CONFIRM;
    bridge_forward(&s->bridge, from->delivery_tag, &m, buf_slice(&s->properties), e->body);
}

static void on_event(struct bridge *l, enum bridge_side side, const struct client_event *e)
{
    struct shovel *s = of(l);
    switch (e->kind) {
    case CLIENT_EVENT_ANSWERED:
        on_answer(s, side, e);
        break;
    case CLIENT_EVENT_DELIVERED:
        forward(s, e);
        break;
    case CLIENT_EVENT_CHANNEL_CLOSED:
        on_channel_closed(s, side, e);
        break;
    case CLIENT_EVENT_RETURNED:
        bridge_fail(l, "destination: the queue %s is gone", s->definition.dest_queue);
        break;
    case CLIENT_EVENT_CANCELLED:
        bridge_fail(l, "source: the consumer was cancelled; the queue may be gone");
        break;
    default:
        break;
    }
}

void shovel_turn(struct shovel *s, uint64_t now_ms)
{
    struct bridge *l = &s->bridge;
    bridge_turn(l, now_ms);
    if (l->state == BRIDGE_RUNNING || l->state == BRIDGE_FLOW) {
        uint64_t settled = l->relay.settled - s->settled_before;
        s->settled_before = l->relay.settled;
        if (s->remaining_settled != UINT64_MAX)
            s->remaining_settled -= settled < s->remaining_settled ? settled : s->remaining_settled;
        finish_if_done(s);
    }
    uint64_t duration_ms = (uint64_t)s->definition.delete_after_duration_s * 1000;
    if (duration_ms && now_ms >= s->created_ms + duration_ms && l->state != BRIDGE_FINISHED) {
        s->remaining_settled = 0;
        finish_if_done(s);
    }
    if (l->state == BRIDGE_FINISHED) bridge_turn(l, now_ms);
    else if (duration_ms) l->wake_ms = s->created_ms + duration_ms;
}
