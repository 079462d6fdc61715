/* Where clients knock. The work is done by replication/sys/listener.h, which the node-to-node link uses too. */
#include "replication/sys/listener.h"
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
