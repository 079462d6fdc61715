/* A client and a session back to back: what one says is what the other hears, in one thread and without a socket.
 *
 * The client's events are written as lines that heard() reads; the session's backend is the
 * harness of its own tests. */
#ifndef WARREN_TESTS_UNIT_HA_CLIENT_PAIR_H
#define WARREN_TESTS_UNIT_HA_CLIENT_PAIR_H

#include "ha/client/client.h"
#include "node/amqp/properties.h"
#include "tests/unit/node/session/harness.h"

struct pair {
    struct harness broker;
    struct client *client;
    struct buf to_client; /* not taken yet */
    struct buf log;
    size_t log_read;
};

static inline const char *pair_kind(uint8_t kind)
{
    static const char *const names[] = {
        [CLIENT_EVENT_OPENED] = "opened",
        [CLIENT_EVENT_CLOSED] = "closed",
        [CLIENT_EVENT_BLOCKED] = "blocked",
        [CLIENT_EVENT_UNBLOCKED] = "unblocked",
        [CLIENT_EVENT_CHANNEL_CLOSED] = "channel closed",
        [CLIENT_EVENT_ANSWERED] = "answered",
        [CLIENT_EVENT_DELIVERED] = "delivered",
        [CLIENT_EVENT_RETURNED] = "returned",
        [CLIENT_EVENT_CONFIRMED] = "confirmed",
        [CLIENT_EVENT_CANCELLED] = "cancelled",
        [CLIENT_EVENT_WRITABLE] = "writable",
    };
    return names[kind];
}

static inline void pair_event(void *self, const struct client_event *e)
{
    struct pair *p = self;
    buf_printf(&p->log, "%s", pair_kind(e->kind));
    if (e->channel) buf_printf(&p->log, " %u", e->channel);
    if (e->token) buf_printf(&p->log, " token=%llu", (unsigned long long)e->token);
    if (e->number)
        buf_printf(&p->log, " number=%llu%s %s", (unsigned long long)e->number, e->multiple ? " multiple" : "",
                   e->ok ? "ok" : "refused");
    if (e->reply_code) buf_printf(&p->log, " %u", e->reply_code);
    if (e->text.size) buf_printf(&p->log, " %.*s", TEXT(e->text));
    if (e->method && !e->reply_code) {
        struct buf text = {0};
        amqp_method_print(&text, e->method);
        buf_put_u8(&p->log, ' ');
        for (size_t i = 0; i < text.size; i++)
            if (text.data[i] != '"') buf_put_u8(&p->log, text.data[i]);
        buf_close(&text);
    }
    if (e->body.size) buf_printf(&p->log, " body=%.*s", e->body.size > 20 ? 20 : (int)e->body.size, e->body.data);
    buf_put_u8(&p->log, '\n');
}

static inline const char *pair_heard(struct pair *p)
{
    static char line[2048];
    line[0] = 0;
    if (p->log_read >= p->log.size) return line;
    const char *at = (const char *)p->log.data + p->log_read;
    const char *end = memchr(at, '\n', p->log.size - p->log_read);
    snprintf(line, sizeof line, "%.*s", (int)(end - at), at);
    p->log_read += (size_t)(end - at) + 1;
    return line;
}
#define heard(p, text) assert_string_equal(pair_heard(p), text)
#define heard_nothing(p) heard(p, "")

static inline void pair_hear(struct pair *p)
{
    size_t used = client_input(p->client, p->to_client.data, p->to_client.size, p->broker.now_ms);
    buf_consume(&p->to_client, used);
}

static inline void pair_pump(struct pair *p)
{
    for (bool moved = true; moved;) {
        struct buf *out = client_output(p->client), *back = session_output(p->broker.session);
        moved = out->size || back->size;
        buf_put_slice(&p->broker.input, buf_slice(out));
        buf_clear(out);
        client_written(p->client, p->broker.now_ms);
        harness_flush(&p->broker);
        buf_put_slice(&p->to_client, buf_slice(back));
        buf_clear(back);
        session_written(p->broker.session, p->broker.now_ms);
        pair_hear(p);
    }
}

static inline struct client_settings pair_settings(void)
{
    return (struct client_settings){.user = "guest",
                                    .password = "guest",
                                    .vhost = "/",
                                    .mechanisms = CLIENT_PLAIN | CLIENT_AMQPLAIN,
                                    .heartbeat_s = CLIENT_URI_UNSET,
                                    .timeout_ms = 10000,
                                    .name = "test"};
}

static inline void pair_init(struct pair *p, const struct client_settings *settings)
{
    *p = (struct pair){0};
    harness_init(&p->broker, true);
    p->client = client_create(settings, pair_event, p, p->broker.now_ms);
}

/* The whole handshake, and channel 1. */
static inline void pair_open(struct pair *p)
{
    struct client_settings settings = pair_settings();
    pair_init(p, &settings);
    pair_pump(p);
    client_channel_open(p->client, 1, 0);
    pair_pump(p);
    p->log_read = p->log.size;
    p->broker.log_read = p->broker.log.size;
}

static inline void pair_close(struct pair *p)
{
    client_destroy(p->client);
    harness_close(&p->broker);
    buf_close(&p->to_client);
    buf_close(&p->log);
}

static inline struct amqp_method method_queue_declare(const char *name)
{
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
    m.queue_declare.queue = slice_str(name);
    m.queue_declare.durable = true;
    return m;
}

static inline struct amqp_method method_publish(const char *exchange, const char *key, bool mandatory)
{
    struct amqp_method m = amqp_method_of(AMQP_BASIC_PUBLISH);
    m.basic_publish = (struct amqp_basic_publish){
        .exchange = slice_str(exchange), .routing_key = slice_str(key), .mandatory = mandatory};
    return m;
}

#endif
