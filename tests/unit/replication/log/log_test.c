/* What the log promises while nothing breaks. */
#include "replication/log/log_internal.h"
#include "tests/unit/replication/log/log_bench.h"

static void nothing_is_durable_before_its_flush_is_synced(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    uint64_t one = bench_append(&b, 1, 1, 1, 100);
    uint64_t two = bench_append(&b, 2, 1, 1, 100);
    assert_true(two > one);
    assert_true(log_durable(b.log) < one);
    log_flush(b.log);
    assert_true(log_durable(b.log) < one);
    assert_false(log_idle(b.log));
    bench_run(&b);
    assert_true(log_durable(b.log) >= two);
    assert_int_equal(b.durable_calls, 1);
    assert_int_equal(log_sync_count(b.log), 1);
    assert_true(log_idle(b.log));
    bench_end(&b);
}

static void what_is_appended_during_a_flush_goes_with_the_next(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    uint64_t one = bench_append(&b, 1, 1, 1, 100);
    log_flush(b.log);
    uint64_t two = bench_append(&b, 1, 2, 1, 100);
    log_flush(b.log);
    jobs_step(b.executor);
    assert_true(log_durable(b.log) >= one && log_durable(b.log) < two);
    jobs_step(b.executor);
    assert_true(log_durable(b.log) >= two);
    assert_false(jobs_pending(b.executor));
    assert_int_equal(b.durable_calls, 2);
    bench_end(&b);
}

static void an_empty_flush_does_nothing(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    log_flush(b.log);
    assert_false(jobs_pending(b.executor));
    assert_true(log_idle(b.log));
    bench_end(&b);
}

static void entries_are_read_from_memory_and_from_the_file(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    enum { COUNT = 60 };
    for (uint64_t i = 1; i <= COUNT; i++) {
        bench_append(&b, 1, i, 1, 1000);
        for (uint64_t j = 1; j <= i; j++) assert_true(bench_holds(&b, 1, j, 1, 1000));
        bench_flush(&b);
    }
    bench_append(&b, 1, COUNT + 1, 2, 0);
    bench_flush(&b);
    assert_true(bench_holds(&b, 1, COUNT + 1, 2, 0));
    assert_int_equal(log_entry_type(b.log, 1, 1), ENTRY_COMMAND);
    assert_int_equal(log_entry_term(b.log, 1, COUNT + 2), 0);
    assert_null(log_entry(b.log, 1, COUNT + 2, &b.err));
    assert_int_equal(b.err.code, ERR_NOT_FOUND);
    assert_null(log_entry(b.log, 2, 1, &b.err));
    bench_end(&b);
}

static void an_entry_larger_than_a_file_gets_a_file_of_its_size(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    bench_append(&b, 0, 1, 1, 10);
    bench_append(&b, 0, 2, 1, 5 * BENCH_FILE_SIZE);
    bench_append(&b, 0, 3, 1, 10);
    bench_flush(&b);
    bench_crash(&b, 1);
    bench_open(&b);
    assert_true(bench_holds(&b, 0, 1, 1, 10));
    assert_true(bench_holds(&b, 0, 2, 1, 5 * BENCH_FILE_SIZE));
    assert_true(bench_holds(&b, 0, 3, 1, 10));
    bench_end(&b);
}

static void a_replaced_suffix_stays_replaced(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    bench_append_range(&b, 3, 1, 20, 1, 900);
    bench_flush(&b);
    bench_append_range(&b, 3, 11, 12, 2, 500);
    assert_int_equal(bench_state(&b, 3).last_index, 12);
    bench_flush(&b);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(bench_state(&b, 3).last_index, 12);
        assert_true(bench_holds(&b, 3, 10, 1, 900));
        assert_true(bench_holds(&b, 3, 11, 2, 500));
        assert_true(bench_holds(&b, 3, 12, 2, 500));
        assert_int_equal(log_entry_term(b.log, 3, 13), 0);
        assert_int_equal(log_group_bytes(b.log, 3), 10 * 900 + 2 * 500);
        if (round) bench_close(&b);
        else bench_crash(&b, 5);
        bench_open(&b);
    }
    bench_end(&b);
}

static void votes_and_terms_survive(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    log_append_vote(b.log, 1, 7, 3);
    log_append_vote(b.log, 2, 8, 0);
    log_append_vote(b.log, 1, 9, 2);
    bench_flush(&b);
    log_append_vote(b.log, 1, 10, 1); /* never flushed */
    bench_crash(&b, 9);
    bench_open(&b);
    assert_int_equal(bench_state(&b, 1).term, 9);
    assert_int_equal(bench_state(&b, 1).voted_for, 2);
    assert_int_equal(bench_state(&b, 2).term, 8);
    assert_int_equal(bench_state(&b, 2).voted_for, 0);
    assert_int_equal(bench_state(&b, 0).term, 0);
    bench_end(&b);
}

static void a_vote_outlives_the_file_it_was_written_to(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    log_append_vote(b.log, 2, 7, 3);
    for (uint64_t i = 1; i <= 100; i++) {
        bench_append(&b, 1, i, 7, 1000);
        if (i % 10 == 0) log_trim(b.log, 1, i - 2, 7, i - 2);
        bench_flush(&b);
    }
    assert_string_not_equal(bench_file(&b, ".wal", 0), BENCH_FOLDER "/0000000000000001.wal");
    bench_crash(&b, 3);
    bench_open(&b);
    assert_int_equal(bench_state(&b, 2).term, 7);
    assert_int_equal(bench_state(&b, 2).voted_for, 3);
    bench_end(&b);
}

static void a_snapshot_replaces_everything(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    bench_append_range(&b, 1, 1, 5, 1, 100);
    bench_flush(&b);
    log_append_snapshot(b.log, 1, 50, 4);
    bench_append_range(&b, 1, 51, 52, 4, 100);
    bench_flush(&b);
    for (int round = 0; round < 2; round++) {
        struct log_group_state s = bench_state(&b, 1);
        assert_int_equal(s.snapshot_index, 50);
        assert_int_equal(s.snapshot_term, 4);
        assert_int_equal(s.first_index, 51);
        assert_int_equal(s.last_index, 52);
        assert_int_equal(log_entry_term(b.log, 1, 5), 0);
        assert_true(bench_holds(&b, 1, 51, 4, 100));
        assert_int_equal(log_group_bytes(b.log, 1), 200);
        bench_crash(&b, 11);
        bench_open(&b);
    }
    bench_end(&b);
}

static void trimming_gives_files_back_and_uses_them_again(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    uint64_t highest = 0;
    for (uint64_t i = 1; i <= 400; i++) {
        bench_append(&b, 1, i, 1, 1000);
        if (i % 20 == 0) log_trim(b.log, 1, i - 5, 1, i - 9);
        bench_flush(&b);
        if (log_total_bytes(b.log) > highest) highest = log_total_bytes(b.log);
    }
    assert_true(highest <= 5 * BENCH_FILE_SIZE);
    assert_true(bench_count_files(&b, ".free") <= 2);
    assert_true(log_total_bytes(b.log) < 3 * BENCH_FILE_SIZE);
    assert_int_equal(log_group_bytes(b.log, 1), 5000);
    assert_int_equal(bench_state(&b, 1).first_index, 391);
    assert_int_equal(bench_state(&b, 1).snapshot_index, 395);
    bench_crash(&b, 17);
    bench_open(&b);
    assert_int_equal(bench_state(&b, 1).first_index, 391);
    assert_int_equal(bench_state(&b, 1).last_index, 400);
    assert_int_equal(bench_state(&b, 1).snapshot_index, 395);
    assert_int_equal(log_group_bytes(b.log, 1), 5000);
    for (uint64_t i = 391; i <= 400; i++) assert_true(bench_holds(&b, 1, i, 1, 1000));
    bench_end(&b);
}

static void a_recycled_file_is_the_one_that_was_given_back(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    bench_append_range(&b, 1, 1, 40, 1, 1000);
    bench_flush(&b);
    log_trim(b.log, 1, 40, 1, 41);
    bench_flush(&b);
    assert_int_equal(bench_count_files(&b, ".free"), 2);
    bench_append_range(&b, 1, 41, 80, 1, 1000);
    bench_flush(&b);
    assert_int_equal(bench_count_files(&b, ".free"), 0);
    bench_crash(&b, 2);
    bench_open(&b);
    for (uint64_t i = 41; i <= 80; i++) assert_true(bench_holds(&b, 1, i, 1, 1000));
    bench_end(&b);
}

/* One burst of five files or so, all of it unneeded at once. */
static void burst(struct bench *b, uint64_t first)
{
    bench_append_range(b, 1, first, first + 79, 1, 1000);
    bench_flush(b);
    log_trim(b->log, 1, first + 79, 1, first + 80);
    bench_flush(b);
}

/* Gives how many free files were kept. */
static unsigned start_after_burst(struct bench *b)
{
    bench_start(b);
    b->params.free_size = 8 * BENCH_FILE_SIZE;
    bench_open(b);
    burst(b, 1);
    return bench_count_files(b, ".free");
}

static void a_burst_writes_into_the_files_of_the_one_before(void **state)
{
    (void)state;
    struct bench b;
    unsigned kept = start_after_burst(&b);
    assert_in_range(kept, 4, 8);
    for (uint64_t round = 1; round < 5; round++) {
        burst(&b, round * 80 + 1);
        log_shrink(b.log);                                                   /* all were in use */
        assert_in_range(bench_count_files(&b, ".free"), kept - 1, kept + 1); /* the last file is not always full */
    }
    bench_end(&b);
}

static void free_files_that_nothing_needs_go_one_by_one(void **state)
{
    (void)state;
    struct bench b;
    unsigned kept = start_after_burst(&b);
    log_shrink(b.log); /* there were none when the burst began */
    assert_int_equal(bench_count_files(&b, ".free"), kept);
    for (; kept > LOG_FREE_FILES_MIN; kept--) {
        log_shrink(b.log);
        assert_int_equal(bench_count_files(&b, ".free"), kept - 1);
    }
    log_shrink(b.log);
    assert_int_equal(bench_count_files(&b, ".free"), LOG_FREE_FILES_MIN);
    burst(&b, 81);
    bench_crash(&b, 3);
    bench_open(&b);
    assert_int_equal(bench_state(&b, 1).last_index, 160);
    bench_end(&b);
}

static void files_of_another_size_are_fitted_when_they_are_used_again(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift < 3; shift++) {
        struct bench b;
        bench_start(&b);
        bench_open(&b);
        bench_append_range(&b, 1, 1, 40, 1, 1000);
        bench_flush(&b);
        log_trim(b.log, 1, 40, 1, 41);
        bench_flush(&b);
        bench_close(&b);
        b.params.file_size = BENCH_FILE_SIZE / 2 << shift;
        bench_open(&b);
        bench_append_range(&b, 1, 41, 50, 1, 1000);
        bench_flush(&b);
        for (size_t i = 0; i < bench_count_files(&b, ".wal"); i++)
            assert_int_equal(disk_file_size(b.disk, bench_file(&b, ".wal", i)), b.params.file_size);
        bench_crash(&b, 8);
        bench_open(&b);
        for (uint64_t i = 41; i <= 50; i++) assert_true(bench_holds(&b, 1, i, 1, 1000));
        bench_end(&b);
    }
}

/* An old entry of an idle group stays in memory; behind it others come and go. */
static void the_cache_forgets_what_was_trimmed(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    b.params.cache_size = 1 << 20;
    bench_open(&b);
    bench_append(&b, 2, 1, 1, 10);
    for (uint64_t i = 1; i <= 20000; i++) {
        bench_append(&b, 1, i, 1, 10);
        if (i % 100) continue;
        log_trim(b.log, 1, i, 1, i + 1);
        bench_flush(&b);
    }
    assert_true(b.log->cache_capacity <= 1024);
    assert_int_equal(b.log->cache_bytes, 10);
    assert_true(bench_holds(&b, 2, 1, 1, 10));
    bench_end(&b);
}

static uint32_t group_of_longest_reach(const struct log *log)
{
    uint32_t longest = 0;
    for (uint32_t g = 1; g < 4; g++)
        if (log_group_reach(log, g) > log_group_reach(log, longest)) longest = g;
    return longest;
}

static void the_group_that_holds_the_oldest_file_is_named(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    bench_append(&b, 3, 1, 1, 100);
    bench_append_range(&b, 1, 1, 40, 1, 1000);
    bench_flush(&b);
    assert_int_equal(group_of_longest_reach(b.log), 3);
    log_trim(b.log, 1, 40, 1, 41);
    bench_flush(&b);
    assert_true(log_total_bytes(b.log) > 2 * BENCH_FILE_SIZE); /* group 3 holds them */
    log_trim(b.log, 3, 1, 1, 2);
    bench_append(&b, 2, 1, 1, 100);
    bench_flush(&b);
    assert_int_equal(group_of_longest_reach(b.log), 2);
    assert_int_equal(log_total_bytes(b.log), BENCH_FILE_SIZE);
    bench_end(&b);
}

static void a_restart_does_not_lengthen_the_reach_of_a_group(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    bench_append_range(&b, 1, 1, 30, 1, 1000);
    bench_flush(&b);
    uint64_t reach = log_group_reach(b.log, 1);
    assert_in_range(reach, 30 * 1000, 30 * 1100);
    bench_crash(&b, 1);
    bench_open(&b);
    assert_int_equal(log_group_reach(b.log, 1), reach);
    bench_append(&b, 1, 31, 1, 1000);
    bench_flush(&b);
    assert_in_range(log_group_reach(b.log, 1), reach + 1000, reach + 1200);
    assert_int_equal(log_group_reach(b.log, 2), 0);
    bench_end(&b);
}

static void many_groups_share_the_files(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b);
    bench_open(&b);
    enum { COUNT = 80 };
    for (uint64_t i = 1; i <= COUNT; i++) {
        for (uint32_t g = 0; g < BENCH_GROUPS; g++) bench_append(&b, g, i, 1 + i / 10, 100 * (g + 1));
        if (i % 3 == 0) bench_flush(&b);
    }
    bench_flush(&b);
    assert_true(bench_count_files(&b, ".wal") > 4);
    for (int round = 0; round < 3; round++) {
        bench_crash(&b, 21);
        bench_open(&b);
        for (uint32_t g = 0; g < BENCH_GROUPS; g++)
            for (uint64_t i = 1; i <= COUNT; i++) assert_true(bench_holds(&b, g, i, 1 + i / 10, 100 * (g + 1)));
    }
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_durable_before_its_flush_is_synced),
        cmocka_unit_test(what_is_appended_during_a_flush_goes_with_the_next),
        cmocka_unit_test(an_empty_flush_does_nothing),
        cmocka_unit_test(entries_are_read_from_memory_and_from_the_file),
        cmocka_unit_test(an_entry_larger_than_a_file_gets_a_file_of_its_size),
        cmocka_unit_test(a_replaced_suffix_stays_replaced),
        cmocka_unit_test(votes_and_terms_survive),
        cmocka_unit_test(a_vote_outlives_the_file_it_was_written_to),
        cmocka_unit_test(a_snapshot_replaces_everything),
        cmocka_unit_test(trimming_gives_files_back_and_uses_them_again),
        cmocka_unit_test(a_recycled_file_is_the_one_that_was_given_back),
        cmocka_unit_test(a_burst_writes_into_the_files_of_the_one_before),
        cmocka_unit_test(free_files_that_nothing_needs_go_one_by_one),
        cmocka_unit_test(files_of_another_size_are_fitted_when_they_are_used_again),
        cmocka_unit_test(the_cache_forgets_what_was_trimmed),
        cmocka_unit_test(the_group_that_holds_the_oldest_file_is_named),
        cmocka_unit_test(a_restart_does_not_lengthen_the_reach_of_a_group),
        cmocka_unit_test(many_groups_share_the_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
