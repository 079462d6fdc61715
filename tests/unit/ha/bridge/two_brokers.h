/* A link between two brokers without a socket: two session harnesses, and a bridge_host that moves bytes when
 * two_pump() is called. A broker that is `down` refuses connections; two_cut() breaks one that is there. */
#ifndef WARREN_TESTS_UNIT_HA_BRIDGE_TWO_BROKERS_H
#define WARREN_TESTS_UNIT_HA_BRIDGE_TWO_BROKERS_H

#include "ha/bridge/bridge.h"
#include "tests/unit/node/session/harness.h"

struct two_brokers {
    struct harness brokers[BRIDGE_SIDES];
    struct client *clients[BRIDGE_SIDES];
    struct buf to_client[BRIDGE_SIDES];
    bool down[BRIDGE_SIDES];
    unsigned connects[BRIDGE_SIDES];
    char last_host[BRIDGE_SIDES][64];
    struct bridge *bridge;
    void (*turn)(void *self, uint64_t now_ms); /* the type's; NULL: bridge_turn() */
    void *turn_self;
    uint64_t now_ms;
};

static inline void two_connect(void *self, enum bridge_side side, struct client *client, const struct client_uri *uri)
{
    struct two_brokers *t = self;
    struct harness *h = &t->brokers[side];
    t->connects[side]++;
    snprintf(t->last_host[side], sizeof t->last_host[side], "%s", uri->host);
    t->clients[side] = client;
    session_destroy(h->session);
    h->session = session_create(&h->settings, &h->backend, "test", true, t->now_ms);
    if (uri->local) session_trust(h->session);
    buf_clear(&h->input);
    buf_clear(&t->to_client[side]);
}

static inline void two_disconnect(void *self, enum bridge_side side)
{
    struct two_brokers *t = self;
    if (!t->down[side]) {
        buf_put_slice(&t->brokers[side].input, buf_slice(client_output(t->clients[side])));
        harness_flush(&t->brokers[side]);
    }
    client_destroy(t->clients[side]);
    t->clients[side] = NULL;
}

static const struct bridge_host two_host = {.connect = two_connect, .disconnect = two_disconnect};

static inline void two_init(struct two_brokers *t)
{
    *t = (struct two_brokers){.now_ms = 1000};
    for (int i = 0; i < BRIDGE_SIDES; i++) harness_init(&t->brokers[i], true);
    t->brokers[BRIDGE_DEST].confirm_now = true;
}

static inline bool two_move(struct two_brokers *t, int side)
{
    struct harness *h = &t->brokers[side];
    struct client *c = t->clients[side];
    if (!c) return false;
    if (t->down[side]) {
        if (client_state(c) == CLIENT_CLOSED) return false;
        client_lost(c, "connection refused");
        return true;
    }
    struct buf *out = client_output(c), *back = session_output(h->session);
    bool moved = out->size || back->size;
    buf_put_slice(&h->input, buf_slice(out));
    buf_clear(out);
    client_written(c, t->now_ms);
    h->now_ms = t->now_ms;
    harness_flush(h);
    buf_put_slice(&t->to_client[side], buf_slice(back));
    buf_clear(back);
    session_written(h->session, t->now_ms);
    size_t used = client_input(c, t->to_client[side].data, t->to_client[side].size, t->now_ms);
    buf_consume(&t->to_client[side], used);
    return moved || used;
}

static inline void two_pump(struct two_brokers *t)
{
    for (bool moved = true; moved;) {
        if (t->turn) t->turn(t->turn_self, t->now_ms);
        else bridge_turn(t->bridge, t->now_ms);
        moved = two_move(t, BRIDGE_SOURCE);
        moved = two_move(t, BRIDGE_DEST) || moved;
    }
}

static inline void two_wait(struct two_brokers *t, uint64_t ms)
{
    t->now_ms += ms;
    two_pump(t);
}

static inline void two_cut(struct two_brokers *t, enum bridge_side side)
{
    client_lost(t->clients[side], "connection reset by peer");
    two_pump(t);
}

/* The source's queue has a message for channel 1's consumer 1. */
static inline void two_deliver(struct two_brokers *t, const char *body)
{
    harness_deliver(&t->brokers[BRIDGE_SOURCE], 1, 1, 1, body);
    two_pump(t);
}

static inline void two_close(struct two_brokers *t)
{
    for (int i = 0; i < BRIDGE_SIDES; i++) {
        harness_close(&t->brokers[i]);
        buf_close(&t->to_client[i]);
    }
}

/* The backend of a side was asked for this; lines before it are passed over. */
static inline bool two_asked(struct two_brokers *t, enum bridge_side side, const char *text)
{
    for (const char *line; *(line = harness_asked(&t->brokers[side]));)
        if (!strcmp(line, text)) return true;
    return false;
}
static inline void two_forget(struct two_brokers *t)
{
    for (int i = 0; i < BRIDGE_SIDES; i++) t->brokers[i].log_read = t->brokers[i].log.size;
}

#endif
