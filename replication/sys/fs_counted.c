/* Counts per operation on files: rare beside messages, so atomics (several threads write) cost nothing that shows. */
#include <sys/uio.h>
#include <time.h>

#include "base/mem.h"
#include "replication/sys/fs_counted.h"

struct file {
    struct fs_counted *counted;
    struct file *inner;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void add(struct fs_counted *c, enum fs_count what, uint64_t value)
{
    atomic_fetch_add_explicit(&c->counts[what], value, memory_order_relaxed);
}

static int counted_open(struct fs *fs, const char *path, int flags, struct file **out, struct err *err)
{
    struct fs_counted *c = fs->self;
    struct file *inner;
    int code = c->inner->open(c->inner, path, flags, &inner, err);
    if (code) return code;
    *out = mem_alloc(sizeof **out);
    **out = (struct file){c, inner};
    add(c, FS_OPENS, 1);
    return 0;
}

static void counted_close(struct file *f)
{
    f->counted->inner->close(f->inner);
    mem_free(f);
}

static int counted_pread(struct file *f, void *data, size_t size, uint64_t offset, size_t *got, struct err *err)
{
    uint64_t start = now_ns();
    int code = f->counted->inner->pread(f->inner, data, size, offset, got, err);
    add(f->counted, FS_READS, 1);
    add(f->counted, FS_READ_BYTES, *got);
    add(f->counted, FS_READ_NS, now_ns() - start);
    return code;
}

static int counted_pwritev(struct file *f, const struct iovec *parts, int count, uint64_t offset, struct err *err)
{
    uint64_t start = now_ns(), bytes = 0;
    for (int i = 0; i < count; i++) bytes += parts[i].iov_len;
    int code = f->counted->inner->pwritev(f->inner, parts, count, offset, err);
    add(f->counted, FS_WRITES, 1);
    add(f->counted, FS_WRITE_BYTES, code ? 0 : bytes);
    add(f->counted, FS_WRITE_NS, now_ns() - start);
    return code;
}

static int counted_sync(struct file *f, struct err *err)
{
    uint64_t start = now_ns();
    int code = f->counted->inner->sync(f->inner, err);
    add(f->counted, FS_SYNCS, 1);
    add(f->counted, FS_SYNC_NS, now_ns() - start);
    return code;
}

static int counted_sync_dir(struct fs *fs, const char *path, struct err *err)
{
    struct fs_counted *c = fs->self;
    uint64_t start = now_ns();
    int code = c->inner->sync_dir(c->inner, path, err);
    add(c, FS_SYNCS, 1);
    add(c, FS_SYNC_NS, now_ns() - start);
    return code;
}

/* --- not counted --- */

static int counted_allocate(struct file *f, uint64_t size, struct err *err)
{
    return f->counted->inner->allocate(f->inner, size, err);
}

static int counted_truncate(struct file *f, uint64_t size, struct err *err)
{
    return f->counted->inner->truncate(f->inner, size, err);
}

static int counted_size(struct file *f, uint64_t *size, struct err *err)
{
    return f->counted->inner->size(f->inner, size, err);
}

static int counted_mkdir(struct fs *fs, const char *path, struct err *err)
{
    struct fs *inner = ((struct fs_counted *)fs->self)->inner;
    return inner->mkdir(inner, path, err);
}

static int counted_unlink(struct fs *fs, const char *path, struct err *err)
{
    struct fs *inner = ((struct fs_counted *)fs->self)->inner;
    return inner->unlink(inner, path, err);
}

static int counted_rename(struct fs *fs, const char *from, const char *to, struct err *err)
{
    struct fs *inner = ((struct fs_counted *)fs->self)->inner;
    return inner->rename(inner, from, to, err);
}

static int counted_list(struct fs *fs, const char *path, fs_list_cb each, void *arg, struct err *err)
{
    struct fs *inner = ((struct fs_counted *)fs->self)->inner;
    return inner->list(inner, path, each, arg, err);
}

static int counted_free_bytes(struct fs *fs, const char *path, uint64_t *free_bytes, struct err *err)
{
    struct fs *inner = ((struct fs_counted *)fs->self)->inner;
    return inner->free_bytes(inner, path, free_bytes, err);
}

void fs_counted_init(struct fs_counted *c, struct fs *inner)
{
    *c = (struct fs_counted){
        .fs = {.self = c,
               .open = counted_open,
               .close = counted_close,
               .pread = counted_pread,
               .pwritev = counted_pwritev,
               .allocate = counted_allocate,
               .truncate = counted_truncate,
               .sync = counted_sync,
               .size = counted_size,
               .mkdir = counted_mkdir,
               .unlink = counted_unlink,
               .rename = counted_rename,
               .sync_dir = counted_sync_dir,
               .list = counted_list,
               .free_bytes = counted_free_bytes},
        .inner = inner,
    };
}

void fs_counted_add(const struct fs_counted *c, uint64_t sums[FS_COUNTS])
{
    for (unsigned i = 0; i < FS_COUNTS; i++) sums[i] += atomic_load_explicit(&c->counts[i], memory_order_relaxed);
}
