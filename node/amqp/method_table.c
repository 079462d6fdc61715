#include <stddef.h>

#include "node/amqp/method_internal.h"

#define FIELD(kind, member, field)                                            \
    {                                                                         \
#field, AMQP_FIELD_##kind, offsetof(struct amqp_method, member.field) \
    }
#define FIELDS(...)             \
    (const struct amqp_field[]) \
    {                           \
        __VA_ARGS__,            \
        {                       \
            NULL, 0, 0          \
        }                       \
    }

enum {
    CLIENT = AMQP_FROM_CLIENT,
    SERVER = AMQP_FROM_SERVER,
    BOTH = AMQP_FROM_CLIENT | AMQP_FROM_SERVER,
    SYNC = AMQP_SYNCHRONOUS,
    CONTENT = AMQP_CONTENT,
};

/* clang-format off */
static const struct amqp_method_description methods[] = {
    {AMQP_CONNECTION_START, "connection.start", SERVER | SYNC,
     FIELDS(FIELD(OCTET, connection_start, version_major), FIELD(OCTET, connection_start, version_minor),
            FIELD(TABLE, connection_start, server_properties), FIELD(LONGSTR, connection_start, mechanisms),
            FIELD(LONGSTR, connection_start, locales))},
    {AMQP_CONNECTION_START_OK, "connection.start-ok", CLIENT,
     FIELDS(FIELD(TABLE, connection_start_ok, client_properties), FIELD(SHORTSTR, connection_start_ok, mechanism),
            FIELD(SECRET, connection_start_ok, response), FIELD(SHORTSTR, connection_start_ok, locale))},
    {AMQP_CONNECTION_SECURE, "connection.secure", SERVER | SYNC, FIELDS(FIELD(SECRET, connection_secure, challenge))},
    {AMQP_CONNECTION_SECURE_OK, "connection.secure-ok", CLIENT, FIELDS(FIELD(SECRET, connection_secure_ok, response))},
    {AMQP_CONNECTION_TUNE, "connection.tune", SERVER | SYNC,
     FIELDS(FIELD(SHORT, connection_tune, channel_max), FIELD(LONG, connection_tune, frame_max),
            FIELD(SHORT, connection_tune, heartbeat))},
    {AMQP_CONNECTION_TUNE_OK, "connection.tune-ok", CLIENT,
     FIELDS(FIELD(SHORT, connection_tune, channel_max), FIELD(LONG, connection_tune, frame_max),
            FIELD(SHORT, connection_tune, heartbeat))},
    {AMQP_CONNECTION_OPEN, "connection.open", CLIENT | SYNC,
     FIELDS(FIELD(SHORTSTR, connection_open, virtual_host), FIELD(SHORTSTR, connection_open, capabilities),
            FIELD(BIT, connection_open, insist))},
    {AMQP_CONNECTION_OPEN_OK, "connection.open-ok", SERVER, FIELDS(FIELD(SHORTSTR, connection_open_ok, known_hosts))},
    {AMQP_CONNECTION_CLOSE, "connection.close", BOTH | SYNC,
     FIELDS(FIELD(SHORT, close, reply_code), FIELD(SHORTSTR, close, reply_text), FIELD(SHORT, close, class_id),
            FIELD(SHORT, close, method_id))},
    {AMQP_CONNECTION_CLOSE_OK, "connection.close-ok", BOTH, NULL},
    {AMQP_CONNECTION_BLOCKED, "connection.blocked", SERVER, FIELDS(FIELD(SHORTSTR, connection_blocked, reason))},
    {AMQP_CONNECTION_UNBLOCKED, "connection.unblocked", SERVER, NULL},
    {AMQP_CONNECTION_UPDATE_SECRET, "connection.update-secret", CLIENT | SYNC,
     FIELDS(FIELD(SECRET, connection_update_secret, new_secret), FIELD(SHORTSTR, connection_update_secret, reason))},
    {AMQP_CONNECTION_UPDATE_SECRET_OK, "connection.update-secret-ok", SERVER, NULL},

    {AMQP_CHANNEL_OPEN, "channel.open", CLIENT | SYNC, FIELDS(FIELD(SHORTSTR, channel_open, out_of_band))},
    {AMQP_CHANNEL_OPEN_OK, "channel.open-ok", SERVER, FIELDS(FIELD(LONGSTR, channel_open_ok, channel_id))},
    {AMQP_CHANNEL_FLOW, "channel.flow", BOTH | SYNC, FIELDS(FIELD(BIT, channel_flow, active))},
    {AMQP_CHANNEL_FLOW_OK, "channel.flow-ok", BOTH, FIELDS(FIELD(BIT, channel_flow, active))},
    {AMQP_CHANNEL_CLOSE, "channel.close", BOTH | SYNC,
     FIELDS(FIELD(SHORT, close, reply_code), FIELD(SHORTSTR, close, reply_text), FIELD(SHORT, close, class_id),
            FIELD(SHORT, close, method_id))},
    {AMQP_CHANNEL_CLOSE_OK, "channel.close-ok", BOTH, NULL},

    {AMQP_ACCESS_REQUEST, "access.request", CLIENT | SYNC,
     FIELDS(FIELD(SHORTSTR, access_request, realm), FIELD(BIT, access_request, exclusive),
            FIELD(BIT, access_request, passive), FIELD(BIT, access_request, active), FIELD(BIT, access_request, write),
            FIELD(BIT, access_request, read))},
    {AMQP_ACCESS_REQUEST_OK, "access.request-ok", SERVER, FIELDS(FIELD(SHORT, access_request_ok, ticket))},

    {AMQP_EXCHANGE_DECLARE, "exchange.declare", CLIENT | SYNC,
     FIELDS(FIELD(SHORT, exchange_declare, ticket), FIELD(SHORTSTR, exchange_declare, exchange),
            FIELD(SHORTSTR, exchange_declare, type), FIELD(BIT, exchange_declare, passive),
            FIELD(BIT, exchange_declare, durable), FIELD(BIT, exchange_declare, auto_delete),
            FIELD(BIT, exchange_declare, internal), FIELD(BIT, exchange_declare, no_wait),
            FIELD(TABLE, exchange_declare, arguments))},
    {AMQP_EXCHANGE_DECLARE_OK, "exchange.declare-ok", SERVER, NULL},
    {AMQP_EXCHANGE_DELETE, "exchange.delete", CLIENT | SYNC,
     FIELDS(FIELD(SHORT, exchange_delete, ticket), FIELD(SHORTSTR, exchange_delete, exchange),
            FIELD(BIT, exchange_delete, if_unused), FIELD(BIT, exchange_delete, no_wait))},
    {AMQP_EXCHANGE_DELETE_OK, "exchange.delete-ok", SERVER, NULL},
    {AMQP_EXCHANGE_BIND, "exchange.bind", CLIENT | SYNC,
     FIELDS(FIELD(SHORT, exchange_bind, ticket), FIELD(SHORTSTR, exchange_bind, destination),
            FIELD(SHORTSTR, exchange_bind, source), FIELD(SHORTSTR, exchange_bind, routing_key),
            FIELD(BIT, exchange_bind, no_wait), FIELD(TABLE, exchange_bind, arguments))},
    {AMQP_EXCHANGE_BIND_OK, "exchange.bind-ok", SERVER, NULL},
    {AMQP_EXCHANGE_UNBIND, "exchange.unbind", CLIENT | SYNC,
     FIELDS(FIELD(SHORT, exchange_bind, ticket), FIELD(SHORTSTR, exchange_bind, destination),
            FIELD(SHORTSTR, exchange_bind, source), FIELD(SHORTSTR, exchange_bind, routing_key),
            FIELD(BIT, exchange_bind, no_wait), FIELD(TABLE, exchange_bind, arguments))},
    {AMQP_EXCHANGE_UNBIND_OK, "exchange.unbind-ok", SERVER, NULL},

    {AMQP_QUEUE_DECLARE, "queue.declare", CLIENT | SYNC,
     FIELDS(FIELD(SHORT, queue_declare, ticket), FIELD(SHORTSTR, queue_declare, queue),
            FIELD(BIT, queue_declare, passive), FIELD(BIT, queue_declare, durable),
            FIELD(BIT, queue_declare, exclusive), FIELD(BIT, queue_declare, auto_delete),
            FIELD(BIT, queue_declare, no_wait), FIELD(TABLE, queue_declare, arguments))},
    {AMQP_QUEUE_DECLARE_OK, "queue.declare-ok", SERVER,
     FIELDS(FIELD(SHORTSTR, queue_declare_ok, queue), FIELD(LONG, queue_declare_ok, message_count),
            FIELD(LONG, queue_declare_ok, consumer_count))},
    {AMQP_QUEUE_BIND, "queue.bind", CLIENT | SYNC,
     FIELDS(FIELD(SHORT, queue_bind, ticket), FIELD(SHORTSTR, queue_bind, queue), FIELD(SHORTSTR, queue_bind, exchange),
            FIELD(SHORTSTR, queue_bind, routing_key), FIELD(BIT, queue_bind, no_wait),
            FIELD(TABLE, queue_bind, arguments))},
    {AMQP_QUEUE_BIND_OK, "queue.bind-ok", SERVER, NULL},
    {AMQP_QUEUE_PURGE, "queue.purge", CLIENT | SYNC,
     FIELDS(FIELD(SHORT, queue_purge, ticket), FIELD(SHORTSTR, queue_purge, queue), FIELD(BIT, queue_purge, no_wait))},
    {AMQP_QUEUE_PURGE_OK, "queue.purge-ok", SERVER, FIELDS(FIELD(LONG, queue_purge_ok, message_count))},
    {AMQP_QUEUE_DELETE, "queue.delete", CLIENT | SYNC,
     FIELDS(FIELD(SHORT, queue_delete, ticket), FIELD(SHORTSTR, queue_delete, queue),
            FIELD(BIT, queue_delete, if_unused), FIELD(BIT, queue_delete, if_empty),
            FIELD(BIT, queue_delete, no_wait))},
    {AMQP_QUEUE_DELETE_OK, "queue.delete-ok", SERVER, FIELDS(FIELD(LONG, queue_delete_ok, message_count))},
    {AMQP_QUEUE_UNBIND, "queue.unbind", CLIENT | SYNC,
     FIELDS(FIELD(SHORT, queue_unbind, ticket), FIELD(SHORTSTR, queue_unbind, queue),
            FIELD(SHORTSTR, queue_unbind, exchange), FIELD(SHORTSTR, queue_unbind, routing_key),
            FIELD(TABLE, queue_unbind, arguments))},
    {AMQP_QUEUE_UNBIND_OK, "queue.unbind-ok", SERVER, NULL},

    {AMQP_BASIC_QOS, "basic.qos", CLIENT | SYNC,
     FIELDS(FIELD(LONG, basic_qos, prefetch_size), FIELD(SHORT, basic_qos, prefetch_count),
            FIELD(BIT, basic_qos, global))},
    {AMQP_BASIC_QOS_OK, "basic.qos-ok", SERVER, NULL},
    {AMQP_BASIC_CONSUME, "basic.consume", CLIENT | SYNC,
     FIELDS(FIELD(SHORT, basic_consume, ticket), FIELD(SHORTSTR, basic_consume, queue),
            FIELD(SHORTSTR, basic_consume, consumer_tag), FIELD(BIT, basic_consume, no_local),
            FIELD(BIT, basic_consume, no_ack), FIELD(BIT, basic_consume, exclusive), FIELD(BIT, basic_consume, no_wait),
            FIELD(TABLE, basic_consume, arguments))},
    {AMQP_BASIC_CONSUME_OK, "basic.consume-ok", SERVER, FIELDS(FIELD(SHORTSTR, basic_consume_ok, consumer_tag))},
    {AMQP_BASIC_CANCEL, "basic.cancel", BOTH | SYNC,
     FIELDS(FIELD(SHORTSTR, basic_cancel, consumer_tag), FIELD(BIT, basic_cancel, no_wait))},
    {AMQP_BASIC_CANCEL_OK, "basic.cancel-ok", BOTH, FIELDS(FIELD(SHORTSTR, basic_cancel_ok, consumer_tag))},
    {AMQP_BASIC_PUBLISH, "basic.publish", CLIENT | CONTENT,
     FIELDS(FIELD(SHORT, basic_publish, ticket), FIELD(SHORTSTR, basic_publish, exchange),
            FIELD(SHORTSTR, basic_publish, routing_key), FIELD(BIT, basic_publish, mandatory),
            FIELD(BIT, basic_publish, immediate))},
    {AMQP_BASIC_RETURN, "basic.return", SERVER | CONTENT,
     FIELDS(FIELD(SHORT, basic_return, reply_code), FIELD(SHORTSTR, basic_return, reply_text),
            FIELD(SHORTSTR, basic_return, exchange), FIELD(SHORTSTR, basic_return, routing_key))},
    {AMQP_BASIC_DELIVER, "basic.deliver", SERVER | CONTENT,
     FIELDS(FIELD(SHORTSTR, basic_deliver, consumer_tag), FIELD(LONGLONG, basic_deliver, delivery_tag),
            FIELD(BIT, basic_deliver, redelivered), FIELD(SHORTSTR, basic_deliver, exchange),
            FIELD(SHORTSTR, basic_deliver, routing_key))},
    {AMQP_BASIC_GET, "basic.get", CLIENT | SYNC,
     FIELDS(FIELD(SHORT, basic_get, ticket), FIELD(SHORTSTR, basic_get, queue), FIELD(BIT, basic_get, no_ack))},
    {AMQP_BASIC_GET_OK, "basic.get-ok", SERVER | CONTENT,
     FIELDS(FIELD(LONGLONG, basic_get_ok, delivery_tag), FIELD(BIT, basic_get_ok, redelivered),
            FIELD(SHORTSTR, basic_get_ok, exchange), FIELD(SHORTSTR, basic_get_ok, routing_key),
            FIELD(LONG, basic_get_ok, message_count))},
    {AMQP_BASIC_GET_EMPTY, "basic.get-empty", SERVER, FIELDS(FIELD(SHORTSTR, basic_get_empty, cluster_id))},
    {AMQP_BASIC_ACK, "basic.ack", BOTH, FIELDS(FIELD(LONGLONG, basic_ack, delivery_tag), FIELD(BIT, basic_ack, multiple))},
    {AMQP_BASIC_REJECT, "basic.reject", CLIENT,
     FIELDS(FIELD(LONGLONG, basic_reject, delivery_tag), FIELD(BIT, basic_reject, requeue))},
    {AMQP_BASIC_RECOVER_ASYNC, "basic.recover-async", CLIENT, FIELDS(FIELD(BIT, basic_recover, requeue))},
    {AMQP_BASIC_RECOVER, "basic.recover", CLIENT | SYNC, FIELDS(FIELD(BIT, basic_recover, requeue))},
    {AMQP_BASIC_RECOVER_OK, "basic.recover-ok", SERVER, NULL},
    {AMQP_BASIC_NACK, "basic.nack", BOTH,
     FIELDS(FIELD(LONGLONG, basic_nack, delivery_tag), FIELD(BIT, basic_nack, multiple),
            FIELD(BIT, basic_nack, requeue))},

    {AMQP_CONFIRM_SELECT, "confirm.select", CLIENT | SYNC, FIELDS(FIELD(BIT, confirm_select, no_wait))},
    {AMQP_CONFIRM_SELECT_OK, "confirm.select-ok", SERVER, NULL},
    {AMQP_TX_SELECT, "tx.select", CLIENT | SYNC, NULL},
    {AMQP_TX_SELECT_OK, "tx.select-ok", SERVER, NULL},
    {AMQP_TX_COMMIT, "tx.commit", CLIENT | SYNC, NULL},
    {AMQP_TX_COMMIT_OK, "tx.commit-ok", SERVER, NULL},
    {AMQP_TX_ROLLBACK, "tx.rollback", CLIENT | SYNC, NULL},
    {AMQP_TX_ROLLBACK_OK, "tx.rollback-ok", SERVER, NULL},
};
/* clang-format on */

enum { METHOD_COUNT = sizeof methods / sizeof methods[0] };

const struct amqp_method_description *amqp_method_describe(unsigned number)
{
    size_t low = 0, high = METHOD_COUNT;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (methods[middle].number == number) return &methods[middle];
        if (methods[middle].number < number) low = middle + 1;
        else high = middle;
    }
    return NULL;
}

const char *amqp_method_name(uint16_t class_id, uint16_t method_id)
{
    const struct amqp_method_description *d = amqp_method_describe(AMQP_METHOD(class_id, method_id));
    return d ? d->name : NULL;
}

unsigned amqp_method_flags(uint16_t class_id, uint16_t method_id)
{
    const struct amqp_method_description *d = amqp_method_describe(AMQP_METHOD(class_id, method_id));
    return d ? d->flags : 0;
}

unsigned amqp_method_next(unsigned number)
{
    if (!number) return methods[0].number;
    const struct amqp_method_description *d = amqp_method_describe(number);
    return d && d + 1 < methods + METHOD_COUNT ? d[1].number : 0;
}
