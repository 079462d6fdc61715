/* What the files of a socket share.
 *
 *     PROXY --> TLS --> OPEN      each stage only where the entrance has it
 *
 * The bytes behind a proxy's header go to the next stage at once. */
#ifndef WARREN_NODE_NET_SOCKET_INTERNAL_H
#define WARREN_NODE_NET_SOCKET_INTERNAL_H

#include "base/mem.h"
#include "node/net/net.h"
#include "replication/sys/loop.h"
#include "replication/sys/socket.h"

enum net_stage { NET_STAGE_PROXY, NET_STAGE_TLS, NET_STAGE_OPEN };

struct net_socket {
    struct loop_watch *watch;
    struct loop_timer *closer; /* exists from net_socket_close() on, to call `closed` from the loop */
    struct uv_loop_s *loop;
    const struct net_entrance *entrance;
    const struct net_socket_events *events;
    void *self;
    struct tls *tls; /* NULL: plain */
    struct buf kept; /* bytes that arrived and were not used yet */
    struct buf *out; /* what waits for the kernel; NULL: nothing */
    uint64_t bytes_in, bytes_out;
    int fd;
    int write_error; /* errno of a send() that failed; told from the loop, not from inside net_socket_write() */
    uint8_t stage;   /* enum net_stage */
    bool opened;     /* `opened` was called */
    bool wrote_part; /* a net_socket_write() waits for the kernel: `drained` is owed */
    bool read_enabled;
    bool minds_hangup; /* net_socket_mind_hangup() */
    bool ended;        /* `ended` was called: neither read nor written any more */
    bool closing;
    bool loopback;
    char peer[NET_ADDRESS_MAX], local[NET_ADDRESS_MAX];
};

/* socket.c */
void net_socket_watch(struct net_socket *s);
void net_socket_offer(struct net_socket *s, const uint8_t *data, size_t size); /* kept bytes and new ones, to `data` */
void net_socket_end(struct net_socket *s, const struct err *err);              /* NULL: in order */
void net_socket_write_rest(struct net_socket *s); /* what waits for the kernel; then `drained`, if it is owed */
/* One send(); false: the kernel is full, or it failed (write_error). Consumes what was sent. */
bool net_socket_send(struct net_socket *s, struct buf *bytes);

/* socket_proxy.c: bytes that come before the client is known. Returns how many are used up; the stage may be another
 * then. */
size_t net_socket_proxy_input(struct net_socket *s, const uint8_t *data, size_t size);
bool net_socket_expects_proxy(const struct net_entrance *e, const struct sockaddr_storage *peer);

/* socket_tls.c */
void net_socket_tls_start(struct net_socket *s);
void net_socket_tls_input(struct net_socket *s, const uint8_t *cipher, size_t size); /* may end the socket */
void net_socket_tls_read(struct net_socket *s);
void net_socket_tls_write(struct net_socket *s);       /* what is encrypted, then s->out */
bool net_socket_tls_waits(const struct net_socket *s); /* ciphertext waits for the kernel */
void net_socket_tls_close(struct net_socket *s);

#endif
