/* The manifest: a checkpoint's root (docs/formats/manifest.md). One file, whole or not at all.
 *
 *     "WMAN" | le32 version | le64 index | le64 term | le64 configuration index | counted configuration
 *     le32 lineage | le32 next segment | varint count, then per segment le32 id, le32 size | counted machine part |
 * le64 XXH3 of all before
 *
 * Pure; any thread. */
#ifndef WARREN_REPLICATION_STORE_MANIFEST_H
#define WARREN_REPLICATION_STORE_MANIFEST_H

#include "base/buf.h"
#include "base/err.h"
#include "base/reader.h"

enum { MANIFEST_VERSION = 1 };

struct manifest {
    uint64_t index, term, configuration_index;
    struct slice configuration;
    uint32_t lineage;
    uint32_t next_segment;
    uint32_t segment_count;
    struct slice segments; /* segment_count times le32 id, le32 size; ids rising and below next_segment */
    struct slice machine;
};

struct manifest_segment {
    uint32_t id;
    uint32_t size;
};

void manifest_encode(const struct manifest *m, struct buf *b);
/* Slices of `m` borrow from `bytes`. ERR_CORRUPT, ERR_VERSION. */
int manifest_decode(struct slice bytes, struct manifest *m, struct err *err);
struct manifest_segment manifest_segment(const struct manifest *m, uint32_t i);

#endif
