/* The log's files: named, begun, recycled, dropped. */
#include <stdio.h>

#include "base/check.h"
#include "replication/log/log_internal.h"

void file_path(const struct log *l, uint64_t sequence, bool is_free, char *path, size_t size)
{
    snprintf(path, size, "%s/%016llx.%s", l->directory, (unsigned long long)sequence, is_free ? "free" : "wal");
}

/* le32 version | le64 sequence | le64 where the file before ends | le32 groups | per group le64 term, vote, snapshot
 * index, term, first index */
void file_header_payload(const struct log *l, struct buf *b, uint64_t sequence, uint64_t previous_end)
{
    buf_put_le32(b, FILE_VERSION);
    buf_put_le64(b, sequence);
    buf_put_le64(b, previous_end);
    buf_put_le32(b, l->params.group_count);
    for (uint32_t g = 0; g < l->params.group_count; g++) {
        const struct log_group_state *s = &l->trails[g].state;
        buf_put_le64(b, s->term);
        buf_put_le64(b, s->voted_for);
        buf_put_le64(b, s->snapshot_index);
        buf_put_le64(b, s->snapshot_term);
        buf_put_le64(b, s->first_index);
    }
}

uint64_t file_data_start(uint32_t header_payload)
{
    return (record_span(header_payload) + FILE_HEADER_ALIGN - 1) & ~(uint64_t)(FILE_HEADER_ALIGN - 1);
}

struct log_file *file_begin(struct log *l, uint64_t needed, struct record *header)
{
    struct log_file *before = l->file_count ? l->files[l->file_count - 1] : NULL;
    struct log_file *f = mem_zalloc(sizeof *f);
    *header = (struct record){.kind = RECORD_HEADER, .lsn = l->next_lsn};
    f->sequence = l->next_sequence++;
    f->first_lsn = f->end_lsn = l->next_lsn;
    file_header_payload(l, &header->payload, f->sequence, before ? before->end_lsn : f->first_lsn);
    header->size = (uint32_t)header->payload.size;
    f->data_start = file_data_start(header->size);
    f->size = l->params.file_size;
    f->recyclable = f->data_start + needed <= f->size;
    if (!f->recyclable) f->size = f->data_start + needed;
    else if (l->free_count) f->recycled = l->free_files[--l->free_count];
    if (l->free_least > l->free_count) l->free_least = l->free_count;
    l->files = mem_grow(l->files, &l->file_capacity, l->file_count + 1, sizeof(struct log_file *));
    l->files[l->file_count++] = f;
    l->total_bytes += f->size;
    return f;
}

/* A recycled file keeps its extents: the sync of a write into it need not journal an allocation. Its name is durable
 * before its bytes change, so no crash leaves new bytes under the old name. */
int file_open_for_write(struct log *l, struct log_file *f, struct err *err)
{
    struct fs *fs = l->params.fs;
    char path[LOG_PATH_SIZE], kept[LOG_PATH_SIZE];
    file_path(l, f->sequence, false, path, sizeof path);
    file_path(l, f->recycled, true, kept, sizeof kept);
    if (f->recycled) fs->rename(fs, kept, path, NULL); /* if somebody removed it, a new file does as well */
    int code = fs->open(fs, path, FS_CREATE, &f->file, err);
    uint64_t size = 0;
    if (!code) code = fs->size(f->file, &size, err);
    if (!code && size < f->size) code = fs->allocate(f->file, f->size, err);
    if (!code && size > f->size) code = fs->truncate(f->file, f->size, err);
    if (!code) code = fs->sync_dir(fs, l->directory, err);
    return code;
}

/* Files go in bursts, as checkpoints of several groups end together. If few of a burst were kept, most of the next
 * one's would be made anew, and a sync into new blocks takes longer than one into blocks that were written before. */
static bool wants_free(const struct log *l)
{
    return l->free_count < LOG_FREE_FILES_MIN || (l->free_count + 1) * l->params.file_size <= l->params.free_size;
}

void file_remove_free(struct log *l)
{
    char path[LOG_PATH_SIZE];
    struct err err;
    file_path(l, l->free_files[--l->free_count], true, path, sizeof path);
    l->params.fs->unlink(l->params.fs, path, &err); /* left behind, it is free after the next recovery */
}

void log_shrink(struct log *l)
{
    if (l->free_least > LOG_FREE_FILES_MIN) file_remove_free(l);
    l->free_least = l->free_count;
}

static void recycle_or_remove(struct log *l, struct log_file *f)
{
    struct fs *fs = l->params.fs;
    char path[LOG_PATH_SIZE], kept[LOG_PATH_SIZE];
    struct err err;
    file_path(l, f->sequence, false, path, sizeof path);
    file_path(l, f->sequence, true, kept, sizeof kept);
    if (f->recyclable && wants_free(l) && !fs->rename(fs, path, kept, &err)) {
        l->free_files = mem_grow(l->free_files, &l->free_capacity, l->free_count + 1, sizeof *l->free_files);
        l->free_files[l->free_count++] = f->sequence;
        return;
    }
    fs->unlink(fs, path, &err); /* left behind, it is dropped by the next recovery */
}

/* A file may go when nothing in it is needed, when the record that says so is durable, and when the next file's header
 * is, which has the votes. The writer is done with it then. */
static bool is_unneeded(const struct log *l, const struct log_file *f, const struct log_file *next)
{
    return !f->live && l->durable >= f->released && (next->ended || l->durable > next->first_lsn);
}

void files_drop(struct log *l)
{
    size_t gone = 0;
    while (gone + 1 < l->file_count && is_unneeded(l, l->files[gone], l->files[gone + 1])) {
        struct log_file *f = l->files[gone++];
        l->params.fs->close(f->file);
        recycle_or_remove(l, f);
        l->total_bytes -= f->size;
        mem_free(f);
    }
    if (!gone) return;
    l->file_count -= gone;
    memmove(l->files, l->files + gone, l->file_count * sizeof *l->files);
}
