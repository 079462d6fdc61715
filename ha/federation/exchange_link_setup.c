/* Setting up an exchange link's upstream end, step by step. */
#include "base/mem.h"
#include "ha/federation/exchange_link_internal.h"
#include "ha/federation/marks.h"
#include "node/amqp/table.h"

struct slice exchange_link_upstream_cluster(const struct exchange_link *l)
{
    struct slice name;
    bool told = amqp_table_find_string(client_server_properties(exchange_link_upstream(l)), "cluster_name", &name);
    return told ? name : (struct slice){NULL, 0};
}

static void put_internal_name(struct buf *b, const struct exchange_link *l, char suffix)
{
    buf_clear(b);
    buf_put_slice(b, buf_slice(&l->queue));
    buf_printf(b, " %c", suffix);
}

/* --- look --- */

static void look(struct exchange_link *l, unsigned what, struct slice name)
{
    struct amqp_method m = amqp_method_of(AMQP_EXCHANGE_DECLARE);
    uint16_t channel = (uint16_t)(CHANNEL_LOOK + what);
    m.exchange_declare.exchange = name;
    m.exchange_declare.type = slice_str("direct"); /* passive: not compared */
    m.exchange_declare.passive = true;
    client_channel_open(exchange_link_upstream(l), channel, TOKEN_NONE);
    exchange_link_send(l, channel, &m, (enum exchange_link_token)(TOKEN_FOUND + what));
    l->looks++;
}

void exchange_link_setup_begin(struct exchange_link *l)
{
    struct buf internal = {0};
    buf_clear(&l->queue);
    federated_put_queue_name(&l->queue, &l->federated, slice_str(bridge_uri(&l->bridge, BRIDGE_SOURCE)->vhost));
    if (l->queue.size > 255 - 2) {
        bridge_fail(&l->bridge, "upstream: the name of the internal exchange would be longer than 255 bytes");
        return;
    }
    l->step = STEP_LOOK;
    l->looks = 0;
    l->again = false;
    client_channel_open(exchange_link_upstream(l), CHANNEL_COMMANDS, TOKEN_NONE);
    exchange_link_count_bind_channels(l);
    look(l, 0, federated_upstream_name(&l->federated));
    for (unsigned i = 0; i < 2; i++) {
        put_internal_name(&internal, l, i ? 'B' : 'A');
        look(l, 1 + i, buf_slice(&internal));
    }
    buf_close(&internal);
}

/* --- declare --- */

static void declare_exchange(struct exchange_link *l)
{
    const struct federated *f = &l->federated;
    struct amqp_method m = amqp_method_of(AMQP_EXCHANGE_DECLARE);
    m.exchange_declare = (struct amqp_exchange_declare){.exchange = federated_upstream_name(f),
                                                        .type = slice_str(f->type),
                                                        .durable = f->durable,
                                                        .auto_delete = f->auto_delete,
                                                        .internal = f->internal,
                                                        .arguments = buf_slice(&f->arguments)};
    exchange_link_send(l, CHANNEL_COMMANDS, &m, TOKEN_NONE);
}

static void put_long(struct buf *b, const char *key, int64_t value)
{
    struct amqp_value v = {.type = 'l', .integer = value}; /* RabbitMQ insists on this width for x-max-hops */
    amqp_table_put_value(b, slice_str(key), &v);
}

static void declare_queue(struct exchange_link *l)
{
    const struct upstream *u = &l->federated.upstream;
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
    struct buf arguments = {0};
    if (u->expires_ms >= 0) put_long(&arguments, "x-expires", u->expires_ms);
    if (u->message_ttl_ms >= 0) put_long(&arguments, "x-message-ttl", u->message_ttl_ms);
    amqp_table_put_string(&arguments, "x-internal-purpose", slice_str("federation"));
    amqp_table_put_string(&arguments, "x-queue-type", slice_str(upstream_queue_type(u)));
    m.queue_declare.queue = buf_slice(&l->queue);
    m.queue_declare.durable = true;
    m.queue_declare.arguments = buf_slice(&arguments);
    exchange_link_send(l, CHANNEL_COMMANDS, &m, TOKEN_NONE);
    buf_close(&arguments);
    if (l->bridge.ack_mode == RELAY_NO_ACK) return;
    m = amqp_method_of(AMQP_BASIC_QOS);
    m.basic_qos.prefetch_count = (uint16_t)u->prefetch;
    exchange_link_send(l, BRIDGE_CHANNEL, &m, TOKEN_NONE);
}

static void declare_internal(struct exchange_link *l)
{
    const struct federated *f = &l->federated;
    struct amqp_method m = amqp_method_of(AMQP_EXCHANGE_DECLARE);
    struct buf arguments = {0};
    if (!l->fanout) {
        put_long(&arguments, "x-max-hops", f->upstream.max_hops);
        amqp_table_put_string(&arguments, "x-downstream-name", slice_str(f->cluster_name));
        amqp_table_put_string(&arguments, "x-downstream-vhost", slice_str(f->vhost));
    }
    amqp_table_put_string(&arguments, "x-internal-purpose", slice_str("federation"));
    put_internal_name(&l->internal, l, l->suffix);
    m.exchange_declare =
        (struct amqp_exchange_declare){.exchange = buf_slice(&l->internal),
                                       .type = slice_str(l->fanout ? "fanout" : "x-federation-upstream"),
                                       .durable = true,
                                       .auto_delete = true,
                                       .internal = true,
                                       .arguments = buf_slice(&arguments)};
    exchange_link_send(l, CHANNEL_COMMANDS, &m, TOKEN_INTERNAL);
    buf_close(&arguments);
    m = amqp_method_of(AMQP_QUEUE_BIND);
    m.queue_bind.queue = buf_slice(&l->queue);
    m.queue_bind.exchange = buf_slice(&l->internal);
    exchange_link_send(l, CHANNEL_COMMANDS, &m, TOKEN_DECLARED);
}

/* One is there: the other one is made anew. Both are there, when a start was cut off: nobody knows which has all
 * bindings, so A gets them all, B goes, and then it is done once more with A as the old one. */
static void choose_suffix(struct exchange_link *l)
{
    bool a = l->there[1], b = l->there[2];
    l->again = a && b;
    l->suffix = a && !b ? 'B' : 'A';
}

static void after_look(struct exchange_link *l)
{
    l->step = STEP_DECLARE;
    choose_suffix(l);
    if (!l->there[0]) declare_exchange(l);
    declare_queue(l);
    declare_internal(l);
}

/* --- after the bindings --- */

static void delete_old(struct exchange_link *l)
{
    struct amqp_method m = amqp_method_of(AMQP_EXCHANGE_DELETE);
    struct buf old = {0};
    put_internal_name(&old, l, l->suffix == 'A' ? 'B' : 'A');
    m.exchange_delete.exchange = buf_slice(&old);
    exchange_link_send(l, CHANNEL_COMMANDS, &m, TOKEN_BOUND);
    buf_close(&old);
}

static void after_bind(struct exchange_link *l)
{
    if (l->again) {
        l->there[0] = l->there[1] = true;
        l->there[2] = false;
        after_look(l);
        return;
    }
    l->step = STEP_DONE;
    exchange_link_close_bind_channels(l);
    bridge_ready(&l->bridge, BRIDGE_SOURCE);
}

/* Its absence closes the channel, which ends the link; the next start makes everything anew. */
void exchange_link_probe(struct exchange_link *l)
{
    struct amqp_method m = amqp_method_of(AMQP_EXCHANGE_DECLARE);
    m.exchange_declare.exchange = buf_slice(&l->internal);
    m.exchange_declare.type = slice_str("direct"); /* passive: not compared */
    m.exchange_declare.passive = true;
    exchange_link_send(l, CHANNEL_COMMANDS, &m, TOKEN_NONE);
    m = amqp_method_of(AMQP_QUEUE_DECLARE);
    m.queue_declare.queue = buf_slice(&l->queue);
    m.queue_declare.passive = true;
    exchange_link_send(l, CHANNEL_COMMANDS, &m, TOKEN_PROBED);
}

void exchange_link_clean_up(struct exchange_link *l)
{
    struct amqp_method m = amqp_method_of(AMQP_EXCHANGE_DELETE);
    if (!exchange_link_upstream(l) || l->step != STEP_DONE || !upstream_cleans_up(&l->federated.upstream)) return;
    m.exchange_delete.exchange = buf_slice(&l->internal);
    exchange_link_send(l, CHANNEL_COMMANDS, &m, TOKEN_NONE);
    m = amqp_method_of(AMQP_QUEUE_DELETE);
    m.queue_delete.queue = buf_slice(&l->queue);
    exchange_link_send(l, CHANNEL_COMMANDS, &m, TOKEN_NONE);
}

/* --- events --- */

static void on_found(struct exchange_link *l, unsigned what, bool there)
{
    l->there[what] = there;
    if (there) client_channel_close(exchange_link_upstream(l), (uint16_t)(CHANNEL_LOOK + what));
    if (--l->looks == 0) after_look(l);
}

static void on_answer(struct exchange_link *l, enum bridge_side side, const struct client_event *e)
{
    switch ((enum exchange_link_token)e->token) {
    case TOKEN_CONFIRM:
        bridge_ready(&l->bridge, side);
        break;
    case TOKEN_FOUND:
    case TOKEN_FOUND_A:
    case TOKEN_FOUND_B:
        on_found(l, (unsigned)e->token - TOKEN_FOUND, true);
        break;
    case TOKEN_DECLARED:
        l->step = STEP_WAIT_FOR_BINDINGS;
        if (l->bindings_told) exchange_link_setup_bindings(l);
        break;
    case TOKEN_BARRIER:
        if (--l->barriers == 0) delete_old(l);
        break;
    case TOKEN_BOUND:
        after_bind(l);
        break;
    case TOKEN_PROBED:
        bridge_looked(&l->bridge, e->method->queue_declare_ok.message_count);
        break;
    case TOKEN_NONE:
    case TOKEN_INTERNAL:
        break;
    }
}

static void on_channel_closed(struct exchange_link *l, enum bridge_side side, const struct client_event *e)
{
    unsigned what = e->channel - (unsigned)CHANNEL_LOOK;
    if (side == BRIDGE_SOURCE && e->channel >= CHANNEL_LOOK && what < 3 && e->reply_code == AMQP_NOT_FOUND) {
        on_found(l, what, false);
        return;
    }
    if (side == BRIDGE_SOURCE) exchange_link_refused(l, e);
    bridge_fail(&l->bridge, "%s: %.*s", side == BRIDGE_SOURCE ? "upstream" : "downstream", (int)e->text.size,
                (const char *)e->text.data);
}

void exchange_link_setup_event(struct bridge *b, enum bridge_side side, const struct client_event *e)
{
    struct exchange_link *l = (struct exchange_link *)(void *)b;
    switch (e->kind) {
    case CLIENT_EVENT_ANSWERED:
        on_answer(l, side, e);
        break;
    case CLIENT_EVENT_DELIVERED:
        exchange_link_deliver(l, e);
        break;
    case CLIENT_EVENT_CHANNEL_CLOSED:
        on_channel_closed(l, side, e);
        break;
    case CLIENT_EVENT_CANCELLED:
        bridge_fail(b, "upstream: the consumer was cancelled; the queue may be gone");
        break;
    default:
        break;
    }
}
