/* The last messages of x-recent-history exchanges. */
#include "tests/unit/node/queue/bench.h"

static void publish_kept(struct bench *b, const char *exchange, const char *body, uint64_t length)
{
    struct buf stores = {0};
    struct content content = {
        .routing_key = slice_str("key"), .properties = slice_of("\0\0", 2), .body = slice_str(body)};
    enqueue_store_put(&stores, &(struct enqueue_store){ENQUEUE_STORE_HISTORY, length, slice_str(exchange)});
    struct enqueue_marks marks = {.vhost = slice_str("/"), .store_count = 1, .stores = buf_slice(&stores)};
    command_enqueue_marked_encode(begin(b, 0), 0, 0, 0, UINT64_MAX, NULL, 0, &marks, &content);
    end(b, 0);
    buf_close(&stores);
}

static void bind_to(struct bench *b, const char *exchange, uint64_t queue)
{
    struct command_history c = {
        .vhost = slice_str("/"), .exchange = slice_str(exchange), .queue = queue, .destination = slice_str("where")};
    command_history_encode(begin(b, 1), COMMAND_HISTORY_BIND, &c);
    end(b, 1);
}

static void forget(struct bench *b, const char *exchange)
{
    chunk_writer_begin(&b->writer, 0, 0, 0);
    command_history_encode(&b->writer, COMMAND_HISTORY_FORGET,
                           &(struct command_history){.vhost = slice_str("/"), .exchange = slice_str(exchange)});
    bench_apply(b, chunk_writer_finish(&b->writer, 0));
}

static void a_binding_gets_the_last_messages_in_order(void **state)
{
    struct bench *b = *state;
    for (const char *body = "abcd"; *body; body++) publish_kept(b, "x", (char[]){*body, 0}, 3);
    publish_kept(b, "y", "other", 3);
    bind_to(b, "x", 77);
    hears(b, "dead 1 q0 history b; dead 2 q0 history c; dead 3 q0 history d; 1:ok 0 0");
    assert_int_equal(b->effects.items[0].a, 77);
    struct reader r = reader_of(b->effects.items[2].text);
    assert_true(slice_is(reader_counted(&r), "/"));
    assert_true(slice_is(reader_counted(&r), "where"));
    bind_to(b, "x", 0); /* and the next one again */
    hears(b, "dead 4 q0 history b; dead 5 q0 history c; dead 6 q0 history d; 1:ok 0 0");
    bind_to(b, "nothing was published here", 77);
    hears(b, "1:ok 0 0");
}

static void a_shorter_length_counts_from_the_next_message_on(void **state)
{
    struct bench *b = *state;
    publish_kept(b, "x", "a", 3);
    publish_kept(b, "x", "b", 3);
    publish_kept(b, "x", "c", 1);
    bind_to(b, "x", 1);
    hears(b, "dead 1 q0 history c; 1:ok 0 0");
}

static void histories_and_what_is_on_its_way_survive_a_restart(void **state)
{
    struct bench *b = *state;
    publish_kept(b, "x", "a", 3);
    bind_to(b, "x", 5);
    restart(b);
    effects_clear(&b->effects);
    queue_machine_dead_letters(b->queues, 0, 10, &b->effects);
    hears(b, "dead 1 q0 history a");
    assert_int_equal(b->effects.items[0].a, 5);
    bind_to(b, "x", 6);
    hears(b, "dead 2 q0 history a; 1:ok 0 0");
}

/* Copies share places in segments; none is given back before the last one goes. */
static void all_places_are_given_back(void **state)
{
    struct bench *b = *state;
    publish_kept(b, "x", "a", 2);
    checkpoint(b);
    bind_to(b, "x", 5);
    forget(b, "x");
    assert_true(store_live_bytes(b->store) > 0);
    checkpoint(b);
    restart(b);
    dead_lettered(b, 1, 1);
    assert_int_equal(store_live_bytes(b->store), 0);
}

static void a_binding_may_come_while_a_checkpoint_is_written(void **state)
{
    struct bench *b = *state;
    for (uint64_t fail = 0; fail < 2; fail++) {
        char expected[96];
        publish_kept(b, "x", "a", 1);
        checkpoint_begin(b);
        bind_to(b, "x", 5);
        disk_fill(b->disk, fail);
        checkpoint_end(b);
        disk_fill(b->disk, false);
        snprintf(expected, sizeof expected, "dead %llu q0 history a", (unsigned long long)fail + 1);
        effects_clear(&b->effects);
        queue_machine_dead_letters(b->queues, fail, 10, &b->effects);
        hears(b, expected);
    }
    restart(b);
    dead_lettered(b, 1, 2);
    forget(b, "x");
    assert_int_equal(store_live_bytes(b->store), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(a_binding_gets_the_last_messages_in_order),
        BENCH_TEST(a_shorter_length_counts_from_the_next_message_on),
        BENCH_TEST(histories_and_what_is_on_its_way_survive_a_restart),
        BENCH_TEST(all_places_are_given_back),
        BENCH_TEST(a_binding_may_come_while_a_checkpoint_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
