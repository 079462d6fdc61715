// room: replication_store sim_disk
/* Segments on a disk that changed under them: real ones are damaged as the first half of the input says, then read,
 * copied by a checkpoint and sent to another store as the second half says. What is given out is what was written, or
 * nothing is; what another store takes over is sound from end to end. */
#include <sys/uio.h>

#include "replication/store/store_internal.h"
#include "replication/store/transfer.h"
#include "tests/sim/disk.h"

#define FOLDER "/g"

enum { CONTENTS = 12, SEGMENTS = 3, STEPS_MAX = 32, READ_MAX = 8 << 10 };

struct bench {
    struct disk *disk;
    struct executor *jobs;
    struct store *store;
    struct location places[CONTENTS];
    bool resealed; /* a checksum was made for changed bytes: they may be given out */
    bool failed, told;
};

/* --- contents that follow from their number --- */

static uint32_t size_of(unsigned number)
{
    return 1 + number * number * 23;
}

static uint8_t byte_of(unsigned number, uint32_t at)
{
    return (uint8_t)(number * 37 + at * 5);
}

static bool is_content(unsigned number, struct slice bytes)
{
    if (bytes.size != size_of(number)) return false;
    for (uint32_t i = 0; i < bytes.size; i++)
        if (bytes.data[i] != byte_of(number, i)) return false;
    return true;
}

/* --- stores --- */

static void on_failed(void *arg, const struct err *err)
{
    CHECK(err->code);
    ((struct bench *)arg)->failed = true;
}

static bool open_store(struct bench *b)
{
    struct err err;
    struct store_params params = {.fs = disk_fs(b->disk),
                                  .executor = b->jobs,
                                  .read_executor = b->jobs,
                                  .directory = FOLDER,
                                  .failed = on_failed,
                                  .arg = b};
    return store_open(&b->store, &params, &err) == 0;
}

static void run(struct bench *b)
{
    while (jobs_pending(b->jobs)) jobs_step(b->jobs);
}

static void close_store(struct bench *b)
{
    run(b);
    if (b->store) store_close(b->store);
    b->store = NULL;
}

static void bench_close(struct bench *b)
{
    close_store(b);
    jobs_destroy(b->jobs);
    disk_destroy(b->disk);
}

static void on_checkpoint(void *arg, const struct err *err)
{
    struct bench *b = arg;
    b->told = true;
    b->failed = err != NULL;
}

static void write_segments(struct bench *b)
{
    CHECK(open_store(b));
    struct checkpoint *c = store_checkpoint_begin(b->store, 1, 1, 0, (struct slice){0});
    for (unsigned i = 0; i < CONTENTS; i++) {
        struct blob *blob = blob_create(size_of(i));
        for (uint32_t at = 0; at < blob->size; at++) blob->data[at] = byte_of(i, at);
        if (i % (CONTENTS / SEGMENTS) == 0) checkpoint_new_segment(c);
        b->places[i] = checkpoint_add(c, (struct part){blob, 0, blob->size});
        blob_unref(blob);
    }
    store_checkpoint_run(b->store, c, on_checkpoint, b);
    run(b);
    CHECK(!b->failed);
    close_store(b);
}

/* --- damage --- */

static void seal(struct bench *b, struct file *f, unsigned content)
{
    uint8_t bytes[READ_MAX];
    size_t got;
    struct location where = b->places[content];
    struct fs *fs = disk_fs(b->disk);
    if (fs->pread(f, bytes, where.size, where.offset, &got, NULL) || got != where.size) return;
    uint64_t sum = record_checksum(where.segment, where.offset, slice_of(bytes, where.size));
    struct iovec part = {&sum, sizeof sum};
    CHECK(fs->pwritev(f, &part, 1, where.offset - sizeof sum, NULL) == 0);
    b->resealed = true;
}

static void damage(struct bench *b, struct reader *in)
{
    struct fs *fs = disk_fs(b->disk);
    uint8_t what = reader_u8(in);
    unsigned content = reader_u8(in) % CONTENTS;
    uint32_t segment = b->places[content].segment;
    struct file *f;
    const char *path = disk_name(b->disk, FOLDER "/seg-", segment - 1);
    if (!path || fs->open(fs, path, 0, &f, NULL)) return;
    uint64_t from = b->places[content].offset - RECORD_HEADER_SIZE;
    uint64_t at = from + reader_le16(in) % (RECORD_HEADER_SIZE + b->places[content].size);
    struct slice bytes = reader_bytes(in, reader_left(in) < 4 ? 0 : 1 + what % 4);
    struct iovec part = {(void *)bytes.data, bytes.size};
    if (what >= 0xf0) CHECK(fs->truncate(f, at, NULL) == 0);
    else if (bytes.size) CHECK(fs->pwritev(f, &part, 1, at, NULL) == 0);
    if (what >= 0x80 && what < 0xf0) seal(b, f, content);
    fs->close(f);
    if (what == 0xff) CHECK(fs->unlink(fs, path, NULL) == 0);
}

/* --- use --- */

struct asked {
    struct bench *b;
    int content; /* -1: any place */
    bool told, came;
};

static void on_fetched(void *arg, struct part content, const struct err *err)
{
    struct asked *a = arg;
    CHECK(!a->told && !content.blob == !!err);
    a->told = true;
    a->came = content.blob != NULL;
    if (!err && a->content >= 0 && !a->b->resealed)
        CHECK(is_content((unsigned)a->content, slice_of(content.blob->data + content.offset, content.size)));
}

static bool fetch(struct bench *b, struct location where, int content)
{
    struct asked a = {.b = b, .content = content};
    if (!store_has(b->store, where)) return false; /* a manifest that said so was refused */
    struct part known = store_cached(b->store, where);
    if (known.blob) CHECK(known.size == where.size);
    store_fetch(b->store, where, on_fetched, &a);
    run(b);
    CHECK(a.told);
    return a.came;
}

static void read_now(struct bench *b, unsigned content)
{
    uint8_t bytes[READ_MAX];
    struct location where = b->places[content];
    struct err err;
    store_read_hint(b->store, where.segment, where.offset, where.size);
    if (!store_read_now(b->store, where.segment, where.offset, bytes, where.size, &err) && !b->resealed)
        CHECK(is_content(content, slice_of(bytes, where.size)));
    CHECK(store_read_now(b->store, where.segment, where.offset + 1, bytes, where.size, &err));
    run(b);
}

/* Every third content is copied by a checkpoint. What it could not read must not have become another's. */
static void move_some(struct bench *b, unsigned first)
{
    struct location before[CONTENTS];
    struct checkpoint *c = store_checkpoint_begin(b->store, 2, 1, 0, (struct slice){0});
    memcpy(before, b->places, sizeof before);
    for (unsigned i = first % 3; i < CONTENTS; i += 3)
        if (store_has(b->store, b->places[i])) b->places[i] = checkpoint_move(c, b->places[i]);
    b->told = false;
    store_checkpoint_run(b->store, c, on_checkpoint, b);
    run(b);
    CHECK(b->told);
    if (b->failed) memcpy(b->places, before, sizeof before);
}

/* --- another store takes it over --- */

struct transfer {
    struct bench *from, *to;
    struct transfer_sink *sink;
    struct reader *in;
    bool failed, spoilt;
};

static void on_written(void *arg, const struct err *err)
{
    if (err) ((struct transfer *)arg)->failed = true;
}

/* On its way a byte may change, too. */
static void on_range(void *arg, struct transfer_range range, struct blob *bytes, const struct err *err)
{
    struct transfer *t = arg;
    t->failed |= err != NULL;
    if (!bytes) return;
    if (reader_u8(t->in) == 0xff && bytes->size) {
        bytes->data[reader_le16(t->in) % bytes->size] ^= 1;
        t->spoilt = true;
    }
    transfer_sink_write(t->sink, range, slice_of(bytes->data, bytes->size), on_written, t);
    blob_unref(bytes);
}

static void check_taken_over(struct transfer *t)
{
    struct bench *b = t->to;
    close_store(b);
    CHECK(open_store(b));
    memcpy(b->places, t->from->places, sizeof b->places);
    b->resealed = t->from->resealed;
    b->failed = false;
    struct store_manifest m;
    store_manifest(b->store, &m);
    for (unsigned i = 0; i < CONTENTS; i++)
        if (!b->resealed && store_has(b->store, b->places[i])) CHECK(fetch(b, b->places[i], (int)i));
}

static void send_all(struct bench *b, struct reader *in)
{
    struct bench other = {.disk = disk_create(), .jobs = jobs_create()};
    struct transfer t = {.from = b, .to = &other, .in = in};
    struct transfer_range range;
    struct err err;
    CHECK(open_store(&other));
    struct transfer_source *source = transfer_source_open(b->store);
    CHECK(source);
    CHECK(transfer_sink_open(&t.sink, other.store, transfer_source_manifest(source), &err) == 0);
    while (!t.failed && transfer_sink_next(t.sink, &range)) {
        transfer_source_read(source, range, on_range, &t);
        run(b);
        run(&other);
        if (reader_u8(in) == 0xfe) transfer_sink_rewind(t.sink);
    }
    bool complete = !t.failed && transfer_sink_complete(t.sink);
    if (complete) {
        transfer_sink_finish(t.sink, on_written, &t);
        run(&other);
        CHECK(!t.failed);
    }
    transfer_sink_close(t.sink);
    transfer_source_close(source);
    run(b);
    if (complete) check_taken_over(&t);
    bench_close(&other);
}

static void use(struct bench *b, struct reader *in)
{
    uint8_t what = reader_u8(in);
    unsigned content = reader_u8(in) % CONTENTS;
    switch (what % 8) {
    case 0:
        move_some(b, content);
        return;
    case 1:
        send_all(b, in);
        return;
    case 2:
        read_now(b, content);
        return;
    case 3:
        fetch(b, (struct location){1 + content % (SEGMENTS + 1), reader_le16(in), reader_le16(in) % READ_MAX}, -1);
        return;
    case 4:
        store_release(b->store, b->places[content]);
        store_retain(b->store, b->places[content]);
        return;
    default:
        fetch(b, b->places[content], (int)content);
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bench b = {.disk = disk_create(), .jobs = jobs_create()};
    struct reader in = reader_of(slice_of(data, size));
    write_segments(&b);
    for (unsigned left = reader_u8(&in) % STEPS_MAX; left > 0; left--) damage(&b, &in);
    if (open_store(&b)) {
        for (unsigned i = 0; i < CONTENTS; i++) store_retain(b.store, b.places[i]);
        for (int i = 0; i < STEPS_MAX && reader_left(&in); i++) use(&b, &in);
    }
    bench_close(&b);
    return 0;
}
