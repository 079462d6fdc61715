// room: node_session
/* The session machine: bytes of a client in pieces, with answers, deliveries, confirms, cancels and ticks in between.
 *
 * Byte 0 switches: 1 start before the handshake, 2 questions stay open, 4 the topology may be behind, 8 publishes are
 * confirmed from within, 16 a get finds a message. Byte 1 seeds the order of events. What the session says must always
 * be whole frames. */
#include <stdarg.h>

#include "base/random.h"
#include "tests/unit/node/session/harness.h"

enum { CHANNELS = 4, PIECE_MAX = 200 };

static void check_output(struct harness *h)
{
    struct buf *out = session_output(h->session);
    struct slice rest = buf_slice(out);
    struct amqp_frame f;
    while (rest.size) {
        if (slice_equal(rest, slice_of("AMQP\0\0\x09\1", 8))) break;
        CHECK(amqp_frame_parse(rest, 131072, &f) == AMQP_PARSE_DONE);
        struct amqp_method m;
        if (f.type == AMQP_FRAME_METHOD) CHECK(amqp_method_decode(f.payload, &m) == 0);
        size_t used = f.payload.size + AMQP_FRAME_OVERHEAD;
        rest = slice_of(rest.data + used, rest.size - used);
    }
    buf_clear(out);
    buf_clear(&h->log);
    session_written(h->session, h->now_ms);
}

static void event(struct harness *h, struct random *r)
{
    uint16_t channel = (uint16_t)(1 + random_below(r, CHANNELS));
    uint32_t consumer = (uint32_t)random_below(r, 4);
    struct backend_reply reply = {.code = random_percent(r, 30) ? (uint8_t)random_below(r, 6) : 0, .a = 3, .b = 1};
    switch (random_below(r, 7)) {
    case 0:
        session_reply(h->session, channel, &reply);
        break;
    case 1:
        harness_deliver(h, channel, 1 + consumer, consumer, "body");
        break;
    case 2:
        for (uint64_t tag = 1; tag < 20; tag++) session_confirm(h->session, channel, tag, !random_percent(r, 20));
        break;
    case 3:
        session_consumer_cancelled(h->session, channel, 1, consumer, consumer % 2 * 1000);
        break;
    case 4:
        h->now_ms += random_below(r, 3000);
        session_tick(h->session, h->now_ms);
        break;
    case 5:
        harness_queue(h, "late");
        break;
    default:
        if (random_percent(r, 2)) session_close(h->session, 320, "drill", h->now_ms);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    struct harness h;
    struct random r = {data[1]};
    if (data[0] & 1) harness_init(&h, true);
    else harness_open(&h);
    h.slow = data[0] & 2;
    h.stale = data[0] & 4;
    h.confirm_now = data[0] & 8;
    h.get_delivers = data[0] & 16;
    harness_queue(&h, "q");
    for (size_t at = 2; at < size && session_state(h.session) != SESSION_CLOSED;) {
        size_t piece = 1 + random_below(&r, PIECE_MAX);
        if (piece > size - at) piece = size - at;
        say_bytes(&h, data + at, piece);
        at += piece;
        event(&h, &r);
        session_turn_end(h.session, h.now_ms);
        check_output(&h);
        CHECK(session_deadline_ms(h.session) > 0);
    }
    harness_close(&h);
    return 0;
}
