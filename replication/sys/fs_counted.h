/* An fs in front of another that counts what is asked of it: operations, bytes and time. For metrics.
 *
 * Thread:   any, as fs.h says; figures may be read at any time from any thread.
 * Lifetime: fs_counted_init() before the first file is opened; it and `inner` outlive all files. Nothing to close. */
#ifndef WARREN_REPLICATION_SYS_FS_COUNTED_H
#define WARREN_REPLICATION_SYS_FS_COUNTED_H

#include <stdatomic.h>

#include "replication/sys/fs.h"

enum fs_count {
    FS_READS,
    FS_READ_BYTES,
    FS_READ_NS,
    FS_WRITES,
    FS_WRITE_BYTES,
    FS_WRITE_NS,
    FS_SYNCS, /* of files and of folders */
    FS_SYNC_NS,
    FS_OPENS,
    FS_COUNTS
};

struct fs_counted {
    struct fs fs; /* the one to use */
    struct fs *inner;
    _Atomic uint64_t counts[FS_COUNTS];
};

void fs_counted_init(struct fs_counted *c, struct fs *inner);
void fs_counted_add(const struct fs_counted *c, uint64_t sums[FS_COUNTS]); /* adds */

#endif
