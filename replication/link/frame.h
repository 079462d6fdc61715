/* Frames of a link, as bytes (docs/formats/link.md):
 *
 *     0         4         8      9
 *     +---------+---------+------+---------
 *     | le32    | le32    | u8   | size
 *     | checksum| size    | type | bytes
 *     +---------+---------+------+---------
 *               '---- checksum covers ----'     the low 32 bits of XXH3
 *
 * Pure. Thread: any. */
#ifndef WARREN_REPLICATION_LINK_FRAME_H
#define WARREN_REPLICATION_LINK_FRAME_H

#include "base/blob.h"
#include "base/buf.h"

enum { LINK_FRAME_HEAD = 9, LINK_CHECKSUM_FROM = 4 };

/* Types of the link itself; those of its users are below. */
enum link_own_type {
    LINK_OWN_TYPES = 0xf0,
    LINK_HELLO = 0xf0,
    LINK_PROOF = 0xf1,
    LINK_REFUSE = 0xf2,
    LINK_PING = 0xf3,
    LINK_EPOCH = 0xf4,
};

enum link_frame_state {
    LINK_FRAME_WHOLE,   /* the frame is there */
    LINK_FRAME_PARTIAL, /* `size` is known if a head is there, else 0 */
    LINK_FRAME_TOO_BIG, /* it announces more than size_max */
};

struct link_frame {
    uint8_t type;
    uint32_t size; /* bytes of the payload, behind LINK_FRAME_HEAD */
};

/* Looks at the front of `bytes`. The checksum is not looked at. */
enum link_frame_state link_frame_peek(struct slice bytes, uint32_t size_max, struct link_frame *frame);
/* `frame`: head and payload, whole. */
bool link_frame_intact(struct slice frame);

static inline struct slice link_frame_payload(struct slice frame)
{
    return slice_of(frame.data + LINK_FRAME_HEAD, frame.size - LINK_FRAME_HEAD);
}

void link_frame_put(struct buf *out, uint8_t type, struct slice payload);

/* A frame of several pieces. All of them are copied behind `out`. */
void link_frame_put_parts(struct buf *out, uint8_t type, struct slice head, const struct part *parts, uint32_t count);
/* Only the head, for a frame whose pieces are written from where they are. */
void link_frame_put_head(struct buf *out, uint8_t type, struct slice head, const struct part *parts, uint32_t count);
uint64_t link_frame_size(struct slice head, const struct part *parts, uint32_t count); /* of the payload */

#endif
