/* Mail: what ports and groups say to each other, the same types whatever carries them.
 *
 * Three carriers: a call (same shard), a ring (another shard of this node), a link frame (another node). All promise:
 * in order per sender and receiver, at most once, loss told (a change of the leader table, leaders.h).
 *
 * All mail about a group passes the shard of that group on the sender's node and on the receiver's node, so its order
 * follows from the rings' and the links' order.
 *
 * Ownership: a struct mail moves with the post; mail_destroy() drops what it holds. Thread: its holder's. */
#ifndef WARREN_NODE_MAIL_MAIL_H
#define WARREN_NODE_MAIL_MAIL_H

#include "base/list.h"
#include "node/queue/effect.h"

enum mail_type {
    /* port -> group */
    MAIL_CHUNK = 1, /* part: the chunk */
    MAIL_HELLO,     /* a: dseq in hand, b: 1 if commands of the port had been applied before */
    /* group -> port */
    MAIL_EFFECTS, /* effects for ports of one shard (ring) or one node (link) */
    MAIL_WELCOME, /* the same, answering MAIL_HELLO of `port` */
    /* who leads: from the group's shard to its siblings (ring), from a new leader to every node (link) */
    MAIL_LEADER, /* a: node (0: unknown), b: generation */
    /* topology: from shard 0 to its siblings and back; from every node to the meta leader */
    MAIL_TOPOLOGY,         /* a: index; part: the command, empty: the whole topology follows in `part` of the next */
    MAIL_TOPOLOGY_WHOLE,   /* a: index; part: topology_encode() */
    MAIL_TOPOLOGY_APPLIED, /* a: index; on a link: this node has applied up to there on all shards */
    /* membership (membership.c): from each group's leader to the meta leader, and back */
    MAIL_GROUP_REPORT, /* term; a: index of the configuration, b: 1 if one is on its way; part: per member u8 node,
                          u8 role, u8 1 if it has caught up */
    MAIL_GROUP_ORDER,  /* term: of the group's leader; a: enum group_order, b: node; port: index of the configuration */
    /* node-wide, between shards */
    MAIL_EPOCH, /* a: the node's new epoch; ports of older ones are gone */
    /* limits: from every shard to all others of the cluster */
    MAIL_CENSUS, /* part: its counts; on a ring a: whose shard, b: whose node */
};

struct mail {
    struct list link; /* the holder's */
    uint8_t type;
    uint8_t node;   /* the sender's */
    uint16_t shard; /* the sender's */
    uint32_t group;
    uint64_t term; /* of the leader that the mail is for or from */
    uint64_t port;
    uint64_t a, b;
    struct part part;       /* holds a reference */
    struct effects effects; /* holds its references */
};

struct mail *mail_create(uint8_t type);
void mail_destroy(struct mail *m);

/* Copies an effect into a mail, holding what it points to. */
void mail_add_effect(struct mail *m, const struct effect *e);

/* --- the link's form (docs/formats/mail.md) --- */
enum { MAIL_FRAME = 16 /* type of the link's frame */ };
/* Appends the mail's bytes to `head`; a MAIL_CHUNK's part is sent behind it (mail_frame_part). */
void mail_encode(const struct mail *m, struct buf *head);
/* Reads a frame that lies in `blob`: parts in the mail refer to it. NULL: the bytes are no mail (a peer's fault). */
struct mail *mail_decode(struct blob *blob, uint32_t offset, uint32_t size);

#endif
