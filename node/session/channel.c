/* A channel: its life, and which function a method goes to. */
#include "node/session/channel_internal.h"

static void content_frame(struct channel *ch, const struct amqp_frame *f);
static void dispatch(struct channel *ch, const struct amqp_method *m);

struct channel *channel_open(struct session *s, uint16_t number)
{
    if (number >= s->channels_capacity) {
        size_t before = s->channels_capacity;
        s->channels = mem_grow(s->channels, &s->channels_capacity, (size_t)number + 1, sizeof(struct channel *));
        memset(s->channels + before, 0, (s->channels_capacity - before) * sizeof(struct channel *));
    }
    struct channel *ch = mem_zalloc(sizeof *ch);
    ch->session = s;
    ch->number = number;
    ch->next_delivery_tag = 1;
    list_init(&ch->dirty_link);
    list_init(&ch->held);
    map_str_guard(&ch->consumer_tags);
    channel_confirms_init(&ch->confirms);
    channel_tx_init(&ch->tx);
    s->channels[number] = ch;
    s->channel_count++;
    ch->stats.channels_opened = 1;
    ch->backend = s->backend->channel_open(s->backend->self, number);
    return ch;
}

void channel_release(struct channel *ch)
{
    struct session *s = ch->session;
    if (ch->state == CHANNEL_CLOSING) return;
    ch->state = CHANNEL_CLOSING;
    channel_held_give_back(ch, NULL);
    channel_settle_flush(ch); /* what the client acked is acked, before the rest is requeued */
    s->backend->channel_close(s->backend->self, ch->backend);
    ch->backend = NULL;
    if (s->borrower == ch) s->borrower = NULL;
    if (s->stalled_channel == ch->number) s->stalled = false;
    list_remove(&ch->dirty_link);
    ch->dirty = false;
    channel_consumers_close(ch);
    channel_unacked_close(&ch->unacked);
    channel_confirms_close(&ch->confirms);
    channel_tx_close(&ch->tx);
    channel_publishing_close(ch);
    ch->question.kind = QUESTION_NONE; /* its buffers stay: the method in hand may be read from them */
}

void channel_free(struct channel *ch)
{
    struct session *s = ch->session;
    channel_release(ch);
    channel_question_close(&ch->question);
    buf_close(&ch->question.name);
    buf_close(&ch->question.held);
    buf_close(&ch->reply_queue);
    s->channels[ch->number] = NULL;
    s->channel_count--;
    ch->stats.channels_closed++;
    session_stats_add(&s->gone, &ch->stats);
    counts_keep(&s->gone_counts, &ch->counts);
    counts_close(&ch->counts);
    mem_free(ch->owed);
    mem_free(ch);
}

void channel_send(struct channel *ch, const struct amqp_method *m)
{
    amqp_method_put(&ch->session->output, ch->number, m);
    ch->session->counters.sent_frames++;
}

void channel_send_empty(struct channel *ch, unsigned number)
{
    struct amqp_method m = amqp_method_of(number);
    channel_send(ch, &m);
}

/* False: the connection failed. As in RabbitMQ no method is named then. */
static bool may_open_another(struct session *s)
{
    uint16_t class_id = s->class_id, method_id = s->method_id;
    s->class_id = s->method_id = 0;
    const struct backend *backend = s->backend;
    struct slice user = buf_slice(&s->user);
    int64_t limit = auth_user_limit(backend->auth(backend->self), user, "max-channels");
    uint64_t of_node = s->settings->node_channel_max;
    const char *node = s->settings->node_name;
    if (!s->trusted && of_node && backend->count(backend->self, BACKEND_CHANNELS_OF_NODE, slice_str(node)) >= of_node) {
        session_fail(s, AMQP_NOT_ALLOWED,
                     "number of channels opened on node '%s' has reached the maximum allowed limit of (%llu)", node,
                     (unsigned long long)of_node);
        return false;
    }
    if (s->trusted || limit < 0 || backend->count(backend->self, BACKEND_CHANNELS_OF_USER, user) < (uint64_t)limit) {
        s->class_id = class_id;
        s->method_id = method_id;
        return true;
    }
    session_fail(s, AMQP_NOT_ALLOWED,
                 "number of channels opened for user '%.*s' has reached the maximum allowed user limit of (%lld)",
                 SLICE_ARG(user), (long long)limit);
    return false;
}

/* A frame for a number that is not open: channel.open, or an error of the connection. */
static void first_frame(struct session *s, const struct amqp_frame *f)
{
    struct amqp_method m = {0};
    unsigned code = f->type == AMQP_FRAME_METHOD ? amqp_method_decode(f->payload, &m) : 0;
    s->class_id = m.class_id;
    s->method_id = m.method_id;
    if (f->type != AMQP_FRAME_METHOD)
        session_fail(s, AMQP_UNEXPECTED_FRAME, "expected method frame, got non method frame instead");
    else if (code) session_fail_method(s, f, (uint16_t)code);
    else if (!amqp_method_texts_are_valid(&m)) session_fail_text(s, f);
    else if (amqp_method_number(&m) != AMQP_CHANNEL_OPEN)
        session_fail(s, AMQP_CHANNEL_ERROR, "expected 'channel.open'");
    else if (f->channel > s->channel_max)
        session_fail(s, AMQP_CHANNEL_ERROR, "channel number %u is above the negotiated channel_max (%u)", f->channel,
                     s->channel_max);
    else if (may_open_another(s)) channel_send_empty(channel_open(s, f->channel), AMQP_CHANNEL_OPEN_OK);
}

/* After a close was sent only the client's close and close-ok count. */
static void closing_frame(struct channel *ch, const struct amqp_frame *f)
{
    struct amqp_method m;
    if (f->type != AMQP_FRAME_METHOD || amqp_method_decode(f->payload, &m)) return;
    if (amqp_method_number(&m) == AMQP_CHANNEL_CLOSE) channel_send_empty(ch, AMQP_CHANNEL_CLOSE_OK);
    else if (amqp_method_number(&m) == AMQP_CHANNEL_CLOSE_OK) channel_free(ch);
}

bool channel_frame(struct session *s, const struct amqp_frame *f)
{
    struct channel *ch = session_channel(s, f->channel);
    struct amqp_method m;
    if (!ch) {
        first_frame(s, f);
        return true;
    }
    if (ch->state == CHANNEL_CLOSING) {
        closing_frame(ch, f);
        return true;
    }
    if (ch->question.kind) return false;
    if (f->type != AMQP_FRAME_METHOD || ch->publishing.state != CONTENT_NONE) {
        bool more = f->type == AMQP_FRAME_BODY && ch->publishing.state == CONTENT_BODY;
        if (more && session_blocked(s)) return false; /* else many channels could go on filling the memory */
        content_frame(ch, f);
        return true;
    }
    unsigned code = amqp_method_decode(f->payload, &m);
    s->class_id = m.class_id;
    s->method_id = m.method_id;
    if (code == AMQP_NOT_IMPLEMENTED) session_fail(s, AMQP_NOT_IMPLEMENTED, "unknown method");
    else if (!code && !amqp_method_texts_are_valid(&m)) session_fail_text(s, f);
    else if (!code && !(amqp_method_flags(m.class_id, m.method_id) & AMQP_FROM_CLIENT))
        session_fail(s, AMQP_COMMAND_INVALID, "unimplemented method");
    else if (code) session_fail_method(s, f, (uint16_t)code);
    else if (amqp_method_number(&m) == AMQP_BASIC_PUBLISH) return channel_publish_begin(ch, &m);
    else channel_method(ch, &m);
    return true;
}

static void content_frame(struct channel *ch, const struct amqp_frame *f)
{
    struct session *s = ch->session;
    uint8_t expected = ch->publishing.state;
    if (expected != CONTENT_NONE) {
        s->class_id = AMQP_CLASS_BASIC;
        s->method_id = (uint16_t)AMQP_BASIC_PUBLISH;
    }
    if (expected == CONTENT_HEADER && f->type == AMQP_FRAME_HEADER) channel_publish_header(ch, f);
    else if (expected == CONTENT_BODY && f->type == AMQP_FRAME_BODY) channel_publish_body(ch, f->payload);
    else if (expected == CONTENT_HEADER)
        session_fail(s, AMQP_UNEXPECTED_FRAME,
                     "expected content header for class %u, got non content header frame instead", AMQP_CLASS_BASIC);
    else if (expected == CONTENT_BODY)
        session_fail(s, AMQP_UNEXPECTED_FRAME, "expected content body, got non content body frame instead");
    else session_fail(s, AMQP_UNEXPECTED_FRAME, "expected method frame, got non method frame instead");
}

void channel_method(struct channel *ch, const struct amqp_method *m)
{
    switch (amqp_method_number(m)) {
    case AMQP_BASIC_ACK:
        channel_acks_settle(ch, m->basic_ack.delivery_tag, m->basic_ack.multiple, SETTLE_ACK);
        return;
    case AMQP_BASIC_NACK:
        channel_acks_settle(ch, m->basic_nack.delivery_tag, m->basic_nack.multiple,
                            m->basic_nack.requeue ? SETTLE_REQUEUE : SETTLE_REJECT);
        return;
    case AMQP_BASIC_REJECT:
        channel_acks_settle(ch, m->basic_reject.delivery_tag, false,
                            m->basic_reject.requeue ? SETTLE_FAIL : SETTLE_REJECT);
        return;
    default:
        channel_settle_flush(ch); /* the queues see what this channel did in the order it did it */
        dispatch(ch, m);
        return;
    }
}

static void channel_close(struct channel *ch)
{
    struct session *s = ch->session;
    uint16_t number = ch->number;
    channel_confirms_flush(ch);
    channel_free(ch);
    struct amqp_method ok = amqp_method_of(AMQP_CHANNEL_CLOSE_OK);
    amqp_method_put(&s->output, number, &ok);
    s->counters.sent_frames++;
}

static void channel_flow(struct channel *ch, bool active)
{
    if (!active) {
        channel_fail(ch, AMQP_NOT_IMPLEMENTED, "active=false");
        return;
    }
    struct amqp_method ok = amqp_method_of(AMQP_CHANNEL_FLOW_OK);
    ok.channel_flow.active = true;
    channel_send(ch, &ok);
}

static void access_request(struct channel *ch)
{
    struct amqp_method ok = amqp_method_of(AMQP_ACCESS_REQUEST_OK);
    ok.access_request_ok.ticket = 1;
    channel_send(ch, &ok);
}

static void confirm_select(struct channel *ch, bool no_wait)
{
    if (ch->tx.selected) {
        channel_fail(ch, AMQP_PRECONDITION_FAILED, "cannot switch from tx to confirm mode");
        return;
    }
    channel_confirms_select(&ch->confirms);
    if (!no_wait) channel_send_empty(ch, AMQP_CONFIRM_SELECT_OK);
}

static void dispatch(struct channel *ch, const struct amqp_method *m)
{
    switch (amqp_method_number(m)) {
    case AMQP_CHANNEL_OPEN:
        channel_fail(ch, AMQP_CHANNEL_ERROR, "second 'channel.open' seen");
        break;
    case AMQP_CHANNEL_CLOSE:
        channel_close(ch);
        break;
    case AMQP_CHANNEL_FLOW:
        channel_flow(ch, m->channel_flow.active);
        break;
    case AMQP_ACCESS_REQUEST:
        access_request(ch);
        break;
    case AMQP_EXCHANGE_DECLARE:
        channel_exchange_declare(ch, m);
        break;
    case AMQP_EXCHANGE_DELETE:
        channel_exchange_delete(ch, m);
        break;
    case AMQP_EXCHANGE_BIND:
        channel_exchange_bind(ch, m, false);
        break;
    case AMQP_EXCHANGE_UNBIND:
        channel_exchange_bind(ch, m, true);
        break;
    case AMQP_QUEUE_DECLARE:
        channel_queue_declare(ch, m);
        break;
    case AMQP_QUEUE_BIND:
        channel_queue_bind(ch, m);
        break;
    case AMQP_QUEUE_UNBIND:
        channel_queue_unbind(ch, m);
        break;
    case AMQP_QUEUE_PURGE:
        channel_queue_purge(ch, m);
        break;
    case AMQP_QUEUE_DELETE:
        channel_queue_delete(ch, m);
        break;
    case AMQP_BASIC_QOS:
        channel_basic_qos(ch, m);
        break;
    case AMQP_BASIC_CONSUME:
        channel_basic_consume(ch, m);
        break;
    case AMQP_BASIC_CANCEL:
        channel_basic_cancel(ch, m);
        break;
    case AMQP_BASIC_GET:
        channel_basic_get(ch, m);
        break;
    case AMQP_BASIC_RECOVER:
    case AMQP_BASIC_RECOVER_ASYNC:
        channel_basic_recover(ch, m);
        break;
    case AMQP_CONFIRM_SELECT:
        confirm_select(ch, m->confirm_select.no_wait);
        break;
    case AMQP_TX_SELECT:
        channel_tx_select(ch);
        break;
    case AMQP_TX_COMMIT:
        channel_tx_commit(ch);
        break;
    case AMQP_TX_ROLLBACK:
        channel_tx_rollback(ch);
        break;
    default:
        /* Among them close-ok that nobody asked for, and cancel-ok: the server cancels with nowait. */
        channel_fail(ch, AMQP_COMMAND_INVALID, "unimplemented method");
        break;
    }
}
