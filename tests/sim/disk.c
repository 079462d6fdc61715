#include "tests/sim/disk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/random.h"

enum { SECTOR = 512, NAME_SIZE = 200 };

struct inode {
    unsigned references;
    struct buf bytes, synced;
    uint8_t *dirty; /* per sector of `bytes` */
    size_t dirty_capacity;
};

struct name {
    char path[NAME_SIZE];
    struct inode *inode;
};

struct names {
    struct name *items; /* in order */
    size_t count, capacity;
};

/* A change of names that no sync of its folder has made durable. inode NULL: removed. */
struct change {
    char path[NAME_SIZE];
    struct inode *inode;
};

struct file {
    struct disk *disk;
    struct inode *inode;
    char path[NAME_SIZE];
};

struct disk {
    struct fs fs;
    struct names now, durable;
    struct change *changes;
    size_t change_count, change_capacity;
    bool fail_sync, full, crash_wanted;
    uint64_t crash_change, crash_seed;
    struct disk *crashed;
};

/* --- inodes --- */

static struct inode *inode_ref(struct inode *i)
{
    if (i) i->references++;
    return i;
}

static void inode_unref(struct inode *i)
{
    if (!i || --i->references) return;
    buf_close(&i->bytes);
    buf_close(&i->synced);
    mem_free(i->dirty);
    mem_free(i);
}

static size_t sectors(size_t size)
{
    return (size + SECTOR - 1) / SECTOR;
}

static void mark_dirty(struct inode *i, size_t from, size_t to)
{
    size_t needed = sectors(to), before = i->dirty_capacity;
    i->dirty = mem_grow(i->dirty, &i->dirty_capacity, needed ? needed : 1, 1);
    if (i->dirty_capacity > before) memset(i->dirty + before, 0, i->dirty_capacity - before);
    for (size_t s = from / SECTOR; s < needed; s++) i->dirty[s] = 1;
}

static void resize(struct inode *i, size_t size)
{
    size_t before = i->bytes.size;
    if (size > before) {
        memset(buf_reserve(&i->bytes, size - before), 0, size - before);
        mark_dirty(i, before, size);
    }
    i->bytes.size = size;
}

static void sync_inode(struct inode *i)
{
    buf_clear(&i->synced);
    buf_put(&i->synced, i->bytes.data, i->bytes.size);
    if (i->dirty) memset(i->dirty, 0, i->dirty_capacity);
}

/* --- names --- */

static size_t place_of(const struct names *n, const char *path)
{
    size_t low = 0, high = n->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(n->items[middle].path, path) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

static struct inode *lookup(const struct names *n, const char *path)
{
    size_t at = place_of(n, path);
    return at < n->count && !strcmp(n->items[at].path, path) ? n->items[at].inode : NULL;
}

/* inode NULL: removes the name. */
static void set_name(struct names *n, const char *path, struct inode *inode)
{
    size_t at = place_of(n, path);
    bool there = at < n->count && !strcmp(n->items[at].path, path);
    inode_ref(inode);
    if (there) inode_unref(n->items[at].inode);
    if (there && !inode) {
        memmove(&n->items[at], &n->items[at + 1], (n->count - at - 1) * sizeof *n->items);
        n->count--;
    } else if (there) {
        n->items[at].inode = inode;
    } else if (inode) {
        n->items = mem_grow(n->items, &n->capacity, n->count + 1, sizeof *n->items);
        memmove(&n->items[at + 1], &n->items[at], (n->count - at) * sizeof *n->items);
        n->count++;
        snprintf(n->items[at].path, NAME_SIZE, "%s", path);
        n->items[at].inode = inode;
    }
}

static void close_names(struct names *n)
{
    for (size_t i = 0; i < n->count; i++) inode_unref(n->items[i].inode);
    mem_free(n->items);
}

static void change_name(struct disk *d, const char *path, struct inode *inode)
{
    set_name(&d->now, path, inode);
    d->changes = mem_grow(d->changes, &d->change_capacity, d->change_count + 1, sizeof *d->changes);
    struct change *c = &d->changes[d->change_count++];
    snprintf(c->path, NAME_SIZE, "%s", path);
    c->inode = inode_ref(inode);
}

static bool lies_in(const char *path, const char *folder)
{
    size_t size = strlen(folder);
    return !strncmp(path, folder, size) && path[size] == '/' && !strchr(path + size + 1, '/');
}

/* --- the table --- */

/* Before each change: is this the moment to look at what a crash would leave? */
static void before_change(struct disk *d)
{
    if (!d->crash_wanted || d->crash_change--) return;
    d->crash_wanted = false;
    d->crashed = disk_after_crash(d, d->crash_seed);
}

static struct disk *disk_of(struct fs *fs)
{
    return fs->self;
}

static int do_open(struct fs *fs, const char *path, int flags, struct file **file, struct err *err)
{
    struct disk *d = disk_of(fs);
    CHECK(strlen(path) < NAME_SIZE);
    struct inode *i = lookup(&d->now, path);
    if (!i && !(flags & FS_CREATE)) return (int)err_set_errno(err, ENOENT, "open %s", path);
    if (!i) {
        before_change(d);
        i = mem_zalloc(sizeof *i);
        change_name(d, path, i);
    }
    if (flags & FS_TRUNCATE) resize(i, 0);
    *file = mem_zalloc(sizeof **file);
    **file = (struct file){.disk = d, .inode = inode_ref(i)};
    snprintf((*file)->path, NAME_SIZE, "%s", path);
    return 0;
}

static void do_close(struct file *f)
{
    inode_unref(f->inode);
    mem_free(f);
}

static int do_pread(struct file *f, void *data, size_t size, uint64_t offset, size_t *got, struct err *err)
{
    (void)err;
    size_t have = f->inode->bytes.size;
    *got = offset >= have ? 0 : size < have - offset ? size : have - (size_t)offset;
    if (*got) memcpy(data, f->inode->bytes.data + offset, *got);
    return 0;
}

static int do_pwritev(struct file *f, const struct iovec *iov, int count, uint64_t offset, struct err *err)
{
    before_change(f->disk);
    if (f->disk->full) return (int)err_set_errno(err, ENOSPC, "write %s", f->path);
    size_t at = (size_t)offset;
    for (int i = 0; i < count; i++) {
        if (at + iov[i].iov_len > f->inode->bytes.size) resize(f->inode, at + iov[i].iov_len);
        if (iov[i].iov_len) memcpy(f->inode->bytes.data + at, iov[i].iov_base, iov[i].iov_len);
        at += iov[i].iov_len;
    }
    mark_dirty(f->inode, (size_t)offset, at);
    return 0;
}

static int do_allocate(struct file *f, uint64_t size, struct err *err)
{
    before_change(f->disk);
    if (f->disk->full) return (int)err_set_errno(err, ENOSPC, "allocate %s", f->path);
    if (size > f->inode->bytes.size) resize(f->inode, (size_t)size);
    return 0;
}

static int do_truncate(struct file *f, uint64_t size, struct err *err)
{
    before_change(f->disk);
    (void)err;
    resize(f->inode, (size_t)size);
    return 0;
}

static int do_sync(struct file *f, struct err *err)
{
    before_change(f->disk);
    struct inode *i = f->inode;
    if (!f->disk->fail_sync) {
        sync_inode(i);
        return 0;
    }
    f->disk->fail_sync = false;
    buf_clear(&i->bytes);
    buf_put(&i->bytes, i->synced.data, i->synced.size);
    if (i->dirty) memset(i->dirty, 0, i->dirty_capacity);
    return (int)err_set_errno(err, EIO, "fdatasync %s", f->path);
}

static int do_size(struct file *f, uint64_t *size, struct err *err)
{
    (void)err;
    *size = f->inode->bytes.size;
    return 0;
}

static int do_mkdir(struct fs *fs, const char *path, struct err *err)
{
    (void)fs;
    (void)path;
    (void)err;
    return 0;
}

static int do_unlink(struct fs *fs, const char *path, struct err *err)
{
    before_change(disk_of(fs));
    if (!lookup(&disk_of(fs)->now, path)) return (int)err_set_errno(err, ENOENT, "unlink %s", path);
    change_name(disk_of(fs), path, NULL);
    return 0;
}

static int do_rename(struct fs *fs, const char *from, const char *to, struct err *err)
{
    before_change(disk_of(fs));
    struct inode *i = inode_ref(lookup(&disk_of(fs)->now, from));
    if (!i) return (int)err_set_errno(err, ENOENT, "rename %s", from);
    change_name(disk_of(fs), to, i);
    change_name(disk_of(fs), from, NULL);
    inode_unref(i);
    return 0;
}

static int do_sync_dir(struct fs *fs, const char *path, struct err *err)
{
    before_change(disk_of(fs));
    struct disk *d = disk_of(fs);
    size_t kept = 0;
    (void)err;
    for (size_t i = 0; i < d->change_count; i++) {
        struct change c = d->changes[i];
        if (!lies_in(c.path, path)) {
            d->changes[kept++] = c;
            continue;
        }
        set_name(&d->durable, c.path, c.inode);
        inode_unref(c.inode);
    }
    d->change_count = kept;
    return 0;
}

static int do_list(struct fs *fs, const char *path, fs_list_cb each, void *arg, struct err *err)
{
    struct disk *d = disk_of(fs);
    (void)err;
    for (size_t i = 0; i < d->now.count; i++)
        if (lies_in(d->now.items[i].path, path)) each(arg, d->now.items[i].path + strlen(path) + 1);
    return 0;
}

static int do_free_bytes(struct fs *fs, const char *path, uint64_t *free_bytes, struct err *err)
{
    (void)path;
    (void)err;
    *free_bytes = disk_of(fs)->full ? 0 : UINT64_C(1) << 40;
    return 0;
}

/* --- life --- */

struct disk *disk_create(void)
{
    struct disk *d = mem_zalloc(sizeof *d);
    d->fs = (struct fs){.self = d,
                        .open = do_open,
                        .close = do_close,
                        .pread = do_pread,
                        .pwritev = do_pwritev,
                        .allocate = do_allocate,
                        .truncate = do_truncate,
                        .sync = do_sync,
                        .size = do_size,
                        .mkdir = do_mkdir,
                        .unlink = do_unlink,
                        .rename = do_rename,
                        .sync_dir = do_sync_dir,
                        .list = do_list,
                        .free_bytes = do_free_bytes};
    return d;
}

void disk_destroy(struct disk *d)
{
    if (d->crashed) disk_destroy(d->crashed);
    close_names(&d->now);
    close_names(&d->durable);
    for (size_t i = 0; i < d->change_count; i++) inode_unref(d->changes[i].inode);
    mem_free(d->changes);
    mem_free(d);
}

struct fs *disk_fs(struct disk *d)
{
    return &d->fs;
}

/* What the platters hold of a file: each dirty sector made it or did not. */
static struct inode *survivor(const struct inode *i, struct random *r)
{
    struct inode *left = mem_zalloc(sizeof *left);
    size_t size = i->bytes.size == i->synced.size || random_percent(r, 50) ? i->bytes.size : i->synced.size;
    resize(left, size);
    for (size_t s = 0; s < sectors(size); s++) {
        size_t from = s * SECTOR, to = from + SECTOR < size ? from + SECTOR : size;
        bool dirty = s < i->dirty_capacity && i->dirty[s];
        const struct buf *source = !dirty || random_percent(r, 50) ? &i->bytes : &i->synced;
        if (!dirty && i->bytes.size < to) source = &i->synced;
        size_t end = to < source->size ? to : source->size;
        if (end > from) memcpy(left->bytes.data + from, source->data + from, end - from);
    }
    sync_inode(left);
    return left;
}

struct disk *disk_after_crash(const struct disk *d, uint64_t seed)
{
    struct random r = {seed};
    struct names names = {0};
    struct disk *after = disk_create();
    for (size_t i = 0; i < d->durable.count; i++) set_name(&names, d->durable.items[i].path, d->durable.items[i].inode);
    size_t kept = d->change_count ? random_below(&r, d->change_count + 1) : 0;
    for (size_t i = 0; i < kept; i++) set_name(&names, d->changes[i].path, d->changes[i].inode);
    for (size_t i = 0; i < names.count; i++) {
        struct inode *left = survivor(names.items[i].inode, &r);
        set_name(&after->now, names.items[i].path, left);
        set_name(&after->durable, names.items[i].path, left);
    }
    close_names(&names);
    return after;
}

void disk_crash_at(struct disk *d, uint64_t change, uint64_t seed)
{
    d->crash_wanted = true;
    d->crash_change = change;
    d->crash_seed = seed;
}

struct disk *disk_take_crashed(struct disk *d)
{
    struct disk *crashed = d->crashed;
    d->crashed = NULL;
    d->crash_wanted = false;
    return crashed;
}

void disk_fail_next_sync(struct disk *d)
{
    d->fail_sync = true;
}

void disk_fill(struct disk *d, bool full)
{
    d->full = full;
}

bool disk_flip(struct disk *d, const char *path, uint64_t offset)
{
    struct inode *i = lookup(&d->now, path);
    if (!i || offset >= i->bytes.size) return false;
    i->bytes.data[offset] ^= 1;
    if (offset < i->synced.size) i->synced.data[offset] ^= 1;
    return true;
}

uint64_t disk_file_size(const struct disk *d, const char *path)
{
    const struct inode *i = lookup(&d->now, path);
    return i ? i->bytes.size : 0;
}

const char *disk_name(const struct disk *d, const char *prefix, size_t n)
{
    for (size_t i = 0; i < d->now.count; i++)
        if (!strncmp(d->now.items[i].path, prefix, strlen(prefix)) && n-- == 0) return d->now.items[i].path;
    return NULL;
}

/* --- executors --- */

struct jobs {
    struct executor executor;
    struct job *first, **last;
};

static void submit(struct executor *e, struct job *j)
{
    struct jobs *q = (struct jobs *)e;
    j->next = NULL;
    *q->last = j;
    q->last = &j->next;
}

struct executor *jobs_create(void)
{
    struct jobs *q = mem_zalloc(sizeof *q);
    q->executor.submit = submit;
    q->last = &q->first;
    return &q->executor;
}

void jobs_destroy(struct executor *e)
{
    CHECK(!jobs_pending(e));
    mem_free(e);
}

bool jobs_pending(const struct executor *e)
{
    return ((const struct jobs *)e)->first != NULL;
}

void jobs_step(struct executor *e)
{
    struct jobs *q = (struct jobs *)e;
    struct job *j = q->first;
    if (!j) return;
    q->first = j->next;
    if (!q->first) q->last = &q->first;
    j->run(j);
    j->done(j);
}
