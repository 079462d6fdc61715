/* Sockets of clients: bytes only, no AMQP. What stands in front of AMQP is over when `opened` comes: a proxy's header,
 * the handshake of TLS.
 *
 * Thread:   a listener's and a socket's loop. Lifetime: net_*_open/start .. close (asynchronous, over in the callback).
 * One read buffer per shard is shared by its sockets; one write (writev) per socket and turn. A socket can be stopped
 * reading (back-pressure) at any time. */
#ifndef WARREN_NODE_NET_NET_H
#define WARREN_NODE_NET_NET_H

#include "base/buf.h"
#include "base/err.h"
#include "node/net/range.h"

struct uv_loop_s;
struct tls_context;
struct tls;
struct net_listener;
struct net_socket;

enum {
    NET_READ_SIZE = 256 << 10, /* bytes of one read */
    NET_KEPT_MAX = 256 << 10, /* unused bytes of a socket from which on it is not read; larger than the largest frame */
    NET_TLS_READ_SIZE = 64 << 10,   /* bytes of one read of ciphertext */
    NET_TLS_WRITE_SIZE = 256 << 10, /* plaintext that is encrypted at a time */
    NET_TLS_OWED_MAX = 512 << 10,   /* ciphertext that waits for the kernel, from which on a socket is not read */
    NET_ADDRESS_MAX = 64,
    NET_KEEPALIVE_S = 60, /* the kernel asks a silent peer after so long, once its hang-up was minded */
};

enum net_proxy {
    NET_PROXY_NONE,
    NET_PROXY_NEEDED, /* each client begins with a proxy's header */
    NET_PROXY_AUTO,   /* the proxies among `trusted` may send one; all others speak for themselves */
};

/* What stands in front of AMQP at a listener. Shared by its sockets, outlives them. */
struct net_entrance {
    struct tls_context *tls; /* NULL: plain */
    enum net_proxy proxy;
    const struct net_range *trusted; /* whose headers count; NEEDED with none: everybody's */
    size_t trusted_count;
};

/* What the kernel does for a client's connection. */
struct net_options {
    bool nodelay, keepalive;
    bool reset;                      /* what is unsent at the end is dropped, the client sees a reset */
    int send_buffer, receive_buffer; /* bytes; 0: the kernel's choice */
};
void net_tune(int fd, const struct net_options *options); /* an accepted descriptor */

/* `accepted` gets a connected descriptor (non-blocking, TCP_NODELAY set as told); it may be handed to another shard's
 * net_socket_open(). */
/* `address`: host:port, [v6]:port, or the port alone for all addresses. */
int net_listen(struct net_listener **l, struct uv_loop_s *loop, const char *address, int backlog,
               void (*accepted)(void *self, int fd), void *self, struct err *err);
void net_listener_close(struct net_listener *l, void (*closed)(void *self)); /* `closed` may be NULL */
const char *net_listener_address(const struct net_listener *l);              /* as bound, host:port */

struct net_socket_events {
    /* The first byte of the conversation itself is here: peer, local and TLS facts are final. `data` follows. */
    void (*opened)(void *self);
    /* Bytes arrived: returns how many were used; the rest is kept and given again, in front of the next bytes or on
     * net_socket_poke(). */
    size_t (*data)(void *self, const uint8_t *data, size_t size);
    /* All that was handed over was written (only after a net_socket_write() that could not finish at once). */
    void (*drained)(void *self);
    /* The peer closed, or the socket broke (err has the words; NULL: orderly end). Call net_socket_close() soon. */
    void (*ended)(void *self, const struct err *err);
    void (*closed)(void *self); /* last call; the socket is freed after it */
};

/* Takes over the descriptor, also when it fails. The first read comes with the loop's next iteration. */
int net_socket_open(struct net_socket **s, struct uv_loop_s *loop, int fd, const struct net_entrance *entrance,
                    const struct net_socket_events *events, void *self, struct err *err);
void net_socket_close(struct net_socket *s);
/* Writes from the front of `out` what the kernel takes now and consumes it; the rest stays in `out` and is written when
 * the socket is writable again (then `drained`). `out` must stay valid until close. */
void net_socket_write(struct net_socket *s, struct buf *out);
bool net_socket_flushed(const struct net_socket *s); /* nothing of what was handed over waits for the kernel */
void net_socket_read(struct net_socket *s, bool enabled);
/* The peer's end counts also while it is not read, though bytes that it sent before are lost by that. For pauses that
 * may be long: else a peer that left is noticed when it is read again. */
void net_socket_mind_hangup(struct net_socket *s, bool enabled);
void net_socket_poke(struct net_socket *s);              /* offers kept bytes again */
const char *net_socket_peer(const struct net_socket *s); /* host:port; the client's, as a proxy tells it */
const char *net_socket_local(const struct net_socket *s);
bool net_socket_is_secure(const struct net_socket *s);        /* TLS: agreed on */
const struct tls *net_socket_tls(const struct net_socket *s); /* NULL: plain */
bool net_socket_is_loopback(const struct net_socket *s);
uint64_t net_socket_bytes_in(const struct net_socket *s);
uint64_t net_socket_bytes_out(const struct net_socket *s);

#endif
