#include "node/http/conversation.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "node/amqp/table.h"

enum {
    PATIENCE_MS = 2000 /* beyond the time after which the node itself gives up */,
    READ_SIZE = 64 << 10,
    CHANNEL = 1
};

struct conversation {
    int fd;
    uint32_t frame_max;
    uint64_t patience_ms;
    bool broken;
    struct buf in, out;
    size_t used; /* of `in` */
    struct buf content;
};

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool silence(struct conversation *c, struct refusal *why)
{
    c->broken = true;
    why->code = 0;
    snprintf(why->text, sizeof why->text, "the node did not answer in time");
    return false;
}

/* --- bytes --- */

static bool wait_until(struct conversation *c, short events, uint64_t deadline)
{
    struct pollfd p = {.fd = c->fd, .events = events};
    uint64_t now = now_ms();
    return now < deadline && poll(&p, 1, (int)(deadline - now)) > 0;
}

static bool flush(struct conversation *c, struct refusal *why)
{
    uint64_t deadline = now_ms() + c->patience_ms;
    while (c->out.size) {
        ssize_t sent = send(c->fd, c->out.data, c->out.size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) buf_consume(&c->out, (size_t)sent);
        else if (errno != EAGAIN && errno != EINTR) return true; /* what the node said before is still to be read */
        else if (!wait_until(c, POLLOUT, deadline)) return silence(c, why);
    }
    return true;
}

static bool read_more(struct conversation *c, uint64_t deadline)
{
    if (c->used) buf_consume(&c->in, c->used);
    c->used = 0;
    if (!wait_until(c, POLLIN, deadline)) return false;
    ssize_t got = recv(c->fd, buf_reserve(&c->in, READ_SIZE), READ_SIZE, 0);
    if (got <= 0) return false;
    c->in.size += (size_t)got;
    return true;
}

/* The payload lives until the next frame is asked for. */
static bool next_frame(struct conversation *c, struct amqp_frame *f, struct refusal *why)
{
    uint64_t deadline = now_ms() + c->patience_ms;
    while (!c->broken) {
        struct slice rest = slice_of(c->in.data + c->used, c->in.size - c->used);
        enum amqp_parse outcome = rest.size ? amqp_frame_parse(rest, 0, f) : AMQP_PARSE_MORE;
        if (outcome == AMQP_PARSE_DONE) {
            c->used += AMQP_FRAME_OVERHEAD + f->payload.size;
            return true;
        }
        if (outcome != AMQP_PARSE_MORE || !read_more(c, deadline)) break;
    }
    return silence(c, why);
}

/* --- methods --- */

void conversation_send(struct conversation *c, const struct amqp_method *m)
{
    amqp_method_put(&c->out, m->class_id == AMQP_CLASS_CONNECTION ? 0 : CHANNEL, m);
}

void conversation_push(struct conversation *c)
{
    struct refusal ignored; /* the next receive finds out, too */
    flush(c, &ignored);
}

void conversation_publish(struct conversation *c, const struct amqp_method *m, const struct message *message)
{
    conversation_send(c, m);
    amqp_header_put(&c->out, CHANNEL, message->body.size, message->properties);
    amqp_body_put(&c->out, CHANNEL, message->body, c->frame_max);
}

/* Header and body behind a method that has them. The method's own slices are kept in front of them. */
static bool take_content(struct conversation *c, struct message *message, struct refusal *why)
{
    struct amqp_frame f;
    struct amqp_content_header header;
    if (!next_frame(c, &f, why)) return false;
    if (f.type != AMQP_FRAME_HEADER || !amqp_content_header_decode(f.payload, &header)) return silence(c, why);
    buf_clear(&c->content);
    buf_put_slice(&c->content, header.properties);
    size_t properties = header.properties.size;
    while (c->content.size - properties < header.body_size) {
        if (!next_frame(c, &f, why)) return false;
        if (f.type != AMQP_FRAME_BODY) return silence(c, why);
        buf_put_slice(&c->content, f.payload);
    }
    if (message) {
        message->properties = slice_of(c->content.data, properties);
        message->body = slice_of(c->content.data + properties, c->content.size - properties);
    }
    return true;
}

static bool closed(struct conversation *c, const struct amqp_method *m, struct refusal *why)
{
    unsigned number = amqp_method_number(m);
    if (number != AMQP_CONNECTION_CLOSE && number != AMQP_CHANNEL_CLOSE) return false;
    c->broken = true;
    why->code = m->close.reply_code;
    snprintf(why->text, sizeof why->text, "%.*s", (int)m->close.reply_text.size,
             (const char *)m->close.reply_text.data);
    return true;
}

bool conversation_receive(struct conversation *c, struct amqp_method *m, struct message *message, struct refusal *why)
{
    struct amqp_frame f;
    if (!flush(c, why)) return false;
    do {
        if (!next_frame(c, &f, why)) return false;
    } while (f.type == AMQP_FRAME_HEARTBEAT);
    if (f.type != AMQP_FRAME_METHOD || amqp_method_decode(f.payload, m)) return silence(c, why);
    if (closed(c, m, why)) return false;
    if (!(amqp_method_flags(m->class_id, m->method_id) & AMQP_CONTENT)) return true;
    /* reading on moves the buffer: the method is decoded from a copy */
    struct buf head = {0};
    buf_put_slice(&head, f.payload);
    bool ok = take_content(c, message, why);
    size_t at = c->content.size;
    buf_put_slice(&c->content, buf_slice(&head));
    if (ok && message) {
        size_t properties = message->properties.size;
        message->properties = slice_of(c->content.data, properties);
        message->body = slice_of(c->content.data + properties, at - properties);
    }
    ok = ok && !amqp_method_decode(slice_of(c->content.data + at, head.size), m);
    buf_close(&head);
    return ok;
}

bool conversation_call(struct conversation *c, const struct amqp_method *m, struct amqp_method *answer,
                       struct message *message, struct refusal *why)
{
    conversation_send(c, m);
    return conversation_receive(c, answer, message, why);
}

/* --- its life --- */

struct give {
    int fd;
    bool trusted;
};

static void take_over(struct shard *s, void *arg)
{
    struct give *give = arg;
    shard_open_conversation(s, give->fd, give->trusted);
}

static void send_start_ok(struct conversation *c, const struct caller *caller)
{
    struct buf properties = {0}, capabilities = {0}, response = {0};
    amqp_table_put_bool(&capabilities, "authentication_failure_close", true);
    amqp_table_put_value(&properties, slice_str("capabilities"),
                         &(struct amqp_value){.type = 'F', .bytes = buf_slice(&capabilities)});
    buf_put_u8(&response, 0);
    buf_put(&response, caller->user, strlen(caller->user));
    buf_put_u8(&response, 0);
    buf_put(&response, caller->password, strlen(caller->password));
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_START_OK);
    m.connection_start_ok = (struct amqp_connection_start_ok){buf_slice(&properties), slice_str("PLAIN"),
                                                              buf_slice(&response), slice_str("en_US")};
    conversation_send(c, &m);
    buf_close(&properties);
    buf_close(&capabilities);
    buf_close(&response);
}

static bool shake_hands(struct conversation *c, const struct caller *caller, struct slice vhost, struct refusal *why)
{
    struct amqp_method m;
    amqp_protocol_header_put(&c->out);
    if (!conversation_receive(c, &m, NULL, why)) return false;
    send_start_ok(c, caller);
    if (!conversation_receive(c, &m, NULL, why)) return false;
    if (amqp_method_number(&m) != AMQP_CONNECTION_TUNE) return silence(c, why);
    c->frame_max = m.connection_tune.frame_max;
    m.method_id = (uint16_t)AMQP_CONNECTION_TUNE_OK;
    m.connection_tune.heartbeat = 0;
    conversation_send(c, &m);
    m = amqp_method_of(AMQP_CONNECTION_OPEN);
    m.connection_open.virtual_host = vhost;
    if (!conversation_call(c, &m, &m, NULL, why)) return false;
    m = amqp_method_of(AMQP_CHANNEL_OPEN);
    return conversation_call(c, &m, &m, NULL, why);
}

struct conversation *conversation_open(struct request *r, struct slice vhost, struct refusal *why)
{
    struct node *node = r->http->params.node;
    int ends[2];
    *why = (struct refusal){0};
    if (vhost.size > AMQP_SHORTSTR_MAX) {
        why->code = AMQP_NOT_ALLOWED;
        snprintf(why->text, sizeof why->text, "NOT_ALLOWED - the name of the vhost is too long");
        return NULL;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends)) {
        snprintf(why->text, sizeof why->text, "the node has no file descriptors left");
        return NULL;
    }
    struct conversation *c = mem_zalloc(sizeof *c);
    c->fd = ends[0];
    c->patience_ms = node_settings(node)->session.publish_timeout_ms + PATIENCE_MS;
    struct give give = {ends[1], r->trusted};
    shard_call_any(node_shard(node, 0), take_over, &give);
    if (shake_hands(c, &r->caller, vhost, why)) return c;
    conversation_close(c);
    return NULL;
}

void conversation_close(struct conversation *c)
{
    struct refusal ignored;
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_CLOSE);
    m.close.reply_code = AMQP_REPLY_SUCCESS;
    if (!c->broken) {
        conversation_send(c, &m);
        conversation_receive(c, &m, NULL, &ignored); /* close-ok: what was settled is on its way */
    }
    close(c->fd);
    buf_close(&c->in);
    buf_close(&c->out);
    buf_close(&c->content);
    mem_free(c);
}

/* --- answers --- */

/* RabbitMQ shows the words behind "PRECONDITION_FAILED - ". */
static const char *words_of(const struct refusal *why)
{
    const char *name = why->code ? amqp_reply_name(why->code) : "";
    size_t size = strlen(name);
    bool named = size && !strncmp(why->text, name, size) && !strncmp(why->text + size, " - ", 3);
    return named ? why->text + size + 3 : why->text;
}

void answer_refusal(struct answer *a, const struct refusal *why)
{
    const char *words = words_of(why);
    switch (why->code) {
    case AMQP_NOT_FOUND:
        answer_error(a, 404, "not_found", words);
        break;
    case AMQP_ACCESS_REFUSED:
        answer_error(a, 401, "not_authorised", words);
        break;
    case AMQP_NOT_ALLOWED:
        if (strstr(words, "not found")) answer_error(a, 404, "not_found", "vhost_not_found");
        else if (strstr(words, "refused for user")) answer_error(a, 401, "not_authorised", words);
        else answer_error(a, 400, "bad_request", words);
        break;
    case 0:
    case AMQP_INTERNAL_ERROR:
        answer_error(a, 503, "service_unavailable", words);
        break;
    default:
        answer_error(a, 400, "bad_request", words);
        break;
    }
}

bool conversation_once(struct request *r, struct slice vhost, const struct amqp_method *m, struct answer *a)
{
    struct refusal why;
    struct amqp_method reply;
    struct conversation *c = conversation_open(r, vhost, &why);
    bool ok = c && conversation_call(c, m, &reply, NULL, &why);
    if (!ok) answer_refusal(a, &why);
    if (c) conversation_close(c);
    return ok;
}
