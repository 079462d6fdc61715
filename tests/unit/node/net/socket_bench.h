/* A listener and one of its sockets in a loop, and a plain descriptor as the client. */
#ifndef WARREN_TESTS_UNIT_NODE_NET_SOCKET_BENCH_H
#define WARREN_TESTS_UNIT_NODE_NET_SOCKET_BENCH_H

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "base/mem.h"
#include "node/net/net.h"

enum { WAIT_MS = 20000 };

struct bench {
    uv_loop_t loop;
    struct net_listener *listener;
    struct net_socket *socket;
    struct buf in, out;
    size_t take_max; /* how much `data` uses per call */
    struct net_entrance entrance;
    unsigned data_calls, opened, drained, ended, closed, accepted, listener_closed;
    bool echo, close_in_data;
    char end_words[ERR_TEXT_SIZE];
    int fd; /* the plain client's */
};

static inline void on_opened(void *self)
{
    ((struct bench *)self)->opened++;
}

static inline size_t on_data(void *self, const uint8_t *data, size_t size)
{
    struct bench *b = self;
    size_t used = size < b->take_max ? size : b->take_max;
    b->data_calls++;
    if (b->echo) {
        buf_put(&b->out, data, used);
        net_socket_write(b->socket, &b->out);
    } else {
        buf_put(&b->in, data, used);
    }
    if (b->close_in_data) net_socket_close(b->socket);
    return used;
}

static inline void on_drained(void *self)
{
    ((struct bench *)self)->drained++;
}

static inline void on_ended(void *self, const struct err *err)
{
    struct bench *b = self;
    b->ended++;
    snprintf(b->end_words, sizeof b->end_words, "%s", err ? err->text : "");
}

static inline void on_closed(void *self)
{
    struct bench *b = self;
    b->closed++;
    b->socket = NULL;
}

static const struct net_socket_events events = {
    .opened = on_opened, .data = on_data, .drained = on_drained, .ended = on_ended, .closed = on_closed};

static inline void on_accepted(void *self, int fd)
{
    struct bench *b = self;
    b->accepted++;
    if (b->socket) {
        close(fd);
        return;
    }
    assert_int_equal(net_socket_open(&b->socket, &b->loop, fd, &b->entrance, &events, b, NULL), 0);
}

static inline void on_listener_closed(void *self)
{
    ((struct bench *)self)->listener_closed++;
}

static inline void on_alarm(uv_timer_t *timer)
{
    (void)timer;
}

/* Runs the loop until the fact holds; fails after WAIT_MS. */
#define WAIT_FOR(b, fact)                                           \
    do {                                                            \
        uint64_t until = uv_hrtime() + (uint64_t)WAIT_MS * 1000000; \
        while (!(fact)) {                                           \
            run_once(b);                                            \
            if (uv_hrtime() > until) fail_msg("waited for " #fact); \
        }                                                           \
    } while (0)

static inline void run_once(struct bench *b)
{
    uv_timer_t alarm; /* keeps the loop from waiting for ever */
    uv_update_time(&b->loop);
    uv_timer_init(&b->loop, &alarm);
    uv_timer_start(&alarm, on_alarm, 10, 10); /* if the first is due before the poll, there is another */
    uv_run(&b->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&alarm, NULL);
    uv_run(&b->loop, UV_RUN_NOWAIT);
}

static inline int dial(const char *host, const char *listener_address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *a;
    assert_int_equal(getaddrinfo(host, strrchr(listener_address, ':') + 1, &hints, &a), 0);
    int fd = socket(a->ai_family, SOCK_STREAM, 0);
    int failed = connect(fd, a->ai_addr, a->ai_addrlen);
    freeaddrinfo(a);
    if (failed) close(fd);
    return failed ? -1 : fd;
}

static inline struct bench *setup(const char *address)
{
    struct bench *b = mem_zalloc(sizeof *b);
    struct err err;
    b->take_max = SIZE_MAX;
    b->fd = -1;
    uv_loop_init(&b->loop);
    if (net_listen(&b->listener, &b->loop, address, 16, on_accepted, b, &err)) fail_msg("%s", err.text);
    return b;
}

static inline struct bench *setup_connected(void)
{
    struct bench *b = setup("127.0.0.1:0");
    b->fd = dial("127.0.0.1", net_listener_address(b->listener));
    assert_true(b->fd >= 0);
    WAIT_FOR(b, b->socket);
    return b;
}

static inline void teardown(struct bench *b)
{
    if (b->socket) net_socket_close(b->socket);
    net_listener_close(b->listener, on_listener_closed);
    WAIT_FOR(b, b->listener_closed);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_null(b->socket);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    if (b->fd >= 0) close(b->fd);
    buf_close(&b->in);
    buf_close(&b->out);
    mem_free(b);
}

#endif
