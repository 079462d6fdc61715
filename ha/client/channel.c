/* Channels: requests and their answers, content in, publishes out. */
#include "ha/client/client_internal.h"

struct client_channel *client_channel_find(const struct client *c, uint16_t channel)
{
    return channel < c->channel_capacity ? c->channels[channel] : NULL;
}

void client_channel_forget(struct client *c, uint16_t channel)
{
    struct client_channel *ch = client_channel_find(c, channel);
    if (!ch) return;
    mem_free(ch->requests);
    buf_close(&ch->head);
    buf_close(&ch->properties);
    buf_close(&ch->body);
    mem_free(ch);
    c->channels[channel] = NULL;
}

static void expect(struct client_channel *ch, unsigned method, uint64_t token)
{
    if (ch->request_head > ch->request_count / 2) {
        ch->request_count -= ch->request_head;
        memmove(ch->requests, ch->requests + ch->request_head, ch->request_count * sizeof *ch->requests);
        ch->request_head = 0;
    }
    ch->requests = mem_grow(ch->requests, &ch->request_capacity, ch->request_count + 1, sizeof *ch->requests);
    ch->requests[ch->request_count++] = (struct client_request){method, token};
}

void client_channel_open(struct client *c, uint16_t channel, uint64_t token)
{
    CHECK(channel && channel <= c->channel_max);
    CHECK(!client_channel_find(c, channel));
    if (c->phase != CLIENT_PHASE_RUNNING) return;
    if (channel >= c->channel_capacity) {
        size_t old = c->channel_capacity;
        c->channels = mem_grow(c->channels, &c->channel_capacity, channel + 1u, sizeof *c->channels);
        memset(c->channels + old, 0, (c->channel_capacity - old) * sizeof *c->channels);
    }
    c->channels[channel] = mem_zalloc(sizeof **c->channels);
    struct amqp_method m = amqp_method_of(AMQP_CHANNEL_OPEN);
    expect(c->channels[channel], AMQP_CHANNEL_OPEN, token);
    client_put(c, channel, &m);
}

void client_channel_close(struct client *c, uint16_t channel)
{
    struct client_channel *ch = client_channel_find(c, channel);
    if (!ch || ch->closing || c->phase != CLIENT_PHASE_RUNNING) return;
    struct amqp_method m = amqp_method_of(AMQP_CHANNEL_CLOSE);
    m.close = (struct amqp_close){.reply_code = AMQP_REPLY_SUCCESS, .reply_text = slice_str("done")};
    ch->closing = true;
    client_put(c, channel, &m);
}

bool client_channel_is_open(const struct client *c, uint16_t channel)
{
    const struct client_channel *ch = client_channel_find(c, channel);
    return ch && !ch->closing && c->phase == CLIENT_PHASE_RUNNING;
}

/* --- out --- */

static bool is_no_wait(const struct amqp_method *m)
{
    switch (amqp_method_number(m)) {
    case AMQP_EXCHANGE_DECLARE:
        return m->exchange_declare.no_wait;
    case AMQP_EXCHANGE_DELETE:
        return m->exchange_delete.no_wait;
    case AMQP_EXCHANGE_BIND:
    case AMQP_EXCHANGE_UNBIND:
        return m->exchange_bind.no_wait;
    case AMQP_QUEUE_DECLARE:
        return m->queue_declare.no_wait;
    case AMQP_QUEUE_BIND:
        return m->queue_bind.no_wait;
    case AMQP_QUEUE_PURGE:
        return m->queue_purge.no_wait;
    case AMQP_QUEUE_DELETE:
        return m->queue_delete.no_wait;
    case AMQP_BASIC_CONSUME:
        return m->basic_consume.no_wait;
    case AMQP_BASIC_CANCEL:
        return m->basic_cancel.no_wait;
    case AMQP_CONFIRM_SELECT:
        return m->confirm_select.no_wait;
    default:
        return false;
    }
}

void client_send(struct client *c, uint16_t channel, const struct amqp_method *m, uint64_t token)
{
    unsigned flags = amqp_method_flags(m->class_id, m->method_id);
    CHECK(flags & AMQP_FROM_CLIENT);
    if (!client_channel_is_open(c, channel)) return;
    struct client_channel *ch = client_channel_find(c, channel);
    if (amqp_method_number(m) == AMQP_CONFIRM_SELECT) ch->confirms = true;
    if ((flags & AMQP_SYNCHRONOUS) && !is_no_wait(m)) expect(ch, amqp_method_number(m), token);
    client_put(c, channel, m);
}

uint64_t client_publish(struct client *c, uint16_t channel, const struct amqp_method *publish, struct slice properties,
                        struct slice body)
{
    CHECK(amqp_method_number(publish) == AMQP_BASIC_PUBLISH);
    if (!client_channel_is_open(c, channel)) return 0;
    struct client_channel *ch = client_channel_find(c, channel);
    client_put(c, channel, publish);
    amqp_header_put(&c->output, channel, body.size, properties);
    amqp_body_put(&c->output, channel, body, c->frame_max);
    if (c->output.size >= CLIENT_OUTPUT_HIGH) c->was_full = true;
    return ch->confirms ? ++ch->published : 0;
}

void client_ack(struct client *c, uint16_t channel, uint64_t delivery_tag, bool multiple)
{
    if (client_channel_is_open(c, channel)) amqp_ack_put(&c->output, channel, delivery_tag, multiple);
}

void client_nack(struct client *c, uint16_t channel, uint64_t delivery_tag, bool requeue)
{
    struct amqp_method m = amqp_method_of(AMQP_BASIC_NACK);
    m.basic_nack = (struct amqp_basic_nack){.delivery_tag = delivery_tag, .requeue = requeue};
    client_send(c, channel, &m, 0);
}

/* --- in --- */

static bool answers(unsigned answer, unsigned request)
{
    if (request == AMQP_BASIC_GET) return answer == AMQP_BASIC_GET_OK || answer == AMQP_BASIC_GET_EMPTY;
    if (request == AMQP_EXCHANGE_UNBIND) return answer == AMQP_EXCHANGE_UNBIND_OK;
    return answer == request + 1;
}

/* Takes the oldest request off the list if `answer` is its answer. */
static bool take_request(struct client_channel *ch, unsigned answer, uint64_t *token)
{
    if (ch->request_head == ch->request_count) return false;
    const struct client_request *r = &ch->requests[ch->request_head];
    if (!answers(answer, r->method)) return false;
    *token = r->token;
    if (++ch->request_head == ch->request_count) ch->request_head = ch->request_count = 0;
    return true;
}

static void content_complete(struct client *c, uint16_t channel, struct client_channel *ch, struct slice body)
{
    struct amqp_method m;
    struct client_event e = {.channel = channel, .method = &m, .body = body};
    CHECK(amqp_method_decode(buf_slice(&ch->head), &m) == 0);
    e.properties = buf_slice(&ch->properties);
    ch->content = CLIENT_CONTENT_NONE;
    switch (amqp_method_number(&m)) {
    case AMQP_BASIC_DELIVER:
        e.kind = CLIENT_EVENT_DELIVERED;
        break;
    case AMQP_BASIC_RETURN:
        e.kind = CLIENT_EVENT_RETURNED;
        break;
    default:
        e.kind = CLIENT_EVENT_ANSWERED;
        if (!take_request(ch, AMQP_BASIC_GET_OK, &e.token)) {
            client_fail(c, AMQP_COMMAND_INVALID, "basic.get-ok was not expected");
            return;
        }
    }
    c->event(c->self, &e);
}

/* The server's close of a channel; our own close may cross it. */
static void on_channel_close(struct client *c, uint16_t channel, const struct amqp_method *m)
{
    struct client_event e = {.kind = CLIENT_EVENT_CHANNEL_CLOSED,
                             .channel = channel,
                             .method = m,
                             .reply_code = m->close.reply_code,
                             .text = m->close.reply_text};
    struct amqp_method ok = amqp_method_of(AMQP_CHANNEL_CLOSE_OK);
    bool closing = client_channel_find(c, channel)->closing;
    client_put(c, channel, &ok);
    if (closing) return; /* the answer to ours is still to come */
    client_channel_forget(c, channel);
    c->event(c->self, &e);
}

static void on_flow(struct client *c, uint16_t channel, bool active)
{
    struct amqp_method ok = amqp_method_of(AMQP_CHANNEL_FLOW_OK);
    ok.channel_flow.active = active;
    client_put(c, channel, &ok);
}

static void on_cancel(struct client *c, uint16_t channel, const struct amqp_method *m)
{
    struct client_event e = {.kind = CLIENT_EVENT_CANCELLED, .channel = channel, .method = m};
    if (!m->basic_cancel.no_wait) {
        struct amqp_method ok = amqp_method_of(AMQP_BASIC_CANCEL_OK);
        ok.basic_cancel_ok.consumer_tag = m->basic_cancel.consumer_tag;
        client_put(c, channel, &ok);
    }
    c->event(c->self, &e);
}

static void on_confirm(struct client *c, uint16_t channel, struct client_channel *ch, const struct amqp_method *m)
{
    bool ok = amqp_method_number(m) == AMQP_BASIC_ACK;
    struct client_event e = {.kind = CLIENT_EVENT_CONFIRMED,
                             .channel = channel,
                             .ok = ok,
                             .number = ok ? m->basic_ack.delivery_tag : m->basic_nack.delivery_tag,
                             .multiple = ok ? m->basic_ack.multiple : m->basic_nack.multiple};
    if (!e.number && e.multiple) e.number = ch->published;
    if (!e.number || e.number > ch->published)
        client_fail(c, AMQP_COMMAND_INVALID, "a confirm for what was not published");
    else c->event(c->self, &e);
}

static void begin_content(struct client_channel *ch, struct slice payload)
{
    buf_clear(&ch->head);
    buf_put_slice(&ch->head, payload);
    ch->content = CLIENT_CONTENT_HEADER;
}

void client_channel_method(struct client *c, uint16_t channel, const struct amqp_method *m, struct slice payload)
{
    struct client_channel *ch = client_channel_find(c, channel);
    struct client_event e = {.kind = CLIENT_EVENT_ANSWERED, .channel = channel, .method = m};
    unsigned number = amqp_method_number(m);
    if (c->phase == CLIENT_PHASE_CLOSE_OK) return;
    if (c->phase != CLIENT_PHASE_RUNNING || !ch) {
        client_fail(c, AMQP_CHANNEL_ERROR, "%s on channel %u, which is not open",
                    amqp_method_name(m->class_id, m->method_id), channel);
        return;
    }
    if (number == AMQP_CHANNEL_CLOSE_OK && ch->closing) {
        client_channel_forget(c, channel);
        return;
    }
    if (ch->content != CLIENT_CONTENT_NONE && !ch->closing) {
        client_fail(c, AMQP_UNEXPECTED_FRAME, "a method where content was expected");
        return;
    }
    if (number == AMQP_CHANNEL_CLOSE) on_channel_close(c, channel, m);
    else if (ch->closing) return;
    else if (number == AMQP_BASIC_DELIVER || number == AMQP_BASIC_RETURN || number == AMQP_BASIC_GET_OK)
        begin_content(ch, payload);
    else if (number == AMQP_BASIC_ACK || number == AMQP_BASIC_NACK) on_confirm(c, channel, ch, m);
    else if (number == AMQP_BASIC_CANCEL) on_cancel(c, channel, m);
    else if (number == AMQP_CHANNEL_FLOW) on_flow(c, channel, m->channel_flow.active);
    else if (take_request(ch, number, &e.token)) c->event(c->self, &e);
    else client_fail(c, AMQP_COMMAND_INVALID, "%s was not expected", amqp_method_name(m->class_id, m->method_id));
}

/* NULL: pass over (the channel or the connection is closing), or it failed. */
static struct client_channel *content_channel(struct client *c, uint16_t channel, enum client_content expected)
{
    struct client_channel *ch = client_channel_find(c, channel);
    if (c->phase == CLIENT_PHASE_CLOSE_OK || (ch && ch->closing)) return NULL;
    if (ch && ch->content == expected) return ch;
    client_fail(c, AMQP_UNEXPECTED_FRAME, "content that was not expected on channel %u", channel);
    return NULL;
}

void client_channel_header(struct client *c, uint16_t channel, struct slice payload)
{
    struct client_channel *ch = content_channel(c, channel, CLIENT_CONTENT_HEADER);
    struct amqp_content_header h;
    if (!ch) return;
    if (!amqp_content_header_decode(payload, &h) || h.class_id != AMQP_CLASS_BASIC) {
        client_fail(c, AMQP_FRAME_ERROR, "a content header that cannot be read");
        return;
    }
    if (h.body_size > CLIENT_BODY_MAX) {
        client_fail(c, AMQP_CONTENT_TOO_LARGE, "a message of %llu bytes", (unsigned long long)h.body_size);
        return;
    }
    buf_clear(&ch->properties);
    buf_put_slice(&ch->properties, h.properties);
    buf_clear(&ch->body);
    ch->body_size = h.body_size;
    ch->content = CLIENT_CONTENT_BODY;
    if (!h.body_size) content_complete(c, channel, ch, (struct slice){NULL, 0});
}

enum { BODY_KEPT_MAX = 1 << 20 /* bytes of a body buffer that a channel keeps for its next message */ };

void client_channel_body(struct client *c, uint16_t channel, struct slice payload)
{
    struct client_channel *ch = content_channel(c, channel, CLIENT_CONTENT_BODY);
    if (!ch) return;
    if (ch->body.size + payload.size > ch->body_size) {
        client_fail(c, AMQP_FRAME_ERROR, "a body longer than its header says");
        return;
    }
    if (!ch->body.size && payload.size == ch->body_size) { /* the usual case: no copy */
        content_complete(c, channel, ch, payload);
        return;
    }
    buf_put_slice(&ch->body, payload);
    if (ch->body.size < ch->body_size) return;
    struct buf body = ch->body;
    ch->body = (struct buf){0};
    content_complete(c, channel, ch, buf_slice(&body));
    ch = client_channel_find(c, channel);
    if (ch && body.capacity <= BODY_KEPT_MAX) ch->body = body;
    else buf_close(&body);
}
