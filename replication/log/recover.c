/* Recovery: reads the files in order, rebuilds votes and trails, and tells a torn tail (dropped) from a hole (refused).
 */
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

/* A damaged header, or that of the file's life before it was recycled, leaves `valid` false: no error yet. */
static int read_header(struct log *l, struct loaded *f, struct err *err)
{
    struct record r;
    struct slice payload;
    if (!record_read(slice_of(f->bytes, f->size), &r, &payload) || r.kind != RECORD_HEADER) return 0;
    struct reader in = reader_of(payload);
    uint32_t version = reader_le32(&in);
    uint64_t sequence = reader_le64(&in);
    if (sequence != f->sequence) return 0;
    if (version != FILE_VERSION)
        return (int)err_set(err, ERR_VERSION, "file %016" PRIx64 ".wal has format version %u, this build reads %d",
                            f->sequence, version, FILE_VERSION);
    f->previous_end = reader_le64(&in);
    uint32_t groups = reader_le32(&in);
    if (groups != l->params.group_count)
        return (int)err_set(err, ERR_INVALID, "file %016" PRIx64 ".wal was written for %u groups, but there are %u",
                            f->sequence, groups, l->params.group_count);
    f->states = reader_bytes(&in, (size_t)groups * FILE_HEADER_GROUP_SIZE);
    f->first_lsn = r.lsn;
    f->data_start = file_data_start(r.size);
    f->valid = !in.failed;
    return 0;
}

static int load(struct log *l, uint64_t sequence, struct loaded *f, struct err *err)
{
    char path[LOG_PATH_SIZE];
    *f = (struct loaded){.sequence = sequence};
    file_path(l, sequence, false, path, sizeof path);
    int code = fs_read_file(l->params.fs, path, &f->bytes, &f->size, err);
    if (code) f->bytes = NULL; /* freed, or never there */
    return code ? code : read_header(l, f, err);
}

/* The highest position that a frame behind `from` vouches for. A frame must fit its place, so stale bytes do not count;
 * where the header is damaged nobody knows the place, but what stale frames say is true of older files, and so below
 * any position that matters. */
static uint64_t claim_in(const struct loaded *f, uint64_t from)
{
    uint64_t best = 0;
    struct record r;
    struct slice payload;
    for (uint64_t at = from; at + RECORD_HEADER_SIZE <= f->size; at += RECORD_ALIGN) {
        const uint8_t *bytes = f->bytes + at;
        if (bytes[8] != RECORD_FRAME || bytes[4] || bytes[5] || bytes[6] || bytes[7])
            continue; /* a frame has no payload */
        if (!record_read(slice_of(bytes, f->size - at), &r, &payload) || r.index > r.lsn) continue;
        if (f->valid && r.lsn != f->first_lsn + (at - f->data_start)) continue;
        if (r.index > best) best = r.index;
    }
    return best;
}

struct scan {
    struct log *log;
    struct replay *replays;            /* NULL: no file yet */
    uint64_t want;                     /* LSN expected next */
    uint64_t end_sequence, end_offset; /* where that is */
    uint64_t *dropped;                 /* sequences of files that a flush began which never became durable */
    size_t dropped_count, dropped_capacity;
};

static struct log_file *keep_file(struct log *l, const struct loaded *f)
{
    struct log_file *kept = mem_zalloc(sizeof *kept);
    *kept = (struct log_file){.sequence = f->sequence,
                              .first_lsn = f->first_lsn,
                              .data_start = f->data_start,
                              .size = f->size,
                              .recyclable = f->size == l->params.file_size,
                              .ended = true};
    l->files = mem_grow(l->files, &l->file_capacity, l->file_count + 1, sizeof(struct log_file *));
    l->files[l->file_count++] = kept;
    l->total_bytes += f->size;
    return kept;
}

static int hole(const struct scan *s, uint64_t sequence, uint64_t offset, uint64_t claim, struct err *err)
{
    return (int)err_set(err, ERR_CORRUPT,
                        "file %016" PRIx64 ".wal, offset %" PRIu64 " (position %" PRIu64
                        "): damaged, although everything up to position %" PRIu64
                        " was durable. This replica must not be used: restore the file, or empty data_dir and let the "
                        "node join anew",
                        sequence, offset, s->want, claim);
}

/* Takes the records of one file as far as they follow on. */
static int scan_file(struct scan *s, const struct loaded *f, struct err *err)
{
    struct log_file *kept = keep_file(s->log, f);
    uint64_t offset = f->data_start;
    struct record r;
    struct slice payload;
    s->want = f->first_lsn;
    while (offset < f->size && record_read(slice_of(f->bytes + offset, f->size - offset), &r, &payload) &&
           r.lsn == s->want) {
        if (!replay_take(s->log, s->replays, &r, payload))
            return (int)err_set(err, ERR_CORRUPT,
                                "file %016" PRIx64 ".wal, offset %" PRIu64
                                ": a record that passes its checksum does not follow from those before",
                                f->sequence, offset);
        offset += record_span(r.size);
        s->want += record_span(r.size);
    }
    kept->end_lsn = s->want;
    s->end_sequence = f->sequence;
    s->end_offset = offset;
    uint64_t claim = claim_in(f, offset);
    return claim > s->want ? hole(s, f->sequence, offset, claim, err) : 0;
}

static int wrong_states(const struct loaded *f, struct err *err)
{
    return (int)err_set(err, ERR_CORRUPT,
                        "file %016" PRIx64 ".wal, offset 0: the header passes its checksum, but the groups cannot be "
                        "in the states that it says",
                        f->sequence);
}

/* A file is begun when the one before it is written and synced to its end. So a header that is there proves that end,
 * and a file without a header was begun by a flush that never became durable, unless a frame in it or a later file
 * knows better. */
static int take_file(struct scan *s, const struct loaded *f, struct err *err)
{
    if (!f->valid) {
        uint64_t claim = claim_in(f, 0);
        s->dropped = mem_grow(s->dropped, &s->dropped_capacity, s->dropped_count + 1, sizeof *s->dropped);
        s->dropped[s->dropped_count++] = f->sequence;
        return claim > s->want ? hole(s, f->sequence, 0, claim, err) : 0;
    }
    if (f->first_lsn < f->previous_end)
        return (int)err_set(err, ERR_CORRUPT,
                            "file %016" PRIx64 ".wal, offset 0: it begins at position %" PRIu64
                            ", but says that the file before ends at %" PRIu64,
                            f->sequence, f->first_lsn, f->previous_end);
    bool headless = s->dropped_count > 0; /* a file without a header came before */
    if (!s->replays) {
        if (headless) return hole(s, s->dropped[0], 0, f->first_lsn, err);
        s->replays = replay_create(s->log, f->states);
        if (!s->replays) return wrong_states(f, err);
    } else if (f->previous_end > s->want) {
        return hole(s, headless ? s->dropped[0] : s->end_sequence, headless ? 0 : s->end_offset, f->previous_end, err);
    } else if (f->previous_end < s->want) {
        return (int)err_set(err, ERR_CORRUPT,
                            "file %016" PRIx64 ".wal, offset 0: it follows position %" PRIu64
                            ", but the file before ends at %" PRIu64,
                            f->sequence, f->previous_end, s->want);
    } else if (!replay_agrees(s->log, s->replays, f->states)) {
        return wrong_states(f, err);
    }
    return scan_file(s, f, err);
}

static int scan_all(struct scan *s, const struct found *found, struct err *err)
{
    int code = 0;
    for (size_t i = 0; i < found->count && !code; i++) {
        struct loaded f;
        code = load(s->log, found->sequences[i], &f, err);
        if (!code) code = take_file(s, &f, err);
        mem_free(f.bytes);
    }
    if (!code && s->replays) code = replay_finish(s->log, s->replays, err);
    return code;
}

static void remove_file(struct log *l, uint64_t sequence)
{
    char path[LOG_PATH_SIZE];
    file_path(l, sequence, false, path, sizeof path);
    l->params.fs->unlink(l->params.fs, path, NULL); /* left behind, it is dropped by the next recovery */
}

/* What was read may still be on its way to the disk, if only the process died. Raft will count it as durable: make it
 * so. */
static int settle_files(struct log *l, const struct scan *s, struct err *err)
{
    struct fs *fs = l->params.fs;
    int code = 0;
    for (size_t i = 0; i < l->file_count && !code; i++) {
        char path[LOG_PATH_SIZE];
        file_path(l, l->files[i]->sequence, false, path, sizeof path);
        code = fs->open(fs, path, FS_READ_ONLY, &l->files[i]->file, err);
        if (!code && !l->params.skip_sync) code = fs->sync(l->files[i]->file, err);
    }
    for (size_t i = 0; i < s->dropped_count && !code; i++) remove_file(l, s->dropped[i]);
    while (l->free_count > LOG_FREE_FILES_MIN && !code) file_remove_free(l);
    l->free_least = l->free_count;
    return code ? code : fs->sync_dir(fs, l->directory, err);
}

int log_recover(struct log *l, struct err *err)
{
    struct found found = {.log = l};
    struct scan scan = {.log = l, .want = 1};
    l->next_sequence = 1;
    int code = l->params.fs->list(l->params.fs, l->directory, on_name, &found, err);
    if (found.count) qsort(found.sequences, found.count, sizeof *found.sequences, by_number);
    if (!code) code = scan_all(&scan, &found, err);
    if (!code) code = settle_files(l, &scan, err);
    mem_free(found.sequences);
    mem_free(scan.dropped);
    replay_destroy(scan.replays);
    if (code) return code;
    for (uint32_t g = 0; g < l->params.group_count; g++) trail_count_bytes(&l->trails[g]);
    /* New records go to a new file, so far ahead that nothing stale behind the old end can be taken for them. */
    l->claim = scan.want;
    l->next_lsn = l->file_count ? ((scan.want >> LOG_REOPEN_GAP_SHIFT) + 2) << LOG_REOPEN_GAP_SHIFT : scan.want;
    l->durable = l->next_lsn;
    return 0;
}
