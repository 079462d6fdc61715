/* A store on a disk in memory whose operations can be counted: at the n-th one the disk as a crash would leave it is
 * kept aside, or the operation fails. Contents are texts. */
#ifndef WARREN_TESTS_UNIT_REPLICATION_STORE_STORE_BENCH_H
#define WARREN_TESTS_UNIT_REPLICATION_STORE_STORE_BENCH_H

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "replication/store/store.h"
#include "tests/sim/disk.h"

#define NEVER UINT_MAX
#define BENCH_FOLDER "/g"

/* An fs that passes everything on to the disk's and counts what changes something. */
struct counting_fs {
    struct fs fs;
    struct disk *disk;
    unsigned operations, crash_at, fail_at;
    uint64_t seed;
    struct disk *crashed; /* as the crash left it */
};

struct file {
    struct counting_fs *of;
    struct file *inner;
};

/* True: the operation is to fail. */
static inline bool count_operation(struct counting_fs *c, struct err *err)
{
    unsigned number = c->operations++;
    if (number == c->crash_at) c->crashed = disk_after_crash(c->disk, c->seed);
    if (number != c->fail_at) return false;
    err_set(err, ERR_IO, "operation %u failed as told", number);
    return true;
}

static inline struct counting_fs *counting(struct fs *fs)
{
    return fs->self;
}

static inline struct fs *inner_fs(struct fs *fs)
{
    return disk_fs(counting(fs)->disk);
}

static inline int counting_open(struct fs *fs, const char *path, int flags, struct file **file, struct err *err)
{
    if ((flags & FS_CREATE) && count_operation(counting(fs), err)) return ERR_IO;
    struct file *inner;
    int code = inner_fs(fs)->open(inner_fs(fs), path, flags, &inner, err);
    if (code) return code;
    *file = mem_alloc(sizeof **file);
    **file = (struct file){counting(fs), inner};
    return 0;
}

static inline void counting_close(struct file *f)
{
    disk_fs(f->of->disk)->close(f->inner);
    mem_free(f);
}

static inline int counting_pread(struct file *f, void *data, size_t size, uint64_t offset, size_t *got, struct err *err)
{
    return disk_fs(f->of->disk)->pread(f->inner, data, size, offset, got, err);
}

static inline int counting_pwritev(struct file *f, const struct iovec *parts, int count, uint64_t offset,
                                   struct err *err)
{
    if (count_operation(f->of, err)) return ERR_IO;
    return disk_fs(f->of->disk)->pwritev(f->inner, parts, count, offset, err);
}

static inline int counting_sync(struct file *f, struct err *err)
{
    if (count_operation(f->of, err)) return ERR_IO;
    return disk_fs(f->of->disk)->sync(f->inner, err);
}

static inline int counting_size(struct file *f, uint64_t *size, struct err *err)
{
    return disk_fs(f->of->disk)->size(f->inner, size, err);
}

static inline int counting_mkdir(struct fs *fs, const char *path, struct err *err)
{
    return inner_fs(fs)->mkdir(inner_fs(fs), path, err);
}

static inline int counting_unlink(struct fs *fs, const char *path, struct err *err)
{
    if (count_operation(counting(fs), err)) return ERR_IO;
    return inner_fs(fs)->unlink(inner_fs(fs), path, err);
}

static inline int counting_rename(struct fs *fs, const char *from, const char *to, struct err *err)
{
    if (count_operation(counting(fs), err)) return ERR_IO;
    return inner_fs(fs)->rename(inner_fs(fs), from, to, err);
}

static inline int counting_sync_dir(struct fs *fs, const char *path, struct err *err)
{
    if (count_operation(counting(fs), err)) return ERR_IO;
    return inner_fs(fs)->sync_dir(inner_fs(fs), path, err);
}

static inline int counting_list(struct fs *fs, const char *path, fs_list_cb each, void *arg, struct err *err)
{
    return inner_fs(fs)->list(inner_fs(fs), path, each, arg, err);
}

/* --- the bench --- */

struct store_bench {
    struct counting_fs files;
    struct executor *jobs, *reads;
    struct store *store;
    struct checkpoint *checkpoint; /* being filled */
    bool done, failed;
    struct err err;   /* of the last checkpoint or fetch */
    struct err told;  /* by the store to its owner */
    unsigned fetched; /* callbacks of fetches */
    struct buf text;  /* of the last fetch */
};

static inline void on_told(void *arg, const struct err *err)
{
    ((struct store_bench *)arg)->told = *err;
}

static inline int bench_try_open(struct store_bench *b, struct err *err)
{
    struct store_params params = {.fs = &b->files.fs,
                                  .executor = b->jobs,
                                  .read_executor = b->reads,
                                  .directory = BENCH_FOLDER,
                                  .failed = on_told,
                                  .arg = b};
    return store_open(&b->store, &params, err);
}

static inline void bench_open(struct store_bench *b)
{
    struct err err = {0};
    if (bench_try_open(b, &err)) fail_msg("%s", err.text);
}

static inline struct store_bench *bench_create_on(struct disk *disk)
{
    struct store_bench *b = mem_zalloc(sizeof *b);
    b->files = (struct counting_fs){.fs = {.open = counting_open,
                                           .close = counting_close,
                                           .pread = counting_pread,
                                           .pwritev = counting_pwritev,
                                           .sync = counting_sync,
                                           .size = counting_size,
                                           .mkdir = counting_mkdir,
                                           .unlink = counting_unlink,
                                           .rename = counting_rename,
                                           .sync_dir = counting_sync_dir,
                                           .list = counting_list},
                                    .disk = disk,
                                    .crash_at = NEVER,
                                    .fail_at = NEVER};
    b->files.fs.self = &b->files;
    b->jobs = jobs_create();
    b->reads = jobs_create();
    return b;
}

static inline struct store_bench *bench_create(void)
{
    struct store_bench *b = bench_create_on(disk_create());
    bench_open(b);
    return b;
}

static inline void run_reads(struct store_bench *b)
{
    while (jobs_pending(b->reads)) jobs_step(b->reads);
}

static inline void run_jobs(struct store_bench *b)
{
    while (jobs_pending(b->jobs)) jobs_step(b->jobs);
    run_reads(b);
}

static inline void bench_close(struct store_bench *b)
{
    run_jobs(b);
    store_close(b->store);
    b->store = NULL;
}

static inline void bench_destroy(struct store_bench *b)
{
    if (b->store) bench_close(b);
    if (b->files.crashed) disk_destroy(b->files.crashed);
    jobs_destroy(b->jobs);
    jobs_destroy(b->reads);
    disk_destroy(b->files.disk);
    buf_close(&b->text);
    mem_free(b);
}

static inline void bench_reopen(struct store_bench *b)
{
    bench_close(b);
    bench_open(b);
}

/* --- checkpoints --- */

static inline void begin(struct store_bench *b, uint64_t index)
{
    b->checkpoint = store_checkpoint_begin(b->store, index, 5, 2, slice_str("configuration"));
}

static inline struct location add(struct store_bench *b, const char *text)
{
    struct blob *blob = blob_copy(text, strlen(text));
    struct location where = checkpoint_add(b->checkpoint, (struct part){blob, 0, blob->size});
    blob_unref(blob);
    return where;
}

static inline void on_checkpoint(void *arg, const struct err *err)
{
    struct store_bench *b = arg;
    b->done = true;
    b->failed = err != NULL;
    if (err) b->err = *err;
}

/* Hands the checkpoint to the writer; `machine` is the machine's part. */
static inline void submit(struct store_bench *b, const char *machine)
{
    buf_put_slice(checkpoint_manifest(b->checkpoint), slice_str(machine));
    b->done = false;
    store_checkpoint_run(b->store, b->checkpoint, on_checkpoint, b);
}

static inline void finish(struct store_bench *b, const char *machine)
{
    submit(b, machine);
    run_jobs(b);
    assert_true(b->done);
}

static inline void finish_well(struct store_bench *b, const char *machine)
{
    finish(b, machine);
    if (b->failed) fail_msg("%s", b->err.text);
}

static inline bool machine_is(struct store_bench *b, const char *machine)
{
    struct store_manifest m;
    store_manifest(b->store, &m);
    return slice_is(m.machine, machine);
}

/* --- contents --- */

static inline void on_fetched(void *arg, struct part content, const struct err *err)
{
    struct store_bench *b = arg;
    b->fetched++;
    buf_clear(&b->text);
    b->err = (struct err){0};
    if (err) b->err = *err;
    else buf_put_slice(&b->text, part_slice(content));
}

static inline void fetch(struct store_bench *b, struct location where)
{
    b->fetched = 0;
    store_fetch(b->store, where, on_fetched, b);
    run_reads(b);
    assert_int_equal(b->fetched, 1);
}

static inline void reads_as(struct store_bench *b, struct location where, const char *text)
{
    fetch(b, where);
    if (b->err.code) fail_msg("%s", b->err.text);
    if (!slice_is(buf_slice(&b->text), text)) fail_msg("'%.*s' is not '%s'", (int)b->text.size, b->text.data, text);
}

static inline unsigned count_segments(struct store_bench *b)
{
    unsigned count = 0;
    while (disk_name(b->files.disk, BENCH_FOLDER "/seg-", count)) count++;
    return count;
}

#endif
