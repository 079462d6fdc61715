/* One Raft entry: the chunks of a turn, as references to the blobs they came in.
 *
 * On the leader an entry is a header part and one part per chunk; on a follower (and after a restart) it is one part with
 * the same bytes. Both read alike through entry_cursor. Layout: docs/formats/entry.md
 *
 *     u8 version (1) | u8[7] zero | le64 time_ms of the leader | chunk | chunk | ...        each chunk starts with le32 its size
 *
 * Thread:   any; immutable once sealed, the count is atomic (the log's thread holds one).
 * Lifetime: entry_create()/entry_from_blob() give one reference; entry_unref() drops one and, with the last, the blobs'. */
#ifndef WARREN_REPLICATION_ENTRY_H
#define WARREN_REPLICATION_ENTRY_H

#include "base/blob.h"

enum entry_type { ENTRY_COMMAND = 1, ENTRY_BARRIER = 2, ENTRY_CHANGE = 3 }; /* Raft's own numbers; only COMMAND has a header */

enum { ENTRY_VERSION = 1, ENTRY_HEADER_SIZE = 16, ENTRY_PART_COUNT_MAX = 1024 };

struct entry {
    atomic_uint references;
    uint8_t type; /* enum entry_type */
    uint64_t index;
    uint64_t term;
    uint32_t size;       /* bytes of all parts together */
    uint32_t part_count; /* <= ENTRY_PART_COUNT_MAX */
    struct part parts[]; /* each holds a reference to its blob */
};

struct entry *entry_create(uint8_t type, uint64_t index, uint64_t term, const struct part *parts, uint32_t part_count); /* takes over the references */
struct entry *entry_from_blob(uint8_t type, uint64_t index, uint64_t term, struct blob *blob, uint32_t offset, uint32_t size); /* adds a reference */
struct entry *entry_ref(struct entry *e);
void entry_unref(struct entry *e); /* NULL is fine */

/* The header part of a command entry with this clock: a blob with one reference. */
struct part entry_header(uint64_t time_ms);

/* Walks the chunks of a command entry.
 *   entry_cursor_init   ERR_VERSION / ERR_FORMAT when the header is not one this build reads
 *   entry_cursor_next   true: *chunk is the next chunk, size field included, lying in *blob at *offset (borrowed);
 *                       false: the end, or (cursor->failed) the bytes do not divide into chunks */
struct entry_cursor {
    const struct entry *entry;
    uint32_t part;   /* current part */
    uint32_t offset; /* within it */
    uint64_t time_ms;
    bool failed;
};
int entry_cursor_init(struct entry_cursor *c, const struct entry *e);
bool entry_cursor_next(struct entry_cursor *c, struct part *chunk);

#endif
