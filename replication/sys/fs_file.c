/* Whole files, over any fs. */
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "base/mem.h"
#include "replication/sys/fs.h"

int fs_read_file(struct fs *fs, const char *path, uint8_t **data, size_t *size, struct err *err)
{
    struct file *f;
    uint64_t length;
    int code = fs->open(fs, path, FS_READ_ONLY, &f, err);
    if (code) return code;
    code = fs->size(f, &length, err);
    if (!code) {
        *data = mem_alloc(length);
        code = fs->pread(f, *data, length, 0, size, err);
        if (code) mem_free(*data);
    }
    fs->close(f);
    return code;
}

static int write_and_sync(struct fs *fs, const char *path, struct slice content, struct err *err)
{
    struct file *f;
    int code = fs->open(fs, path, FS_CREATE | FS_TRUNCATE, &f, err);
    if (code) return code;
    struct iovec part = {(void *)content.data, content.size};
    if (content.size) code = fs->pwritev(f, &part, 1, 0, err);
    if (!code) code = fs->sync(f, err);
    fs->close(f);
    return code;
}

int fs_write_file(struct fs *fs, const char *path, struct slice content, struct err *err)
{
    char temporary[600], folder[600];
    snprintf(temporary, sizeof temporary, "%s.new", path);
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash) *slash = '\0';
    int code = write_and_sync(fs, temporary, content, err);
    if (!code) code = fs->rename(fs, temporary, path, err);
    if (!code) code = fs->sync_dir(fs, slash ? (*folder ? folder : "/") : ".", err);
    return code;
}
