/* What a checkpoint keeps and lets go: deep queues, pages out and in, failures, what happens while it is written. */
#include "tests/unit/node/queue/bench.h"

enum { DEEP = 12000, CHUNK = 1000 };

static void publish_numbers(struct bench *b, uint64_t queue, unsigned first, unsigned count)
{
    char body[16];
    while (count) {
        unsigned part = count < CHUNK ? count : CHUNK;
        begin(b, 0);
        for (unsigned i = 0; i < part; i++) {
            snprintf(body, sizeof body, "%u", first + i);
            put_message(&b->writer, &queue, 1, (struct message){.body = body});
        }
        end(b, 0);
        first += part;
        count -= part;
    }
}

/* Takes and acks `count` messages, which must be these. */
static void take_numbers(struct bench *b, unsigned port, uint64_t queue, unsigned first, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char start[64];
        get(b, port, queue);
        uint64_t dseq = b->effects.items[0].dseq;
        snprintf(start, sizeof start, "%u:deliver c0 #%llu %u;", port, (unsigned long long)dseq, first + i);
        bench_line(b);
        if (memcmp(b->line.data, start, strlen(start))) fail_msg("'%s' does not begin with '%s'", b->line.data, start);
        ack(b, port, dseq);
    }
}

static void ack_range_of_gets(struct bench *b, unsigned port, uint64_t queue, unsigned count)
{
    begin(b, port);
    for (unsigned i = 0; i < count; i++) command_queue_encode(&b->writer, COMMAND_GET, queue);
    end(b, port);
    settle(b, port, SETTLE_ACK, 1, UINT64_MAX - 1);
}

static void an_empty_machine_has_a_checkpoint_too(void **state)
{
    struct bench *b = *state;
    restart(b);
    declare(b, 1);
    restart(b);
    publish(b, 1, "a");
    restart(b);
    get(b, 1, 1);
    hears(b, "1:deliver c0 #1 a; 1:ok 0 0");
}

static void a_deep_queue_is_out_of_memory_and_comes_back_in_order(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    publish_numbers(b, 1, 0, DEEP);
    checkpoint(b);
    counts(b, 1, DEEP, 0);
    get(b, 2, 1);
    assert_null(b->effects.items[0].content.blob);
    ack(b, 2, 1);
    take_numbers(b, 1, 1, 1, 49);
    ack_range_of_gets(b, 1, 1, 7000);
    take_numbers(b, 1, 1, 7050, 10);
    restart(b);
    publish_numbers(b, 1, DEEP, 10);
    take_numbers(b, 1, 1, 7060, 10);
    ack_range_of_gets(b, 1, 1, DEEP - 7070);
    take_numbers(b, 1, 1, DEEP, 10);
    get(b, 1, 1);
    hears(b, "1:empty");
}

static void segments_go_when_their_messages_are_gone(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    publish_numbers(b, 1, 0, DEEP);
    checkpoint(b);
    uint64_t full = store_disk_bytes(b->store);
    assert_true(full > DEEP);
    ask_queue(b, 0, COMMAND_PURGE, 1);
    assert_int_equal(store_live_bytes(b->store), 0);
    checkpoint(b);
    assert_int_equal(store_disk_bytes(b->store), 0);
    assert_null(disk_name(b->disk, "/group-1/seg", 0));
}

static void a_deleted_queue_frees_its_segments(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    declare(b, 2);
    publish_numbers(b, 1, 0, DEEP);
    publish(b, 2, "stays");
    checkpoint(b);
    remove_queue(b, 1, 0);
    checkpoint(b);
    restart(b);
    assert_true(store_disk_bytes(b->store) < 200);
    get(b, 1, 2);
    hears(b, "1:deliver c0 #1 stays; 1:ok 0 0");
}

static void a_few_that_stay_do_not_pin_a_segment(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    publish_numbers(b, 1, 0, 3000);
    checkpoint(b);
    uint64_t full = store_disk_bytes(b->store);
    get(b, 2, 1); /* stays unacked */
    ack_range_of_gets(b, 1, 1, 2990);
    checkpoint(b);
    checkpoint(b);
    assert_true(store_disk_bytes(b->store) < full / 100);
    restart(b);
    requeue(b, 2, 1);
    get(b, 1, 1);
    hears(b, "1:deliver c0 #2991 0 again; 1:ok 9 0");
    ack(b, 1, 2991);
    take_numbers(b, 1, 1, 2991, 9);
}

static void a_moved_message_can_be_read_while_it_moves(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    publish_numbers(b, 1, 0, 3000);
    checkpoint(b);
    ack_range_of_gets(b, 1, 1, 2990);
    checkpoint_begin(b);
    get(b, 2, 1);
    hears(b, "2:deliver c0 #1 2990; 2:ok 9 0");
    checkpoint_end(b);
    get(b, 2, 1);
    hears(b, "2:deliver c0 #2 2991; 2:ok 8 0");
}

static void a_checkpoint_that_failed_changes_nothing(void **state)
{
    struct bench *b = *state;
    declare(b, 1);
    publish_numbers(b, 1, 0, 2000);
    checkpoint(b);
    ack_range_of_gets(b, 1, 1, 1900); /* what is left is to move */
    publish_numbers(b, 1, 2000, 6000);
    uint64_t before = digest(b), disk = store_disk_bytes(b->store), live = store_live_bytes(b->store);
    checkpoint_begin(b);
    disk_fill(b->disk, true);
    checkpoint_end(b);
    disk_fill(b->disk, false);
    assert_true(b->checkpoint_failed);
    assert_int_equal(digest(b), before);
    assert_int_equal(store_disk_bytes(b->store), disk);
    assert_int_equal(store_live_bytes(b->store), live);
    restart(b);
    take_numbers(b, 1, 1, 1900, 200);
}

static void what_goes_while_a_checkpoint_is_written_is_gone(void **state)
{
    struct bench *b = *state;
    for (int fails = 0; fails < 2; fails++) {
        uint64_t queue = 1 + (unsigned)fails * 10;
        declare(b, queue);
        declare(b, queue + 1);
        publish_numbers(b, queue, 0, 6000);
        publish_numbers(b, queue + 1, 0, 6000);
        checkpoint_begin(b);
        ack_range_of_gets(b, 1, queue, 3000);
        remove_queue(b, queue + 1, 0);
        disk_fill(b->disk, fails);
        checkpoint_end(b);
        disk_fill(b->disk, false);
        assert_int_equal(b->checkpoint_failed, fails);
        counts(b, queue, 3000, 0);
        restart(b);
        take_numbers(b, 1, queue, 3000, 20);
    }
}

/* The dead letter took its place in the segment along, and the segment is never finished. */
static void what_is_dead_lettered_while_a_failing_checkpoint_is_written_stays_readable(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = plain_settings();
    s.has_dead_letter_exchange = true;
    configure(b, 1, s);
    publish(b, 1, "a");
    get(b, 1, 1);
    checkpoint_begin(b);
    reject(b, 1, 1);
    disk_fill(b->disk, true);
    checkpoint_end(b);
    disk_fill(b->disk, false);
    assert_true(b->checkpoint_failed);
    restart(b);
    queue_machine_dead_letters(b->queues, 0, 10, &b->effects);
    hears(b, "dead 1 q1 rejected a");
}

static void a_damaged_manifest_is_refused_and_leaves_nothing(void **state)
{
    struct bench *b = *state;
    struct store_manifest m;
    declare(b, 1);
    attach(b, 1, 1, 1, 3);
    publish_numbers(b, 1, 0, 10);
    checkpoint(b);
    store_manifest(b->store, &m);
    for (size_t size = 0; size < m.machine.size; size++) {
        struct err err = {0};
        struct queue_machine *other = queue_machine_create(1, b->store);
        struct machine machine = queue_machine_as_machine(other);
        assert_int_not_equal(machine.ops->restore(machine.self, slice_of(m.machine.data, size), &err), 0);
        uint64_t cursor = 0;
        struct queue_stat stat;
        assert_false(queue_machine_next(other, &cursor, &stat));
        queue_machine_destroy(other);
    }
    bench_restore(b);
    counts(b, 1, 7, 3);
}

enum { LETTERS_QUEUE = 0x51525354 /* so that its id is found in a manifest */ };

/* The number of the dead letter with this one: a manifest has it before the queue that it left. */
static uint8_t *number_of_dead_letter(struct buf *manifest, uint64_t number)
{
    struct buf wanted = {0};
    buf_put_le64(&wanted, number);
    buf_put_le64(&wanted, LETTERS_QUEUE);
    uint8_t *at = memmem(manifest->data, manifest->size, wanted.data, wanted.size);
    buf_close(&wanted);
    assert_non_null(at);
    return at;
}

/* 0 is the number of what an exchange keeps back. */
static void dead_letters_have_rising_numbers_from_1_on(void **state)
{
    struct bench *b = *state;
    struct queue_settings s = plain_settings();
    struct store_manifest m;
    struct buf manifest = {0};
    struct err err;
    static const uint8_t wrong[][2] = {{0, 2}, {1, 1}, {2, 2}, {1, 0}, {1, 3}};
    s.has_dead_letter_exchange = true;
    s.dead_letter_exchange = slice_str("dlx");
    s.max_length = 1;
    configure(b, LETTERS_QUEUE, s);
    publish_numbers(b, LETTERS_QUEUE, 0, 3);
    checkpoint(b);
    store_manifest(b->store, &m);
    buf_put_slice(&manifest, m.machine);
    uint8_t *first = number_of_dead_letter(&manifest, 1), *second = number_of_dead_letter(&manifest, 2);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        *first = wrong[i][0];
        *second = wrong[i][1];
        assert_int_equal(b->machine.ops->restore(b->machine.self, buf_slice(&manifest), &err), ERR_CORRUPT);
    }
    *first = 1;
    *second = 2;
    assert_int_equal(b->machine.ops->restore(b->machine.self, buf_slice(&manifest), &err), 0);
    assert_int_equal(stat_of(b, LETTERS_QUEUE).dead_letters_pending, 2);
    buf_close(&manifest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(an_empty_machine_has_a_checkpoint_too),
        BENCH_TEST(a_deep_queue_is_out_of_memory_and_comes_back_in_order),
        BENCH_TEST(segments_go_when_their_messages_are_gone),
        BENCH_TEST(a_deleted_queue_frees_its_segments),
        BENCH_TEST(a_few_that_stay_do_not_pin_a_segment),
        BENCH_TEST(a_moved_message_can_be_read_while_it_moves),
        BENCH_TEST(a_checkpoint_that_failed_changes_nothing),
        BENCH_TEST(what_goes_while_a_checkpoint_is_written_is_gone),
        BENCH_TEST(what_is_dead_lettered_while_a_failing_checkpoint_is_written_stays_readable),
        BENCH_TEST(a_damaged_manifest_is_refused_and_leaves_nothing),
        BENCH_TEST(dead_letters_have_rising_numbers_from_1_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
