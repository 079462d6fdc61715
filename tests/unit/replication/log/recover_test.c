/* What a log makes of what a crash, a dying disk or a person left of it. */
#include <sys/uio.h>

#include "replication/log/log_internal.h"
#include "tests/unit/replication/log/log_bench.h"

enum {
    HEADER = FILE_HEADER_ALIGN,
    SIZE = 800 /* of entries: a multiple of RECORD_ALIGN, so records have no padding */
};

/* --- reaching into files --- */

static void write_at(struct bench *b, const char *path, uint64_t offset, const void *data, size_t size)
{
    struct fs *fs = disk_fs(b->disk);
    struct file *f;
    struct iovec part = {(void *)data, size};
    assert_int_equal(fs->open(fs, path, 0, &f, NULL), 0);
    assert_int_equal(fs->pwritev(f, &part, 1, offset, NULL), 0);
    assert_int_equal(fs->sync(f, NULL), 0);
    fs->close(f);
}

/* These bytes never reached the disk: zeros, as in a new file. */
static void lose(struct bench *b, const char *path, uint64_t from, uint64_t to)
{
    uint8_t *zeros = mem_zalloc(to - from);
    write_at(b, path, from, zeros, to - from);
    mem_free(zeros);
}

static void remove_file(struct bench *b, const char *path)
{
    struct fs *fs = disk_fs(b->disk);
    assert_int_equal(fs->unlink(fs, path, NULL), 0);
    assert_int_equal(fs->sync_dir(fs, BENCH_FOLDER, NULL), 0);
}

/* Where a position lies in the first file of a new log. */
static uint64_t offset_of(uint64_t lsn)
{
    return HEADER + (lsn - 1);
}

/* Crashes without loss and keeps that disk, so that each damage starts from the same bytes. */
static struct disk *power_off(struct bench *b)
{
    struct disk *kept = disk_after_crash(b->disk, 1);
    bench_close(b);
    return kept;
}

static void use_copy(struct bench *b, const struct disk *kept)
{
    bench_take_disk(b, disk_after_crash(kept, 1));
}

static void refuses(struct bench *b, enum err_code code, const char *words)
{
    assert_int_equal(bench_try_open(b), code);
    if (!strstr(b->err.text, words)) fail_msg("\"%s\" is not in: %s", words, b->err.text);
}

/* --- what was not durable --- */

static void what_was_not_synced_is_dropped_in_silence(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct bench b;
        bench_start(&b);
        bench_open(&b);
        bench_append_range(&b, 1, 1, 10, 1, SIZE);
        bench_flush(&b);
        bench_append_range(&b, 1, 11, 30, 1, SIZE); /* over two files */
        disk_crash_at(b.disk, seed % 12, seed);
        bench_flush(&b);
        struct disk *crashed = disk_take_crashed(b.disk);
        if (!crashed) crashed = disk_after_crash(b.disk, seed);
        bench_take_disk(&b, crashed);
        bench_open(&b);
        uint64_t last = bench_state(&b, 1).last_index;
        assert_true(last >= 10 && last <= 30);
        for (uint64_t i = 1; i <= last; i++) assert_true(bench_holds(&b, 1, i, 1, SIZE));
        bench_append_range(&b, 1, last + 1, last + 30, 2, SIZE); /* and it goes on */
        bench_flush(&b);
        bench_crash(&b, seed);
        bench_open(&b);
        assert_int_equal(bench_state(&b, 1).last_index, last + 30);
        bench_end(&b);
    }
}

static void a_tear_at_any_sector_leaves_the_prefix(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    b.params.file_size = 32 << 10;
    bench_open(&b);
    bench_append(&b, 1, 1, 1, SIZE);
    bench_flush(&b);
    uint64_t ends[6];
    for (uint64_t i = 0; i < 6; i++) ends[i] = offset_of(bench_append(&b, 1, 2 + i, 1, 1500));
    bench_flush(&b);
    struct disk *kept = power_off(&b);
    const char *path = BENCH_FOLDER "/0000000000000001.wal";
    uint64_t from = ends[0] - record_span(1500) - record_span(0);
    for (uint64_t tear = from; tear <= ends[5]; tear = (tear / BENCH_SECTOR + 1) * BENCH_SECTOR) {
        uint64_t whole = 1;
        for (unsigned i = 0; i < 6; i++) whole += ends[i] <= tear;
        use_copy(&b, kept);
        lose(&b, path, tear, disk_file_size(b.disk, path));
        bench_open(&b);
        assert_int_equal(bench_state(&b, 1).last_index, whole);
        /* Only this sector did not make it. */
        use_copy(&b, kept);
        lose(&b, path, tear, tear + BENCH_SECTOR);
        bench_open(&b);
        assert_int_equal(bench_state(&b, 1).last_index, whole);
        for (uint64_t i = 2; i <= whole; i++) assert_true(bench_holds(&b, 1, i, 1, 1500));
    }
    disk_destroy(kept);
    bench_end(&b);
}

static void a_file_whose_header_was_not_written_is_dropped(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    bench_append_range(&b, 1, 1, 5, 1, SIZE);
    bench_flush(&b);
    size_t files = bench_count_files(&b, ".wal");
    bench_append_range(&b, 1, 6, 25, 1, SIZE);
    bench_flush(&b);
    struct disk *kept = power_off(&b);
    for (unsigned emptied = 0; emptied < 2; emptied++) {
        use_copy(&b, kept);
        const char *path = bench_file(&b, ".wal", bench_count_files(&b, ".wal") - 1);
        lose(&b, path, 0, emptied ? disk_file_size(b.disk, path) : HEADER);
        bench_open(&b);
        uint64_t last = bench_state(&b, 1).last_index;
        assert_true(last >= 5 && last < 25);
        assert_true(bench_count_files(&b, ".wal") >= files);
        bench_append_range(&b, 1, last + 1, 40, 2, SIZE);
        bench_flush(&b);
        bench_crash(&b, 3);
        bench_open(&b);
        assert_true(bench_holds(&b, 1, last, 1, SIZE));
        assert_true(bench_holds(&b, 1, 40, 2, SIZE));
    }
    disk_destroy(kept);
    bench_end(&b);
}

static void a_log_that_never_synced_anything_is_empty(void **state)
{
    (void)state;
    for (uint64_t change = 0; change < 6; change++) {
        struct bench b;
        bench_start(&b);
        bench_open(&b);
        disk_crash_at(b.disk, change, change);
        bench_append(&b, 1, 1, 1, SIZE);
        bench_flush(&b);
        struct disk *crashed = disk_take_crashed(b.disk);
        bench_take_disk(&b, crashed ? crashed : disk_create());
        bench_open(&b);
        assert_true(bench_state(&b, 1).last_index <= 1);
        bench_append_range(&b, 1, bench_state(&b, 1).last_index + 1, 3, 1, SIZE);
        bench_flush(&b);
        bench_crash(&b, 7);
        bench_open(&b);
        assert_int_equal(bench_state(&b, 1).last_index, 3);
        bench_end(&b);
    }
}

static void the_past_of_a_recycled_file_never_comes_back(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct bench b;
        bench_start(&b);
        bench_open(&b);
        bench_append_range(&b, 1, 1, 40, 1, SIZE);
        bench_flush(&b);
        log_trim(b.log, 1, 40, 1, 41);
        bench_flush(&b);
        assert_true(bench_count_files(&b, ".free") > 0);
        disk_crash_at(b.disk, seed % 10, seed);
        bench_append_range(&b, 1, 41, 70, 2, SIZE);
        bench_flush(&b);
        struct disk *crashed = disk_take_crashed(b.disk);
        assert_non_null(crashed);
        bench_take_disk(&b, crashed);
        bench_open(&b);
        struct log_group_state s = bench_state(&b, 1);
        assert_int_equal(s.first_index, 41);
        assert_int_equal(s.snapshot_index, 40);
        for (uint64_t i = 41; i <= s.last_index; i++) assert_true(bench_holds(&b, 1, i, 2, SIZE));
        bench_end(&b);
    }
}

static void a_file_stays_until_the_trim_is_durable(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    bench_append_range(&b, 1, 1, 60, 1, SIZE);
    bench_append(&b, 2, 1, 1, SIZE);
    bench_flush(&b);
    size_t files = bench_count_files(&b, ".wal");
    bench_append(&b, 2, 2, 1, SIZE);
    log_flush(b.log);
    log_trim(b.log, 1, 60, 1, 61);
    jobs_step(b.executor); /* the flush before; that of the trim starts */
    assert_true(bench_count_files(&b, ".wal") >= files);
    struct disk *crashed = disk_after_crash(b.disk, 4);
    bench_run(&b);
    assert_true(bench_count_files(&b, ".wal") < files);
    bench_take_disk(&b, crashed);
    bench_open(&b);
    assert_int_equal(bench_state(&b, 1).first_index, 1);
    for (uint64_t i = 1; i <= 60; i++) assert_true(bench_holds(&b, 1, i, 1, SIZE));
    bench_end(&b);
}

static void a_file_of_votes_stays_until_the_next_has_them(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    log_append_vote(b.log, 2, 9, 3);
    log_flush(b.log);
    uint64_t term = 0;
    for (uint64_t at = 0; at < BENCH_FILE_SIZE; at += record_span(0)) log_append_vote(b.log, 1, ++term, 1);
    jobs_step(b.executor); /* the first flush; the second begins a file */
    struct disk *crashed = disk_after_crash(b.disk, 2);
    bench_run(&b);
    bench_take_disk(&b, crashed);
    bench_open(&b);
    assert_int_equal(bench_state(&b, 2).term, 9);
    assert_int_equal(bench_state(&b, 2).voted_for, 3);
    bench_end(&b);
}

static void more_free_files_than_are_of_use_are_removed(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    for (unsigned i = 1; i <= 5; i++) {
        char path[100];
        struct file *f;
        snprintf(path, sizeof path, BENCH_FOLDER "/%016x.free", i);
        assert_int_equal(disk_fs(b.disk)->open(disk_fs(b.disk), path, FS_CREATE, &f, NULL), 0);
        disk_fs(b.disk)->close(f);
    }
    bench_open(&b);
    assert_int_equal(bench_count_files(&b, ".free"), LOG_FREE_FILES_MIN);
    bench_append(&b, 1, 1, 1, SIZE);
    bench_flush(&b);
    assert_int_equal(bench_count_files(&b, ".free"), LOG_FREE_FILES_MIN - 1);
    assert_non_null(bench_file(&b, "0000000000000006.wal", 0)); /* no number is used twice */
    bench_end(&b);
}

static void what_a_killed_process_wrote_is_synced_before_it_counts(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct bench b;
        bench_start(&b);
        b.params.skip_sync = true; /* written, never synced */
        bench_open(&b);
        bench_append_range(&b, 1, 1, 40, 1, SIZE);
        bench_flush(&b);
        bench_kill(&b);
        b.params.skip_sync = false;
        bench_open(&b);
        assert_int_equal(bench_state(&b, 1).last_index, 40);
        bench_crash(&b, seed);
        bench_open(&b);
        for (uint64_t i = 1; i <= 40; i++) assert_true(bench_holds(&b, 1, i, 1, SIZE));
        bench_end(&b);
    }
}

static void payloads_that_look_like_a_log_are_payloads(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    bench_append(&b, 1, 1, 1, SIZE);
    bench_flush(&b);
    struct blob *blob = blob_create(4000);
    struct record frame = {.kind = RECORD_FRAME, .lsn = 1 << 30};
    for (size_t at = 0; at < 4000; at += RECORD_HEADER_SIZE) {
        record_put_header(blob->data + at, &frame, 1 << 29);
        record_seal(blob->data + at, 0);
    }
    struct entry *e = entry_from_blob(ENTRY_COMMAND, 2, 1, blob, 0, 4000);
    uint64_t end = offset_of(log_append_entry(b.log, 1, e));
    entry_unref(e);
    blob_unref(blob);
    bench_flush(&b);
    bench_take_disk(&b, power_off(&b));
    lose(&b, BENCH_FOLDER "/0000000000000001.wal", end - 512, end);
    bench_open(&b);
    assert_int_equal(bench_state(&b, 1).last_index, 1);
    bench_end(&b);
}

/* --- what was durable, and is damaged --- */

static void a_flip_before_a_durable_position_is_refused(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    bench_append_range(&b, 1, 1, 3, 1, 80);
    log_append_vote(b.log, 2, 1, 1);
    bench_flush(&b);
    uint64_t end = offset_of(log_durable(b.log));
    bench_append(&b, 1, 4, 1, SIZE);
    bench_flush(&b);
    bench_append(&b, 1, 5, 1, SIZE);
    bench_flush(&b);
    struct disk *kept = power_off(&b);
    const char *path = BENCH_FOLDER "/0000000000000001.wal";
    for (uint64_t at = 0; at < end; at++) {
        if (at == record_span(24 + BENCH_GROUPS * FILE_HEADER_GROUP_SIZE)) at = HEADER; /* nothing is in between */
        use_copy(&b, kept);
        assert_true(disk_flip(b.disk, path, at));
        refuses(&b, ERR_CORRUPT, "file 0000000000000001.wal, offset ");
    }
    use_copy(&b, kept);
    disk_flip(b.disk, path, HEADER + record_span(0) + 50); /* in the first entry, behind the frame */
    refuses(&b, ERR_CORRUPT, "offset 4136 ");
    disk_flip(b.disk, path, HEADER + record_span(0) + 50);
    bench_open(&b);
    assert_int_equal(bench_state(&b, 1).last_index, 5);
    disk_destroy(kept);
    bench_end(&b);
}

static void a_refused_log_is_left_as_it_was(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    bench_append_range(&b, 1, 1, 60, 1, SIZE);
    bench_flush(&b);
    bench_append(&b, 1, 61, 1, SIZE);
    bench_flush(&b);
    bench_take_disk(&b, power_off(&b));
    size_t files = bench_count_files(&b, ".wal");
    assert_true(files > 3);
    char path[200];
    for (size_t i = 0; i < files; i++) {
        snprintf(path, sizeof path, "%s", bench_file(&b, ".wal", i));
        disk_flip(b.disk, path, 8); /* in the header */
        refuses(&b, ERR_CORRUPT, i + 1 < files ? "offset 0 " : ".wal, offset ");
        assert_int_equal(bench_count_files(&b, ".wal"), files);
        disk_flip(b.disk, path, 8);
    }
    bench_open(&b);
    assert_int_equal(bench_state(&b, 1).last_index, 61);
    bench_end(&b);
}

static void a_flip_at_the_end_of_a_file_is_proven_by_the_next(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    bench_append_range(&b, 1, 1, 25, 1, SIZE); /* one flush over several files: no frame claims anything */
    bench_flush(&b);
    bench_take_disk(&b, power_off(&b));
    assert_true(bench_count_files(&b, ".wal") > 1);
    disk_flip(b.disk, BENCH_FOLDER "/0000000000000001.wal", BENCH_FILE_SIZE - SIZE);
    refuses(&b, ERR_CORRUPT, "file 0000000000000001.wal");
    bench_end(&b);
}

static void an_orderly_stop_vouches_for_the_last_flush(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    bench_append(&b, 1, 1, 1, SIZE);
    bench_flush(&b);
    bench_append(&b, 1, 2, 1, SIZE);
    bench_flush(&b);
    uint64_t last_byte = offset_of(log_durable(b.log)) - 1;
    struct disk *kept = power_off(&b); /* the disk of `b` had an orderly stop, `kept` a crash */
    disk_flip(b.disk, BENCH_FOLDER "/0000000000000001.wal", last_byte);
    refuses(&b, ERR_CORRUPT, "file 0000000000000001.wal, offset ");
    bench_take_disk(&b, kept);
    disk_flip(b.disk, BENCH_FOLDER "/0000000000000001.wal", last_byte);
    bench_open(&b); /* cannot be told from a tear */
    assert_int_equal(bench_state(&b, 1).last_index, 1);
    bench_end(&b);
}

static void a_missing_file_is_noticed(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    bench_append_range(&b, 1, 1, 60, 1, SIZE);
    bench_flush(&b);
    bench_append(&b, 1, 61, 1, SIZE);
    bench_flush(&b);
    struct disk *kept = power_off(&b);
    use_copy(&b, kept);
    remove_file(&b, BENCH_FOLDER "/0000000000000002.wal");
    refuses(&b, ERR_CORRUPT, "file 0000000000000001.wal, offset ");
    use_copy(&b, kept);
    remove_file(&b, BENCH_FOLDER "/0000000000000001.wal");
    refuses(&b, ERR_CORRUPT, "group 1: entries 1 to ");
    disk_destroy(kept);
    bench_end(&b);
}

static void a_log_of_another_shape_is_refused_and_left_alone(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    bench_append(&b, 1, 1, 1, SIZE);
    bench_flush(&b);
    struct disk *kept = power_off(&b);
    b.params.group_count = BENCH_GROUPS + 1;
    use_copy(&b, kept);
    refuses(&b, ERR_INVALID, "was written for 4 groups, but there are 5");
    b.params.group_count = BENCH_GROUPS;
    bench_open(&b);
    assert_int_equal(bench_state(&b, 1).last_index, 1);

    use_copy(&b, kept);
    const char *path = BENCH_FOLDER "/0000000000000001.wal";
    uint8_t *bytes;
    size_t size;
    assert_int_equal(fs_read_file(disk_fs(b.disk), path, &bytes, &size, NULL), 0);
    bytes[RECORD_HEADER_SIZE] = FILE_VERSION + 1;
    record_seal(bytes, 24 + BENCH_GROUPS * FILE_HEADER_GROUP_SIZE);
    write_at(&b, path, 0, bytes, HEADER);
    mem_free(bytes);
    refuses(&b, ERR_VERSION, "has format version 2");
    disk_destroy(kept);
    bench_end(&b);
}

/* Sets a number of a header, and its checksum right. */
static void say(struct bench *b, const char *path, size_t offset, uint64_t number)
{
    uint8_t *bytes;
    size_t size;
    assert_int_equal(fs_read_file(disk_fs(b->disk), path, &bytes, &size, NULL), 0);
    memcpy(bytes + offset, &number, sizeof number);
    record_seal(bytes, 24 + BENCH_GROUPS * FILE_HEADER_GROUP_SIZE);
    write_at(b, path, 0, bytes, HEADER);
    mem_free(bytes);
}

static void say_first_index(struct bench *b, const char *path, uint32_t group, uint64_t first_index)
{
    say(b, path, RECORD_HEADER_SIZE + 24 + group * FILE_HEADER_GROUP_SIZE + 32, first_index);
}

static void say_position(struct bench *b, const char *path, uint64_t lsn)
{
    say(b, path, 16, lsn);
}

static void a_header_that_says_what_cannot_be_is_refused(void **state)
{
    (void)state;
    const char *first = BENCH_FOLDER "/0000000000000001.wal", *second = BENCH_FOLDER "/0000000000000002.wal";
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    bench_append_range(&b, 1, 1, 30, 1, SIZE);
    bench_flush(&b);
    struct disk *kept = power_off(&b);
    use_copy(&b, kept);
    say_first_index(&b, first, 2, 1); /* what it says anyway */
    bench_open(&b);
    use_copy(&b, kept);
    say_first_index(&b, first, 2, 0);
    refuses(&b, ERR_CORRUPT, "file 0000000000000001.wal, offset 0: the header");
    use_copy(&b, kept);
    say_first_index(&b, first, 2, 5); /* no snapshot has the entries before */
    refuses(&b, ERR_CORRUPT, "file 0000000000000001.wal, offset 0: the header");
    use_copy(&b, kept);
    say_first_index(&b, second, 1, 2); /* nothing in the first file trimmed it */
    refuses(&b, ERR_CORRUPT, "file 0000000000000002.wal, offset 0: the header");
    use_copy(&b, kept);
    say_position(&b, second, 9); /* in the middle of the first file */
    refuses(&b, ERR_CORRUPT, "file 0000000000000002.wal, offset 0: it begins at position 9");
    disk_destroy(kept);
    bench_end(&b);
}

static void a_damaged_entry_is_noticed_when_it_is_read_back(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    b.params.cache_size = 1;
    bench_open(&b);
    bench_append(&b, 1, 1, 1, SIZE);
    bench_flush(&b);
    assert_true(bench_holds(&b, 1, 1, 1, SIZE));
    disk_flip(b.disk, BENCH_FOLDER "/0000000000000001.wal", HEADER + 2 * RECORD_HEADER_SIZE + 5);
    assert_null(log_entry(b.log, 1, 1, &b.err));
    assert_int_equal(b.err.code, ERR_CORRUPT);
    assert_non_null(strstr(b.err.text, "entry 1 of group 1 at offset 4136"));
    bench_end(&b);
}

/* --- disks that say no --- */

static void after_a_failed_sync_nothing_is_durable_any_more(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    bench_append(&b, 1, 1, 1, SIZE);
    bench_flush(&b);
    uint64_t durable = log_durable(b.log);
    disk_fail_next_sync(b.disk);
    bench_append(&b, 1, 2, 1, SIZE);
    log_flush(b.log);
    bench_append(&b, 1, 3, 1, SIZE);
    log_flush(b.log);
    bench_run(&b);
    assert_int_equal(b.failures, 1);
    assert_int_equal(b.err.code, ERR_IO);
    bench_append(&b, 1, 4, 1, SIZE);
    bench_flush(&b);
    assert_false(jobs_pending(b.executor));
    assert_int_equal(log_durable(b.log), durable);
    assert_int_equal(b.durable_calls, 1);
    assert_int_equal(b.failures, 1);
    assert_true(log_idle(b.log));
    bench_close(&b);
    bench_open(&b);
    assert_int_equal(bench_state(&b, 1).last_index, 1);
    bench_end(&b);
}

static void a_full_disk_is_told_and_not_durable(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    bench_append(&b, 1, 1, 1, SIZE);
    bench_flush(&b);
    uint64_t durable = log_durable(b.log);
    disk_fill(b.disk, true);
    bench_append_range(&b, 1, 2, 30, 1, SIZE); /* needs a second file, too */
    bench_flush(&b);
    assert_int_equal(b.failures, 1);
    assert_int_equal(b.err.code, ERR_NO_SPACE);
    assert_int_equal(log_durable(b.log), durable);
    for (uint64_t i = 1; i <= 30; i++) assert_true(bench_holds(&b, 1, i, 1, SIZE));
    bench_close(&b);
    disk_fill(b.disk, false);
    bench_open(&b);
    assert_int_equal(bench_state(&b, 1).last_index, 1);
    bench_end(&b);
}

static void a_log_that_cannot_be_synced_does_not_open(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    bench_append_range(&b, 1, 1, 30, 1, SIZE);
    bench_flush(&b);
    bench_take_disk(&b, power_off(&b));
    disk_fail_next_sync(b.disk);
    refuses(&b, ERR_IO, "fdatasync");
    bench_open(&b);
    assert_int_equal(bench_state(&b, 1).last_index, 30);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_not_synced_is_dropped_in_silence),
        cmocka_unit_test(a_tear_at_any_sector_leaves_the_prefix),
        cmocka_unit_test(a_file_whose_header_was_not_written_is_dropped),
        cmocka_unit_test(a_log_that_never_synced_anything_is_empty),
        cmocka_unit_test(the_past_of_a_recycled_file_never_comes_back),
        cmocka_unit_test(a_file_stays_until_the_trim_is_durable),
        cmocka_unit_test(a_file_of_votes_stays_until_the_next_has_them),
        cmocka_unit_test(more_free_files_than_are_of_use_are_removed),
        cmocka_unit_test(what_a_killed_process_wrote_is_synced_before_it_counts),
        cmocka_unit_test(payloads_that_look_like_a_log_are_payloads),
        cmocka_unit_test(a_flip_before_a_durable_position_is_refused),
        cmocka_unit_test(a_refused_log_is_left_as_it_was),
        cmocka_unit_test(a_flip_at_the_end_of_a_file_is_proven_by_the_next),
        cmocka_unit_test(an_orderly_stop_vouches_for_the_last_flush),
        cmocka_unit_test(a_missing_file_is_noticed),
        cmocka_unit_test(a_log_of_another_shape_is_refused_and_left_alone),
        cmocka_unit_test(a_header_that_says_what_cannot_be_is_refused),
        cmocka_unit_test(a_damaged_entry_is_noticed_when_it_is_read_back),
        cmocka_unit_test(after_a_failed_sync_nothing_is_durable_any_more),
        cmocka_unit_test(a_log_that_cannot_be_synced_does_not_open),
        cmocka_unit_test(a_full_disk_is_told_and_not_durable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
