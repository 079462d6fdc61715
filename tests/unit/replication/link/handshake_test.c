/* Who is let in, who is not and in which words; connections that meet; bytes that are no link. */
#include "tests/unit/replication/link/link_bench.h"

static void the_wrong_secret_is_refused_in_words_on_both_sides(void **state)
{
    (void)state;
    for (int wrong = 1; wrong <= 2; wrong++) {
        struct bench *b = bench_open();
        struct bench_node *one = node_open(b, 1, (struct bench_setting){.secret = wrong == 1 ? "wrong" : NULL});
        struct bench_node *two = node_open(b, 2, (struct bench_setting){.secret = wrong == 2 ? "wrong" : NULL});
        link_add_peer(one->links, 2, two->address); /* only one of them dials */
        link_add_peer(two->links, 1, "127.0.0.1:1");
        WAIT_FOR(b, strstr(one->notes, "refused_by node=2") && strstr(two->notes, "refused node=1"));
        assert_non_null(strstr(one->notes, "cluster.secret_file"));
        assert_non_null(strstr(two->notes, "cluster.secret_file"));
        run_for(b, 400);
        assert_int_equal(one->ups + two->ups, 0);
        char *first = strstr(one->notes, "secret_file"); /* dialled several times, noted once */
        assert_null(strstr(first + 1, "secret_file"));
        bench_close(b);
    }
}

static void different_cluster_settings_are_refused_in_words_on_both_sides(void **state)
{
    (void)state;
    struct {
        struct bench_setting setting;
        const char *words;
    } cases[] = {{{.group_count = 9}, "cluster.groups differs"}, {{.shard_count = 3}, "shards differs"}};
    for (size_t i = 0; i < 2; i++) {
        struct bench *b = bench_open();
        struct bench_node *one = node_open(b, 1, (struct bench_setting){0});
        struct bench_node *two = node_open(b, 2, cases[i].setting);
        introduce(one, two);
        WAIT_FOR(b, strstr(one->notes, cases[i].words) && strstr(two->notes, cases[i].words));
        assert_int_equal(one->ups + two->ups, 0);
        bench_close(b);
    }
}

static void a_stranger_and_a_mistaken_address_are_refused(void **state)
{
    (void)state;
    struct bench *b = bench_open();
    struct bench_node *one = node_open(b, 1, (struct bench_setting){0});
    struct bench_node *two = node_open(b, 2, (struct bench_setting){0});
    link_add_peer(two->links, 1, one->address); /* one has never heard of two */
    WAIT_FOR(b, strstr(one->notes, "not among the members") && strstr(two->notes, "not among the members"));
    link_add_peer(one->links, 3, two->address); /* two is not three */
    link_add_peer(two->links, 3, "127.0.0.1:1");
    WAIT_FOR(b, strstr(two->notes, "node 1"));
    link_add_peer(one->links, 2, one->address); /* leads back */
    WAIT_FOR(b, strstr(one->notes, "leads back"));
    assert_int_equal(one->ups + two->ups, 0);
    bench_close(b);
}

static void both_dial_at_once_and_one_link_stays(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct bench *b = bench_open();
        struct bench_node *one = node_open(b, 1, (struct bench_setting){0});
        struct bench_node *two = node_open(b, 2, (struct bench_setting){0});
        struct bench_node *three = node_open(b, 3, (struct bench_setting){0});
        introduce(one, two);
        introduce(two, three);
        introduce(three, one);
        WAIT_FOR(b, both_up(one, two) && both_up(two, three) && both_up(three, one));
        run_for(b, 30);
        assert_true(both_up(one, two) && both_up(two, three) && both_up(three, one));
        send_text(one, 3, "x");
        send_text(two, 1, "y");
        send_text(three, 2, "z");
        WAIT_FOR(b, last_is(three, "x") && last_is(one, "y") && last_is(two, "z"));
        assert_int_equal(one->downs + two->downs + three->downs, 0); /* turned away early, not cut */
        bench_close(b);
    }
}

static void a_later_life_replaces_the_link_and_an_earlier_one_does_not(void **state)
{
    (void)state;
    struct bench *b = bench_open();
    struct bench_node *two = node_open(b, 2, (struct bench_setting){0});
    uint8_t type, kind;
    char words[LINK_REFUSAL_MAX + 1];
    struct buf in = {0}, hello = {0};
    link_add_peer(two->links, 1, "127.0.0.1:1");
    int first = plain_link(two, 1, 5);
    WAIT_FOR(b, two->ups == 1);
    int second = plain_link(two, 1, 6);
    WAIT_FOR(b, two->ups == 2);
    assert_int_equal(two->downs, 1);
    assert_int_equal(link_peer_epoch(two->links, 1), 6);
    plain_send(first, 2, slice_str("old"));
    plain_send(second, 2, slice_str("new"));
    WAIT_FOR(b, last_is(two, "new"));
    run_for(b, 20);
    assert_int_equal(two->frames, 1); /* nothing of the old life */

    int late = plain_dial(two->address);
    plain_hello(&hello, 1, 5);
    plain_send(late, LINK_HELLO, buf_slice(&hello));
    struct slice refusal = plain_receive(b, late, &type, &in);
    assert_int_equal(type, LINK_REFUSE);
    assert_true(link_refusal_decode(refusal, &kind, words));
    assert_int_equal(kind, LINK_REFUSED_CROSSING);
    assert_int_equal(two->ups, 2);
    buf_close(&hello);
    buf_close(&in);
    close(first);
    close(second);
    close(late);
    bench_close(b);
}

static void a_second_connection_of_the_same_life_replaces_the_first(void **state)
{
    (void)state;
    struct bench *b = bench_open();
    struct bench_node *two = node_open(b, 2, (struct bench_setting){0});
    link_add_peer(two->links, 1, "127.0.0.1:1");
    int first = plain_link(two, 1, 1); /* a peer dials only when it has no link: the first is dead to it */
    int second = plain_link(two, 1, 1);
    WAIT_FOR(b, two->ups == 2 && two->downs == 1);
    WAIT_FOR(b, plain_closed(first));
    close(first);
    close(second);
    bench_close(b);
}

static void a_link_that_the_lower_node_dialled_is_not_given_up_for_one_of_the_higher(void **state)
{
    (void)state;
    struct bench *b = bench_open();
    struct bench_node *one = node_open(b, 1, (struct bench_setting){0});
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    struct buf theirs = {0}, mine = {0}, in = {0};
    uint8_t type, proof[LINK_PROOF_SIZE];
    char address[32];
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd = -1;
    assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof a), 0);
    listen(listener, 8);
    getsockname(listener, (struct sockaddr *)&a, &size);
    snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(a.sin_port));
    link_add_peer(one->links, 2, address);
    run_once(b);
    WAIT_FOR(b, (fd = accept(listener, NULL, NULL)) >= 0);
    buf_put_slice(&theirs, plain_receive(b, fd, &type, &in));
    plain_hello(&mine, 2, 1);
    plain_send(fd, LINK_HELLO, buf_slice(&mine));
    plain_receive(b, fd, &type, &in);
    assert_int_equal(type, LINK_PROOF);
    link_proof(proof, slice_str("secret"), false, buf_slice(&theirs), buf_slice(&mine));
    plain_send(fd, LINK_PROOF, slice_of(proof, sizeof proof));
    WAIT_FOR(b, one->ups == 1);

    int higher = plain_dial(one->address);
    plain_send(higher, LINK_HELLO, buf_slice(&mine));
    plain_receive(b, higher, &type, &in);
    assert_int_equal(type, LINK_REFUSE);
    assert_int_equal(one->downs, 0);
    assert_string_equal(one->notes, "");
    close(higher);
    close(fd);
    close(listener);
    buf_close(&theirs);
    buf_close(&mine);
    buf_close(&in);
    bench_close(b);
}

static void garbage_at_the_listener_is_noted_in_one_line_and_closed(void **state)
{
    (void)state;
    static const char garbage[][20] = {
        "GET / HTTP/1.1\r\n\r\n",
        "AMQP\0\0\x09\x01 and more",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    };
    struct bench *b = bench_open();
    struct bench_node *one = node_open(b, 1, (struct bench_setting){0});
    for (size_t i = 0; i < 3; i++) {
        int fd = plain_dial(one->address);
        one->notes[0] = 0;
        assert_int_equal(send(fd, garbage[i], 18, MSG_NOSIGNAL), 18);
        WAIT_FOR(b, strstr(one->notes, "stranger"));
        assert_non_null(strstr(one->notes, "bytes="));
        assert_ptr_equal(strchr(one->notes, '\n') + 1, one->notes + strlen(one->notes));
        WAIT_FOR(b, plain_closed(fd));
        close(fd);
    }
    bench_close(b);
}

static void another_version_is_told_ours(void **state)
{
    (void)state;
    struct bench *b = bench_open();
    struct bench_node *one = node_open(b, 1, (struct bench_setting){0});
    struct buf hello = {0}, in = {0};
    uint8_t type, kind;
    char words[LINK_REFUSAL_MAX + 1];
    int fd = plain_dial(one->address);
    plain_hello(&hello, 2, 1);
    buf_set_le16(&hello, 4, LINK_VERSION + 1);
    plain_send(fd, LINK_HELLO, buf_slice(&hello));
    struct slice refusal = plain_receive(b, fd, &type, &in);
    assert_int_equal(type, LINK_REFUSE);
    assert_true(link_refusal_decode(refusal, &kind, words));
    assert_non_null(strstr(words, "version differs"));
    assert_non_null(strstr(one->notes, "version differs"));
    buf_close(&hello);
    buf_close(&in);
    close(fd);
    bench_close(b);
}

static void a_program_that_knows_too_little_is_refused(void **state)
{
    (void)state;
    struct bench *b = bench_open();
    struct bench_node *one = node_open(b, 1, (struct bench_setting){0});
    struct buf hello = {0}, in = {0};
    uint8_t type, kind;
    char words[LINK_REFUSAL_MAX + 1];
    link_add_peer(one->links, 2, "127.0.0.1:1");
    int fd = plain_link(one, 2, 1); /* nothing is demanded yet */
    WAIT_FOR(b, one->ups == 1);
    assert_int_equal(link_peer_level(one->links, 2), 0);
    link_demand_level(one->links, 3);
    int again = plain_dial(one->address);
    plain_hello(&hello, 2, 2);
    plain_send(again, LINK_HELLO, buf_slice(&hello));
    struct slice refusal = plain_receive(b, again, &type, &in);
    assert_int_equal(type, LINK_REFUSE);
    assert_true(link_refusal_decode(refusal, &kind, words));
    assert_int_equal(kind, LINK_REFUSED_WRONG);
    assert_non_null(strstr(words, "level 3"));
    assert_non_null(strstr(words, "node 2 knows 0"));
    buf_close(&hello);
    buf_close(&in);
    close(again);
    close(fd);
    bench_close(b);
}

static void a_hello_that_does_not_come_is_given_up(void **state)
{
    (void)state;
    struct bench *b = bench_open();
    struct bench_node *one = node_open(b, 1, (struct bench_setting){0});
    int silent = plain_dial(one->address), slow = plain_dial(one->address);
    assert_int_equal(send(slow, "\0\0\0\0\x40\0\0\0\xf0", 9, 0), 9);
    WAIT_FOR(b, strstr(one->notes, "no hello in time"));
    close(silent);
    close(slow);
    bench_close(b);
}

/* Sends bytes on a link that is up; it must be cut with these words. */
static void expect_cut(const uint8_t *bytes, size_t size, const char *words)
{
    struct bench *b = bench_open();
    struct bench_node *one = node_open(b, 1, (struct bench_setting){0});
    link_add_peer(one->links, 2, "127.0.0.1:1");
    int fd = plain_link(one, 2, 1);
    WAIT_FOR(b, link_up(one->links, 2));
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
    WAIT_FOR(b, one->downs == 1);
    assert_non_null(strstr(one->notes, words));
    assert_int_equal(one->frames, 0);
    close(fd);
    bench_close(b);
}

static void damaged_and_huge_frames_cut_the_link_with_a_clear_note(void **state)
{
    (void)state;
    struct buf frame = {0};
    link_frame_put(&frame, 2, slice_str("some bytes"));
    frame.data[frame.size - 1] ^= 4;
    expect_cut(frame.data, frame.size, "checksum");
    buf_clear(&frame);
    link_frame_put(&frame, 2, slice_str("some bytes"));
    buf_set_le32(&frame, LINK_CHECKSUM_FROM, (256u << 20) + 1);
    expect_cut(frame.data, frame.size, "too big");
    buf_clear(&frame);
    link_frame_put(&frame, 0xfe, slice_str("some bytes"));
    expect_cut(frame.data, frame.size, "unknown type");
    buf_close(&frame);
}

static void a_frame_of_use_before_the_proof_is_not_taken(void **state)
{
    (void)state;
    struct bench *b = bench_open();
    struct bench_node *one = node_open(b, 1, (struct bench_setting){0});
    struct buf hello = {0}, in = {0};
    uint8_t type;
    link_add_peer(one->links, 2, "127.0.0.1:1");
    for (int big = 0; big <= 1; big++) {
        static uint8_t bytes[1 << 16];
        int fd = plain_dial(one->address);
        plain_hello(&hello, 2, 1);
        plain_send(fd, LINK_HELLO, buf_slice(&hello));
        plain_receive(b, fd, &type, &in);
        plain_send(fd, 2, slice_of(bytes, big ? sizeof bytes : 3));
        WAIT_FOR(b, plain_closed(fd));
        close(fd);
    }
    assert_int_equal(one->frames + one->ups, 0);
    buf_close(&hello);
    buf_close(&in);
    bench_close(b);
}

static void a_hello_survives_encoding_and_every_cut_of_it_is_refused(void **state)
{
    (void)state;
    struct buf b = {0};
    struct link_hello h, in = {.node = 3,
                               .shard = 1,
                               .shard_count = 4,
                               .epoch = 77,
                               .group_count = 17,
                               .nonce = {1, 2, 3},
                               .name = slice_str("rabbit@x"),
                               .address = slice_str("h:1")};
    link_hello_encode(&b, &in);
    assert_int_equal(link_hello_decode(buf_slice(&b), &h), 0);
    assert_int_equal(h.node, 3);
    assert_int_equal(h.shard, 1);
    assert_int_equal(h.shard_count, 4);
    assert_int_equal(h.epoch, 77);
    assert_int_equal(h.group_count, 17);
    assert_memory_equal(h.nonce, in.nonce, LINK_NONCE_SIZE);
    assert_true(slice_is(h.name, "rabbit@x") && slice_is(h.address, "h:1"));
    for (size_t size = 0; size < b.size; size++)
        assert_int_equal(link_hello_decode(slice_of(b.data, size), &h), ERR_FORMAT);
    buf_put_u8(&b, 0);
    assert_int_equal(link_hello_decode(buf_slice(&b), &h), ERR_FORMAT);
    buf_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wrong_secret_is_refused_in_words_on_both_sides),
        cmocka_unit_test(different_cluster_settings_are_refused_in_words_on_both_sides),
        cmocka_unit_test(a_stranger_and_a_mistaken_address_are_refused),
        cmocka_unit_test(both_dial_at_once_and_one_link_stays),
        cmocka_unit_test(a_later_life_replaces_the_link_and_an_earlier_one_does_not),
        cmocka_unit_test(a_second_connection_of_the_same_life_replaces_the_first),
        cmocka_unit_test(a_link_that_the_lower_node_dialled_is_not_given_up_for_one_of_the_higher),
        cmocka_unit_test(garbage_at_the_listener_is_noted_in_one_line_and_closed),
        cmocka_unit_test(another_version_is_told_ours),
        cmocka_unit_test(a_program_that_knows_too_little_is_refused),
        cmocka_unit_test(a_hello_that_does_not_come_is_given_up),
        cmocka_unit_test(damaged_and_huge_frames_cut_the_link_with_a_clear_note),
        cmocka_unit_test(a_frame_of_use_before_the_proof_is_not_taken),
        cmocka_unit_test(a_hello_survives_encoding_and_every_cut_of_it_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
