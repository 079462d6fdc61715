/* Links under TLS: the same promises, and who is turned away in which words. */
#include "replication/sys/tls.h"
#include "tests/unit/replication/link/link_bench.h"
#include "tests/unit/replication/sys/certificates.h"

/* Contexts of a node whose certificate is by one authority, and which trusts one. */
struct keys {
    struct tls_context *listener, *dialler;
};

static struct tls_context *context(const char *directory, const char *ca, const char *name, bool client)
{
    char paths[3][TEST_PATH_MAX];
    struct tls_context *c;
    struct err err;
    struct tls_settings s = {.key = "cluster.ssl",
                             .cacertfile = test_path(directory, ca, "pem", paths[0]),
                             .certfile = test_path(directory, name, "pem", paths[1]),
                             .keyfile = test_path(directory, name, "key", paths[2]),
                             .client = client,
                             .verify_peer = true,
                             .fail_if_no_peer_cert = true,
                             .depth = 3};
    if (tls_context_open(&c, &s, &err)) fail_msg("%s", err.text);
    return c;
}

static struct keys keys_open(const char *trusted, const char *own)
{
    const struct test_subject subject = {.names = {{"CN", "node"}}};
    char directory[] = "/tmp/warren-link-XXXXXX", command[64];
    assert_non_null(mkdtemp(directory));
    static struct test_authority authorities[2]; /* "ours" and "theirs", the same for all tests */
    for (int i = 0; i < 2; i++) {
        if (!authorities[i].key) authorities[i] = test_authority_make(i ? "theirs" : "ours");
        test_write_authority(&authorities[i], directory, i ? "theirs" : "ours");
    }
    test_write_certificate(&authorities[strcmp(own, "ours") != 0], directory, "node", &subject);
    struct keys k = {context(directory, trusted, "node", false), context(directory, trusted, "node", true)};
    snprintf(command, sizeof command, "rm -rf %s", directory);
    assert_int_equal(system(command), 0);
    return k;
}

static struct bench_setting with(struct keys k)
{
    return (struct bench_setting){.tls_listener = k.listener, .tls_dialler = k.dialler};
}

static void keys_close(struct keys k)
{
    tls_context_close(k.listener);
    tls_context_close(k.dialler);
}

static void links_come_up_and_carry_frames_of_all_sizes(void **state)
{
    static const size_t sizes[] = {0, 1, 1000, 16 << 10, 40 << 10, 70001, 1 << 20, 9 << 20};
    struct keys k = keys_open("ours", "ours");
    struct bench *b = bench_open();
    struct bench_node *one = node_open(b, 1, with(k)), *two = node_open(b, 2, with(k)),
                      *three = node_open(b, 3, with(k));
    struct buf bytes = {0};
    (void)state;
    introduce(one, two);
    introduce(two, three);
    introduce(three, one);
    WAIT_FOR(b, both_up(one, two) && both_up(two, three) && both_up(three, one));
    for (uint32_t i = 0; i < 9 << 18; i++) buf_put_le32(&bytes, i * 2654435761u);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned before = two->frames;
        struct blob *blob = blob_copy(bytes.data, sizes[i]);
        struct part parts[] = {{blob, 0, (uint32_t)sizes[i] / 3},
                               {blob, (uint32_t)sizes[i] / 3, (uint32_t)(sizes[i] - sizes[i] / 3)}};
        link_send(one->links, 2, 2, slice_of(NULL, 0), parts, 2);
        blob_unref(blob);
        WAIT_FOR(b, two->frames == before + 1);
        assert_true(slice_equal(buf_slice(&two->last), slice_of(bytes.data, sizes[i])));
    }
    assert_int_equal(one->downs + two->downs + three->downs, 0);
    buf_close(&bytes);
    bench_close(b);
    keys_close(k);
}

static void many_frames_both_ways_keep_their_order(void **state)
{
    struct keys k = keys_open("ours", "ours");
    struct bench *b = bench_open();
    struct bench_node *one = node_open(b, 1, with(k)), *two = node_open(b, 2, with(k));
    uint8_t body[3000] = {0};
    (void)state;
    introduce(one, two);
    WAIT_FOR(b, both_up(one, two));
    for (uint32_t i = 0; i < 20000; i++) {
        memcpy(body, &i, sizeof i);
        size_t size = 4 + i % (sizeof body - 4);
        link_send(one->links, 2, 1, slice_of(body, size), NULL, 0);
        link_send(two->links, 1, 1, slice_of(body, size), NULL, 0);
    }
    WAIT_FOR(b, one->frames == 20000 && two->frames == 20000);
    assert_true(one->in_order && two->in_order);
    bench_close(b);
    keys_close(k);
}

static void a_certificate_of_another_authority_is_refused_in_words(void **state)
{
    struct keys ours = keys_open("ours", "ours"), theirs = keys_open("ours", "theirs");
    struct bench *b = bench_open();
    struct bench_node *one = node_open(b, 1, with(ours)), *two = node_open(b, 2, with(theirs));
    (void)state;
    link_add_peer(two->links, 1, one->address);
    link_add_peer(one->links, 2, "127.0.0.1:1");
    WAIT_FOR(b, strstr(one->notes, "certificate was refused"));
    link_add_peer(one->links, 2, two->address);
    WAIT_FOR(b, strstr(two->notes, "link refused node=1")); /* it was told by an alert */
    run_for(b, 200);
    assert_int_equal(one->ups + two->ups, 0);
    bench_close(b);
    keys_close(ours);
    keys_close(theirs);
}

static void plain_and_tls_do_not_mix_and_both_sides_say_so(void **state)
{
    struct keys k = keys_open("ours", "ours");
    (void)state;
    for (int dialler = 1; dialler <= 2; dialler++) {
        struct bench *b = bench_open();
        struct bench_node *one = node_open(b, 1, with(k)), *two = node_open(b, 2, (struct bench_setting){0});
        link_add_peer(one->links, 2, dialler == 1 ? two->address : "127.0.0.1:1");
        link_add_peer(two->links, 1, dialler == 2 ? one->address : "127.0.0.1:1");
        WAIT_FOR(b, strstr(one->notes, "cluster.ssl differs: node 1 has it, node 2 has not") &&
                        strstr(two->notes, "cluster.ssl differs: node 1 has it, node 2 has not"));
        run_for(b, 100);
        assert_int_equal(one->ups + two->ups, 0);
        bench_close(b);
    }
    keys_close(k);
}

static void a_stranger_who_claims_tls_and_speaks_plain_learns_nothing(void **state)
{
    struct keys k = keys_open("ours", "ours");
    struct bench *b = bench_open();
    struct bench_node *one = node_open(b, 1, with(k));
    struct buf hello = {0};
    char answer[4096];
    (void)state;
    link_add_peer(one->links, 2, "127.0.0.1:1");
    struct link_hello h = {.node = 2, .tls = true, .shard_count = 1, .group_count = 17, .epoch = 1};
    link_hello_encode(&hello, &h);
    int fd = plain_dial(one->address);
    plain_send(fd, LINK_HELLO, buf_slice(&hello));
    plain_send(fd, LINK_PROOF, slice_of("0123456789abcdef0123456789abcdef", LINK_PROOF_SIZE));
    WAIT_FOR(b, strstr(one->notes, "TLS handshake"));
    ssize_t got = recv(fd, answer, sizeof answer, 0);
    assert_true(got == 0 || (got > 0 && answer[0] == 21)); /* an alert at most: no hello with a nonce */
    assert_int_equal(one->ups, 0);
    buf_close(&hello);
    close(fd);
    bench_close(b);
    keys_close(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_come_up_and_carry_frames_of_all_sizes),
        cmocka_unit_test(many_frames_both_ways_keep_their_order),
        cmocka_unit_test(a_certificate_of_another_authority_is_refused_in_words),
        cmocka_unit_test(plain_and_tls_do_not_mix_and_both_sides_say_so),
        cmocka_unit_test(a_stranger_who_claims_tls_and_speaks_plain_learns_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
