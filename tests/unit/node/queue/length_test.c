/* Queues with a maximum length, and dead letters. */
#include "tests/unit/node/queue/bench.h"

static struct queue_settings bounded(int64_t max_length, uint8_t overflow, bool dead_letters)
{
    struct queue_settings s = plain_settings();
    s.max_length = max_length;
    s.overflow = overflow;
    s.has_dead_letter_exchange = dead_letters;
    s.dead_letter_exchange = slice_str("dlx");
    return s;
}

static void publish_letters(struct bench *b, const char *letters)
{
    for (; *letters; letters++) publish(b, 1, (char[]){*letters, 0});
}

static void the_oldest_goes_when_a_queue_is_full(void **state)
{
    struct bench *b = *state;
    configure(b, 1, bounded(2, OVERFLOW_DROP_HEAD, false));
    publish_letters(b, "abc");
    hears(b, "");
    attach(b, 1, 1, 1, 0);
    hears(b, "1:ok 0 0; 1:deliver c1 #1 b; 1:deliver c1 #2 c");
}

static void the_head_that_goes_is_the_highest_priority(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = bounded(2, OVERFLOW_DROP_HEAD, false);
    s.max_priority = 5;
    configure(b, 1, s);
    publish_message(b, 0, 1, (struct message){.body = "high", .priority = 5});
    publish_message(b, 0, 1, (struct message){.body = "low"});
    publish_message(b, 0, 1, (struct message){.body = "middle", .priority = 2});
    publish_message(b, 0, 1, (struct message){.body = "next"});
    attach(b, 1, 1, 1, 0);
    hears(b, "1:ok 0 0; 1:deliver c1 #1 low; 1:deliver c1 #2 next");
}

static void what_is_unacked_does_not_count(void **state)
{
    struct bench *b = *state;
    configure(b, 1, bounded(1, OVERFLOW_REJECT_PUBLISH, false));
    publish_letters(b, "a");
    get(b, 1, 1);
    publish_letters(b, "b");
    hears(b, "");
    counts(b, 1, 1, 1);
    requeue(b, 1, 1); /* may go over the limit */
    counts(b, 1, 2, 0);
}

static void what_comes_back_makes_the_oldest_go(void **state)
{
    struct bench *b = *state;
    configure(b, 1, bounded(2, OVERFLOW_DROP_HEAD, false));
    publish_letters(b, "ab");
    get(b, 1, 1);
    publish_letters(b, "c");
    counts(b, 1, 2, 1);
    requeue(b, 1, 1); /* back to the head, and gone */
    counts(b, 1, 2, 0);
    attach(b, 1, 1, 1, 0);
    hears(b, "1:ok 0 0; 1:deliver c1 #2 b; 1:deliver c1 #3 c");
}

static void bytes_are_counted_by_bodies(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = plain_settings();
    s.max_length_bytes = 10;
    configure(b, 1, s);
    publish(b, 1, "12345");
    publish(b, 1, "67890");
    counts(b, 1, 2, 0);
    publish(b, 1, "x");
    counts(b, 1, 2, 0);
    assert_int_equal(stat_of(b, 1).ready_bytes, 6);
}

static void a_full_queue_refuses_when_told_to(void **state)
{
    struct bench *b = *state;
    configure(b, 1, bounded(1, OVERFLOW_REJECT_PUBLISH, true));
    publish_letters(b, "a");
    hears(b, "");
    publish_letters(b, "b");
    hears(b, "0:refused 3");
    effects_clear(&b->effects);
    queue_machine_hello(b->queues, bench_port(0), true, 0, &b->effects);
    hears(b, "0:refused 3; 0:ok 0 0");
    get(b, 1, 1);
    publish_letters(b, "c");
    hears(b, "");
}

static void a_refused_message_goes_to_the_dead_letters_when_told_to(void **state)
{
    struct bench *b = *state;
    configure(b, 1, bounded(1, OVERFLOW_REJECT_PUBLISH_DLX, true));
    publish_letters(b, "ab");
    hears(b, "dead 1 q1 maxlen b; 0:refused 3");
}

static void a_queue_of_length_zero_only_passes_on(void **state)
{
    struct bench *b = *state;
    configure(b, 1, bounded(0, OVERFLOW_DROP_HEAD, false));
    publish_letters(b, "a");
    counts(b, 1, 0, 0);
    attach(b, 1, 1, 1, 0);
    publish_letters(b, "b");
    hears(b, "1:deliver c1 #1 b");
}

static void dead_letters_are_told_with_their_reason(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = bounded(1, OVERFLOW_DROP_HEAD, true);
    s.delivery_limit = 0;
    configure(b, 1, s);
    publish_letters(b, "ab");
    hears(b, "dead 1 q1 maxlen a");
    get(b, 1, 1);
    reject(b, 1, 1);
    hears(b, "dead 2 q1 rejected b");
    publish_letters(b, "c");
    get(b, 1, 1);
    requeue(b, 1, 2);
    hears(b, "dead 3 q1 delivery-limit c");
    assert_int_equal(stat_of(b, 1).dead_letters_pending, 3);
}

static void dead_letters_wait_until_their_targets_have_them(void **state)
{
    struct bench *b = *state;
    configure(b, 1, bounded(1, OVERFLOW_DROP_HEAD, true));
    publish_letters(b, "abcd");
    dead_lettered(b, 2, 2);
    assert_int_equal(stat_of(b, 1).dead_letters_pending, 2);
    effects_clear(&b->effects);
    queue_machine_dead_letters(b->queues, 0, 10, &b->effects);
    hears(b, "dead 1 q1 maxlen a; dead 3 q1 maxlen c");
    effects_clear(&b->effects);
    queue_machine_dead_letters(b->queues, 1, 10, &b->effects);
    hears(b, "dead 3 q1 maxlen c");
    effects_clear(&b->effects);
    queue_machine_dead_letters(b->queues, 0, 1, &b->effects);
    hears(b, "dead 1 q1 maxlen a");
    dead_lettered(b, 1, 100);
    dead_lettered(b, 1, 100);
    assert_int_equal(stat_of(b, 1).dead_letters_pending, 0);
}

static void dead_letters_outlive_their_queue_and_a_restart(void **state)
{
    struct bench *b = *state;
    configure(b, 1, bounded(1, OVERFLOW_DROP_HEAD, true));
    configure(b, 2, bounded(0, OVERFLOW_DROP_HEAD, true));
    publish_letters(b, "ab");
    publish(b, 2, "x");
    remove_queue(b, 1, 0);
    hears(b, "0:ok 1 0");
    restart(b);
    queue_machine_dead_letters(b->queues, 0, 10, &b->effects);
    hears(b, "dead 1 q1 maxlen a; dead 2 q2 maxlen x");
    assert_int_equal(stat_of(b, 2).dead_letters_pending, 1);
    dead_lettered(b, 1, 2);
    assert_int_equal(stat_of(b, 2).dead_letters_pending, 0);
    publish(b, 2, "y"); /* numbers are not used again */
    hears(b, "dead 3 q2 maxlen y");
}

static void a_dead_letter_may_be_done_while_a_checkpoint_writes_it(void **state)
{
    struct bench *b = *state;
    configure(b, 2, bounded(0, OVERFLOW_DROP_HEAD, true));
    publish(b, 2, "x");
    publish(b, 2, "y");
    checkpoint_begin(b);
    dead_lettered(b, 1, 1);
    checkpoint_end(b);
    assert_false(b->checkpoint_failed);
    queue_machine_dead_letters(b->queues, 0, 10, &b->effects);
    hears(b, "dead 2 q2 maxlen y");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(the_oldest_goes_when_a_queue_is_full),
        BENCH_TEST(the_head_that_goes_is_the_highest_priority),
        BENCH_TEST(what_is_unacked_does_not_count),
        BENCH_TEST(what_comes_back_makes_the_oldest_go),
        BENCH_TEST(bytes_are_counted_by_bodies),
        BENCH_TEST(a_full_queue_refuses_when_told_to),
        BENCH_TEST(a_refused_message_goes_to_the_dead_letters_when_told_to),
        BENCH_TEST(a_queue_of_length_zero_only_passes_on),
        BENCH_TEST(dead_letters_are_told_with_their_reason),
        BENCH_TEST(dead_letters_wait_until_their_targets_have_them),
        BENCH_TEST(dead_letters_outlive_their_queue_and_a_restart),
        BENCH_TEST(a_dead_letter_may_be_done_while_a_checkpoint_writes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
