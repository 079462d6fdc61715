/* Segments and checkpoints of one group replica: messages that outlived the log, and the machine's state without
 * bodies.
 *
 * A checkpoint writes the live messages that have no segment yet to new segment files, syncs them, writes a manifest
 * (which names index, term, configuration, segments and holds the machine's part), syncs, and makes it current by
 * rename. A segment's file is unlinked when the machine needs nothing of it any more AND the current manifest does not
 * either. Segments with few live bytes are rewritten by the next checkpoint. docs/formats/segment.md,
 * docs/formats/manifest.md
 *
 * Thread:   the group's shard; files are written and read on the executor given, except page indexes (cheap, said
 * below). Lifetime: store_open() (blocking) .. store_close(). */
#ifndef WARREN_REPLICATION_STORE_STORE_H
#define WARREN_REPLICATION_STORE_STORE_H

#include "base/blob.h"
#include "base/buf.h"
#include "base/err.h"
#include "replication/sys/executor.h"
#include "replication/sys/fs.h"

struct store;
struct checkpoint;

enum {
    STORE_SEGMENT_SIZE_MAX = 64 << 20, /* bytes; a checkpoint begins another file beyond */
    STORE_READ_SIZE = 256 << 10,       /* bytes of one read-ahead block */
    STORE_CACHE_BLOCKS = 16,           /* read-ahead blocks kept per group, at most */
};

/* Where a message's content lies: 12 bytes. segment 0: nowhere yet. */
struct location {
    uint32_t segment;
    uint32_t offset; /* of the content within the file */
    uint32_t size;   /* bytes of the content */
};

struct store_params {
    struct fs *fs;
    struct executor *executor;      /* checkpoints */
    struct executor *read_executor; /* reads: they must not stand behind a long checkpoint; may be the same in tests */
    const char *directory;          /* of this group replica */
    /* A segment turned out to be damaged or unreadable: this replica cannot go on, the node must stop. May be NULL. */
    void (*failed)(void *arg, const struct err *err);
    void *arg;
};

/* What the current manifest says; manifest.size == 0: there is none. Slices borrow from the store until the next
 * checkpoint. */
struct store_manifest {
    uint64_t index;
    uint64_t term;
    uint64_t configuration_index;
    struct slice configuration; /* as the group encoded it */
    struct slice machine;       /* the machine's part */
};

int store_open(struct store **store, const struct store_params *params, struct err *err);
void store_close(struct store *store); /* no checkpoint, read or transfer may run */
bool store_idle(const struct store *store);
void store_fail(struct store *store, const struct err *err); /* tells the owner */
void store_manifest(const struct store *store, struct store_manifest *manifest);

/* --- the life of a message in segments (called by the machine) --- */
/* The machine needs the message at `where` no more (acked, purged). Counts only; files go with a later checkpoint. */
void store_release(struct store *store, struct location where);
/* After a restore, for each message the manifest's machine part refers to (paged-out pages count through
 * store_retain_bytes). */
void store_retain(struct store *store, struct location where);
void store_retain_bytes(struct store *store, uint32_t segment, uint64_t bytes);
void store_release_bytes(struct store *store, uint32_t segment, uint64_t bytes);
/* True if there is a segment that can hold this content: a manifest's locations are checked so. */
bool store_has(const struct store *store, struct location where);
/* Group and machine are about to go: what they release from here on stays where it is. */
void store_close_counts(struct store *store);
/* Drops all counts (before a restore fills them anew). */
void store_forget_counts(struct store *store);
/* True if the checkpoint being made should move what lives in this segment to a new one. */
bool store_evacuating(const struct store *store, uint32_t segment);

/* --- reading contents --- */
/* The content if it is in the cache: a part that borrows the blob (take a reference to keep it); else .blob == NULL. */
struct part store_cached(struct store *store, struct location where);
/* Reads it (and its neighbours, ahead) into the cache; `ready` runs on this shard, once, with the content or .blob ==
 * NULL and err. Several fetches of one block share one read. A checksum failure is ERR_CORRUPT and names segment and
 * offset. */
typedef void (*store_fetch_cb)(void *arg, struct part content, const struct err *err);
void store_fetch(struct store *store, struct location where, store_fetch_cb ready, void *arg);
/* Reads bytes of a segment at once (index pages of deep queues: some 16 KiB each, read ahead by hint, so cheap). */
int store_read_now(struct store *store, uint32_t segment, uint32_t offset, void *data, uint32_t size, struct err *err);
void store_read_hint(struct store *store, uint32_t segment, uint32_t offset, uint32_t size);

/* --- checkpoints (begun by the group, filled by the machine) --- */
bool store_checkpoint_running(const struct store *store);
struct checkpoint *store_checkpoint_begin(struct store *store, uint64_t index, uint64_t term,
                                          uint64_t configuration_index, struct slice configuration);
/* Adds a content and says at once where it will lie. checkpoint_add: takes a reference to the part's blob.
 * checkpoint_move: the content is copied from an older segment by the writer. Both count the message as live there
 * (move: no longer live in the old). */
struct location checkpoint_add(struct checkpoint *c, struct part content);
struct location checkpoint_move(struct checkpoint *c, struct location from);
/* Adds raw bytes (a page index) to the same files; they are read by store_read_now. Not counted. The bytes are copied.
 */
struct location checkpoint_add_raw(struct checkpoint *c, struct slice bytes);
/* Following contents go to a file of their own from here (a deep queue begins or ends). */
void checkpoint_new_segment(struct checkpoint *c);
struct buf *checkpoint_manifest(struct checkpoint *c); /* the machine appends its part here */
/* Writes it all; `done` runs on this shard when the manifest is durable and current, or with the reason why not (then
 * nothing changed, and the new segments are gone). Takes over `c`. */
typedef void (*store_checkpoint_cb)(void *arg, const struct err *err); /* err NULL: durable */
void store_checkpoint_run(struct store *store, struct checkpoint *c, store_checkpoint_cb done, void *arg);

/* --- figures --- */
uint64_t store_disk_bytes(const struct store *store); /* of segment files */
uint64_t store_live_bytes(const struct store *store);
struct store_figures { /* nothing but uint64_t */
    uint64_t segments; /* files */
    uint64_t disk_bytes, live_bytes;
    /* Since it was opened: contents asked of segments and given to them; indexes of pages; checkpoints that became
     * durable. */
    uint64_t reads, writes, index_reads, index_writes, checkpoints;
};
void store_figures(const struct store *store, struct store_figures *figures);

/* --- streaming to a lagging replica (replication/store/transfer.h has both ends) --- */

#endif
