/* A disk that forgets: files in memory, with what was synced kept apart; and the executors that write to it, stepped by
 * hand.
 *
 * A crash keeps each sector (512 bytes) that was not synced or not, as the seed says, so writes tear and reorder; names
 * that were made, moved or removed since the last sync of their folder are kept up to some point. A failed sync drops
 * the dirty sectors, as Linux does. Thread: one. */
#ifndef WARREN_TESTS_SIM_DISK_H
#define WARREN_TESTS_SIM_DISK_H

#include "replication/sys/executor.h"
#include "replication/sys/fs.h"

struct disk;

struct disk *disk_create(void);
void disk_destroy(struct disk *d);
struct fs *disk_fs(struct disk *d);
struct disk *disk_after_crash(const struct disk *d, uint64_t seed); /* what is left of it, as a new disk */

/* A crash in the middle of work: before the n-th change from now (0: the next one) of bytes, sizes or names, or sync,
 * what a crash would leave is put aside. disk_take_crashed gives it away once; NULL: no change came that far. */
void disk_crash_at(struct disk *d, uint64_t change, uint64_t seed);
struct disk *disk_take_crashed(struct disk *d);

void disk_fail_next_sync(struct disk *d);
void disk_fill(struct disk *d, bool full); /* writes fail for want of space */
/* Flips a bit of a file, synced or not; false: no such byte. */
bool disk_flip(struct disk *d, const char *path, uint64_t offset);
uint64_t disk_file_size(const struct disk *d, const char *path); /* 0 also when there is none */
/* The n-th name (in order) that begins with this; NULL: there are fewer. */
const char *disk_name(const struct disk *d, const char *prefix, size_t n);

struct executor *jobs_create(void);
void jobs_destroy(struct executor *e);
bool jobs_pending(const struct executor *e);
void jobs_step(struct executor *e); /* runs one and reports it */

#endif
