// room: replication_log sim_disk
/* A log from a disk that may hold anything. Odd first byte: a real log, then damaged as the input says; even: files
 * made of the input, record by record, with good checksums. The log is refused and left as it is, or what it says can
 * be read, goes on, and is the same after a restart. */
#include <stdio.h>
#include <sys/uio.h>

#include "base/check.h"
#include "base/hash.h"
#include "replication/log/log_internal.h"
#include "tests/sim/disk.h"

#define FOLDER "/log"

enum { GROUPS = 3, FILE_SIZE = 12 << 10, STEPS_MAX = 64, FILES_MAX = 6, SECTOR = 512, ENTRIES_READ_MAX = 64 };

struct bench {
    struct disk *disk;
    struct executor *jobs;
    struct log *log;
    struct err err;
};

static void on_failed(void *arg, const struct err *err)
{
    (void)arg;
    fprintf(stderr, "%s\n", err->text);
    UNREACHABLE(); /* this disk takes all that is written, and gives it back */
}

static bool open_log(struct bench *b)
{
    struct log_params params = {.fs = disk_fs(b->disk),
                                .executor = b->jobs,
                                .directory = FOLDER,
                                .group_count = GROUPS,
                                .file_size = FILE_SIZE,
                                .cache_size = 1024,
                                .failed = on_failed};
    return log_open(&b->log, &params, &b->err) == 0;
}

static void flush(struct bench *b)
{
    log_flush(b->log);
    while (jobs_pending(b->jobs)) jobs_step(b->jobs);
}

static void close_log(struct bench *b)
{
    flush(b);
    log_close(b->log);
}

static void append(struct bench *b, uint32_t group, uint64_t index, uint64_t term, uint32_t size)
{
    struct blob *blob = blob_create(size);
    memset(blob->data, (int)index, size);
    struct entry *e = entry_create(ENTRY_COMMAND, index, term, &(struct part){blob, 0, size}, 1);
    log_append_entry(b->log, group, e);
    entry_unref(e);
}

/* Three files with something of each kind: votes, entries, a replaced end, a trim, a snapshot, a restart. */
static void write_real_log(struct bench *b)
{
    CHECK(open_log(b));
    log_append_vote(b->log, 0, 1, 2);
    for (uint64_t i = 1; i <= 8; i++) append(b, 0, i, 1, 300), append(b, 1, i, 1, 700);
    flush(b);
    append(b, 1, 5, 2, 900);
    append(b, 1, 6, 2, 900);
    log_append_snapshot(b->log, 2, 40, 3);
    append(b, 2, 41, 3, 2000);
    flush(b);
    log_trim(b->log, 0, 6, 1, 4);
    close_log(b);
    CHECK(open_log(b));
    log_append_vote(b->log, 1, 4, 1);
    append(b, 1, 7, 4, 100);
    close_log(b);
}

/* --- reaching into files --- */

static struct file *open_file(struct bench *b, const char *path, int flags)
{
    struct file *f;
    struct fs *fs = disk_fs(b->disk);
    CHECK(fs->open(fs, path, flags, &f, NULL) == 0);
    return f;
}

static void write_at(struct bench *b, struct file *f, uint64_t offset, const void *data, size_t size)
{
    struct fs *fs = disk_fs(b->disk);
    struct iovec part = {(void *)data, size};
    CHECK(fs->pwritev(f, &part, 1, offset, NULL) == 0);
}

/* Makes the record at this place pass its checksum, if it is whole. */
static void seal_at(struct bench *b, struct file *f, uint64_t offset)
{
    uint8_t bytes[FILE_SIZE];
    uint32_t size;
    size_t got;
    CHECK(disk_fs(b->disk)->pread(f, bytes, sizeof bytes, offset, &got, NULL) == 0);
    if (got < RECORD_HEADER_SIZE) return;
    memcpy(&size, bytes + 4, 4);
    if (size > got - RECORD_HEADER_SIZE) return;
    record_seal(bytes, size);
    write_at(b, f, offset, bytes, 4);
}

static void damage_file(struct bench *b, struct file *f, struct reader *in)
{
    static const uint8_t zeros[SECTOR];
    struct fs *fs = disk_fs(b->disk);
    uint64_t size;
    CHECK(fs->size(f, &size, NULL) == 0);
    uint8_t what = reader_u8(in);
    uint64_t offset = reader_le16(in) % (size + 1);
    struct slice bytes = reader_bytes(in, reader_left(in) < 8 ? reader_left(in) : what % 8);
    switch (what >> 5) {
    case 0:
        CHECK(fs->truncate(f, offset, NULL) == 0);
        return;
    case 1:
        write_at(b, f, offset / SECTOR * SECTOR, zeros, sizeof zeros);
        return;
    case 2:
        write_at(b, f, offset, bytes.data, bytes.size);
        return;
    default: /* a record that says something else */
        offset -= offset % RECORD_ALIGN;
        write_at(b, f, offset + what % 5 * RECORD_ALIGN, bytes.data, bytes.size);
        seal_at(b, f, offset);
        return;
    }
}

static void damage(struct bench *b, struct reader *in)
{
    struct fs *fs = disk_fs(b->disk);
    write_real_log(b);
    for (int i = 0; i < STEPS_MAX && reader_left(in) >= 4; i++) {
        uint8_t which = reader_u8(in);
        const char *path = disk_name(b->disk, FOLDER "/", which % 8);
        if (!path) continue;
        if (which >= 0xf8) {
            CHECK(fs->unlink(fs, path, NULL) == 0);
            continue;
        }
        struct file *f = open_file(b, path, 0);
        damage_file(b, f, in);
        fs->close(f);
    }
}

/* --- files made of the input --- */

struct maker {
    struct bench *b;
    struct file *file;
    uint64_t sequence, at, lsn, header_lsn;
};

static uint64_t small_number(struct reader *in)
{
    uint8_t n = reader_u8(in);
    return n < 0xf0 ? n : UINT64_MAX - (0xff - n);
}

static void put_record(struct maker *m, struct record r, struct slice payload)
{
    uint8_t bytes[RECORD_HEADER_SIZE + 512] = {0};
    CHECK(payload.size <= 512);
    r.size = (uint32_t)payload.size;
    record_put_header(bytes, &r, r.index);
    memcpy(bytes + RECORD_HEADER_SIZE, payload.data, payload.size);
    record_seal(bytes, r.size);
    if (m->at + record_span(r.size) > FILE_SIZE) return;
    write_at(m->b, m->file, m->at, bytes, record_span(r.size));
    m->at += record_span(r.size);
    m->lsn += record_span(r.size);
}

static void begin_file(struct maker *m, struct reader *in)
{
    struct fs *fs = disk_fs(m->b->disk);
    struct buf payload = {0};
    char path[64];
    if (m->sequence == FILES_MAX) return;
    if (m->file) fs->close(m->file);
    snprintf(path, sizeof path, FOLDER "/%016llx.wal", (unsigned long long)++m->sequence);
    m->file = open_file(m->b, path, FS_CREATE);
    CHECK(fs->allocate(m->file, FILE_SIZE, NULL) == 0);
    buf_put_le32(&payload, FILE_VERSION);
    buf_put_le64(&payload, m->sequence);
    buf_put_le64(&payload, m->lsn + (uint64_t)(int8_t)reader_u8(in));
    buf_put_le32(&payload, GROUPS);
    for (int i = 0; i < 5 * GROUPS; i++) buf_put_le64(&payload, small_number(in));
    m->lsn += (uint64_t)(reader_u8(in) & 1) << LOG_REOPEN_GAP_SHIFT;
    uint64_t lsn = m->lsn;
    m->at = 0;
    put_record(m, (struct record){.kind = RECORD_HEADER, .lsn = lsn}, buf_slice(&payload));
    m->lsn = lsn;
    m->at = file_data_start((uint32_t)payload.size);
    buf_close(&payload);
}

static void make_record(struct maker *m, uint8_t kind, struct reader *in)
{
    uint8_t bytes[512] = {0};
    struct record r = {.kind = kind, .lsn = m->lsn};
    size_t size = 0;
    if (kind == RECORD_FRAME) {
        r.index = m->lsn - (reader_u8(in) & 0x7f);
    } else {
        uint8_t group = reader_u8(in);
        r.group = group % (GROUPS + (group >= 0xf0));
        r.index = small_number(in);
        r.term = small_number(in);
        if (kind == RECORD_ENTRY) r.type = group >> 6, size = (size_t)reader_u8(in) * 2;
        if (kind == RECORD_TRIM) {
            uint64_t keep_from = small_number(in);
            memcpy(bytes, &keep_from, size = sizeof keep_from);
        }
    }
    put_record(m, r, slice_of(bytes, size));
}

static void make_files(struct bench *b, struct reader *in)
{
    struct fs *fs = disk_fs(b->disk);
    struct maker m = {.b = b, .lsn = 1};
    CHECK(fs->mkdir(fs, FOLDER, NULL) == 0);
    begin_file(&m, in);
    for (int i = 0; i < STEPS_MAX && reader_left(in); i++) {
        uint8_t step = reader_u8(in) % 8;
        if (step <= RECORD_HEADER) begin_file(&m, in);
        else if (step <= RECORD_TRIM) make_record(&m, step, in);
        else m.at += RECORD_ALIGN; /* a hole, of zeros */
    }
    fs->close(m.file);
}

/* --- what must hold --- */

static uint64_t digest(struct bench *b)
{
    uint64_t sum = 0;
    const char *path;
    for (size_t i = 0; (path = disk_name(b->disk, FOLDER "/", i)); i++) {
        uint8_t *bytes;
        size_t size;
        CHECK(fs_read_file(disk_fs(b->disk), path, &bytes, &size, NULL) == 0);
        sum = hash_bytes(path, strlen(path), hash_bytes(bytes, size, sum));
        mem_free(bytes);
    }
    return sum;
}

static void read_all(struct bench *b, struct log_group_state states[GROUPS])
{
    for (uint32_t g = 0; g < GROUPS; g++) {
        struct log_group_state *s = &states[g];
        log_group_state(b->log, g, s);
        CHECK(s->first_index <= s->last_index + 1);
        for (uint64_t i = s->first_index; i <= s->last_index && i - s->first_index < ENTRIES_READ_MAX; i++) {
            struct entry *e = log_entry(b->log, g, i, &b->err);
            CHECK(e);
            CHECK(e->index == i && e->term == log_entry_term(b->log, g, i) && e->size == log_entry_size(b->log, g, i));
            entry_unref(e);
        }
        CHECK(!log_entry_term(b->log, g, s->last_index + 1));
    }
}

static void same_after_restart(struct bench *b)
{
    struct log_group_state before[GROUPS], after[GROUPS];
    read_all(b, before);
    close_log(b);
    if (!open_log(b)) on_failed(b, &b->err);
    read_all(b, after);
    CHECK(!memcmp(before, after, sizeof before));
}

static void go_on(struct bench *b)
{
    struct log_group_state s;
    same_after_restart(b);
    for (uint32_t g = 0; g < GROUPS; g++) {
        log_group_state(b->log, g, &s);
        log_append_vote(b->log, g, s.term, g);
        if (s.last_index < UINT64_MAX - 2) append(b, g, s.last_index + 1, s.term, 40);
    }
    flush(b);
    same_after_restart(b);
    log_group_state(b->log, 1, &s);
    if (s.last_index > s.snapshot_index && s.last_index >= s.first_index)
        log_trim(b->log, 1, s.last_index, log_entry_term(b->log, 1, s.last_index), s.last_index);
    log_forget_group(b->log, 2);
    flush(b);
    same_after_restart(b);
    close_log(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bench b = {.disk = disk_create(), .jobs = jobs_create()};
    struct reader in = reader_of(slice_of(data, size));
    if (reader_u8(&in) & 1) damage(&b, &in);
    else make_files(&b, &in);
    uint64_t before = digest(&b);
    if (open_log(&b)) go_on(&b);
    else CHECK(digest(&b) == before);
    jobs_destroy(b.jobs);
    disk_destroy(b.disk);
    return 0;
}
