/* The write-ahead log of a shard: one sequence of records for all its groups, one fdatasync per turn over all of them.
 *
 * Thread:   the shard's; writing and syncing happen on the executor given (a thread of its own) while the loop goes on.
 * Lifetime: log_open() (blocking: recovers) .. log_close().
 * Files:    preallocated, recycled; docs/formats/log.md. Each flush is framed so that recovery can tell a torn tail
 * (dropped) from a hole in the middle (refused, ERR_CORRUPT, with file and offset). */
#ifndef WARREN_REPLICATION_LOG_LOG_H
#define WARREN_REPLICATION_LOG_LOG_H

#include "base/err.h"
#include "replication/entry.h"
#include "replication/sys/executor.h"
#include "replication/sys/fs.h"

struct log;

enum {
    LOG_FILE_SIZE_DEFAULT = 64 << 20,  /* bytes */
    LOG_CACHE_SIZE_DEFAULT = 32 << 20, /* bytes of entries kept in memory for followers that are a little behind */
};

struct log_params {
    struct fs *fs;
    struct executor *executor;
    const char *directory; /* of this shard's log */
    uint32_t
        group_count; /* groups are numbered 0 .. group_count - 1 in whole cluster; those of other shards stay empty */
    uint64_t file_size;
    uint64_t cache_size;
    uint64_t free_size; /* bytes of free files that wait to be recycled, at most (but LOG_FREE_FILES_MIN) */
    void (*failed)(void *arg,
                   const struct err *err); /* a write or sync failed: nothing after is durable; the node must stop */
    void *arg;
    bool skip_sync; /* planted bug, for the simulator only: report durable without fdatasync */
};

/* What recovery found of a group. */
struct log_group_state {
    uint64_t term;
    uint64_t voted_for;
    uint64_t snapshot_index; /* 0: none; "log replaced by snapshot" or trimmed up to here */
    uint64_t snapshot_term;
    uint64_t first_index; /* of the entries present; first > last: none */
    uint64_t last_index;
};

int log_open(struct log **log, const struct log_params *params, struct err *err);
void log_close(struct log *log); /* nothing may be in flight: log_idle() */
bool log_idle(const struct log *log);
void log_group_state(const struct log *log, uint32_t group, struct log_group_state *state);

/* Appends to the open flush. Nothing is written before log_flush() or the end of a flush under way. Each returns the
 * position (LSN) that must become durable. */
uint64_t log_append_vote(struct log *log, uint32_t group, uint64_t term, uint64_t voted_for);
/* Adds a reference to `entry`. An index at or below the last replaces everything from there on. Otherwise index = last
 * + 1. */
uint64_t log_append_entry(struct log *log, uint32_t group, struct entry *entry);
/* Everything of the group is replaced by a snapshot at this index. */
uint64_t log_append_snapshot(struct log *log, uint32_t group, uint64_t index, uint64_t term);

/* The replica is gone: nothing of the group is left but its vote. Entries begin at 1 again if it ever comes back. */
uint64_t log_forget_group(struct log *log, uint32_t group);

/* Starts writing what was appended, if the writer is free (else it starts by itself when it is). */
void log_flush(struct log *log);
uint64_t log_durable(const struct log *log); /* every position <= this is on stable storage */
/* Called on the shard's thread whenever log_durable() grew. */
void log_on_durable(struct log *log, void (*callback)(void *arg), void *arg);

/* Reading back: term of an entry (0 if not present), and the entry itself (a new reference; from memory, else read and
 * checked from the file: a short blocking read). NULL and err when it is not there or damaged. */
uint64_t log_entry_term(const struct log *log, uint32_t group, uint64_t index);
uint8_t log_entry_type(const struct log *log, uint32_t group, uint64_t index);
uint32_t log_entry_size(const struct log *log, uint32_t group, uint64_t index); /* bytes; 0 if not present */
struct entry *log_entry(struct log *log, uint32_t group, uint64_t index, struct err *err);

/* A durable checkpoint of the group covers `index`: entries up to `keep_from` - 1 may go. Files that no group needs are
 * recycled. */
void log_trim(struct log *log, uint32_t group, uint64_t snapshot_index, uint64_t snapshot_term, uint64_t keep_from);

/* For a timer of some seconds: gives a free file back to the file system if there were always more than enough since
 * the last call. */
void log_shrink(struct log *log);

/* What operators and the checkpoint policy look at. */
uint64_t log_group_bytes(const struct log *log, uint32_t group); /* of entries after the last trim's snapshot index */
uint64_t log_total_bytes(const struct log *log);                 /* of files in use */
uint64_t log_group_reach(const struct log *log,
                         uint32_t group); /* bytes of log from the group's oldest entry to the end; 0: it has none */
uint64_t log_sync_count(const struct log *log);

#endif
