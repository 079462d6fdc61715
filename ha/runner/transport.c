#include "ha/runner/transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "node/net/net.h"
#include "replication/sys/loop.h"
#include "replication/sys/socket.h"
#include "replication/sys/tls.h"

struct transport {
    struct uv_loop_s *loop;
    struct client *client; /* NULL: closing */
    const struct client_uri *uri;
    struct transport_host host;
    struct loop_lookup *lookup;
    struct loop_watch *watch; /* while it connects */
    struct loop_timer *later; /* to tell from the loop, and to end the close */
    int fd;                   /* while it connects; else -1 */
    struct net_socket *socket;
    struct tls *tls;
    struct buf plain; /* what came out of TLS and the client did not take yet */
    bool inside;      /* transport_flush() is at work: nothing is told */
    bool finishing;   /* the client is ours and waits for its close-ok */
};

static void fail(struct transport *t, const char *why);
static void start_connect(struct transport *t);
static void open_socket(struct transport *t, int fd);
static void finish_turn(struct transport *t);
static void end(struct transport *t);

static void tell(struct transport *t)
{
    if (!t->client) return;
    if (t->finishing) finish_turn(t);
    else if (t->inside) loop_timer_start(t->later, 0, 0);
    else t->host.moved(t->host.self);
}

static void on_later(void *self)
{
    struct transport *t = self;
    if (!t->client) return;
    if (t->finishing) {
        end(t);
        return;
    }
    if (!t->socket && t->fd < 0 && !t->lookup && client_state(t->client) != CLIENT_CLOSED) start_connect(t);
    else tell(t);
}

struct transport *transport_open(struct uv_loop_s *loop, struct client *client, const struct client_uri *uri,
                                 const struct transport_host *host)
{
    struct transport *t = mem_zalloc(sizeof *t);
    t->loop = loop;
    t->client = client;
    t->uri = uri;
    t->host = *host;
    t->fd = -1;
    t->later = loop_timer_open(loop, on_later, t);
    loop_timer_start(t->later, 0, 0); /* connects from the loop, so that a failure is told from there */
    return t;
}

static void fail(struct transport *t, const char *why)
{
    if (!t->client) return;
    client_lost(t->client, why);
    tell(t);
}

static void fail_errno(struct transport *t, int error)
{
    char text[256];
    if (t->uri->local) snprintf(text, sizeof text, "local broker: %s", strerror(error));
    else snprintf(text, sizeof text, "%.128s:%u: %s", t->uri->host, t->uri->port, strerror(error));
    fail(t, text);
}

/* --- connecting --- */

static void on_connect(void *self, unsigned events)
{
    struct transport *t = self;
    int fd = t->fd, error = socket_error(fd);
    (void)events;
    loop_watch_close(t->watch);
    t->watch = NULL;
    t->fd = -1;
    if (error) {
        close(fd);
        fail_errno(t, error);
        return;
    }
    open_socket(t, fd);
}

static void connect_to(struct transport *t, const struct sockaddr *address, socklen_t size)
{
    int on = 1, fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail_errno(t, errno);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    int failed = connect(fd, address, size) && errno != EINPROGRESS ? errno : 0;
    if (!failed) failed = loop_watch_open(&t->watch, t->loop, fd, on_connect, t);
    if (failed) {
        close(fd);
        fail_errno(t, failed);
        return;
    }
    t->fd = fd;
    loop_watch_want(t->watch, LOOP_WRITE);
}

static void on_found(void *self, const struct sockaddr *address, socklen_t size)
{
    struct transport *t = self;
    char text[256];
    t->lookup = NULL;
    if (size) {
        connect_to(t, address, size);
        return;
    }
    snprintf(text, sizeof text, "%.128s: no such host", t->uri->host);
    fail(t, text);
}

static void open_local(struct transport *t)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends)) {
        fail_errno(t, errno);
        return;
    }
    t->host.local(t->host.self, ends[1]);
    open_socket(t, ends[0]);
}

static void start_connect(struct transport *t)
{
    struct socket_address address = {0};
    struct sockaddr_storage storage;
    socklen_t size;
    if (t->uri->local) {
        open_local(t);
        return;
    }
    snprintf(address.host, sizeof address.host, "%s", t->uri->host);
    snprintf(address.port, sizeof address.port, "%u", t->uri->port);
    if (socket_address_numeric(&address, &storage, &size)) {
        connect_to(t, (struct sockaddr *)&storage, size);
        return;
    }
    t->lookup = loop_lookup_start(t->loop, address.host, address.port, on_found, t);
    if (!t->lookup) fail(t, "the name lookup could not start");
}

static bool open_tls(struct transport *t, struct err *err)
{
    const struct client_uri *u = t->uri;
    struct tls_context *context;
    struct tls_settings settings = {.key = "URI",
                                    .cacertfile = u->cacertfile,
                                    .certfile = u->certfile,
                                    .keyfile = u->keyfile,
                                    .password = u->key_password,
                                    .client = true,
                                    .verify_peer = u->verify,
                                    .depth = u->depth};
    const char *name = u->server_name ? u->server_name : u->host;
    if (tls_context_open(&context, &settings, err)) return false;
    t->tls = tls_connect(context, !strcmp(name, "disable") ? NULL : name);
    tls_context_close(context);
    return true;
}

/* --- bytes in --- */

static void on_opened(void *self);
static size_t on_data(void *self, const uint8_t *data, size_t size);
static void on_drained(void *self);
static void on_ended(void *self, const struct err *err);
static void on_closed(void *self);

static void open_socket(struct transport *t, int fd)
{
    static const struct net_entrance plain; /* our TLS is a client's, and has no place there */
    static const struct net_socket_events events = {
        .opened = on_opened, .data = on_data, .drained = on_drained, .ended = on_ended, .closed = on_closed};
    struct err err;
    if (net_socket_open(&t->socket, t->loop, fd, &plain, &events, t, &err) || (t->uri->tls && !open_tls(t, &err))) {
        fail(t, err.text);
        return;
    }
    tell(t);
}

static void on_opened(void *self)
{
    (void)self; /* the server spoke: on_data() is next */
}

static void offer_plain(struct transport *t)
{
    if (!t->client || !t->plain.size) return;
    size_t used = client_input(t->client, t->plain.data, t->plain.size, loop_now_ms(t->loop));
    buf_consume(&t->plain, used);
    if (used && t->inside) tell(t);
}

static size_t decrypt(struct transport *t, const uint8_t *data, size_t size)
{
    struct err err;
    size_t got = 0;
    if (t->plain.size >= NET_KEPT_MAX) return 0; /* the client is paused: leave it in the socket */
    uint8_t *room = buf_reserve(&t->plain, size + TLS_ROOM);
    int code = tls_input(t->tls, slice_of(data, size), room, size + TLS_ROOM, &got, &err);
    t->plain.size += got;
    offer_plain(t);
    if (code == ERR_CLOSED) fail(t, "the server ended TLS");
    else if (code) fail(t, err.text);
    return size;
}

static size_t take(struct transport *t, const uint8_t *data, size_t size)
{
    if (!t->client) return size;
    return t->tls ? decrypt(t, data, size) : client_input(t->client, data, size, loop_now_ms(t->loop));
}

/* The owner's turn may end the pause that held bytes back; nobody would offer these again before the server speaks. */
static size_t on_data(void *self, const uint8_t *data, size_t size)
{
    struct transport *t = self;
    size_t used = 0;
    bool was_paused;
    do {
        size_t taken = take(t, data + used, size - used);
        used += taken;
        was_paused = t->client && client_is_paused(t->client);
        if (taken || !t->inside) tell(t); /* a poke that moved nothing is no news, or it would go round for ever */
    } while (used < size && was_paused && t->client && !client_is_paused(t->client));
    return used;
}

static void on_drained(void *self)
{
    struct transport *t = self;
    if (t->client) client_written(t->client, loop_now_ms(t->loop));
    tell(t);
}

static void on_ended(void *self, const struct err *err)
{
    fail(self, err ? err->text : "the connection was closed by the other side");
}

/* --- bytes out --- */

static void write_out(struct transport *t, uint64_t now_ms)
{
    struct buf *out = client_output(t->client);
    if (t->tls) {
        if (tls_is_open(t->tls) && out->size && tls_ciphertext(t->tls)->size < CLIENT_OUTPUT_HIGH) {
            tls_output(t->tls, buf_slice(out));
            buf_clear(out);
            client_written(t->client, now_ms);
        }
        net_socket_write(t->socket, tls_ciphertext(t->tls));
        return;
    }
    if (!out->size) return;
    net_socket_write(t->socket, out);
    client_written(t->client, now_ms);
}

void transport_flush(struct transport *t, uint64_t now_ms)
{
    if (!t->client || !t->socket) return;
    bool was_full = client_is_full(t->client);
    t->inside = true;
    write_out(t, now_ms);
    if (was_full && !client_is_full(t->client))
        tell(t); /* the kernel took all at once: there will be no on_drained() */
    if (!client_is_paused(t->client) && client_state(t->client) != CLIENT_CLOSED) {
        if (t->tls) offer_plain(t);
        net_socket_poke(t->socket);
    }
    t->inside = false;
}

/* --- the end --- */

static void on_freed(void *self)
{
    struct transport *t = self;
    tls_close(t->tls);
    buf_close(&t->plain);
    mem_free(t);
}

static void on_closed(void *self)
{
    struct transport *t = self;
    loop_timer_close(t->later, on_freed, t);
}

static void end(struct transport *t)
{
    client_destroy(t->client);
    t->client = NULL;
    if (t->lookup) loop_lookup_cancel(t->lookup);
    if (t->watch) loop_watch_close(t->watch);
    if (t->fd >= 0) close(t->fd);
    if (t->socket) net_socket_close(t->socket);
    else loop_timer_close(t->later, on_freed, t);
}

/* On the way to the close-ok: what is said is written, what comes is read. */
static void finish_turn(struct transport *t)
{
    if (t->inside) return; /* transport_finish() looks when it comes back */
    if (client_state(t->client) == CLIENT_CLOSED) end(t);
    else write_out(t, loop_now_ms(t->loop));
}

void transport_finish(struct transport *t)
{
    t->finishing = true;
    if (!t->socket || client_state(t->client) == CLIENT_CLOSED) {
        if (t->socket) write_out(t, loop_now_ms(t->loop)); /* a last word to a server that was wrong */
        end(t);
        return;
    }
    loop_timer_start(t->later, TRANSPORT_GOODBYE_MS, 0);
    transport_flush(t, loop_now_ms(t->loop));
    finish_turn(t);
}
