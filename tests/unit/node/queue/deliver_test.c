/* Who gets which message, and when: order, round robin, prefetch, the port's limit and window, priorities, get. */
#include "tests/unit/node/queue/bench.h"

static void messages_come_in_the_order_of_their_publishing(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    hears(b, "0:ok 0 0");
    publish(b, 1, "a");
    publish(b, 1, "b");
    hears(b, "");
    attach(b, 1, 1, 1, 0);
    hears(b, "1:ok 0 0; 1:deliver c1 #1 a; 1:deliver c1 #2 b");
    publish(b, 1, "c");
    hears(b, "1:deliver c1 #3 c");
    counts(b, 1, 0, 3);
}

static void consumers_take_turns(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    attach(b, 1, 1, 1, 0);
    attach(b, 2, 1, 1, 0);
    publish(b, 1, "a");
    hears(b, "1:deliver c1 #1 a");
    publish(b, 1, "b");
    hears(b, "2:deliver c1 #1 b");
    publish(b, 1, "c");
    hears(b, "1:deliver c1 #2 c");
}

static void a_message_for_several_queues_is_in_each(void **state)
{
    struct bench *b = *state;
    static const uint64_t queues[] = {1, 2};
    declare(b, 1);
    declare(b, 2);
    attach(b, 1, 1, 1, 0);
    attach(b, 1, 2, 2, 0);
    put_message(begin(b, 0), queues, 2, (struct message){.body = "a"});
    end(b, 0);
    hears(b, "1:deliver c1 #1 a; 1:deliver c2 #2 a");
}

static void a_message_for_a_queue_that_is_gone_is_refused(void **state)
{
    struct bench *b = *state;
    static const uint64_t queues[] = {1, 9};
    declare(b, 1);
    put_message(begin(b, 0), queues, 2, (struct message){.body = "a"});
    end(b, 0);
    hears(b, "0:refused 2");
    counts(b, 1, 1, 0);
}

static void a_message_that_cannot_be_read_is_refused(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    begin(b, 0);
    command_empty_encode(&b->writer, COMMAND_ENQUEUE);
    end(b, 0);
    hears(b, "0:refused 2");
}

static void prefetch_bounds_what_a_consumer_holds(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    for (int i = 0; i < 4; i++) publish(b, 1, "m");
    attach(b, 1, 1, 1, 2);
    hears(b, "1:ok 0 0; 1:deliver c1 #1 m; 1:deliver c1 #2 m");
    ack(b, 1, 2);
    hears(b, "1:deliver c1 #3 m");
    settle(b, 1, SETTLE_ACK, 1, 3);
    hears(b, "1:deliver c1 #4 m");
    counts(b, 1, 0, 1);
}

static void a_full_consumer_does_not_hold_up_another(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    attach(b, 1, 1, 1, 1);
    attach(b, 2, 1, 1, 0);
    publish(b, 1, "a");
    publish(b, 1, "b");
    publish(b, 1, "c");
    hears(b, "2:deliver c1 #2 c");
    counts(b, 1, 0, 3);
}

static void the_limit_of_a_port_bounds_its_consumers_together(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    declare(b, 2);
    limit(b, 1, 2);
    attach(b, 1, 1, 1, 0);
    attach(b, 1, 2, 2, 0);
    publish(b, 1, "a");
    publish(b, 2, "b");
    publish(b, 1, "c");
    hears(b, "");
    publish(b, 2, "d");
    hears(b, "");
    ack(b, 1, 1);
    hears(b, "1:deliver c1 #3 c");
    limit(b, 1, 0);
    hears(b, "1:deliver c2 #4 d");
}

static void what_a_get_took_does_not_count_towards_the_limit(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    limit(b, 1, 1);
    publish(b, 1, "a");
    get(b, 1, 1);
    hears(b, "1:deliver c0 #1 a; 1:ok 0 0");
    attach(b, 1, 1, 1, 0);
    publish(b, 1, "b");
    hears(b, "1:deliver c1 #2 b");
    publish(b, 1, "c");
    hears(b, "");
    ack(b, 1, 1);
    hears(b, "");
    restart(b);
    ack(b, 1, 2);
    hears(b, "1:deliver c1 #3 c");
}

static void a_port_that_does_not_say_what_it_received_is_sent_no_more(void **state)
{
    struct bench *b = *state;
    static const uint64_t queue = 1;
    declare(b, 1);
    attach(b, 1, 1, 1, 0);
    begin(b, 0);
    for (int i = 0; i < PORT_WINDOW_MESSAGES + 3; i++)
        put_message(&b->writer, &queue, 1, (struct message){.body = "m"});
    end(b, 0);
    counts(b, 1, 3, PORT_WINDOW_MESSAGES);
    receipt(b, 1, 1);
    counts(b, 1, 2, PORT_WINDOW_MESSAGES + 1);
    receipt(b, 1, PORT_WINDOW_MESSAGES);
    counts(b, 1, 0, PORT_WINDOW_MESSAGES + 3);
}

static void a_settled_message_was_received(void **state)
{
    struct bench *b = *state;
    static const uint64_t queue = 1;
    declare(b, 1);
    attach(b, 1, 1, 1, 0);
    begin(b, 0);
    for (int i = 0; i < PORT_WINDOW_MESSAGES + 3; i++)
        put_message(&b->writer, &queue, 1, (struct message){.body = "m"});
    end(b, 0);
    ack(b, 1, 2);
    counts(b, 1, 1, PORT_WINDOW_MESSAGES + 1);
}

static void big_messages_fill_the_window_by_their_bytes(void **state)
{
    struct bench *b = *state;
    size_t size = PORT_WINDOW_BYTES / 2 + 1;
    char *body = mem_zalloc(size + 1);
    memset(body, 'x', size);
    declare(b, 1);
    attach(b, 1, 1, 1, 0);
    for (int i = 0; i < 3; i++) publish(b, 1, body);
    counts(b, 1, 1, 2); /* the second began when the window had room */
    receipt(b, 1, 1);
    counts(b, 1, 0, 3);
    mem_free(body);
}

static void a_message_bigger_than_the_window_goes_alone(void **state)
{
    struct bench *b = *state;
    size_t size = PORT_WINDOW_BYTES + 100;
    char *body = mem_zalloc(size + 1);
    memset(body, 'x', size);
    declare(b, 1);
    attach(b, 1, 1, 1, 0);
    publish(b, 1, body);
    publish(b, 1, "a");
    counts(b, 1, 1, 1);
    receipt(b, 1, 1);
    hears(b, "1:deliver c1 #2 a");
    mem_free(body);
}

static void a_port_cannot_have_received_what_was_not_sent(void **state)
{
    struct bench *b = *state;
    static const uint64_t queue = 1;
    declare(b, 1);
    attach(b, 1, 1, 1, 0);
    receipt(b, 1, UINT64_MAX);
    begin(b, 0);
    for (int i = 0; i < PORT_WINDOW_MESSAGES + 1; i++)
        put_message(&b->writer, &queue, 1, (struct message){.body = "m"});
    end(b, 0);
    counts(b, 1, 1, PORT_WINDOW_MESSAGES);
}

static void higher_priorities_come_first(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = plain_settings();
    s.max_priority = 5;
    configure(b, 1, s);
    publish_message(b, 0, 1, (struct message){.body = "low"});
    publish_message(b, 0, 1, (struct message){.body = "high", .priority = 5});
    publish_message(b, 0, 1, (struct message){.body = "middle", .priority = 3});
    publish_message(b, 0, 1, (struct message){.body = "above", .priority = 200});
    attach(b, 1, 1, 1, 0);
    hears(b, "1:ok 0 0; 1:deliver c1 #1 high; 1:deliver c1 #2 above; 1:deliver c1 #3 middle; 1:deliver c1 #4 low");
}

static void without_priorities_they_are_ignored(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    publish_message(b, 0, 1, (struct message){.body = "a"});
    publish_message(b, 0, 1, (struct message){.body = "b", .priority = 9});
    attach(b, 1, 1, 1, 0);
    hears(b, "1:ok 0 0; 1:deliver c1 #1 a; 1:deliver c1 #2 b");
}

static void get_takes_one_message_and_says_how_many_are_left(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    publish(b, 1, "a");
    publish(b, 1, "b");
    get(b, 1, 1);
    hears(b, "1:deliver c0 #1 a; 1:ok 1 0");
    assert_int_equal(b->effects.items[0].a, 1);
    get(b, 1, 1);
    hears(b, "1:deliver c0 #2 b; 1:ok 0 0");
    get(b, 1, 1);
    hears(b, "1:empty");
    get(b, 1, 7);
    hears(b, "1:not-found");
    counts(b, 1, 0, 2);
}

static void hello_repeats_what_is_unacked_and_not_in_hand(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    attach(b, 1, 1, 1, 0);
    publish(b, 1, "a");
    publish(b, 1, "b");
    publish(b, 1, "c");
    ack(b, 1, 2);
    effects_clear(&b->effects);
    queue_machine_hello(b->queues, bench_port(1), true, 0, &b->effects);
    hears(b, "1:settled to #3 but what comes to #3; 1:deliver c1 #1 a; 1:deliver c1 #3 c; 1:ok 0 0");
    effects_clear(&b->effects);
    queue_machine_hello(b->queues, bench_port(1), true, 1, &b->effects);
    hears(b, "1:settled to #3 but what comes to #3; 1:deliver c1 #3 c; 1:ok 0 0");
    effects_clear(&b->effects);
    queue_machine_hello(b->queues, bench_port(1), true, 2, &b->effects);
    hears(b, "1:deliver c1 #3 c; 1:ok 0 0"); /* nothing is missing */
    effects_clear(&b->effects);
    queue_machine_hello(b->queues, bench_port(7), true, 1, &b->effects);
    hears(b, "7:gone");
}

static void a_new_leader_gives_what_was_got_before_its_reply(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    publish(b, 1, "a");
    get(b, 1, 1);
    effects_clear(&b->effects);
    queue_machine_hello(b->queues, bench_port(1), true, 0, &b->effects);
    hears(b, "1:deliver c0 #1 a; 1:ok 0 0");
}

static void deliveries_go_on_after_a_restart(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    for (int i = 0; i < 4; i++) publish(b, 1, "m");
    attach(b, 1, 1, 1, 2);
    restart(b);
    effects_clear(&b->effects);
    queue_machine_hello(b->queues, bench_port(1), true, 1, &b->effects);
    hears(b, "1:deliver c1 #2 m; 1:ok 0 0");
    ack(b, 1, 1);
    hears(b, "1:deliver c1 #3 m");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(messages_come_in_the_order_of_their_publishing),
        BENCH_TEST(consumers_take_turns),
        BENCH_TEST(a_message_for_several_queues_is_in_each),
        BENCH_TEST(a_message_for_a_queue_that_is_gone_is_refused),
        BENCH_TEST(a_message_that_cannot_be_read_is_refused),
        BENCH_TEST(prefetch_bounds_what_a_consumer_holds),
        BENCH_TEST(a_full_consumer_does_not_hold_up_another),
        BENCH_TEST(the_limit_of_a_port_bounds_its_consumers_together),
        BENCH_TEST(what_a_get_took_does_not_count_towards_the_limit),
        BENCH_TEST(a_port_that_does_not_say_what_it_received_is_sent_no_more),
        BENCH_TEST(a_settled_message_was_received),
        BENCH_TEST(big_messages_fill_the_window_by_their_bytes),
        BENCH_TEST(a_message_bigger_than_the_window_goes_alone),
        BENCH_TEST(a_port_cannot_have_received_what_was_not_sent),
        BENCH_TEST(higher_priorities_come_first),
        BENCH_TEST(without_priorities_they_are_ignored),
        BENCH_TEST(get_takes_one_message_and_says_how_many_are_left),
        BENCH_TEST(hello_repeats_what_is_unacked_and_not_in_hand),
        BENCH_TEST(a_new_leader_gives_what_was_got_before_its_reply),
        BENCH_TEST(deliveries_go_on_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
