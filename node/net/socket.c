/* A client's socket: one recv() and one send() per turn.
 *
 * An idle socket owns no buffer. Bytes are read onto the stack of the shard's thread, which is the one read buffer of
 * all its sockets; only what the session could not use yet (a part of a frame, or all of it while the session is
 * stalled) moves to the heap, and from NET_KEPT_MAX on nothing more is read. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "node/net/net.h"
#include "replication/sys/loop.h"
#include "replication/sys/socket.h"

_Static_assert((int)NET_ADDRESS_MAX >= (int)SOCKET_TEXT_MAX, "a socket's name fits");

struct net_socket {
    struct loop_watch *watch;
    struct loop_timer *closer; /* exists from net_socket_close() on, to call `closed` from the loop */
    struct uv_loop_s *loop;
    const struct net_socket_events *events;
    void *self;
    struct buf kept; /* bytes that arrived and were not used yet */
    struct buf *out; /* what waits for the kernel; NULL: nothing */
    uint64_t bytes_in, bytes_out;
    int fd;
    int write_error; /* errno of a send() that failed; told from the loop, not from inside net_socket_write() */
    bool read_enabled;
    bool ended; /* `ended` was called: neither read nor written any more */
    bool closing;
    bool loopback;
    char peer[NET_ADDRESS_MAX], local[NET_ADDRESS_MAX];
};

static void on_ready(void *self, unsigned events);
static void read_some(struct net_socket *s);
static void keep(struct net_socket *s, const uint8_t *data, size_t size);
static void end(struct net_socket *s, int error, const char *what);
static void watch(struct net_socket *s);

int net_socket_open(struct net_socket **out, struct uv_loop_s *loop, int fd, const struct net_socket_events *events,
                    void *self, struct err *err)
{
    struct net_socket *s = mem_zalloc(sizeof *s);
    int failed = loop_watch_open(&s->watch, loop, fd, on_ready, s);
    if (failed) {
        close(fd);
        mem_free(s);
        return (int)err_set_errno(err, failed, "watch a client's socket");
    }
    s->loop = loop;
    s->events = events;
    s->self = self;
    s->fd = fd;
    s->read_enabled = true;
    s->loopback = socket_is_loopback(fd);
    socket_name(fd, true, s->peer);
    socket_name(fd, false, s->local);
    watch(s);
    *out = s;
    return 0;
}

static void on_closer(void *self)
{
    (void)self;
}

static void on_closed(void *self)
{
    struct net_socket *s = self;
    const struct net_socket_events *events = s->events;
    void *owner = s->self;
    mem_free(s);
    events->closed(owner);
}

void net_socket_close(struct net_socket *s)
{
    if (s->closing) return;
    s->closing = true;
    s->out = NULL;
    buf_close(&s->kept);
    loop_watch_close(s->watch);
    close(s->fd);
    s->closer = loop_timer_open(s->loop, on_closer, s);
    loop_timer_close(s->closer, on_closed, s);
}

void net_socket_write(struct net_socket *s, struct buf *out)
{
    if (s->closing || s->ended || s->write_error || !out->size) return;
    bool blocked = s->out != NULL;
    s->out = out;
    if (blocked) return; /* the kernel is full; on_ready() goes on */
    ssize_t sent = send(s->fd, out->data, out->size, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) s->write_error = errno;
    if (sent > 0) {
        s->bytes_out += (uint64_t)sent;
        buf_consume(out, (size_t)sent);
    }
    if (!out->size) s->out = NULL;
    if (s->out) watch(s);
}

void net_socket_read(struct net_socket *s, bool enabled)
{
    if (s->closing || s->read_enabled == enabled) return;
    s->read_enabled = enabled;
    watch(s);
}

void net_socket_poke(struct net_socket *s)
{
    if (s->closing || s->ended || !s->kept.size) return;
    struct buf kept = s->kept;
    s->kept = (struct buf){0};
    size_t used = s->events->data(s->self, kept.data, kept.size);
    if (!s->closing && used == 0) {
        s->kept = kept; /* nothing changed: no copy */
        return;
    }
    if (!s->closing) {
        keep(s, kept.data + used, kept.size - used);
        watch(s);
    }
    buf_close(&kept);
}

const char *net_socket_peer(const struct net_socket *s)
{
    return s->peer;
}

const char *net_socket_local(const struct net_socket *s)
{
    return s->local;
}

bool net_socket_is_loopback(const struct net_socket *s)
{
    return s->loopback;
}

uint64_t net_socket_bytes_in(const struct net_socket *s)
{
    return s->bytes_in;
}

uint64_t net_socket_bytes_out(const struct net_socket *s)
{
    return s->bytes_out;
}

static void watch(struct net_socket *s)
{
    unsigned wanted = 0;
    if (!s->ended && s->read_enabled && s->kept.size < NET_KEPT_MAX) wanted |= LOOP_READ;
    if (!s->ended && s->out) wanted |= LOOP_WRITE;
    loop_watch_want(s->watch, wanted);
}

static void write_rest(struct net_socket *s)
{
    struct buf *out = s->out;
    s->out = NULL;
    net_socket_write(s, out);
    if (s->write_error || s->out) return;
    watch(s);
    if (s->events->drained) s->events->drained(s->self);
}

static void on_ready(void *self, unsigned events)
{
    struct net_socket *s = self;
    if (s->ended) return;
    if (events & LOOP_ERROR) {
        int error = socket_error(s->fd);
        end(s, error ? error : s->write_error ? s->write_error : ECONNRESET, "connection");
        return;
    }
    if ((events & LOOP_WRITE) && s->out && !s->write_error) write_rest(s);
    if (s->write_error && !s->closing) {
        end(s, s->write_error, "write");
        return;
    }
    if ((events & LOOP_READ) && !s->closing && s->read_enabled && s->kept.size < NET_KEPT_MAX) read_some(s);
}

static void read_some(struct net_socket *s)
{
    uint8_t buffer[NET_KEPT_MAX + NET_READ_SIZE];
    size_t size = s->kept.size;
    if (size) memcpy(buffer, s->kept.data, size);
    ssize_t got = recv(s->fd, buffer + size, NET_READ_SIZE, 0);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) end(s, got == 0 ? 0 : errno, "read");
        return;
    }
    s->bytes_in += (uint64_t)got;
    size += (size_t)got;
    buf_clear(&s->kept);
    size_t used = s->events->data(s->self, buffer, size);
    CHECK(used <= size);
    if (s->closing) return;
    keep(s, buffer + used, size - used);
    watch(s);
}

static void keep(struct net_socket *s, const uint8_t *data, size_t size)
{
    buf_clear(&s->kept);
    if (size) buf_put(&s->kept, data, size);
    else buf_close(&s->kept);
}

static void end(struct net_socket *s, int error, const char *what)
{
    struct err err;
    s->ended = true;
    s->out = NULL;
    watch(s);
    if (error) err_set_errno(&err, error, "%s", what);
    s->events->ended(s->self, error ? &err : NULL);
}
