/* Listeners and sockets over real loopback connections, on ephemeral ports, in one loop with a plain client. */
#include "tests/unit/node/net/socket_bench.h"

static void what_a_client_sends_comes_back(void **state)
{
    (void)state;
    struct bench *b = setup_connected();
    char answer[5];
    b->echo = true;
    assert_int_equal(send(b->fd, "hello", 5, 0), 5);
    WAIT_FOR(b, net_socket_bytes_out(b->socket) == 5);
    assert_int_equal(recv(b->fd, answer, 5, 0), 5);
    assert_memory_equal(answer, "hello", 5);
    assert_int_equal(net_socket_bytes_in(b->socket), 5);
    assert_int_equal(b->drained, 0);
    assert_true(net_socket_is_loopback(b->socket));
    assert_string_equal(net_socket_local(b->socket), net_listener_address(b->listener));
    assert_int_equal(strncmp(net_socket_peer(b->socket), "127.0.0.1:", 10), 0);
    teardown(b);
}

static void a_port_alone_listens_on_ipv4_and_ipv6(void **state)
{
    (void)state;
    struct bench *b = setup("0");
    b->fd = dial("127.0.0.1", net_listener_address(b->listener));
    assert_true(b->fd >= 0);
    WAIT_FOR(b, b->accepted == 1);
    assert_int_equal(strncmp(net_socket_peer(b->socket), "127.0.0.1:", 10), 0);
    int six = dial("::1", net_listener_address(b->listener));
    if (six >= 0) { /* a host without IPv6 cannot show it */
        WAIT_FOR(b, b->accepted == 2);
        close(six);
    }
    teardown(b);
}

static void a_bad_address_is_refused_in_words(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "host", "host:", "1.2.3.4:99999", "[::1]", "x:y"};
    uv_loop_t loop;
    uv_loop_init(&loop);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct net_listener *l = NULL;
        struct err err = {0};
        assert_int_equal(net_listen(&l, &loop, bad[i], 16, on_accepted, NULL, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "address"));
    }
    uv_loop_close(&loop);
}

static void a_port_in_use_is_refused_in_words(void **state)
{
    (void)state;
    struct bench *b = setup("127.0.0.1:0");
    struct net_listener *l;
    struct err err;
    assert_int_equal(net_listen(&l, &b->loop, net_listener_address(b->listener), 16, on_accepted, b, &err), ERR_IO);
    assert_non_null(strstr(err.text, "in use"));
    teardown(b);
}

static void a_peer_that_does_not_read_costs_no_spinning_and_gets_all_later(void **state)
{
    (void)state;
    enum { TOTAL = 8 << 20 };
    struct bench *b = setup_connected();
    for (size_t i = 0; i < TOTAL; i++) buf_put_u8(&b->out, (uint8_t)(i * 7));
    net_socket_write(b->socket, &b->out);
    assert_true(b->out.size > 0);
    for (int i = 0; i < 20; i++) run_once(b);
    assert_true(b->out.size > 0);
    assert_int_equal(b->drained, 0);
    static uint8_t got[TOTAL];
    size_t size = 0;
    fcntl(b->fd, F_SETFL, O_NONBLOCK);
    while (size < TOTAL) {
        ssize_t n = recv(b->fd, got + size, TOTAL - size, 0);
        if (n > 0) size += (size_t)n;
        else run_once(b);
    }
    for (size_t i = 0; i < TOTAL; i++) assert_int_equal(got[i], (uint8_t)(i * 7));
    WAIT_FOR(b, b->drained == 1);
    assert_int_equal(b->out.size, 0);
    teardown(b);
}

static void bytes_that_were_not_used_come_again_in_front_of_the_next(void **state)
{
    (void)state;
    struct bench *b = setup_connected();
    b->take_max = 3;
    send(b->fd, "abcdefgh", 8, 0);
    WAIT_FOR(b, b->in.size == 3);
    send(b->fd, "ij", 2, 0);
    WAIT_FOR(b, b->in.size == 6);
    net_socket_poke(b->socket);
    net_socket_poke(b->socket);
    assert_memory_equal(b->in.data, "abcdefghij", 10);
    unsigned calls = b->data_calls;
    net_socket_poke(b->socket); /* nothing is kept */
    assert_int_equal(b->data_calls, calls);
    teardown(b);
}

static void a_stalled_owner_bounds_what_is_read(void **state)
{
    (void)state;
    struct bench *b = setup_connected();
    static char block[64 << 10];
    size_t sent = 0;
    b->take_max = 0;
    fcntl(b->fd, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 400; i++) {
        ssize_t n = send(b->fd, block, sizeof block, 0);
        if (n > 0) sent += (size_t)n;
        uv_run(&b->loop, UV_RUN_NOWAIT);
    }
    assert_true(net_socket_bytes_in(b->socket) <= NET_KEPT_MAX + NET_READ_SIZE);
    assert_true(net_socket_bytes_in(b->socket) >= NET_KEPT_MAX);
    b->take_max = SIZE_MAX;
    net_socket_poke(b->socket);
    WAIT_FOR(b, b->in.size == sent);
    teardown(b);
}

static void a_stopped_socket_is_not_read_until_told(void **state)
{
    (void)state;
    struct bench *b = setup_connected();
    net_socket_read(b->socket, false);
    send(b->fd, "x", 1, 0);
    for (int i = 0; i < 5; i++) run_once(b);
    assert_int_equal(b->data_calls, 0);
    net_socket_read(b->socket, true);
    WAIT_FOR(b, b->in.size == 1);
    teardown(b);
}

/* With bytes of the peer unread, and the socket stalled or told not to read. */
static void stop_reading(struct bench *b, bool stalled)
{
    static char block[64 << 10];
    if (!stalled) {
        net_socket_read(b->socket, false);
        send(b->fd, block, sizeof block, 0);
        return;
    }
    b->take_max = 0;
    fcntl(b->fd, F_SETFL, O_NONBLOCK);
    while (net_socket_bytes_in(b->socket) < NET_KEPT_MAX) {
        if (send(b->fd, block, sizeof block, 0) < 0) assert_int_equal(errno, EAGAIN);
        run_once(b);
    }
    send(b->fd, "x", 1, 0);
}

static void a_peer_that_leaves_unread_is_noticed_if_wanted(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        bool stalled = round & 1, reset = round & 2;
        struct bench *b = setup_connected();
        struct linger hard = {1, 0};
        stop_reading(b, stalled);
        if (reset) setsockopt(b->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        else net_socket_mind_hangup(b->socket, true);
        for (int i = 0; i < 5; i++) run_once(b);
        assert_int_equal(b->ended, 0);
        close(b->fd);
        b->fd = -1;
        for (int i = 0; i < 5 && reset; i++) run_once(b);
        assert_int_equal(b->ended && reset, 0); /* not wanted yet */
        net_socket_mind_hangup(b->socket, true);
        WAIT_FOR(b, b->ended == 1);
        assert_int_equal(strstr(b->end_words, "reset") != NULL, reset);
        for (int i = 0; i < 5; i++) run_once(b);
        assert_int_equal(b->ended, 1);
        teardown(b);
    }
}

static void a_hang_up_that_is_not_minded_waits_for_its_bytes(void **state)
{
    (void)state;
    struct bench *b = setup_connected();
    net_socket_mind_hangup(b->socket, true);
    net_socket_read(b->socket, false);
    net_socket_mind_hangup(b->socket, false);
    send(b->fd, "last", 4, 0);
    close(b->fd);
    b->fd = -1;
    for (int i = 0; i < 5; i++) run_once(b);
    assert_int_equal(b->ended, 0);
    net_socket_read(b->socket, true);
    WAIT_FOR(b, b->ended == 1);
    assert_memory_equal(b->in.data, "last", 4);
    teardown(b);
}

static void an_orderly_end_and_a_reset_are_told_apart(void **state)
{
    (void)state;
    struct bench *b = setup_connected();
    close(b->fd);
    WAIT_FOR(b, b->ended == 1);
    assert_string_equal(b->end_words, "");
    b->fd = -1;
    for (int i = 0; i < 5; i++) run_once(b);
    assert_int_equal(b->ended, 1);
    teardown(b);

    b = setup_connected();
    struct linger hard = {1, 0};
    setsockopt(b->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(b->fd);
    b->fd = -1;
    WAIT_FOR(b, b->ended == 1);
    assert_non_null(strstr(b->end_words, "reset"));
    net_socket_write(b->socket, &b->out);
    teardown(b);
}

static void the_owner_may_close_inside_data(void **state)
{
    (void)state;
    struct bench *b = setup_connected();
    b->close_in_data = true;
    b->take_max = 1;
    send(b->fd, "abc", 3, 0);
    WAIT_FOR(b, b->closed == 1);
    assert_int_equal(b->data_calls, 1);
    teardown(b);
}

static void no_descriptor_left_is_waited_out(void **state)
{
    (void)state;
    struct bench *b = setup("127.0.0.1:0");
    struct rlimit before, none;
    b->fd = dial("127.0.0.1", net_listener_address(b->listener));
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 3; /* lower than any descriptor that is free */
    setrlimit(RLIMIT_NOFILE, &none);
    for (int i = 0; i < 20; i++) run_once(b);
    assert_int_equal(b->accepted, 0);
    setrlimit(RLIMIT_NOFILE, &before);
    WAIT_FOR(b, b->accepted == 1);
    teardown(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_client_sends_comes_back),
        cmocka_unit_test(a_port_alone_listens_on_ipv4_and_ipv6),
        cmocka_unit_test(a_bad_address_is_refused_in_words),
        cmocka_unit_test(a_port_in_use_is_refused_in_words),
        cmocka_unit_test(a_peer_that_does_not_read_costs_no_spinning_and_gets_all_later),
        cmocka_unit_test(bytes_that_were_not_used_come_again_in_front_of_the_next),
        cmocka_unit_test(a_stalled_owner_bounds_what_is_read),
        cmocka_unit_test(a_stopped_socket_is_not_read_until_told),
        cmocka_unit_test(a_peer_that_leaves_unread_is_noticed_if_wanted),
        cmocka_unit_test(a_hang_up_that_is_not_minded_waits_for_its_bytes),
        cmocka_unit_test(an_orderly_end_and_a_reset_are_told_apart),
        cmocka_unit_test(the_owner_may_close_inside_data),
        cmocka_unit_test(no_descriptor_left_is_waited_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
