/* Bytes that are written once, then shared: a chunk of commands, a raft entry that came from a peer, a block of a
 * segment.
 *
 * Thread:   any. The count is atomic, so one chunk serves the session that keeps it for a retry, the group's shard, the
 *           log's thread and the checkpoint's thread without a copy (docs/decisions/0002-shared-blobs.md). There is one
 *           blob per chunk or entry, never one per message.
 * Lifetime: blob_create() gives one reference; the memory goes with the last blob_unref(). The bytes must not change
 *           after the blob was shared for the first time. */
#ifndef WARREN_BASE_BLOB_H
#define WARREN_BASE_BLOB_H

#include <stdatomic.h>

#include "base/slice.h"

struct blob {
    atomic_uint references;
    uint32_t size; /* bytes of `data` in use */
    uint8_t data[];
};

struct blob *blob_create(size_t size);                 /* uninitialised bytes, one reference */
struct blob *blob_copy(const void *, size_t);          /* a blob with these bytes */
struct blob *blob_resize(struct blob *b, size_t size); /* only while it has one reference; may move */

static inline struct blob *blob_ref(struct blob *b)
{
    atomic_fetch_add_explicit(&b->references, 1, memory_order_relaxed);
    return b;
}
void blob_unref(struct blob *b); /* NULL is fine */

/* A part of a blob. Whether it holds a reference is said where it is stored. */
struct part {
    struct blob *blob;
    uint32_t offset;
    uint32_t size;
};

static inline struct slice part_slice(struct part p)
{
    return p.blob ? slice_of(p.blob->data + p.offset, p.size) : slice_of(NULL, 0);
}

#endif
