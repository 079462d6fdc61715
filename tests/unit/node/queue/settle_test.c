/* Acks, rejects, requeues: what leaves, what comes back, and where to. */
#include "tests/unit/node/queue/bench.h"

static void publish_letters(struct bench *b, uint64_t queue, const char *letters)
{
    for (; *letters; letters++) publish(b, queue, (char[]){*letters, 0});
}

static void an_ack_removes_a_message_for_good(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    attach(b, 1, 1, 1, 0);
    publish_letters(b, 1, "ab");
    ack(b, 1, 1);
    counts(b, 1, 0, 1);
    close_port(b, 1);
    counts(b, 1, 1, 0);
    get(b, 2, 1);
    hears(b, "2:deliver c0 #1 b again; 2:ok 0 0");
}

static void settling_twice_or_what_was_never_sent_does_nothing(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    attach(b, 1, 1, 1, 0);
    publish_letters(b, 1, "ab");
    ack(b, 1, 1);
    ack(b, 1, 1);
    requeue(b, 1, 1);
    settle(b, 1, SETTLE_ACK, 3, UINT64_MAX);
    counts(b, 1, 0, 1);
    settle(b, 1, SETTLE_ACK, 1, UINT64_MAX);
    counts(b, 1, 0, 0);
}

static void a_requeued_message_goes_back_to_its_old_place(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    publish_letters(b, 1, "abcd");
    for (int i = 0; i < 3; i++) get(b, 1, 1);
    requeue(b, 1, 2);
    requeue(b, 1, 1);
    attach(b, 2, 1, 1, 0);
    hears(b, "2:ok 0 0; 2:deliver c1 #1 a again; 2:deliver c1 #2 b again; 2:deliver c1 #3 d");
}

static void a_requeued_message_goes_back_to_its_old_priority(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = plain_settings();
    s.max_priority = 9;
    configure(b, 1, s);
    publish_message(b, 0, 1, (struct message){.body = "a", .priority = 4});
    publish_message(b, 0, 1, (struct message){.body = "b", .priority = 8});
    get(b, 1, 1);
    get(b, 1, 1);
    settle(b, 1, SETTLE_REQUEUE, 1, 2);
    attach(b, 2, 1, 1, 0);
    hears(b, "2:ok 0 0; 2:deliver c1 #1 b again; 2:deliver c1 #2 a again");
}

static void what_is_requeued_is_delivered_again_at_once(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    attach(b, 1, 1, 1, 1);
    publish_letters(b, 1, "ab");
    requeue(b, 1, 1);
    hears(b, "1:deliver c1 #2 a again");
    assert_int_equal(b->effects.items[0].b, 1); /* delivered once before */
    requeue(b, 1, 2);
    hears(b, "1:deliver c1 #3 a again");
    assert_int_equal(b->effects.items[0].b, 2);
}

/* The port that gives it back has no consumer there that could wake the queue. */
static void what_a_get_gives_back_goes_to_a_consumer_that_waits(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    publish_letters(b, 1, "a");
    get(b, 1, 1);
    attach(b, 2, 1, 1, 0);
    hears(b, "2:ok 0 0");
    requeue(b, 1, 1);
    hears(b, "2:deliver c1 #1 a again");
}

static void what_a_cancelled_consumer_gives_back_goes_to_another(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    attach(b, 1, 1, 1, 0);
    publish_letters(b, 1, "a");
    detach(b, 1, 1);
    hears(b, "1:ok 0 0");
    counts(b, 1, 0, 1); /* it stays with the port */
    attach(b, 2, 1, 1, 0);
    requeue(b, 1, 1);
    hears(b, "2:deliver c1 #1 a again");
}

static void a_message_of_a_port_that_closes_goes_to_another(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    attach(b, 1, 1, 1, 2);
    attach(b, 2, 1, 1, 1);
    publish_letters(b, 1, "abcd");
    counts(b, 1, 1, 3);
    ack(b, 2, 1);
    hears(b, "2:deliver c1 #2 d");
    close_port(b, 1);
    hears(b, "");
    counts(b, 1, 2, 1);
    ack(b, 2, 2);
    hears(b, "2:deliver c1 #3 a again");
}

static void a_node_that_is_down_gives_back_what_its_ports_held(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    attach(b, 1, 1, 1, 0);
    attach(b, 2, 1, 1, 0);
    publish_letters(b, 1, "abc");
    node_down(b);
    counts(b, 1, 3, 0);
    receipt(b, 1, 0);
    hears(b, "1:gone");
}

/* Else the first port to go would hand its messages to the next to go, and each hand-out counts. */
static void a_node_that_is_down_counts_as_one_delivery(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = plain_settings();
    s.delivery_limit = 1;
    configure(b, 1, s);
    for (unsigned port = 1; port < BENCH_PORTS; port++) attach(b, port, 1, 1, 0);
    publish_letters(b, 1, "a");
    node_down(b);
    counts(b, 1, 1, 0);
}

static void a_reject_without_a_dead_letter_exchange_drops(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    attach(b, 1, 1, 1, 0);
    publish_letters(b, 1, "ab");
    reject(b, 1, 1);
    hears(b, "");
    counts(b, 1, 0, 1);
}

static void a_range_settles_what_is_left_of_it(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    attach(b, 1, 1, 1, 0);
    publish_letters(b, 1, "abcdef");
    ack(b, 1, 3);
    settle(b, 1, SETTLE_ACK, 2, 5);
    counts(b, 1, 0, 2);
}

static void a_range_may_span_thousands_with_one_left_in_front(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    attach(b, 1, 1, 1, 0);
    for (int i = 0; i < 3000; i++) {
        publish_letters(b, 1, "m");
        if (i % 100 == 99) receipt(b, 1, (uint64_t)i + 1);
    }
    settle(b, 1, SETTLE_ACK, 2, 3000);
    counts(b, 1, 0, 1);
    restart(b);
    requeue(b, 1, 1);
    hears(b, "1:deliver c1 #3001 m again");
}

static void beyond_its_delivery_limit_a_message_is_dropped(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = plain_settings();
    s.delivery_limit = 2;
    configure(b, 1, s);
    attach(b, 1, 1, 1, 0);
    publish_letters(b, 1, "a");
    requeue(b, 1, 1);
    restart(b); /* the count is part of the state */
    requeue(b, 1, 2);
    hears(b, "1:deliver c1 #3 a again");
    requeue(b, 1, 3);
    hears(b, "");
    counts(b, 1, 0, 0);
}

static void messages_of_a_deleted_queue_can_still_be_settled(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    attach(b, 1, 1, 1, 0);
    publish_letters(b, 1, "abc");
    remove_queue(b, 1, 0);
    hears(b, "1:cancelled c1; 0:ok 0 0");
    ack(b, 1, 1);
    requeue(b, 1, 2);
    reject(b, 1, 3);
    hears(b, "");
}

static void what_a_queue_had_delivered_is_not_that_of_one_made_again(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    attach(b, 1, 1, 1, 0);
    publish_letters(b, 1, "abc");
    remove_queue(b, 1, 0);
    declare(b, 1);
    publish_letters(b, 1, "xy");
    ack(b, 1, 1);
    requeue(b, 1, 2);
    counts(b, 1, 2, 0);
    restart(b);
    reject(b, 1, 3);
    counts(b, 1, 2, 0);
}

static void dead_letters_of_a_queue_made_again_are_counted_as_they_go(void **state)
{
    struct bench *b = *state;
    struct queue_settings settings = plain_settings();
    settings.has_dead_letter_exchange = true;
    settings.dead_letter_exchange = slice_str("dlx");
    configure(b, 1, settings);
    attach(b, 1, 1, 1, 0);
    publish_letters(b, 1, "ab");
    reject(b, 1, 1);
    remove_queue(b, 1, 0);
    configure(b, 1, settings);
    assert_int_equal(stat_of(b, 1).dead_letters_pending, 1);
    dead_lettered(b, 1, 1);
    assert_int_equal(stat_of(b, 1).dead_letters_pending, 0);
}

static void a_consumer_with_a_number_used_before_holds_what_that_one_held(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    attach(b, 1, 1, 1, 1);
    publish_letters(b, 1, "ab");
    detach(b, 1, 1);
    attach(b, 1, 1, 1, 1);
    hears(b, "1:ok 0 0");
    restart(b);
    ack(b, 1, 1);
    hears(b, "1:deliver c1 #2 b");
}

static void what_the_client_has_not_seen_was_no_delivery(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = plain_settings();
    s.delivery_limit = 0;
    configure(b, 1, s);
    attach(b, 1, 1, 1, 0);
    publish_letters(b, 1, "a");
    hears(b, "1:deliver c1 #1 a");
    settle(b, 1, SETTLE_UNSEEN, 1, 1);
    hears(b, "1:deliver c1 #2 a"); /* not "again", and not too often */
    restart(b);
    counts(b, 1, 0, 1);
    requeue(b, 1, 2);
    counts(b, 1, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(an_ack_removes_a_message_for_good),
        BENCH_TEST(settling_twice_or_what_was_never_sent_does_nothing),
        BENCH_TEST(a_requeued_message_goes_back_to_its_old_place),
        BENCH_TEST(a_requeued_message_goes_back_to_its_old_priority),
        BENCH_TEST(what_is_requeued_is_delivered_again_at_once),
        BENCH_TEST(what_a_get_gives_back_goes_to_a_consumer_that_waits),
        BENCH_TEST(what_a_cancelled_consumer_gives_back_goes_to_another),
        BENCH_TEST(a_message_of_a_port_that_closes_goes_to_another),
        BENCH_TEST(a_node_that_is_down_gives_back_what_its_ports_held),
        BENCH_TEST(a_node_that_is_down_counts_as_one_delivery),
        BENCH_TEST(a_reject_without_a_dead_letter_exchange_drops),
        BENCH_TEST(a_range_settles_what_is_left_of_it),
        BENCH_TEST(a_range_may_span_thousands_with_one_left_in_front),
        BENCH_TEST(what_the_client_has_not_seen_was_no_delivery),
        BENCH_TEST(beyond_its_delivery_limit_a_message_is_dropped),
        BENCH_TEST(messages_of_a_deleted_queue_can_still_be_settled),
        BENCH_TEST(what_a_queue_had_delivered_is_not_that_of_one_made_again),
        BENCH_TEST(dead_letters_of_a_queue_made_again_are_counted_as_they_go),
        BENCH_TEST(a_consumer_with_a_number_used_before_holds_what_that_one_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
