/* The connection: handshake, frames in, heartbeats, and its end. */
#include <stdarg.h>
#include <stdio.h>

#include "ha/client/client_internal.h"

static void over(struct client *c, uint16_t reply_code, struct slice text);

struct client *client_create(const struct client_settings *s, client_event_cb event, void *self, uint64_t now_ms)
{
    struct client *c = mem_zalloc(sizeof *c);
    c->event = event;
    c->self = self;
    c->user = mem_strdup(s->user);
    c->password = mem_strdup(s->password);
    c->vhost = mem_strdup(s->vhost);
    c->name = mem_strdup(s->name ? s->name : "");
    c->mechanisms = s->mechanisms;
    c->heartbeat_wanted_s = s->heartbeat_s;
    c->channel_max = s->channel_max;
    c->now_ms = c->received_ms = c->sent_ms = now_ms;
    c->deadline_ms = now_ms + s->timeout_ms;
    amqp_protocol_header_put(&c->output);
    return c;
}

void client_destroy(struct client *c)
{
    CHECK(!c->in_input);
    for (size_t i = 0; i < c->channel_capacity; i++) client_channel_forget(c, (uint16_t)i);
    mem_free(c->channels);
    mem_free(c->user);
    mem_free(c->password);
    mem_free(c->vhost);
    mem_free(c->name);
    buf_close(&c->output);
    buf_close(&c->server_properties);
    mem_free(c);
}

static void ignore(void *self, const struct client_event *event)
{
    (void)self, (void)event;
}

void client_mute(struct client *c)
{
    c->event = ignore;
}

void client_put(struct client *c, uint16_t channel, const struct amqp_method *m)
{
    amqp_method_put(&c->output, channel, m);
}

/* --- bytes --- */

static void take_frame(struct client *c, const struct amqp_frame *f)
{
    struct amqp_method m;
    unsigned code;
    switch (f->type) {
    case AMQP_FRAME_METHOD:
        code = amqp_method_decode(f->payload, &m);
        if (code) client_fail(c, (uint16_t)code, "a method of the server cannot be read");
        else if (!(amqp_method_flags(m.class_id, m.method_id) & AMQP_FROM_SERVER))
            client_fail(c, AMQP_COMMAND_INVALID, "%s is not a server's method",
                        amqp_method_name(m.class_id, m.method_id));
        else if (!f->channel) client_connection_method(c, &m);
        else client_channel_method(c, f->channel, &m, f->payload);
        break;
    case AMQP_FRAME_HEADER:
        client_channel_header(c, f->channel, f->payload);
        break;
    case AMQP_FRAME_BODY:
        client_channel_body(c, f->channel, f->payload);
        break;
    case AMQP_FRAME_HEARTBEAT:
        if (f->channel) client_fail(c, AMQP_UNEXPECTED_FRAME, "a heartbeat on channel %u", f->channel);
        break;
    default:
        client_fail(c, AMQP_FRAME_ERROR, "a frame of type %u", f->type);
    }
}

/* A server that does not speak 0-9-1 answers our protocol header with its own. */
static bool is_protocol_header(struct client *c, struct slice input)
{
    if (c->phase != CLIENT_PHASE_START || !input.size || input.data[0] != 'A') return false;
    if (input.size >= AMQP_PROTOCOL_HEADER_SIZE) client_fail(c, 0, "the server does not speak AMQP 0-9-1");
    return true;
}

size_t client_input(struct client *c, const uint8_t *data, size_t size, uint64_t now_ms)
{
    size_t used = 0;
    c->now_ms = c->received_ms = now_ms;
    CHECK(!c->in_input);
    c->in_input = true;
    while (used < size && c->phase != CLIENT_PHASE_OVER && !c->paused) {
        struct slice rest = slice_of(data + used, size - used);
        struct amqp_frame f;
        if (is_protocol_header(c, rest)) break;
        enum amqp_parse got = amqp_frame_parse(rest, c->frame_max ? c->frame_max : CLIENT_FRAME_MAX, &f);
        if (got == AMQP_PARSE_MORE) break;
        if (got != AMQP_PARSE_DONE) {
            client_fail(c, AMQP_FRAME_ERROR, "%s",
                        got == AMQP_PARSE_TOO_LARGE ? "a frame larger than frame_max"
                                                    : "a frame without its end octet");
            break;
        }
        used += f.payload.size + AMQP_FRAME_OVERHEAD;
        take_frame(c, &f);
    }
    c->in_input = false;
    return c->phase == CLIENT_PHASE_OVER ? size : used;
}

struct buf *client_output(struct client *c)
{
    return &c->output;
}

void client_written(struct client *c, uint64_t now_ms)
{
    c->now_ms = c->sent_ms = now_ms;
    if (!c->was_full || client_is_full(c)) return;
    c->was_full = false;
    c->event(c->self, &(struct client_event){.kind = CLIENT_EVENT_WRITABLE});
}

bool client_is_full(const struct client *c)
{
    return c->blocked || c->output.size >= CLIENT_OUTPUT_HIGH;
}

void client_pause(struct client *c, bool paused)
{
    c->paused = paused;
    c->received_ms = c->now_ms;
}

bool client_is_paused(const struct client *c)
{
    return c->paused;
}

/* --- the end --- */

static void over(struct client *c, uint16_t reply_code, struct slice text)
{
    if (c->phase == CLIENT_PHASE_OVER) return;
    c->phase = CLIENT_PHASE_OVER;
    c->deadline_ms = UINT64_MAX;
    if (!c->reason[0]) snprintf(c->reason, sizeof c->reason, "%.*s", (int)text.size, (const char *)text.data);
    c->event(c->self, &(struct client_event){.kind = CLIENT_EVENT_CLOSED, .reply_code = reply_code, .text = text});
}

static void put_close(struct client *c, uint16_t reply_code, const char *text)
{
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_CLOSE);
    struct slice s = slice_str(text);
    if (s.size > AMQP_SHORTSTR_MAX) s.size = AMQP_SHORTSTR_MAX;
    m.close = (struct amqp_close){.reply_code = reply_code, .reply_text = s};
    client_put(c, 0, &m);
}

/* The server is wrong: tell it and leave; there is nothing to wait for. */
void client_fail(struct client *c, uint16_t reply_code, const char *format, ...)
{
    va_list arguments;
    if (c->phase == CLIENT_PHASE_OVER) return;
    va_start(arguments, format);
    vsnprintf(c->reason, sizeof c->reason, format, arguments);
    va_end(arguments);
    if (reply_code) put_close(c, reply_code, c->reason);
    over(c, reply_code, slice_str(c->reason));
}

void client_lost(struct client *c, const char *why)
{
    over(c, 0, slice_str(why));
}

void client_close(struct client *c, uint16_t reply_code, const char *text)
{
    if (c->phase >= CLIENT_PHASE_CLOSE_OK) return;
    if (c->phase != CLIENT_PHASE_RUNNING) {
        over(c, reply_code, slice_str(text));
        return;
    }
    put_close(c, reply_code, text);
    snprintf(c->reason, sizeof c->reason, "%s", text);
    c->phase = CLIENT_PHASE_CLOSE_OK;
    c->paused = false; /* or the close-ok would wait behind deliveries for ever */
    c->deadline_ms = c->now_ms + CLIENT_CLOSE_TIMEOUT_MS;
}

/* --- methods of the connection --- */

static void on_close(struct client *c, const struct amqp_close *close)
{
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_CLOSE_OK);
    client_put(c, 0, &m);
    over(c, close->reply_code, close->reply_text);
}

static void on_running(struct client *c)
{
    c->phase = CLIENT_PHASE_RUNNING;
    c->deadline_ms = UINT64_MAX;
    c->event(c->self, &(struct client_event){.kind = CLIENT_EVENT_OPENED});
}

void client_connection_method(struct client *c, const struct amqp_method *m)
{
    struct client_event e = {.kind = CLIENT_EVENT_BLOCKED};
    switch (amqp_method_number(m)) {
    case AMQP_CONNECTION_CLOSE:
        on_close(c, &m->close);
        return;
    case AMQP_CONNECTION_CLOSE_OK:
        if (c->phase != CLIENT_PHASE_CLOSE_OK) break;
        over(c, AMQP_REPLY_SUCCESS, slice_str(c->reason));
        return;
    case AMQP_CONNECTION_START:
        if (c->phase != CLIENT_PHASE_START) break;
        client_on_start(c, &m->connection_start);
        return;
    case AMQP_CONNECTION_TUNE:
        if (c->phase != CLIENT_PHASE_TUNE) break;
        client_on_tune(c, &m->connection_tune);
        return;
    case AMQP_CONNECTION_OPEN_OK:
        if (c->phase != CLIENT_PHASE_OPEN_OK) break;
        on_running(c);
        return;
    case AMQP_CONNECTION_BLOCKED:
    case AMQP_CONNECTION_UNBLOCKED:
        if (c->phase == CLIENT_PHASE_CLOSE_OK) return;
        if (c->phase != CLIENT_PHASE_RUNNING) break;
        c->blocked = m->method_id == (uint16_t)AMQP_CONNECTION_BLOCKED;
        if (c->blocked) e.text = m->connection_blocked.reason;
        else e.kind = CLIENT_EVENT_UNBLOCKED;
        c->event(c->self, &e);
        return;
    default:
        break;
    }
    if (c->phase == CLIENT_PHASE_CLOSE_OK) return;
    client_fail(c, AMQP_COMMAND_INVALID, "%s was not expected", amqp_method_name(m->class_id, m->method_id));
}

/* --- time --- */

uint64_t client_deadline_ms(const struct client *c)
{
    uint64_t at = c->deadline_ms;
    if (c->phase != CLIENT_PHASE_RUNNING || !c->heartbeat_s) return at;
    uint64_t beat = c->sent_ms + c->heartbeat_s * 500u, dead = c->received_ms + c->heartbeat_s * 2000u;
    if (beat < at) at = beat;
    if (!c->paused && dead < at) at = dead;
    return at;
}

void client_tick(struct client *c, uint64_t now_ms)
{
    c->now_ms = now_ms;
    if (now_ms >= c->deadline_ms) {
        if (c->phase == CLIENT_PHASE_CLOSE_OK) over(c, AMQP_REPLY_SUCCESS, slice_str(c->reason));
        else client_fail(c, 0, "the server did not finish the handshake in time");
        return;
    }
    if (c->phase != CLIENT_PHASE_RUNNING || !c->heartbeat_s) return;
    if (!c->paused && now_ms >= c->received_ms + c->heartbeat_s * 2000u) {
        client_fail(c, 0, "no heartbeat from the server for %u s", 2u * c->heartbeat_s);
    } else if (now_ms >= c->sent_ms + c->heartbeat_s * 500u) {
        if (!c->output.size) amqp_heartbeat_put(&c->output);
        c->sent_ms = now_ms;
    }
}

enum client_state client_state(const struct client *c)
{
    if (c->phase == CLIENT_PHASE_OVER) return CLIENT_CLOSED;
    if (c->phase == CLIENT_PHASE_CLOSE_OK) return CLIENT_CLOSING;
    return c->phase == CLIENT_PHASE_RUNNING ? CLIENT_OPEN : CLIENT_OPENING;
}

const char *client_reason(const struct client *c)
{
    return c->reason;
}

struct slice client_server_properties(const struct client *c)
{
    return buf_slice(&c->server_properties);
}

bool client_server_can(const struct client *c, const char *capability)
{
    struct amqp_value capabilities;
    bool can = false;
    if (!amqp_table_find(buf_slice(&c->server_properties), "capabilities", &capabilities)) return false;
    return capabilities.type == 'F' && amqp_table_find_bool(capabilities.bytes, capability, &can) && can;
}

uint16_t client_channel_max(const struct client *c)
{
    return c->channel_max;
}
