/* basic.qos, consume, cancel, get and recover. */
#include "node/session/channel_internal.h"

static void consume_reply_to(struct channel *ch, const struct amqp_method *m);

void channel_basic_qos(struct channel *ch, const struct amqp_method *m)
{
    const struct amqp_basic_qos *qos = &m->basic_qos;
    const struct backend *backend = ch->session->backend;
    if (qos->prefetch_size) {
        channel_fail(ch, AMQP_NOT_IMPLEMENTED, "prefetch_size!=0 (%u)", qos->prefetch_size);
        return;
    }
    bool changes = qos->global || ch->limited;
    if (!qos->global) ch->prefetch = qos->prefetch_count;
    ch->global_prefetch = qos->global ? qos->prefetch_count : 0; /* the later one counts, as in RabbitMQ */
    ch->limited = ch->global_prefetch != 0;
    channel_send_empty(ch, AMQP_BASIC_QOS_OK);
    channel_held_show(ch);
    if (changes) backend->limit(backend->self, ch->backend, ch->global_prefetch);
}

/* Attaches a consumer that the channel knows already, so that its first delivery finds it. */
static void attach(struct channel *ch, struct consumer *c, uint8_t flags, const struct consumer_arguments *arguments,
                   struct slice queue_name, bool no_wait)
{
    const struct backend *backend = ch->session->backend;
    if (c->no_ack) flags |= ATTACH_NO_ACK;
    if (arguments->has_timeout) flags |= ATTACH_TIMEOUT_OWN;
    struct command_attach command = {
        .queue = c->queue,
        .consumer = c->id,
        .flags = flags,
        .prefetch = c->no_ack ? 0 : ch->prefetch, /* prefetch counts what is unacked, and here nothing ever is */
        .priority = arguments->priority,
        .timeout_ms = arguments->has_timeout ? arguments->timeout_ms : ch->session->settings->consumer_timeout_ms,
        .tag = channel_consumer_tag(c),
    };
    c->announced = no_wait;
    channel_question_open(ch, QUESTION_ATTACH, queue_name, no_wait);
    ch->question.consumer = c->id;
    backend->attach(backend->self, ch->backend, c->group, &command);
}

/* False: the channel failed. */
static bool tag_is_free(struct channel *ch, struct slice tag)
{
    if (tag.size && channel_consumer_by_tag(ch, tag)) {
        channel_fail(ch, AMQP_NOT_ALLOWED, "attempt to reuse consumer tag '%.*s'", SLICE_ARG(tag));
        return false;
    }
    uint32_t most = ch->session->settings->consumer_max;
    if (!most) most = SESSION_CONSUMERS_MAX;
    if (ch->consumers.count < most) return true;
    channel_fail(ch, AMQP_NOT_ALLOWED, "reached maximum (%u) of consumers per channel", most);
    return false;
}

void channel_basic_consume(struct channel *ch, const struct amqp_method *m)
{
    const struct amqp_basic_consume *consume = &m->basic_consume;
    uint8_t space[NAME_SIZE_MAX];
    struct consumer_arguments arguments;
    struct slice name = consume->queue, tag = consume->consumer_tag;
    if (slice_is(name, "amq.rabbitmq.reply-to")) {
        consume_reply_to(ch, m);
        return;
    }
    if (!tag_is_free(ch, tag) || !channel_queue_expand_name(ch, &name) || !channel_may(ch, m, AUTH_READ, "queue", name))
        return;
    const struct queue_record *q = channel_queue_find(ch, m, name);
    if (!q) return;
    uint32_t group = q->group;
    uint64_t id = q->id;
    if (!channel_consumer_arguments_check(ch, name, consume->arguments, &arguments)) return;
    if (!tag.size) tag = session_name_generate(ch->session, "amq.ctag-", space);
    struct consumer *c = channel_consumer_create(ch, tag);
    c->queue = id;
    c->counts = counts_number(&ch->counts, id);
    c->group = group;
    c->no_ack = consume->no_ack;
    c->exclusive = consume->exclusive;
    c->identify = arguments.identify;
    c->prefetch = ch->prefetch;
    if (consume->arguments.size)
        c->arguments = slice_of(mem_strndup((const char *)consume->arguments.data, consume->arguments.size),
                                consume->arguments.size);
    attach(ch, c, consume->exclusive ? ATTACH_EXCLUSIVE : 0, &arguments, name, consume->no_wait);
}

/* Direct reply-to is a hidden queue: exclusive, gone with its consumer, its name the address that requests carry. So a
 * reply finds it from every node by the default exchange. */
static void consume_reply_to(struct channel *ch, const struct amqp_method *m)
{
    const struct amqp_basic_consume *consume = &m->basic_consume;
    uint8_t queue_space[NAME_SIZE_MAX], tag_space[NAME_SIZE_MAX];
    struct session *s = ch->session;
    struct slice tag = consume->consumer_tag;
    if (!tag_is_free(ch, tag)) return;
    if (!consume->no_ack) {
        channel_fail(ch, AMQP_PRECONDITION_FAILED, "reply consumer cannot acknowledge");
        return;
    }
    if (ch->reply_consumer) {
        channel_fail(ch, AMQP_PRECONDITION_FAILED, "reply consumer already set");
        return;
    }
    if (!tag.size) tag = session_name_generate(s, "amq.ctag-", tag_space);
    struct consumer *c = channel_consumer_create(ch, tag);
    c->no_ack = true;
    ch->reply_consumer = c->id;
    struct topology_command command = {
        .type = TOPOLOGY_QUEUE_DECLARE,
        .vhost = buf_slice(&s->vhost),
        .name = session_name_generate(s, "amq.rabbitmq.reply-to.", queue_space),
        .exclusive = true,
        .auto_delete = true,
        .connection = s->token,
    };
    buf_clear(&ch->reply_queue);
    buf_put_slice(&ch->reply_queue, command.name);
    channel_question_open(ch, QUESTION_REPLY_QUEUE, command.name, consume->no_wait);
    s->backend->change(s->backend->self, ch->backend, &command, 0);
}

void channel_basic_attach_reply_consumer(struct channel *ch, const struct question *q,
                                         const struct backend_reply *reply)
{
    struct consumer *c = channel_consumer_by_id(ch, ch->reply_consumer);
    CHECK(c);
    c->queue = reply->queue_id;
    c->counts = counts_number(&ch->counts, reply->queue_id);
    c->group = reply->group;
    attach(ch, c, ATTACH_EXCLUSIVE, &(struct consumer_arguments){0}, buf_slice(&q->name), q->no_wait);
}

void channel_basic_cancel(struct channel *ch, const struct amqp_method *m)
{
    const struct amqp_basic_cancel *cancel = &m->basic_cancel;
    const struct backend *backend = ch->session->backend;
    struct consumer *c = channel_consumer_by_tag(ch, cancel->consumer_tag);
    if (!c) {
        if (cancel->no_wait) return;
        struct amqp_method ok = amqp_method_of(AMQP_BASIC_CANCEL_OK);
        ok.basic_cancel_ok.consumer_tag = cancel->consumer_tag;
        channel_send(ch, &ok);
        return;
    }
    c->detaching = true;
    channel_question_open(ch, QUESTION_DETACH, cancel->consumer_tag, cancel->no_wait);
    ch->question.consumer = c->id;
    backend->detach(backend->self, ch->backend, c->group, c->id);
}

void channel_basic_get(struct channel *ch, const struct amqp_method *m)
{
    const struct backend *backend = ch->session->backend;
    struct slice name = m->basic_get.queue;
    if (!channel_queue_expand_name(ch, &name) || !channel_may(ch, m, AUTH_READ, "queue", name)) return;
    const struct queue_record *q = channel_queue_find(ch, m, name);
    if (!q) return;
    uint32_t group = q->group;
    uint64_t id = q->id;
    channel_question_open(ch, QUESTION_GET, name, false);
    ch->question.no_ack = m->basic_get.no_ack;
    ch->question.queue = id;
    backend->get(backend->self, ch->backend, group, id, m->basic_get.no_ack);
}

void channel_basic_recover(struct channel *ch, const struct amqp_method *m)
{
    if (!m->basic_recover.requeue) {
        channel_fail(ch, AMQP_NOT_IMPLEMENTED, "requeue=false");
        return;
    }
    channel_acks_requeue_all(ch);
    if (amqp_method_number(m) == AMQP_BASIC_RECOVER) channel_send_empty(ch, AMQP_BASIC_RECOVER_OK);
}
