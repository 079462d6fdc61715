/* Checkpoints, contents, counts: what is durable, what may go, what is noticed. */
#include "replication/store/store_internal.h"
#include "tests/unit/replication/store/store_bench.h"

static int set_up(void **state)
{
    *state = bench_create();
    return 0;
}

static int tear_down(void **state)
{
    bench_destroy(*state);
    return 0;
}

/* --- what a checkpoint keeps --- */

static void contents_are_read_back_after_a_restart(void **state)
{
    struct store_bench *b = *state;
    struct store_manifest m;
    begin(b, 10);
    struct location one = add(b, "one"), two = add(b, "two");
    assert_int_equal(one.segment, two.segment);
    finish_well(b, "machine");
    bench_reopen(b);
    store_manifest(b->store, &m);
    assert_true(m.index == 10 && m.term == 5 && m.configuration_index == 2);
    assert_true(slice_is(m.configuration, "configuration"));
    assert_true(slice_is(m.machine, "machine"));
    assert_true(store_has(b->store, one) && store_has(b->store, two));
    reads_as(b, two, "two");
    reads_as(b, one, "one");
}

static void a_new_store_has_no_manifest(void **state)
{
    struct store_bench *b = *state;
    struct store_manifest m;
    store_manifest(b->store, &m);
    assert_int_equal(m.index, 0);
    assert_int_equal(m.machine.size, 0);
    assert_false(store_has(b->store, (struct location){1, 100, 1}));
    assert_true(store_idle(b->store));
}

static void a_checkpoint_without_contents_has_no_segment(void **state)
{
    struct store_bench *b = *state;
    begin(b, 10);
    finish_well(b, "machine");
    assert_int_equal(count_segments(b), 0);
    bench_reopen(b);
    assert_true(machine_is(b, "machine"));
}

static void a_fetched_content_is_in_the_cache_with_its_neighbours(void **state)
{
    struct store_bench *b = *state;
    begin(b, 10);
    struct location one = add(b, "one"), two = add(b, "two");
    finish_well(b, "machine");
    assert_null(store_cached(b->store, one).blob);
    reads_as(b, one, "one");
    assert_true(slice_is(part_slice(store_cached(b->store, one)), "one"));
    assert_true(slice_is(part_slice(store_cached(b->store, two)), "two"));
}

static void fetches_of_one_block_share_a_read(void **state)
{
    struct store_bench *b = *state;
    begin(b, 10);
    struct location one = add(b, "one"), two = add(b, "two");
    finish_well(b, "machine");
    b->fetched = 0;
    store_fetch(b->store, one, on_fetched, b);
    store_fetch(b->store, two, on_fetched, b);
    assert_false(store_idle(b->store));
    jobs_step(b->reads);
    assert_int_equal(b->fetched, 2);
    assert_false(jobs_pending(b->reads));
}

static void raw_bytes_are_read_at_once(void **state)
{
    struct store_bench *b = *state;
    char read[9] = {0};
    begin(b, 10);
    add(b, "content");
    struct location raw = checkpoint_add_raw(b->checkpoint, slice_str("an index"));
    finish_well(b, "machine");
    assert_int_equal(store_read_now(b->store, raw.segment, raw.offset, read, raw.size, NULL), 0);
    assert_string_equal(read, "an index");
    store_read_hint(b->store, raw.segment, raw.offset, raw.size);
    run_reads(b);
    assert_int_equal(store_read_now(b->store, raw.segment, raw.offset, read, raw.size - 1, NULL), ERR_CORRUPT);
    assert_int_equal(store_read_now(b->store, raw.segment + 1, raw.offset, read, raw.size, NULL), ERR_CORRUPT);
}

static void a_deep_queue_can_have_segments_of_its_own(void **state)
{
    struct store_bench *b = *state;
    begin(b, 10);
    struct location one = add(b, "one");
    checkpoint_new_segment(b->checkpoint);
    struct location two = add(b, "two");
    assert_int_not_equal(one.segment, two.segment);
    finish_well(b, "machine");
    assert_int_equal(count_segments(b), 2);
    reads_as(b, one, "one");
    reads_as(b, two, "two");
}

static void a_segment_that_is_full_is_followed_by_another(void **state)
{
    struct store_bench *b = *state;
    struct blob *big = blob_create(STORE_SEGMENT_SIZE_MAX / 3);
    memset(big->data, 'x', big->size);
    struct location where[4];
    begin(b, 10);
    for (int i = 0; i < 4; i++) where[i] = checkpoint_add(b->checkpoint, (struct part){big, 0, big->size});
    finish_well(b, "machine");
    assert_int_equal(where[0].segment, where[1].segment);
    assert_int_not_equal(where[0].segment, where[2].segment);
    fetch(b, where[2]); /* bigger than a block */
    assert_int_equal(b->err.code, 0);
    assert_int_equal(b->text.size, big->size);
    blob_unref(big);
}

/* --- counts --- */

static void a_segment_goes_when_neither_machine_nor_manifest_need_it(void **state)
{
    struct store_bench *b = *state;
    begin(b, 10);
    struct location one = add(b, "one"), two = add(b, "two");
    finish_well(b, "first");
    assert_int_equal(store_live_bytes(b->store), 6);
    store_release(b->store, one);
    store_release(b->store, two);
    assert_int_equal(store_live_bytes(b->store), 0);
    assert_int_equal(count_segments(b), 1); /* the manifest still names it */
    begin(b, 20);
    finish_well(b, "second");
    assert_int_equal(count_segments(b), 0);
    assert_int_equal(store_disk_bytes(b->store), 0);
}

static void a_segment_that_was_not_restored_goes_with_the_next_checkpoint(void **state)
{
    struct store_bench *b = *state;
    begin(b, 10);
    struct location one = add(b, "one");
    checkpoint_new_segment(b->checkpoint);
    add(b, "two");
    finish_well(b, "first");
    bench_reopen(b);
    store_retain(b->store, one); /* a restore that has one only */
    begin(b, 20);
    finish_well(b, "second");
    assert_int_equal(count_segments(b), 1);
    reads_as(b, one, "one");
}

static void counts_start_anew_for_a_restore(void **state)
{
    struct store_bench *b = *state;
    begin(b, 10);
    struct location one = add(b, "one");
    finish_well(b, "first");
    store_forget_counts(b->store);
    assert_int_equal(store_live_bytes(b->store), 0);
    store_retain_bytes(b->store, one.segment, 3);
    assert_int_equal(store_live_bytes(b->store), 3);
    store_release_bytes(b->store, one.segment, 3);
    begin(b, 20);
    finish_well(b, "second");
    assert_int_equal(count_segments(b), 0);
}

static void only_places_inside_a_segment_are_believed(void **state)
{
    struct store_bench *b = *state;
    begin(b, 10);
    struct location one = add(b, "one");
    finish_well(b, "first");
    assert_true(store_has(b->store, one));
    assert_false(store_has(b->store, (struct location){one.segment + 1, one.offset, one.size}));
    assert_false(store_has(b->store, (struct location){one.segment, one.offset + 1, one.size}));
    assert_false(store_has(b->store, (struct location){one.segment, one.offset - 1, one.size}));
    assert_false(store_has(b->store, (struct location){one.segment, one.offset, UINT32_MAX}));
    assert_false(store_has(b->store, (struct location){one.segment, UINT32_MAX, one.size}));
    assert_false(store_has(b->store, (struct location){0, one.offset, one.size}));
}

/* --- evacuation --- */

enum { CROWD = 20 };

static void crowd_text(char text[static 100], int i)
{
    snprintf(text, 100, "%090d", i); /* so long that a record's header does not matter */
}

/* A segment with CROWD contents of which all but the last are released. */
static struct location crowded(struct store_bench *b)
{
    struct location where[CROWD];
    char text[100];
    begin(b, 10);
    for (int i = 0; i < CROWD; i++) {
        crowd_text(text, i);
        where[i] = add(b, text);
    }
    finish_well(b, "first");
    for (int i = 0; i < CROWD - 1; i++) store_release(b->store, where[i]);
    return where[CROWD - 1];
}

static void a_segment_with_little_left_is_evacuated(void **state)
{
    struct store_bench *b = *state;
    char text[100];
    struct location last = crowded(b);
    crowd_text(text, CROWD - 1);
    assert_false(store_evacuating(b->store, last.segment));
    begin(b, 20);
    assert_true(store_evacuating(b->store, last.segment));
    struct location moved = checkpoint_move(b->checkpoint, last);
    submit(b, "second");
    reads_as(b, moved, text); /* from where it was */
    run_jobs(b);
    assert_false(b->failed);
    assert_int_equal(count_segments(b), 1);
    assert_false(store_has(b->store, last));
    bench_reopen(b);
    reads_as(b, moved, text);
}

static void an_evacuation_that_fails_leaves_the_old_segment(void **state)
{
    struct store_bench *b = *state;
    char text[100];
    struct location last = crowded(b);
    crowd_text(text, CROWD - 1);
    begin(b, 20);
    struct location moved = checkpoint_move(b->checkpoint, last);
    submit(b, "second");
    disk_fill(b->files.disk, true);
    while (jobs_pending(b->jobs)) jobs_step(b->jobs);
    assert_true(b->failed);
    store_release(b->store, moved); /* as the machine does */
    store_retain(b->store, last);
    run_jobs(b); /* files are removed there */
    reads_as(b, last, text);
    assert_int_equal(count_segments(b), 1);
    assert_int_equal(store_live_bytes(b->store), last.size);
}

static void a_damaged_record_is_not_moved(void **state)
{
    struct store_bench *b = *state;
    struct location last = crowded(b);
    assert_true(disk_flip(b->files.disk, disk_name(b->files.disk, BENCH_FOLDER "/seg-", 0), last.offset + 3));
    begin(b, 20);
    struct location moved = checkpoint_move(b->checkpoint, last);
    finish(b, "second");
    assert_true(b->failed);
    assert_int_equal(b->err.code, ERR_CORRUPT);
    assert_non_null(strstr(b->err.text, "/g/seg-00000001-00000001.seg: the record at offset "));
    store_release(b->store, moved);
    assert_true(machine_is(b, "first"));
}

/* --- damage --- */

static void a_damaged_record_is_named_with_file_and_offset(void **state)
{
    struct store_bench *b = *state;
    char expected[128];
    begin(b, 10);
    struct location one = add(b, "one"), two = add(b, "two"), three = add(b, "three");
    finish_well(b, "machine");
    assert_true(disk_flip(b->files.disk, BENCH_FOLDER "/seg-00000001-00000001.seg", two.offset));
    snprintf(expected, sizeof expected, "/g/seg-00000001-00000001.seg: the record at offset %u is damaged",
             two.offset - RECORD_HEADER_SIZE);
    reads_as(b, one, "one");
    assert_int_equal(b->told.code, 0);
    fetch(b, two);
    assert_int_equal(b->err.code, ERR_CORRUPT);
    assert_string_equal(b->err.text, expected);
    assert_string_equal(b->told.text, expected);
    reads_as(b, three, "three"); /* what stands behind it is sound */
}

static void damage_to_a_size_is_noticed_too(void **state)
{
    struct store_bench *b = *state;
    begin(b, 10);
    struct location one = add(b, "one");
    finish_well(b, "machine");
    assert_true(
        disk_flip(b->files.disk, BENCH_FOLDER "/seg-00000001-00000001.seg", one.offset - RECORD_HEADER_SIZE + 1));
    fetch(b, one);
    assert_int_equal(b->err.code, ERR_CORRUPT);
}

static void a_place_that_is_nowhere_is_refused_later(void **state)
{
    struct store_bench *b = *state;
    b->fetched = 0;
    store_fetch(b->store, (struct location){7, 100, 3}, on_fetched, b);
    assert_int_equal(b->fetched, 0); /* never from within the call */
    run_reads(b);
    assert_int_equal(b->fetched, 1);
    assert_int_equal(b->err.code, ERR_CORRUPT);
    assert_string_equal(b->err.text, "segment 7 is not there");
}

static void a_store_with_a_damaged_manifest_does_not_open(void **state)
{
    struct store_bench *b = *state;
    struct err err = {0};
    begin(b, 10);
    finish_well(b, "machine");
    bench_close(b);
    assert_true(disk_flip(b->files.disk, BENCH_FOLDER "/manifest", 20));
    assert_int_equal(bench_try_open(b, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.text, "/g/manifest: its checksum is wrong"));
}

static void a_store_without_a_segment_that_its_manifest_names_does_not_open(void **state)
{
    struct store_bench *b = *state;
    struct err err = {0};
    begin(b, 10);
    add(b, "one");
    finish_well(b, "machine");
    bench_close(b);
    struct fs *fs = disk_fs(b->files.disk);
    assert_int_equal(fs->unlink(fs, BENCH_FOLDER "/seg-00000001-00000001.seg", NULL), 0);
    assert_int_not_equal(bench_try_open(b, &err), 0);
    assert_non_null(strstr(err.text, "the manifest names a segment that cannot be opened"));
}

/* --- the cache --- */

enum { SPREAD = STORE_CACHE_BLOCKS + 4 };

struct spread {
    struct store_bench *bench;
    struct location where[SPREAD];
    unsigned done;
};

/* While its waiters are told, a block must stay: each asks for another, which may push it out. */
static void on_spread(void *arg, struct part content, const struct err *err)
{
    struct spread *s = arg;
    assert_null(err);
    assert_int_equal(part_slice(content).data[0], 'x');
    if (++s->done <= 2 * SPREAD) store_fetch(s->bench->store, s->where[(s->done * 7) % SPREAD], on_spread, s);
    assert_int_equal(part_slice(content).data[content.size - 1], 'x');
}

static void a_callback_may_fetch_more_however_full_the_cache_is(void **state)
{
    struct store_bench *b = *state;
    struct spread s = {.bench = b};
    struct blob *big = blob_create(STORE_READ_SIZE);
    memset(big->data, 'x', big->size);
    begin(b, 10);
    for (int i = 0; i < SPREAD; i++) s.where[i] = checkpoint_add(b->checkpoint, (struct part){big, 0, big->size});
    finish_well(b, "machine");
    for (int i = 0; i < SPREAD; i++)
        for (int twice = 0; twice < 2; twice++) store_fetch(b->store, s.where[i], on_spread, &s);
    run_reads(b);
    assert_int_equal(s.done, 2 * SPREAD + 2 * SPREAD);
    blob_unref(big);
}

static void reading_on_is_one_block_ahead(void **state)
{
    struct store_bench *b = *state;
    struct blob *part = blob_create(STORE_READ_SIZE / 8);
    memset(part->data, 'x', part->size);
    struct location where[40];
    begin(b, 10);
    for (int i = 0; i < 40; i++) where[i] = checkpoint_add(b->checkpoint, (struct part){part, 0, part->size});
    finish_well(b, "machine");
    fetch(b, where[0]);
    unsigned missed = 0;
    for (int i = 1; i < 40; i++) {
        missed += !store_cached(b->store, where[i]).blob;
        run_reads(b);
    }
    assert_int_equal(missed, 0);
    blob_unref(part);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(contents_are_read_back_after_a_restart),
        STORE_TEST(a_new_store_has_no_manifest),
        STORE_TEST(a_checkpoint_without_contents_has_no_segment),
        STORE_TEST(a_fetched_content_is_in_the_cache_with_its_neighbours),
        STORE_TEST(fetches_of_one_block_share_a_read),
        STORE_TEST(raw_bytes_are_read_at_once),
        STORE_TEST(a_deep_queue_can_have_segments_of_its_own),
        STORE_TEST(a_segment_that_is_full_is_followed_by_another),
        STORE_TEST(a_segment_goes_when_neither_machine_nor_manifest_need_it),
        STORE_TEST(a_segment_that_was_not_restored_goes_with_the_next_checkpoint),
        STORE_TEST(counts_start_anew_for_a_restore),
        STORE_TEST(only_places_inside_a_segment_are_believed),
        STORE_TEST(a_segment_with_little_left_is_evacuated),
        STORE_TEST(an_evacuation_that_fails_leaves_the_old_segment),
        STORE_TEST(a_damaged_record_is_not_moved),
        STORE_TEST(a_damaged_record_is_named_with_file_and_offset),
        STORE_TEST(damage_to_a_size_is_noticed_too),
        STORE_TEST(a_place_that_is_nowhere_is_refused_later),
        STORE_TEST(a_store_with_a_damaged_manifest_does_not_open),
        STORE_TEST(a_store_without_a_segment_that_its_manifest_names_does_not_open),
        STORE_TEST(a_callback_may_fetch_more_however_full_the_cache_is),
        STORE_TEST(reading_on_is_one_block_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
