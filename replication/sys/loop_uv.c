#include <uv.h>

#include "base/check.h"
#include "base/mem.h"
#include "replication/sys/loop.h"

uint64_t loop_now_ms(struct uv_loop_s *loop)
{
    return uv_now(loop);
}

/* --- descriptors --- */

struct loop_watch {
    uv_poll_t poll;
    void (*ready)(void *self, unsigned events);
    void *self;
    unsigned wanted;
    unsigned active; /* what the kernel was asked for: a superset of `wanted` */
};

static void on_poll(uv_poll_t *poll, int status, int events);

/* Changing what epoll watches costs libuv two or three system calls, so it is done only when it must be. */
static void apply(struct loop_watch *w)
{
    w->active = w->wanted;
    int events = (w->wanted & LOOP_READ ? UV_READABLE : 0) | (w->wanted & LOOP_WRITE ? UV_WRITABLE : 0) |
                 (w->wanted & LOOP_HANGUP ? UV_DISCONNECT : 0);
    int code = events ? uv_poll_start(&w->poll, events, on_poll) : uv_poll_stop(&w->poll);
    CHECK(code == 0);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct loop_watch *w = poll->data;
    if (status < 0) { /* libuv has stopped watching */
        w->active = 0;
        w->ready(w->self, LOOP_ERROR);
        return;
    }
    unsigned got = (events & UV_READABLE ? LOOP_READ : 0u) | (events & UV_WRITABLE ? LOOP_WRITE : 0u) |
                   (events & UV_DISCONNECT ? LOOP_HANGUP : 0u);
    if (got & ~w->wanted) apply(w);
    got &= w->wanted;
    if (got) w->ready(w->self, got);
}

int loop_watch_open(struct loop_watch **out, struct uv_loop_s *loop, int fd, void (*ready)(void *self, unsigned events),
                    void *self)
{
    struct loop_watch *w = mem_zalloc(sizeof *w);
    w->poll.data = w;
    w->ready = ready;
    w->self = self;
    int code = uv_poll_init(loop, &w->poll, fd);
    if (code) {
        mem_free(w);
        return -code;
    }
    *out = w;
    return 0;
}

void loop_watch_want(struct loop_watch *w, unsigned events)
{
    w->wanted = events;
    if (events & ~w->active) apply(w);
}

static void free_watch(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void loop_watch_close(struct loop_watch *w)
{
    uv_close((uv_handle_t *)&w->poll, free_watch);
}

/* --- timers --- */

struct loop_timer {
    uv_timer_t timer;
    void (*fired)(void *self);
    void (*closed)(void *self);
    void *self;
};

static void on_timer(uv_timer_t *timer)
{
    struct loop_timer *t = timer->data;
    t->fired(t->self);
}

struct loop_timer *loop_timer_open(struct uv_loop_s *loop, void (*fired)(void *self), void *self)
{
    struct loop_timer *t = mem_zalloc(sizeof *t);
    t->timer.data = t;
    t->fired = fired;
    t->self = self;
    CHECK(uv_timer_init(loop, &t->timer) == 0);
    return t;
}

void loop_timer_start(struct loop_timer *t, uint64_t delay_ms, uint64_t repeat_ms)
{
    CHECK(uv_timer_start(&t->timer, on_timer, delay_ms, repeat_ms) == 0);
}

void loop_timer_stop(struct loop_timer *t)
{
    uv_timer_stop(&t->timer);
}

static void free_timer(uv_handle_t *handle)
{
    struct loop_timer *t = handle->data;
    void (*closed)(void *self) = t->closed;
    void *self = t->self;
    mem_free(t);
    if (closed) closed(self);
}

void loop_timer_close(struct loop_timer *t, void (*closed)(void *self), void *self)
{
    t->closed = closed;
    t->self = self;
    uv_close((uv_handle_t *)&t->timer, free_timer);
}

/* --- names --- */

struct loop_lookup {
    uv_getaddrinfo_t request;
    void (*found)(void *self, const struct sockaddr *address, socklen_t size); /* NULL: cancelled */
    void *self;
};

static void on_found(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct loop_lookup *l = request->data;
    const struct addrinfo *one = list;
    while (one && one->ai_family != AF_INET) one = one->ai_next; /* as listeners do: IPv4 when a name has both */
    if (!one) one = list;
    if (l->found && status == 0 && one) l->found(l->self, one->ai_addr, one->ai_addrlen);
    else if (l->found) l->found(l->self, NULL, 0);
    uv_freeaddrinfo(list);
    mem_free(l);
}

struct loop_lookup *loop_lookup_start(struct uv_loop_s *loop, const char *host, const char *port,
                                      void (*found)(void *self, const struct sockaddr *address, socklen_t size),
                                      void *self)
{
    struct loop_lookup *l = mem_zalloc(sizeof *l);
    l->request.data = l;
    l->found = found;
    l->self = self;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    if (uv_getaddrinfo(loop, &l->request, on_found, host, port, &hints) == 0) return l;
    mem_free(l);
    return NULL;
}

void loop_lookup_cancel(struct loop_lookup *l)
{
    l->found = NULL;
    uv_cancel((uv_req_t *)&l->request); /* fails when it already runs; then on_found() frees it later */
}
