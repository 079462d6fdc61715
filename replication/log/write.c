/* The writer: gathers a flush into one buffer, writes it, syncs once, reports. */
#include <sys/uio.h>

#include "base/check.h"
#include "replication/log/log_internal.h"

static uint8_t *put_record(struct buf *b, const struct record *r, uint64_t index)
{
    uint64_t span = record_span(r->size);
    uint8_t *at = buf_reserve(b, span);
    record_put_header(at, r, index);
    uint8_t *to = at + RECORD_HEADER_SIZE;
    if (r->entry)
        for (uint32_t i = 0; i < r->entry->part_count; i++) {
            struct slice part = part_slice(r->entry->parts[i]);
            if (part.size) memcpy(to, part.data, part.size);
            to += part.size;
        }
    else if (r->payload.size) memcpy(to, r->payload.data, r->payload.size);
    memset(at + RECORD_HEADER_SIZE + r->size, 0, span - RECORD_HEADER_SIZE - r->size);
    record_seal(at, r->size);
    b->size += span;
    return at;
}

static int write_bytes(struct flush *f, struct log_file *file, uint64_t offset)
{
    if (!f->bytes.size) return 0;
    struct iovec part = {f->bytes.data, f->bytes.size};
    int code = f->log->params.fs->pwritev(file->file, &part, 1, offset, &f->err);
    buf_clear(&f->bytes);
    return code;
}

static int sync_file(struct flush *f, struct log_file *file)
{
    if (f->log->params.skip_sync) return 0;
    f->syncs++;
    return f->log->params.fs->sync(file->file, &f->err);
}

/* Ends the file at hand and opens the next, whose header is `r`. */
static int next_file(struct flush *f, struct log_file **file, size_t *opened, uint64_t *offset, const struct record *r)
{
    int code = *file ? write_bytes(f, *file, *offset) : 0;
    if (!code && *file && *offset) code = sync_file(f, *file);
    *file = f->opened[(*opened)++];
    if (!code) code = file_open_for_write(f->log, *file, &f->err);
    if (code) return code;
    put_record(&f->bytes, r, r->index);
    code = write_bytes(f, *file, 0);
    *offset = (*file)->data_start;
    return code;
}

int flush_write(struct flush *f)
{
    struct log_file *file = f->file;
    size_t opened = 0;
    uint64_t offset = 0;
    int code = 0;
    for (size_t i = 0; i < f->count && !code; i++) {
        struct record *r = &f->records[i];
        if (r->kind == RECORD_HEADER) {
            code = next_file(f, &file, &opened, &offset, r);
            continue;
        }
        if (!offset) offset = file->data_start + (r->lsn - file->first_lsn);
        put_record(&f->bytes, r, r->kind == RECORD_FRAME ? f->claim : r->index);
    }
    if (!code) code = write_bytes(f, file, offset);
    if (!code) code = sync_file(f, file);
    return code;
}

static void run(struct job *job)
{
    struct flush *f = (struct flush *)job;
    f->err.code = (enum err_code)flush_write(f);
}

static void empty(struct flush *f)
{
    for (size_t i = 0; i < f->count; i++) {
        entry_unref(f->records[i].entry);
        buf_close(&f->records[i].payload);
    }
    f->count = f->opened_count = 0;
}

static void done(struct job *job)
{
    struct flush *f = (struct flush *)job;
    struct log *l = f->log;
    l->writing = false;
    l->syncs += f->syncs;
    if (f->err.code) {
        l->broken = true; /* never tried again: what the kernel dropped after a failed sync is gone */
        empty(f);
        l->params.failed(l->params.arg, &f->err);
        return;
    }
    l->durable = l->claim = f->end_lsn;
    empty(f);
    cache_evict(l);
    files_drop(l);
    if (l->flush_wanted || l->flushes[l->filling].count) flush_start(l);
    if (l->durable_cb) l->durable_cb(l->durable_arg);
}

void flush_start(struct log *l)
{
    struct flush *f = &l->flushes[l->filling];
    l->flush_wanted = false;
    if (!f->count || l->broken) return;
    f->job = (struct job){.run = run, .done = done};
    f->log = l;
    f->end_lsn = l->next_lsn;
    f->claim = l->claim;
    f->syncs = 0;
    f->err.code = ERR_OK;
    l->filling ^= 1;
    l->writing = true;
    executor_submit(l->params.executor, &f->job);
}
