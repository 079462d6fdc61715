#include "replication/store/transfer.h"

#include <stdio.h>
#include <sys/uio.h>

#include "replication/store/store_internal.h"

/* --- source --- */

struct transfer_source {
    struct store *store;
    struct buf manifest;
    struct segment **pinned;
    uint32_t pinned_count;
    size_t reads;
};

struct source_read {
    struct job job;
    struct transfer_source *source;
    struct transfer_range range;
    struct segment *segment;
    struct blob *bytes;
    struct err err;
    transfer_read_cb done;
    void *arg;
};

struct transfer_source *transfer_source_open(struct store *store)
{
    if (!store->manifest_bytes.size) return NULL;
    struct transfer_source *s = mem_zalloc(sizeof *s);
    s->store = store;
    buf_put_slice(&s->manifest, buf_slice(&store->manifest_bytes));
    s->pinned = mem_zalloc((store->manifest.segment_count + 1) * sizeof(struct segment *));
    for (uint32_t i = 0; i < store->manifest.segment_count; i++) {
        struct segment *segment = segment_find(store, manifest_segment(&store->manifest, i).id);
        if (!segment) continue;
        segment->users++;
        s->pinned[s->pinned_count++] = segment;
    }
    return s;
}

struct slice transfer_source_manifest(const struct transfer_source *s)
{
    return buf_slice(&s->manifest);
}

static void run_read(struct job *job)
{
    struct source_read *r = LIST_ITEM(job, struct source_read, job);
    size_t got = 0;
    if (!r->segment) return;
    int code = r->source->store->params.fs->pread(r->segment->file, r->bytes->data, r->range.size, r->range.offset,
                                                  &got, &r->err);
    if (!code && got != r->range.size)
        err_set(&r->err, ERR_CORRUPT, "segment %u is cut off at %zu", r->segment->id, r->range.offset + got);
}

static void on_read(struct job *job)
{
    struct source_read *r = LIST_ITEM(job, struct source_read, job);
    struct store *store = r->source->store;
    r->source->reads--;
    store->reads--;
    r->done(r->arg, r->range, r->err.code ? NULL : r->bytes, r->err.code ? &r->err : NULL);
    if (r->err.code) blob_unref(r->bytes);
    mem_free(r);
}

static struct segment *pinned_segment(const struct transfer_source *s, uint32_t id)
{
    for (uint32_t i = 0; i < s->pinned_count; i++)
        if (s->pinned[i]->id == id) return s->pinned[i];
    return NULL;
}

void transfer_source_read(struct transfer_source *s, struct transfer_range range, transfer_read_cb done, void *arg)
{
    struct source_read *r = mem_zalloc(sizeof *r);
    *r = (struct source_read){
        .job = {.run = run_read, .done = on_read}, .source = s, .range = range, .done = done, .arg = arg};
    uint64_t length = s->manifest.size;
    if (range.segment) {
        r->segment = pinned_segment(s, range.segment);
        length = r->segment ? r->segment->size : 0;
        if (r->segment) segment_open(s->store, r->segment, &r->err);
    }
    bool inside = range.size <= TRANSFER_READ_SIZE && (uint64_t)range.offset + range.size <= length;
    if (!inside)
        err_set(&r->err, ERR_INVALID, "segment %u has no bytes %u to %llu", range.segment, range.offset,
                (unsigned long long)range.offset + range.size);
    r->bytes = blob_create(inside ? range.size : 0);
    if (!range.segment && inside) memcpy(r->bytes->data, s->manifest.data + range.offset, range.size);
    if (r->err.code) r->segment = NULL;
    s->reads++;
    s->store->reads++;
    executor_submit(s->store->params.read_executor, &r->job);
}

bool transfer_source_idle(const struct transfer_source *s)
{
    return !s->reads;
}

void transfer_source_close(struct transfer_source *s)
{
    CHECK(!s->reads);
    for (uint32_t i = 0; i < s->pinned_count; i++) {
        s->pinned[i]->users--;
        segment_drop_if_unused(s->store, s->pinned[i]);
    }
    mem_free(s->pinned);
    buf_close(&s->manifest);
    mem_free(s);
}

/* --- sink --- */

struct incoming {
    struct segment segment; /* for its path: not in the store's table yet */
    struct file *file;
    uint32_t written;
};

struct transfer_sink {
    struct job job; /* one at a time */
    struct store *store;
    struct buf manifest; /* with our lineage */
    struct manifest head;
    struct incoming *files;
    uint32_t at_file;  /* first file with bytes to come */
    uint32_t ask_file; /* first file with bytes to ask for */
    uint32_t ask_offset;
    bool busy, finished;
    bool in_doubt;    /* not finished, but the manifest may be the one that a restart finds */
    struct buf bytes; /* being written */
    uint32_t bytes_offset;
    struct err err;
    transfer_sink_cb done;
    void *arg;
};

uint64_t transfer_sink_index(const struct transfer_sink *sink)
{
    return sink->head.index;
}

static uint32_t free_lineage(const struct store *store)
{
    uint32_t highest = store->lineage;
    size_t at = 0;
    struct segment *s;
    while ((s = map_u64_next(&store->segments, &at, NULL)))
        if ((uint32_t)(s->key >> 32) > highest) highest = (uint32_t)(s->key >> 32);
    return highest + 1;
}

int transfer_sink_open(struct transfer_sink **out, struct store *store, struct slice bytes, struct err *err)
{
    struct manifest m;
    int code = manifest_decode(bytes, &m, err);
    if (code) return code;
    struct transfer_sink *sink = mem_zalloc(sizeof *sink);
    sink->store = store;
    m.lineage = free_lineage(store);
    manifest_encode(&m, &sink->manifest);
    CHECK(manifest_decode(buf_slice(&sink->manifest), &sink->head, NULL) == 0);
    sink->files = mem_zalloc((m.segment_count + 1) * sizeof *sink->files);
    for (uint32_t i = 0; i < m.segment_count; i++) {
        struct manifest_segment s = manifest_segment(&m, i);
        sink->files[i].segment = (struct segment){.key = (uint64_t)m.lineage << 32 | s.id, .id = s.id, .size = s.size};
    }
    *out = sink;
    return 0;
}

bool transfer_sink_next(struct transfer_sink *sink, struct transfer_range *range)
{
    while (sink->ask_file < sink->head.segment_count && sink->ask_offset == sink->files[sink->ask_file].segment.size) {
        sink->ask_file++;
        sink->ask_offset = 0;
    }
    if (sink->ask_file == sink->head.segment_count) return false;
    const struct segment *s = &sink->files[sink->ask_file].segment;
    uint32_t size = s->size - sink->ask_offset;
    if (size > TRANSFER_READ_SIZE) size = TRANSFER_READ_SIZE;
    *range = (struct transfer_range){s->id, sink->ask_offset, size};
    sink->ask_offset += size;
    return true;
}

static void skip_written(struct transfer_sink *sink)
{
    while (sink->at_file < sink->head.segment_count &&
           sink->files[sink->at_file].written == sink->files[sink->at_file].segment.size)
        sink->at_file++;
}

void transfer_sink_rewind(struct transfer_sink *sink)
{
    skip_written(sink);
    sink->ask_file = sink->at_file;
    sink->ask_offset = sink->at_file < sink->head.segment_count ? sink->files[sink->at_file].written : 0;
}

bool transfer_sink_complete(const struct transfer_sink *sink)
{
    return !sink->busy && sink->at_file == sink->head.segment_count;
}

bool transfer_sink_idle(const struct transfer_sink *sink)
{
    return !sink->busy;
}

/* What the source sent may have been damaged on its disk: that must not spread. */
static void verify_records(struct transfer_sink *sink, const struct incoming *in, const char *path)
{
    struct fs *fs = sink->store->params.fs;
    struct buf record = {0};
    uint32_t at = SEGMENT_HEADER_SIZE;
    bool sound = true;
    while (sound && at < in->segment.size) {
        uint8_t head[RECORD_HEADER_SIZE];
        size_t got = 0;
        if (fs->pread(in->file, head, sizeof head, at, &got, &sink->err)) break;
        struct reader r = reader_of(slice_of(head, got));
        uint32_t size = reader_le32(&r);
        uint64_t sum = reader_le64(&r);
        sound = !r.failed && size <= in->segment.size - at - RECORD_HEADER_SIZE;
        buf_clear(&record);
        if (!sound ||
            fs->pread(in->file, buf_reserve(&record, size + 1), size, at + RECORD_HEADER_SIZE, &got, &sink->err))
            break;
        sound =
            got == size && sum == record_checksum(in->segment.id, at + RECORD_HEADER_SIZE, slice_of(record.data, size));
        if (sound) at += RECORD_HEADER_SIZE + size;
    }
    if (!sound)
        err_set(&sink->err, ERR_CORRUPT,
                "%s: the record at offset %u came damaged; the segment of the node that sent it is", path, at);
    buf_close(&record);
}

static void run_write(struct job *job)
{
    struct transfer_sink *sink = LIST_ITEM(job, struct transfer_sink, job);
    struct incoming *in = &sink->files[sink->at_file];
    struct fs *fs = sink->store->params.fs;
    char path[STORE_PATH_MAX];
    segment_path(sink->store, &in->segment, path);
    if (!in->file && fs->open(fs, path, FS_CREATE | FS_TRUNCATE, &in->file, &sink->err)) return;
    struct iovec part = {sink->bytes.data, sink->bytes.size};
    if (fs->pwritev(in->file, &part, 1, sink->bytes_offset, &sink->err)) return;
    in->written += (uint32_t)sink->bytes.size;
    if (in->written < in->segment.size) return;
    if (!fs->sync(in->file, &sink->err)) verify_records(sink, in, path);
    fs->close(in->file);
    in->file = NULL;
}

static void on_done(struct job *job)
{
    struct transfer_sink *sink = LIST_ITEM(job, struct transfer_sink, job);
    sink->busy = false;
    sink->store->reads--;
    skip_written(sink);
    sink->done(sink->arg, sink->err.code ? &sink->err : NULL);
}

static void submit(struct transfer_sink *sink, void (*run)(struct job *), transfer_sink_cb done, void *arg)
{
    CHECK(!sink->busy);
    sink->busy = true;
    sink->store->reads++;
    sink->done = done;
    sink->arg = arg;
    sink->job = (struct job){.run = run, .done = on_done};
    executor_submit(sink->store->params.executor, &sink->job);
}

void transfer_sink_write(struct transfer_sink *sink, struct transfer_range range, struct slice bytes,
                         transfer_sink_cb done, void *arg)
{
    skip_written(sink);
    if (sink->at_file == sink->head.segment_count || sink->busy) return;
    const struct incoming *in = &sink->files[sink->at_file];
    if (range.segment != in->segment.id || range.offset != in->written || bytes.size != range.size ||
        bytes.size > in->segment.size - in->written)
        return;
    buf_clear(&sink->bytes);
    buf_put_slice(&sink->bytes, bytes);
    sink->bytes_offset = range.offset;
    submit(sink, run_write, done, arg);
}

static void run_finish(struct job *job)
{
    struct transfer_sink *sink = LIST_ITEM(job, struct transfer_sink, job);
    struct fs *fs = sink->store->params.fs;
    if (fs->sync_dir(fs, sink->store->directory, &sink->err)) return;
    sink->finished = manifest_write(sink->store, buf_slice(&sink->manifest), &sink->in_doubt, &sink->err) == 0;
}

void transfer_sink_finish(struct transfer_sink *sink, transfer_sink_cb done, void *arg)
{
    CHECK(transfer_sink_complete(sink) && !sink->store->running);
    submit(sink, run_finish, done, arg);
}

void transfer_sink_close(struct transfer_sink *sink)
{
    CHECK(!sink->busy);
    struct store *store = sink->store;
    if (sink->finished) {
        buf_close(&store->installing);
        store->installing = sink->manifest;
        sink->manifest = (struct buf){0};
    }
    for (uint32_t i = 0; i < sink->head.segment_count; i++) {
        struct incoming *in = &sink->files[i];
        char path[STORE_PATH_MAX];
        segment_path(store, &in->segment, path);
        if (in->file) store->params.fs->close(in->file);
        if (!sink->finished && !sink->in_doubt && (in->written || in->file))
            store->params.fs->unlink(store->params.fs, path, NULL);
    }
    buf_close(&sink->manifest);
    buf_close(&sink->bytes);
    mem_free(sink->files);
    mem_free(sink);
}

void store_installing(const struct store *store, struct store_manifest *manifest)
{
    struct manifest m;
    CHECK(manifest_decode(buf_slice(&store->installing), &m, NULL) == 0);
    *manifest = (struct store_manifest){m.index, m.term, m.configuration_index, m.configuration, m.machine};
}

void store_install(struct store *store)
{
    struct manifest m;
    CHECK(store->installing.size && !store->running);
    CHECK(manifest_decode(buf_slice(&store->installing), &m, NULL) == 0);
    for (uint32_t i = 0; i < m.segment_count; i++) {
        struct manifest_segment s = manifest_segment(&m, i);
        segment_add(store, m.lineage, s.id, s.size);
    }
    store_forget_counts(store);
    store->lineage = m.lineage;
    store->next_segment = m.next_segment;
    CHECK(manifest_adopt(store, &store->installing, NULL));
    segments_drop_unused(store);
}
