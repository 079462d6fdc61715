/* What two nodes tell each other before a link is up (docs/formats/link.md):
 *
 *     dialler                      listener
 *        | HELLO  ------------------> |   who I am, which cluster, a nonce
 *        | <------------------ HELLO  |
 *        | PROOF  ------------------> |   HMAC over both hellos: I know the secret
 *        | <------------------ PROOF  |   so do I; the link is up
 *
 * Where links are TLS, the dialler's HELLO is plain, so that the listener learns which shard is wanted; everything
 * behind it is TLS, with certificates on both sides. The proofs cover that HELLO, too.
 *
 * The dialler proves first, so that whoever knocks at a listener learns nothing to try passwords on. Instead of any
 * answer stands REFUSE with words. Pure. Thread: any. */
#ifndef WARREN_REPLICATION_LINK_HELLO_H
#define WARREN_REPLICATION_LINK_HELLO_H

#include "base/buf.h"

enum {
    LINK_VERSION = 1,
    LINK_NONCE_SIZE = 16,
    LINK_DATA_ID_SIZE = 16,
    LINK_PROOF_SIZE = 32,      /* SHA-256 */
    LINK_NAME_MAX = 255,       /* bytes of a node's name and of its address */
    LINK_HANDSHAKE_MAX = 1024, /* bytes of any frame's payload before the link is up */
    LINK_REFUSAL_MAX = 400,    /* bytes of a refusal's words */
};

struct link_hello {
    uint8_t node;
    uint16_t shard, shard_count;
    uint32_t epoch, group_count;
    uint8_t nonce[LINK_NONCE_SIZE];
    uint16_t level; /* what the sender's program knows (router/members.h) */
    struct slice name, address;
    bool joins;                         /* the sender has no cluster yet and asks to become a member */
    uint8_t data_id[LINK_DATA_ID_SIZE]; /* of its disk */
    bool tls;         /* the sender's links are TLS: its bytes behind this hello are, and so must the answer be */
    uint16_t version; /* of the sender; filled also when it is not ours */
};

void link_hello_encode(struct buf *out, const struct link_hello *hello); /* the payload of a HELLO frame */
/* Slices borrow. ERR_FORMAT: not a hello; ERR_VERSION: one, but only `version` is filled. */
int link_hello_decode(struct slice payload, struct link_hello *hello);

enum link_refusal_kind {
    LINK_REFUSED_CROSSING = 1, /* nothing is wrong: another connection is being made, or is up */
    LINK_REFUSED_WRONG = 2,    /* a person must look */
};
void link_refusal_encode(struct buf *out, uint8_t kind, const char *words);
bool link_refusal_decode(struct slice payload, uint8_t *kind, char words[static LINK_REFUSAL_MAX + 1]); /* printable */

/* Both hellos as payloads. `of_dialler`: whose proof it is. */
void link_proof(uint8_t proof[static LINK_PROOF_SIZE], struct slice secret, bool of_dialler, struct slice dialler_hello,
                struct slice listener_hello);
bool link_proof_equal(const uint8_t proof[static LINK_PROOF_SIZE], struct slice given); /* in constant time */

#endif
