/* Recovery: reads the files in order, rebuilds votes and trails, and tells a torn tail (dropped) from a hole (refused). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "replication/log/log_internal.h"

struct found {
    uint64_t *sequences;
    size_t count, capacity;
    struct log *log;
};

static void on_name(void *arg, const char *name)
{
    struct found *found = arg;
    uint64_t sequence;
    char end[8];
    if (sscanf(name, "%16" SCNx64 ".%4s", &sequence, end) != 2 || strlen(name) < 20) return;
    if (!strcmp(end, "wal")) {
        found->sequences = mem_grow(found->sequences, &found->capacity, found->count + 1, sizeof *found->sequences);
        found->sequences[found->count++] = sequence;
    }
    if (!strcmp(end, "free")) {
        struct log *l = found->log;
        l->free_files = mem_grow(l->free_files, &l->free_capacity, l->free_count + 1, sizeof *l->free_files);
        l->free_files[l->free_count++] = sequence;
    }
    if (sequence >= found->log->next_sequence) found->log->next_sequence = sequence + 1;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

struct loaded {
    uint64_t sequence, first_lsn, previous_end, data_start;
    uint8_t *bytes;
    size_t size;
    struct slice states; /* per group, from the header */
    bool valid;
};

static void read_header(struct log *l, struct loaded *f)
{
    struct record r;
    struct slice payload;
    if (!record_read(slice_of(f->bytes, f->size), &r, &payload) || r.kind != RECORD_HEADER) return;
    struct reader in = reader_of(payload);
    uint32_t version = reader_le32(&in);
    uint64_t sequence = reader_le64(&in);
    f->previous_end = reader_le64(&in);
    uint32_t groups = reader_le32(&in);
    f->states = reader_bytes(&in, (size_t)groups * 40);
    f->first_lsn = r.lsn;
    f->data_start = (record_span(r.size) + FILE_HEADER_ALIGN - 1) & ~(uint64_t)(FILE_HEADER_ALIGN - 1);
    f->valid = !in.failed && version == FILE_VERSION && sequence == f->sequence && groups == l->params.group_count;
}

static int load(struct log *l, uint64_t sequence, struct loaded *f, struct err *err)
{
    char path[600];
    *f = (struct loaded){.sequence = sequence};
    file_path(l, sequence, false, path, sizeof path);
    int code = fs_read_file(l->params.fs, path, &f->bytes, &f->size, err);
    if (!code) read_header(l, f);
    return code;
}

static void take_states(struct log *l, struct slice states)
{
    struct reader in = reader_of(states);
    for (uint32_t g = 0; g < l->params.group_count; g++) {
        struct log_group_state *s = &l->trails[g].state;
        s->term = reader_le64(&in);
        s->voted_for = reader_le64(&in);
        s->snapshot_index = reader_le64(&in);
        s->snapshot_term = reader_le64(&in);
        s->first_index = reader_le64(&in);
        s->last_index = s->first_index - 1;
    }
}

static bool take_entry(struct log *l, const struct record *r)
{
    struct trail *t = &l->trails[r->group];
    if (t->state.last_index < t->state.first_index && r->index > t->state.last_index + 1 && r->index <= t->state.snapshot_index + 1)
        return true;
    if (r->index < t->state.first_index) return true; /* trimmed since; a later record said so */
    if (r->index > t->state.last_index + 1) return false;
    trail_cut_from(l, r->group, r->index);
    trail_append(l, r->group, r->index, r->term, r->type, r->lsn, r->size, NULL);
    return true;
}

static bool take_record(struct log *l, const struct record *r, struct slice payload)
{
    if (r->kind == RECORD_FRAME) return true;
    if (r->group >= l->params.group_count) return false;
    struct trail *t = &l->trails[r->group];
    struct reader in = reader_of(payload);
    uint64_t keep_from;
    switch (r->kind) {
    case RECORD_ENTRY: return take_entry(l, r);
    case RECORD_VOTE:
        t->state.term = r->term;
        t->state.voted_for = r->index;
        return true;
    case RECORD_SNAPSHOT:
        trail_cut_from(l, r->group, t->state.first_index);
        t->state.snapshot_index = r->index;
        t->state.snapshot_term = r->term;
        t->state.first_index = r->index + 1;
        t->state.last_index = r->index;
        return true;
    case RECORD_TRIM:
        keep_from = reader_le64(&in);
        if (in.failed || keep_from > t->state.last_index + 1) return false;
        trail_cut_before(l, r->group, keep_from);
        t->state.snapshot_index = r->index;
        t->state.snapshot_term = r->term;
        return true;
    default: return false;
    }
}

/* The highest position that a frame in `bytes` claims to have been durable; LSNs must fit their place, so stale bytes do not count. */
static uint64_t claim_in(const struct loaded *f, uint64_t from)
{
    uint64_t best = 0;
    struct record r;
    struct slice payload;
    for (uint64_t at = from; at + RECORD_HEADER_SIZE <= f->size; at += RECORD_ALIGN) {
        if (f->bytes[at + 8] != RECORD_FRAME) continue;
        if (!record_read(slice_of(f->bytes + at, f->size - at), &r, &payload) || r.lsn != f->first_lsn + (at - f->data_start)) continue;
        if (r.index > best) best = r.index;
    }
    return best;
}

struct scan {
    struct log *log;
    uint64_t want; /* LSN expected next */
    uint64_t torn_sequence, torn_offset;
    bool torn;
};

static struct log_file *keep_file(struct log *l, const struct loaded *f)
{
    struct log_file *kept = mem_zalloc(sizeof *kept);
    *kept = (struct log_file){.sequence = f->sequence, .first_lsn = f->first_lsn, .data_start = f->data_start, .size = f->size};
    kept->recyclable = f->size == l->params.file_size;
    l->files = mem_grow(l->files, &l->file_capacity, l->file_count + 1, sizeof(struct log_file *));
    l->files[l->file_count++] = kept;
    l->total_bytes += f->size;
    return kept;
}

static int bad_content(const struct loaded *f, uint64_t offset, struct err *err)
{
    return (int)err_set(err, ERR_CORRUPT, "file %016llx.wal, offset %llu: a record that passes its checksum does not follow from those before",
                        (unsigned long long)f->sequence, (unsigned long long)offset);
}

/* Takes the records of one file as far as they follow on. */
static int scan_file(struct scan *s, const struct loaded *f, struct err *err)
{
    struct log_file *kept = keep_file(s->log, f);
    uint64_t offset = f->data_start;
    struct record r;
    struct slice payload;
    s->want = f->first_lsn;
    while (offset < f->size && record_read(slice_of(f->bytes + offset, f->size - offset), &r, &payload) && r.lsn == s->want) {
        if (!take_record(s->log, &r, payload)) return bad_content(f, offset, err);
        offset += record_span(r.size);
        s->want += record_span(r.size);
    }
    kept->end_lsn = s->want;
    s->torn_sequence = f->sequence;
    s->torn_offset = offset;
    return 0;
}

static int hole(const struct scan *s, uint64_t claim, struct err *err)
{
    return (int)err_set(err, ERR_CORRUPT,
                        "file %016llx.wal, offset %llu (position %llu): damaged, although everything up to position %llu was durable. "
                        "This replica must not be used: restore the file, or empty data_dir and let the node join anew",
                        (unsigned long long)s->torn_sequence, (unsigned long long)s->torn_offset, (unsigned long long)s->want,
                        (unsigned long long)claim);
}

static void remove_file(struct log *l, uint64_t sequence)
{
    char path[600];
    struct err err;
    file_path(l, sequence, false, path, sizeof path);
    l->params.fs->unlink(l->params.fs, path, &err);
}

static int scan_all(struct scan *s, const struct found *found, struct err *err)
{
    int code = 0;
    for (size_t i = 0; i < found->count && !code; i++) {
        struct loaded f;
        code = load(s->log, found->sequences[i], &f, err);
        if (code) break;
        bool first = s->log->file_count == 0;
        bool follows = f.valid && (first || (!s->torn && f.previous_end == s->want));
        if (follows) {
            if (first) take_states(s->log, f.states);
            code = scan_file(s, &f, err);
            uint64_t claim = code ? 0 : claim_in(&f, s->torn_offset);
            if (claim > s->want) code = hole(s, claim, err);
        } else {
            /* A file that does not follow was begun by a flush that never became durable, unless it vouches for more. */
            uint64_t claim = f.valid ? claim_in(&f, f.data_start) : 0;
            if (claim > s->want && !first) code = hole(s, claim, err);
            if (first && i + 1 < found->count) code = (int)err_set(err, ERR_CORRUPT, "file %016llx.wal: its header is damaged", (unsigned long long)f.sequence);
            s->torn = true;
            if (!code) remove_file(s->log, f.sequence);
        }
        mem_free(f.bytes);
    }
    return code;
}

static int open_kept_files(struct log *l, struct err *err)
{
    for (size_t i = 0; i < l->file_count; i++) {
        char path[600];
        file_path(l, l->files[i]->sequence, false, path, sizeof path);
        int code = l->params.fs->open(l->params.fs, path, FS_READ_ONLY, &l->files[i]->file, err);
        if (code) return code;
    }
    return 0;
}

int log_recover(struct log *l, struct err *err)
{
    struct found found = {.log = l};
    struct scan scan = {.log = l, .want = 1};
    l->next_sequence = 1;
    int code = l->params.fs->list(l->params.fs, l->directory, on_name, &found, err);
    if (!code) {
        if (found.count) qsort(found.sequences, found.count, sizeof *found.sequences, by_number);
        code = scan_all(&scan, &found, err);
    }
    mem_free(found.sequences);
    if (!code) code = open_kept_files(l, err);
    if (code) return code;
    for (uint32_t g = 0; g < l->params.group_count; g++) trail_count_bytes(&l->trails[g]);
    /* New records go to a new file, so far ahead that nothing stale behind the old end can be taken for them. */
    l->next_lsn = l->file_count ? (scan.want | ((UINT64_C(1) << LOG_REOPEN_GAP_SHIFT) - 1)) + 1 : scan.want;
    l->durable = l->next_lsn;
    if (l->file_count) l->files[l->file_count - 1]->recyclable = false;
    return 0;
}
