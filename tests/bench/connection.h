/* One AMQP connection with one channel, as little of it as a load tool needs: non-blocking, no heartbeats, one read and
 * one write per turn, the hot frames decoded by hand and everything else with node/amqp.
 *
 *     CONNECTING -> HANDSHAKE (start, tune, open, channel.open) -> SETUP (the owner's methods, one answer each) ->
 * READY any -> CLOSED (the owner decides what then)
 *
 * Thread: its worker's. */
#ifndef WARREN_TESTS_BENCH_CONNECTION_H
#define WARREN_TESTS_BENCH_CONNECTION_H

#include "base/buf.h"
#include "node/amqp/frame.h"
#include "tests/bench/ledger.h"
#include "tests/bench/options.h"

enum {
    CONNECTION_CHANNEL = 1,
    CONNECTION_READ_SIZE = 256 << 10,
    CONNECTION_FRAME_MAX = 131072,
    CONNECTION_WORDS_MAX = 256
};

enum connection_state {
    CONNECTION_CLOSED,
    CONNECTION_CONNECTING,
    CONNECTION_HANDSHAKE,
    CONNECTION_SETUP,
    CONNECTION_READY
};

struct connection_delivery {
    uint64_t tag;
    bool redelivered;
    bool returned; /* basic.return: came back to its publisher */
    uint64_t body_size;
    struct bench_stamp stamp; /* zeroes when the body is shorter */
};

struct connection_events {
    /* Puts the next method of the set-up into connection.out; false: there is none, the connection is ready. */
    bool (*setup)(void *owner, unsigned step);
    void (*ready)(void *owner);
    void (*confirm)(void *owner, uint64_t tag, bool multiple, bool ack);
    void (*delivery)(void *owner, const struct connection_delivery *d);
    void (*closed)(void *owner, const char *why);
};

struct connection {
    const struct connection_events *events;
    void *owner;
    const struct bench_uri *uri;
    int fd;
    enum connection_state state;
    unsigned step;
    uint32_t frame_max;
    bool writable_wanted; /* the kernel took less than there was */
    bool blocked;         /* connection.blocked */
    uint64_t now_ns;      /* of the read that is being looked at */
    struct buf in, out;
    size_t out_at;
    struct connection_delivery delivery; /* content that is coming in */
    uint64_t body_left;
    uint32_t stamp_filled;
    bool wants_header;
};

void connection_open(struct connection *c, const struct bench_uri *uri); /* may end in `closed` at once */
void connection_close(struct connection *c);                             /* abruptly, without an event */
/* The descriptor is readable or writable. `buffer` is the worker's, of CONNECTION_READ_SIZE. */
void connection_event(struct connection *c, bool readable, bool writable, uint8_t *buffer, uint64_t now_ns);
void connection_flush(struct connection *c);
static inline size_t connection_waiting(const struct connection *c)
{
    return c->out.size - c->out_at;
}

#endif
