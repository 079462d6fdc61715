/* The handshake: an answer to start with a mechanism and what we are able to do, an answer to tune with the lower
 * limits. */
#include "ha/client/client_internal.h"

static bool offers(struct slice mechanisms, const char *name)
{
    size_t length = strlen(name);
    for (size_t at = 0; at < mechanisms.size;) {
        const uint8_t *space = memchr(mechanisms.data + at, ' ', mechanisms.size - at);
        size_t end = space ? (size_t)(space - mechanisms.data) : mechanisms.size;
        if (end - at == length && !memcmp(mechanisms.data + at, name, length)) return true;
        at = end + 1;
    }
    return false;
}

static const char *choose_mechanism(struct client *c, struct slice offered)
{
    if ((c->mechanisms & CLIENT_EXTERNAL) && offers(offered, "EXTERNAL")) return "EXTERNAL";
    if ((c->mechanisms & CLIENT_PLAIN) && offers(offered, "PLAIN")) return "PLAIN";
    if ((c->mechanisms & CLIENT_AMQPLAIN) && offers(offered, "AMQPLAIN")) return "AMQPLAIN";
    return NULL;
}

static void put_response(struct buf *b, const struct client *c, const char *mechanism)
{
    if (!strcmp(mechanism, "PLAIN")) {
        buf_put_u8(b, 0);
        buf_put_slice(b, slice_str(c->user));
        buf_put_u8(b, 0);
        buf_put_slice(b, slice_str(c->password));
    } else if (!strcmp(mechanism, "AMQPLAIN")) {
        amqp_table_put_string(b, "LOGIN", slice_str(c->user));
        amqp_table_put_string(b, "PASSWORD", slice_str(c->password));
    }
}

static void put_properties(struct buf *b, const struct client *c)
{
    static const char *const capabilities[] = {
        "publisher_confirms",     "exchange_exchange_bindings", "basic.nack",
        "consumer_cancel_notify", "connection.blocked",         "authentication_failure_close",
    };
    amqp_table_put_string(b, "product", slice_str("Warren"));
    amqp_table_put_string(b, "platform", slice_str("C"));
    amqp_table_put_string(b, "information", slice_str("Warren's links between clusters"));
    amqp_table_put_string(b, "connection_name", slice_str(c->name));
    size_t at = amqp_table_open_table(b, "capabilities");
    for (size_t i = 0; i < sizeof capabilities / sizeof capabilities[0]; i++)
        amqp_table_put_bool(b, capabilities[i], true);
    amqp_nested_close(b, at);
}

void client_on_start(struct client *c, const struct amqp_connection_start *start)
{
    struct buf properties = {0}, response = {0};
    const char *mechanism = choose_mechanism(c, start->mechanisms);
    if (start->version_major != 0 || start->version_minor != 9) {
        client_fail(c, 0, "the server speaks AMQP %u-%u", start->version_major, start->version_minor);
        return;
    }
    if (!mechanism) {
        client_fail(c, 0, "the server offers none of our mechanisms, only: %.*s",
                    start->mechanisms.size > 128 ? 128 : (int)start->mechanisms.size,
                    (const char *)start->mechanisms.data);
        return;
    }
    buf_put_slice(&c->server_properties, start->server_properties);
    put_properties(&properties, c);
    put_response(&response, c, mechanism);
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_START_OK);
    m.connection_start_ok = (struct amqp_connection_start_ok){buf_slice(&properties), slice_str(mechanism),
                                                              buf_slice(&response), slice_str("en_US")};
    client_put(c, 0, &m);
    buf_close(&properties);
    buf_close(&response);
    c->phase = CLIENT_PHASE_TUNE;
}

/* The lower of both; 0 is no limit. */
static uint32_t lower(uint32_t a, uint32_t b)
{
    if (!a || !b) return a | b;
    return a < b ? a : b;
}

void client_on_tune(struct client *c, const struct amqp_connection_tune *tune)
{
    if (tune->frame_max && tune->frame_max < AMQP_FRAME_MIN) {
        client_fail(c, AMQP_NOT_ALLOWED, "frame_max %u is below %d", tune->frame_max, AMQP_FRAME_MIN);
        return;
    }
    uint32_t wanted = c->heartbeat_wanted_s < 0 ? CLIENT_HEARTBEAT_S : (uint32_t)c->heartbeat_wanted_s;
    c->heartbeat_s = (uint16_t)(c->heartbeat_wanted_s ? lower(wanted, tune->heartbeat) : 0);
    c->frame_max = lower(CLIENT_FRAME_MAX, tune->frame_max);
    c->channel_max = (uint16_t)lower(c->channel_max, tune->channel_max);
    if (!c->channel_max) c->channel_max = UINT16_MAX;
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_TUNE_OK);
    m.connection_tune = (struct amqp_connection_tune){c->channel_max, c->frame_max, c->heartbeat_s};
    client_put(c, 0, &m);
    m = amqp_method_of(AMQP_CONNECTION_OPEN);
    m.connection_open.virtual_host = slice_str(c->vhost);
    client_put(c, 0, &m);
    c->phase = CLIENT_PHASE_OPEN_OK;
}
