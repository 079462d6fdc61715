/* Files, as the log and the store use them: blocking calls behind a table, so that the simulator's disk can forget what
 * was not synced, tear, flip and fail.
 *
 * Thread:   any, but each file by one thread at a time. All calls block; on a shard they are made from an executor's job
 *           (executor.h), except small reads that are said to be cheap where they are made.
 * Errors:   0 or an err_code, and `err` (may be NULL) has the sentence with the path in it. */
#ifndef WARREN_REPLICATION_SYS_FS_H
#define WARREN_REPLICATION_SYS_FS_H

#include "base/err.h"
#include "base/slice.h"

struct iovec;
struct file; /* opened by an fs; its own type behind */

enum { FS_CREATE = 1, FS_READ_ONLY = 2, FS_TRUNCATE = 4 };

typedef void (*fs_list_cb)(void *arg, const char *name);

struct fs {
    void *self;
    int (*open)(struct fs *, const char *path, int flags, struct file **, struct err *);
    void (*close)(struct file *);
    int (*pread)(struct file *, void *data, size_t size, uint64_t offset, size_t *got, struct err *); /* short only at the end */
    int (*pwritev)(struct file *, const struct iovec *, int count, uint64_t offset, struct err *);    /* all or an error */
    int (*allocate)(struct file *, uint64_t size, struct err *);                                     /* reserves blocks, sets the size */
    int (*truncate)(struct file *, uint64_t size, struct err *);
    int (*sync)(struct file *, struct err *);                                                        /* fdatasync; never retried after an error */
    int (*size)(struct file *, uint64_t *size, struct err *);
    int (*mkdir)(struct fs *, const char *path, struct err *); /* parents too; existing is fine */
    int (*unlink)(struct fs *, const char *path, struct err *);
    int (*rename)(struct fs *, const char *from, const char *to, struct err *);
    int (*sync_dir)(struct fs *, const char *path, struct err *);
    int (*list)(struct fs *, const char *path, fs_list_cb, void *arg, struct err *); /* names, in any order */
    int (*free_bytes)(struct fs *, const char *path, uint64_t *free_bytes, struct err *);
};

struct fs *fs_posix(void); /* the operating system's; constant, never freed */

/* Reads a whole file into memory (mem_free by the caller); ERR_NOT_FOUND when it is not there. */
int fs_read_file(struct fs *fs, const char *path, uint8_t **data, size_t *size, struct err *err);
/* Writes a file so that it is there whole or not at all: temporary name, sync, rename, sync of the folder. */
int fs_write_file(struct fs *fs, const char *path, struct slice content, struct err *err);

#endif
