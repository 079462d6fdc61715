/* A socket behind TLS, and behind a proxy's header. */
#include <openssl/ssl.h>

#include "node/net/socket_internal.h"
#include "replication/sys/tls.h"
#include "tests/unit/node/net/socket_bench.h"
#include "tests/unit/replication/sys/certificates.h"

#define LINE "PROXY TCP4 192.0.2.7 198.51.100.9 4711 5671\r\n"

/* A client's end: its engine, and what it has received. */
struct client {
    struct tls_context *context;
    struct tls *tls;
    struct buf in;
    struct err err;
    bool over;
};

static struct tls_context *context(bool client)
{
    const struct test_subject subject = {.names = {{"CN", "server"}}};
    char directory[] = "/tmp/warren-net-XXXXXX", command[64], paths[2][TEST_PATH_MAX];
    struct tls_context *c;
    struct err err;
    assert_non_null(mkdtemp(directory));
    struct test_authority authority = test_authority_make("ca");
    test_write_certificate(&authority, directory, "server", &subject);
    test_authority_free(&authority);
    struct tls_settings s = {.key = "ssl_options", .client = client, .depth = 3};
    if (!client) {
        s.certfile = test_path(directory, "server", "pem", paths[0]);
        s.keyfile = test_path(directory, "server", "key", paths[1]);
    }
    if (tls_context_open(&c, &s, &err)) fail_msg("%s", err.text);
    snprintf(command, sizeof command, "rm -rf %s", directory);
    assert_int_equal(system(command), 0);
    return c;
}

static struct bench *setup_secure(struct client *c, enum net_proxy proxy)
{
    struct bench *b = setup("127.0.0.1:0");
    b->entrance.tls = context(false);
    b->entrance.proxy = proxy;
    b->fd = dial("127.0.0.1", net_listener_address(b->listener));
    assert_true(b->fd >= 0);
    fcntl(b->fd, F_SETFL, O_NONBLOCK);
    *c = (struct client){.context = context(true)};
    c->tls = tls_connect(c->context, NULL);
    WAIT_FOR(b, b->socket);
    return b;
}

static void teardown_secure(struct bench *b, struct client *c)
{
    struct tls_context *server = b->entrance.tls;
    teardown(b);
    tls_context_close(server);
    tls_close(c->tls);
    tls_context_close(c->context);
    buf_close(&c->in);
}

static void client_send(struct bench *b, struct client *c)
{
    struct buf *out = tls_ciphertext(c->tls);
    ssize_t n = out->size ? send(b->fd, out->data, out->size, MSG_NOSIGNAL) : 0;
    if (n > 0) buf_consume(out, (size_t)n);
}

/* One recv(); false: nothing is there. */
static bool client_hear(struct bench *b, struct client *c)
{
    static uint8_t cipher[64 << 10], plain[sizeof cipher + TLS_ROOM];
    ssize_t n = c->over ? -1 : recv(b->fd, cipher, sizeof cipher, 0);
    size_t got = 0;
    if (n < 0) return false;
    c->over = !n || tls_input(c->tls, slice_of(cipher, (size_t)n), plain, sizeof plain, &got, &c->err);
    buf_put(&c->in, plain, got);
    return true;
}

/* One turn of both ends. */
static bool turn(struct bench *b, struct client *c)
{
    client_send(b, c);
    run_once(b);
    while (client_hear(b, c)) {
    }
    return true;
}

static void begin_conversation(struct bench *b, struct client *c)
{
    WAIT_FOR(b, turn(b, c) && tls_is_open(c->tls));
    tls_output(c->tls, slice_str("go"));
    WAIT_FOR(b, turn(b, c) && b->in.size == 2);
}

static void bytes_cross_both_ways(void **state)
{
    struct client c;
    struct bench *b = setup_secure(&c, NET_PROXY_NONE);
    struct tls_facts facts;
    (void)state;
    b->echo = true;
    WAIT_FOR(b, turn(b, &c) && tls_is_open(c.tls));
    assert_int_equal(b->opened, 0); /* a handshake alone is no conversation */
    tls_output(c.tls, slice_str("hello"));
    WAIT_FOR(b, turn(b, &c) && c.in.size == 5);
    assert_memory_equal(c.in.data, "hello", 5);
    assert_int_equal(b->opened, 1);
    assert_true(net_socket_is_secure(b->socket));
    tls_facts(net_socket_tls(b->socket), &facts);
    assert_string_equal(facts.protocol, "tlsv1.3");
    net_socket_close(b->socket);
    WAIT_FOR(b, turn(b, &c) && c.over);
    assert_int_equal(c.err.code, ERR_CLOSED); /* it was told in order */
    teardown_secure(b, &c);
}

static void a_client_that_does_not_read_bounds_what_is_encrypted_and_gets_all_later(void **state)
{
    enum { TOTAL = 16 << 20 };
    struct client c;
    struct bench *b = setup_secure(&c, NET_PROXY_NONE);
    (void)state;
    begin_conversation(b, &c);
    for (size_t i = 0; i < TOTAL / 4; i++) buf_put_le32(&b->out, (uint32_t)i * 7);
    net_socket_write(b->socket, &b->out);
    size_t left = b->out.size;
    assert_true(left > TOTAL / 4);
    assert_false(net_socket_flushed(b->socket));
    for (int i = 0; i < 20; i++) run_once(b);
    /* Nothing is encrypted before the kernel has taken the rest of what was. */
    assert_true(left - b->out.size <= 2 * NET_TLS_WRITE_SIZE);
    assert_int_equal(b->drained, 0);
    WAIT_FOR(b, turn(b, &c) && c.in.size == TOTAL);
    for (size_t i = 0; i < TOTAL / 4; i++) {
        uint32_t number;
        memcpy(&number, c.in.data + 4 * i, 4);
        assert_int_equal(number, (uint32_t)i * 7);
    }
    WAIT_FOR(b, b->drained == 1);
    assert_true(net_socket_flushed(b->socket));
    teardown_secure(b, &c);
}

/* The end of the output is often encrypted, and waits as ciphertext, before the kernel takes it. */
static void the_end_of_what_waited_is_told_wherever_it_waited(void **state)
{
    enum { MOST = 12 << 20, STEP = 9973, ROUNDS = 8 };
    struct client c;
    struct bench *b = setup_secure(&c, NET_PROXY_NONE);
    (void)state;
    begin_conversation(b, &c);
    for (unsigned i = 0; i < ROUNDS; i++) {
        size_t total = MOST - i * STEP, before = b->drained;
        buf_clear(&c.in);
        memset(buf_reserve(&b->out, total), (int)i, total);
        b->out.size += total;
        net_socket_write(b->socket, &b->out);
        bool waits = !net_socket_flushed(b->socket); /* the kernel may have grown its buffer */
        assert_true(waits || i);
        WAIT_FOR(b, turn(b, &c) && c.in.size == total);
        WAIT_FOR(b, net_socket_flushed(b->socket));
        assert_int_equal(b->drained, before + waits);
    }
    teardown_secure(b, &c);
}

/* A part of a record comes while the output waits, and what waits leaves on that occasion, before the loop sees that the
 * kernel has room again. */
static void what_leaves_when_something_comes_in_is_told_too(void **state)
{
    enum { TOTAL = 12 << 20, REST = 2 << 20 /* less than an empty kernel takes */, PART = 10 };
    struct client c;
    struct bench *b = setup_secure(&c, NET_PROXY_NONE);
    (void)state;
    begin_conversation(b, &c);
    buf_clear(&c.in);
    memset(buf_reserve(&b->out, TOTAL), 0, TOTAL);
    b->out.size += TOTAL;
    net_socket_write(b->socket, &b->out);
    while (b->out.size > REST) {
        if (!client_hear(b, &c)) run_once(b);
        else uv_run(&b->loop, UV_RUN_NOWAIT);
    }
    assert_false(net_socket_flushed(b->socket));
    while (client_hear(b, &c)) {
    }
    tls_output(c.tls, slice_str("half of this"));
    net_socket_tls_input(b->socket, tls_ciphertext(c.tls)->data, PART);
    buf_consume(tls_ciphertext(c.tls), PART);
    WAIT_FOR(b, turn(b, &c) && c.in.size == TOTAL);
    assert_true(net_socket_flushed(b->socket));
    assert_int_equal(b->drained, 1);
    teardown_secure(b, &c);
}

/* Each request for an update of the keys is answered by TLS itself, behind the conversation's back. The kernel's buffer is
 * full of other bytes first, so that the answers wait from the beginning. */
static void who_asks_for_new_keys_and_does_not_read_costs_a_bounded_amount(void **state)
{
    enum { WAITS = 16 << 20, BATCH = 20, STILL = 20 /* turns in which nothing more is taken */ };
    static uint8_t waste[64 << 10];
    struct client c;
    struct bench *b = setup_secure(&c, NET_PROXY_NONE);
    SSL_CTX *own = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(own);
    unsigned still = 0, updates = 0;
    (void)state;
    SSL_set_fd(ssl, b->fd);
    WAIT_FOR(b, SSL_connect(ssl) == 1);
    assert_int_equal(SSL_write(ssl, "go", 2), 2);
    WAIT_FOR(b, b->in.size == 2);
    memset(buf_reserve(&b->out, WAITS), 0, WAITS);
    b->out.size += WAITS;
    net_socket_write(b->socket, &b->out);
    for (uint64_t until = uv_hrtime() + (uint64_t)WAIT_MS * 1000000; still < STILL;) {
        if (uv_hrtime() > until) fail_msg("it still takes more after %u updates", updates);
        bool sent =
            (SSL_get_key_update_type(ssl) != SSL_KEY_UPDATE_NONE || SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED)) &&
            SSL_do_handshake(ssl) == 1;
        updates += sent;
        if (sent && updates % BATCH) continue;
        uint64_t heard = net_socket_bytes_in(b->socket);
        run_once(b);
        bool owes = tls_ciphertext(b->socket->tls)->size >= NET_TLS_OWED_MAX;
        still = owes && net_socket_bytes_in(b->socket) == heard ? still + 1 : 0;
    }
    assert_in_range(tls_ciphertext(b->socket->tls)->size, NET_TLS_OWED_MAX, NET_TLS_OWED_MAX + NET_TLS_READ_SIZE);
    uint64_t heard = net_socket_bytes_in(b->socket);
    WAIT_FOR(b, recv(b->fd, waste, sizeof waste, 0) != 0 && net_socket_bytes_in(b->socket) > heard);
    teardown_secure(b, &c);
    SSL_free(ssl);
    SSL_CTX_free(own);
}

static void a_client_that_is_not_read_waits_and_loses_nothing(void **state)
{
    enum { TOTAL = 1 << 20 };
    struct client c;
    struct bench *b = setup_secure(&c, NET_PROXY_NONE);
    struct buf text = {0};
    (void)state;
    for (size_t i = 0; i < TOTAL; i++) buf_put_u8(&text, (uint8_t)(i * 13));
    WAIT_FOR(b, turn(b, &c) && tls_is_open(c.tls));
    net_socket_read(b->socket, false);
    tls_output(c.tls, buf_slice(&text));
    for (int i = 0; i < 20; i++) turn(b, &c);
    assert_int_equal(b->data_calls, 0);
    b->take_max = 70000; /* and what is not used comes again */
    net_socket_read(b->socket, true);
    for (int i = 0; i < 2000 && b->in.size < TOTAL; i++) {
        turn(b, &c);
        if (b->socket) net_socket_poke(b->socket);
    }
    assert_true(slice_equal(buf_slice(&b->in), buf_slice(&text)));
    buf_close(&text);
    teardown_secure(b, &c);
}

static void plain_amqp_is_refused_in_words(void **state)
{
    struct client c;
    struct bench *b = setup_secure(&c, NET_PROXY_NONE);
    (void)state;
    assert_int_equal(send(b->fd, "AMQP\0\0\11\1", 8, 0), 8);
    WAIT_FOR(b, b->ended == 1);
    assert_string_equal(b->end_words, "plain AMQP on the TLS port, it begins with \"AMQP....\"");
    assert_int_equal(b->opened, 0);
    teardown_secure(b, &c);
}

static void a_header_comes_in_front_of_tls_and_may_come_in_one_piece_with_it(void **state)
{
    (void)state;
    for (int apart = 0; apart < 2; apart++) {
        struct client c;
        struct bench *b = setup_secure(&c, NET_PROXY_NEEDED);
        struct buf first = {0};
        buf_put_slice(&first, slice_str(LINE));
        if (!apart) {
            buf_put_slice(&first, buf_slice(tls_ciphertext(c.tls)));
            buf_clear(tls_ciphertext(c.tls));
        }
        send(b->fd, first.data, 10, 0);
        for (int i = 0; i < 5; i++) run_once(b);
        send(b->fd, first.data + 10, first.size - 10, 0);
        WAIT_FOR(b, turn(b, &c) && tls_is_open(c.tls));
        tls_output(c.tls, slice_str("x"));
        WAIT_FOR(b, turn(b, &c) && b->in.size == 1);
        assert_string_equal(net_socket_peer(b->socket), "192.0.2.7:4711");
        assert_string_equal(net_socket_local(b->socket), "198.51.100.9:5671");
        assert_false(net_socket_is_loopback(b->socket));
        buf_close(&first);
        teardown_secure(b, &c);
    }
}

static void who_is_not_trusted_is_taken_for_a_client_or_refused(void **state)
{
    (void)state;
    for (int needed = 0; needed < 2; needed++) {
        struct bench *b = setup("127.0.0.1:0");
        struct net_range elsewhere;
        assert_int_equal(net_range_parse("10.0.0.0/8", &elsewhere, NULL), 0);
        b->entrance = (struct net_entrance){
            .proxy = needed ? NET_PROXY_NEEDED : NET_PROXY_AUTO, .trusted = &elsewhere, .trusted_count = 1};
        b->fd = dial("127.0.0.1", net_listener_address(b->listener));
        WAIT_FOR(b, b->socket);
        send(b->fd, LINE, strlen(LINE), 0);
        if (needed) {
            WAIT_FOR(b, b->ended == 1);
            assert_non_null(strstr(b->end_words, "proxy_protocol.trusted"));
            assert_int_equal(b->in.size, 0);
        } else {
            WAIT_FOR(b, b->in.size == strlen(LINE)); /* its bytes are its own */
            assert_true(net_socket_is_loopback(b->socket));
        }
        teardown(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_cross_both_ways),
        cmocka_unit_test(a_client_that_does_not_read_bounds_what_is_encrypted_and_gets_all_later),
        cmocka_unit_test(the_end_of_what_waited_is_told_wherever_it_waited),
        cmocka_unit_test(what_leaves_when_something_comes_in_is_told_too),
        cmocka_unit_test(who_asks_for_new_keys_and_does_not_read_costs_a_bounded_amount),
        cmocka_unit_test(a_client_that_is_not_read_waits_and_loses_nothing),
        cmocka_unit_test(plain_amqp_is_refused_in_words),
        cmocka_unit_test(a_header_comes_in_front_of_tls_and_may_come_in_one_piece_with_it),
        cmocka_unit_test(who_is_not_trusted_is_taken_for_a_client_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
