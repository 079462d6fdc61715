/* What a queue remembers of messages: keys that it holds, windows of exchanges, producers. */
#include "node/queue/dedup.h"
#include "tests/unit/node/queue/bench.h"

static struct enqueue_marks keyed(const char *key)
{
    return (struct enqueue_marks){.key = slice_str(key)};
}

static struct enqueue_marks through(const char *exchange, const char *key, uint64_t size, uint64_t ttl_ms)
{
    return (struct enqueue_marks){.key = slice_str(key),
                                  .window = slice_str(exchange),
                                  .windowed = 1,
                                  .window_size = size,
                                  .window_ttl_ms = ttl_ms};
}

static struct enqueue_marks from(const char *producer, uint64_t sequence)
{
    return (struct enqueue_marks){.producer = slice_str(producer), .sequence = sequence};
}

static void publish_to(struct bench *b, const uint64_t *queues, uint32_t count, struct enqueue_marks marks)
{
    struct content content = {.properties = slice_of("\0\0", 2), .body = slice_str("m")};
    command_enqueue_marked_encode(begin(b, 0), 0, 0, 0, UINT64_MAX, queues, count, &marks, &content);
    end(b, 0);
}

static void publish_marked(struct bench *b, struct enqueue_marks marks)
{
    uint64_t queue = 1;
    publish_to(b, &queue, 1, marks);
}

static void declare_deduplicating(struct bench *b, int64_t size, int64_t ttl_ms)
{
    struct queue_settings s = plain_settings();
    s.deduplicates = true;
    s.window_size = size;
    s.window_ttl_ms = ttl_ms;
    configure(b, 1, s);
}

static void ready(struct bench *b, uint64_t count)
{
    assert_int_equal(stat_of(b, 1).ready, count);
}

static void a_queue_drops_what_it_holds_until_it_holds_it_no_more(void **state)
{
    struct bench *b = *state;
    declare_deduplicating(b, QUEUE_NO_LIMIT, QUEUE_NO_LIMIT);
    publish_marked(b, keyed("a"));
    publish_marked(b, keyed("a"));
    hears(b, ""); /* no refusal: it is confirmed */
    publish_marked(b, keyed("b"));
    ready(b, 2);
    get(b, 1, 1);
    publish_marked(b, keyed("a"));
    ready(b, 1);
    requeue(b, 1, 1);
    publish_marked(b, keyed("a"));
    ready(b, 2);
    get(b, 1, 1);
    ack(b, 1, 2);
    publish_marked(b, keyed("a"));
    ready(b, 2);
    ask_queue(b, 1, COMMAND_PURGE, 1);
    publish_marked(b, keyed("a"));
    publish_marked(b, keyed("b"));
    ready(b, 2);
}

static void a_message_that_leaves_in_any_way_frees_its_key(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = plain_settings();
    s.deduplicates = true;
    s.message_ttl_ms = 50;
    s.max_length = 1;
    configure(b, 1, s);
    publish_marked(b, keyed("a"));
    pass(b, 50); /* expired */
    publish_marked(b, keyed("a"));
    ready(b, 1);
    publish_marked(b, keyed("b")); /* pushes it out */
    publish_marked(b, keyed("a"));
    ready(b, 1);
    get(b, 1, 1);
    reject(b, 1, 1);
    publish_marked(b, keyed("a"));
    ready(b, 1);
}

static void a_queue_without_the_argument_takes_all(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    publish_marked(b, keyed("a"));
    publish_marked(b, keyed("a"));
    ready(b, 2);
}

static void a_window_outlives_what_the_queue_held(void **state)
{
    struct bench *b = *state;
    declare_deduplicating(b, 2, 100);
    publish_marked(b, keyed("a"));
    ask_queue(b, 1, COMMAND_PURGE, 1);
    publish_marked(b, keyed("a"));
    ready(b, 0);
    publish_marked(b, keyed("b"));
    publish_marked(b, keyed("c")); /* "a" goes out of the window */
    publish_marked(b, keyed("a"));
    ready(b, 3);
    ask_queue(b, 1, COMMAND_PURGE, 1);
    pass(b, 100);
    publish_marked(b, keyed("a"));
    ready(b, 1);
}

static void a_refused_message_is_not_remembered(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = plain_settings();
    s.deduplicates = true;
    s.window_size = 10;
    s.max_length = 0;
    s.overflow = OVERFLOW_REJECT_PUBLISH;
    configure(b, 1, s);
    publish_marked(b, keyed("a"));
    hears(b, "0:refused 2");
    s.max_length = QUEUE_NO_LIMIT;
    configure(b, 1, s);
    publish_marked(b, keyed("a"));
    ready(b, 1);
}

static void each_exchange_has_a_window_in_each_queue(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    publish_marked(b, through("x", "a", 100, 0));
    publish_marked(b, through("x", "a", 100, 0));
    publish_marked(b, through("y", "a", 100, 0));
    ready(b, 2);
    publish_marked(b, keyed("a")); /* past the exchange */
    ready(b, 3);
}

static void a_window_s_size_and_age_are_the_exchange_s_or_the_message_s(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    publish_marked(b, through("x", "a", 2, 100));
    struct enqueue_marks longer = through("x", "b", 2, 100);
    longer.key_ttl_ms = 200;
    publish_marked(b, longer);
    pass(b, 99);
    publish_marked(b, through("x", "a", 2, 100));
    ready(b, 2);
    pass(b, 1);
    publish_marked(b, through("x", "a", 2, 100));
    publish_marked(b, through("x", "b", 2, 100));
    ready(b, 3);
    publish_marked(b, through("x", "c", 2, 100)); /* the oldest is "b" */
    publish_marked(b, through("x", "b", 2, 100));
    ready(b, 5);
}

static void only_the_queues_behind_the_window_look_into_it(void **state)
{
    struct bench *b = *state;
    uint64_t queues[2] = {2, 1};
    declare(b, 1);
    declare(b, 2);
    for (int i = 0; i < 2; i++) publish_to(b, queues, 2, through("x", "a", 100, 0));
    assert_int_equal(stat_of(b, 2).ready, 1);
    ready(b, 2);
}

static void a_producer_s_sequence_only_rises(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    publish_marked(b, from("p", 0));
    publish_marked(b, from("p", 0));
    publish_marked(b, from("p", 5));
    publish_marked(b, from("p", 4));
    publish_marked(b, from("q", 4));
    ready(b, 3);
    ask_queue(b, 1, COMMAND_PURGE, 1);
    publish_marked(b, from("p", 5));
    ready(b, 0);
}

static void the_producer_that_was_not_heard_for_longest_is_forgotten(void **state)
{
    struct bench *b = *state;
    char name[16];
    declare(b, 1);
    publish_marked(b, from("first", 7));
    publish_marked(b, from("second", 7));
    publish_marked(b, from("first", 8));
    for (unsigned i = 0; i < DEDUP_PRODUCERS_MAX - 1; i++) {
        snprintf(name, sizeof name, "p%u", i);
        publish_marked(b, from(name, 1));
    }
    ask_queue(b, 1, COMMAND_PURGE, 1);
    publish_marked(b, from("first", 8));
    ready(b, 0);
    publish_marked(b, from("second", 7));
    ready(b, 1);
}

static void all_is_remembered_after_a_restart(void **state)
{
    struct bench *b = *state;
    declare_deduplicating(b, 10, 1000);
    publish_marked(b, keyed("held"));
    publish_marked(b, through("x", "windowed", 10, 500));
    publish_marked(b, from("p", 3));
    restart(b);
    publish_marked(b, keyed("held"));
    publish_marked(b, through("x", "windowed", 10, 500));
    publish_marked(b, from("p", 3));
    ready(b, 3);
    get(b, 1, 1);
    ack(b, 1, 1);
    restart(b);
    publish_marked(b, keyed("held"));
    ready(b, 2);
    pass(b, 1000);
    publish_marked(b, keyed("held"));
    ready(b, 3);
}

static void a_queue_looks_into_a_bounded_number_of_windows(void **state)
{
    struct bench *b = *state;
    char name[16];
    declare(b, 1);
    for (unsigned i = 0; i <= DEDUP_EXCHANGES_MAX; i++) {
        snprintf(name, sizeof name, "x%u", i);
        publish_marked(b, through(name, "a", 10, 0));
    }
    publish_marked(b, through("x1", "a", 10, 0)); /* still known */
    ready(b, DEDUP_EXCHANGES_MAX + 1);
    publish_marked(b, through("x0", "a", 10, 0)); /* pushed out */
    ready(b, DEDUP_EXCHANGES_MAX + 2);
    restart(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(a_queue_drops_what_it_holds_until_it_holds_it_no_more),
        BENCH_TEST(a_message_that_leaves_in_any_way_frees_its_key),
        BENCH_TEST(a_queue_without_the_argument_takes_all),
        BENCH_TEST(a_window_outlives_what_the_queue_held),
        BENCH_TEST(a_refused_message_is_not_remembered),
        BENCH_TEST(each_exchange_has_a_window_in_each_queue),
        BENCH_TEST(a_window_s_size_and_age_are_the_exchange_s_or_the_message_s),
        BENCH_TEST(only_the_queues_behind_the_window_look_into_it),
        BENCH_TEST(a_producer_s_sequence_only_rises),
        BENCH_TEST(the_producer_that_was_not_heard_for_longest_is_forgotten),
        BENCH_TEST(all_is_remembered_after_a_restart),
        BENCH_TEST(a_queue_looks_into_a_bounded_number_of_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
