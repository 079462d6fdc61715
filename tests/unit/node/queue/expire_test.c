/* Messages with a time to live. */
#include "tests/unit/node/queue/bench.h"

static void put_for(struct bench *b, const char *body, uint64_t ttl_ms)
{
    publish_message(b, 0, 1, (struct message){.body = body, .ttl_ms = ttl_ms});
}

static struct queue_settings with_ttl(int64_t ttl_ms)
{
    struct queue_settings s = plain_settings();
    s.message_ttl_ms = ttl_ms;
    return s;
}

static uint64_t deadline(struct bench *b)
{
    return b->machine.ops->deadline_ms(b->machine.self);
}

static void a_message_expires_after_its_time(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    assert_true(deadline(b) == UINT64_MAX);
    put_for(b, "a", 50);
    assert_int_equal(deadline(b), b->now_ms + 50);
    pass(b, 49);
    counts(b, 1, 1, 0);
    pass(b, 1);
    counts(b, 1, 0, 0);
    assert_true(deadline(b) == UINT64_MAX);
}

static void the_queues_time_holds_for_all_its_messages(void **state)
{
    struct bench *b = *state;
    configure(b, 1, with_ttl(30));
    publish(b, 1, "a");
    put_for(b, "b", 100);
    pass(b, 30);
    counts(b, 1, 0, 0);
}

static void the_shorter_of_both_times_counts(void **state)
{
    struct bench *b = *state;
    configure(b, 1, with_ttl(30));
    put_for(b, "a", 10);
    pass(b, 10);
    counts(b, 1, 0, 0);
}

static void what_expires_behind_a_head_that_lives_longer_goes_too(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    publish(b, 1, "a");
    put_for(b, "b", 10);
    put_for(b, "c", 100);
    put_for(b, "d", 10);
    assert_int_equal(deadline(b), b->now_ms + 10);
    pass(b, 10);
    counts(b, 1, 2, 0);
    get(b, 1, 1);
    hears(b, "1:deliver c0 #1 a; 1:ok 1 0");
    pass(b, 90);
    counts(b, 1, 0, 1);
}

/* So many that their pages are out, with a message that stays in front. */
static void what_expires_in_pages_that_are_out_goes_in_turns(void **state)
{
    enum { PAGES = 140, COUNT = PAGES * 1024 };
    struct bench *b = *state;
    declare(b, 1);
    publish(b, 1, "head");
    for (unsigned done = 0; done < COUNT;) {
        struct chunk_writer *w = begin(b, 0);
        uint64_t queue = 1;
        for (unsigned i = 0; i < 1024; i++, done++)
            put_message(w, &queue, 1, (struct message){.body = "m", .ttl_ms = done % 2 ? 1000 : 5000});
        end(b, 0);
    }
    checkpoint(b); /* contents to segments ... */
    checkpoint(b); /* ... and the pages out */
    restart(b);
    counts(b, 1, COUNT + 1, 0);
    pass(b, 1000);
    uint64_t left = stat_of(b, 1).ready;
    assert_in_range(left, COUNT / 2 + 2, COUNT); /* a turn's work is bounded: not all yet */
    assert_true(deadline(b) <= b->now_ms);
    pass(b, 0);
    counts(b, 1, COUNT / 2 + 1, 0);
    assert_int_equal(deadline(b), b->now_ms + 4000);
    for (int turns = 0; turns < 2; turns++) pass(b, turns ? 0 : 4000);
    counts(b, 1, 1, 0);
}

static void with_no_time_to_live_only_a_waiting_consumer_gets_it(void **state)
{
    struct bench *b = *state;
    configure(b, 1, with_ttl(0));
    publish(b, 1, "a");
    counts(b, 1, 0, 0);
    attach(b, 1, 1, 1, 1);
    publish(b, 1, "b");
    hears(b, "1:deliver c1 #1 b");
    publish(b, 1, "c");
    counts(b, 1, 0, 1);
}

static void what_is_unacked_does_not_expire_but_does_when_it_comes_back(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    put_for(b, "a", 10);
    get(b, 1, 1);
    pass(b, 100);
    counts(b, 1, 0, 1);
    requeue(b, 1, 1);
    counts(b, 1, 0, 0);
}

static void an_expired_message_is_not_delivered(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    publish(b, 1, "first");
    put_for(b, "old", 10);
    publish(b, 1, "last");
    pass(b, 20);
    attach(b, 1, 1, 1, 0);
    hears(b, "1:ok 0 0; 1:deliver c1 #1 first; 1:deliver c1 #2 last");
}

static void an_expired_message_goes_to_the_dead_letters(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = with_ttl(10);
    s.has_dead_letter_exchange = true;
    configure(b, 1, s);
    publish(b, 1, "a");
    publish(b, 1, "b");
    pass(b, 10);
    hears(b, "dead 1 q1 expired a; dead 2 q1 expired b");
}

static void each_priority_has_its_own_head(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = plain_settings();
    s.max_priority = 2;
    configure(b, 1, s);
    publish_message(b, 0, 1, (struct message){.body = "high", .priority = 2});
    put_for(b, "low", 10);
    pass(b, 10);
    counts(b, 1, 1, 0);
}

static void times_go_on_after_a_restart(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    put_for(b, "a", 50);
    put_for(b, "b", 70);
    uint64_t before = deadline(b);
    restart(b);
    assert_int_equal(deadline(b), before);
    pass(b, 50);
    counts(b, 1, 1, 0);
    pass(b, 20);
    counts(b, 1, 0, 0);
}

static void a_time_near_for_ever_is_for_ever(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    put_for(b, "a", UINT64_MAX - 1);
    pass(b, 1000000);
    counts(b, 1, 1, 0);
}

static void the_clock_of_the_machine_does_not_go_back(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    pass(b, 1000);
    b->now_ms -= 900; /* a new leader with a slow clock */
    put_for(b, "a", 50);
    pass(b, 60);
    counts(b, 1, 1, 0);
    pass(b, 890);
    counts(b, 1, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(a_message_expires_after_its_time),
        BENCH_TEST(the_queues_time_holds_for_all_its_messages),
        BENCH_TEST(the_shorter_of_both_times_counts),
        BENCH_TEST(what_expires_behind_a_head_that_lives_longer_goes_too),
        BENCH_TEST(what_expires_in_pages_that_are_out_goes_in_turns),
        BENCH_TEST(with_no_time_to_live_only_a_waiting_consumer_gets_it),
        BENCH_TEST(what_is_unacked_does_not_expire_but_does_when_it_comes_back),
        BENCH_TEST(an_expired_message_is_not_delivered),
        BENCH_TEST(an_expired_message_goes_to_the_dead_letters),
        BENCH_TEST(each_priority_has_its_own_head),
        BENCH_TEST(times_go_on_after_a_restart),
        BENCH_TEST(a_time_near_for_ever_is_for_ever),
        BENCH_TEST(the_clock_of_the_machine_does_not_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
