/* Consumers of a node that is out of reach. */
#include "tests/unit/node/queue/bench.h"

static struct command_node_silent silence(uint64_t silent_ms, uint64_t timeout_ms)
{
    return (struct command_node_silent){
        .node = BENCH_NODE, .epoch = BENCH_EPOCH, .silent_ms = silent_ms, .timeout_ms = timeout_ms};
}

static void silent(struct bench *b, struct command_node_silent s)
{
    chunk_writer_begin(&b->writer, 0, 0, 0);
    command_node_silent_encode(&b->writer, &s);
    bench_apply(b, chunk_writer_finish(&b->writer, 0));
}

static void configure_timed(struct bench *b, uint64_t queue, int64_t timeout_ms)
{
    struct queue_settings s = plain_settings();
    s.disconnected_timeout_ms = timeout_ms;
    configure(b, queue, s);
}

static void what_it_holds_goes_to_others_and_its_consumer_is_cancelled(void **state)
{
    struct bench *b = *state;
    configure_timed(b, 1, 1000);
    attach(b, 1, 1, 1, 0);
    publish(b, 1, "a");
    hears(b, "1:deliver c1 #1 a");
    struct command_node_silent s = silence(999, UINT64_MAX);
    assert_false(queue_machine_loses(b->queues, &s));
    silent(b, s);
    counts(b, 1, 0, 1);
    s.silent_ms = 1000;
    assert_true(queue_machine_loses(b->queues, &s));
    silent(b, s);
    hears(b, "1:cancelled c1 after 1000");
    counts(b, 1, 1, 0);
    assert_false(queue_machine_loses(b->queues, &s));
    ack(b, 1, 1); /* it is back, and too late */
    counts(b, 1, 1, 0);
    get(b, 1, 1);
    hears(b, "1:deliver c0 #2 a again; 1:ok 0 0");
}

static void a_queue_without_a_time_of_its_own_has_the_nodes(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    configure_timed(b, 2, 5000);
    attach(b, 1, 1, 1, 0);
    attach(b, 1, 2, 2, 0);
    publish(b, 1, "a");
    publish(b, 2, "b");
    silent(b, silence(100000, UINT64_MAX)); /* there is none */
    hears(b, "1:cancelled c2 after 100000");
    silent(b, silence(100, 100));
    hears(b, "1:cancelled c1 after 100");
    counts(b, 1, 1, 0);
    counts(b, 2, 1, 0);
}

static void gets_and_what_a_gone_consumer_holds_go_back_too(void **state)
{
    struct bench *b = *state;
    configure_timed(b, 1, 1000);
    publish(b, 1, "a");
    publish(b, 1, "b");
    get(b, 1, 1);
    attach(b, 1, 1, 1, 0);
    detach(b, 1, 1);
    counts(b, 1, 0, 2);
    silent(b, silence(1000, UINT64_MAX));
    counts(b, 1, 2, 0);
}

/* Its messages counted against the channel's limit. Consumers of queues that wait longer have that room now, and a
 * replica that was restored would give them the next message. */
static void what_goes_back_makes_room_in_the_limit_of_its_channel(void **state)
{
    struct bench *b = *state;
    configure_timed(b, 1, 1000);
    configure_timed(b, 2, 100000);
    limit(b, 1, 1);
    attach(b, 1, 1, 1, 0);
    publish(b, 1, "a");
    hears(b, "1:deliver c1 #1 a");
    detach(b, 1, 1);
    attach(b, 1, 2, 2, 0);
    publish(b, 2, "b");
    counts(b, 2, 1, 0);
    silent(b, silence(1000, UINT64_MAX));
    counts(b, 1, 1, 0);
    hears(b, "1:deliver c2 #2 b");
}

static void consumers_without_acks_and_of_other_lives_are_left_alone(void **state)
{
    struct bench *b = *state;
    configure_timed(b, 1, 1000);
    attach_as(b, 1, &(struct command_attach){.queue = 1, .consumer = 1, .flags = ATTACH_NO_ACK});
    publish(b, 1, "a");
    struct command_node_silent s = silence(1000, UINT64_MAX);
    assert_false(queue_machine_loses(b->queues, &s));
    silent(b, s);
    counts(b, 1, 0, 1);
    configure_timed(b, 2, 1000);
    attach(b, 1, 2, 2, 0);
    publish(b, 2, "b");
    s.epoch--;
    silent(b, s);
    counts(b, 2, 0, 1);
    s = silence(1000, UINT64_MAX);
    s.node++;
    silent(b, s);
    counts(b, 2, 0, 1);
}

/* They may have been lost on the way, and would be waited for by the port for ever. */
static void deliveries_that_were_taken_back_are_named_when_it_is_back(void **state)
{
    struct bench *b = *state;
    configure_timed(b, 1, 1000);
    declare(b, 2);
    attach(b, 1, 1, 1, 0);
    attach(b, 1, 2, 2, 0);
    publish(b, 1, "a");
    publish(b, 2, "b");
    publish(b, 1, "c");
    silent(b, silence(1000, UINT64_MAX));
    effects_clear(&b->effects);
    queue_machine_hello(b->queues, bench_port(1), true, 0, &b->effects);
    hears(b, "1:cancelled c1 after 1000; 1:settled to #3 but what comes to #2; 1:deliver c2 #2 b; 1:ok 0 0; "
             "1:cancelled c1 after 1000");
    effects_clear(&b->effects);
    queue_machine_hello(b->queues, bench_port(1), true, 2, &b->effects);
    hears(b, "1:cancelled c1 after 1000; 1:settled to #3 but what comes to #2; 1:ok 0 0; 1:cancelled c1 after 1000");
}

static void the_time_survives_a_checkpoint(void **state)
{
    struct bench *b = *state;
    configure_timed(b, 1, 1000);
    attach(b, 1, 1, 1, 0);
    publish(b, 1, "a");
    restart(b);
    silent(b, silence(1000, UINT64_MAX));
    counts(b, 1, 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(what_it_holds_goes_to_others_and_its_consumer_is_cancelled),
        BENCH_TEST(a_queue_without_a_time_of_its_own_has_the_nodes),
        BENCH_TEST(gets_and_what_a_gone_consumer_holds_go_back_too),
        BENCH_TEST(what_goes_back_makes_room_in_the_limit_of_its_channel),
        BENCH_TEST(consumers_without_acks_and_of_other_lives_are_left_alone),
        BENCH_TEST(deliveries_that_were_taken_back_are_named_when_it_is_back),
        BENCH_TEST(the_time_survives_a_checkpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
