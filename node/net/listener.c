/* Where clients knock. The work is done by replication/sys/listener.h, which the node-to-node link uses too. */
#include "replication/sys/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "node/net/net.h"

struct net_listener {
    struct listener *listener;
    void (*accepted)(void *self, int fd);
    void (*closed)(void *self);
    void *self;
};

static void on_accepted(void *self, int fd)
{
    struct net_listener *l = self;
    l->accepted(l->self, fd);
}

int net_listen(struct net_listener **out, struct uv_loop_s *loop, const char *address, int backlog,
               void (*accepted)(void *self, int fd), void *self, struct err *err)
{
    struct net_listener *l = mem_zalloc(sizeof *l);
    l->accepted = accepted;
    l->self = self;
    int code = listener_open(&l->listener, loop, address, backlog, on_accepted, l, err);
    if (code) mem_free(l);
    else *out = l;
    return code;
}

static void on_closed(void *self)
{
    struct net_listener *l = self;
    if (l->closed) l->closed(l->self);
    mem_free(l);
}

void net_listener_close(struct net_listener *l, void (*closed)(void *self))
{
    l->closed = closed;
    listener_close(l->listener, on_closed);
}

const char *net_listener_address(const struct net_listener *l)
{
    return listener_address(l->listener);
}

/* An option that the kernel refuses is one less; the connection works. */
void net_tune(int fd, const struct net_options *options)
{
    int nodelay = options->nodelay, keepalive = options->keepalive;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, sizeof nodelay);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &keepalive, sizeof keepalive);
    struct linger linger = {.l_onoff = 1,
                            .l_linger = 0}; /* a longer one would make close() wait, and the loop with it */
    if (options->reset) setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    if (options->send_buffer) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &options->send_buffer, sizeof options->send_buffer);
    if (options->receive_buffer)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &options->receive_buffer, sizeof options->receive_buffer);
}
