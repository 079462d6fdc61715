/* A store's life, and how many live bytes each segment has. */
#include "replication/store/store_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- segments --- */

static uint64_t key_of(uint32_t lineage, uint32_t id)
{
    return (uint64_t)lineage << 32 | id;
}

void segment_path(const struct store *store, const struct segment *s, char path[static STORE_PATH_MAX])
{
    snprintf(path, STORE_PATH_MAX, "%s/seg-%08" PRIx32 "-%08" PRIx32 ".seg", store->directory, (uint32_t)(s->key >> 32),
             s->id);
}

struct segment *segment_find(const struct store *store, uint32_t id)
{
    return map_u64_get(&store->segments, key_of(store->lineage, id));
}

struct segment *segment_add(struct store *store, uint32_t lineage, uint32_t id, uint32_t size)
{
    struct segment *s = mem_zalloc(sizeof *s);
    s->key = key_of(lineage, id);
    s->id = id;
    s->size = size;
    map_u64_set(&store->segments, s->key, s);
    store->disk += size;
    return s;
}

static void segment_free(struct store *store, struct segment *s)
{
    if (s->file) store->params.fs->close(s->file);
    map_u64_remove(&store->segments, s->key);
    store->disk -= s->size;
    mem_free(s);
}

/* The kernel takes its time to free a big file's blocks and pages: not on the loop. */
struct removal {
    struct job job;
    struct store *store;
    char path[STORE_PATH_MAX];
};

static void run_removal(struct job *job)
{
    struct removal *r = LIST_ITEM(job, struct removal, job);
    r->store->params.fs->unlink(r->store->params.fs, r->path, NULL); /* if it stays, the next start removes it */
}

static void on_removed(struct job *job)
{
    struct removal *r = LIST_ITEM(job, struct removal, job);
    r->store->reads--;
    mem_free(r);
}

void segment_forget(struct store *store, struct segment *s)
{
    blocks_forget(store, s);
    segment_free(store, s);
}

void segment_drop_if_unused(struct store *store, struct segment *s)
{
    if (s->live || s->current || s->writing || s->users || store->counts_closed) return;
    struct removal *r = mem_zalloc(sizeof *r);
    r->job = (struct job){.run = run_removal, .done = on_removed};
    r->store = store;
    segment_path(store, s, r->path);
    segment_forget(store, s);
    store->reads++;
    executor_submit(store->params.executor, &r->job);
}

void segments_drop_unused(struct store *store)
{
    bool again = true;
    while (again) { /* the map must not change during a walk */
        size_t at = 0, before = store->segments.count;
        struct segment *s;
        while ((s = map_u64_next(&store->segments, &at, NULL))) {
            if (s->live || s->current || s->writing || s->users) continue;
            segment_drop_if_unused(store, s);
            break;
        }
        again = store->segments.count != before;
    }
}

int segment_open(struct store *store, struct segment *s, struct err *err)
{
    if (s->file) return 0;
    char path[STORE_PATH_MAX];
    segment_path(store, s, path);
    return store->params.fs->open(store->params.fs, path, FS_READ_ONLY, &s->file, err);
}

/* --- counts --- */

void store_retain_bytes(struct store *store, uint32_t segment, uint64_t bytes)
{
    struct segment *s = segment_find(store, segment);
    if (!s) return; /* restore checks its locations with store_has() */
    s->live += bytes;
    store->live += bytes;
}

void store_release_bytes(struct store *store, uint32_t segment, uint64_t bytes)
{
    struct segment *s = store->counts_closed ? NULL : segment_find(store, segment);
    if (!s) return; /* of a family that an installed snapshot replaced */
    if (bytes > s->live) bytes = s->live;
    s->live -= bytes;
    store->live -= bytes;
    if (!s->live) segment_drop_if_unused(store, s);
}

void store_release(struct store *store, struct location where)
{
    store_release_bytes(store, where.segment, where.size);
}

void store_retain(struct store *store, struct location where)
{
    store_retain_bytes(store, where.segment, where.size);
}

bool store_has(const struct store *store, struct location where)
{
    const struct segment *s = segment_find(store, where.segment);
    return s && where.offset >= SEGMENT_HEADER_SIZE + RECORD_HEADER_SIZE && where.offset <= s->size &&
           where.size <= s->size - where.offset;
}

void store_close_counts(struct store *store)
{
    store->counts_closed = true;
}

void store_forget_counts(struct store *store)
{
    size_t at = 0;
    struct segment *s;
    while ((s = map_u64_next(&store->segments, &at, NULL))) s->live = 0;
    store->live = 0;
}

bool store_evacuating(const struct store *store, uint32_t segment)
{
    const struct segment *s = segment_find(store, segment);
    return s && s->evacuating;
}

/* --- life --- */

bool manifest_adopt(struct store *store, struct buf *bytes, struct err *err)
{
    struct manifest m;
    if (manifest_decode(buf_slice(bytes), &m, err)) return false;
    buf_close(&store->manifest_bytes);
    store->manifest_bytes = *bytes;
    store->manifest = m;
    *bytes = (struct buf){0};
    size_t at = 0;
    struct segment *s;
    while ((s = map_u64_next(&store->segments, &at, NULL))) s->current = false;
    for (uint32_t i = 0; i < m.segment_count; i++) {
        s = map_u64_get(&store->segments, key_of(m.lineage, manifest_segment(&m, i).id));
        if (s) s->current = true;
    }
    return true;
}

int manifest_write(const struct store *store, struct slice manifest, bool *in_doubt, struct err *err)
{
    char path[STORE_PATH_MAX + 16];
    uint8_t *data;
    size_t size;
    snprintf(path, sizeof path, "%s/manifest", store->directory);
    int code = fs_write_file(store->params.fs, path, manifest, err);
    *in_doubt = false;
    if (!code || fs_read_file(store->params.fs, path, &data, &size, NULL)) return code;
    *in_doubt = slice_equal(slice_of(data, size), manifest);
    mem_free(data);
    return code;
}

static int check_segment_file(struct store *store, struct segment *s, struct err *err)
{
    struct fs *fs = store->params.fs;
    uint64_t size = 0;
    char path[STORE_PATH_MAX];
    segment_path(store, s, path);
    int code = segment_open(store, s, err);
    if (!code) code = fs->size(s->file, &size, err);
    if (code) return (int)err_wrap(err, "the manifest names a segment that cannot be opened");
    if (size < s->size)
        return (int)err_set(err, ERR_CORRUPT, "%s: %llu bytes, the manifest says %u", path, (unsigned long long)size,
                            s->size);
    fs->close(s->file);
    s->file = NULL;
    return 0;
}

static int read_manifest(struct store *store, struct err *err)
{
    char path[STORE_PATH_MAX + 16];
    struct buf bytes = {0};
    uint8_t *data;
    size_t size;
    snprintf(path, sizeof path, "%s/manifest", store->directory);
    int code = fs_read_file(store->params.fs, path, &data, &size, err);
    if (code == ERR_NOT_FOUND) return 0;
    if (code) return code;
    buf_put(&bytes, data, size);
    mem_free(data);
    if (!manifest_adopt(store, &bytes, err)) {
        buf_close(&bytes);
        return (int)err_wrap(err, "%s", path);
    }
    store->lineage = store->manifest.lineage;
    store->next_segment = store->manifest.next_segment;
    for (uint32_t i = 0; i < store->manifest.segment_count; i++) {
        struct manifest_segment named = manifest_segment(&store->manifest, i);
        struct segment *s = segment_add(store, store->lineage, named.id, named.size);
        s->current = true;
        code = check_segment_file(store, s, err);
        if (code) return code;
    }
    return 0;
}

struct orphans {
    struct store *store;
    struct buf names; /* zero-terminated, one after the other */
};

static void on_name(void *arg, const char *name)
{
    struct orphans *o = arg;
    unsigned lineage, id;
    int end = 0;
    if (sscanf(name, "seg-%8x-%8x.seg%n", &lineage, &id, &end) != 2 || name[end]) return;
    if (!map_u64_get(&o->store->segments, key_of(lineage, id))) buf_put(&o->names, name, strlen(name) + 1);
}

/* What a checkpoint or a transfer left behind when the process died. */
static int remove_orphans(struct store *store, struct err *err)
{
    struct fs *fs = store->params.fs;
    struct orphans o = {.store = store};
    int code = fs->list(fs, store->directory, on_name, &o, err);
    for (size_t at = 0; !code && at < o.names.size; at += strlen((char *)o.names.data + at) + 1) {
        char path[STORE_PATH_MAX + 256];
        snprintf(path, sizeof path, "%s/%s", store->directory, (char *)o.names.data + at);
        code = fs->unlink(fs, path, err);
    }
    buf_close(&o.names);
    return code;
}

static void free_store(struct store *store)
{
    size_t at = 0;
    struct segment *s;
    blocks_close(store);
    while ((s = map_u64_next(&store->segments, &at, NULL))) {
        if (s->file) store->params.fs->close(s->file);
        mem_free(s);
    }
    map_u64_close(&store->segments);
    map_u64_close(&store->moved);
    buf_close(&store->manifest_bytes);
    buf_close(&store->installing);
    mem_free(store);
}

int store_open(struct store **out, const struct store_params *params, struct err *err)
{
    struct store *store = mem_zalloc(sizeof *store);
    store->params = *params;
    store->lineage = store->next_segment = 1;
    list_init(&store->blocks);
    if (strlen(params->directory) >= STORE_DIRECTORY_MAX) {
        free_store(store);
        return (int)err_set(err, ERR_INVALID, "%s: the path is too long", params->directory);
    }
    snprintf(store->directory, sizeof store->directory, "%s", params->directory);
    int code = params->fs->mkdir(params->fs, store->directory, err);
    if (!code) code = read_manifest(store, err);
    if (!code) code = remove_orphans(store, err);
    if (code) free_store(store);
    else *out = store;
    return code;
}

bool store_idle(const struct store *store)
{
    return !store->running && !store->reads;
}

void store_close(struct store *store)
{
    CHECK(store_idle(store));
    free_store(store);
}

void store_manifest(const struct store *store, struct store_manifest *manifest)
{
    const struct manifest *m = &store->manifest;
    *manifest = (struct store_manifest){m->index, m->term, m->configuration_index, m->configuration, m->machine};
}

void store_fail(struct store *store, const struct err *err)
{
    if (store->params.failed) store->params.failed(store->params.arg, err);
}

uint64_t store_disk_bytes(const struct store *store)
{
    return store->disk;
}

uint64_t store_live_bytes(const struct store *store)
{
    return store->live;
}

void store_figures(const struct store *store, struct store_figures *figures)
{
    *figures = store->figures;
    figures->segments = store->segments.count;
    figures->disk_bytes = store->disk;
    figures->live_bytes = store->live;
}
