/* A connection's bytes under TLS: encrypted when the kernel has taken what was encrypted before. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "replication/link/link_internal.h"

void link_conn_secure(struct link_conn *c)
{
    const struct link_params *params = &c->links->params;
    CHECK(!c->tls && !c->out.bytes);
    c->tls = c->dialled ? tls_connect(params->tls_dialler, NULL) : tls_accept(params->tls_listener);
}

/* False: the kernel is full, or the connection is gone. */
static bool write_ciphertext(struct link_conn *c)
{
    struct buf *cipher = tls_ciphertext(c->tls);
    struct iovec iovec = {cipher->data, cipher->size};
    size_t sent;
    if (!cipher->size) return true;
    if (c->blocked || !link_conn_write(c, &iovec, 1, cipher->size, &sent)) return false;
    buf_consume(cipher, sent);
    if (!cipher->size && cipher->capacity > LINK_SMALL_KEEP) buf_close(cipher);
    return !c->blocked;
}

static bool encrypt_some(struct link_conn *c)
{
    struct iovec iovecs[LINK_IOVECS_MAX];
    size_t bytes, done = 0;
    int count = link_out_iovecs(&c->out, iovecs, LINK_IOVECS_MAX, &bytes);
    for (int i = 0; i < count && done < LINK_TLS_WRITE_SIZE; i++) {
        size_t part = iovecs[i].iov_len;
        if (part > LINK_TLS_WRITE_SIZE - done) part = LINK_TLS_WRITE_SIZE - done;
        if (!tls_output(c->tls, slice_of(iovecs[i].iov_base, part))) return false;
        done += part;
    }
    link_out_written(&c->out, done);
    return true;
}

void link_conn_tls_flush(struct link_conn *c)
{
    while (write_ciphertext(c) && c->out.bytes && tls_is_open(c->tls))
        if (!encrypt_some(c)) {
            link_conn_cut(c, "TLS is over");
            return;
        }
    if (c->state != LINK_GONE) loop_watch_want(c->watch, LOOP_READ | (c->blocked ? LOOP_WRITE : 0u));
}

/* A listener that refuses says so before TLS begins. */
static bool is_plain_refusal(const struct link_conn *c, struct slice bytes)
{
    struct link_frame f;
    return c->dialled && !tls_is_open(c->tls) && link_frame_peek(bytes, LINK_HANDSHAKE_MAX, &f) == LINK_FRAME_WHOLE &&
           f.type == LINK_REFUSE && link_frame_intact(slice_of(bytes.data, LINK_FRAME_HEAD + f.size));
}

static void fail(struct link_conn *c, int code, const struct err *err)
{
    write_ciphertext(c); /* the alert */
    if (c->state == LINK_GONE) return;
    bool peer_left = code == ERR_CLOSED;
    if (c->state != LINK_UP && !peer_left)
        link_peer_note(c->peer, LINK_WARN, "link refused node=%u why=\"%s\"", c->peer->node, err->text);
    link_conn_cut(c, peer_left ? "closed by the peer" : err->text);
}

static void take_plaintext(struct link_conn *c, uint8_t *bytes, size_t kept, size_t got)
{
    size_t part = 0;
    if (c->big) {
        part = c->big->size - c->big_filled;
        if (part > got) part = got;
        memcpy(c->big->data + c->big_filled, bytes + kept, part);
    }
    link_conn_take(c, bytes + part, kept, got);
}

void link_conn_tls_read(struct link_conn *c)
{
    uint8_t cipher[LINK_TLS_READ_SIZE], plain[LINK_REST_MAX + LINK_TLS_READ_SIZE + TLS_ROOM];
    struct err err;
    size_t kept = c->rest.size, got;
    ssize_t n = recv(c->fd, cipher, sizeof cipher, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        link_conn_cut(c, n == 0 ? "closed by the peer" : strerror(errno));
        return;
    }
    struct slice bytes = slice_of(cipher, (size_t)n);
    if (is_plain_refusal(c, bytes)) {
        link_handshake_frame(c, LINK_REFUSE, link_frame_payload(bytes));
        return;
    }
    if (kept) memcpy(plain, c->rest.data, kept);
    int code = tls_input(c->tls, bytes, plain + kept, sizeof plain - kept, &got, &err);
    if (got) take_plaintext(c, plain, kept, got);
    if (c->state == LINK_GONE) return;
    if (code) fail(c, code, &err);
    else link_conn_flush(c);
}
