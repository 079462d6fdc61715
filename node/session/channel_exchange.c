/* exchange.declare, delete, bind and unbind; and how changes of the topology are asked for. */
#include "base/field_table.h"
#include "node/session/channel_internal.h"

void channel_change_submit(struct channel *ch, enum question_kind kind, const struct topology_command *c, bool no_wait,
                           uint8_t delete_flags)
{
    struct session *s = ch->session;
    const struct backend *backend = s->backend;
    if (backend->topology_is_fresh(backend->self)) {
        struct topology_result result;
        topology_examine(backend->topology(backend->self), c, &result);
        if (result.reply_code) {
            channel_fail_text(ch, result.reply_code, slice_str(result.text));
            return;
        }
        if (c->type == TOPOLOGY_EXCHANGE_DECLARE && !result.created &&
            !result.renewed) { /* declared again, the same way */
            if (!no_wait) channel_send_empty(ch, AMQP_EXCHANGE_DECLARE_OK);
            return;
        }
    }
    channel_question_open(ch, kind, c->name, no_wait);
    backend->change(backend->self, ch->backend, c, delete_flags);
}

static struct topology_command command_of(struct channel *ch, uint8_t type)
{
    return (struct topology_command){
        .type = type,
        .vhost = buf_slice(&ch->session->vhost),
        .connection = ch->session->token,
    };
}

static void refuse_default_exchange(struct channel *ch)
{
    channel_fail(ch, AMQP_ACCESS_REFUSED, "operation not permitted on the default exchange");
}

static const struct exchange *find(struct channel *ch, struct slice name)
{
    const struct backend *backend = ch->session->backend;
    return topology_exchange(backend->topology(backend->self), buf_slice(&ch->session->vhost), name);
}

static void declare_passive(struct channel *ch, const struct amqp_method *m, struct slice name)
{
    if (!find(ch, name)) {
        if (!channel_question_refresh_first(ch, m)) channel_fail_no_exchange(ch, name);
        return;
    }
    if (!m->exchange_declare.no_wait) channel_send_empty(ch, AMQP_EXCHANGE_DECLARE_OK);
}

/* Of the whole cluster, as this shard knows it. */
static bool has_room(struct channel *ch, struct slice name)
{
    const struct session *s = ch->session;
    uint64_t most = s->settings->cluster_exchange_max;
    if (!most || topology_exchange_count(s->backend->topology(s->backend->self)) < most) return true;
    channel_fail(ch, AMQP_PRECONDITION_FAILED,
                 "cannot declare exchange '%.*s' in vhost '%.*s': exchange limit of %llu is reached", SLICE_ARG(name),
                 SLICE_ARG(s->vhost), (unsigned long long)most);
    return false;
}

void channel_exchange_declare(struct channel *ch, const struct amqp_method *m)
{
    const struct amqp_exchange_declare *d = &m->exchange_declare;
    uint8_t space[NAME_SIZE_MAX];
    struct slice name = session_name_strip(d->exchange, space);
    struct amqp_value v;
    if (!d->passive && !topology_knows_exchange_type(d->type)) {
        channel_fail(ch, AMQP_COMMAND_INVALID, "unknown exchange type '%.*s'", SLICE_ARG(d->type));
        return;
    }
    if (!name.size) {
        refuse_default_exchange(ch);
        return;
    }
    if (d->passive) {
        declare_passive(ch, m, name);
        return;
    }
    if (!channel_may(ch, m, AUTH_CONFIGURE, "exchange", name)) return;
    bool is_new = !find(ch, name);
    if (session_name_is_reserved(name) && is_new) {
        channel_fail(ch, AMQP_ACCESS_REFUSED, "exchange name '%.*s' contains reserved prefix 'amq.*'", SLICE_ARG(name));
        return;
    }
    if (is_new && amqp_table_find(d->arguments, "alternate-exchange", &v) && v.type != 'S') {
        channel_fail(ch, AMQP_PRECONDITION_FAILED,
                     "invalid type '%s' for arg 'alternate-exchange' in exchange '%.*s' in vhost '%.*s'",
                     table_type_name(v.type), SLICE_ARG(name), SLICE_ARG(ch->session->vhost));
        return;
    }
    if (is_new && !channel_may_dead_letter(ch, m, "exchange", name, d->arguments, "alternate-exchange")) return;
    if (is_new && !has_room(ch, name)) return;
    struct topology_command c = command_of(ch, TOPOLOGY_EXCHANGE_DECLARE);
    c.name = name;
    c.kind = d->type;
    c.durable = d->durable;
    c.auto_delete = d->auto_delete;
    c.internal = d->internal;
    c.arguments = d->arguments;
    channel_change_submit(ch, QUESTION_CHANGE, &c, d->no_wait, 0);
}

void channel_exchange_delete(struct channel *ch, const struct amqp_method *m)
{
    const struct amqp_exchange_delete *d = &m->exchange_delete;
    uint8_t space[NAME_SIZE_MAX];
    struct slice name = session_name_strip(d->exchange, space);
    if (!name.size) {
        refuse_default_exchange(ch);
        return;
    }
    if (session_name_is_reserved(name)) {
        channel_fail(ch, AMQP_ACCESS_REFUSED, "deletion of system exchange '%.*s' in vhost '%.*s' not allowed",
                     SLICE_ARG(name), SLICE_ARG(ch->session->vhost));
        return;
    }
    if (!channel_may(ch, m, AUTH_CONFIGURE, "exchange", name)) return;
    if (!find(ch, name)) { /* deleting what is not there succeeds */
        if (channel_question_refresh_first(ch, m)) return;
        if (!d->no_wait) channel_send_empty(ch, AMQP_EXCHANGE_DELETE_OK);
        return;
    }
    struct topology_command c = command_of(ch, TOPOLOGY_EXCHANGE_DELETE);
    c.name = name;
    c.if_unused = d->if_unused;
    channel_change_submit(ch, QUESTION_CHANGE, &c, d->no_wait, 0);
}

static void bind(struct channel *ch, const struct amqp_method *m, uint8_t type, bool to_exchange,
                 struct slice destination, struct slice source, struct slice routing_key, struct slice arguments,
                 bool no_wait)
{
    uint8_t source_space[NAME_SIZE_MAX], destination_space[NAME_SIZE_MAX];
    struct topology_command c = command_of(ch, type);
    c.source = session_name_strip(source, source_space);
    c.name = session_name_strip(destination, destination_space);
    if (!channel_may(ch, m, AUTH_WRITE, to_exchange ? "exchange" : "queue", c.name)) return;
    if (!c.source.size || (to_exchange && !c.name.size)) {
        refuse_default_exchange(ch);
        return;
    }
    if (!channel_may(ch, m, AUTH_READ, "exchange", c.source) || !channel_may_bind_topic(ch, m, c.source, routing_key))
        return;
    c.to_exchange = to_exchange;
    c.routing_key = routing_key;
    c.arguments = arguments;
    channel_change_submit(ch, QUESTION_CHANGE, &c, no_wait, 0);
}

void channel_exchange_bind(struct channel *ch, const struct amqp_method *m, bool unbind)
{
    const struct amqp_exchange_bind *b = &m->exchange_bind;
    bind(ch, m, unbind ? TOPOLOGY_UNBIND : TOPOLOGY_BIND, true, b->destination, b->source, b->routing_key, b->arguments,
         b->no_wait);
}

/* An empty queue name is the last declared one; with an empty routing key that becomes its name too. */
static void bind_queue(struct channel *ch, const struct amqp_method *m, uint8_t type, struct slice queue,
                       struct slice source, struct slice routing_key, struct slice arguments, bool no_wait)
{
    struct slice name = queue;
    if (!channel_queue_expand_name(ch, &name)) return;
    if (!queue.size && !routing_key.size) routing_key = name;
    bind(ch, m, type, false, name, source, routing_key, arguments, no_wait);
}

void channel_queue_bind(struct channel *ch, const struct amqp_method *m)
{
    const struct amqp_queue_bind *b = &m->queue_bind;
    bind_queue(ch, m, TOPOLOGY_BIND, b->queue, b->exchange, b->routing_key, b->arguments, b->no_wait);
}

void channel_queue_unbind(struct channel *ch, const struct amqp_method *m)
{
    const struct amqp_queue_unbind *u = &m->queue_unbind;
    bind_queue(ch, m, TOPOLOGY_UNBIND, u->queue, u->exchange, u->routing_key, u->arguments, false);
}
