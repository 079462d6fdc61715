/* What a machine counts for listings and metrics. bench_check() holds the counts of contents in memory against what is
 * there, after every entry of every test. */
#include "tests/unit/node/queue/bench.h"

static struct queue_machine_figures figures_of(struct bench *b)
{
    struct queue_machine_figures f;
    queue_machine_figures(b->queues, &f);
    return f;
}

static void gets_are_counted_by_kind(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    publish(b, 1, "a");
    publish(b, 1, "b");
    get(b, 1, 1);
    command_get_encode(begin(b, 1), 1, true);
    end(b, 1);
    hears(b, "1:deliver c0 #2 b; 1:ok 0 0");
    get(b, 1, 1);
    struct queue_counts c = stat_of(b, 1).counts;
    assert_int_equal(c.got, 2);
    assert_int_equal(c.got_no_ack, 1);
    assert_int_equal(c.get_empty, 1);
    assert_int_equal(c.delivered, 2);
}

static void contents_leave_memory_with_a_checkpoint(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    publish(b, 1, "four");
    publish(b, 1, "five5");
    attach(b, 1, 1, 7, 1);
    struct queue_stat s = stat_of(b, 1);
    assert_int_equal(s.memory, 2);
    assert_int_equal(s.memory_ready, 1);
    assert_int_equal(s.memory_bytes, 9);
    checkpoint(b);
    s = stat_of(b, 1);
    assert_int_equal(s.memory, 0);
    assert_int_equal(s.memory_bytes, 0);
    assert_int_equal(s.counts.written, 2);
    assert_int_equal(s.counts.read, 0);
    ack(b, 1, 1);
    hears(b, "1:deliver c7 #2 five5");
    assert_int_equal(stat_of(b, 1).counts.read, 1);
    publish(b, 1, "x");
    assert_int_equal(stat_of(b, 1).memory_ready, 1);
}

static void the_oldest_ready_content_is_shown(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    assert_null(queue_machine_head(b->queues, 1).blob);
    publish(b, 1, "a");
    publish(b, 1, "b");
    get(b, 1, 1);
    struct content c;
    assert_true(content_decode(part_slice(queue_machine_head(b->queues, 1)), &c));
    assert_true(slice_is(c.body, "b"));
    checkpoint(b);
    assert_null(queue_machine_head(b->queues, 1).blob);
    assert_null(queue_machine_head(b->queues, 2).blob);
}

static void dead_letters_are_counted_by_reason_and_by_whether_they_are_kept(void **state)
{
    struct bench *b = *state;
    struct queue_settings settings = plain_settings();
    settings.max_length = 1;
    configure(b, 1, settings);
    settings.has_dead_letter_exchange = true;
    configure(b, 2, settings);
    for (uint64_t queue = 1; queue <= 2; queue++) {
        publish(b, queue, "a");
        publish(b, queue, "b");
        publish_message(b, 0, queue, (struct message){.body = "c", .ttl_ms = 10});
        pass(b, 100);
        publish(b, queue, "d");
        get(b, 1, queue);
        reject(b, 1, queue);
    }
    struct queue_machine_figures f = figures_of(b);
    for (unsigned kept = 0; kept < 2; kept++) {
        assert_int_equal(f.dead[kept][DEAD_MAXLEN], 2);
        assert_int_equal(f.dead[kept][DEAD_EXPIRED], 1);
        assert_int_equal(f.dead[kept][DEAD_REJECTED], 1);
        assert_int_equal(f.dead[kept][DEAD_DELIVERY_LIMIT], 0);
    }
    assert_int_equal(f.dead_confirmed, 0);
    dead_lettered(b, 1, 3);
    assert_int_equal(figures_of(b).dead_confirmed, 3);
}

/* A replica that does not lead would count what the leader counts. */
static void followers_count_no_dead_letters(void **state)
{
    struct bench *b = *state;
    struct queue_settings settings = plain_settings();
    settings.message_ttl_ms = 10;
    configure(b, 1, settings);
    publish(b, 1, "a");
    struct part header = entry_header(b->now_ms += 100);
    struct entry *e = entry_create(ENTRY_COMMAND, ++b->index, 1, &header, 1);
    b->machine.ops->apply(b->machine.self, e, NULL);
    entry_unref(e);
    counts(b, 1, 0, 0);
    assert_int_equal(figures_of(b).dead[0][DEAD_EXPIRED], 0);
}

static void capacity_is_the_share_of_time_in_which_consumers_could_take_messages(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    assert_int_equal(stat_of(b, 1).capacity_permille, 0);
    attach(b, 1, 1, 7, 1);
    assert_int_equal(stat_of(b, 1).capacity_permille, 1000);
    publish(b, 1, "a");
    publish(b, 1, "b"); /* the consumer holds one, and may not have two */
    pass(b, 3000);
    assert_int_equal(stat_of(b, 1).capacity_permille, 0);
    settle(b, 1, SETTLE_ACK, 1, 2);
    ack(b, 1, 2);
    pass(b, 1000);
    publish(b, 1, "c"); /* taken at once */
    assert_in_range(stat_of(b, 1).capacity_permille, 200, 300);
    detach(b, 1, 7);
    assert_int_equal(stat_of(b, 1).capacity_permille, 0);
}

static void queues_add_up_in_slices(void **state)
{
    struct bench *b = *state;
    struct queue_stat sum = {0};
    uint64_t cursor = 0;
    unsigned slices = 0;
    for (uint64_t queue = 1; queue <= 10; queue++) {
        declare(b, queue * 3);
        publish(b, queue * 3, "ab");
    }
    while (queue_machine_sum(b->queues, &cursor, 3, &sum)) slices++;
    assert_int_equal(slices, 3);
    assert_int_equal(sum.id, 10);
    assert_int_equal(sum.ready, 10);
    assert_int_equal(sum.ready_bytes, 20);
    assert_int_equal(sum.counts.enqueued, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(gets_are_counted_by_kind),
        BENCH_TEST(contents_leave_memory_with_a_checkpoint),
        BENCH_TEST(the_oldest_ready_content_is_shown),
        BENCH_TEST(dead_letters_are_counted_by_reason_and_by_whether_they_are_kept),
        BENCH_TEST(followers_count_no_dead_letters),
        BENCH_TEST(capacity_is_the_share_of_time_in_which_consumers_could_take_messages),
        BENCH_TEST(queues_add_up_in_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
