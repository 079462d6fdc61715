#include "replication/sys/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "replication/sys/loop.h"
#include "replication/sys/socket.h"

enum {
    LISTENER_ACCEPTS_PER_TURN = 64, /* so that a storm of connects does not starve the clients that are in */
    LISTENER_ACCEPT_PAUSE_MS = 100, /* out of descriptors or memory: those who knock wait in the backlog */
};

struct listener {
    struct loop_watch *watch;
    struct loop_timer *pause;
    int fd; /* -1: closed, perhaps by `accepted` itself */
    void (*accepted)(void *self, int fd);
    void (*closed)(void *self);
    void *self;
    char address[SOCKET_TEXT_MAX];
};

static void on_ready(void *self, unsigned events);
static void on_pause_over(void *self);

int listener_open(struct listener **out, struct uv_loop_s *loop, const char *address, int backlog,
                  void (*accepted)(void *self, int fd), void *self, struct err *err)
{
    struct listener *l = mem_zalloc(sizeof *l);
    l->accepted = accepted;
    l->self = self;
    int code = socket_listen(address, backlog, &l->fd, err);
    if (code) goto free_listener;
    int failed = loop_watch_open(&l->watch, loop, l->fd, on_ready, l);
    if (failed) {
        code = (int)err_set_errno(err, failed, "listen on %s", address);
        goto close_fd;
    }
    l->pause = loop_timer_open(loop, on_pause_over, l);
    socket_name(l->fd, false, l->address);
    loop_watch_want(l->watch, LOOP_READ);
    *out = l;
    return 0;
close_fd:
    close(l->fd);
free_listener:
    mem_free(l);
    return code;
}

static void on_closed(void *self)
{
    struct listener *l = self;
    void (*closed)(void *) = l->closed;
    void *owner = l->self;
    mem_free(l);
    if (closed) closed(owner);
}

void listener_close(struct listener *l, void (*closed)(void *self))
{
    l->closed = closed;
    loop_watch_close(l->watch);
    close(l->fd);
    l->fd = -1;
    loop_timer_close(l->pause, on_closed, l);
}

const char *listener_address(const struct listener *l)
{
    return l->address;
}

static void on_pause_over(void *self)
{
    struct listener *l = self;
    loop_watch_want(l->watch, LOOP_READ);
}

/* A client that went away between its connect and our accept is no reason to stop; nor is anything else that concerns
 * one connection only (accept(2) passes its network errors on). */
static void on_ready(void *self, unsigned events)
{
    struct listener *l = self;
    (void)events;
    for (int i = 0; i < LISTENER_ACCEPTS_PER_TURN && l->fd >= 0; i++) {
        int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            int on = 1;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
            l->accepted(l->self, fd);
            continue;
        }
        if (errno == EAGAIN) return;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            loop_watch_want(l->watch, 0);
            loop_timer_start(l->pause, LISTENER_ACCEPT_PAUSE_MS, 0);
            return;
        }
    }
}
