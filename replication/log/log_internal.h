/* Inside the log: records, files, trails. Layout: docs/formats/log.md. */
#ifndef WARREN_REPLICATION_LOG_INTERNAL_H
#define WARREN_REPLICATION_LOG_INTERNAL_H

#include "base/buf.h"
#include "base/mem.h"
#include "base/reader.h"
#include "replication/log/log.h"

enum {
    RECORD_HEADER_SIZE = 40,
    RECORD_ALIGN = 8,
    FILE_VERSION = 1,
    FILE_HEADER_ALIGN = 4096,
    LOG_FREE_FILES_MIN = 2,    /* files kept for recycling, whatever free_size says */
    LOG_REOPEN_GAP_SHIFT = 32, /* a restart leaps so far ahead in LSNs that no stale record can match */
    FILE_HEADER_GROUP_SIZE = 40,
    LOG_PATH_SIZE = 600,
};

#define LOG_INDEX_MAX ((uint64_t)1 << 62) /* nothing gets so far: a higher one is damage */

enum record_kind { RECORD_HEADER = 1, RECORD_FRAME, RECORD_ENTRY, RECORD_VOTE, RECORD_SNAPSHOT, RECORD_TRIM };

/* On disk: le32 checksum | le32 payload size | u8 kind | u8 entry type | le16 0 | le32 group | le64 lsn | le64 index |
 * le64 term | payload */
struct record {
    uint8_t kind;
    uint8_t type;
    uint32_t group;
    uint64_t lsn;
    uint64_t index;
    uint64_t term;
    uint32_t size;       /* of the payload */
    struct entry *entry; /* RECORD_ENTRY: holds a reference until written */
    struct buf payload;  /* RECORD_HEADER, RECORD_TRIM */
};

struct trail_entry {
    uint64_t term;
    uint64_t lsn;
    struct entry *entry; /* NULL: only on disk */
    uint32_t size;
    uint8_t type;
};

struct trail {
    struct log_group_state state; /* first_index .. last_index are what `entries` holds */
    struct trail_entry *entries;  /* ring: index & (capacity - 1) */
    size_t capacity;
    uint64_t bytes; /* of entries after state.snapshot_index */
};

struct log_file {
    uint64_t sequence;
    uint64_t first_lsn;
    uint64_t data_start; /* offset of first_lsn */
    uint64_t size;       /* bytes allocated */
    uint64_t end_lsn;    /* of what is appended */
    uint64_t live;       /* entries of trails that lie here */
    uint64_t released;   /* what made `live` 0 is durable at this position */
    uint64_t recycled;   /* the free file that becomes this one; 0: a new one */
    struct file *file;   /* NULL until the writer opened it */
    bool recyclable;
    bool ended; /* recovered: only read */
};

/* What the writer does in one go. */
struct flush {
    struct job job;
    struct log *log;
    struct record *records;
    size_t count, capacity;
    uint64_t end_lsn;
    uint64_t claim;           /* what its frame says was durable */
    uint64_t syncs;           /* that it took */
    struct buf bytes;         /* gathered, written, kept for the next */
    struct log_file **opened; /* files that this flush begins, in order of their RECORD_HEADER */
    size_t opened_count, opened_capacity;
    struct log_file *file; /* the file before the first header */
    struct err err;
};

struct cached {
    uint32_t group;
    uint64_t index;
    uint64_t lsn;
};

struct log {
    struct log_params params;
    char *directory;
    struct trail *trails;
    struct log_file **files; /* oldest first; the last is being appended to */
    size_t file_count, file_capacity;
    uint64_t next_sequence, next_lsn, durable;
    uint64_t claim;          /* as `durable`, but never in the gap that a restart leaves */
    struct flush flushes[2]; /* one fills while the other is written */
    unsigned filling;
    bool writing, flush_wanted, broken;
    struct cached *cache; /* ring, oldest first */
    size_t cache_head, cache_count, cache_capacity;
    uint64_t cache_bytes;
    uint64_t *free_files; /* sequences of files to recycle */
    size_t free_count, free_capacity;
    size_t free_least; /* since the last log_shrink() */
    uint64_t total_bytes, syncs;
    void (*durable_cb)(void *arg);
    void *durable_arg;
};

static inline uint64_t record_span(uint32_t payload)
{
    return (RECORD_HEADER_SIZE + (uint64_t)payload + RECORD_ALIGN - 1) & ~(uint64_t)(RECORD_ALIGN - 1);
}

/* record.c */
void record_put_header(uint8_t *at, const struct record *r, uint64_t index); /* all but the checksum */
void record_seal(uint8_t *at, uint32_t payload);
/* False: no whole, undamaged record starts here. */
bool record_read(struct slice bytes, struct record *r, struct slice *payload);

/* trail.c: of the functions that cut, each is called when the record that says so was placed */
struct trail_entry *trail_at(const struct trail *t, uint64_t index); /* NULL: not there */
void trail_append(struct log *l, uint32_t group, uint64_t index, uint64_t term, uint8_t type, uint64_t lsn,
                  uint32_t size, struct entry *entry);
void trail_cut_from(struct log *l, uint32_t group, uint64_t index); /* index and everything after go */
void trail_cut_before(struct log *l, uint32_t group, uint64_t index);
void trail_count_bytes(struct trail *t);
void cache_evict(struct log *l);
struct log_file *file_of_lsn(const struct log *l, uint64_t lsn);

/* file.c */
void file_path(const struct log *l, uint64_t sequence, bool is_free, char *path, size_t size);
uint64_t file_data_start(uint32_t header_payload);
void file_remove_free(struct log *l); /* one of them */
struct log_file *file_begin(struct log *l, uint64_t needed,
                            struct record *header); /* a new last file; header to be written at its start */
int file_open_for_write(struct log *l, struct log_file *f, struct err *err); /* on the writer's thread */
void files_drop(struct log *l);                                              /* oldest ones that nobody needs */
void file_header_payload(const struct log *l, struct buf *b, uint64_t sequence, uint64_t previous_end);

/* recover.c */
int log_recover(struct log *l, struct err *err);

/* replay.c: what the records say, in their order. Files at the start may be gone, with entries that nobody needs. */
struct replay;                                                    /* one per group */
struct replay *replay_create(struct log *l, struct slice states); /* of the oldest file's header; NULL: not possible */
/* Do the states of a later file's header follow from all records before it? */
bool replay_agrees(const struct log *l, const struct replay *r, struct slice states);
void replay_destroy(struct replay *r); /* NULL is fine */
bool replay_take(struct log *l, struct replay *r, const struct record *record,
                 struct slice payload);                                          /* false: it cannot follow */
int replay_finish(const struct log *l, const struct replay *r, struct err *err); /* ERR_CORRUPT: entries are missing */

/* write.c */
void flush_start(struct log *l);
int flush_write(struct flush *f);

#endif
