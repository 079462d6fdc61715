/* What a link promises once it is up: order, sizes, sharing, back-pressure, death. */
#include "tests/unit/replication/link/link_bench.h"

enum { AT_ONCE_NS = 1000000000 /* a fifth of the silence that would prove it; usually some ms */ };

static struct bench *two_up(struct bench_node **one, struct bench_node **two)
{
    struct bench *b = bench_open();
    *one = node_open(b, 1, (struct bench_setting){0});
    *two = node_open(b, 2, (struct bench_setting){0});
    introduce(*one, *two);
    WAIT_FOR(b, both_up(*one, *two));
    return b;
}

static void frames_travel_both_ways(void **state)
{
    (void)state;
    struct bench_node *one, *two;
    struct bench *b = two_up(&one, &two);
    assert_int_equal(one->up_node, 2);
    assert_string_equal(one->up_name, "node-2");
    send_text(one, 2, "hello");
    send_text(two, 1, "you");
    WAIT_FOR(b, last_is(two, "hello") && last_is(one, "you"));
    send_text(one, 2, "");
    WAIT_FOR(b, two->frames == 2);
    assert_int_equal(two->last.size, 0);
    send_text(one, 3, "nobody");
    bench_close(b);
}

static void small_frames_keep_their_order_at_speed(void **state)
{
    (void)state;
    enum { COUNT = 200000, PER_TURN = 1000, SIZE = 100 };
    struct bench_node *one, *two;
    struct bench *b = two_up(&one, &two);
    uint8_t bytes[SIZE] = {0};
    uint64_t started = uv_hrtime();
    for (uint32_t i = 0; i < COUNT; i++) {
        memcpy(bytes, &i, 4);
        link_send(one->links, 2, 1, slice_of(bytes, sizeof bytes), NULL, 0);
        if (i % PER_TURN == 0) uv_run(&b->loop, UV_RUN_NOWAIT);
    }
    WAIT_FOR(b, two->frames == COUNT);
    double seconds = (double)(uv_hrtime() - started) / 1e9;
    print_message("%.0f frames/s, one thread for both ends\n", COUNT / seconds);
    assert_true(two->in_order);
    assert_int_equal(two->bytes, (uint64_t)COUNT * SIZE);
    bench_close(b);
}

static void large_frames_arrive_whole_in_one_blob_of_their_size(void **state)
{
    (void)state;
    enum { SIZE = 20 << 20 };
    struct bench_node *one, *two;
    struct bench *b = two_up(&one, &two);
    struct blob *blob = blob_create(SIZE);
    for (size_t i = 0; i < SIZE; i++) blob->data[i] = (uint8_t)(i * 31 >> 5);
    struct part parts[3] = {{blob, 0, 100}, {blob, 100, SIZE - 300}, {blob, SIZE - 200, 200}};
    two->keep_next = true;
    link_send(one->links, 2, 2, slice_str("head"), parts, 3);
    assert_true(link_queued_bytes(one->links, 2) > SIZE);
    send_text(one, 2, "after");
    WAIT_FOR(b, last_is(two, "after"));
    struct slice got = part_slice(two->kept_part);
    assert_int_equal(got.size, SIZE + 4);
    assert_memory_equal(got.data, "head", 4);
    assert_memory_equal(got.data + 4, blob->data, SIZE);
    assert_int_equal(two->kept->size, SIZE + 4 + LINK_FRAME_HEAD);
    assert_int_equal(link_queued_bytes(one->links, 2), 0);
    assert_int_equal(atomic_load(&blob->references), 1);
    blob_unref(blob);
    bench_close(b);
}

static void frames_of_every_size_around_the_bounds_arrive(void **state)
{
    (void)state;
    struct bench_node *one, *two;
    struct bench *b = two_up(&one, &two);
    static const uint32_t around[] = {4, 8 << 10, 32 << 10, 64 << 10, 256 << 10, 300 << 10, 512 << 10};
    struct blob *blob = blob_create(1 << 20);
    memset(blob->data, 7, blob->size);
    uint32_t sent = 0;
    for (int repeat = 0; repeat < 3; repeat++)
        for (size_t i = 0; i < sizeof around / sizeof *around; i++)
            for (int by = -2; by <= 2; by++) {
                struct part p = {blob, 0, around[i] + (uint32_t)by};
                link_send(one->links, 2, 1, slice_of(&sent, 4), &p, 1);
                sent++;
            }
    WAIT_FOR(b, two->frames == sent);
    assert_true(two->in_order);
    blob_unref(blob);
    bench_close(b);
}

static void a_small_frame_that_is_kept_pins_only_its_own_read(void **state)
{
    (void)state;
    struct bench_node *one, *two;
    struct bench *b = two_up(&one, &two);
    two->keep_next = true;
    send_text(one, 2, "kept");
    WAIT_FOR(b, two->kept);
    send_text(one, 2, "another");
    WAIT_FOR(b, last_is(two, "another"));
    assert_true(two->kept->size < 100);
    assert_true(slice_is(part_slice(two->kept_part), "kept"));
    bench_close(b);
}

static void a_peer_that_does_not_read_is_cut_at_the_bound(void **state)
{
    (void)state;
    struct bench *b = bench_open();
    struct bench_node *one = node_open(b, 1, (struct bench_setting){0});
    link_add_peer(one->links, 2, "127.0.0.1:1");
    int fd = plain_link(one, 2, 1);
    WAIT_FOR(b, link_up(one->links, 2));
    struct blob *blob = blob_create(8 << 20);
    memset(blob->data, 1, blob->size);
    struct part p = {blob, 0, blob->size};
    for (int i = 0; i < 40 && link_up(one->links, 2); i++) {
        link_send(one->links, 2, 2, slice_str("x"), &p, 1);
        assert_true(link_queued_bytes(one->links, 2) <= LINK_QUEUE_MAX + 2 * blob->size);
        uv_run(&b->loop, UV_RUN_NOWAIT);
    }
    WAIT_FOR(b, one->downs == 1);
    assert_non_null(strstr(one->notes, "does not read"));
    assert_int_equal(atomic_load(&blob->references), 1);
    blob_unref(blob);
    close(fd);
    bench_close(b);
}

static void a_closed_and_refusing_process_is_known_dead_at_once(void **state)
{
    (void)state;
    struct bench_node *one, *two;
    struct bench *b = two_up(&one, &two);
    uint64_t died = uv_hrtime();
    node_close(two);
    WAIT_FOR(b, one->deads == 1);
    assert_int_equal(one->downs, 1);
    assert_true(one->dead_at_ns >= one->down_at_ns);
    print_message("known dead after %.1f ms\n", (double)(one->dead_at_ns - died) / 1e6);
    assert_true(one->dead_at_ns - died < AT_ONCE_NS);
    run_for(b, 300);
    assert_int_equal(one->deads, 1);
    bench_close(b);
}

static void a_listener_that_outlives_the_links_delays_the_verdict_only_shortly(void **state)
{
    (void)state;
    struct bench_node *one, *two;
    struct bench *b = two_up(&one, &two);
    link_close(two->links);
    two->links = NULL;
    WAIT_FOR(b, one->downs == 1);
    run_for(b, 30);
    assert_int_equal(one->deads, 0); /* it still answers: no evidence */
    uint64_t died = uv_hrtime();
    link_listener_close(two->listener, on_listener_closed);
    WAIT_FOR(b, one->deads == 1);
    assert_true(one->dead_at_ns - died < AT_ONCE_NS);
    WAIT_FOR(b, two->closed && two->listener_closed);
    b->nodes[2] = NULL;
    buf_close(&two->last);
    mem_free(two);
    bench_close(b);
}

static void a_node_that_comes_back_is_linked_again_with_its_new_epoch(void **state)
{
    (void)state;
    struct bench_node *one, *two;
    struct bench *b = two_up(&one, &two);
    char address[64];
    snprintf(address, sizeof address, "%s", two->address);
    node_close(two);
    WAIT_FOR(b, one->deads == 1);
    assert_false(link_up(one->links, 2));
    two = node_open(b, 2, (struct bench_setting){.epoch = 7, .listen = address});
    introduce(one, two);
    WAIT_FOR(b, both_up(one, two));
    assert_int_equal(link_peer_epoch(one->links, 2), 7);
    assert_int_equal(one->up_epoch, 7);
    send_text(one, 2, "again");
    WAIT_FOR(b, last_is(two, "again"));
    bench_close(b);
}

static void a_changed_address_is_learnt_from_the_hello(void **state)
{
    (void)state;
    struct bench_node *one, *two;
    struct bench *b = two_up(&one, &two);
    char old_address[64];
    snprintf(old_address, sizeof old_address, "%s", two->address);
    node_close(two);
    WAIT_FOR(b, one->deads == 1);
    two = node_open(b, 2, (struct bench_setting){.epoch = 2});
    assert_string_not_equal(two->address, old_address);
    link_add_peer(two->links, 1, one->address); /* only the one that moved knows both addresses */
    WAIT_FOR(b, both_up(one, two));
    assert_int_equal(one->addresses, 1);
    assert_string_equal(one->learnt, two->address);
    bench_close(b);
}

static void all_addresses_means_the_one_it_dials_from(void **state)
{
    (void)state;
    struct bench *b = bench_open();
    struct bench_node *one = node_open(b, 1, (struct bench_setting){0});
    struct bench_node *two = node_open(b, 2, (struct bench_setting){.told = "0.0.0.0:4711"});
    link_add_peer(one->links, 2, "127.0.0.1:1");
    link_add_peer(two->links, 1, one->address);
    WAIT_FOR(b, both_up(one, two));
    assert_string_equal(one->learnt, "127.0.0.1:4711");
    bench_close(b);
}

static void a_silent_peer_is_cut_and_pings_keep_an_idle_link(void **state)
{
    (void)state;
    struct bench_node *one, *two;
    struct bench *b = two_up(&one, &two);
    struct bench_node *three = node_open(b, 3, (struct bench_setting){0});
    link_add_peer(three->links, 2, "127.0.0.1:1");
    int fd = plain_link(three, 2, 1);
    WAIT_FOR(b, link_up(three->links, 2));
    WAIT_FOR(b, three->downs == 1);
    assert_non_null(strstr(three->notes, "silence"));
    assert_int_equal(one->downs + two->downs, 0);
    assert_int_equal(one->ups, 1);
    close(fd);
    bench_close(b);
}

static void a_link_that_is_up_to_another_disk_than_the_members_is_cut(void **state)
{
    (void)state;
    static const uint8_t disk[LINK_DATA_ID_SIZE] = {1};
    struct bench_node *one, *two;
    struct bench *b = two_up(&one, &two);
    link_expect(one->links, 2, disk);
    WAIT_FOR(b, strstr(one->notes, "node id 2 is taken") && strstr(two->notes, "node id 2 is taken"));
    assert_false(link_up(one->links, 2));
    assert_int_equal(one->ups, 1);
    assert_int_equal(one->downs, 1);
    bench_close(b);
}

static void a_new_epoch_of_the_same_process_is_told(void **state)
{
    (void)state;
    struct bench_node *one, *two;
    struct bench *b = two_up(&one, &two);
    link_set_epoch(one->links, 9);
    WAIT_FOR(b, link_peer_epoch(two->links, 1) == 9);
    assert_int_equal(two->downs, 0);
    bench_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_travel_both_ways),
        cmocka_unit_test(small_frames_keep_their_order_at_speed),
        cmocka_unit_test(large_frames_arrive_whole_in_one_blob_of_their_size),
        cmocka_unit_test(frames_of_every_size_around_the_bounds_arrive),
        cmocka_unit_test(a_small_frame_that_is_kept_pins_only_its_own_read),
        cmocka_unit_test(a_peer_that_does_not_read_is_cut_at_the_bound),
        cmocka_unit_test(a_closed_and_refusing_process_is_known_dead_at_once),
        cmocka_unit_test(a_listener_that_outlives_the_links_delays_the_verdict_only_shortly),
        cmocka_unit_test(a_node_that_comes_back_is_linked_again_with_its_new_epoch),
        cmocka_unit_test(a_changed_address_is_learnt_from_the_hello),
        cmocka_unit_test(all_addresses_means_the_one_it_dials_from),
        cmocka_unit_test(a_silent_peer_is_cut_and_pings_keep_an_idle_link),
        cmocka_unit_test(a_link_that_is_up_to_another_disk_than_the_members_is_cut),
        cmocka_unit_test(a_new_epoch_of_the_same_process_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
