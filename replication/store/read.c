/* Contents come back from segments: block by block, ahead of the reader, each record proven by its checksum. */
#include "base/hash.h"
#include "replication/store/store_internal.h"

uint64_t record_checksum(uint32_t segment, uint32_t offset, struct slice content)
{
    return hash_bytes(content.data, content.size, (uint64_t)segment << 32 | offset);
}

/* How many bytes from the start are sound records. */
static uint32_t sound_bytes(const struct block *b, uint32_t got)
{
    uint32_t at = 0;
    while (got - at >= RECORD_HEADER_SIZE) {
        struct reader r = reader_of(slice_of(b->bytes->data + at, RECORD_HEADER_SIZE));
        uint32_t size = reader_le32(&r);
        uint64_t sum = reader_le64(&r);
        if (size > got - at - RECORD_HEADER_SIZE) break;
        struct slice content = slice_of(b->bytes->data + at + RECORD_HEADER_SIZE, size);
        if (sum != record_checksum(b->segment->id, b->offset + at + RECORD_HEADER_SIZE, content)) break;
        at += RECORD_HEADER_SIZE + size;
    }
    return at;
}

static void run_read(struct job *job)
{
    struct block *b = LIST_ITEM(job, struct block, job);
    size_t got = 0;
    struct fs *fs = b->store->params.fs;
    if (fs->pread(b->segment->file, b->bytes->data, b->wanted, b->offset, &got, &b->err)) return;
    b->whole = sound_bytes(b, (uint32_t)got);
}

static void block_free(struct block *b)
{
    list_remove(&b->link);
    b->store->block_count--;
    blob_unref(b->bytes);
    mem_free(b);
}

static bool holds(const struct block *b, const struct segment *s, struct location where)
{
    return b->segment == s && where.offset >= b->offset + RECORD_HEADER_SIZE &&
           where.offset + where.size <= b->offset + b->whole;
}

static struct part part_of(const struct block *b, struct location where)
{
    return (struct part){b->bytes, where.offset - b->offset, where.size};
}

static struct block *start_read(struct store *store, struct segment *s, uint32_t offset, uint32_t size,
                                struct err *err);

static void tell(struct block *b, struct fetch *f)
{
    struct err err = b->err;
    list_remove(&f->link);
    bool another_is_damaged =
        !err.code && !holds(b, b->segment, f->where) && f->where.offset != b->offset + RECORD_HEADER_SIZE;
    if (another_is_damaged) { /* it stands before ours, which may be sound */
        struct block *own = start_read(b->store, b->segment, f->where.offset - RECORD_HEADER_SIZE,
                                       f->where.size + RECORD_HEADER_SIZE, &err);
        if (own) {
            list_append(&own->waiters, &f->link);
            return;
        }
    }
    if (holds(b, b->segment, f->where)) {
        f->ready(f->arg, part_of(b, f->where), NULL);
    } else {
        if (!err.code) {
            char path[STORE_PATH_MAX];
            segment_path(b->store, b->segment, path);
            err_set(&err, ERR_CORRUPT, "%s: the record at offset %u is damaged", path,
                    f->where.offset - RECORD_HEADER_SIZE);
        }
        store_fail(b->store, &err);
        f->ready(f->arg, (struct part){0}, &err);
    }
    mem_free(f);
}

static void on_read(struct job *job)
{
    struct block *b = LIST_ITEM(job, struct block, job);
    struct store *store = b->store;
    struct segment *s = b->segment;
    b->ready = b->telling = true;
    store->reads--;
    s->users++; /* the callbacks may release the last of it */
    while (!list_empty(&b->waiters)) tell(b, LIST_ITEM(b->waiters.next, struct fetch, link));
    b->telling = false;
    if (!b->whole) block_free(b);
    s->users -= 2;
    segment_drop_if_unused(store, s);
}

static void shrink_cache(struct store *store)
{
    while (store->block_count >= STORE_CACHE_BLOCKS) {
        struct block *oldest = LIST_ITEM(store->blocks.previous, struct block, link);
        if (!oldest->ready || oldest->telling) return;
        block_free(oldest);
    }
}

/* NULL: the file cannot be opened, or there is nothing there. */
static struct block *start_read(struct store *store, struct segment *s, uint32_t offset, uint32_t size, struct err *err)
{
    if (offset >= s->size) {
        err_set(err, ERR_CORRUPT, "segment %u: offset %u is behind its end", s->id, offset);
        return NULL;
    }
    if (segment_open(store, s, err)) return NULL;
    shrink_cache(store);
    struct block *b = mem_zalloc(sizeof *b);
    b->store = store;
    b->segment = s;
    b->offset = offset;
    b->wanted = size > STORE_READ_SIZE ? size : STORE_READ_SIZE;
    if (b->wanted > s->size - offset) b->wanted = s->size - offset;
    b->bytes = blob_create(b->wanted);
    b->job = (struct job){.run = run_read, .done = on_read};
    list_init(&b->waiters);
    list_prepend(&store->blocks, &b->link);
    store->block_count++;
    store->reads++;
    s->users++;
    executor_submit(store->params.read_executor, &b->job);
    return b;
}

/* The running checkpoint copies this content: it is read where it was. */
static struct location readable(const struct store *store, struct location where)
{
    const struct location *before =
        store->moved.count ? map_u64_get(&store->moved, (uint64_t)where.segment << 32 | where.offset) : NULL;
    return before ? *before : where;
}

static struct block *block_at(struct store *store, const struct segment *s, uint32_t offset)
{
    LIST_FOR(&store->blocks, link)
    {
        struct block *b = LIST_ITEM(link, struct block, link);
        if (b->segment == s && b->offset == offset) return b;
    }
    return NULL;
}

/* Keeps one block ahead of whoever reads this one. */
static void read_ahead(struct store *store, struct block *b)
{
    uint32_t next = b->offset + b->whole;
    if (next >= b->segment->size || block_at(store, b->segment, next)) return;
    start_read(store, b->segment, next, 0, NULL);
}

struct part store_cached(struct store *store, struct location where)
{
    where = readable(store, where);
    const struct segment *s = segment_find(store, where.segment);
    LIST_FOR(&store->blocks, link)
    {
        struct block *b = LIST_ITEM(link, struct block, link);
        if (!b->ready || !holds(b, s, where)) continue;
        if (store->blocks.next != &b->link) {
            list_remove(&b->link);
            list_prepend(&store->blocks, &b->link);
        }
        struct part found = part_of(b, where);
        if (where.offset - b->offset > b->whole / 2) read_ahead(store, b);
        return found;
    }
    return (struct part){0};
}

/* A read that could not even begin is told like one that failed: later, from the executor. */
struct refusal {
    struct job job;
    struct store *store;
    store_fetch_cb ready;
    void *arg;
    struct err err;
};

static void run_nothing(struct job *job)
{
    (void)job;
}

static void on_refused(struct job *job)
{
    struct refusal *r = LIST_ITEM(job, struct refusal, job);
    r->store->reads--;
    store_fail(r->store, &r->err);
    r->ready(r->arg, (struct part){0}, &r->err);
    mem_free(r);
}

static void refuse(struct store *store, store_fetch_cb ready, void *arg, const struct err *err)
{
    struct refusal *r = mem_zalloc(sizeof *r);
    *r = (struct refusal){
        .job = {.run = run_nothing, .done = on_refused}, .store = store, .ready = ready, .arg = arg, .err = *err};
    store->reads++;
    executor_submit(store->params.read_executor, &r->job);
}

void store_fetch(struct store *store, struct location where, store_fetch_cb ready, void *arg)
{
    where = readable(store, where);
    struct segment *s = segment_find(store, where.segment);
    struct block *block = NULL;
    store->figures.reads++;
    struct err err = {0};
    if (!s || where.offset < RECORD_HEADER_SIZE) {
        err_set(&err, ERR_CORRUPT, "segment %u is not there", where.segment);
        refuse(store, ready, arg, &err);
        return;
    }
    LIST_FOR(&store->blocks, link)
    {
        struct block *b = LIST_ITEM(link, struct block, link);
        bool covers = b->segment == s && where.offset >= b->offset + RECORD_HEADER_SIZE &&
                      where.offset + where.size <= b->offset + b->wanted;
        if (covers && !b->ready) block = b;
    }
    if (!block) block = start_read(store, s, where.offset - RECORD_HEADER_SIZE, where.size + RECORD_HEADER_SIZE, &err);
    if (!block) {
        refuse(store, ready, arg, &err);
        return;
    }
    struct fetch *f = mem_zalloc(sizeof *f);
    *f = (struct fetch){.where = where, .ready = ready, .arg = arg};
    list_append(&block->waiters, &f->link);
}

int store_read_now(struct store *store, uint32_t segment, uint32_t offset, void *data, uint32_t size, struct err *err)
{
    struct segment *s = segment_find(store, segment);
    uint8_t head[RECORD_HEADER_SIZE];
    size_t got = 0;
    store->figures.index_reads++;
    if (!s || offset < RECORD_HEADER_SIZE) return (int)err_set(err, ERR_CORRUPT, "segment %u is not there", segment);
    int code = segment_open(store, s, err);
    if (!code) code = store->params.fs->pread(s->file, head, sizeof head, offset - RECORD_HEADER_SIZE, &got, err);
    bool whole = got == sizeof head;
    if (!code) code = store->params.fs->pread(s->file, data, size, offset, &got, err);
    if (code) return code;
    struct reader r = reader_of(slice_of(head, sizeof head));
    bool sound = whole && got == size && reader_le32(&r) == size &&
                 reader_le64(&r) == record_checksum(segment, offset, slice_of(data, size));
    if (sound) return 0;
    char path[STORE_PATH_MAX];
    segment_path(store, s, path);
    return (int)err_set(err, ERR_CORRUPT, "%s: the record at offset %u is damaged", path, offset - RECORD_HEADER_SIZE);
}

void store_read_hint(struct store *store, uint32_t segment, uint32_t offset, uint32_t size)
{
    struct segment *s = segment_find(store, segment);
    if (!s || offset < RECORD_HEADER_SIZE || block_at(store, s, offset - RECORD_HEADER_SIZE)) return;
    start_read(store, s, offset - RECORD_HEADER_SIZE, size + RECORD_HEADER_SIZE, NULL);
}

void blocks_forget(struct store *store, const struct segment *s)
{
    LIST_FOR_SAFE(&store->blocks, link)
    {
        struct block *b = LIST_ITEM(link, struct block, link);
        if (b->segment == s) block_free(b); /* none is being read: it would be a user of the segment */
    }
}

void blocks_close(struct store *store)
{
    while (!list_empty(&store->blocks)) block_free(LIST_ITEM(store->blocks.next, struct block, link));
}
