#include "node/session/channel_internal.h"

static bool take_frame(struct session *s, const struct amqp_frame *f);
static bool take_frame_zero(struct session *s, const struct amqp_frame *f);
static size_t take_header(struct session *s, struct slice input);
static void check_publishes(struct session *s);

enum { PUBLISH_CHECKS = 8 /* looks at unanswered publishes per timeout */ };

struct session *session_create(const struct session_settings *settings, const struct backend *backend, const char *peer,
                               bool peer_is_loopback, uint64_t now_ms)
{
    struct session *s = mem_zalloc(sizeof *s);
    s->settings = settings;
    s->backend = backend;
    s->peer = mem_strdup(peer);
    s->peer_is_loopback = peer_is_loopback;
    s->phase = PHASE_HEADER;
    s->frame_max = settings->initial_frame_max ? settings->initial_frame_max : SESSION_INITIAL_FRAME_MAX;
    s->now_ms = s->created_ms = s->received_ms = s->sent_ms = now_ms;
    s->token = backend->connection_token(backend->self);
    list_init(&s->dirty);
    return s;
}

void session_trust(struct session *s)
{
    CHECK(s->phase == PHASE_HEADER);
    s->trusted = true;
}

void session_destroy(struct session *s)
{
    if (!s) return;
    session_close_channels(s);
    for (size_t i = 0; i < s->channels_capacity; i++)
        if (s->channels[i]) channel_free(s->channels[i]);
    mem_free(s->channels);
    counts_close(&s->gone_counts);
    buf_close(&s->output);
    buf_close(&s->user);
    buf_close(&s->vhost);
    buf_close(&s->mechanism);
    buf_close(&s->client_properties);
    buf_close(&s->connection_name);
    buf_close(&s->outside_tags);
    if (s->ask.data) memset(s->ask.data, 0, s->ask.size); /* a password may be in it */
    buf_close(&s->ask);
    mem_free(s->peer);
    session_tls_free(s->tls);
    mem_free(s);
}

void session_abandon(struct session *s)
{
    session_end(s);
}

/* The answer to our close, wherever it stands. */
static bool hears_close_ok(const uint8_t *data, size_t size)
{
    static const uint8_t close_ok[] = {AMQP_FRAME_METHOD, 0, 0, 0, 0, 0, 4, 0, 10, 0, 51, AMQP_FRAME_END};
    return memmem(data, size, close_ok, sizeof close_ok) != NULL;
}

size_t session_input(struct session *s, const uint8_t *data, size_t size, uint64_t now_ms)
{
    size_t used = 0;
    s->now_ms = now_ms;
    s->stalled = s->unread = false;
    if (s->out_of_step && hears_close_ok(data, size)) session_end(s);
    if (size > s->kept) s->received_ms = now_ms; /* what was kept and comes again is no news of the client */
    if (s->phase == PHASE_HEADER) used = take_header(s, slice_of(data, size));
    while (s->phase != PHASE_HEADER && s->phase != PHASE_CLOSED && !s->deaf) {
        struct amqp_frame f;
        enum amqp_parse outcome = amqp_frame_parse(slice_of(data + used, size - used), s->frame_max, &f);
        if (outcome == AMQP_PARSE_MORE) break;
        if (s->phase == PHASE_RUNNING && s->output.size >= SESSION_OUTPUT_MAX) { /* it does not read what it asks for */
            s->stalled = s->unread = true;
            s->stalled_channel = 0;
            break;
        }
        if (outcome != AMQP_PARSE_DONE) {
            char why[64];
            s->class_id = s->method_id = 0;
            if (outcome == AMQP_PARSE_TOO_LARGE) {
                const uint8_t *at = data + used + 3;
                uint32_t asked = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
                snprintf(why, sizeof why, "{frame_too_large,%u,%u}", asked, s->frame_max - AMQP_FRAME_OVERHEAD);
                f.payload.size = 0;
            } else snprintf(why, sizeof why, "{invalid_frame_end_marker,%u}", f.payload.data[f.payload.size]);
            session_fail_frame(s, &f, AMQP_FRAME_ERROR, why);
            s->deaf = s->out_of_step = true; /* the next frame cannot be found */
            break;
        }
        if (!take_frame(s, &f)) {
            s->stalled = s->unread = true;
            s->stalled_channel = f.channel;
            break;
        }
        used += AMQP_FRAME_OVERHEAD + f.payload.size;
    }
    if (s->borrower) channel_publish_own(s->borrower);
    s->borrower = NULL;
    if (s->deaf || s->phase == PHASE_CLOSED) used = size;
    s->kept = size - used;
    return used;
}

static size_t take_header(struct session *s, struct slice input)
{
    switch (amqp_protocol_header_parse(input)) {
    case AMQP_PARSE_MORE:
        return 0;
    case AMQP_PARSE_DONE:
        session_handshake_send_start(s);
        s->phase = PHASE_START;
        return AMQP_PROTOCOL_HEADER_SIZE;
    default:
        amqp_protocol_header_put(&s->output);
        if (session_name_begins(input, "GET ") || session_name_begins(input, "HEAD ") ||
            session_name_begins(input, "POST "))
            snprintf(s->ended, sizeof s->ended, "HTTP request on the AMQP port");
        else if (input.data[0] == 0x16) snprintf(s->ended, sizeof s->ended, "TLS client hello on the plain AMQP port");
        else snprintf(s->ended, sizeof s->ended, "client did not start with the AMQP 0-9-1 protocol header");
        session_end(s);
        return input.size;
    }
}

/* False: it must wait. */
static bool take_frame(struct session *s, const struct amqp_frame *f)
{
    if (s->phase == PHASE_CLOSING) {
        struct amqp_method m;
        s->counters.received_frames++;
        if (f->channel || f->type != AMQP_FRAME_METHOD || amqp_method_decode(f->payload, &m)) return true;
        if (amqp_method_number(&m) == AMQP_CONNECTION_CLOSE) {
            if (s->output.size >= SESSION_OUTPUT_MAX) return true; /* it does not read, and asks again and again */
            struct amqp_method ok = amqp_method_of(AMQP_CONNECTION_CLOSE_OK);
            amqp_method_put(&s->output, 0, &ok);
        } else if (amqp_method_number(&m) == AMQP_CONNECTION_CLOSE_OK) session_end(s);
        return true;
    }
    s->class_id = s->method_id = 0;
    if (f->channel == 0) return take_frame_zero(s, f);
    if (s->phase != PHASE_RUNNING || f->type == AMQP_FRAME_HEARTBEAT)
        session_fail_frame(s, f, AMQP_UNEXPECTED_FRAME, NULL);
    else if (f->type < AMQP_FRAME_METHOD || f->type > AMQP_FRAME_BODY)
        session_fail_frame(s, f, AMQP_FRAME_ERROR, "unknown_frame");
    else if (!channel_frame(s, f)) return false;
    s->counters.received_frames++;
    return true;
}

static bool take_frame_zero(struct session *s, const struct amqp_frame *f)
{
    struct amqp_method m;
    s->counters.received_frames++;
    switch (f->type) {
    case AMQP_FRAME_HEARTBEAT:
        if (f->payload.size) session_fail_frame(s, f, AMQP_FRAME_ERROR, "unknown_frame");
        break;
    case AMQP_FRAME_HEADER:
    case AMQP_FRAME_BODY:
        session_fail_frame(s, f, AMQP_UNEXPECTED_FRAME, NULL);
        break;
    case AMQP_FRAME_METHOD: {
        unsigned code = amqp_method_decode(f->payload, &m);
        s->class_id = m.class_id;
        s->method_id = m.method_id;
        if (code) session_fail_method(s, f, (uint16_t)code);
        else if (!amqp_method_texts_are_valid(&m)) session_fail_text(s, f);
        else return session_handshake_method(s, &m);
        break;
    }
    default:
        session_fail_frame(s, f, AMQP_FRAME_ERROR, "unknown_frame");
        break;
    }
    return true;
}

bool session_stalled(const struct session *s)
{
    return s->stalled;
}

struct buf *session_output(struct session *s)
{
    return &s->output;
}

void session_written(struct session *s, uint64_t now_ms)
{
    s->now_ms = s->sent_ms = now_ms;
}

void session_turn_end(struct session *s, uint64_t now_ms)
{
    s->now_ms = now_ms;
    while (!list_empty(&s->dirty)) {
        struct channel *ch = LIST_ITEM(s->dirty.next, struct channel, dirty_link);
        list_remove(&ch->dirty_link);
        ch->dirty = false;
        if (ch->state != CHANNEL_OPEN) continue;
        channel_confirms_flush(ch);
        channel_tx_continue(ch);
        channel_settle_flush(ch);
        if (ch->number == s->stalled_channel && !ch->question.kind && !channel_confirms_full(&ch->confirms))
            s->stalled = false;
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool publishes_wait(const struct session *s)
{
    return s->phase == PHASE_RUNNING && s->publish_check_ms;
}

uint64_t session_deadline_ms(const struct session *s)
{
    uint64_t deadline = UINT64_MAX;
    if (s->phase == PHASE_CLOSED) return deadline;
    if (s->phase == PHASE_CLOSING) return s->close_deadline_ms;
    if (s->phase < PHASE_RUNNING) deadline = s->created_ms + s->settings->handshake_timeout_ms;
    if (s->phase == PHASE_START && s->refuse_at_ms) deadline = earlier(deadline, s->refuse_at_ms);
    if (s->phase >= PHASE_OPEN && s->heartbeat_s) {
        uint64_t interval = s->heartbeat_s * UINT64_C(1000);
        if (!s->output.size) deadline = earlier(deadline, s->sent_ms + interval / 2);
        if (!s->unread) deadline = earlier(deadline, s->received_ms + interval * 2);
    }
    if (publishes_wait(s)) deadline = earlier(deadline, s->publish_check_ms);
    return deadline;
}

void session_tick(struct session *s, uint64_t now_ms)
{
    s->now_ms = now_ms;
    if (s->phase == PHASE_CLOSED) return;
    if (s->phase == PHASE_CLOSING) {
        if (now_ms < s->close_deadline_ms) return;
        if (s->farewell) session_farewell_end(s);
        else session_end(s);
        return;
    }
    if (s->phase == PHASE_START && s->refuse_at_ms && now_ms >= s->refuse_at_ms) {
        session_login_refuse(s);
        return;
    }
    if (s->phase < PHASE_RUNNING && now_ms >= s->created_ms + s->settings->handshake_timeout_ms) {
        snprintf(s->ended, sizeof s->ended, "handshake timeout");
        session_end(s);
        return;
    }
    if (s->phase >= PHASE_OPEN && s->heartbeat_s) {
        uint64_t interval = s->heartbeat_s * UINT64_C(1000);
        if (!s->unread && now_ms >= s->received_ms + interval * 2) {
            snprintf(s->ended, sizeof s->ended, "missed heartbeats from client, timeout: %us", s->heartbeat_s);
            session_end(s);
            return;
        }
        /* what is waiting to be written tells the client as much as a heartbeat would */
        if (!s->output.size && now_ms >= s->sent_ms + interval / 2) {
            if (s->output.capacity > SESSION_IDLE_OUTPUT_MAX) buf_close(&s->output); /* a burst's room, long idle */
            amqp_heartbeat_put(&s->output);
            s->counters.sent_frames++;
            s->sent_ms = now_ms;
        }
    }
    if (publishes_wait(s) && now_ms >= s->publish_check_ms) check_publishes(s);
}

static void check_publishes(struct session *s)
{
    uint64_t timeout = s->settings->publish_timeout_ms;
    bool waiting = false;
    for (size_t i = 0; i < s->channels_capacity && s->phase == PHASE_RUNNING; i++) {
        struct channel *ch = s->channels[i];
        if (!ch || ch->state != CHANNEL_OPEN) continue;
        if (!channel_confirms_expire(ch, s->now_ms,
                                     timeout - timeout / PUBLISH_CHECKS)) { /* at the last look before it is over */
            s->class_id = AMQP_CLASS_BASIC;
            s->method_id = (uint16_t)AMQP_BASIC_PUBLISH;
            session_fail(s, AMQP_INTERNAL_ERROR, "a publish on channel %u had no answer from its queues for %llu ms",
                         ch->number, (unsigned long long)timeout);
            return;
        }
        waiting = waiting || ch->confirms.first < ch->confirms.next;
    }
    s->publish_check_ms = waiting ? s->now_ms + 1 + timeout / PUBLISH_CHECKS : 0;
}

enum session_state session_state(const struct session *s)
{
    if (s->phase == PHASE_CLOSED) return SESSION_CLOSED;
    return s->phase == PHASE_CLOSING ? SESSION_CLOSING : SESSION_OPEN;
}

bool session_wants_deliveries(const struct session *s)
{
    return s->phase == PHASE_RUNNING && s->output.size < s->settings->output_high_water;
}

void session_close(struct session *s, uint16_t reply_code, const char *text, uint64_t now_ms)
{
    s->now_ms = now_ms;
    s->class_id = s->method_id = 0;
    /* some callers have the whole reply text, name and dash */
    const char *name = amqp_reply_name(reply_code);
    size_t size = strlen(name);
    bool whole = strncmp(text, name, size) == 0 && strncmp(text + size, " - ", 3) == 0;
    session_fail(s, reply_code, "%s", whole ? text + size + 3 : text);
}

bool session_blocked(struct session *s)
{
    if (!s->blocked) return false;
    if (s->blocked_told || !s->hears_blocked) return true;
    s->blocked_told = true;
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_BLOCKED);
    m.connection_blocked.reason = slice_str(s->blocked);
    amqp_method_put(&s->output, 0, &m);
    s->counters.sent_frames++;
    return true;
}

void session_block(struct session *s, const char *reason)
{
    s->blocked = reason;
    if (reason) return;
    s->stalled = false; /* what waits is looked at again */
    if (!s->blocked_told || s->phase != PHASE_RUNNING) return;
    s->blocked_told = false;
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_UNBLOCKED);
    amqp_method_put(&s->output, 0, &m);
    s->counters.sent_frames++;
}

struct channel *session_channel(const struct session *s, uint16_t number)
{
    return number < s->channels_capacity ? s->channels[number] : NULL;
}

void session_mark_dirty(struct channel *ch)
{
    if (ch->dirty) return;
    ch->dirty = true;
    list_append(&ch->session->dirty, &ch->dirty_link);
}

void session_close_channels(struct session *s)
{
    for (size_t i = 0; i < s->channels_capacity; i++)
        if (s->channels[i]) channel_release(s->channels[i]);
    if (s->asker) s->backend->channel_close(s->backend->self, s->asker);
    s->asker = NULL;
    if (s->farewell) s->backend->channel_close(s->backend->self, s->farewell);
    s->farewell = NULL;
    s->borrower = NULL;
    s->stalled = false;
}

void session_end(struct session *s)
{
    session_close_channels(s);
    s->phase = PHASE_CLOSED;
}
