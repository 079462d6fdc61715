/* Messages on their way to the client. */
#include "node/session/session_internal.h"

static void answer_get(struct channel *ch, const struct session_delivery *d);
static void record(struct channel *ch, const struct session_delivery *d, uint64_t tag, bool no_ack);

void session_deliver(struct session *s, uint16_t number, const struct session_delivery *d)
{
    struct channel *ch = session_channel(s, number);
    if (!ch || ch->state != CHANNEL_OPEN || s->phase != PHASE_RUNNING) return;
    if (!d->consumer) {
        answer_get(ch, d);
        return;
    }
    struct consumer *c = channel_consumer_by_id(ch, d->consumer);
    if (!c) { /* cancelled while the message was under way: it goes back */
        channel_settle_add(ch, d->group, d->dseq, SETTLE_REQUEUE);
        return;
    }
    if (!c->announced) channel_consumer_announce(ch, c); /* a delivery says that the attach was carried out */
    uint64_t tag = ch->next_delivery_tag++;
    struct amqp_delivery out = {
        .consumer_tag = channel_consumer_tag(c),
        .delivery_tag = tag,
        .redelivered = d->redelivered,
        .exchange = d->content.exchange,
        .routing_key = d->content.routing_key,
        .properties = d->content.properties,
        .body = d->content.body,
    };
    amqp_deliver_put(&s->output, number, s->frame_max, &out);
    s->counters.delivered++;
    record(ch, d, tag, c->no_ack);
}

static void answer_get(struct channel *ch, const struct session_delivery *d)
{
    struct session *s = ch->session;
    struct question *q = &ch->question;
    if (q->kind != QUESTION_GET || q->delivered) {
        channel_settle_add(ch, d->group, d->dseq, SETTLE_REQUEUE);
        return;
    }
    q->delivered = true;
    uint64_t tag = ch->next_delivery_tag++;
    struct amqp_delivery out = {
        .delivery_tag = tag,
        .redelivered = d->redelivered,
        .message_count = d->ready_left > UINT32_MAX ? UINT32_MAX : (uint32_t)d->ready_left,
        .exchange = d->content.exchange,
        .routing_key = d->content.routing_key,
        .properties = d->content.properties,
        .body = d->content.body,
    };
    amqp_get_ok_put(&s->output, ch->number, s->frame_max, &out);
    s->counters.got++;
    record(ch, d, tag, q->no_ack);
}

/* Without acks the message is settled as soon as it stands in the output: what the socket loses then is lost, as the
 * client chose; a slow reader is bounded because no deliveries come while the output is above its mark. */
static void record(struct channel *ch, const struct session_delivery *d, uint64_t tag, bool no_ack)
{
    ch->session->counters.sent_frames++;
    if (no_ack) channel_settle_add(ch, d->group, d->dseq, SETTLE_ACK);
    else channel_unacked_push(&ch->unacked, tag, d->group, d->dseq);
}
