/* Delayed retry: what comes back waits, the longer the oftener. */
#include "tests/unit/node/queue/bench.h"

static void declare_retrying(struct bench *b, uint8_t type, int64_t min_ms, int64_t max_ms)
{
    struct queue_settings s = plain_settings();
    s.delayed_retry = type;
    s.delayed_retry_min_ms = min_ms;
    s.delayed_retry_max_ms = max_ms;
    s.has_dead_letter_exchange = true;
    configure(b, 1, s);
}

static void waits(struct bench *b, uint64_t delayed)
{
    assert_int_equal(stat_of(b, 1).delayed, delayed);
}

static void what_comes_back_waits_longer_each_time_up_to_the_maximum(void **state)
{
    struct bench *b = *state;
    declare_retrying(b, DELAYED_RETRY_ALL, 100, 250);
    publish(b, 1, "a");
    attach(b, 1, 1, 1, 0);
    static const uint64_t delays[] = {100, 200, 250, 250};
    for (unsigned i = 0; i < 4; i++) {
        char expected[64];
        requeue(b, 1, i + 1);
        hears(b, "");
        counts(b, 1, 0, 0);
        waits(b, 1);
        assert_int_equal(b->machine.ops->deadline_ms(b->machine.self), b->now_ms + delays[i]);
        pass(b, delays[i] - 1);
        hears(b, "");
        pass(b, 1);
        snprintf(expected, sizeof expected, "1:deliver c1 #%u a again", i + 2);
        hears(b, expected);
        waits(b, 0);
    }
}

static void a_delay_of_years_does_not_grow_beyond_ten(void **state)
{
    struct bench *b = *state;
    declare_retrying(b, DELAYED_RETRY_ALL, (int64_t)COMMAND_TIME_MS_MAX - 1, QUEUE_NO_LIMIT);
    publish(b, 1, "a");
    get(b, 1, 1);
    requeue(b, 1, 1);
    assert_int_equal(b->machine.ops->deadline_ms(b->machine.self), b->now_ms + COMMAND_TIME_MS_MAX - 1);
    pass(b, COMMAND_TIME_MS_MAX - 1);
    get(b, 1, 1);
    requeue(b, 1, 2);
    assert_int_equal(b->machine.ops->deadline_ms(b->machine.self), b->now_ms + COMMAND_TIME_MS_MAX);
}

static void others_overtake_it_and_it_comes_back_to_its_place(void **state)
{
    struct bench *b = *state;
    declare_retrying(b, DELAYED_RETRY_ALL, 100, QUEUE_NO_LIMIT);
    for (const char *body = "abc"; *body; body++) publish(b, 1, (char[]){*body, 0});
    get(b, 1, 1);
    requeue(b, 1, 1);
    get(b, 1, 1);
    hears(b, "1:deliver c0 #2 b; 1:ok 1 0");
    pass(b, 100);
    get(b, 1, 1);
    hears(b, "1:deliver c0 #3 a again; 1:ok 1 0");
}

static void the_type_says_which_ones_wait(void **state)
{
    struct bench *b = *state;
    declare_retrying(b, DELAYED_RETRY_FAILED, 100, QUEUE_NO_LIMIT);
    publish(b, 1, "a");
    get(b, 1, 1);
    requeue(b, 1, 1);
    waits(b, 0);
    get(b, 1, 1);
    settle(b, 1, SETTLE_FAIL, 2, 2);
    waits(b, 1);
    declare_retrying(b, DELAYED_RETRY_RETURNED, 100, QUEUE_NO_LIMIT);
    pass(b, 200);
    get(b, 1, 1);
    settle(b, 1, SETTLE_FAIL, 3, 3);
    waits(b, 0);
    get(b, 1, 1);
    requeue(b, 1, 4);
    waits(b, 1);
    declare_retrying(b, DELAYED_RETRY_DISABLED, 100, QUEUE_NO_LIMIT);
    waits(b, 1); /* as it was sent to wait */
    pass(b, 400);
    get(b, 1, 1);
    requeue(b, 1, 5);
    waits(b, 0);
}

static void a_client_that_went_has_failed(void **state)
{
    struct bench *b = *state;
    declare_retrying(b, DELAYED_RETRY_FAILED, 100, QUEUE_NO_LIMIT);
    publish(b, 1, "a");
    attach(b, 1, 1, 1, 0);
    close_port(b, 1);
    waits(b, 1);
}

static void too_often_is_too_often_at_once(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = plain_settings();
    s.delayed_retry = DELAYED_RETRY_ALL;
    s.delayed_retry_min_ms = 100;
    s.delivery_limit = 0;
    s.has_dead_letter_exchange = true;
    configure(b, 1, s);
    publish(b, 1, "a");
    get(b, 1, 1);
    requeue(b, 1, 1);
    hears(b, "dead 1 q1 delivery-limit a");
    waits(b, 0);
}

static void it_expires_while_it_waits(void **state)
{
    struct bench *b = *state;
    declare_retrying(b, DELAYED_RETRY_ALL, 100, QUEUE_NO_LIMIT);
    publish_message(b, 0, 1, (struct message){.body = "a", .ttl_ms = 50});
    get(b, 1, 1);
    requeue(b, 1, 1);
    pass(b, 50);
    hears(b, "dead 1 q1 expired a");
    waits(b, 0);
}

static void purge_and_delete_take_it_along(void **state)
{
    struct bench *b = *state;
    declare_retrying(b, DELAYED_RETRY_ALL, 100, QUEUE_NO_LIMIT);
    publish(b, 1, "a");
    publish(b, 1, "b");
    get(b, 1, 1);
    requeue(b, 1, 1);
    remove_queue(b, 1, DELETE_IF_EMPTY);
    hears(b, "0:not-empty");
    ask_queue(b, 1, COMMAND_PURGE, 1);
    hears(b, "1:ok 2 0");
    counts(b, 1, 0, 0);
    waits(b, 0);
    publish(b, 1, "c");
    get(b, 1, 1);
    requeue(b, 1, 2);
    remove_queue(b, 1, 0);
    hears(b, "0:ok 1 0");
}

static void it_waits_on_after_a_restart(void **state)
{
    struct bench *b = *state;
    declare_retrying(b, DELAYED_RETRY_ALL, 100, QUEUE_NO_LIMIT);
    for (const char *body = "abc"; *body; body++) publish(b, 1, (char[]){*body, 0});
    for (unsigned i = 1; i <= 3; i++) {
        get(b, 1, 1);
        requeue(b, 1, i);
        pass(b, 10);
    }
    restart(b);
    waits(b, 3);
    attach(b, 2, 1, 1, 0);
    pass(b, 70);
    hears(b, "2:deliver c1 #1 a again");
    pass(b, 100);
    hears(b, "2:deliver c1 #2 b again; 2:deliver c1 #3 c again");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(what_comes_back_waits_longer_each_time_up_to_the_maximum),
        BENCH_TEST(a_delay_of_years_does_not_grow_beyond_ten),
        BENCH_TEST(others_overtake_it_and_it_comes_back_to_its_place),
        BENCH_TEST(the_type_says_which_ones_wait),
        BENCH_TEST(a_client_that_went_has_failed),
        BENCH_TEST(too_often_is_too_often_at_once),
        BENCH_TEST(it_expires_while_it_waits),
        BENCH_TEST(purge_and_delete_take_it_along),
        BENCH_TEST(it_waits_on_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
