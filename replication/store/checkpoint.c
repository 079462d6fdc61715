/* A checkpoint: places are given out at once on the loop, the bytes are written later on the executor, and nothing
 * counts before the manifest is durable. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "replication/store/store_internal.h"

enum { WRITE_SIZE = 1 << 20 /* bytes of one write */ };
static const char segment_magic[4] = "WSEG";

enum item_kind { ITEM_CONTENT, ITEM_MOVE, ITEM_RAW };

struct item {
    struct location where;
    uint8_t kind;
    const uint8_t *data;  /* content: borrowed from a blob in `held` */
    size_t raw;           /* raw: offset in checkpoint.raw */
    struct location from; /* move */
};

struct checkpoint {
    struct job job;
    struct store *store;
    struct item *items;
    size_t item_count, item_capacity;
    struct blob **held; /* blobs that the contents lie in; neighbours that are the same are held once */
    size_t held_count, held_capacity;
    struct buf raw;
    struct segment **segments; /* made by this checkpoint */
    size_t segment_count, segment_capacity;
    struct buf machine, configuration, manifest;
    struct manifest head;
    bool fresh_segment;
    store_checkpoint_cb done;
    void *arg;
    /* the writer's own */
    struct file *out;
    struct buf pending;
    uint32_t written;
    bool in_doubt;         /* failed, but the new manifest may be the one that a restart finds */
    uint32_t from_segment; /* what from_file is open on */
    struct file *from_file;
    struct err err;
};

bool store_checkpoint_running(const struct store *store)
{
    return store->running != NULL;
}

static void choose_evacuated(struct store *store)
{
    size_t at = 0;
    struct segment *s;
    while ((s = map_u64_next(&store->segments, &at, NULL)))
        s->evacuating = (uint32_t)(s->key >> 32) == store->lineage && s->live &&
                        s->live * 100 < (uint64_t)s->size * STORE_EVACUATE_PERCENT;
}

struct checkpoint *store_checkpoint_begin(struct store *store, uint64_t index, uint64_t term,
                                          uint64_t configuration_index, struct slice configuration)
{
    CHECK(!store->running);
    struct checkpoint *c = mem_zalloc(sizeof *c);
    c->store = store;
    buf_put_slice(&c->configuration, configuration);
    c->head = (struct manifest){.index = index, .term = term, .configuration_index = configuration_index};
    store->running = c;
    choose_evacuated(store);
    return c;
}

struct buf *checkpoint_manifest(struct checkpoint *c)
{
    return &c->machine;
}

void checkpoint_new_segment(struct checkpoint *c)
{
    c->fresh_segment = true;
}

/* --- places --- */

static struct segment *segment_for(struct checkpoint *c, uint32_t size)
{
    struct segment *last = c->segment_count ? c->segments[c->segment_count - 1] : NULL;
    bool fits = last && !c->fresh_segment && (uint64_t)last->size + RECORD_HEADER_SIZE + size <= STORE_SEGMENT_SIZE_MAX;
    if (fits) return last;
    c->fresh_segment = false;
    c->segments = mem_grow(c->segments, &c->segment_capacity, c->segment_count + 1, sizeof(struct segment *));
    struct segment *s = segment_add(c->store, c->store->lineage, c->store->next_segment++, 0);
    s->writing = true;
    s->size = SEGMENT_HEADER_SIZE;
    c->store->disk += SEGMENT_HEADER_SIZE;
    c->segments[c->segment_count++] = s;
    return s;
}

static struct item *place(struct checkpoint *c, uint32_t size, uint8_t kind)
{
    struct segment *s = segment_for(c, size);
    c->items = mem_grow(c->items, &c->item_capacity, c->item_count + 1, sizeof *c->items);
    struct item *item = &c->items[c->item_count++];
    *item = (struct item){.kind = kind, .where = {s->id, s->size + RECORD_HEADER_SIZE, size}};
    s->size += RECORD_HEADER_SIZE + size;
    c->store->disk += RECORD_HEADER_SIZE + size;
    return item;
}

static void hold(struct checkpoint *c, struct blob *blob)
{
    if (c->held_count && c->held[c->held_count - 1] == blob) return;
    c->held = mem_grow(c->held, &c->held_capacity, c->held_count + 1, sizeof(struct blob *));
    c->held[c->held_count++] = blob_ref(blob);
}

struct location checkpoint_add(struct checkpoint *c, struct part content)
{
    struct item *item = place(c, content.size, ITEM_CONTENT);
    item->data = content.blob->data + content.offset;
    hold(c, content.blob);
    store_retain(c->store, item->where);
    c->store->figures.writes++;
    return item->where;
}

struct location checkpoint_move(struct checkpoint *c, struct location from)
{
    struct item *item = place(c, from.size, ITEM_MOVE);
    item->from = from;
    struct location *still = mem_alloc(sizeof *still);
    *still = from;
    map_u64_set(&c->store->moved, (uint64_t)item->where.segment << 32 | item->where.offset, still);
    store_retain(c->store, item->where);
    struct segment *old = segment_find(c->store, from.segment);
    if (old) { /* it stays while the durable manifest names it */
        uint64_t gone = from.size < old->live ? from.size : old->live;
        old->live -= gone;
        c->store->live -= gone;
    }
    return item->where;
}

struct location checkpoint_add_raw(struct checkpoint *c, struct slice bytes)
{
    struct item *item = place(c, (uint32_t)bytes.size, ITEM_RAW);
    item->raw = c->raw.size;
    buf_put_slice(&c->raw, bytes);
    c->store->figures.index_writes++;
    return item->where;
}

/* --- writing, on the executor --- */

static int write_pending(struct checkpoint *c)
{
    if (!c->pending.size) return 0;
    struct fs *fs = c->store->params.fs;
    struct iovec part = {c->pending.data, c->pending.size};
    int code = fs->pwritev(c->out, &part, 1, c->written, &c->err);
    c->written += (uint32_t)c->pending.size;
    buf_clear(&c->pending);
    return code;
}

static int finish_segment(struct checkpoint *c)
{
    if (!c->out) return 0;
    int code = write_pending(c);
    if (!code) code = c->store->params.fs->sync(c->out, &c->err);
    c->store->params.fs->close(c->out);
    c->out = NULL;
    return code;
}

static int begin_segment(struct checkpoint *c, const struct segment *s)
{
    char path[STORE_PATH_MAX];
    int code = finish_segment(c);
    segment_path(c->store, s, path);
    if (!code) code = c->store->params.fs->open(c->store->params.fs, path, FS_CREATE | FS_TRUNCATE, &c->out, &c->err);
    c->written = 0;
    buf_put(&c->pending, segment_magic, sizeof segment_magic);
    buf_put_le32(&c->pending, 1); /* format version */
    buf_put_le32(&c->pending, s->id);
    buf_put_le32(&c->pending, 0);
    return code;
}

/* An evacuated content, read through a handle of the writer's own. */
static int read_moved(struct checkpoint *c, const struct item *item, struct buf *bytes)
{
    struct fs *fs = c->store->params.fs;
    struct segment named = {.key = (uint64_t)c->head.lineage << 32 | item->from.segment, .id = item->from.segment};
    char path[STORE_PATH_MAX];
    segment_path(c->store, &named, path);
    if (!c->from_file || c->from_segment != item->from.segment) {
        if (c->from_file) fs->close(c->from_file);
        c->from_file = NULL;
        int code = fs->open(fs, path, FS_READ_ONLY, &c->from_file, &c->err);
        if (code) return code;
        c->from_segment = item->from.segment;
    }
    size_t size = RECORD_HEADER_SIZE + item->from.size, got = 0;
    buf_clear(bytes);
    int code =
        fs->pread(c->from_file, buf_reserve(bytes, size), size, item->from.offset - RECORD_HEADER_SIZE, &got, &c->err);
    if (code) return code;
    struct reader r = reader_of(slice_of(bytes->data, got));
    bool sound = reader_le32(&r) == item->from.size &&
                 reader_le64(&r) == record_checksum(item->from.segment, item->from.offset,
                                                    slice_of(bytes->data + RECORD_HEADER_SIZE, item->from.size));
    if (got != size || !sound)
        return (int)err_set(&c->err, ERR_CORRUPT, "%s: the record at offset %u is damaged", path,
                            item->from.offset - RECORD_HEADER_SIZE);
    return 0;
}

static int write_item(struct checkpoint *c, const struct item *item, struct buf *scratch)
{
    struct slice content = slice_of(item->data, item->where.size);
    if (item->kind == ITEM_RAW) content.data = c->raw.data + item->raw;
    if (item->kind == ITEM_MOVE) {
        int code = read_moved(c, item, scratch);
        if (code) return code;
        content.data = scratch->data + RECORD_HEADER_SIZE;
    }
    buf_put_le32(&c->pending, item->where.size);
    buf_put_le64(&c->pending, record_checksum(item->where.segment, item->where.offset, content));
    buf_put_slice(&c->pending, content);
    return c->pending.size >= WRITE_SIZE ? write_pending(c) : 0;
}

static int write_items(struct checkpoint *c)
{
    struct buf scratch = {0};
    uint32_t segment = 0;
    size_t next = 0;
    int code = 0;
    for (size_t i = 0; i < c->item_count && !code; i++) {
        if (c->items[i].where.segment != segment) {
            segment = c->items[i].where.segment;
            code = begin_segment(c, c->segments[next++]);
        }
        if (!code) code = write_item(c, &c->items[i], &scratch);
    }
    if (!code) code = finish_segment(c);
    else if (c->out) c->store->params.fs->close(c->out);
    c->out = NULL;
    if (c->from_file) c->store->params.fs->close(c->from_file);
    buf_close(&scratch);
    return code;
}

static void run_checkpoint(struct job *job)
{
    struct checkpoint *c = LIST_ITEM(job, struct checkpoint, job);
    struct fs *fs = c->store->params.fs;
    int code = write_items(c);
    if (!code && c->segment_count) code = fs->sync_dir(fs, c->store->directory, &c->err);
    if (!code) manifest_write(c->store, buf_slice(&c->manifest), &c->in_doubt, &c->err);
}

/* --- the end, on the loop --- */

static void forget_moved(struct store *store)
{
    size_t at = 0;
    struct location *from;
    while ((from = map_u64_next(&store->moved, &at, NULL))) mem_free(from);
    map_u64_close(&store->moved);
}

static void checkpoint_free(struct checkpoint *c)
{
    for (size_t i = 0; i < c->held_count; i++) blob_unref(c->held[i]);
    mem_free(c->held);
    mem_free(c->items);
    mem_free(c->segments);
    buf_close(&c->raw);
    buf_close(&c->machine);
    buf_close(&c->configuration);
    buf_close(&c->manifest);
    buf_close(&c->pending);
    mem_free(c);
}

static void on_written(struct job *job)
{
    struct checkpoint *c = LIST_ITEM(job, struct checkpoint, job);
    struct store *store = c->store;
    bool durable = c->err.code == ERR_OK;
    c->store->figures.checkpoints += durable;
    store->running = NULL;
    forget_moved(store);
    if (durable) CHECK(manifest_adopt(store, &c->manifest, NULL));
    c->done(c->arg, durable ? NULL : &c->err);
    for (size_t i = 0; i < c->segment_count; i++) {
        struct segment *s = c->segments[i];
        s->writing = false;
        if (c->in_doubt && !s->live && !s->users) segment_forget(store, s);
    }
    segments_drop_unused(store);
    checkpoint_free(c);
}

static int by_id(const void *a, const void *b)
{
    uint32_t left = (*(struct segment *const *)a)->id, right = (*(struct segment *const *)b)->id;
    return left < right ? -1 : left > right;
}

static void encode_manifest(struct checkpoint *c)
{
    struct buf list = {0};
    size_t at = 0;
    struct segment *s;
    struct store *store = c->store;
    struct segment **named = mem_alloc((store->segments.count + 1) * sizeof(struct segment *));
    while ((s = map_u64_next(&store->segments, &at, NULL)))
        if (s->live && (uint32_t)(s->key >> 32) == store->lineage) named[c->head.segment_count++] = s;
    qsort(named, c->head.segment_count, sizeof(struct segment *), by_id);
    for (uint32_t i = 0; i < c->head.segment_count; i++) {
        buf_put_le32(&list, named[i]->id);
        buf_put_le32(&list, named[i]->size);
    }
    mem_free(named);
    c->head.lineage = store->lineage;
    c->head.next_segment = store->next_segment;
    c->head.configuration = buf_slice(&c->configuration);
    c->head.segments = buf_slice(&list);
    c->head.machine = buf_slice(&c->machine);
    manifest_encode(&c->head, &c->manifest);
    buf_close(&list);
}

void store_checkpoint_run(struct store *store, struct checkpoint *c, store_checkpoint_cb done, void *arg)
{
    CHECK(store->running == c);
    c->done = done;
    c->arg = arg;
    encode_manifest(c);
    c->job = (struct job){.run = run_checkpoint, .done = on_written};
    executor_submit(store->params.executor, &c->job);
}
