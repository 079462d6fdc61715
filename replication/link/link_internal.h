/* Inside the link room: a peer is another node, a connection one TCP connection to it.
 *
 *                dialled by us                              dialled by the peer
 *     CONNECTING --> HELLO_SENT --> PROOF_SENT              HELLO_SENT (theirs came with link_accept)
 *                                       |                        |
 *                  their PROOF is right +----------> UP <--------+ their PROOF is right, ours is sent
 *     any of them ---------------------------------> GONE   freed by the next tick: its callbacks may be on the stack
 *
 * Two connections that meet: the one dialled by the lower node id stays, unless the other belongs to a later life
 * (epoch) of the peer. Both ends decide so, each for itself. */
#ifndef WARREN_REPLICATION_LINK_LINK_INTERNAL_H
#define WARREN_REPLICATION_LINK_LINK_INTERNAL_H

#include "base/list.h"
#include "base/mem.h"
#include "replication/link/frame.h"
#include "replication/link/hello.h"
#include "replication/link/link.h"
#include "replication/sys/loop.h"
#include "replication/sys/socket.h"
#include "replication/sys/tls.h"

enum {
    LINK_TICK_MS = 1000, /* pings, silence, handshakes that take too long */
    LINK_HANDSHAKE_TICKS = 5,
    LINK_SILENCE_TICKS = LINK_SILENCE_MS / LINK_TICK_MS,
    LINK_PENDING_MAX = 64, /* connections whose handshake is not over; one more is closed */
    LINK_PROBE_MS = 200,   /* after a link closed: dial fast, to learn whether the process is dead */
    LINK_PROBE_EVERY_MS = 5,
    LINK_DIAL_MIN_MS = 50, /* pause between two dials */
    LINK_DIAL_MAX_MS = 1000,
    LINK_CROSSING_TICKS = 1,      /* a dial of ours that is older does not make the peer's wait */
    LINK_NOTE_AGAIN_TICKS = 60,   /* the same words about the same peer are noted again after so long */
    LINK_READ_SIZE = 256 << 10,   /* bytes of one read */
    LINK_OWN_BLOB_MIN = 32 << 10, /* a larger frame that is not there at once is read into a blob of its own */
    LINK_REST_MAX = LINK_OWN_BLOB_MIN + LINK_FRAME_HEAD,
    LINK_TLS_READ_SIZE = 64 << 10,   /* bytes of one read of ciphertext */
    LINK_TLS_WRITE_SIZE = 256 << 10, /* plaintext that is encrypted at a time */
    LINK_REFERENCE_MIN = 8 << 10,    /* a larger part is written from its blob, smaller ones are copied together */
    LINK_IOVECS_MAX = 128,           /* of one writev */
    LINK_SMALL_KEEP = 1 << 20,       /* the out buffer is given back when it grew beyond this and is empty */
};

enum { LINK_WARN = 1, LINK_INFO = 2 }; /* levels of params.note */

enum link_state {
    LINK_CONNECTING,
    LINK_HELLO_SENT,
    LINK_PROOF_SENT,
    LINK_UP,
    LINK_GONE,
    LINK_STATES,
};

/* What waits to be written, in order: runs of the out buffer (blob NULL) and parts of blobs. */
struct link_piece {
    struct blob *blob;
    uint32_t offset;
    uint64_t size;
};

struct link_out {
    struct buf small; /* bytes of the runs */
    size_t small_at;  /* the first that is not written */
    struct link_piece *pieces;
    size_t at, count, capacity;
    uint64_t bytes; /* waiting, of both kinds */
};

struct link_conn {
    struct links *links;
    struct link_peer *peer;
    struct list link;       /* links.conns or links.gone */
    struct list dirty_link; /* links.dirty */
    struct loop_watch *watch;
    int fd;
    struct tls *tls; /* NULL: plain, or the dialler's hello is not sent yet */
    enum link_state state;
    bool dialled;                 /* by us */
    bool blocked;                 /* the kernel took less than there was */
    bool overrun;                 /* the peer does not read: cut by the next flush */
    bool written;                 /* since the last tick */
    unsigned ticks;               /* since the last byte came (up) or since the start */
    uint32_t epoch;               /* the peer's, of this connection's hello */
    struct buf hello, peer_hello; /* payloads */
    struct buf rest;              /* a part of a frame */
    struct blob *big;             /* a frame that gets a blob of its own; */
    size_t big_filled;            /* so much of it has come */
    struct link_out out;
};

struct link_peer {
    struct links *links;
    uint8_t node;
    bool ever_up;
    bool dead_told; /* since the last link broke */
    bool removed;   /* refused, for `why_removed` */
    bool expects;   /* `data_id` is the only one that may be */
    uint8_t data_id[LINK_DATA_ID_SIZE];
    char why_removed[LINK_NAME_MAX + 1];
    bool known_name; /* the dialled address is a name: what the peer tells does not replace it */
    uint8_t dialled_address;
    uint32_t epoch; /* of the last hello */
    char name[LINK_NAME_MAX + 1];
    char address[2][LINK_NAME_MAX + 1]; /* the one to dial, and another that was told or configured (may be empty) */
    struct link_conn *up, *dialling;
    struct loop_timer *timer; /* the next dial */
    struct loop_lookup *lookup;
    struct sockaddr_storage resolved; /* of address[0], when a dial to it succeeded */
    socklen_t resolved_size;
    uint64_t probe_until_ms;
    uint32_t backoff_ms;
    uint16_t level;            /* of its program */
    char noted[ERR_TEXT_SIZE]; /* the last words about it */
    unsigned noted_ticks;
};

struct links {
    struct link_params params;
    bool open;      /* see link_set_open() */
    uint16_t level; /* see link_demand_level() */
    uint8_t data_id[LINK_DATA_ID_SIZE];
    char *node_name, *listen_address;
    struct buf secret;
    struct link_peer *peers[LINK_NODES_MAX];
    struct list conns, gone, dirty;
    unsigned pending; /* connections whose handshake is not over */
    struct loop_timer *tick;
    bool closing;
};

/* conn.c: a connection's bytes */
struct iovec;
struct link_conn *link_conn_open(struct links *l, struct link_peer *peer, int fd, bool dialled, enum link_state state);
void link_conn_cut(struct link_conn *c, const char *why); /* closes; the peer is told (peer.c) */
void link_conn_put(struct link_conn *c, uint8_t type, struct slice head, const struct part *parts, uint32_t count);
void link_conn_flush(struct link_conn *c); /* may cut */
void link_conn_tick(struct link_conn *c);  /* may cut */
void link_conn_move(struct link_conn *c, enum link_state to);
void link_conn_free(struct link_conn *c);
void link_conn_end(struct link_conn *c, int error, const char *why); /* the same; `error`: of the connect */
void link_conn_take(struct link_conn *c, uint8_t *bytes, size_t kept, size_t got); /* of which `kept` are c->rest */
bool link_conn_write(struct link_conn *c, struct iovec *iovecs, int count, size_t bytes, size_t *sent); /* may cut */

/* conn_tls.c */
void link_conn_secure(struct link_conn *c);    /* what follows is TLS */
void link_conn_tls_flush(struct link_conn *c); /* may cut */
void link_conn_tls_read(struct link_conn *c);  /* may cut */

/* out.c: what waits to be written */
void link_out_put(struct link_out *o, uint8_t type, struct slice head, const struct part *parts, uint32_t count);
int link_out_iovecs(const struct link_out *o, struct iovec *iovecs, int max, size_t *bytes);
void link_out_written(struct link_out *o, size_t bytes);
void link_out_close(struct link_out *o);

/* handshake.c */
void link_handshake_start(struct link_conn *c);                                     /* we dialled and are connected */
void link_handshake_frame(struct link_conn *c, uint8_t type, struct slice payload); /* may cut */

/* peer.c: which connection is the link; dialling */
struct link_peer *link_peer_get(struct links *l, uint8_t node); /* NULL: not a member */
void link_peer_note(struct link_peer *p, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));
void link_peer_told_address(struct link_peer *p, struct link_conn *c, struct slice address);
/* Whom a hello comes from; a peer is made of a stranger who may be taken in. NULL: a stranger who may not. */
struct link_peer *link_peer_of_hello(struct links *l, const struct link_hello *h);
/* May this connection become (or, early, try to become) the link? */
bool link_peer_wants(const struct link_peer *p, const struct link_conn *c);
void link_peer_up(struct link_conn *c);
void link_peer_lost(struct link_conn *c, int error); /* a connection ended; `error`: of the connect, else 0 */
void link_peer_dial_later(struct link_peer *p);
void link_peer_close(struct link_peer *p);

#endif
