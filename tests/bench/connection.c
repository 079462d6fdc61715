#include "tests/bench/connection.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/amqp/table.h"

static void closed(struct connection *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static size_t take_frames(struct connection *c, const uint8_t *data, size_t size);

void connection_open(struct connection *c, const struct bench_uri *uri)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *a;
    int on = 1;
    c->uri = uri;
    c->state = CONNECTION_CONNECTING;
    c->fd = -1;
    c->step = 0;
    c->frame_max = CONNECTION_FRAME_MAX;
    c->writable_wanted = c->blocked = c->wants_header = false;
    c->body_left = c->out_at = 0;
    buf_clear(&c->in);
    buf_clear(&c->out);
    int failed = getaddrinfo(uri->host, uri->port, &hints, &a);
    if (failed) {
        closed(c, "%s: %s", uri->host, gai_strerror(failed));
        return;
    }
    c->fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd >= 0) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (c->fd < 0 || (connect(c->fd, a->ai_addr, a->ai_addrlen) && errno != EINPROGRESS))
        closed(c, "connect to %s:%s: %s", uri->host, uri->port, strerror(errno));
    else c->writable_wanted = true;
    freeaddrinfo(a);
}

void connection_close(struct connection *c)
{
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    c->state = CONNECTION_CLOSED;
    buf_close(&c->in);
    buf_close(&c->out);
    c->out_at = 0;
}

static void closed(struct connection *c, const char *format, ...)
{
    char words[CONNECTION_WORDS_MAX];
    va_list list;
    if (c->state == CONNECTION_CLOSED) return;
    va_start(list, format);
    vsnprintf(words, sizeof words, format, list);
    va_end(list);
    connection_close(c);
    c->events->closed(c->owner, words);
}

void connection_flush(struct connection *c)
{
    size_t left = connection_waiting(c);
    if (c->state <= CONNECTION_CONNECTING || !left || c->writable_wanted) return;
    ssize_t sent = send(c->fd, c->out.data + c->out_at, left, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        closed(c, "write: %s", strerror(errno));
        return;
    }
    if (sent > 0) c->out_at += (size_t)sent;
    c->writable_wanted = c->out_at < c->out.size;
    if (c->writable_wanted) return;
    c->out_at = 0;
    buf_clear(&c->out);
}

static void connected(struct connection *c)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        closed(c, "connect to %s:%s: %s", c->uri->host, c->uri->port, strerror(error));
        return;
    }
    c->state = CONNECTION_HANDSHAKE;
    amqp_protocol_header_put(&c->out);
}

static void read_some(struct connection *c, uint8_t *buffer)
{
    ssize_t got = recv(c->fd, buffer, CONNECTION_READ_SIZE, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        closed(c, "%s", got == 0 ? "closed by the broker" : strerror(errno));
        return;
    }
    if (c->in.size == 0) {
        size_t used = take_frames(c, buffer, (size_t)got);
        if (c->state != CONNECTION_CLOSED && used < (size_t)got) buf_put(&c->in, buffer + used, (size_t)got - used);
    } else {
        buf_put(&c->in, buffer, (size_t)got);
        size_t used = take_frames(c, c->in.data, c->in.size);
        if (c->state != CONNECTION_CLOSED) buf_consume(&c->in, used);
    }
}

void connection_event(struct connection *c, bool readable, bool writable, uint8_t *buffer, uint64_t now_ns)
{
    c->now_ns = now_ns;
    if (writable && c->state > CONNECTION_CLOSED) {
        c->writable_wanted = false;
        if (c->state == CONNECTION_CONNECTING) connected(c);
    }
    if (readable && c->state > CONNECTION_CONNECTING) read_some(c, buffer);
    connection_flush(c);
}

static void put_method(struct connection *c, const struct amqp_method *m)
{
    amqp_method_put(&c->out, m->class_id == 10 ? 0 : CONNECTION_CHANNEL, m);
}

static void next_step(struct connection *c)
{
    if (c->events->setup(c->owner, c->step++)) return;
    c->state = CONNECTION_READY;
    c->events->ready(c->owner);
}

static void start_ok(struct connection *c)
{
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_START_OK);
    struct buf properties = {0}, login = {0};
    amqp_table_put_string(&properties, "product", slice_str("warren-bench"));
    size_t at = amqp_table_open_table(&properties, "capabilities");
    amqp_table_put_bool(&properties, "publisher_confirms", true);
    amqp_table_put_bool(&properties, "basic.nack", true);
    amqp_table_put_bool(&properties, "connection.blocked", true);
    amqp_table_put_bool(&properties, "consumer_cancel_notify", true);
    amqp_nested_close(&properties, at);
    buf_put_u8(&login, 0);
    buf_put_slice(&login, slice_str(c->uri->user));
    buf_put_u8(&login, 0);
    buf_put_slice(&login, slice_str(c->uri->password));
    m.connection_start_ok.client_properties = buf_slice(&properties);
    m.connection_start_ok.mechanism = slice_str("PLAIN");
    m.connection_start_ok.response = buf_slice(&login);
    m.connection_start_ok.locale = slice_str("en_US");
    put_method(c, &m);
    buf_close(&properties);
    buf_close(&login);
}

static void tune_ok(struct connection *c, const struct amqp_connection_tune *tune)
{
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_TUNE_OK);
    if (tune->frame_max && tune->frame_max < c->frame_max) c->frame_max = tune->frame_max;
    m.connection_tune.channel_max = 1;
    m.connection_tune.frame_max = c->frame_max;
    put_method(c, &m);
    m = amqp_method_of(AMQP_CONNECTION_OPEN);
    m.connection_open.virtual_host = slice_str(c->uri->vhost);
    put_method(c, &m);
}

/* Everything that is not hot. */
static void cold_method(struct connection *c, struct slice payload)
{
    struct amqp_method m, answer;
    unsigned code = amqp_method_decode(payload, &m);
    if (code) {
        closed(c, "a method that cannot be read (%u)", code);
        return;
    }
    switch (amqp_method_number(&m)) {
    case AMQP_CONNECTION_START:
        start_ok(c);
        return;
    case AMQP_CONNECTION_TUNE:
        tune_ok(c, &m.connection_tune);
        return;
    case AMQP_CONNECTION_OPEN_OK:
        answer = amqp_method_of(AMQP_CHANNEL_OPEN);
        put_method(c, &answer);
        return;
    case AMQP_CONNECTION_BLOCKED:
        c->blocked = true;
        return;
    case AMQP_CONNECTION_UNBLOCKED:
        c->blocked = false;
        return;
    case AMQP_CONNECTION_CLOSE:
    case AMQP_CHANNEL_CLOSE:
        closed(c, "%u %.*s", m.close.reply_code, (int)m.close.reply_text.size, (const char *)m.close.reply_text.data);
        return;
    case AMQP_BASIC_CANCEL:
        closed(c, "the broker cancelled the consumer");
        return;
    default:
        break;
    }
    if (c->state == CONNECTION_HANDSHAKE && amqp_method_number(&m) == AMQP_CHANNEL_OPEN_OK) c->state = CONNECTION_SETUP;
    if (c->state == CONNECTION_SETUP) next_step(c);
}

static uint64_t be64_at(const uint8_t *at)
{
    uint64_t v;
    memcpy(&v, at, sizeof v);
    return __builtin_bswap64(v);
}

static void take_method(struct connection *c, const uint8_t *p, uint32_t size)
{
    uint32_t number;
    if (size < 4) return;
    memcpy(&number, p, sizeof number);
    number = __builtin_bswap32(number);
    if (number == AMQP_BASIC_ACK && size >= 13) {
        c->events->confirm(c->owner, be64_at(p + 4), p[12] & 1, true);
    } else if (number == AMQP_BASIC_NACK && size >= 13) {
        c->events->confirm(c->owner, be64_at(p + 4), p[12] & 1, false);
    } else if (number == AMQP_BASIC_DELIVER && size >= 5 && size >= 5u + p[4] + 9) {
        const uint8_t *at = p + 5 + p[4];
        c->delivery = (struct connection_delivery){.tag = be64_at(at), .redelivered = at[8] & 1};
        c->wants_header = true;
    } else if (number == AMQP_BASIC_RETURN) {
        c->delivery = (struct connection_delivery){.returned = true};
        c->wants_header = true;
    } else {
        cold_method(c, slice_of(p, size));
    }
}

static void take_header(struct connection *c, const uint8_t *p, uint32_t size)
{
    if (!c->wants_header || size < 12) return;
    c->wants_header = false;
    c->body_left = c->delivery.body_size = be64_at(p + 4);
    c->stamp_filled = 0;
    if (c->body_left == 0) c->events->delivery(c->owner, &c->delivery);
}

static void take_body(struct connection *c, const uint8_t *p, uint32_t size)
{
    if (c->body_left == 0) return;
    if (c->stamp_filled < BENCH_STAMP_SIZE) {
        uint32_t part = BENCH_STAMP_SIZE - c->stamp_filled;
        if (part > size) part = size;
        memcpy((uint8_t *)&c->delivery.stamp + c->stamp_filled, p, part);
        c->stamp_filled += part;
    }
    c->body_left -= size < c->body_left ? size : c->body_left;
    if (c->body_left == 0) c->events->delivery(c->owner, &c->delivery);
}

static size_t take_frames(struct connection *c, const uint8_t *data, size_t size)
{
    size_t at = 0;
    while (size - at >= 8 && c->state != CONNECTION_CLOSED) {
        const uint8_t *frame = data + at;
        uint32_t payload;
        if (frame[0] == 'A') {
            closed(c, "the broker does not speak AMQP 0-9-1");
            break;
        }
        memcpy(&payload, frame + 3, sizeof payload);
        payload = __builtin_bswap32(payload);
        if (size - at < (size_t)payload + 8) break;
        if (frame[7 + payload] != 206) {
            closed(c, "a frame without its end octet");
            break;
        }
        if (frame[0] == AMQP_FRAME_METHOD) take_method(c, frame + 7, payload);
        else if (frame[0] == AMQP_FRAME_HEADER) take_header(c, frame + 7, payload);
        else if (frame[0] == AMQP_FRAME_BODY) take_body(c, frame + 7, payload);
        at += (size_t)payload + 8;
    }
    return at;
}
