/* A checkpoint's files from one store to another, range by range, over losses. */
#include "base/random.h"
#include "replication/store/transfer.h"
#include "tests/unit/replication/store/store_bench.h"

enum { COUNT = 12 };

struct pair {
    struct store_bench *from, *to;
    struct location where[COUNT]; /* in the source's checkpoint */
    struct transfer_source *source;
    struct transfer_sink *sink;
    struct blob *bytes; /* the range read last */
    struct err err;
    bool done;
};

static void text_of(char text[static 64], int i)
{
    snprintf(text, 64, "content %d", i);
}

/* Three segments, one of them of several ranges. */
static void fill(struct pair *p)
{
    char text[64];
    struct blob *big = blob_create(3 * TRANSFER_READ_SIZE + 1234);
    memset(big->data, 'x', big->size);
    begin(p->from, 100);
    for (int i = 0; i < COUNT; i++) {
        text_of(text, i);
        if (i % 4 == 0) checkpoint_new_segment(p->from->checkpoint);
        p->where[i] = add(p->from, text);
        if (i == 5) checkpoint_add(p->from->checkpoint, (struct part){big, 0, big->size});
    }
    finish_well(p->from, "state of the source");
    blob_unref(big);
}

static int set_up(void **state)
{
    struct pair *p = mem_zalloc(sizeof *p);
    p->from = bench_create();
    p->to = bench_create();
    fill(p);
    p->source = transfer_source_open(p->from->store);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct pair *p = *state;
    if (p->sink) transfer_sink_close(p->sink);
    if (p->source) transfer_source_close(p->source);
    bench_destroy(p->from);
    bench_destroy(p->to);
    mem_free(p);
    return 0;
}

static void open_sink(struct pair *p)
{
    struct err err = {0};
    if (transfer_sink_open(&p->sink, p->to->store, transfer_source_manifest(p->source), &err)) fail_msg("%s", err.text);
}

static void on_range(void *arg, struct transfer_range range, struct blob *bytes, const struct err *err)
{
    struct pair *p = arg;
    (void)range;
    p->bytes = bytes;
    p->err = (struct err){0};
    if (err) p->err = *err;
    p->done = true;
}

static struct blob *read_range(struct pair *p, struct transfer_range range)
{
    p->done = false;
    transfer_source_read(p->source, range, on_range, p);
    assert_false(p->done); /* later, never from within */
    assert_false(transfer_source_idle(p->source));
    run_reads(p->from);
    assert_true(p->done && transfer_source_idle(p->source));
    return p->bytes;
}

static void on_written(void *arg, const struct err *err)
{
    struct pair *p = arg;
    p->err = (struct err){0};
    if (err) p->err = *err;
    p->done = true;
}

/* Writes a range that was read; false: the sink did not want it. */
static bool write_range(struct pair *p, struct transfer_range range, struct blob *bytes)
{
    p->done = false;
    transfer_sink_write(p->sink, range, slice_of(bytes->data, bytes->size), on_written, p);
    run_jobs(p->to);
    blob_unref(bytes);
    return p->done;
}

static void carry_all(struct pair *p)
{
    struct transfer_range range;
    while (transfer_sink_next(p->sink, &range)) {
        assert_true(write_range(p, range, read_range(p, range)));
        assert_int_equal(p->err.code, 0);
    }
}

static void finish_transfer(struct pair *p)
{
    assert_true(transfer_sink_complete(p->sink));
    p->done = false;
    transfer_sink_finish(p->sink, on_written, p);
    run_jobs(p->to);
    assert_true(p->done);
}

static void install(struct pair *p)
{
    transfer_sink_close(p->sink);
    p->sink = NULL;
    struct store_manifest m;
    store_installing(p->to->store, &m);
    assert_true(slice_is(m.machine, "state of the source"));
    assert_int_equal(m.index, 100);
    store_install(p->to->store);
    for (int i = 0; i < COUNT; i++) store_retain(p->to->store, p->where[i]);
    run_jobs(p->to);
}

static void all_is_there(struct pair *p)
{
    char text[64];
    assert_true(machine_is(p->to, "state of the source"));
    for (int i = 0; i < COUNT; i++) {
        text_of(text, i);
        assert_true(store_has(p->to->store, p->where[i]));
        reads_as(p->to, p->where[i], text);
    }
}

static void a_store_without_a_checkpoint_has_nothing_to_send(void **state)
{
    struct pair *p = *state;
    assert_null(transfer_source_open(p->to->store));
}

static void everything_comes_over_and_survives_a_restart(void **state)
{
    struct pair *p = *state;
    open_sink(p);
    assert_int_equal(transfer_sink_index(p->sink), 100);
    assert_false(transfer_sink_complete(p->sink));
    carry_all(p);
    finish_transfer(p);
    install(p);
    all_is_there(p);
    bench_reopen(p->to);
    all_is_there(p);
}

static void after_an_installation_checkpoints_go_on(void **state)
{
    struct pair *p = *state;
    open_sink(p);
    carry_all(p);
    finish_transfer(p);
    install(p);
    begin(p->to, 200);
    struct location more = add(p->to, "more");
    for (int i = 0; i < COUNT; i++) assert_true(more.segment != p->where[i].segment);
    finish_well(p->to, "state of the source");
    bench_reopen(p->to);
    all_is_there(p);
    reads_as(p->to, more, "more");
}

static void the_old_segments_go_when_the_machine_is_restored(void **state)
{
    struct pair *p = *state;
    begin(p->to, 5);
    struct location old = add(p->to, "old");
    finish_well(p->to, "old state");
    open_sink(p);
    carry_all(p);
    assert_true(machine_is(p->to, "old state"));
    reads_as(p->to, old, "old"); /* the old machine still reads its own */
    finish_transfer(p);
    reads_as(p->to, old, "old");
    install(p);
    assert_int_equal(count_segments(p->to), 3);
    all_is_there(p);
    store_release(p->to->store, old); /* the old machine is taken down: the place is of another family */
    all_is_there(p);
}

static void what_was_not_finished_goes_away(void **state)
{
    struct pair *p = *state;
    struct transfer_range range;
    open_sink(p);
    for (int i = 0; i < 3; i++) {
        assert_true(transfer_sink_next(p->sink, &range));
        assert_true(write_range(p, range, read_range(p, range)));
    }
    assert_true(count_segments(p->to) > 0);
    transfer_sink_close(p->sink);
    p->sink = NULL;
    run_jobs(p->to);
    assert_int_equal(count_segments(p->to), 0);
}

static void what_a_dead_process_had_received_goes_at_the_next_start(void **state)
{
    struct pair *p = *state;
    open_sink(p);
    carry_all(p);
    struct store_bench *after = bench_create_on(disk_after_crash(p->to->files.disk, 1));
    bench_open(after);
    assert_int_equal(count_segments(after), 0);
    assert_true(machine_is(after, ""));
    bench_destroy(after);
}

static void once_finished_it_survives_a_crash(void **state)
{
    struct pair *p = *state;
    open_sink(p);
    carry_all(p);
    finish_transfer(p);
    struct store_bench *before = p->to;
    p->to = bench_create_on(disk_after_crash(before->files.disk, 1));
    bench_open(p->to);
    all_is_there(p);
    bench_destroy(p->to);
    p->to = before;
}

static void a_rewind_asks_again_for_what_has_not_come(void **state)
{
    struct pair *p = *state;
    struct transfer_range first, range;
    open_sink(p);
    assert_true(transfer_sink_next(p->sink, &first));
    assert_true(write_range(p, first, read_range(p, first)));
    struct transfer_range lost;
    assert_true(transfer_sink_next(p->sink, &lost));
    while (transfer_sink_next(p->sink, &range)) continue;
    transfer_sink_rewind(p->sink);
    assert_true(transfer_sink_next(p->sink, &range));
    assert_memory_equal(&range, &lost, sizeof range);
    transfer_sink_rewind(p->sink);
    carry_all(p);
    finish_transfer(p);
    install(p);
    all_is_there(p);
}

static void ranges_out_of_order_or_twice_are_ignored(void **state)
{
    struct pair *p = *state;
    struct transfer_range first, second;
    open_sink(p);
    assert_true(transfer_sink_next(p->sink, &first));
    assert_true(transfer_sink_next(p->sink, &second));
    assert_false(write_range(p, second, read_range(p, second)));
    assert_true(write_range(p, first, read_range(p, first)));
    assert_false(write_range(p, first, read_range(p, first)));
    struct blob *bytes = read_range(p, second);
    struct transfer_range shorter = {second.segment, second.offset, second.size - 1};
    blob_ref(bytes);
    assert_false(write_range(p, shorter, bytes)); /* size and bytes differ */
    assert_true(write_range(p, second, bytes));
}

/* A link that loses ranges, repeats some and breaks now and then. */
static void a_bad_link_only_takes_longer(void **state)
{
    struct pair *p = *state;
    struct random r = {42};
    open_sink(p);
    for (unsigned i = 0; !transfer_sink_complete(p->sink) && i < 2000; i++) {
        struct transfer_range range;
        if (!transfer_sink_next(p->sink, &range) || random_percent(&r, 10)) {
            transfer_sink_rewind(p->sink);
            continue;
        }
        struct blob *bytes = read_range(p, range);
        if (random_percent(&r, 30)) {
            blob_unref(bytes);
            continue;
        }
        if (random_percent(&r, 30)) write_range(p, range, blob_ref(bytes));
        write_range(p, range, bytes);
    }
    finish_transfer(p);
    install(p);
    all_is_there(p);
}

static void the_source_goes_on_with_checkpoints_and_keeps_the_files(void **state)
{
    struct pair *p = *state;
    for (int i = 0; i < COUNT; i++) store_release(p->from->store, p->where[i]);
    store_forget_counts(p->from->store);
    begin(p->from, 200);
    finish_well(p->from, "later");
    assert_int_equal(count_segments(p->from), 3);
    open_sink(p);
    carry_all(p);
    transfer_source_close(p->source);
    p->source = NULL;
    run_jobs(p->from);
    assert_int_equal(count_segments(p->from), 0);
    finish_transfer(p);
    install(p);
    all_is_there(p);
}

static void the_manifest_itself_is_a_range_too(void **state)
{
    struct pair *p = *state;
    struct slice manifest = transfer_source_manifest(p->source);
    struct blob *bytes = read_range(p, (struct transfer_range){0, 0, (uint32_t)manifest.size});
    assert_memory_equal(bytes->data, manifest.data, manifest.size);
    blob_unref(bytes);
}

static void ranges_that_are_not_there_are_refused(void **state)
{
    struct pair *p = *state;
    uint32_t segment = p->where[0].segment;
    const struct transfer_range wrong[] = {{segment, 0, TRANSFER_READ_SIZE + 1},
                                           {segment, UINT32_MAX, 10},
                                           {segment + 100, 0, 1},
                                           {0, UINT32_MAX, 1},
                                           {segment, 0, TRANSFER_READ_SIZE}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_null(read_range(p, wrong[i]));
        assert_int_equal(p->err.code, ERR_INVALID);
    }
}

static void a_damaged_manifest_is_refused(void **state)
{
    struct pair *p = *state;
    struct slice manifest = transfer_source_manifest(p->source);
    struct buf copy = {0};
    struct err err = {0};
    buf_put_slice(&copy, manifest);
    copy.data[9] ^= 1;
    assert_int_equal(transfer_sink_open(&p->sink, p->to->store, buf_slice(&copy), &err), ERR_CORRUPT);
    assert_null(p->sink);
    buf_close(&copy);
}

static void damage_on_the_sources_disk_does_not_spread(void **state)
{
    struct pair *p = *state;
    struct transfer_range range;
    assert_true(disk_flip(p->from->files.disk, disk_name(p->from->files.disk, BENCH_FOLDER "/seg-", 0),
                          p->where[0].offset + 2));
    open_sink(p);
    assert_true(transfer_sink_next(p->sink, &range));
    assert_true(write_range(p, range, read_range(p, range)));
    assert_int_equal(p->err.code, ERR_CORRUPT);
}

static void a_full_disk_is_told(void **state)
{
    struct pair *p = *state;
    struct transfer_range range;
    open_sink(p);
    disk_fill(p->to->files.disk, true);
    assert_true(transfer_sink_next(p->sink, &range));
    assert_true(write_range(p, range, read_range(p, range)));
    assert_int_equal(p->err.code, ERR_NO_SPACE);
    disk_fill(p->to->files.disk, false);
}

/* The folder's sync fails after the new manifest got its name: a restart may find it, so its files must be there. */
static void a_finish_that_fails_leaves_a_store_that_opens(void **state)
{
    (void)state;
    for (unsigned at = 0; at < 12; at++) {
        struct pair *p;
        set_up((void **)&p);
        begin(p->to, 5);
        struct location old = add(p->to, "old");
        finish_well(p->to, "old state");
        open_sink(p);
        carry_all(p);
        p->to->files.operations = 0;
        p->to->files.fail_at = at;
        finish_transfer(p);
        p->to->files.fail_at = NEVER;
        bool failed = p->err.code;
        transfer_sink_close(p->sink);
        p->sink = NULL;
        bench_reopen(p->to);
        if (!failed) assert_true(machine_is(p->to, "state of the source"));
        if (machine_is(p->to, "old state")) reads_as(p->to, old, "old");
        else all_is_there(p);
        tear_down((void **)&p);
    }
}

#define TRANSFER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSFER_TEST(a_store_without_a_checkpoint_has_nothing_to_send),
        TRANSFER_TEST(everything_comes_over_and_survives_a_restart),
        TRANSFER_TEST(after_an_installation_checkpoints_go_on),
        TRANSFER_TEST(the_old_segments_go_when_the_machine_is_restored),
        TRANSFER_TEST(what_was_not_finished_goes_away),
        TRANSFER_TEST(what_a_dead_process_had_received_goes_at_the_next_start),
        TRANSFER_TEST(once_finished_it_survives_a_crash),
        TRANSFER_TEST(a_rewind_asks_again_for_what_has_not_come),
        TRANSFER_TEST(ranges_out_of_order_or_twice_are_ignored),
        TRANSFER_TEST(a_bad_link_only_takes_longer),
        TRANSFER_TEST(the_source_goes_on_with_checkpoints_and_keeps_the_files),
        TRANSFER_TEST(the_manifest_itself_is_a_range_too),
        TRANSFER_TEST(ranges_that_are_not_there_are_refused),
        TRANSFER_TEST(a_damaged_manifest_is_refused),
        TRANSFER_TEST(damage_on_the_sources_disk_does_not_spread),
        TRANSFER_TEST(a_full_disk_is_told),
        cmocka_unit_test(a_finish_that_fails_leaves_a_store_that_opens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
