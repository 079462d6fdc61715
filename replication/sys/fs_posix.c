/* The operating system's files behind struct fs. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "replication/sys/fs.h"

struct file {
    int fd;
    char *path; /* for words only */
};

static int posix_open(struct fs *fs, const char *path, int flags, struct file **out, struct err *err)
{
    (void)fs;
    int how = (flags & FS_READ_ONLY ? O_RDONLY : O_RDWR) | (flags & FS_CREATE ? O_CREAT : 0) | (flags & FS_TRUNCATE ? O_TRUNC : 0);
    int fd = open(path, how | O_CLOEXEC, 0640);
    if (fd < 0) return (int)err_set_errno(err, errno, "open %s", path);
    struct file *f = mem_alloc(sizeof *f);
    f->fd = fd;
    f->path = mem_strdup(path);
    *out = f;
    return 0;
}

static void posix_close(struct file *f)
{
    close(f->fd);
    mem_free(f->path);
    mem_free(f);
}

static int posix_pread(struct file *f, void *data, size_t size, uint64_t offset, size_t *got, struct err *err)
{
    *got = 0;
    while (*got < size) {
        ssize_t n = pread(f->fd, (uint8_t *)data + *got, size - *got, (off_t)(offset + *got));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return (int)err_set_errno(err, errno, "read %s at %llu", f->path, (unsigned long long)offset);
        if (n == 0) break;
        *got += (size_t)n;
    }
    return 0;
}

static int posix_pwritev(struct file *f, const struct iovec *given, int count, uint64_t offset, struct err *err)
{
    struct iovec parts[IOV_MAX];
    while (count > 0) {
        int now = count < IOV_MAX ? count : IOV_MAX, at = 0;
        memcpy(parts, given, (size_t)now * sizeof *parts);
        while (at < now) {
            ssize_t n = pwritev(f->fd, parts + at, now - at, (off_t)offset);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return (int)err_set_errno(err, errno, "write %s at %llu", f->path, (unsigned long long)offset);
            offset += (uint64_t)n;
            while (at < now && (size_t)n >= parts[at].iov_len) n -= (ssize_t)parts[at++].iov_len;
            if (at < now) {
                parts[at].iov_base = (uint8_t *)parts[at].iov_base + n;
                parts[at].iov_len -= (size_t)n;
            }
        }
        given += now;
        count -= now;
    }
    return 0;
}

static int posix_allocate(struct file *f, uint64_t size, struct err *err)
{
    int code = posix_fallocate(f->fd, 0, (off_t)size);
    return code ? (int)err_set_errno(err, code, "reserve %llu bytes for %s", (unsigned long long)size, f->path) : 0;
}

static int posix_truncate(struct file *f, uint64_t size, struct err *err)
{
    return ftruncate(f->fd, (off_t)size) ? (int)err_set_errno(err, errno, "truncate %s", f->path) : 0;
}

static int posix_sync(struct file *f, struct err *err)
{
    return fdatasync(f->fd) ? (int)err_set_errno(err, errno, "sync %s", f->path) : 0;
}

static int posix_size(struct file *f, uint64_t *size, struct err *err)
{
    struct stat st;
    if (fstat(f->fd, &st)) return (int)err_set_errno(err, errno, "stat %s", f->path);
    *size = (uint64_t)st.st_size;
    return 0;
}

static int posix_mkdir(struct fs *fs, const char *path, struct err *err)
{
    (void)fs;
    char *copy = mem_strdup(path);
    int code = 0;
    for (char *at = copy + 1; !code; at++) {
        if (*at && *at != '/') continue;
        char kept = *at;
        *at = '\0';
        if (mkdir(copy, 0750) && errno != EEXIST) code = (int)err_set_errno(err, errno, "make folder %s", copy);
        *at = kept;
        if (!kept) break;
    }
    mem_free(copy);
    return code;
}

static int posix_unlink(struct fs *fs, const char *path, struct err *err)
{
    (void)fs;
    return unlink(path) ? (int)err_set_errno(err, errno, "remove %s", path) : 0;
}

static int posix_rename(struct fs *fs, const char *from, const char *to, struct err *err)
{
    (void)fs;
    return rename(from, to) ? (int)err_set_errno(err, errno, "rename %s to %s", from, to) : 0;
}

static int posix_sync_dir(struct fs *fs, const char *path, struct err *err)
{
    (void)fs;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return (int)err_set_errno(err, errno, "open folder %s", path);
    int code = fsync(fd) ? (int)err_set_errno(err, errno, "sync folder %s", path) : 0;
    close(fd);
    return code;
}

static int posix_list(struct fs *fs, const char *path, fs_list_cb each, void *arg, struct err *err)
{
    (void)fs;
    DIR *d = opendir(path);
    if (!d) return (int)err_set_errno(err, errno, "list folder %s", path);
    struct dirent *entry;
    while ((entry = readdir(d)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) each(arg, entry->d_name);
    closedir(d);
    return 0;
}

static int posix_free_bytes(struct fs *fs, const char *path, uint64_t *free_bytes, struct err *err)
{
    (void)fs;
    struct statvfs st;
    if (statvfs(path, &st)) return (int)err_set_errno(err, errno, "statvfs %s", path);
    *free_bytes = (uint64_t)st.f_bavail * st.f_frsize;
    return 0;
}

struct fs *fs_posix(void)
{
    static struct fs fs = {
        .open = posix_open, .close = posix_close, .pread = posix_pread, .pwritev = posix_pwritev, .allocate = posix_allocate,
        .truncate = posix_truncate, .sync = posix_sync, .size = posix_size, .mkdir = posix_mkdir, .unlink = posix_unlink,
        .rename = posix_rename, .sync_dir = posix_sync_dir, .list = posix_list, .free_bytes = posix_free_bytes,
    };
    return &fs;
}
