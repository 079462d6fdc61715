/* Publishing and getting messages over HTTP: for people and for tests, not for traffic. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "node/amqp/properties.h"
#include "node/http/base64.h"
#include "node/http/conversation.h"

enum { GET_MESSAGES_MAX = 10000 };

/* --- properties --- */

static const struct member {
    const char *name;
    uint16_t flag;
    size_t offset; /* of a slice */
} texts[] = {
    {"content_type", AMQP_HAS_CONTENT_TYPE, offsetof(struct amqp_properties, content_type)},
    {"content_encoding", AMQP_HAS_CONTENT_ENCODING, offsetof(struct amqp_properties, content_encoding)},
    {"correlation_id", AMQP_HAS_CORRELATION_ID, offsetof(struct amqp_properties, correlation_id)},
    {"reply_to", AMQP_HAS_REPLY_TO, offsetof(struct amqp_properties, reply_to)},
    {"expiration", AMQP_HAS_EXPIRATION, offsetof(struct amqp_properties, expiration)},
    {"message_id", AMQP_HAS_MESSAGE_ID, offsetof(struct amqp_properties, message_id)},
    {"type", AMQP_HAS_TYPE, offsetof(struct amqp_properties, type)},
    {"user_id", AMQP_HAS_USER_ID, offsetof(struct amqp_properties, user_id)},
    {"app_id", AMQP_HAS_APP_ID, offsetof(struct amqp_properties, app_id)},
    {"cluster_id", AMQP_HAS_CLUSTER_ID, offsetof(struct amqp_properties, cluster_id)},
};

static struct slice *member_of(struct amqp_properties *p, const struct member *m)
{
    return (struct slice *)(void *)((char *)p + m->offset);
}

static bool small_integer(const json_t *object, const char *name, uint16_t flag, uint64_t max,
                          struct amqp_properties *p, uint64_t *out, struct answer *a)
{
    const json_t *value = json_object_get(object, name);
    if (!value) return true;
    if (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > max) {
        answer_bad(a, "the property %s must be a number from 0 to %llu", name, (unsigned long long)max);
        return false;
    }
    *out = (uint64_t)json_integer_value(value);
    p->flags |= flag;
    return true;
}

/* Unknown members are left out, as RabbitMQ does. */
static bool read_properties(const json_t *o, struct buf *headers, struct buf *out, struct answer *a)
{
    struct amqp_properties p = {0};
    uint64_t mode = 0, priority = 0;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const json_t *value = json_object_get(o, texts[i].name);
        if (!value) continue;
        if (!json_is_string(value) || json_string_length(value) > AMQP_SHORTSTR_MAX) {
            answer_bad(a, "the property %s must be a string of at most %d bytes", texts[i].name, AMQP_SHORTSTR_MAX);
            return false;
        }
        *member_of(&p, &texts[i]) = slice_json(value);
        p.flags |= texts[i].flag;
    }
    if (!small_integer(o, "delivery_mode", AMQP_HAS_DELIVERY_MODE, 255, &p, &mode, a) ||
        !small_integer(o, "priority", AMQP_HAS_PRIORITY, 255, &p, &priority, a) ||
        !small_integer(o, "timestamp", AMQP_HAS_TIMESTAMP, INT64_MAX, &p, &p.timestamp, a))
        return false;
    p.delivery_mode = (uint8_t)mode;
    p.priority = (uint8_t)priority;
    if (json_object_get(o, "headers")) {
        if (!table_of_json(headers, json_object_get(o, "headers"))) {
            answer_bad(a, "the property headers must be an object that fits a field table");
            return false;
        }
        p.headers = buf_slice(headers);
        p.flags |= AMQP_HAS_HEADERS;
    }
    amqp_properties_encode(out, &p);
    return true;
}

static json_t *properties_json(struct slice raw)
{
    struct amqp_properties p;
    json_t *o = json_object();
    if (amqp_properties_decode(raw, &p)) return o;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (p.flags & texts[i].flag) json_put(o, texts[i].name, json_slice(*member_of(&p, &texts[i])));
    if (p.flags & AMQP_HAS_DELIVERY_MODE) json_put(o, "delivery_mode", json_integer(p.delivery_mode));
    if (p.flags & AMQP_HAS_PRIORITY) json_put(o, "priority", json_integer(p.priority));
    if (p.flags & AMQP_HAS_TIMESTAMP) json_put(o, "timestamp", json_number(p.timestamp));
    if (p.flags & AMQP_HAS_HEADERS) json_put(o, "headers", json_table(p.headers));
    return o;
}

/* --- publish --- */

static bool read_payload(const struct request *r, struct buf *out, struct answer *a)
{
    struct slice payload = body_text(r, "payload", ""), encoding = body_text(r, "payload_encoding", "");
    if (!json_is_string(json_object_get(r->body, "payload"))) {
        answer_bad(a, "payload_not_string");
        return false;
    }
    if (slice_is(encoding, "string")) {
        buf_put_slice(out, payload);
        return true;
    }
    if (slice_is(encoding, "base64") && base64_decode(out, payload)) return true;
    if (slice_is(encoding, "base64"))
        answer_bad(a, "{not_base64,<<\"%.*s\">>}", (int)(payload.size > 64 ? 64 : payload.size),
                   (const char *)payload.data);
    else answer_bad(a, "{unsupported_encoding,<<\"%.*s\">>}", (int)encoding.size, (const char *)encoding.data);
    return false;
}

static void publish(struct request *r, const struct message *message, struct answer *a)
{
    struct refusal why;
    struct amqp_method m = amqp_method_of(AMQP_CONFIRM_SELECT), reply;
    struct conversation *c = conversation_open(r, r->captures[0], &why);
    bool routed = true, answered = false;
    if (c && conversation_call(c, &m, &reply, NULL, &why)) {
        m = amqp_method_of(AMQP_BASIC_PUBLISH);
        m.basic_publish.exchange = exchange_name_of(r->captures[1]);
        m.basic_publish.routing_key = body_text(r, "routing_key", "");
        m.basic_publish.mandatory = true;
        conversation_publish(c, &m, message);
        while (!answered && conversation_receive(c, &reply, NULL, &why)) {
            unsigned number = amqp_method_number(&reply);
            if (number == AMQP_BASIC_RETURN) routed = false;
            answered = number == AMQP_BASIC_ACK || number == AMQP_BASIC_NACK;
            if (number == AMQP_BASIC_NACK) routed = false;
        }
    }
    if (answered) answer_json(a, json_pack("{s:b}", "routed", routed));
    else if (why.code == AMQP_NOT_FOUND) answer_bad(a, "%u %s", why.code, why.text);
    else answer_refusal(a, &why);
    if (c) conversation_close(c);
}

void api_exchange_publish(struct request *r, struct answer *a)
{
    static const char *const needed[] = {"routing_key", "properties", "payload", "payload_encoding", NULL};
    struct buf headers = {0}, properties = {0}, payload = {0};
    if (vhost_answer(r, r->captures[0], a) && body_requires(r, needed, a) && name_fits(r->captures[1], a) &&
        name_fits(body_text(r, "routing_key", ""), a) &&
        read_properties(json_object_get(r->body, "properties"), &headers, &properties, a) &&
        read_payload(r, &payload, a)) {
        struct message message = {buf_slice(&properties), buf_slice(&payload)};
        publish(r, &message, a);
    }
    buf_close(&headers);
    buf_close(&properties);
    buf_close(&payload);
}

/* --- get --- */

enum ackmode { ACK_REQUEUE_TRUE, ACK_REQUEUE_FALSE, REJECT_REQUEUE_TRUE, REJECT_REQUEUE_FALSE, ACKMODES };

struct getting {
    json_int_t count, truncate; /* truncate -1: not at all */
    enum ackmode ackmode;
    bool base64;
};

static bool read_getting(const struct request *r, struct getting *g, struct answer *a)
{
    static const char *const modes[ACKMODES] = {"ack_requeue_true", "ack_requeue_false", "reject_requeue_true",
                                                "reject_requeue_false"};
    static const char *const needed[] = {"count", "encoding", NULL}, *const needs_mode[] = {"ackmode", NULL};
    const json_t *count = json_object_get(r->body, "count"), *truncate = json_object_get(r->body, "truncate"),
                 *requeue = json_object_get(r->body, "requeue");
    struct slice encoding = body_text(r, "encoding", ""), mode = body_text(r, "ackmode", "");
    if (!body_requires(r, needed, a)) return false;
    g->count = json_is_string(count) ? atoll(json_string_value(count)) : json_integer_value(count);
    g->truncate = !truncate                  ? -1
                  : json_is_string(truncate) ? atoll(json_string_value(truncate))
                                             : json_integer_value(truncate);
    g->base64 = slice_is(encoding, "base64");
    if (!g->base64 && !slice_is(encoding, "auto")) {
        answer_bad(a, "{unsupported_encoding,<<\"%.*s\">>}", (int)encoding.size, (const char *)encoding.data);
        return false;
    }
    if (requeue && !mode.size) { /* before 3.7 */
        g->ackmode =
            json_is_false(requeue) || slice_is(slice_json(requeue), "false") ? ACK_REQUEUE_FALSE : ACK_REQUEUE_TRUE;
        return true;
    }
    if (!body_requires(r, needs_mode, a)) return false;
    for (g->ackmode = 0; g->ackmode < ACKMODES; g->ackmode++)
        if (slice_is(mode, modes[g->ackmode])) return true;
    answer_bad(a, "{unsupported_ackmode,<<\"%.*s\">>}", (int)mode.size, (const char *)mode.data);
    return false;
}

static json_t *message_json(const struct getting *g, const struct amqp_basic_get_ok *ok, const struct message *message)
{
    json_t *o = json_object();
    struct slice payload = message->body;
    json_put(o, "payload_bytes", json_number(payload.size));
    json_put(o, "redelivered", json_boolean(ok->redelivered));
    json_put(o, "exchange", json_slice(ok->exchange));
    json_put(o, "routing_key", json_slice(ok->routing_key));
    json_put(o, "message_count", json_number(ok->message_count));
    json_put(o, "properties", properties_json(message->properties));
    if (g->truncate >= 0 && payload.size > (size_t)g->truncate) payload.size = (size_t)g->truncate;
    json_t *text = g->base64 ? NULL : json_stringn(payload.data ? (const char *)payload.data : "", payload.size);
    json_put(o, "payload_encoding", json_string(text ? "string" : "base64"));
    if (!text) {
        struct buf encoded = {0};
        base64_encode(&encoded, payload);
        text = json_slice(buf_slice(&encoded));
        buf_close(&encoded);
    }
    json_put(o, "payload", text);
    return o;
}

/* What goes back goes at the end, all at once: else the next get would find it again. */
static bool goes_back(enum ackmode mode)
{
    return mode == ACK_REQUEUE_TRUE || mode == REJECT_REQUEUE_TRUE;
}

static void settle_one(struct conversation *c, enum ackmode mode, uint64_t tag)
{
    struct amqp_method m = amqp_method_of(mode == ACK_REQUEUE_FALSE ? AMQP_BASIC_ACK : AMQP_BASIC_REJECT);
    if (mode == ACK_REQUEUE_FALSE) m.basic_ack.delivery_tag = tag;
    else m.basic_reject.delivery_tag = tag;
    conversation_send(c, &m);
}

/* False: the node said no. */
static bool get_messages(struct conversation *c, struct request *r, const struct getting *g, json_t *array,
                         struct refusal *why)
{
    struct amqp_method m = amqp_method_of(AMQP_BASIC_GET), reply;
    struct message message;
    uint64_t last = 0;
    m.basic_get.queue = r->captures[1];
    for (json_int_t i = 0; i < g->count && i < GET_MESSAGES_MAX; i++) {
        if (!conversation_call(c, &m, &reply, &message, why)) return false;
        if (amqp_method_number(&reply) != AMQP_BASIC_GET_OK) break;
        last = reply.basic_get_ok.delivery_tag;
        json_array_append_new(array, message_json(g, &reply.basic_get_ok, &message));
        if (!goes_back(g->ackmode)) settle_one(c, g->ackmode, last);
    }
    if (last && goes_back(g->ackmode)) {
        m = amqp_method_of(AMQP_BASIC_NACK);
        m.basic_nack = (struct amqp_basic_nack){last, true, true};
        conversation_send(c, &m);
    }
    /* a round trip: what was settled is settled when the caller reads the answer */
    m = amqp_method_of(AMQP_QUEUE_DECLARE);
    m.queue_declare.queue = r->captures[1];
    m.queue_declare.passive = true;
    return conversation_call(c, &m, &reply, NULL, why);
}

void api_queue_messages_get(struct request *r, struct answer *a)
{
    struct getting g;
    struct refusal why;
    if (!vhost_answer(r, r->captures[0], a) || !name_fits(r->captures[1], a) || !read_getting(r, &g, a)) return;
    json_t *array = json_array();
    struct conversation *c = conversation_open(r, r->captures[0], &why);
    if (c && get_messages(c, r, &g, array, &why)) {
        answer_json(a, array);
    } else {
        json_decref(array);
        answer_refusal(a, &why);
    }
    if (c) conversation_close(c);
}
