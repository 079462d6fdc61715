/* The consumers of a channel, by id (the broker's word) and by tag (the client's). */
#include "node/session/channel_internal.h"

struct consumer *channel_consumer_create(struct channel *ch, struct slice tag)
{
    CHECK(tag.size <= AMQP_SHORTSTR_MAX);
    struct consumer *c = mem_zalloc(sizeof *c + tag.size);
    c->id = ++ch->next_consumer;
    c->tag_size = (uint8_t)tag.size;
    if (tag.size) memcpy(c->tag, tag.data, tag.size);
    map_u64_set(&ch->consumers, c->id, c);
    map_str_set(&ch->consumer_tags, channel_consumer_tag(c), c);
    return c;
}

static void consumer_free(struct consumer *c)
{
    mem_free((void *)c->arguments.data);
    mem_free(c);
}

struct consumer *channel_consumer_by_id(struct channel *ch, uint32_t id)
{
    if (ch->last_consumer && ch->last_consumer->id == id) return ch->last_consumer;
    struct consumer *c = map_u64_get(&ch->consumers, id);
    if (c) ch->last_consumer = c;
    return c;
}

struct consumer *channel_consumer_by_tag(struct channel *ch, struct slice tag)
{
    return map_str_get(&ch->consumer_tags, tag);
}

void channel_consumer_destroy(struct channel *ch, struct consumer *c)
{
    channel_held_give_back(ch, c);
    map_u64_remove(&ch->consumers, c->id);
    map_str_remove(&ch->consumer_tags, channel_consumer_tag(c));
    if (ch->last_consumer == c) ch->last_consumer = NULL;
    if (ch->reply_consumer == c->id) ch->reply_consumer = 0;
    consumer_free(c);
}

void channel_consumers_close(struct channel *ch)
{
    size_t at = 0;
    uint64_t id;
    struct consumer *c;
    while ((c = map_u64_next(&ch->consumers, &at, &id))) consumer_free(c);
    map_u64_close(&ch->consumers);
    map_str_close(&ch->consumer_tags);
    ch->last_consumer = NULL;
    ch->reply_consumer = 0;
}

void channel_consumer_announce(struct channel *ch, struct consumer *c)
{
    if (c->announced) return;
    c->announced = true;
    struct amqp_method ok = amqp_method_of(AMQP_BASIC_CONSUME_OK);
    ok.basic_consume_ok.consumer_tag = channel_consumer_tag(c);
    channel_send(ch, &ok);
}

/* A client that does not hear of it would wait for ever: its channel ends, in RabbitMQ's words. */
static void fail_timed_out(struct channel *ch, uint64_t timeout_ms)
{
    ch->session->class_id = ch->session->method_id = 0;
    channel_fail(
        ch, AMQP_PRECONDITION_FAILED,
        "delivery acknowledgement on channel %u timed out. Timeout value used: %llu ms. This timeout value can "
        "be configured, see consumers doc guide to learn more",
        ch->number, (unsigned long long)timeout_ms);
}

void session_consumer_cancelled(struct session *s, uint16_t number, uint32_t group, uint32_t id, uint64_t timeout_ms)
{
    struct channel *ch = session_channel(s, number);
    if (!ch || ch->state != CHANNEL_OPEN) return;
    struct consumer *c = map_u64_get(&ch->consumers, id);
    /* a cancel that crosses the client's own is answered by cancel-ok alone */
    if (!c || c->group != group || c->detaching) return;
    if (!c->announced) return; /* the reply to its attach says what happened */
    if (s->cancel_notify) {
        struct amqp_method m = amqp_method_of(AMQP_BASIC_CANCEL);
        m.basic_cancel = (struct amqp_basic_cancel){channel_consumer_tag(c), true};
        channel_send(ch, &m);
    }
    channel_consumer_destroy(ch, c);
    if (timeout_ms && !s->cancel_notify) fail_timed_out(ch, timeout_ms);
}

static void cancel_of_channel(struct channel *ch, bool (*gone)(void *arg, uint32_t group, uint64_t queue), void *arg)
{
    size_t at = 0, count = 0, capacity = 0;
    uint64_t id;
    uint32_t *ids = NULL; /* the map must not change during the walk */
    const struct consumer *c;
    while ((c = map_u64_next(&ch->consumers, &at, &id))) {
        if (!c->queue || !gone(arg, c->group, c->queue)) continue; /* 0: for replies, and just being declared */
        ids = mem_grow(ids, &capacity, count + 1, sizeof *ids);
        ids[count++] = c->id;
    }
    for (size_t i = 0; i < count; i++) {
        c = map_u64_get(&ch->consumers, ids[i]);
        session_consumer_cancelled(ch->session, ch->number, c->group, c->id, 0);
    }
    mem_free(ids);
}

void session_cancel_consumers(struct session *s, bool (*gone)(void *arg, uint32_t group, uint64_t queue), void *arg)
{
    for (size_t i = 0; i < s->channels_capacity; i++)
        if (s->channels[i] && s->channels[i]->state == CHANNEL_OPEN) cancel_of_channel(s->channels[i], gone, arg);
}
