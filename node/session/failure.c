#include <stdarg.h>
#include <stdio.h>

#include "node/session/channel_internal.h"

enum { SNIPPET_SIZE = 16 /* octets of a frame shown in a reply text */, CUT_SIZE = AMQP_SHORTSTR_MAX - 3 };

/* As RabbitMQ cuts: at most 255 octets, the last three being dots. */
static struct slice cut(char text[SESSION_TEXT_SIZE])
{
    size_t size = strlen(text);
    if (size <= AMQP_SHORTSTR_MAX) return slice_of(text, size);
    memcpy(text + CUT_SIZE, "...", 3);
    return slice_of(text, AMQP_SHORTSTR_MAX);
}

static void compose(char text[SESSION_TEXT_SIZE], uint16_t code, const char *format, va_list arguments)
{
    int size = snprintf(text, SESSION_TEXT_SIZE, "%s - ", amqp_reply_name(code));
    vsnprintf(text + size, SESSION_TEXT_SIZE - (size_t)size, format, arguments);
}

static void send_close(struct session *s, unsigned method, uint16_t channel, uint16_t code, struct slice text)
{
    struct amqp_method m = amqp_method_of(method);
    m.close = (struct amqp_close){code, text, s->class_id, s->method_id};
    amqp_method_put(&s->output, channel, &m);
    s->counters.sent_frames++;
}

static void close_connection(struct session *s, uint16_t code, char text[SESSION_TEXT_SIZE])
{
    if (s->phase >= PHASE_CLOSING) return;
    /* RabbitMQ tells nothing to a client that it does not trust yet. */
    bool told = s->phase >= PHASE_OPEN || (s->phase == PHASE_TUNE && code == AMQP_NOT_ALLOWED);
    if (!told) {
        session_close_silently(s, text);
        return;
    }
    snprintf(s->ended, sizeof s->ended, "%s", text);
    session_close_channels(s);
    send_close(s, AMQP_CONNECTION_CLOSE, 0, code, cut(text));
    uint64_t wait = s->heartbeat_s * UINT64_C(1000);
    s->close_deadline_ms = s->now_ms + (wait && wait < SESSION_CLOSE_TIMEOUT_MS ? wait : SESSION_CLOSE_TIMEOUT_MS);
    s->phase = PHASE_CLOSING;
}

void session_fail(struct session *s, uint16_t code, const char *format, ...)
{
    char text[SESSION_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    compose(text, code, format, arguments);
    va_end(arguments);
    close_connection(s, code, text);
}

void session_close_silently(struct session *s, const char *why)
{
    snprintf(s->ended, sizeof s->ended, "%s", why);
    session_close_channels(s);
    s->close_deadline_ms = s->now_ms + SESSION_SILENT_CLOSE_DELAY_MS;
    s->deaf = true;
    s->phase = PHASE_CLOSING;
}

static void close_channel(struct channel *ch, uint16_t code, char text[SESSION_TEXT_SIZE])
{
    struct session *s = ch->session;
    if (amqp_reply_is_hard(code)) {
        close_connection(s, code, text);
        return;
    }
    if (ch->state != CHANNEL_OPEN || s->phase != PHASE_RUNNING) return;
    channel_confirms_flush(ch); /* what is safe is told, though later publishes are lost */
    channel_release(ch);
    send_close(s, AMQP_CHANNEL_CLOSE, ch->number, code, cut(text));
}

void channel_fail(struct channel *ch, uint16_t code, const char *format, ...)
{
    char text[SESSION_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    compose(text, code, format, arguments);
    va_end(arguments);
    close_channel(ch, code, text);
}

void channel_fail_text(struct channel *ch, uint16_t code, struct slice whole)
{
    char text[SESSION_TEXT_SIZE];
    snprintf(text, sizeof text, "%.*s", SLICE_ARG(whole));
    close_channel(ch, code, text);
}

void channel_fail_no_queue(struct channel *ch, struct slice name)
{
    channel_fail(ch, AMQP_NOT_FOUND, "no queue '%.*s' in vhost '%.*s'", SLICE_ARG(name), SLICE_ARG(ch->session->vhost));
}

void channel_fail_no_exchange(struct channel *ch, struct slice name)
{
    channel_fail(ch, AMQP_NOT_FOUND, "no exchange '%.*s' in vhost '%.*s'", SLICE_ARG(name),
                 SLICE_ARG(ch->session->vhost));
}

void channel_fail_locked(struct channel *ch, struct slice name)
{
    channel_fail(
        ch, AMQP_RESOURCE_LOCKED,
        "cannot obtain exclusive access to locked queue '%.*s' in vhost '%.*s'. It could be originally declared "
        "on another connection or the exclusive property value does not match that of the original declaration.",
        SLICE_ARG(name), SLICE_ARG(ch->session->vhost));
}

void session_fail_frame(struct session *s, const struct amqp_frame *f, uint16_t code, const char *why)
{
    struct buf b = {0};
    struct slice shown = f->payload;
    if (shown.size > SNIPPET_SIZE) shown.size = SNIPPET_SIZE;
    session_print_bytes(&b, shown);
    session_fail(s, code, "type %u, %s octets = %.*s%s%s", f->type, shown.size < f->payload.size ? "first 16" : "all",
                 SLICE_ARG(b), why ? ": " : "", why ? why : "");
    buf_close(&b);
}

void session_fail_method(struct session *s, const struct amqp_frame *f, uint16_t code)
{
    enum { IDS_SIZE = 4 };
    if (f->payload.size < IDS_SIZE || code != AMQP_FRAME_ERROR) {
        session_fail_frame(s, f, code, f->payload.size < IDS_SIZE ? "unknown_frame" : "cannot decode");
        return;
    }
    struct buf b = {0};
    struct slice fields = slice_of(f->payload.data + IDS_SIZE, f->payload.size - IDS_SIZE);
    if (fields.size > AMQP_SHORTSTR_MAX) fields.size = AMQP_SHORTSTR_MAX; /* more is cut anyway */
    session_print_bytes(&b, fields);
    session_fail(s, code, "cannot decode %.*s", SLICE_ARG(b));
    buf_close(&b);
}

void session_fail_text(struct session *s, const struct amqp_frame *f)
{
    if (f->channel) s->class_id = s->method_id = 0; /* RabbitMQ does not know yet which method it was */
    session_fail(s, AMQP_FRAME_ERROR, "Malformed UTF-8 in shortstr");
}

void session_print_bytes(struct buf *b, struct slice bytes)
{
    bool text = bytes.size > 0;
    for (size_t i = 0; i < bytes.size; i++) text = text && bytes.data[i] >= ' ' && bytes.data[i] < 0x7f;
    buf_printf(b, "<<");
    if (text) buf_printf(b, "\"%.*s\"", SLICE_ARG(bytes));
    else
        for (size_t i = 0; i < bytes.size; i++) buf_printf(b, "%s%u", i ? "," : "", bytes.data[i]);
    buf_printf(b, ">>");
}
