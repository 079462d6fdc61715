/* The links of one shard: one TCP connection to the same shard of every other node, up as long as both live.
 *
 * Thread:   the shard's loop. Lifetime: link_open() .. link_close() (asynchronous, over in `closed`).
 * Promise:  per peer first in, first out, nothing twice; what was sent on a link that broke is lost, and told by
 * `down`. Each life of a link has a generation; frames of an old one never arrive. Frames:   docs/formats/link.md. The
 * handshake proves knowledge of the cluster secret both ways (HMAC-SHA256 over both nonces), and that cluster, shard
 * count and group count agree; a refusal is noted in clear words on both sides. */
#ifndef WARREN_REPLICATION_LINK_LINK_H
#define WARREN_REPLICATION_LINK_LINK_H

#include "base/blob.h"
#include "base/err.h"

struct links;
struct tls_context;
struct uv_loop_s;

enum {
    LINK_NODES_MAX = 64,
    LINK_FRAME_MAX = 256 << 20, /* bytes; a peer that announces more is cut off */
    LINK_QUEUE_MAX = 128 << 20, /* bytes waiting towards one peer; beyond, the link is cut (the peer does not read) */
    LINK_SILENCE_MS = 5000,     /* a link without a byte for so long is cut (pings flow every second) */
};

struct link_params {
    struct uv_loop_s *loop;
    uint8_t node;
    uint32_t epoch; /* of this node's life; told to peers */
    uint16_t shard, shard_count;
    uint32_t group_count;
    const char *node_name;
    const char *listen_address; /* host:port told to peers ("call me here"); the port for shard s is the same: the
                                   handshake names the shard */
    const uint8_t *data_id;     /* of this node's disk, 16 bytes; NULL: none is told */
    uint16_t level;             /* what this program knows, told to peers */
    bool joins;                 /* this node asks to become a member */
    const uint8_t *secret;      /* may be empty when there are no peers */
    size_t secret_size;
    /* Both or none. They must verify peers. On all nodes or none. */
    struct tls_context *tls_listener, *tls_dialler;

    void *self;
    /* The link to `node` is up (the peer's epoch and name) / gone. `dead`: its process is known dead (closed and
     * connect refused); may be called again with dead == true after a down with false. */
    void (*up)(void *self, uint8_t node, uint32_t epoch, const char *name);
    void (*down)(void *self, uint8_t node, bool dead);
    /* A frame: bytes in `blob` (keep by reference if needed). */
    void (*frame)(void *self, uint8_t node, uint8_t type, struct blob *blob, uint32_t offset, uint32_t size);
    /* The peer is reached under another address than configured: worth remembering. */
    void (*address)(void *self, uint8_t node, const char *address);
    void (*note)(void *self, int level, const char *line);
    void (*closed)(void *self);
};

int link_open(struct links **links, const struct link_params *params, struct err *err);
void link_close(struct links *links);
/* Dials (and dials again, every 50 ms rising to 1 s) until the link is up. */
void link_add_peer(struct links *links, uint8_t node, const char *address);
/* Dials an address whose node is not known: whoever answers there becomes a peer. Two at most. */
void link_join(struct links *links, const char *address);
/* The peer's disk has this id; another one is refused in words, and cut when it is linked already. All zero: not
 * known. */
void link_expect(struct links *links, uint8_t node, const uint8_t *data_id);
/* Cuts the link; the peer is refused with `why` from now on, until it is added again. */
void link_remove_peer(struct links *links, uint8_t node, const char *why);
/* Open: nodes that are no peers yet are taken in when they prove the secret; while this node knows no members. Closed:
 * only those that ask to join. */
void link_set_open(struct links *links, bool open);
/* From now on a peer whose program knows less than `level` is refused in words. 0, at first: nobody is. */
void link_demand_level(struct links *links, uint16_t level);
bool link_has_peer(const struct links *links, uint8_t node);
const char *link_peer_address(const struct links *links, uint8_t node);    /* "": not known */
const uint8_t *link_peer_data_id(const struct links *links, uint8_t node); /* of the last hello; NULL: never seen */
uint16_t link_peer_level(const struct links *links, uint8_t node);         /* of the last hello; 0: never seen */
/* A connection that a listener accepted and whose hello (already read and checked for form) names this shard: takes
 * over the file descriptor. The listener, link_listen(), may run on any one shard of the node. */
void link_accept(struct links *links, int fd, struct slice hello);

/* Listens for peers on host:port; `accepted` gets each connection's descriptor with its hello once that is read (within
 * 5 s), and the shard it names. */
struct link_listener;
int link_listen(struct link_listener **l, struct uv_loop_s *loop, const char *address,
                void (*accepted)(void *self, int fd, uint16_t shard, struct slice hello), void *self, struct err *err);
void link_listener_close(struct link_listener *l, void (*closed)(void *self));

/* Garbage and strangers are told to `note` (level 1, one line), with the listener's self. */
void link_listener_on_note(struct link_listener *l, void (*note)(void *self, int level, const char *line));
const char *link_listener_address(const struct link_listener *l); /* as bound */

bool link_up(const struct links *links, uint8_t node);
uint32_t link_peer_epoch(const struct links *links, uint8_t node); /* of the last hello; 0: never seen */
uint64_t link_queued_bytes(const struct links *links, uint8_t node);
/* Appends a frame (head, then parts, back to back) to what this turn sends; takes references to the parts' blobs.
 * Dropped silently if the link is down. */
void link_send(struct links *links, uint8_t node, uint8_t type, struct slice head, const struct part *parts,
               uint32_t part_count);
/* Ends the turn: one writev per link with something to send. */
void link_flush(struct links *links);

/* This node took a new epoch: told to the peers that are linked, and in later hellos. */
void link_set_epoch(struct links *links, uint32_t epoch);

#endif
