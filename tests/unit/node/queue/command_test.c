/* Commands and chunks: what is written is read back; what is cut short or out of range is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "node/queue/command.h"

enum { PORT = 7 };

/* One command written into a chunk and read back, with the chunk it lies in. */
struct written {
    struct blob *blob;
    struct chunk chunk;
    struct command command;
};

static void begin(struct chunk_writer *w)
{
    *w = (struct chunk_writer){0};
    chunk_writer_begin(w, PORT, 10, 0);
}

static struct written finish(struct chunk_writer *w)
{
    struct written r;
    struct chunk_cursor cursor;
    r.blob = chunk_writer_finish(w, 5);
    chunk_writer_close(w);
    assert_true(chunk_decode(slice_of(r.blob->data, r.blob->size), &r.chunk));
    chunk_cursor_init(&cursor, &r.chunk);
    assert_true(chunk_cursor_next(&cursor, &r.command));
    return r;
}

static void done(struct written *w)
{
    blob_unref(w->blob);
}

/* Any of the decoders, so that all are cut short in one way. */
typedef bool (*any_decode)(struct slice payload);

static void refused_when_cut(struct slice payload, any_decode decode)
{
    assert_true(decode(payload));
    for (size_t size = 0; size < payload.size; size++) {
        uint8_t *exact = mem_alloc(size + 1);
        memcpy(exact, payload.data, size);
        assert_false(decode(slice_of(exact, size)));
        mem_free(exact);
    }
}

static void refused_when_longer(struct slice payload, any_decode decode)
{
    uint8_t *longer = mem_alloc(payload.size + 1);
    memcpy(longer, payload.data, payload.size);
    longer[payload.size] = 0;
    assert_false(decode(slice_of(longer, payload.size + 1)));
    mem_free(longer);
}

#define ANY_DECODE(name)                             \
    static bool name##_any(struct slice payload)     \
    {                                                \
        struct command_##name c;                     \
        return command_##name##_decode(payload, &c); \
    }
ANY_DECODE(settle)
ANY_DECODE(attach)
ANY_DECODE(detach)
ANY_DECODE(limit)
ANY_DECODE(delete)
ANY_DECODE(configure)
ANY_DECODE(node_down)
ANY_DECODE(dead_lettered)
ANY_DECODE(dead_letter_again)
#undef ANY_DECODE

static bool queue_any(struct slice payload)
{
    uint64_t queue;
    return command_queue_decode(payload, &queue);
}

static void a_content_is_read_back_as_it_was_written(void **state)
{
    (void)state;
    struct content c = {slice_str("exchange"), slice_str("key"), slice_str("properties"), slice_str("body")}, read;
    struct buf b = {0};
    content_encode(&b, &c);
    assert_int_equal(b.size, content_size(&c));
    assert_true(content_decode(buf_slice(&b), &read));
    assert_true(slice_equal(read.exchange, c.exchange));
    assert_true(slice_equal(read.routing_key, c.routing_key));
    assert_true(slice_equal(read.properties, c.properties));
    assert_true(slice_equal(read.body, c.body));
    assert_int_equal(read.bcc.size, 0);
    for (size_t size = 0; size < b.size - c.body.size; size++)
        assert_false(content_decode(slice_of(b.data, size), &read));
    b.size = 0;
    c.bcc = slice_str("blind copies");
    content_encode(&b, &c);
    assert_int_equal(b.size, content_size(&c));
    assert_true(content_decode(buf_slice(&b), &read));
    assert_true(slice_equal(read.properties, c.properties) && slice_equal(read.bcc, c.bcc) &&
                slice_equal(read.body, c.body));
    for (size_t size = 0; size < b.size - c.body.size; size++)
        assert_false(content_decode(slice_of(b.data, size), &read));
    buf_close(&b);
}

static void an_enqueue_keeps_its_queues_and_its_content(void **state)
{
    (void)state;
    static const uint64_t queues[] = {3, 1, UINT64_MAX};
    struct content content = {.routing_key = slice_str("key"), .properties = slice_str("pp"), .body = slice_str("b")};
    struct chunk_writer w;
    begin(&w);
    command_enqueue_encode(&w, 0, ENQUEUE_PERSISTENT, 9, 1234, queues, 3, &content);
    struct written r = finish(&w);
    struct command_enqueue c;
    assert_int_equal(r.command.type, COMMAND_ENQUEUE);
    assert_true(command_enqueue_decode(r.command.payload, &c));
    assert_int_equal(c.flags, ENQUEUE_PERSISTENT);
    assert_int_equal(c.priority, 9);
    assert_int_equal(c.ttl_ms, 1234);
    assert_int_equal(c.queue_count, 3);
    assert_memory_equal(c.queue_ids.data, queues, sizeof queues);
    assert_int_equal(c.content.size, content_size(&content));
    size_t shortest = r.command.payload.size - content.body.size; /* a shorter body is a sound message */
    for (size_t size = 0; size < shortest; size++)
        assert_false(command_enqueue_decode(slice_of(r.command.payload.data, size), &c));
    done(&r);
}

static void an_enqueue_for_no_queue_or_too_many_is_refused(void **state)
{
    (void)state;
    uint64_t *queues = mem_zalloc((ENQUEUE_QUEUES_MAX + 1) * sizeof *queues);
    struct content content = {.properties = slice_str("pp")};
    static const struct {
        uint32_t count;
        bool sound;
    } cases[] = {{0, false}, {1, true}, {ENQUEUE_QUEUES_MAX, true}, {ENQUEUE_QUEUES_MAX + 1, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct chunk_writer w;
        struct command_enqueue c;
        begin(&w);
        command_enqueue_encode(&w, 0, 0, 0, UINT64_MAX, queues, cases[i].count, &content);
        struct written r = finish(&w);
        assert_int_equal(command_enqueue_decode(r.command.payload, &c), cases[i].sound);
        done(&r);
    }
    mem_free(queues);
}

static void a_settle_names_a_range(void **state)
{
    (void)state;
    struct chunk_writer w;
    struct command_settle c;
    begin(&w);
    command_settle_encode(&w, SETTLE_REQUEUE, 300, 70000);
    struct written r = finish(&w);
    assert_true(command_settle_decode(r.command.payload, &c));
    assert_int_equal(c.outcome, SETTLE_REQUEUE);
    assert_int_equal(c.first, 300);
    assert_int_equal(c.last, 70000);
    refused_when_cut(r.command.payload, settle_any);
    refused_when_longer(r.command.payload, settle_any);
    done(&r);
}

static void a_settle_of_an_impossible_range_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint64_t first, last;
        uint8_t outcome;
    } wrong[] = {{0, 5, SETTLE_ACK}, {1, 1, SETTLE_UNSEEN + 1}, {2, 1, SETTLE_ACK} /* wraps round */};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct chunk_writer w;
        begin(&w);
        command_settle_encode(&w, wrong[i].outcome, wrong[i].first, wrong[i].last);
        struct written r = finish(&w);
        assert_false(settle_any(r.command.payload));
        done(&r);
    }
}

static void an_attach_keeps_a_negative_priority(void **state)
{
    (void)state;
    struct command_attach sent = {.queue = 77,
                                  .consumer = 4,
                                  .flags = ATTACH_EXCLUSIVE,
                                  .prefetch = 250,
                                  .priority = -3,
                                  .tag = slice_str("tag")},
                          c;
    struct chunk_writer w;
    begin(&w);
    command_attach_encode(&w, &sent);
    struct written r = finish(&w);
    assert_true(command_attach_decode(r.command.payload, &c));
    assert_int_equal(c.queue, 77);
    assert_int_equal(c.consumer, 4);
    assert_int_equal(c.flags, ATTACH_EXCLUSIVE);
    assert_int_equal(c.prefetch, 250);
    assert_int_equal(c.priority, -3);
    assert_true(slice_is(c.tag, "tag"));
    refused_when_cut(r.command.payload, attach_any);
    refused_when_longer(r.command.payload, attach_any);
    done(&r);
}

static void consumer_zero_is_a_get_and_cannot_attach(void **state)
{
    (void)state;
    struct chunk_writer w;
    begin(&w);
    command_attach_encode(&w, &(struct command_attach){.queue = 1});
    struct written r = finish(&w);
    assert_false(attach_any(r.command.payload));
    done(&r);
}

static void commands_of_one_number_are_read_back(void **state)
{
    (void)state;
    struct chunk_writer w;
    begin(&w);
    command_detach_encode(&w, 9);
    struct written r = finish(&w);
    struct command_detach detach;
    assert_true(command_detach_decode(r.command.payload, &detach));
    assert_int_equal(detach.consumer, 9);
    refused_when_cut(r.command.payload, detach_any);
    refused_when_longer(r.command.payload, detach_any);
    done(&r);

    begin(&w);
    command_limit_encode(&w, 65535);
    r = finish(&w);
    struct command_limit limit;
    assert_true(command_limit_decode(r.command.payload, &limit));
    assert_int_equal(limit.prefetch, 65535);
    refused_when_cut(r.command.payload, limit_any);
    refused_when_longer(r.command.payload, limit_any);
    done(&r);

    static const uint8_t types[] = {COMMAND_GET, COMMAND_PURGE, COMMAND_STAT};
    for (size_t i = 0; i < sizeof types; i++) {
        uint64_t queue;
        begin(&w);
        command_queue_encode(&w, types[i], 1234567890123);
        r = finish(&w);
        assert_int_equal(r.command.type, types[i]);
        assert_true(command_queue_decode(r.command.payload, &queue));
        assert_int_equal(queue, 1234567890123);
        refused_when_cut(r.command.payload, queue_any);
        refused_when_longer(r.command.payload, queue_any);
        done(&r);
    }
}

static void a_delete_keeps_its_conditions(void **state)
{
    (void)state;
    struct chunk_writer w;
    struct command_delete c;
    begin(&w);
    command_delete_encode(&w, 12, DELETE_IF_EMPTY);
    struct written r = finish(&w);
    assert_true(command_delete_decode(r.command.payload, &c));
    assert_int_equal(c.queue, 12);
    assert_int_equal(c.flags, DELETE_IF_EMPTY);
    refused_when_cut(r.command.payload, delete_any);
    refused_when_longer(r.command.payload, delete_any);
    done(&r);
}

static struct queue_settings some_settings(void)
{
    return (struct queue_settings){.auto_delete = true,
                                   .single_active_consumer = true,
                                   .has_dead_letter_exchange = true,
                                   .max_priority = 255,
                                   .overflow = OVERFLOW_REJECT_PUBLISH_DLX,
                                   .message_ttl_ms = 0,
                                   .expires_ms = 1800000,
                                   .max_length = QUEUE_NO_LIMIT,
                                   .max_length_bytes = INT64_MAX,
                                   .delivery_limit = 20,
                                   .dead_letter_exchange = slice_str("dlx"),
                                   .dead_letter_routing_key = slice_str("dead")};
}

static void a_configure_keeps_every_setting(void **state)
{
    (void)state;
    struct command_configure sent = {5, some_settings()}, c;
    struct chunk_writer w;
    begin(&w);
    command_configure_encode(&w, &sent);
    struct written r = finish(&w);
    assert_true(command_configure_decode(r.command.payload, &c));
    assert_int_equal(c.queue, 5);
    assert_true(c.settings.auto_delete && c.settings.single_active_consumer && c.settings.has_dead_letter_exchange);
    assert_int_equal(c.settings.max_priority, 255);
    assert_int_equal(c.settings.overflow, OVERFLOW_REJECT_PUBLISH_DLX);
    assert_true(c.settings.message_ttl_ms == 0 && c.settings.expires_ms == 1800000);
    assert_true(c.settings.max_length == QUEUE_NO_LIMIT && c.settings.max_length_bytes == INT64_MAX);
    assert_true(c.settings.delivery_limit == 20);
    assert_true(slice_is(c.settings.dead_letter_exchange, "dlx"));
    assert_true(slice_is(c.settings.dead_letter_routing_key, "dead"));
    refused_when_cut(r.command.payload, configure_any);
    refused_when_longer(r.command.payload, configure_any);
    done(&r);
}

static void no_dead_letter_key_differs_from_an_empty_one(void **state)
{
    (void)state;
    for (int empty = 0; empty < 2; empty++) {
        struct command_configure sent = {5, some_settings()}, c;
        struct chunk_writer w;
        sent.settings.dead_letter_routing_key = empty ? slice_str("") : (struct slice){0};
        begin(&w);
        command_configure_encode(&w, &sent);
        struct written r = finish(&w);
        assert_true(command_configure_decode(r.command.payload, &c));
        assert_int_equal(c.settings.dead_letter_routing_key.data != NULL, empty);
        assert_int_equal(c.settings.dead_letter_routing_key.size, 0);
        done(&r);
    }
}

static void a_configure_with_an_unknown_overflow_or_queue_zero_is_refused(void **state)
{
    (void)state;
    for (int wrong_queue = 0; wrong_queue < 2; wrong_queue++) {
        struct command_configure sent = {wrong_queue ? 0 : 5, some_settings()};
        struct chunk_writer w;
        if (!wrong_queue) sent.settings.overflow = OVERFLOW_REJECT_PUBLISH_DLX + 1;
        begin(&w);
        command_configure_encode(&w, &sent);
        struct written r = finish(&w);
        assert_false(configure_any(r.command.payload));
        done(&r);
    }
}

static void the_systems_commands_are_read_back(void **state)
{
    (void)state;
    struct chunk_writer w;
    begin(&w);
    command_node_down_encode(&w, 63, 0xffffff);
    struct written r = finish(&w);
    struct command_node_down down;
    assert_true(command_node_down_decode(r.command.payload, &down));
    assert_int_equal(down.node, 63);
    assert_int_equal(down.epoch, 0xffffff);
    refused_when_cut(r.command.payload, node_down_any);
    refused_when_longer(r.command.payload, node_down_any);
    done(&r);

    begin(&w);
    command_dead_lettered_encode(&w, 4, 9);
    r = finish(&w);
    struct command_dead_lettered dead;
    assert_true(command_dead_lettered_decode(r.command.payload, &dead));
    assert_int_equal(dead.first, 4);
    assert_int_equal(dead.last, 9);
    refused_when_cut(r.command.payload, dead_lettered_any);
    refused_when_longer(r.command.payload, dead_lettered_any);
    done(&r);

    begin(&w);
    command_dead_letter_again_encode(
        &w, &(struct command_dead_letter_again){.number = 7, .after_ms = 1000, .targets = slice_str("12345678")});
    r = finish(&w);
    struct command_dead_letter_again again;
    assert_true(command_dead_letter_again_decode(r.command.payload, &again));
    assert_int_equal(again.number, 7);
    assert_int_equal(again.after_ms, 1000);
    assert_true(slice_is(again.targets, "12345678"));
    refused_when_longer(r.command.payload, dead_letter_again_any);
    done(&r);

    begin(&w);
    command_dead_lettered_encode(&w, 9, 4);
    r = finish(&w);
    assert_false(dead_lettered_any(r.command.payload));
    done(&r);
}

static void a_topology_command_is_carried_as_it_is(void **state)
{
    (void)state;
    struct chunk_writer w;
    begin(&w);
    command_topology_encode(&w, slice_str("declare"));
    struct written r = finish(&w);
    assert_int_equal(r.command.type, COMMAND_TOPOLOGY);
    assert_true(slice_is(r.command.payload, "declare"));
    done(&r);
}

static void commands_of_a_chunk_count_on_from_the_previous_number(void **state)
{
    (void)state;
    struct chunk_writer w = {0};
    struct chunk_cursor cursor;
    struct command command;
    struct chunk chunk;
    chunk_writer_begin(&w, PORT, 41, 0);
    assert_true(chunk_writer_empty(&w));
    for (int i = 0; i < 3; i++) command_empty_encode(&w, COMMAND_RECEIPT);
    assert_false(chunk_writer_empty(&w));
    struct blob *b = chunk_writer_finish(&w, 99);
    assert_true(chunk_decode(slice_of(b->data, b->size), &chunk));
    assert_int_equal(chunk.port, PORT);
    assert_int_equal(chunk.previous, 41);
    assert_int_equal(chunk.received, 99);
    assert_int_equal(chunk.count, 3);
    chunk_cursor_init(&cursor, &chunk);
    for (uint64_t number = 42; number <= 44; number++) {
        assert_true(chunk_cursor_next(&cursor, &command));
        assert_int_equal(command.number, number);
    }
    assert_false(chunk_cursor_next(&cursor, &command));
    assert_false(cursor.failed);
    blob_unref(b);
    chunk_writer_close(&w);
}

static void commands_of_a_sparse_chunk_bring_their_own_numbers(void **state)
{
    (void)state;
    struct content content = {.properties = slice_str("pp")};
    static const uint64_t numbers[] = {50, 57, 1000}, queue = 1;
    struct chunk_writer w = {0};
    struct chunk_cursor cursor;
    struct command command;
    struct chunk chunk;
    chunk_writer_begin(&w, PORT, 41, CHUNK_SPARSE);
    for (int i = 0; i < 3; i++) command_enqueue_encode(&w, numbers[i], 0, 0, UINT64_MAX, &queue, 1, &content);
    struct blob *b = chunk_writer_finish(&w, 0);
    assert_true(chunk_decode(slice_of(b->data, b->size), &chunk));
    chunk_cursor_init(&cursor, &chunk);
    for (int i = 0; i < 3; i++) {
        assert_true(chunk_cursor_next(&cursor, &command));
        assert_int_equal(command.number, numbers[i]);
    }
    assert_false(chunk_cursor_next(&cursor, &command));
    assert_false(cursor.failed);
    blob_unref(b);
    chunk_writer_close(&w);
}

static void a_chunk_that_is_not_whole_is_refused(void **state)
{
    (void)state;
    struct chunk_writer w;
    struct chunk chunk;
    begin(&w);
    command_empty_encode(&w, COMMAND_RECEIPT);
    struct written r = finish(&w);
    for (size_t size = 0; size < r.blob->size; size++) assert_false(chunk_decode(slice_of(r.blob->data, size), &chunk));
    r.blob->data[4] = CHUNK_VERSION + 1;
    assert_false(chunk_decode(slice_of(r.blob->data, r.blob->size), &chunk));
    done(&r);
}

static void a_chunk_whose_count_does_not_fit_its_bytes_says_so(void **state)
{
    (void)state;
    for (int more = 0; more < 2; more++) {
        struct chunk_writer w = {0};
        struct chunk_cursor cursor;
        struct command command;
        struct chunk chunk;
        chunk_writer_begin(&w, PORT, 0, 0);
        command_empty_encode(&w, COMMAND_RECEIPT);
        command_empty_encode(&w, COMMAND_RECEIPT);
        w.count = more ? 3 : 1;
        struct blob *b = chunk_writer_finish(&w, 0);
        assert_true(chunk_decode(slice_of(b->data, b->size), &chunk));
        chunk_cursor_init(&cursor, &chunk);
        for (int i = more ? 2 : 1; i; i--) assert_true(chunk_cursor_next(&cursor, &command));
        assert_false(chunk_cursor_next(&cursor, &command));
        assert_true(cursor.failed);
        blob_unref(b);
        chunk_writer_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_content_is_read_back_as_it_was_written),
        cmocka_unit_test(an_enqueue_keeps_its_queues_and_its_content),
        cmocka_unit_test(an_enqueue_for_no_queue_or_too_many_is_refused),
        cmocka_unit_test(a_settle_names_a_range),
        cmocka_unit_test(a_settle_of_an_impossible_range_is_refused),
        cmocka_unit_test(an_attach_keeps_a_negative_priority),
        cmocka_unit_test(consumer_zero_is_a_get_and_cannot_attach),
        cmocka_unit_test(commands_of_one_number_are_read_back),
        cmocka_unit_test(a_delete_keeps_its_conditions),
        cmocka_unit_test(a_configure_keeps_every_setting),
        cmocka_unit_test(no_dead_letter_key_differs_from_an_empty_one),
        cmocka_unit_test(a_configure_with_an_unknown_overflow_or_queue_zero_is_refused),
        cmocka_unit_test(the_systems_commands_are_read_back),
        cmocka_unit_test(a_topology_command_is_carried_as_it_is),
        cmocka_unit_test(commands_of_a_chunk_count_on_from_the_previous_number),
        cmocka_unit_test(commands_of_a_sparse_chunk_bring_their_own_numbers),
        cmocka_unit_test(a_chunk_that_is_not_whole_is_refused),
        cmocka_unit_test(a_chunk_whose_count_does_not_fit_its_bytes_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
