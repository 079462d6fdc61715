/* A crash, or a failure, at each single operation of a checkpoint: what a restart finds is the old state whole or the
 * new state whole, never something between. */
#include "tests/unit/replication/store/store_bench.h"

enum { OLD_COUNT = 30, NEW_COUNT = 5, CRASH_SEEDS = 6, OPERATIONS_MAX = 200 };

/* Old: OLD_COUNT contents, of which only the last stays. New: that one moved, and NEW_COUNT others in two segments. */
struct story {
    struct store_bench *bench;
    struct location old[OLD_COUNT], new[NEW_COUNT], moved;
};

static void text_of(char text[static 100], const char *what, int i)
{
    snprintf(text, 100, "%s %080d", what, i); /* so long that a record's header does not matter */
}

static void tell_old(struct story *s, struct store_bench *b)
{
    char text[100];
    s->bench = b;
    begin(b, 10);
    for (int i = 0; i < OLD_COUNT; i++) {
        text_of(text, "old", i);
        s->old[i] = add(b, text);
    }
    finish_well(b, "old");
    for (int i = 0; i < OLD_COUNT - 1; i++) store_release(b->store, s->old[i]);
}

static void on_new_done(void *arg, const struct err *err)
{
    struct story *s = arg;
    on_checkpoint(s->bench, err);
    if (!err) return;
    for (int i = 0; i < NEW_COUNT; i++) store_release(s->bench->store, s->new[i]); /* as the machine does */
    store_release(s->bench->store, s->moved);
    store_retain(s->bench->store, s->old[OLD_COUNT - 1]);
}

static void tell_new(struct story *s)
{
    struct store_bench *b = s->bench;
    char text[100];
    begin(b, 20);
    s->moved = checkpoint_move(b->checkpoint, s->old[OLD_COUNT - 1]);
    for (int i = 0; i < NEW_COUNT; i++) {
        text_of(text, "new", i);
        if (i == NEW_COUNT / 2) checkpoint_new_segment(b->checkpoint);
        s->new[i] = add(b, text);
    }
    buf_put_slice(checkpoint_manifest(b->checkpoint), slice_str("new"));
    store_checkpoint_run(b->store, b->checkpoint, on_new_done, s);
    run_jobs(b);
}

/* What the bench has after a restart: old or new, and all of it readable. True: new. */
static bool is_whole(const struct story *s, struct store_bench *b)
{
    char text[100];
    bool is_new = machine_is(b, "new");
    if (!is_new) assert_true(machine_is(b, "old"));
    for (int i = 0; i < (is_new ? NEW_COUNT : OLD_COUNT); i++) {
        struct location where = is_new ? s->new[i] : s->old[i];
        text_of(text, is_new ? "new" : "old", i);
        assert_true(store_has(b->store, where));
        reads_as(b, where, text);
    }
    text_of(text, "old", OLD_COUNT - 1);
    reads_as(b, is_new ? s->moved : s->old[OLD_COUNT - 1], text);
    assert_int_equal(count_segments(b), is_new ? 2 : 1); /* what else there was is removed */
    return is_new;
}

static void a_crash_at_any_operation_leaves_the_old_or_the_new(void **state)
{
    (void)state;
    unsigned found[2] = {0}, total = 1;
    for (unsigned at = 0; at < total; at++) {
        for (uint64_t seed = 1; seed <= CRASH_SEEDS; seed++) {
            struct story s;
            tell_old(&s, bench_create());
            s.bench->files.operations = 0;
            s.bench->files.crash_at = at;
            s.bench->files.seed = seed;
            tell_new(&s);
            total = s.bench->files.operations;
            assert_true(total > 8 && total < OPERATIONS_MAX);
            struct store_bench *after = bench_create_on(s.bench->files.crashed);
            s.bench->files.crashed = NULL;
            bench_open(after);
            found[is_whole(&s, after)]++;
            bench_destroy(after);
            bench_destroy(s.bench);
        }
    }
    assert_true(found[false] > 0 && found[true] > 0);
}

static void a_failure_at_any_operation_changes_nothing(void **state)
{
    (void)state;
    unsigned failures = 0, total = 1;
    for (unsigned at = 0; at < total; at++) {
        struct story s;
        tell_old(&s, bench_create());
        s.bench->files.operations = 0;
        s.bench->files.fail_at = at;
        tell_new(&s);
        total = s.bench->files.operations;
        bool failed = s.bench->failed;
        failures += failed;
        assert_true(machine_is(s.bench, failed ? "old" : "new"));
        assert_int_equal(store_live_bytes(s.bench->store),
                         failed ? s.old[0].size : NEW_COUNT * s.new[0].size + s.moved.size);
        for (uint64_t seed = 1; seed <= CRASH_SEEDS; seed++) { /* and then the lights go out */
            struct store_bench *after = bench_create_on(disk_after_crash(s.bench->files.disk, seed));
            bench_open(after);
            bool is_new = is_whole(&s, after);
            if (!failed) assert_true(is_new);
            bench_destroy(after);
        }
        bench_reopen(s.bench);
        is_whole(&s, s.bench);
        bench_destroy(s.bench);
    }
    assert_true(failures > 8);
}

/* The next checkpoint after a failed one works, and leaves nothing of the failed one behind after a restart. */
static void after_a_failure_the_next_checkpoint_goes_through(void **state)
{
    (void)state;
    unsigned total = 1;
    for (unsigned at = 0; at < total; at++) {
        struct story s;
        tell_old(&s, bench_create());
        s.bench->files.operations = 0;
        s.bench->files.fail_at = at;
        tell_new(&s);
        total = s.bench->files.operations;
        s.bench->files.fail_at = NEVER;
        if (s.bench->failed) {
            tell_new(&s);
            assert_false(s.bench->failed);
        }
        bench_reopen(s.bench);
        assert_true(is_whole(&s, s.bench));
        bench_destroy(s.bench);
    }
}

static void a_full_disk_changes_nothing(void **state)
{
    (void)state;
    struct story s;
    tell_old(&s, bench_create());
    uint64_t disk = store_disk_bytes(s.bench->store);
    disk_fill(s.bench->files.disk, true);
    tell_new(&s);
    assert_true(s.bench->failed);
    assert_int_equal(s.bench->err.code, ERR_NO_SPACE);
    assert_int_equal(store_disk_bytes(s.bench->store), disk);
    assert_int_equal(count_segments(s.bench), 1);
    disk_fill(s.bench->files.disk, false);
    bench_reopen(s.bench);
    assert_false(is_whole(&s, s.bench));
    bench_destroy(s.bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_at_any_operation_leaves_the_old_or_the_new),
        cmocka_unit_test(a_failure_at_any_operation_changes_nothing),
        cmocka_unit_test(after_a_failure_the_next_checkpoint_goes_through),
        cmocka_unit_test(a_full_disk_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
