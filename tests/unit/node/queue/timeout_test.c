/* Consumers that hold a message unacked for too long. */
#include "tests/unit/node/queue/bench.h"

static void attach_timed(struct bench *b, unsigned port, uint32_t consumer, uint8_t flags, uint64_t timeout_ms)
{
    attach_as(b, port,
              &(struct command_attach){
                  .queue = 1, .consumer = consumer, .flags = flags, .prefetch = 1, .timeout_ms = timeout_ms});
}

static void only_the_consumer_goes_and_its_messages_are_there_again(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    attach_timed(b, 1, 1, 0, 100);
    attach_timed(b, 1, 2, 0, 1000);
    publish(b, 1, "a");
    hears(b, "1:deliver c1 #1 a");
    pass(b, 99);
    hears(b, "");
    pass(b, 1);
    hears(b, "1:cancelled c1 after 100; 1:deliver c2 #2 a again");
    assert_int_equal(stat_of(b, 1).consumers, 1);
    ack(b, 1, 1); /* too late: it is another's */
    counts(b, 1, 0, 1);
    ack(b, 1, 2);
    counts(b, 1, 0, 0);
}

static void the_time_runs_from_the_oldest_that_is_held(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    attach_as(b, 1, &(struct command_attach){.queue = 1, .consumer = 1, .timeout_ms = 100});
    publish(b, 1, "a");
    pass(b, 50);
    publish(b, 1, "b");
    ack(b, 1, 1);
    pass(b, 99);
    hears(b, "");
    pass(b, 1);
    hears(b, "1:cancelled c1 after 100");
    counts(b, 1, 1, 0);
}

static void the_consumers_own_time_goes_before_the_queues_and_that_before_the_nodes(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = plain_settings();
    s.consumer_timeout_ms = 50;
    configure(b, 1, s);
    attach_timed(b, 1, 1, ATTACH_TIMEOUT_OWN, 100);
    attach_timed(b, 1, 2, 0, 10);
    publish(b, 1, "a");
    publish(b, 1, "b");
    pass(b, 50);
    hears(b, "1:cancelled c2 after 50");
    pass(b, 50);
    hears(b, "1:cancelled c1 after 100");
}

static void a_change_of_the_queues_time_concerns_those_who_are_there(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = plain_settings();
    declare(b, 1);
    attach_timed(b, 1, 1, 0, 0);
    publish(b, 1, "a");
    pass(b, 1000);
    hears(b, "");
    s.consumer_timeout_ms = 1500;
    configure(b, 1, s);
    pass(b, 499);
    hears(b, "");
    s.consumer_timeout_ms = 0;
    configure(b, 1, s);
    pass(b, 10000);
    hears(b, "");
    s.consumer_timeout_ms = 1;
    configure(b, 1, s);
    hears(b, "0:ok 0 1; 1:cancelled c1 after 1");
}

static void without_acks_there_is_no_timeout(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    attach_timed(b, 1, 1, ATTACH_NO_ACK, 100);
    publish(b, 1, "a");
    pass(b, 1000);
    hears(b, "");
}

static void the_next_active_consumer_takes_over(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = plain_settings();
    s.single_active_consumer = true;
    s.consumer_timeout_ms = 100;
    configure(b, 1, s);
    attach_timed(b, 1, 1, 0, 0);
    attach_timed(b, 2, 1, 0, 0);
    publish(b, 1, "a");
    pass(b, 100);
    hears(b, "1:cancelled c1 after 100; 2:deliver c1 #1 a again");
}

static void times_are_known_after_a_restart(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    attach_timed(b, 1, 1, 0, 100);
    publish(b, 1, "a");
    pass(b, 40);
    restart(b);
    pass(b, 59);
    hears(b, "");
    pass(b, 1);
    hears(b, "1:cancelled c1 after 100");
    counts(b, 1, 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(only_the_consumer_goes_and_its_messages_are_there_again),
        BENCH_TEST(the_time_runs_from_the_oldest_that_is_held),
        BENCH_TEST(the_consumers_own_time_goes_before_the_queues_and_that_before_the_nodes),
        BENCH_TEST(a_change_of_the_queues_time_concerns_those_who_are_there),
        BENCH_TEST(without_acks_there_is_no_timeout),
        BENCH_TEST(the_next_active_consumer_takes_over),
        BENCH_TEST(times_are_known_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
