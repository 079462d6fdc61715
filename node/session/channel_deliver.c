/* Messages on their way to the client. */
#include "node/session/channel_internal.h"

static void answer_get(struct channel *ch, const struct session_delivery *d);
static void record(struct channel *ch, const struct session_delivery *d, uint64_t tag, bool no_ack, uint16_t counts);

/* What is added to the headers as a message goes out; what is stored stays as the client sent it. */
struct additions {
    uint64_t delivery_count; /* x-delivery-count: how often it came before; 0: nothing */
    struct slice identity;   /* x-deduplication-header, if it has none; empty: nothing */
};
static const char count_key[] = "x-delivery-count", identity_key[] = "x-deduplication-header";

/* `space` is closed by the caller. */
static struct slice properties_with(struct slice properties, const struct additions *add, struct buf *space)
{
    struct amqp_properties_brief brief;
    struct buf headers = {0};
    struct slice name;
    struct amqp_value v;
    bool identified = !add->identity.size;
    if (amqp_properties_brief(properties, &brief)) return properties;
    struct reader r = reader_of(brief.headers);
    while (amqp_table_next(&r, &name, &v)) {
        identified |= slice_is(name, identity_key);
        if (!add->delivery_count || !slice_is(name, count_key)) amqp_table_put_value(&headers, name, &v);
    }
    v = (struct amqp_value){.type = 'l', .integer = (int64_t)add->delivery_count};
    if (add->delivery_count) amqp_table_put_value(&headers, slice_str(count_key), &v);
    if (!identified) amqp_table_put_string(&headers, identity_key, add->identity);
    amqp_properties_replace_headers(space, properties, buf_slice(&headers), 0);
    buf_close(&headers);
    return buf_slice(space);
}

/* The same whenever the message comes, and no other's in this cluster: queues' ids are not used again. */
static struct slice identity_of(const struct session *s, const struct consumer *c, const struct session_delivery *d,
                                char text[static NAME_SIZE_MAX])
{
    int size = snprintf(text, NAME_SIZE_MAX, "%s/%llx/%llx", s->settings->cluster_name ? s->settings->cluster_name : "",
                        (unsigned long long)c->queue, (unsigned long long)d->place);
    return slice_of(text, size < NAME_SIZE_MAX ? (size_t)size : NAME_SIZE_MAX - 1);
}

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
        channel_settle_add(ch, d->group, d->dseq, SETTLE_UNSEEN);
        return;
    }
    if (!c->announced) channel_consumer_announce(ch, c); /* a delivery says that the attach was carried out */
    if (channel_must_hold(ch)) channel_hold(ch, d);
    else channel_deliver(ch, c, d);
}

void channel_deliver(struct channel *ch, struct consumer *c, const struct session_delivery *d)
{
    struct session *s = ch->session;
    uint64_t tag = ch->next_delivery_tag++;
    char identity[NAME_SIZE_MAX];
    struct buf space = {0};
    struct additions add = {.delivery_count = d->delivery_count};
    if (c->identify) add.identity = identity_of(s, c, d, identity);
    struct amqp_delivery out = {
        .consumer_tag = channel_consumer_tag(c),
        .delivery_tag = tag,
        .redelivered = d->redelivered,
        .exchange = d->content.exchange,
        .routing_key = d->content.routing_key,
        .properties = d->delivery_count || c->identify ? properties_with(d->content.properties, &add, &space)
                                                       : d->content.properties,
        .body = d->content.body,
    };
    amqp_deliver_put(&s->output, ch->number, s->frame_max, &out);
    buf_close(&space);
    struct session_queue_counts *counts = counts_queue(&ch->counts, c->counts);
    if (c->no_ack) ch->stats.deliver_no_ack++;
    else ch->stats.deliver++;
    if (counts) *(c->no_ack ? &counts->deliver_no_ack : &counts->deliver) += 1;
    if (s->traced) channel_trace_delivery(ch, c->queue, d);
    record(ch, d, tag, c->no_ack, c->counts);
}

static void answer_get(struct channel *ch, const struct session_delivery *d)
{
    struct session *s = ch->session;
    struct question *q = &ch->question;
    if (q->kind != QUESTION_GET || q->delivered) {
        channel_settle_add(ch, d->group, d->dseq, SETTLE_UNSEEN);
        return;
    }
    q->delivered = true;
    uint64_t tag = ch->next_delivery_tag++;
    struct additions add = {.delivery_count = d->delivery_count};
    struct buf space = {0};
    struct amqp_delivery out = {
        .delivery_tag = tag,
        .redelivered = d->redelivered,
        .message_count = d->ready_left > UINT32_MAX ? UINT32_MAX : (uint32_t)d->ready_left,
        .exchange = d->content.exchange,
        .routing_key = d->content.routing_key,
        .properties = d->delivery_count ? properties_with(d->content.properties, &add, &space) : d->content.properties,
        .body = d->content.body,
    };
    amqp_get_ok_put(&s->output, ch->number, s->frame_max, &out);
    buf_close(&space);
    uint16_t number = counts_number(&ch->counts, q->queue);
    struct session_queue_counts *counts = counts_queue(&ch->counts, number);
    if (q->no_ack) ch->stats.get_no_ack++;
    else ch->stats.get++;
    if (counts) *(q->no_ack ? &counts->get_no_ack : &counts->get) += 1;
    if (s->traced) channel_trace_delivery(ch, q->queue, d);
    record(ch, d, tag, q->no_ack, number);
}

/* Settled later: what is settled counts as received, and more would come. */
static void owe(struct channel *ch, const struct session_delivery *d)
{
    ch->owed = mem_grow(ch->owed, &ch->owed_capacity, ch->owed_count + 1, sizeof *ch->owed);
    ch->owed[ch->owed_count++] = (struct owed){d->group, d->dseq};
}

static void pay(struct channel *ch)
{
    for (size_t i = 0; i < ch->owed_count; i++) channel_settle_add(ch, ch->owed[i].group, ch->owed[i].dseq, SETTLE_ACK);
    mem_free(ch->owed);
    ch->owed = NULL;
    ch->owed_count = ch->owed_capacity = 0;
}

void session_drained(struct session *s, uint64_t now_ms)
{
    for (size_t i = 0; i < s->channels_capacity; i++)
        if (s->channels[i] && s->channels[i]->state == CHANNEL_OPEN && s->channels[i]->owed_count) pay(s->channels[i]);
    session_turn_end(s, now_ms);
}

/* Without acks the message is settled as soon as it stands in the output, and there is room for the next: what the
 * socket loses then is lost, as the client chose; a slow reader is bounded because no deliveries come while the output
 * is above its mark. */
static void record(struct channel *ch, const struct session_delivery *d, uint64_t tag, bool no_ack, uint16_t counts)
{
    struct session_queue_counts *q = counts_queue(&ch->counts, counts);
    ch->session->counters.sent_frames++;
    ch->stats.redeliver += d->redelivered;
    if (q) q->redeliver += d->redelivered;
    if (!no_ack) {
        bool counted = d->consumer != 0;
        ch->counted += counted;
        channel_unacked_push(&ch->unacked, &(struct unacked_entry){tag, d->dseq, d->group, counts, counted, false});
    } else if (ch->owed_count || !session_wants_deliveries(ch->session)) owe(ch, d);
    else channel_settle_add(ch, d->group, d->dseq, SETTLE_ACK);
}
