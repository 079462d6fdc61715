/* Methods: bytes of a method frame <-> structs, and their names.
 *
 * Everything is described once, in the table of method_table.c: class, method, name, fields, who may send it, whether
 * content follows, whether it is answered. Pure; any thread; no allocation. Strings and tables in a decoded method
 * borrow from the frame; tables are without their length and were validated (table.h). Sources: AMQP 0-9-1
 * specification; RabbitMQ's extensions (confirm, nack, exchange.bind, blocked, update-secret). */
#ifndef WARREN_NODE_AMQP_METHOD_H
#define WARREN_NODE_AMQP_METHOD_H

#include "base/buf.h"
#include "base/slice.h"
#include "node/amqp/spec.h"

struct amqp_connection_start {
    uint8_t version_major, version_minor;
    struct slice server_properties, mechanisms, locales;
};
struct amqp_connection_start_ok {
    struct slice client_properties, mechanism, response, locale;
};
struct amqp_connection_secure {
    struct slice challenge;
};
struct amqp_connection_secure_ok {
    struct slice response;
};
struct amqp_connection_tune {
    uint16_t channel_max;
    uint32_t frame_max;
    uint16_t heartbeat;
};
struct amqp_connection_open {
    struct slice virtual_host, capabilities;
    bool insist;
};
struct amqp_connection_open_ok {
    struct slice known_hosts;
};
struct amqp_close {
    uint16_t reply_code;
    struct slice reply_text;
    uint16_t class_id, method_id;
}; /* connection and channel */
struct amqp_connection_blocked {
    struct slice reason;
};
struct amqp_connection_update_secret {
    struct slice new_secret, reason;
};
struct amqp_channel_open {
    struct slice out_of_band;
};
struct amqp_channel_open_ok {
    struct slice channel_id;
};
struct amqp_channel_flow {
    bool active;
}; /* and flow-ok */
struct amqp_access_request {
    struct slice realm;
    bool exclusive, passive, active, write, read;
};
struct amqp_access_request_ok {
    uint16_t ticket;
};
struct amqp_exchange_declare {
    uint16_t ticket;
    struct slice exchange, type;
    bool passive, durable, auto_delete, internal, no_wait;
    struct slice arguments;
};
struct amqp_exchange_delete {
    uint16_t ticket;
    struct slice exchange;
    bool if_unused, no_wait;
};
struct amqp_exchange_bind { /* and unbind */
    uint16_t ticket;
    struct slice destination, source, routing_key;
    bool no_wait;
    struct slice arguments;
};
struct amqp_queue_declare {
    uint16_t ticket;
    struct slice queue;
    bool passive, durable, exclusive, auto_delete, no_wait;
    struct slice arguments;
};
struct amqp_queue_declare_ok {
    struct slice queue;
    uint32_t message_count, consumer_count;
};
struct amqp_queue_bind {
    uint16_t ticket;
    struct slice queue, exchange, routing_key;
    bool no_wait;
    struct slice arguments;
};
struct amqp_queue_unbind {
    uint16_t ticket;
    struct slice queue, exchange, routing_key, arguments;
};
struct amqp_queue_purge {
    uint16_t ticket;
    struct slice queue;
    bool no_wait;
};
struct amqp_queue_purge_ok {
    uint32_t message_count;
};
struct amqp_queue_delete {
    uint16_t ticket;
    struct slice queue;
    bool if_unused, if_empty, no_wait;
};
struct amqp_queue_delete_ok {
    uint32_t message_count;
};
struct amqp_basic_qos {
    uint32_t prefetch_size;
    uint16_t prefetch_count;
    bool global;
};
struct amqp_basic_consume {
    uint16_t ticket;
    struct slice queue, consumer_tag;
    bool no_local, no_ack, exclusive, no_wait;
    struct slice arguments;
};
struct amqp_basic_consume_ok {
    struct slice consumer_tag;
};
struct amqp_basic_cancel {
    struct slice consumer_tag;
    bool no_wait;
};
struct amqp_basic_cancel_ok {
    struct slice consumer_tag;
};
struct amqp_basic_publish {
    uint16_t ticket;
    struct slice exchange, routing_key;
    bool mandatory, immediate;
};
struct amqp_basic_return {
    uint16_t reply_code;
    struct slice reply_text, exchange, routing_key;
};
struct amqp_basic_deliver {
    struct slice consumer_tag;
    uint64_t delivery_tag;
    bool redelivered;
    struct slice exchange, routing_key;
};
struct amqp_basic_get {
    uint16_t ticket;
    struct slice queue;
    bool no_ack;
};
struct amqp_basic_get_ok {
    uint64_t delivery_tag;
    bool redelivered;
    struct slice exchange, routing_key;
    uint32_t message_count;
};
struct amqp_basic_get_empty {
    struct slice cluster_id;
};
struct amqp_basic_ack {
    uint64_t delivery_tag;
    bool multiple;
};
struct amqp_basic_reject {
    uint64_t delivery_tag;
    bool requeue;
};
struct amqp_basic_nack {
    uint64_t delivery_tag;
    bool multiple, requeue;
};
struct amqp_basic_recover {
    bool requeue;
}; /* and recover-async */
struct amqp_confirm_select {
    bool no_wait;
};

struct amqp_method {
    uint16_t class_id;
    uint16_t method_id;
    union { /* by amqp_method_number(); methods without fields have no member */
        struct amqp_connection_start connection_start;
        struct amqp_connection_start_ok connection_start_ok;
        struct amqp_connection_secure connection_secure;
        struct amqp_connection_secure_ok connection_secure_ok;
        struct amqp_connection_tune connection_tune; /* and tune-ok */
        struct amqp_connection_open connection_open;
        struct amqp_connection_open_ok connection_open_ok;
        struct amqp_close close; /* connection.close and channel.close */
        struct amqp_connection_blocked connection_blocked;
        struct amqp_connection_update_secret connection_update_secret;
        struct amqp_channel_open channel_open;
        struct amqp_channel_open_ok channel_open_ok;
        struct amqp_channel_flow channel_flow; /* and flow-ok */
        struct amqp_access_request access_request;
        struct amqp_access_request_ok access_request_ok;
        struct amqp_exchange_declare exchange_declare;
        struct amqp_exchange_delete exchange_delete;
        struct amqp_exchange_bind exchange_bind; /* and unbind */
        struct amqp_queue_declare queue_declare;
        struct amqp_queue_declare_ok queue_declare_ok;
        struct amqp_queue_bind queue_bind;
        struct amqp_queue_unbind queue_unbind;
        struct amqp_queue_purge queue_purge;
        struct amqp_queue_purge_ok queue_purge_ok;
        struct amqp_queue_delete queue_delete;
        struct amqp_queue_delete_ok queue_delete_ok;
        struct amqp_basic_qos basic_qos;
        struct amqp_basic_consume basic_consume;
        struct amqp_basic_consume_ok basic_consume_ok;
        struct amqp_basic_cancel basic_cancel;
        struct amqp_basic_cancel_ok basic_cancel_ok;
        struct amqp_basic_publish basic_publish;
        struct amqp_basic_return basic_return;
        struct amqp_basic_deliver basic_deliver;
        struct amqp_basic_get basic_get;
        struct amqp_basic_get_ok basic_get_ok;
        struct amqp_basic_get_empty basic_get_empty;
        struct amqp_basic_ack basic_ack;
        struct amqp_basic_reject basic_reject;
        struct amqp_basic_nack basic_nack;
        struct amqp_basic_recover basic_recover; /* and recover-async */
        struct amqp_confirm_select confirm_select;
    };
};

static inline unsigned amqp_method_number(const struct amqp_method *m)
{
    return AMQP_METHOD(m->class_id, m->method_id);
}

/* A zeroed method of this number. */
static inline struct amqp_method amqp_method_of(unsigned number)
{
    return (struct amqp_method){.class_id = (uint16_t)(number >> 16), .method_id = (uint16_t)number};
}

/* Decodes a method frame's payload. Returns 0, or a reply code; class and method id are then set if they were readable:
 *   501 shorter or longer than its fields    502 a field table is damaged    503 no such method */
unsigned amqp_method_decode(struct slice payload, struct amqp_method *method);
/* Short strings are UTF-8, but for basic.publish's, where RabbitMQ does not look either. Not part of decoding: our own
 * client does not ask it of a server. */
bool amqp_method_texts_are_valid(const struct amqp_method *method);

/* Appends class, method and fields (a frame's payload). Strings longer than 255 bytes in a short string are CHECKed. */
void amqp_method_encode(struct buf *b, const struct amqp_method *method);

/* What the table knows of a method. */
enum { AMQP_FROM_CLIENT = 1, AMQP_FROM_SERVER = 2, AMQP_SYNCHRONOUS = 4 /* has an answer */, AMQP_CONTENT = 8 };
/* NULL: no such method. */
const char *amqp_method_name(uint16_t class_id, uint16_t method_id); /* "basic.publish" */
unsigned amqp_method_flags(uint16_t class_id, uint16_t method_id);   /* 0: no such method */

/* Walks all known numbers: 0 gives the first, the last gives 0. For tests, fuzzers and documentation. */
unsigned amqp_method_next(unsigned number);

/* One line for people, e.g. "basic.ack delivery_tag=3 multiple=true". Passwords (start-ok, secure-ok, update-secret)
 * are not printed. */
void amqp_method_print(struct buf *b, const struct amqp_method *method);

#endif
