/* The log's door: appends collect records; the writer (write.c) makes them durable. */
#include "replication/log/log.h"

#include "base/check.h"
#include "replication/log/log_internal.h"

int log_open(struct log **out, const struct log_params *params, struct err *err)
{
    struct log *l = mem_zalloc(sizeof *l);
    l->params = *params;
    if (!l->params.file_size) l->params.file_size = LOG_FILE_SIZE_DEFAULT;
    if (!l->params.cache_size) l->params.cache_size = LOG_CACHE_SIZE_DEFAULT;
    l->directory = mem_strdup(params->directory);
    l->trails = mem_zalloc(params->group_count * sizeof *l->trails);
    for (uint32_t g = 0; g < params->group_count; g++) l->trails[g].state.first_index = 1;
    int code = params->fs->mkdir(params->fs, l->directory, err);
    if (!code) code = log_recover(l, err);
    if (code) {
        l->broken = true;
        log_close(l);
        return (int)err_wrap(err, "write-ahead log %s", params->directory);
    }
    *out = l;
    return 0;
}

static struct record *push(struct log *l)
{
    struct flush *f = &l->flushes[l->filling];
    f->records = mem_grow(f->records, &f->capacity, f->count + 1, sizeof *f->records);
    return &f->records[f->count++];
}

static void begin_file(struct log *l, uint64_t needed)
{
    struct flush *f = &l->flushes[l->filling];
    struct record header;
    struct log_file *file = file_begin(l, needed, &header);
    *push(l) = header;
    f->opened = mem_grow(f->opened, &f->opened_capacity, f->opened_count + 1, sizeof(struct log_file *));
    f->opened[f->opened_count++] = file;
}

static struct record *place(struct log *l, struct record r)
{
    struct log_file *file = l->file_count ? l->files[l->file_count - 1] : NULL;
    uint64_t span = record_span(r.size);
    if (!file || file->ended || file->data_start + (l->next_lsn - file->first_lsn) + span > file->size)
        begin_file(l, span);
    r.lsn = l->next_lsn;
    struct record *placed = push(l);
    *placed = r;
    l->next_lsn += span;
    l->files[l->file_count - 1]->end_lsn = l->next_lsn;
    return placed;
}

/* The first record of a flush says what was durable before it. */
static struct record *add(struct log *l, uint8_t kind, uint32_t group, uint64_t index, uint64_t term, uint32_t size)
{
    CHECK(group < l->params.group_count);
    struct flush *f = &l->flushes[l->filling];
    if (!f->count) {
        f->file = l->file_count ? l->files[l->file_count - 1] : NULL;
        place(l, (struct record){.kind = RECORD_FRAME});
    }
    return place(l, (struct record){.kind = kind, .group = group, .index = index, .term = term, .size = size});
}

uint64_t log_append_vote(struct log *l, uint32_t group, uint64_t term, uint64_t voted_for)
{
    add(l, RECORD_VOTE, group, voted_for, term, 0);
    l->trails[group].state.term = term;
    l->trails[group].state.voted_for = voted_for;
    return l->next_lsn;
}

uint64_t log_append_entry(struct log *l, uint32_t group, struct entry *entry)
{
    struct trail *t = &l->trails[group];
    CHECK(entry->index >= t->state.first_index && entry->index <= t->state.last_index + 1);
    struct record *r = add(l, RECORD_ENTRY, group, entry->index, entry->term, entry->size);
    r->type = entry->type;
    r->entry = entry_ref(entry);
    uint64_t lsn = r->lsn;
    trail_cut_from(l, group, entry->index);
    trail_append(l, group, entry->index, entry->term, entry->type, lsn, entry->size, entry_ref(entry));
    cache_evict(l);
    return l->next_lsn;
}

static void replace_by_snapshot(struct log *l, uint32_t group, uint64_t index, uint64_t term)
{
    struct trail *t = &l->trails[group];
    trail_cut_from(l, group, t->state.first_index);
    t->state.snapshot_index = index;
    t->state.snapshot_term = term;
    t->state.first_index = index + 1;
    t->state.last_index = index;
    t->bytes = 0;
}

uint64_t log_append_snapshot(struct log *l, uint32_t group, uint64_t index, uint64_t term)
{
    add(l, RECORD_SNAPSHOT, group, index, term, 0);
    replace_by_snapshot(l, group, index, term);
    return l->next_lsn;
}

uint64_t log_forget_group(struct log *l, uint32_t group)
{
    return log_append_snapshot(l, group, 0, 0); /* "everything up to nothing is in a snapshot" */
}

void log_trim(struct log *l, uint32_t group, uint64_t snapshot_index, uint64_t snapshot_term, uint64_t keep_from)
{
    struct trail *t = &l->trails[group];
    if (keep_from > t->state.last_index + 1) keep_from = t->state.last_index + 1;
    if (keep_from < t->state.first_index) keep_from = t->state.first_index;
    struct record *r = add(l, RECORD_TRIM, group, snapshot_index, snapshot_term, 8);
    buf_put_le64(&r->payload, keep_from);
    trail_cut_before(l, group, keep_from);
    t->state.snapshot_index = snapshot_index;
    t->state.snapshot_term = snapshot_term;
    trail_count_bytes(t);
    l->flush_wanted = true; /* goes with the next flush; the files go when that is durable */
}

void log_flush(struct log *l)
{
    if (l->writing) l->flush_wanted |= l->flushes[l->filling].count > 0;
    else flush_start(l);
}

uint64_t log_durable(const struct log *l)
{
    return l->durable;
}

void log_on_durable(struct log *l, void (*callback)(void *arg), void *arg)
{
    l->durable_cb = callback;
    l->durable_arg = arg;
}

bool log_idle(const struct log *l)
{
    return !l->writing && (!l->flushes[l->filling].count || l->broken);
}

/* A last frame, so that everything before it is provably durable. */
static void write_farewell(struct log *l)
{
    struct flush *f = &l->flushes[l->filling];
    if (!l->file_count || l->broken || l->durable != l->next_lsn || !l->files[l->file_count - 1]->file) return;
    f->file = l->files[l->file_count - 1];
    f->log = l;
    f->claim = l->claim;
    place(l, (struct record){.kind = RECORD_FRAME});
    if (l->files[l->file_count - 1] == f->file) flush_write(f);
}

void log_close(struct log *l)
{
    write_farewell(l);
    for (unsigned i = 0; i < 2; i++) {
        struct flush *f = &l->flushes[i];
        for (size_t r = 0; r < f->count; r++) {
            entry_unref(f->records[r].entry);
            buf_close(&f->records[r].payload);
        }
        mem_free(f->records);
        mem_free(f->opened);
        buf_close(&f->bytes);
    }
    for (uint32_t g = 0; g < l->params.group_count; g++) {
        struct trail *t = &l->trails[g];
        for (uint64_t i = t->state.first_index; i <= t->state.last_index; i++) entry_unref(trail_at(t, i)->entry);
        mem_free(t->entries);
    }
    for (size_t i = 0; i < l->file_count; i++) {
        if (l->files[i]->file) l->params.fs->close(l->files[i]->file);
        mem_free(l->files[i]);
    }
    mem_free(l->files);
    mem_free(l->trails);
    mem_free(l->cache);
    mem_free(l->free_files);
    mem_free(l->directory);
    mem_free(l);
}

void log_group_state(const struct log *l, uint32_t group, struct log_group_state *state)
{
    *state = l->trails[group].state;
}

/* --- reading back --- */

uint64_t log_entry_term(const struct log *l, uint32_t group, uint64_t index)
{
    struct trail_entry *e = trail_at(&l->trails[group], index);
    return e ? e->term : 0;
}

uint8_t log_entry_type(const struct log *l, uint32_t group, uint64_t index)
{
    struct trail_entry *e = trail_at(&l->trails[group], index);
    return e ? e->type : 0;
}

static struct entry *read_entry(struct log *l, uint32_t group, uint64_t index, const struct trail_entry *e,
                                struct err *err)
{
    struct log_file *f = file_of_lsn(l, e->lsn);
    uint64_t offset = f->data_start + (e->lsn - f->first_lsn);
    struct blob *blob = blob_create(RECORD_HEADER_SIZE + e->size);
    struct record r;
    struct slice payload;
    size_t got = 0;
    struct entry *entry = NULL;
    int code = l->params.fs->pread(f->file, blob->data, blob->size, offset, &got, err);
    if (!code && (!record_read(slice_of(blob->data, got), &r, &payload) || r.kind != RECORD_ENTRY || r.group != group ||
                  r.index != index || r.lsn != e->lsn))
        err_set(err, ERR_CORRUPT, "log file %016llx: entry %llu of group %u at offset %llu is damaged",
                (unsigned long long)f->sequence, (unsigned long long)index, group, (unsigned long long)offset);
    else if (!code) entry = entry_from_blob(e->type, index, e->term, blob, RECORD_HEADER_SIZE, e->size);
    blob_unref(blob);
    return entry;
}

uint32_t log_entry_size(const struct log *l, uint32_t group, uint64_t index)
{
    const struct trail_entry *e = trail_at(&l->trails[group], index);
    return e ? e->size : 0;
}

struct entry *log_entry(struct log *l, uint32_t group, uint64_t index, struct err *err)
{
    struct trail_entry *e = trail_at(&l->trails[group], index);
    if (!e) {
        err_set(err, ERR_NOT_FOUND, "the log of group %u has no entry %llu", group, (unsigned long long)index);
        return NULL;
    }
    if (e->entry) return entry_ref(e->entry);
    return read_entry(l, group, index, e, err);
}

/* --- figures --- */

uint64_t log_group_bytes(const struct log *l, uint32_t group)
{
    return l->trails[group].bytes;
}

uint64_t log_total_bytes(const struct log *l)
{
    return l->total_bytes;
}

uint64_t log_group_reach(const struct log *l, uint32_t group)
{
    const struct trail_entry *e = trail_at(&l->trails[group], l->trails[group].state.first_index);
    if (!e) return 0;
    uint64_t bytes = 0; /* file by file: positions leap at a restart */
    for (size_t i = l->file_count; i-- > 0;) {
        const struct log_file *f = l->files[i];
        if (f->first_lsn <= e->lsn) return bytes + f->end_lsn - e->lsn;
        bytes += f->end_lsn - f->first_lsn;
    }
    UNREACHABLE();
}

uint64_t log_sync_count(const struct log *l)
{
    return l->syncs;
}
