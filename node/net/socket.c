/* A client's socket: one recv() and one send() per turn.
 *
 * An idle socket owns no buffer. Bytes are read onto the stack of the shard's thread, which is the one read buffer of
 * all its sockets; only what the session could not use yet (a part of a frame, or all of it while the session is
 * stalled) moves to the heap, and from NET_KEPT_MAX on nothing more is read. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node/net/socket_internal.h"
#include "replication/sys/tls.h"

_Static_assert((int)NET_ADDRESS_MAX >= (int)SOCKET_TEXT_MAX, "a socket's name fits");

static void on_ready(void *self, unsigned events);
static void read_some(struct net_socket *s);
static void keep(struct net_socket *s, const uint8_t *data, size_t size);
static void end_errno(struct net_socket *s, int error, const char *what);

static void name_ends(struct net_socket *s, const struct sockaddr_storage *peer)
{
    struct sockaddr_storage local;
    s->loopback = socket_end_is_loopback(peer);
    if (peer->ss_family) socket_end_text(peer, s->peer);
    if (socket_end(s->fd, false, &local)) socket_end_text(&local, s->local);
}

int net_socket_open(struct net_socket **out, struct uv_loop_s *loop, int fd, const struct net_entrance *entrance,
                    const struct net_socket_events *events, void *self, struct err *err)
{
    struct net_socket *s = mem_zalloc(sizeof *s);
    struct sockaddr_storage peer;
    int failed = loop_watch_open(&s->watch, loop, fd, on_ready, s);
    if (failed) {
        close(fd);
        mem_free(s);
        return (int)err_set_errno(err, failed, "watch a client's socket");
    }
    s->loop = loop;
    s->entrance = entrance;
    s->events = events;
    s->self = self;
    s->fd = fd;
    s->read_enabled = true;
    if (!socket_end(fd, true, &peer)) peer.ss_family = 0;
    name_ends(s, &peer);
    s->stage = net_socket_expects_proxy(entrance, &peer) ? NET_STAGE_PROXY
               : entrance->tls                           ? NET_STAGE_TLS
                                                         : NET_STAGE_OPEN;
    if (s->stage == NET_STAGE_TLS) net_socket_tls_start(s);
    net_socket_watch(s);
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
    if (s->tls) net_socket_tls_close(s);
    loop_watch_close(s->watch);
    close(s->fd);
    s->closer = loop_timer_open(s->loop, on_closer, s);
    loop_timer_close(s->closer, on_closed, s);
}

bool net_socket_send(struct net_socket *s, struct buf *bytes)
{
    ssize_t sent = send(s->fd, bytes->data, bytes->size, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) s->write_error = errno;
    if (sent > 0) {
        s->bytes_out += (uint64_t)sent;
        buf_consume(bytes, (size_t)sent);
    }
    return !bytes->size;
}

void net_socket_write(struct net_socket *s, struct buf *out)
{
    if (s->closing || s->ended || s->write_error || !out->size) return;
    bool blocked = s->out != NULL;
    s->out = out;
    if (blocked) return; /* the kernel is full; on_ready() goes on */
    if (s->tls) net_socket_tls_write(s);
    else if (net_socket_send(s, out)) s->out = NULL;
    s->wrote_part = !net_socket_flushed(s);
    if (s->wrote_part) net_socket_watch(s);
}

bool net_socket_flushed(const struct net_socket *s)
{
    return !s->out && !(s->tls && net_socket_tls_waits(s));
}

void net_socket_read(struct net_socket *s, bool enabled)
{
    if (s->closing || s->read_enabled == enabled) return;
    s->read_enabled = enabled;
    net_socket_watch(s);
}

void net_socket_mind_hangup(struct net_socket *s, bool enabled)
{
    if (s->closing || s->minds_hangup == enabled) return;
    s->minds_hangup = enabled;
    /* A peer that left with bytes that do not fit here cannot tell it: its kernel gives up, and answers with a reset
     * when it is asked. */
    if (enabled) setsockopt(s->fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){NET_KEEPALIVE_S}, sizeof(int));
    net_socket_watch(s);
}

void net_socket_poke(struct net_socket *s)
{
    if (s->closing || s->ended || !s->kept.size || s->stage != NET_STAGE_OPEN) return;
    struct buf kept = s->kept;
    s->kept = (struct buf){0};
    size_t used = s->events->data(s->self, kept.data, kept.size);
    if (!s->closing && used == 0) {
        s->kept = kept; /* nothing changed: no copy */
        return;
    }
    if (!s->closing) {
        keep(s, kept.data + used, kept.size - used);
        net_socket_watch(s);
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

bool net_socket_is_secure(const struct net_socket *s)
{
    return s->tls && s->stage == NET_STAGE_OPEN;
}

const struct tls *net_socket_tls(const struct net_socket *s)
{
    return s->tls;
}

uint64_t net_socket_bytes_in(const struct net_socket *s)
{
    return s->bytes_in;
}

uint64_t net_socket_bytes_out(const struct net_socket *s)
{
    return s->bytes_out;
}

/* TLS answers some messages by itself (an update of its keys): who asks and does not read is not heard any more. */
static bool may_read(const struct net_socket *s)
{
    return s->read_enabled && s->kept.size < NET_KEPT_MAX &&
           !(s->tls && tls_ciphertext(s->tls)->size >= NET_TLS_OWED_MAX);
}

void net_socket_watch(struct net_socket *s)
{
    unsigned wanted = 0;
    if (!s->ended && may_read(s)) wanted |= LOOP_READ;
    else if (!s->ended && s->minds_hangup) wanted |= LOOP_HANGUP;
    if (!s->ended && !net_socket_flushed(s)) wanted |= LOOP_WRITE;
    loop_watch_want(s->watch, wanted);
}

void net_socket_write_rest(struct net_socket *s)
{
    bool owed = s->wrote_part;
    struct buf *out = s->out;
    s->out = NULL;
    if (out) net_socket_write(s, out);
    else net_socket_tls_write(s); /* the end of `out` may be encrypted and wait: then it is still owed */
    if (s->write_error || !net_socket_flushed(s)) return;
    s->wrote_part = false;
    net_socket_watch(s);
    if (owed && s->events->drained) s->events->drained(s->self);
}

static void on_ready(void *self, unsigned events)
{
    struct net_socket *s = self;
    if (s->ended) return;
    if (events & LOOP_ERROR) {
        int error = socket_error(s->fd);
        end_errno(s, error ? error : s->write_error ? s->write_error : ECONNRESET, "connection");
        return;
    }
    if ((events & LOOP_WRITE) && !net_socket_flushed(s) && !s->write_error) net_socket_write_rest(s);
    if (s->write_error && !s->closing) {
        end_errno(s, s->write_error, "write");
        return;
    }
    if ((events & LOOP_HANGUP) && !s->closing && !may_read(s)) {
        end_errno(s, 0, "hang-up");
        return;
    }
    if ((events & LOOP_READ) && !s->closing && may_read(s)) {
        if (s->tls) net_socket_tls_read(s);
        else read_some(s);
    }
}

static void read_some(struct net_socket *s)
{
    uint8_t buffer[NET_KEPT_MAX + NET_READ_SIZE];
    size_t size = s->kept.size, used = 0;
    if (size) memcpy(buffer, s->kept.data, size);
    ssize_t got = recv(s->fd, buffer + size, NET_READ_SIZE, 0);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) end_errno(s, got == 0 ? 0 : errno, "read");
        return;
    }
    s->bytes_in += (uint64_t)got;
    size += (size_t)got;
    if (s->stage == NET_STAGE_PROXY) {
        used = net_socket_proxy_input(s, buffer, size);
        if (s->ended || s->closing) return;
        keep(s, buffer + used, s->stage == NET_STAGE_PROXY ? size : 0);
    }
    if (s->stage == NET_STAGE_OPEN && size > used) net_socket_offer(s, buffer + used, size - used);
    else if (s->stage == NET_STAGE_TLS) net_socket_tls_input(s, buffer + used, size - used);
    if (!s->closing) net_socket_watch(s);
}

void net_socket_offer(struct net_socket *s, const uint8_t *data, size_t size)
{
    if (!s->opened) {
        s->opened = true;
        s->events->opened(s->self);
        if (s->closing) return;
    }
    buf_clear(&s->kept);
    size_t used = s->events->data(s->self, data, size);
    CHECK(used <= size);
    if (!s->closing) keep(s, data + used, size - used);
}

static void keep(struct net_socket *s, const uint8_t *data, size_t size)
{
    buf_clear(&s->kept);
    if (size) buf_put(&s->kept, data, size);
    else buf_close(&s->kept);
}

void net_socket_end(struct net_socket *s, const struct err *err)
{
    s->ended = true;
    s->out = NULL;
    net_socket_watch(s);
    s->events->ended(s->self, err);
}

static void end_errno(struct net_socket *s, int error, const char *what)
{
    struct err err;
    if (error) err_set_errno(&err, error, "%s", what);
    net_socket_end(s, error ? &err : NULL);
}
