/* A session between a scripted client and a fake backend, for the session's unit tests and its fuzzer.
 *
 * The client speaks with say_*() and reads with hears(): one frame as one line of text. The backend answers topology
 * changes from a real topology, writes every other call into a log that asked() reads line by line, and answers
 * questions at once unless `slow` is set. */
#ifndef WARREN_TESTS_UNIT_NODE_SESSION_HARNESS_H
#define WARREN_TESTS_UNIT_NODE_SESSION_HARNESS_H

#include <stdio.h>

#include "base/mem.h"
#include "node/amqp/frame.h"
#include "node/amqp/table.h"
#include "node/queue/effect.h"
#include "node/session/session.h"

struct harness {
    struct backend backend;
    struct session_settings settings;
    struct session *session;
    struct topology *topology;
    struct auth *auth; /* open to all, unless a test replaces it */
    uint32_t refusal_delay_ms;
    uint64_t counts[3]; /* by enum backend_census */
    uint64_t topology_index;
    uint64_t now_ms;
    bool slow;        /* questions stay open; answer with harness_reply() */
    bool stale;       /* the topology is not fresh */
    uint32_t led;     /* the group that this node leads */
    bool confirm_now; /* publishes are confirmed from within publish() */
    uint32_t random;
    uint64_t ready, consumers;   /* what stat, purge and delete answer */
    struct backend_reply answer; /* to attach, detach, get: reply_code and code */
    bool get_delivers;
    uint64_t dseq;
    uint16_t asker;                   /* channel of the last question */
    struct route_target published_to; /* the first queue of the last publish */
    char published_key[64];           /* that the last publish is known by where repeats are dropped */
    struct buf log;
    size_t log_read;
    struct buf input;
    size_t output_read;
};

static inline void harness_log(struct harness *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void harness_log(struct harness *h, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    buf_printf(&h->log, "%s\n", line);
}

#define TEXT(s) (int)(s).size, (s).data ? (const char *)(s).data : ""

static inline uint16_t fake_number(struct backend_channel *c)
{
    return (uint16_t)((uintptr_t)c - 1);
}

static inline void harness_reply(struct harness *h, const struct backend_reply *reply)
{
    session_reply(h->session, h->asker, reply);
}

static inline void fake_question(struct harness *h, struct backend_channel *c, const struct backend_reply *reply)
{
    h->asker = fake_number(c);
    if (!h->slow) harness_reply(h, reply);
}

static inline struct topology *fake_topology(void *self)
{
    return ((struct harness *)self)->topology;
}

static inline bool fake_login(void *self, struct slice user, struct slice password, bool loopback)
{
    (void)self;
    return loopback && slice_is(user, "guest") && slice_is(password, "guest");
}

static inline bool fake_admit(void *self, struct slice user, bool loopback)
{
    (void)self;
    (void)loopback;
    return slice_is(user, "guest");
}

static inline uint32_t fake_logged_in(void *self, struct slice address, struct slice user, bool welcome)
{
    (void)user;
    struct harness *h = self;
    harness_log(h, "login %.*s %s", TEXT(address), welcome ? "welcome" : "failed");
    return welcome ? 0 : h->refusal_delay_ms;
}

static inline struct auth *fake_auth(void *self)
{
    return ((struct harness *)self)->auth;
}

static inline uint64_t fake_count(void *self, enum backend_census what, struct slice name)
{
    (void)name;
    return ((struct harness *)self)->counts[what];
}

static inline void fake_entered(void *self, struct slice user, struct slice vhost)
{
    (void)self;
    (void)user;
    (void)vhost;
}

static inline struct backend_channel *fake_channel_open(void *self, uint16_t channel)
{
    harness_log(self, "open %u", channel);
    return (struct backend_channel *)((uintptr_t)channel + 1);
}

static inline void fake_channel_close(void *self, struct backend_channel *c)
{
    harness_log(self, "close %u", fake_number(c));
}

static inline unsigned fake_publish(void *self, struct backend_channel *c, const struct route *route,
                                    const struct publish *m, uint64_t tag)
{
    struct harness *h = self;
    unsigned groups = 0;
    uint32_t last = 0;
    const struct content *content = &m->content;
    if (route->count) h->published_to = route->targets[0];
    snprintf(h->published_key, sizeof h->published_key, "%.*s",
             m->marks ? (int)amqp_mark_slice(&m->marks->key).size : 0,
             m->marks ? (const char *)amqp_mark_slice(&m->marks->key).data : "");
    for (size_t i = 0; i < route->count; i++) {
        groups += route->targets[i].group != last;
        last = route->targets[i].group;
    }
    for (size_t i = 0; i < route->store_count; i++, groups++)
        harness_log(h, "keep kind=%u exchange=%.*s delay=%llu", route->stores[i].kind, TEXT(route->stores[i].exchange),
                    m->marks ? (unsigned long long)m->marks->delay_ms : 0);
    harness_log(h, "publish queues=%zu exchange=%.*s key=%.*s flags=%u priority=%u ttl=%lld tag=%llu body=%.*s",
                route->count, TEXT(content->exchange), TEXT(content->routing_key), m->flags, m->priority,
                (long long)m->ttl_ms, (unsigned long long)tag, content->body.size > 20 ? 20 : (int)content->body.size,
                (const char *)content->body.data);
    for (unsigned i = 0; h->confirm_now && i < groups; i++) session_confirm(h->session, fake_number(c), tag, true);
    return groups;
}

static inline void fake_settle(void *self, struct backend_channel *c, uint32_t group, uint64_t first, uint64_t last,
                               uint8_t outcome)
{
    static const char *const names[] = {"ack", "reject", "requeue", "fail", "unseen"};
    (void)c;
    harness_log(self, "settle group=%u %llu..%llu %s", group, (unsigned long long)first, (unsigned long long)last,
                names[outcome]);
}

static inline void fake_limit(void *self, struct backend_channel *c, uint32_t prefetch)
{
    (void)c;
    harness_log(self, "limit %u", prefetch);
}

static inline void fake_attach(void *self, struct backend_channel *c, uint32_t group,
                               const struct command_attach *attach)
{
    struct harness *h = self;
    (void)group;
    harness_log(h, "attach consumer=%u flags=%u prefetch=%u priority=%d tag=%.*s", attach->consumer, attach->flags,
                attach->prefetch, attach->priority, TEXT(attach->tag));
    fake_question(h, c, &h->answer);
}

static inline void fake_detach(void *self, struct backend_channel *c, uint32_t group, uint32_t consumer)
{
    struct harness *h = self;
    (void)group;
    harness_log(h, "detach consumer=%u", consumer);
    fake_question(h, c, &h->answer);
}

static inline void harness_deliver(struct harness *h, uint16_t channel, uint32_t group, uint32_t consumer,
                                   const char *body)
{
    struct session_delivery d = {
        .group = group,
        .consumer = consumer,
        .dseq = ++h->dseq,
        .ready_left = h->ready,
        .content = {slice_str("x"), slice_str("k"), slice_of("\x10\0\2", 3), slice_str(body)},
    };
    session_deliver(h->session, channel, &d);
}

static inline void fake_get(void *self, struct backend_channel *c, uint32_t group, uint64_t queue, bool no_ack)
{
    struct harness *h = self;
    (void)queue;
    (void)no_ack;
    harness_log(h, "get");
    h->asker = fake_number(c);
    if (h->slow) return;
    if (h->get_delivers) harness_deliver(h, h->asker, group, 0, "got");
    struct backend_reply empty = {.code = REPLY_EMPTY};
    harness_reply(h, h->get_delivers || h->answer.code ? &h->answer : &empty);
}

static inline void fake_purge(void *self, struct backend_channel *c, uint32_t group, uint64_t queue)
{
    struct harness *h = self;
    (void)group, (void)queue;
    harness_log(h, "purge");
    fake_question(h, c, &(struct backend_reply){.a = h->ready});
}

static inline void fake_stat(void *self, struct backend_channel *c, uint32_t group, uint64_t queue)
{
    struct harness *h = self;
    (void)group, (void)queue;
    harness_log(h, "stat");
    fake_question(h, c, &(struct backend_reply){.a = h->ready, .b = h->consumers});
}

static inline void harness_apply(struct harness *h, const struct topology_command *command,
                                 struct topology_result *result)
{
    topology_apply(h->topology, ++h->topology_index, command, result);
}

static inline void fake_change(void *self, struct backend_channel *c, const struct topology_command *command,
                               uint8_t delete_flags)
{
    struct harness *h = self;
    struct topology_result result;
    harness_log(h, "change type=%u name=%.*s flags=%u", command->type, TEXT(command->name), delete_flags);
    if (delete_flags && h->answer.code) { /* the queue's group refuses */
        fake_question(h, c, &h->answer);
        return;
    }
    harness_apply(h, command, &result);
    struct backend_reply reply = {
        .reply_code = result.reply_code,
        .code = result.reply_code ? REPLY_REFUSED : REPLY_OK,
        .a = command->type == TOPOLOGY_QUEUE_DELETE ? h->ready : 0,
        .queue_id = result.queue_id,
        .group = result.group,
        .created = result.created,
        .text = slice_str(result.reply_code ? result.text : ""),
    };
    fake_question(h, c, &reply);
}

static inline void fake_refresh(void *self, struct backend_channel *c)
{
    struct harness *h = self;
    harness_log(h, "refresh");
    fake_question(h, c, &(struct backend_reply){0});
}

static inline bool fake_is_fresh(void *self)
{
    return !((struct harness *)self)->stale;
}

static inline bool fake_leads(void *self, uint32_t group)
{
    return ((struct harness *)self)->led == group;
}

static inline uint64_t fake_token(void *self)
{
    (void)self;
    return 7;
}

static inline void fake_random(void *self, void *bytes, size_t size)
{
    struct harness *h = self;
    memset(bytes, (int)++h->random, size);
}

enum { HARNESS_GROUPS = 4 };

static inline void harness_init(struct harness *h, bool loopback)
{
    *h = (struct harness){.now_ms = 1000};
    h->topology = topology_create(HARNESS_GROUPS);
    h->auth = auth_create(h->topology, true);
    h->settings = (struct session_settings){
        .channel_max = 2047,
        .frame_max = 131072,
        .heartbeat_s = 60,
        .handshake_timeout_ms = 10000,
        .message_size_max = 1 << 20,
        .publish_timeout_ms = 5000,
        .product = "RabbitMQ",
        .version = "3.13.7",
        .cluster_name = "test",
        .node_name = "warren@test",
        .output_high_water = 1 << 20,
    };
    h->backend = (struct backend){
        .self = h,
        .topology = fake_topology,
        .login = fake_login,
        .admit = fake_admit,
        .logged_in = fake_logged_in,
        .auth = fake_auth,
        .count = fake_count,
        .entered = fake_entered,
        .channel_open = fake_channel_open,
        .channel_close = fake_channel_close,
        .publish = fake_publish,
        .settle = fake_settle,
        .limit = fake_limit,
        .attach = fake_attach,
        .detach = fake_detach,
        .get = fake_get,
        .purge = fake_purge,
        .stat = fake_stat,
        .change = fake_change,
        .refresh = fake_refresh,
        .topology_is_fresh = fake_is_fresh,
        .leads = fake_leads,
        .connection_token = fake_token,
        .random_bytes = fake_random,
    };
    h->session = session_create(&h->settings, &h->backend, "127.0.0.1:1 -> 127.0.0.1:5672", loopback, h->now_ms);
}

static inline void harness_close(struct harness *h)
{
    session_destroy(h->session);
    auth_destroy(h->auth);
    topology_destroy(h->topology);
    buf_close(&h->log);
    buf_close(&h->input);
}

/* --- the client's side --- */

/* Offers what was said and not taken yet. */
static inline void harness_flush(struct harness *h)
{
    size_t used = session_input(h->session, h->input.data, h->input.size, h->now_ms);
    buf_consume(&h->input, used);
    session_turn_end(h->session, h->now_ms);
}

static inline void say_bytes(struct harness *h, const void *bytes, size_t size)
{
    buf_put(&h->input, bytes, size);
    harness_flush(h);
}

static inline void say(struct harness *h, uint16_t channel, const struct amqp_method *m)
{
    amqp_method_put(&h->input, channel, m);
    harness_flush(h);
}

static inline void say_empty(struct harness *h, uint16_t channel, unsigned number)
{
    struct amqp_method m = amqp_method_of(number);
    say(h, channel, &m);
}

static inline void say_publish_bytes(struct harness *h, uint16_t channel, const char *exchange, const char *key,
                                     bool mandatory, struct slice properties, struct slice body)
{
    struct amqp_method m = amqp_method_of(AMQP_BASIC_PUBLISH);
    m.basic_publish.exchange = slice_str(exchange);
    m.basic_publish.routing_key = slice_str(key);
    m.basic_publish.mandatory = mandatory;
    amqp_method_put(&h->input, channel, &m);
    amqp_header_put(&h->input, channel, body.size, properties);
    amqp_body_put(&h->input, channel, body, 131072);
    harness_flush(h);
}

static inline void say_publish(struct harness *h, uint16_t channel, const char *exchange, const char *key,
                               const char *body)
{
    say_publish_bytes(h, channel, exchange, key, false, slice_of("\0\0", 2), slice_str(body));
}

/* The next frame of the session as a line: "1 basic.ack delivery_tag=1 multiple=false", "1 header size=5", "1 body
 * hello", "heartbeat", "" when there is none. The line lives until the next call. */
static inline const char *harness_line(struct harness *h)
{
    static char line[2048];
    struct buf *out = session_output(h->session);
    struct amqp_frame f;
    struct amqp_method m;
    struct amqp_content_header header = {0};
    struct buf text = {0};
    struct slice rest = slice_of(out->data + h->output_read, out->size - h->output_read);
    line[0] = 0;
    if (!rest.size || amqp_frame_parse(rest, 0, &f) != AMQP_PARSE_DONE) return line;
    switch (f.type) {
    case AMQP_FRAME_METHOD:
        if (amqp_method_decode(f.payload, &m)) return "undecodable";
        amqp_method_print(&text, &m);
        snprintf(line, sizeof line, "%u %.*s", f.channel, TEXT(text));
        break;
    case AMQP_FRAME_HEADER:
        amqp_content_header_decode(f.payload, &header);
        snprintf(line, sizeof line, "%u header size=%llu", f.channel, (unsigned long long)header.body_size);
        break;
    case AMQP_FRAME_BODY:
        snprintf(line, sizeof line, "%u body %.*s", f.channel, TEXT(f.payload));
        break;
    default:
        snprintf(line, sizeof line, "heartbeat");
        break;
    }
    buf_close(&text);
    h->output_read += f.payload.size + AMQP_FRAME_OVERHEAD;
    if (h->output_read == out->size) {
        buf_clear(out);
        h->output_read = 0;
        session_written(h->session, h->now_ms);
    }
    return line;
}

static inline const char *harness_asked(struct harness *h)
{
    static char line[2048];
    line[0] = 0;
    if (h->log_read >= h->log.size) return line;
    const char *at = (const char *)h->log.data + h->log_read;
    const char *end = memchr(at, '\n', h->log.size - h->log_read);
    snprintf(line, sizeof line, "%.*s", (int)(end - at), at);
    h->log_read += (size_t)(end - at) + 1;
    return line;
}

#define hears(h, text) assert_string_equal(harness_line(h), text)
#define hears_nothing(h) hears(h, "")
#define asked(h, text) assert_string_equal(harness_asked(h), text)
#define asked_nothing(h) asked(h, "")

static inline void say_start_ok(struct harness *h, const char *mechanism, struct slice response, bool capable)
{
    struct buf properties = {0};
    amqp_table_put_string(&properties, "connection_name", slice_str("test client"));
    size_t at = amqp_table_open_table(&properties, "capabilities");
    amqp_table_put_bool(&properties, "consumer_cancel_notify", capable);
    amqp_table_put_bool(&properties, "authentication_failure_close", capable);
    amqp_table_put_bool(&properties, "connection.blocked", capable);
    amqp_nested_close(&properties, at);
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_START_OK);
    m.connection_start_ok.client_properties = buf_slice(&properties);
    m.connection_start_ok.mechanism = slice_str(mechanism);
    m.connection_start_ok.response = response;
    m.connection_start_ok.locale = slice_str("en_US");
    say(h, 0, &m);
    buf_close(&properties);
}

static inline void say_tune_ok(struct harness *h, uint16_t channel_max, uint32_t frame_max, uint16_t heartbeat)
{
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_TUNE_OK);
    m.connection_tune = (struct amqp_connection_tune){channel_max, frame_max, heartbeat};
    say(h, 0, &m);
}

static inline void say_open(struct harness *h, const char *vhost)
{
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_OPEN);
    m.connection_open.virtual_host = slice_str(vhost);
    say(h, 0, &m);
}

#define PLAIN_GUEST slice_of("\0guest\0guest", 12)

/* The whole handshake, and channel 1; what the session said meanwhile is dropped. */
static inline void harness_open_with(struct harness *h, bool capable);

static inline void harness_open(struct harness *h)
{
    harness_open_with(h, true);
}

/* `capable`: the client says that it hears of cancellations and the like. */
static inline void harness_open_with(struct harness *h, bool capable)
{
    harness_init(h, true);
    say_bytes(h, "AMQP\0\0\x09\1", 8);
    say_start_ok(h, "PLAIN", PLAIN_GUEST, capable);
    say_tune_ok(h, 2047, 131072, 60);
    say_open(h, "/");
    say_empty(h, 1, AMQP_CHANNEL_OPEN);
    buf_clear(session_output(h->session));
    h->log_read = h->log.size;
}

static inline void say_declare(struct harness *h, uint16_t channel, const char *queue, bool passive)
{
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
    m.queue_declare.queue = slice_str(queue);
    m.queue_declare.durable = true;
    m.queue_declare.passive = passive;
    say(h, channel, &m);
}

static inline void say_consume(struct harness *h, uint16_t channel, const char *queue, const char *tag, bool no_ack)
{
    struct amqp_method m = amqp_method_of(AMQP_BASIC_CONSUME);
    m.basic_consume.queue = slice_str(queue);
    m.basic_consume.consumer_tag = slice_str(tag);
    m.basic_consume.no_ack = no_ack;
    say(h, channel, &m);
}

static inline void say_ack(struct harness *h, uint16_t channel, uint64_t tag, bool multiple)
{
    struct amqp_method m = amqp_method_of(AMQP_BASIC_ACK);
    m.basic_ack = (struct amqp_basic_ack){tag, multiple};
    say(h, channel, &m);
}

static inline void say_close_ok(struct harness *h, uint16_t channel)
{
    say_empty(h, channel, channel ? AMQP_CHANNEL_CLOSE_OK : AMQP_CONNECTION_CLOSE_OK);
}

/* A queue that nobody saw being declared, and no noise in log and output. */
static inline void harness_queue(struct harness *h, const char *name)
{
    struct topology_result result;
    struct topology_command c = {.type = TOPOLOGY_QUEUE_DECLARE,
                                 .vhost = slice_str("/"),
                                 .name = slice_str(name),
                                 .durable = true,
                                 .connection = 7};
    harness_apply(h, &c, &result);
}

#endif
