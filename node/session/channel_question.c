/* Questions to the broker: one open per channel, answered by session_reply(). */
#include "node/queue/effect.h"
#include "node/session/channel_internal.h"

static void answered(struct channel *ch, const struct question *q, const struct backend_reply *reply);
static bool refused(struct channel *ch, struct question *q, const struct backend_reply *reply);

void channel_question_open(struct channel *ch, enum question_kind kind, struct slice name, bool no_wait)
{
    struct question *q = &ch->question;
    CHECK(!q->kind);
    q->kind = (uint8_t)kind;
    q->no_wait = no_wait;
    q->no_ack = q->delivered = false;
    q->method = AMQP_METHOD(ch->session->class_id, ch->session->method_id);
    q->consumer = 0;
    q->queue = 0;
    if (name.data != q->name.data) { /* the second question of a method keeps the name of the first */
        buf_clear(&q->name);
        buf_put_slice(&q->name, name);
    }
}

void channel_question_close(struct question *q)
{
    q->kind = QUESTION_NONE;
}

bool channel_question_refresh_first(struct channel *ch, const struct amqp_method *m)
{
    const struct backend *backend = ch->session->backend;
    if (ch->refreshed || backend->topology_is_fresh(backend->self)) return false;
    channel_question_open(ch, QUESTION_REFRESH, slice_of(NULL, 0), false);
    buf_clear(&ch->question.held);
    if (m) amqp_method_encode(&ch->question.held, m);
    backend->refresh(backend->self, ch->backend);
    return true;
}

void session_reply(struct session *s, uint16_t number, const struct backend_reply *reply)
{
    struct channel *ch = session_channel(s, number);
    if (!number && s->asker) session_news(s);
    else if (!number) session_farewell_reply(s);
    if (!ch || ch->state != CHANNEL_OPEN || !ch->question.kind) return;
    if (ch->question.kind == QUESTION_TX_COMMIT) return; /* the broker was not asked */
    struct question q = ch->question; /* answering may open the next one; the buffers stay the channel's */
    channel_question_close(&ch->question);
    if (s->stalled_channel == number) s->stalled = false;
    s->class_id = (uint16_t)(q.method >> 16);
    s->method_id = (uint16_t)q.method;
    if (!refused(ch, &q, reply)) answered(ch, &q, reply);
}

/* Run again what had to wait for the topology. */
static void after_refresh(struct channel *ch, const struct question *q)
{
    struct amqp_method m;
    ch->refreshed = q->kind == QUESTION_REFRESH;
    if (ch->publishing.held) channel_publish_again(ch);
    else {
        CHECK(amqp_method_decode(buf_slice(&q->held), &m) == 0);
        channel_method(ch, &m);
    }
    ch->refreshed = false;
}

static void answer_count(struct channel *ch, const struct question *q, unsigned number, uint64_t count)
{
    struct amqp_method ok = amqp_method_of(number);
    if (q->no_wait) return;
    uint32_t shown = count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
    if (number == AMQP_QUEUE_PURGE_OK) ok.queue_purge_ok.message_count = shown;
    else ok.queue_delete_ok.message_count = shown;
    channel_send(ch, &ok);
}

/* The -ok of exchange methods and bindings: the next number, but for exchange.unbind-ok. */
static void answer_change(struct channel *ch, const struct question *q)
{
    if (q->no_wait) return;
    channel_send_empty(ch, q->method == AMQP_EXCHANGE_UNBIND ? (unsigned)AMQP_EXCHANGE_UNBIND_OK : q->method + 1);
}

static void answer_detach(struct channel *ch, const struct question *q)
{
    struct consumer *c = channel_consumer_by_id(ch, q->consumer);
    if (!q->no_wait) {
        struct amqp_method ok = amqp_method_of(AMQP_BASIC_CANCEL_OK);
        ok.basic_cancel_ok.consumer_tag = buf_slice(&q->name);
        channel_send(ch, &ok);
    }
    if (c) channel_consumer_destroy(ch, c);
}

static void answered(struct channel *ch, const struct question *q, const struct backend_reply *reply)
{
    struct consumer *c;
    switch ((enum question_kind)q->kind) {
    case QUESTION_NONE:
    case QUESTION_TX_COMMIT:
        break;
    case QUESTION_REFRESH:
    case QUESTION_OUTSIDE:
        after_refresh(ch, q);
        break;
    case QUESTION_QUEUE_DECLARE:
        channel_queue_declared(ch, q, reply);
        break;
    case QUESTION_QUEUE_DELETE:
        ch->stats.queues_deleted++;
        answer_count(ch, q, AMQP_QUEUE_DELETE_OK, reply->a);
        break;
    case QUESTION_QUEUE_PURGE:
        answer_count(ch, q, AMQP_QUEUE_PURGE_OK, reply->a);
        break;
    case QUESTION_CHANGE:
        answer_change(ch, q);
        break;
    case QUESTION_ATTACH:
        c = channel_consumer_by_id(ch, q->consumer);
        if (c) channel_consumer_announce(ch, c);
        break;
    case QUESTION_DETACH:
        answer_detach(ch, q);
        break;
    case QUESTION_GET:
        if (!q->delivered) {
            struct session_queue_counts *counts = counts_queue(&ch->counts, counts_number(&ch->counts, q->queue));
            ch->stats.get_empty++;
            if (counts) counts->get_empty++;
            channel_send_empty(ch, AMQP_BASIC_GET_EMPTY);
        }
        break;
    case QUESTION_REPLY_QUEUE:
        channel_basic_attach_reply_consumer(ch, q, reply);
        break;
    }
}

/* True: the answer was no, and the channel (or connection) was told. */
static bool refused(struct channel *ch, struct question *q, const struct backend_reply *reply)
{
    struct slice name = buf_slice(&q->name), vhost = buf_slice(&ch->session->vhost);
    if (!reply->reply_code && (reply->code == REPLY_OK || reply->code == REPLY_EMPTY)) return false;
    if (q->kind == QUESTION_DETACH) return false; /* gone already is as good as cancelled */
    if (q->kind == QUESTION_ATTACH) {
        struct consumer *c = channel_consumer_by_id(ch, q->consumer);
        if (c) channel_consumer_destroy(ch, c);
    }
    uint16_t code = reply->reply_code;
    if (!code && reply->code == REPLY_REFUSED) code = (uint16_t)reply->a;
    if (code && reply->text.size) {
        channel_fail_text(ch, code, reply->text);
        return true;
    }
    switch (reply->code) {
    case REPLY_NOT_FOUND:
        if (q->kind == QUESTION_QUEUE_DELETE) return false; /* deleting what is gone succeeds */
        channel_fail_no_queue(ch, name);
        break;
    case REPLY_EXCLUSIVE:
        channel_fail(ch, AMQP_ACCESS_REFUSED, "queue '%.*s' in vhost '%.*s' in exclusive use", SLICE_ARG(name),
                     SLICE_ARG(vhost));
        break;
    case REPLY_IN_USE:
        channel_fail(ch, AMQP_PRECONDITION_FAILED, "queue '%.*s' in vhost '%.*s' in use", SLICE_ARG(name),
                     SLICE_ARG(vhost));
        break;
    case REPLY_NOT_EMPTY:
        channel_fail(ch, AMQP_PRECONDITION_FAILED, "queue '%.*s' in vhost '%.*s' not empty", SLICE_ARG(name),
                     SLICE_ARG(vhost));
        break;
    default:
        if (code == AMQP_NOT_FOUND) channel_fail_no_queue(ch, name);
        else channel_fail(ch, code ? code : AMQP_INTERNAL_ERROR, "the broker could not carry out the operation");
        break;
    }
    return true;
}
