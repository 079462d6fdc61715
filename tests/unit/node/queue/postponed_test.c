/* Messages that an exchange keeps back in the group until they are due. */
#include "tests/unit/node/queue/bench.h"

static void keep_back(struct bench *b, const char *body, uint64_t delay_ms)
{
    struct buf stores = {0};
    struct content content = {
        .routing_key = slice_str("key"), .properties = slice_of("\0\0", 2), .body = slice_str(body)};
    enqueue_store_put(&stores, &(struct enqueue_store){ENQUEUE_STORE_DELAY, delay_ms, slice_str("later")});
    struct enqueue_marks marks = {.vhost = slice_str("/"), .store_count = 1, .stores = buf_slice(&stores)};
    command_enqueue_marked_encode(begin(b, 0), 0, 0, 0, UINT64_MAX, NULL, 0, &marks, &content);
    end(b, 0);
    buf_close(&stores);
}

static uint64_t deadline(struct bench *b)
{
    return b->machine.ops->deadline_ms(b->machine.self);
}

static void they_come_when_they_are_due_and_not_before(void **state)
{
    struct bench *b = *state;
    keep_back(b, "b", 100);
    keep_back(b, "a", 50);
    keep_back(b, "c", 100);
    assert_int_equal(queue_machine_postponed(b->queues), 3);
    assert_int_equal(deadline(b), b->now_ms + 50);
    pass(b, 49);
    hears(b, "");
    pass(b, 1);
    hears(b, "dead 1 q0 due a");
    pass(b, 50);
    hears(b, "dead 2 q0 due b; dead 3 q0 due c");
    assert_int_equal(queue_machine_postponed(b->queues), 0);
    assert_true(deadline(b) == UINT64_MAX);
}

static void they_say_which_exchange_they_go_on_from(void **state)
{
    struct bench *b = *state;
    keep_back(b, "a", 10);
    pass(b, 10);
    assert_int_equal(b->effects.count, 1);
    struct reader r = reader_of(b->effects.items[0].text);
    assert_true(slice_is(reader_counted(&r), "/"));
    assert_true(slice_is(reader_counted(&r), "later"));
}

static void a_new_leader_repeats_those_that_are_not_done(void **state)
{
    struct bench *b = *state;
    keep_back(b, "a", 10);
    keep_back(b, "b", 10);
    pass(b, 10);
    dead_lettered(b, 1, 1);
    effects_clear(&b->effects);
    queue_machine_dead_letters(b->queues, 0, 10, &b->effects);
    hears(b, "dead 2 q0 due b");
    dead_lettered(b, 2, 2);
    effects_clear(&b->effects);
    queue_machine_dead_letters(b->queues, 0, 10, &b->effects);
    hears(b, "");
    assert_int_equal(store_live_bytes(b->store), 0);
}

static void they_wait_on_after_a_restart_and_are_still_due_in_order(void **state)
{
    struct bench *b = *state;
    keep_back(b, "b", 100);
    keep_back(b, "a", 50);
    keep_back(b, "first", 10);
    pass(b, 10);
    restart(b); /* one is on its way, two wait */
    assert_int_equal(queue_machine_postponed(b->queues), 2);
    effects_clear(&b->effects);
    queue_machine_dead_letters(b->queues, 0, 10, &b->effects);
    hears(b, "dead 1 q0 due first");
    pass(b, 90);
    hears(b, "dead 2 q0 due a; dead 3 q0 due b");
}

static void they_may_be_due_while_a_checkpoint_is_written(void **state)
{
    for (int fail = 0; fail < 2; fail++) {
        struct bench *b = *state;
        uint64_t first = 1 + 2 * (uint64_t)fail;
        char expected[64];
        keep_back(b, "a", 10);
        keep_back(b, "b", 100);
        checkpoint_begin(b);
        pass(b, 10);
        dead_lettered(b, first, first);
        disk_fill(b->disk, fail);
        checkpoint_end(b);
        disk_fill(b->disk, false);
        assert_int_equal(b->checkpoint_failed, fail);
        pass(b, 90);
        snprintf(expected, sizeof expected, "dead %llu q0 due b", (unsigned long long)first + 1);
        hears(b, expected);
        dead_lettered(b, first + 1, first + 1);
        assert_int_equal(store_live_bytes(b->store), 0);
    }
}

static void very_many_go_in_turns(void **state)
{
    struct bench *b = *state;
    struct buf stores = {0};
    struct content content = {.properties = slice_of("\0\0", 2), .body = slice_str("m")};
    enqueue_store_put(&stores, &(struct enqueue_store){ENQUEUE_STORE_DELAY, 10, slice_str("x")});
    struct enqueue_marks marks = {.vhost = slice_str("/"), .store_count = 1, .stores = buf_slice(&stores)};
    struct chunk_writer *w = begin(b, 0);
    for (unsigned i = 0; i < 20000; i++)
        command_enqueue_marked_encode(w, 0, 0, 0, UINT64_MAX, NULL, 0, &marks, &content);
    end(b, 0);
    buf_close(&stores);
    pass(b, 10);
    uint64_t left = queue_machine_postponed(b->queues);
    assert_in_range(left, 1, 19999);
    assert_true(deadline(b) <= b->now_ms);
    for (unsigned turns = 0; queue_machine_postponed(b->queues); turns++) {
        assert_in_range(turns, 0, 5);
        pass(b, 0);
    }
}

static void a_store_of_an_unknown_kind_or_number_refuses_the_message(void **state)
{
    struct bench *b = *state;
    struct buf stores = {0};
    struct content content = {.properties = slice_of("\0\0", 2), .body = slice_str("m")};
    enqueue_store_put(&stores, &(struct enqueue_store){77, 10, slice_str("x")});
    struct enqueue_marks marks = {.vhost = slice_str("/"), .store_count = 1, .stores = buf_slice(&stores)};
    command_enqueue_marked_encode(begin(b, 0), 0, 0, 0, UINT64_MAX, NULL, 0, &marks, &content);
    end(b, 0);
    hears(b, "0:refused 1");
    stores.data[0] = ENQUEUE_STORE_DELAY;
    marks.store_count = 2;
    command_enqueue_marked_encode(begin(b, 0), 0, 0, 0, UINT64_MAX, NULL, 0, &marks, &content);
    end(b, 0);
    hears(b, "0:refused 2");
    buf_close(&stores);
}

/* --- dead letters that their targets have refused --- */

static void die(struct bench *b, const char *body)
{
    struct queue_settings dying = plain_settings();
    dying.has_dead_letter_exchange = true;
    dying.message_ttl_ms = 0;
    configure(b, 7, dying);
    publish(b, 7, body);
    pass(b, 0);
}

static void try_again(struct bench *b, uint64_t number, uint32_t after_ms, struct slice targets)
{
    chunk_writer_begin(&b->writer, 0, 0, 0);
    command_dead_letter_again_encode(&b->writer, &(struct command_dead_letter_again){number, after_ms, targets});
    bench_apply(b, chunk_writer_finish(&b->writer, 0));
}

static void a_dead_letter_that_was_refused_comes_again_for_its_targets_alone(void **state)
{
    static const uint8_t targets[] = {1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0};
    for (int stage = 0; stage < 3; stage++) { /* without a restart, while it waits, when it is on its way again */
        struct bench *b = *state;
        uint64_t first = 1 + 2 * (uint64_t)stage;
        die(b, "m");
        try_again(b, first, 100, slice_of(targets, sizeof targets));
        assert_int_equal(stat_of(b, 7).dead_letters_pending, 1);
        effects_clear(&b->effects);
        queue_machine_dead_letters(b->queues, 0, 10, &b->effects);
        hears(b, "");
        if (stage == 1) restart(b);
        assert_int_equal(stat_of(b, 7).dead_letters_pending, 1);
        pass(b, 99);
        hears(b, "");
        pass(b, 1);
        if (stage == 2) restart(b);
        effects_clear(&b->effects);
        queue_machine_dead_letters(b->queues, 0, 10, &b->effects);
        assert_int_equal(b->effects.count, 1);
        assert_int_equal(b->effects.items[0].number, first + 1);
        assert_int_equal(b->effects.items[0].queue, 7);
        assert_true(slice_equal(b->effects.items[0].text, slice_of(targets, sizeof targets)));
        dead_lettered(b, first + 1, first + 1);
        assert_int_equal(stat_of(b, 7).dead_letters_pending, 0);
        assert_int_equal(store_live_bytes(b->store), 0);
    }
}

static void one_that_is_not_there_or_no_dead_letter_is_not_tried_again(void **state)
{
    struct bench *b = *state;
    try_again(b, 1, 100, (struct slice){0});
    keep_back(b, "a", 10);
    pass(b, 10);
    try_again(b, 1, 100, (struct slice){0});
    assert_int_equal(queue_machine_postponed(b->queues), 0);
    effects_clear(&b->effects);
    queue_machine_dead_letters(b->queues, 0, 10, &b->effects);
    hears(b, "dead 1 q0 due a");
}

/* --- all or none --- */

static void put_whole(struct bench *b, const uint64_t *queues, uint32_t count)
{
    struct content content = {.properties = slice_of("\0\0", 2), .body = slice_str("m")};
    command_enqueue_encode(begin(b, 0), 0, ENQUEUE_WHOLE, 0, UINT64_MAX, queues, count, &content);
    end(b, 0);
}

static void a_message_for_all_or_none_is_in_no_queue_when_one_refuses(void **state)
{
    static const uint64_t queues[] = {1, 2}, with_missing[] = {1, 9};
    struct bench *b = *state;
    struct queue_settings bounded = plain_settings();
    bounded.max_length = 1;
    bounded.overflow = OVERFLOW_REJECT_PUBLISH_DLX;
    bounded.has_dead_letter_exchange = true;
    declare(b, 1);
    configure(b, 2, bounded);
    put_whole(b, queues, 2);
    hears(b, "");
    put_whole(b, queues, 2);
    hears(b, "0:refused 4");
    put_whole(b, with_missing, 2);
    hears(b, "0:refused 5");
    counts(b, 1, 1, 0);
    counts(b, 2, 1, 0);
    put_whole(b, queues, 1);
    counts(b, 1, 2, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(they_come_when_they_are_due_and_not_before),
        BENCH_TEST(they_say_which_exchange_they_go_on_from),
        BENCH_TEST(a_new_leader_repeats_those_that_are_not_done),
        BENCH_TEST(they_wait_on_after_a_restart_and_are_still_due_in_order),
        BENCH_TEST(they_may_be_due_while_a_checkpoint_is_written),
        BENCH_TEST(very_many_go_in_turns),
        BENCH_TEST(a_store_of_an_unknown_kind_or_number_refuses_the_message),
        BENCH_TEST(a_dead_letter_that_was_refused_comes_again_for_its_targets_alone),
        BENCH_TEST(one_that_is_not_there_or_no_dead_letter_is_not_tried_again),
        BENCH_TEST(a_message_for_all_or_none_is_in_no_queue_when_one_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
