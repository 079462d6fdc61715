/* Consumers: exclusive, single active, by priority; and what happens to queues that nobody uses any more. */
#include "tests/unit/node/queue/bench.h"

static struct queue_settings single_active(void)
{
    struct queue_settings s = plain_settings();
    s.single_active_consumer = true;
    return s;
}

static void to_a_queue_that_is_not_there_nobody_can_attach(void **state)
{
    struct bench *b = *state;
    attach(b, 1, 9, 1, 0);
    hears(b, "1:not-found");
}

static void a_consumer_number_in_use_is_refused(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    attach(b, 1, 1, 1, 0);
    attach(b, 1, 1, 1, 0);
    hears(b, "1:invalid");
    assert_int_equal(stat_of(b, 1).consumers, 1);
}

static void an_exclusive_consumer_is_alone(void **state)
{
    struct bench *b = *state;
    struct command_attach exclusive = {.queue = 1, .consumer = 1, .flags = ATTACH_EXCLUSIVE};
    declare(b, 1);
    attach_as(b, 1, &exclusive);
    hears(b, "1:ok 0 0");
    attach(b, 2, 1, 1, 0);
    hears(b, "2:exclusive");
    restart(b);
    attach(b, 2, 1, 1, 0);
    hears(b, "2:exclusive");
    detach(b, 1, 1);
    attach(b, 2, 1, 1, 0);
    hears(b, "2:ok 0 0");
    attach_as(b, 1, &exclusive);
    hears(b, "1:exclusive");
}

static void of_consumers_with_priorities_the_highest_that_can_gets_the_message(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    attach(b, 1, 1, 1, 0);
    attach_as(b, 2, &(struct command_attach){.queue = 1, .consumer = 1, .prefetch = 1, .priority = 10});
    attach_as(b, 3, &(struct command_attach){.queue = 1, .consumer = 1, .priority = -1});
    publish(b, 1, "a");
    hears(b, "2:deliver c1 #1 a");
    publish(b, 1, "b");
    hears(b, "1:deliver c1 #1 b");
    ack(b, 2, 1);
    publish(b, 1, "c");
    hears(b, "2:deliver c1 #2 c");
}

static void one_consumer_is_active_and_the_next_takes_over(void **state)
{
    struct bench *b = *state;
    configure(b, 1, single_active());
    attach(b, 1, 1, 1, 1);
    attach(b, 2, 1, 1, 1);
    publish(b, 1, "a");
    hears(b, "1:deliver c1 #1 a");
    publish(b, 1, "b");
    hears(b, "");
    restart(b);
    detach(b, 1, 1);
    hears(b, "1:ok 0 0; 2:deliver c1 #1 b");
    requeue(b, 1, 1);
    hears(b, "");
    ack(b, 2, 1);
    hears(b, "2:deliver c1 #2 a again");
}

/* The port that goes held nothing of this queue: it was full because of another. */
static void a_higher_priority_takes_over_when_the_active_one_holds_nothing(void **state)
{
    struct bench *b = *state;
    configure(b, 1, single_active());
    attach(b, 1, 1, 1, 0);
    publish(b, 1, "a");
    attach_as(b, 2, &(struct command_attach){.queue = 1, .consumer = 1, .priority = 5});
    hears(b, "2:ok 0 0");
    publish(b, 1, "b");
    hears(b, ""); /* the active one gets no more, the other must wait */
    attach_as(b, 3, &(struct command_attach){.queue = 1, .consumer = 1, .priority = 2});
    ack(b, 1, 1);
    hears(b, "2:deliver c1 #1 b");
    detach(b, 2, 1);
    publish(b, 1, "c");
    hears(b, "3:deliver c1 #1 c");
    attach_as(b, 4, &(struct command_attach){.queue = 1, .consumer = 1, .priority = 2});
    ack(b, 3, 1);
    publish(b, 1, "d");
    hears(b, "3:deliver c1 #2 d"); /* an equal does not */
}

static void the_next_takes_over_when_the_active_ones_port_closes(void **state)
{
    struct bench *b = *state;
    configure(b, 1, single_active());
    declare(b, 2);
    limit(b, 1, 1);
    attach(b, 1, 1, 1, 0);
    attach(b, 1, 2, 2, 0);
    publish(b, 2, "x");
    attach(b, 2, 1, 1, 0);
    publish(b, 1, "a");
    hears(b, "");
    close_port(b, 1);
    hears(b, "2:deliver c1 #1 a");
}

static void consumers_are_listed_with_the_active_one(void **state)
{
    struct bench *b = *state;
    uint64_t cursor = 0;
    struct consumer_stat s;
    configure(b, 1, single_active());
    attach_as(b, 1, &(struct command_attach){.queue = 1, .consumer = 4, .prefetch = 7, .tag = slice_str("one")});
    attach_as(b, 2, &(struct command_attach){.queue = 1, .consumer = 5, .tag = slice_str("two")});
    publish(b, 1, "a");
    assert_true(queue_machine_next_consumer(b->queues, 1, &cursor, &s));
    assert_true(slice_is(s.tag, "two"));
    assert_false(s.active);
    assert_true(queue_machine_next_consumer(b->queues, 1, &cursor, &s));
    assert_true(slice_is(s.tag, "one"));
    assert_true(s.active && s.consumer == 4 && s.prefetch == 7 && s.unacked == 1 && s.port == bench_port(1));
    assert_false(queue_machine_next_consumer(b->queues, 1, &cursor, &s));
}

static void an_auto_delete_queue_is_unused_after_its_last_consumer(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = plain_settings();
    s.auto_delete = true;
    configure(b, 1, s);
    hears(b, "0:ok 0 0"); /* not before it had one */
    attach(b, 1, 1, 1, 0);
    attach(b, 2, 1, 1, 0);
    detach(b, 1, 1);
    hears(b, "1:ok 0 0");
    restart(b);
    close_port(b, 2);
    hears(b, "unused q1");
}

static void a_new_leader_says_again_which_queues_are_unused(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = plain_settings();
    s.auto_delete = true;
    configure(b, 1, s);
    configure(b, 2, s);
    declare(b, 3);
    attach(b, 1, 1, 1, 0);
    attach(b, 1, 2, 2, 0);
    detach(b, 1, 2);
    effects_clear(&b->effects);
    queue_machine_unused(b->queues, &b->effects);
    hears(b, "unused q2");
    restart(b);
    queue_machine_unused(b->queues, &b->effects);
    hears(b, "unused q2");
}

static void a_queue_expires_when_nobody_used_it_for_so_long(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = plain_settings();
    s.expires_ms = 100;
    configure(b, 1, s);
    assert_int_equal(b->machine.ops->deadline_ms(b->machine.self), b->now_ms + 100);
    pass(b, 99);
    hears(b, "");
    get(b, 1, 1); /* counts as use; publishing does not */
    pass(b, 50);
    publish(b, 1, "a");
    restart(b);
    pass(b, 49);
    hears(b, "");
    pass(b, 1);
    hears(b, "unused q1");
    pass(b, 1000);
    hears(b, "");
}

static void a_queue_with_a_consumer_does_not_expire(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = plain_settings();
    s.expires_ms = 100;
    configure(b, 1, s);
    attach(b, 1, 1, 1, 0);
    pass(b, 1000);
    hears(b, "");
    detach(b, 1, 1);
    pass(b, 99);
    hears(b, "");
    pass(b, 1);
    hears(b, "unused q1");
}

static void delete_tells_the_consumers_and_counts_the_messages(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    attach(b, 1, 1, 1, 1);
    attach(b, 2, 1, 6, 1);
    for (int i = 0; i < 5; i++) publish(b, 1, "m");
    remove_queue(b, 1, 0);
    hears(b, "1:cancelled c1; 2:cancelled c6; 0:ok 3 0");
    remove_queue(b, 1, 0);
    hears(b, "0:not-found");
}

static void a_new_leader_says_again_who_was_cancelled(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    declare(b, 2);
    attach(b, 1, 1, 1, 0);
    attach_as(b, 1, &(struct command_attach){.queue = 2, .consumer = 2, .timeout_ms = 50});
    publish(b, 2, "a");
    pass(b, 50);
    hears(b, "1:cancelled c2 after 50");
    remove_queue(b, 1, 0);
    for (int again = 0; again < 2; again++) {
        effects_clear(&b->effects);
        queue_machine_hello(b->queues, bench_port(1), true, 1, &b->effects);
        hears(b, "1:cancelled c2 after 50; 1:cancelled c1; 1:ok 0 0; 1:cancelled c2 after 50; 1:cancelled c1");
        restart(b);
    }
}

static void delete_respects_its_conditions(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    publish(b, 1, "a");
    remove_queue(b, 1, DELETE_IF_EMPTY);
    hears(b, "0:not-empty");
    attach(b, 1, 1, 1, 0);
    remove_queue(b, 1, DELETE_IF_UNUSED);
    hears(b, "0:in-use");
    remove_queue(b, 1, DELETE_IF_EMPTY);
    hears(b, "1:cancelled c1; 0:ok 0 0");
}

static void purge_drops_what_is_ready_and_only_that(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = plain_settings();
    s.max_priority = 3;
    configure(b, 1, s);
    publish(b, 1, "a");
    publish_message(b, 0, 1, (struct message){.body = "b", .priority = 3, .ttl_ms = 10});
    publish(b, 1, "c");
    get(b, 1, 1);
    ask_queue(b, 1, COMMAND_PURGE, 1);
    hears(b, "1:ok 2 0");
    counts(b, 1, 0, 1);
    requeue(b, 1, 1);
    counts(b, 1, 1, 0);
    ask_queue(b, 1, COMMAND_PURGE, 2);
    hears(b, "1:not-found");
}

static void stat_and_declare_say_what_is_ready_and_who_consumes(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    publish(b, 1, "a");
    publish(b, 1, "b");
    attach(b, 1, 1, 1, 1);
    ask_queue(b, 2, COMMAND_STAT, 1);
    hears(b, "2:ok 1 1");
    declare(b, 1);
    hears(b, "0:ok 1 1");
    ask_queue(b, 2, COMMAND_STAT, 2);
    hears(b, "2:not-found");
}

static void a_change_of_settings_works_at_once(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = single_active();
    configure(b, 1, s);
    attach(b, 1, 1, 1, 1);
    attach(b, 2, 1, 1, 1);
    for (int i = 0; i < 4; i++) publish(b, 1, "m");
    s.single_active_consumer = false;
    configure(b, 1, s);
    hears(b, "2:deliver c1 #1 m; 0:ok 2 2");
    s.max_length = 1;
    configure(b, 1, s);
    hears(b, "0:ok 1 2");
}

static void fewer_priorities_than_before_lose_nothing(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = plain_settings();
    s.max_priority = 9;
    configure(b, 1, s);
    publish_message(b, 0, 1, (struct message){.body = "high", .priority = 9});
    publish_message(b, 0, 1, (struct message){.body = "low", .priority = 1});
    s.max_priority = 1;
    configure(b, 1, s);
    restart(b);
    publish_message(b, 0, 1, (struct message){.body = "new", .priority = 9});
    attach(b, 1, 1, 1, 0);
    hears(b, "1:ok 0 0; 1:deliver c1 #1 high; 1:deliver c1 #2 low; 1:deliver c1 #3 new");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(to_a_queue_that_is_not_there_nobody_can_attach),
        BENCH_TEST(a_consumer_number_in_use_is_refused),
        BENCH_TEST(an_exclusive_consumer_is_alone),
        BENCH_TEST(of_consumers_with_priorities_the_highest_that_can_gets_the_message),
        BENCH_TEST(one_consumer_is_active_and_the_next_takes_over),
        BENCH_TEST(a_higher_priority_takes_over_when_the_active_one_holds_nothing),
        BENCH_TEST(the_next_takes_over_when_the_active_ones_port_closes),
        BENCH_TEST(consumers_are_listed_with_the_active_one),
        BENCH_TEST(an_auto_delete_queue_is_unused_after_its_last_consumer),
        BENCH_TEST(a_new_leader_says_again_which_queues_are_unused),
        BENCH_TEST(a_queue_expires_when_nobody_used_it_for_so_long),
        BENCH_TEST(a_queue_with_a_consumer_does_not_expire),
        BENCH_TEST(delete_tells_the_consumers_and_counts_the_messages),
        BENCH_TEST(a_new_leader_says_again_who_was_cancelled),
        BENCH_TEST(delete_respects_its_conditions),
        BENCH_TEST(purge_drops_what_is_ready_and_only_that),
        BENCH_TEST(stat_and_declare_say_what_is_ready_and_who_consumes),
        BENCH_TEST(a_change_of_settings_works_at_once),
        BENCH_TEST(fewer_priorities_than_before_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
