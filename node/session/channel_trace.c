/* The firehose: in a vhost with "tracing", a copy of each message that is published or delivered goes to the exchange
 * amq.rabbitmq.trace, with the key publish.EXCHANGE or deliver.QUEUE and headers that say what happened.
 *
 * Copies are a help for people and no part of what is confirmed: they are sent without a tag, and lost with their
 * node. */
#include "node/amqp/table.h"
#include "node/session/channel_internal.h"

static const char trace_exchange[] = "amq.rabbitmq.trace";

void session_look_at_tracing(struct session *s)
{
    s->traced = vhost_is_traced(s->backend->topology(s->backend->self), buf_slice(&s->vhost));
}

static void put_text(struct buf *b, const struct amqp_properties *p, uint16_t flag, const char *name, struct slice text)
{
    if (p->flags & flag) amqp_table_put_string(b, name, text);
}

static void put_properties(struct buf *b, struct slice raw)
{
    struct amqp_properties p;
    size_t at = amqp_table_open_table(b, "properties");
    if (!amqp_properties_decode(raw, &p)) {
        put_text(b, &p, AMQP_HAS_CONTENT_TYPE, "content_type", p.content_type);
        put_text(b, &p, AMQP_HAS_CONTENT_ENCODING, "content_encoding", p.content_encoding);
        if (p.flags & AMQP_HAS_HEADERS)
            amqp_table_put_value(b, slice_str("headers"), &(struct amqp_value){.type = 'F', .bytes = p.headers});
        if (p.flags & AMQP_HAS_DELIVERY_MODE) amqp_table_put_integer(b, "delivery_mode", p.delivery_mode);
        if (p.flags & AMQP_HAS_PRIORITY) amqp_table_put_integer(b, "priority", p.priority);
        put_text(b, &p, AMQP_HAS_CORRELATION_ID, "correlation_id", p.correlation_id);
        put_text(b, &p, AMQP_HAS_REPLY_TO, "reply_to", p.reply_to);
        put_text(b, &p, AMQP_HAS_EXPIRATION, "expiration", p.expiration);
        put_text(b, &p, AMQP_HAS_MESSAGE_ID, "message_id", p.message_id);
        if (p.flags & AMQP_HAS_TIMESTAMP) amqp_table_put_timestamp(b, "timestamp", p.timestamp);
        put_text(b, &p, AMQP_HAS_TYPE, "type", p.type);
        put_text(b, &p, AMQP_HAS_USER_ID, "user_id", p.user_id);
        put_text(b, &p, AMQP_HAS_APP_ID, "app_id", p.app_id);
        put_text(b, &p, AMQP_HAS_CLUSTER_ID, "cluster_id", p.cluster_id);
    }
    amqp_nested_close(b, at);
}

/* What both kinds have. */
static void put_facts(struct buf *b, const struct channel *ch, const struct content *content)
{
    const struct session *s = ch->session;
    amqp_table_put_string(b, "exchange_name", content->exchange);
    size_t at = amqp_table_open_array(b, "routing_keys");
    amqp_array_put_string(b, content->routing_key);
    amqp_nested_close(b, at);
    put_properties(b, content->properties);
    amqp_table_put_string(b, "node", slice_str(s->settings->node_name ? s->settings->node_name : ""));
    amqp_table_put_string(b, "vhost", buf_slice(&s->vhost));
    amqp_table_put_string(b, "connection", slice_str(s->peer));
    amqp_table_put_integer(b, "channel", ch->number);
    amqp_table_put_string(b, "user", buf_slice(&s->user));
}

/* Moves the headers. */
static void send(struct channel *ch, const char *what, struct slice name, struct buf *headers, struct slice body)
{
    struct session *s = ch->session;
    struct topology *topology = s->backend->topology(s->backend->self);
    struct buf key = {0}, properties = {0};
    struct route route = {0};
    buf_printf(&key, "%s.%.*s", what, SLICE_ARG(name));
    if (key.size > AMQP_SHORTSTR_MAX) key.size = AMQP_SHORTSTR_MAX;
    amqp_properties_encode(&properties,
                           &(struct amqp_properties){.flags = AMQP_HAS_HEADERS, .headers = buf_slice(headers)});
    struct route_query query = {.vhost = buf_slice(&s->vhost),
                                .exchange = slice_str(trace_exchange),
                                .routing_key = buf_slice(&key),
                                .headers = buf_slice(headers),
                                .properties = buf_slice(&properties),
                                .is_local = s->backend->leads,
                                .is_local_arg = s->backend->self};
    struct publish copy = {.vhost = query.vhost,
                           .content = {query.exchange, query.routing_key, query.properties, body},
                           .ttl_ms = UINT64_MAX};
    if (route_find(topology, &query, &route) && route.count)
        s->backend->publish(s->backend->self, ch->backend, &route, &copy, 0);
    route_close(&route);
    buf_close(headers);
    buf_close(&key);
    buf_close(&properties);
}

void channel_trace_publish(struct channel *ch, const struct outgoing *m)
{
    const struct content *content = &m->publish.content;
    struct topology *topology = ch->session->backend->topology(ch->session->backend->self);
    struct buf headers = {0};
    if (slice_is(content->exchange, trace_exchange)) return;
    put_facts(&headers, ch, content);
    size_t at = amqp_table_open_array(&headers, "routed_queues");
    for (size_t i = 0; i < m->route->count; i++) {
        const struct queue_record *q = topology_queue_by_id(topology, m->route->targets[i].queue);
        if (q) amqp_array_put_string(&headers, q->name);
    }
    amqp_nested_close(&headers, at);
    send(ch, "publish", content->exchange, &headers, content->body);
}

void channel_trace_delivery(struct channel *ch, uint64_t queue, const struct session_delivery *d)
{
    const struct session *s = ch->session;
    const struct queue_record *q = topology_queue_by_id(s->backend->topology(s->backend->self), queue);
    struct buf headers = {0};
    if (!q || slice_is(d->content.exchange, trace_exchange)) return;
    put_facts(&headers, ch, &d->content);
    amqp_table_put_integer(&headers, "redelivered", d->redelivered);
    send(ch, "deliver", q->name, &headers, d->content.body);
}
