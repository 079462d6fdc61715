// room: ha_client
/* The client, fed with a server's bytes in pieces, while it asks, publishes, pauses and grows older.
 *
 * Byte 0 seeds the order of what the client does. Byte 1: bit 0 begins behind the handshake, bit 1 with confirms. What
 * the client says must always be whole frames that a server can read. */
#include "base/random.h"
#include "ha/client/client.h"
#include "node/amqp/frame.h"

enum { PIECE_MAX = 100, CHANNELS = 3 };

struct fuzz {
    struct client *client;
    uint64_t now_ms;
    bool ended;
    bool greeted;
};

static void on_event(void *self, const struct client_event *e)
{
    struct fuzz *f = self;
    CHECK(!f->ended || e->kind == CLIENT_EVENT_WRITABLE);
    if (e->kind == CLIENT_EVENT_CLOSED) f->ended = true;
    if (e->kind == CLIENT_EVENT_DELIVERED)
        client_ack(f->client, e->channel, e->method->basic_deliver.delivery_tag, false);
    if (e->kind == CLIENT_EVENT_RETURNED) CHECK(e->method->basic_return.exchange.size <= AMQP_SHORTSTR_MAX);
    if (e->kind == CLIENT_EVENT_CONFIRMED) CHECK(e->number > 0);
}

static void check_output(struct fuzz *f)
{
    struct buf *out = client_output(f->client);
    struct slice rest = buf_slice(out);
    if (!f->greeted) {
        CHECK(amqp_protocol_header_parse(rest) == AMQP_PARSE_DONE);
        rest = slice_of(rest.data + 8, rest.size - 8);
        f->greeted = true;
    }
    while (rest.size) {
        struct amqp_frame frame;
        struct amqp_method m;
        CHECK(amqp_frame_parse(rest, 0, &frame) == AMQP_PARSE_DONE);
        if (frame.type == AMQP_FRAME_METHOD) CHECK(amqp_method_decode(frame.payload, &m) == 0);
        size_t used = frame.payload.size + AMQP_FRAME_OVERHEAD;
        rest = slice_of(rest.data + used, rest.size - used);
    }
    buf_clear(out);
    client_written(f->client, f->now_ms);
}

static void act(struct fuzz *f, struct random *r)
{
    uint16_t channel = (uint16_t)(1 + random_below(r, CHANNELS));
    struct amqp_method m;
    switch (random_below(r, 8)) {
    case 0:
        m = amqp_method_of(AMQP_QUEUE_DECLARE);
        client_send(f->client, channel, &m, 1);
        break;
    case 1:
        m = amqp_method_of(AMQP_BASIC_GET);
        client_send(f->client, channel, &m, 2);
        break;
    case 2:
        m = amqp_method_of(AMQP_BASIC_PUBLISH);
        client_publish(f->client, channel, &m, slice_of("\0\0", 2), slice_str("body"));
        break;
    case 3:
        m = amqp_method_of(AMQP_EXCHANGE_UNBIND);
        client_send(f->client, channel, &m, 3);
        break;
    case 4:
        client_pause(f->client, random_percent(r, 20));
        break;
    case 5:
        f->now_ms += random_below(r, 4000);
        client_tick(f->client, f->now_ms);
        break;
    case 6:
        if (random_percent(r, 3)) client_channel_close(f->client, channel);
        break;
    default:
        if (random_percent(r, 1)) client_close(f->client, 200, "done");
        break;
    }
}

static void feed(struct fuzz *f, struct buf *input)
{
    size_t used = client_input(f->client, input->data, input->size, f->now_ms);
    CHECK(used <= input->size);
    buf_consume(input, used);
}

static void shake_hands(struct fuzz *f, bool confirms)
{
    struct buf b = {0};
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_START);
    m.connection_start.version_minor = 9;
    m.connection_start.mechanisms = slice_str("PLAIN");
    m.connection_start.locales = slice_str("en_US");
    amqp_method_put(&b, 0, &m);
    m = amqp_method_of(AMQP_CONNECTION_TUNE);
    m.connection_tune = (struct amqp_connection_tune){CHANNELS, 8192, 5};
    amqp_method_put(&b, 0, &m);
    m = amqp_method_of(AMQP_CONNECTION_OPEN_OK);
    amqp_method_put(&b, 0, &m);
    feed(f, &b);
    CHECK(client_state(f->client) == CLIENT_OPEN);
    for (uint16_t i = 1; i <= CHANNELS; i++) {
        client_channel_open(f->client, i, i);
        m = amqp_method_of(AMQP_CHANNEL_OPEN_OK);
        amqp_method_put(&b, i, &m);
        if (!confirms) continue;
        m = amqp_method_of(AMQP_CONFIRM_SELECT);
        client_send(f->client, i, &m, 0);
        m = amqp_method_of(AMQP_CONFIRM_SELECT_OK);
        amqp_method_put(&b, i, &m);
    }
    feed(f, &b);
    buf_close(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    struct random r = {data[0]};
    struct fuzz f = {.now_ms = 1000};
    struct buf input = {0};
    struct client_settings settings = {.user = "u",
                                       .password = "p",
                                       .vhost = "/",
                                       .mechanisms = CLIENT_PLAIN | CLIENT_AMQPLAIN,
                                       .heartbeat_s = CLIENT_URI_UNSET,
                                       .timeout_ms = 60000};
    f.client = client_create(&settings, on_event, &f, f.now_ms);
    if (data[1] & 1) shake_hands(&f, data[1] & 2);
    for (size_t at = 2; at < size && client_state(f.client) != CLIENT_CLOSED;) {
        size_t piece = 1 + random_below(&r, PIECE_MAX);
        if (piece > size - at) piece = size - at;
        buf_put(&input, data + at, piece);
        at += piece;
        feed(&f, &input);
        act(&f, &r);
        check_output(&f);
        CHECK(client_deadline_ms(f.client) > 0);
    }
    client_lost(f.client, "over");
    CHECK(f.ended);
    client_destroy(f.client);
    buf_close(&input);
    return 0;
}
