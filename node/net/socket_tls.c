/* TLS on a socket: ciphertext is read onto the stack and decrypted onto the stack; what is sent is encrypted when the
 * kernel has taken what was encrypted before, so that the session's output stays the one that is counted. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "node/net/socket_internal.h"
#include "replication/sys/tls.h"

enum {
    TLS_HANDSHAKE_BYTE = 22,   /* the first byte of each client */
    CIPHER_KEPT_MAX = 4 << 10, /* bytes of ciphertext buffer that an idle connection keeps */
};

void net_socket_tls_start(struct net_socket *s)
{
    s->tls = tls_accept(s->entrance->tls);
}

static void fail(struct net_socket *s, int code, const struct err *err)
{
    net_socket_tls_write(s); /* the alert */
    if (!s->closing && !s->ended) net_socket_end(s, code == ERR_CLOSED ? NULL : err);
}

/* Who mixed up the ports is told so in words that help. */
static bool is_stranger(struct net_socket *s, const uint8_t *cipher, size_t size)
{
    struct err err;
    char shown[9] = "";
    if (s->stage != NET_STAGE_TLS || s->bytes_in > size || cipher[0] == TLS_HANDSHAKE_BYTE) return false;
    for (size_t i = 0; i < size && i < sizeof shown - 1; i++)
        shown[i] = cipher[i] >= ' ' && cipher[i] < 127 ? (char)cipher[i] : '.';
    bool amqp = !strncmp(shown, "AMQP", 4);
    err_set(&err, ERR_REFUSED, "%s on the TLS port, it begins with \"%s\"", amqp ? "plain AMQP" : "not TLS", shown);
    net_socket_end(s, &err);
    return true;
}

static void input_part(struct net_socket *s, const uint8_t *cipher, size_t size)
{
    uint8_t plain[NET_KEPT_MAX + NET_TLS_READ_SIZE + TLS_ROOM];
    struct err err;
    size_t kept = s->kept.size, got;
    CHECK(kept <= NET_KEPT_MAX);
    int code = tls_input(s->tls, slice_of(cipher, size), plain + kept, sizeof plain - kept, &got, &err);
    if (s->stage == NET_STAGE_TLS && tls_is_open(s->tls)) s->stage = NET_STAGE_OPEN;
    if (got) {
        if (kept) memcpy(plain, s->kept.data, kept);
        net_socket_offer(s, plain, kept + got);
    }
    if (s->closing || s->ended) return;
    if (code) fail(s, code, &err);
    else if (!net_socket_flushed(s) && !s->write_error) net_socket_write_rest(s);
}

void net_socket_tls_input(struct net_socket *s, const uint8_t *cipher, size_t size)
{
    if (size && is_stranger(s, cipher, size)) return;
    for (size_t at = 0; at < size && !s->closing && !s->ended;) {
        size_t part = size - at < NET_TLS_READ_SIZE ? size - at : NET_TLS_READ_SIZE;
        input_part(s, cipher + at, part);
        at += part;
    }
}

void net_socket_tls_read(struct net_socket *s)
{
    uint8_t cipher[NET_TLS_READ_SIZE];
    ssize_t got = recv(s->fd, cipher, sizeof cipher, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        struct err err;
        if (got < 0) err_set_errno(&err, errno, "read");
        net_socket_end(s, got < 0 ? &err : NULL);
        return;
    }
    s->bytes_in += (uint64_t)got;
    net_socket_tls_input(s, cipher, (size_t)got);
    if (!s->closing) net_socket_watch(s);
}

void net_socket_tls_write(struct net_socket *s)
{
    struct buf *cipher = tls_ciphertext(s->tls);
    for (;;) {
        if (cipher->size && !net_socket_send(s, cipher)) break;
        if (!s->out || !tls_is_open(s->tls)) break;
        size_t part = s->out->size < NET_TLS_WRITE_SIZE ? s->out->size : NET_TLS_WRITE_SIZE;
        if (!tls_output(s->tls, slice_of(s->out->data, part))) {
            s->write_error = EPIPE;
            break;
        }
        buf_consume(s->out, part);
        if (!s->out->size) s->out = NULL;
    }
    if (!cipher->size && cipher->capacity > CIPHER_KEPT_MAX) buf_close(cipher);
    net_socket_watch(s);
}

bool net_socket_tls_waits(const struct net_socket *s)
{
    return tls_ciphertext(s->tls)->size > 0;
}

void net_socket_tls_close(struct net_socket *s)
{
    struct buf *cipher = tls_ciphertext(s->tls);
    bool waits = cipher->size > 0;
    tls_finish(s->tls);
    /* An end in the middle of what waits would be no end. */
    if (!waits && cipher->size && !s->write_error) net_socket_send(s, cipher);
    tls_close(s->tls);
    s->tls = NULL;
}
