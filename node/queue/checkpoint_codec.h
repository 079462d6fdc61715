/* The numbers that checkpoint.c and restore.c share (docs/formats/manifest.md). */
#ifndef WARREN_NODE_QUEUE_CHECKPOINT_CODEC_H
#define WARREN_NODE_QUEUE_CHECKPOINT_CODEC_H

#include "base/buf.h"
#include "base/reader.h"
#include "replication/store/store.h"

enum { MACHINE_VERSION = 1 };
enum page_kind { PAGE_SLOTTED = 0, PAGE_INDEXED = 1 };
enum { SLOT_FLAG_UNACKED = 1, SLOT_FLAG_REDELIVERED = 2, SLOT_FLAG_EXPIRES = 4, SLOT_FLAG_DELAYED = 8 };
enum { QUEUE_FLAG_HAD_CONSUMERS = 1, QUEUE_FLAG_UNUSED_TOLD = 2 };
enum { CONSUMER_ACTIVE = 1, CONSUMER_EXCLUSIVE = 2 };

static inline void location_encode(struct buf *b, struct location l)
{
    buf_put_le32(b, l.segment);
    buf_put_le32(b, l.offset);
    buf_put_le32(b, l.size);
}

static inline struct location location_decode(struct reader *r)
{
    struct location l;
    l.segment = reader_le32(r);
    l.offset = reader_le32(r);
    l.size = reader_le32(r);
    return l;
}

#endif
