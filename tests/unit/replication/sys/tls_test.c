#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "replication/sys/tls.h"
#include "tests/unit/replication/sys/certificates.h"

/* Files of one test: an authority `ca`, the certificates `server` and `client` by it, and `other` by a stranger. */
struct files {
    char directory[64];
    char ca[TEST_PATH_MAX], server[TEST_PATH_MAX], server_key[TEST_PATH_MAX], client[TEST_PATH_MAX],
        client_key[TEST_PATH_MAX], other_ca[TEST_PATH_MAX], other[TEST_PATH_MAX], other_key[TEST_PATH_MAX];
    struct test_authority authority, stranger;
};

static int make_files(void **state)
{
    struct files *f = calloc(1, sizeof *f);
    const struct test_subject server = {.names = {{"CN", "server"}}, .alternatives = "DNS:localhost,IP:127.0.0.1"};
    const struct test_subject client = {.names = {{"CN", "client"}}};
    strcpy(f->directory, "/tmp/warren-tls-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    f->authority = test_authority_make("ca");
    f->stranger = test_authority_make("stranger");
    test_write_authority(&f->authority, f->directory, "ca");
    test_write_authority(&f->stranger, f->directory, "other_ca");
    test_write_certificate(&f->authority, f->directory, "server", &server);
    test_write_certificate(&f->authority, f->directory, "client", &client);
    test_write_certificate(&f->stranger, f->directory, "other", &client);
    test_path(f->directory, "ca", "pem", f->ca);
    test_path(f->directory, "other_ca", "pem", f->other_ca);
    test_path(f->directory, "server", "pem", f->server);
    test_path(f->directory, "server", "key", f->server_key);
    test_path(f->directory, "client", "pem", f->client);
    test_path(f->directory, "client", "key", f->client_key);
    test_path(f->directory, "other", "pem", f->other);
    test_path(f->directory, "other", "key", f->other_key);
    *state = f;
    return 0;
}

static int remove_files(void **state)
{
    struct files *f = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", f->directory);
    test_authority_free(&f->authority);
    test_authority_free(&f->stranger);
    int code = system(command);
    free(f);
    return code;
}

static struct tls_settings server_settings(const struct files *f)
{
    return (struct tls_settings){
        .key = "ssl_options", .cacertfile = f->ca, .certfile = f->server, .keyfile = f->server_key, .depth = 10};
}

static struct tls_settings client_settings(const struct files *f)
{
    return (struct tls_settings){.key = "uri", .client = true, .cacertfile = f->ca, .verify_peer = true, .depth = 10};
}

static struct tls_context *open_context(const struct tls_settings *s)
{
    struct tls_context *c;
    struct err err;
    if (tls_context_open(&c, s, &err)) fail_msg("%s", err.text);
    return c;
}

static void refuses(const struct tls_settings *s, const char *words)
{
    struct tls_context *c;
    struct err err;
    assert_int_equal(tls_context_open(&c, s, &err), ERR_INVALID);
    if (!strstr(err.text, words)) fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

/* --- two ends, back to back --- */

struct end {
    struct tls *tls;
    struct buf received;
    int code; /* of the first input that failed */
    struct err err;
};

static void give(struct end *to, struct slice bytes)
{
    uint8_t *plain = mem_alloc(bytes.size + TLS_ROOM);
    size_t got;
    struct err err;
    int code = tls_input(to->tls, bytes, plain, bytes.size + TLS_ROOM, &got, &err);
    buf_put(&to->received, plain, got);
    mem_free(plain);
    if (code && !to->code) {
        to->code = code;
        to->err = err;
    }
}

/* Carries everything both ways, in pieces of `step` bytes. */
static void carry(struct end *a, struct end *b, size_t step)
{
    while (tls_ciphertext(a->tls)->size || tls_ciphertext(b->tls)->size)
        for (int way = 0; way < 2; way++) {
            struct end *from = way ? b : a, *to = way ? a : b;
            struct buf *out = tls_ciphertext(from->tls);
            size_t part = out->size < step ? out->size : step;
            if (!part) continue;
            give(to, slice_of(out->data, part));
            buf_consume(out, part);
        }
}

static void close_end(struct end *e)
{
    tls_close(e->tls);
    buf_close(&e->received);
}

static void greet(struct end *server, struct end *client, const struct tls_settings *ss, const struct tls_settings *cs,
                  const char *name)
{
    struct tls_context *s = open_context(ss), *c = open_context(cs);
    *server = (struct end){.tls = tls_accept(s)};
    *client = (struct end){.tls = tls_connect(c, name)};
    tls_context_close(s); /* connections outlive their context */
    tls_context_close(c);
    carry(server, client, 1 << 20);
}

static void bytes_cross_both_ways_whatever_the_pieces(void **state)
{
    static const size_t steps[] = {1, 7, 1000, 1 << 20};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct tls_settings ss = server_settings(*state), cs = client_settings(*state);
        struct end server, client;
        struct buf long_text = {0};
        for (int n = 0; n < 50000; n++) buf_put_be32(&long_text, (uint32_t)n);
        greet(&server, &client, &ss, &cs, "localhost");
        assert_true(tls_is_open(server.tls) && tls_is_open(client.tls));
        assert_true(tls_output(server.tls, buf_slice(&long_text)));
        assert_true(tls_output(client.tls, slice_str("hello")));
        carry(&server, &client, steps[i]);
        assert_true(slice_is(buf_slice(&server.received), "hello"));
        assert_true(slice_equal(buf_slice(&client.received), buf_slice(&long_text)));
        tls_finish(client.tls);
        carry(&server, &client, steps[i]);
        assert_int_equal(server.code, ERR_CLOSED);
        assert_false(tls_is_open(server.tls));
        buf_close(&long_text);
        close_end(&server);
        close_end(&client);
    }
}

static void facts_are_told_in_rabbitmqs_words(void **state)
{
    struct tls_settings ss = server_settings(*state), cs = client_settings(*state);
    struct end server, client;
    struct tls_facts facts;
    ss.versions = TLS_VERSION_1_2;
    ss.ciphers[ss.cipher_count++] = "ECDHE-ECDSA-AES256-GCM-SHA384";
    greet(&server, &client, &ss, &cs, NULL);
    tls_facts(server.tls, &facts);
    assert_string_equal(facts.protocol, "tlsv1.2");
    assert_string_equal(facts.key_exchange, "ecdhe_ecdsa");
    assert_string_equal(facts.cipher, "aes_256_gcm");
    assert_string_equal(facts.hash, "aead");
    assert_string_equal(facts.suite, "ECDHE-ECDSA-AES256-GCM-SHA384");
    close_end(&server);
    close_end(&client);
}

static void versions_bind_both_ends(void **state)
{
    struct tls_settings ss = server_settings(*state), cs = client_settings(*state);
    struct end server, client;
    ss.versions = TLS_VERSION_1_3;
    cs.versions = TLS_VERSION_1_2;
    greet(&server, &client, &ss, &cs, NULL);
    assert_int_equal(server.code, ERR_REFUSED);
    assert_non_null(strstr(server.err.text, "unsupported protocol"));
    assert_int_equal(client.code, ERR_REFUSED); /* it was told by an alert */
    close_end(&server);
    close_end(&client);
}

static void a_clients_certificate_is_verified(void **state)
{
    struct files *f = *state;
    struct tls_settings ss = server_settings(f), cs = client_settings(f);
    struct end server, client;
    ss.verify_peer = true;
    greet(&server, &client, &ss, &cs, NULL);
    assert_true(tls_is_open(server.tls));
    assert_null(tls_peer_certificate(server.tls));
    close_end(&server);
    close_end(&client);

    cs.certfile = f->client;
    cs.keyfile = f->client_key;
    greet(&server, &client, &ss, &cs, NULL);
    assert_non_null(tls_peer_certificate(server.tls));
    close_end(&server);
    close_end(&client);

    cs.certfile = f->other;
    cs.keyfile = f->other_key;
    greet(&server, &client, &ss, &cs, NULL);
    assert_int_equal(server.code, ERR_REFUSED);
    assert_non_null(strstr(server.err.text, "certificate was refused"));
    close_end(&server);
    close_end(&client);
}

static void who_must_have_a_certificate_is_refused_without(void **state)
{
    struct tls_settings ss = server_settings(*state), cs = client_settings(*state);
    struct end server, client;
    ss.verify_peer = ss.fail_if_no_peer_cert = true;
    greet(&server, &client, &ss, &cs, NULL);
    assert_int_equal(server.code, ERR_REFUSED);
    assert_non_null(strstr(server.err.text, "peer did not return a certificate"));
    close_end(&server);
    close_end(&client);
}

static void a_client_verifies_the_authority_and_the_name(void **state)
{
    struct files *f = *state;
    static const struct {
        const char *name;
        bool fine;
    } cases[] = {{"localhost", true}, {"127.0.0.1", true}, {"elsewhere", false}, {"127.0.0.2", false}, {NULL, true}};
    struct tls_settings ss = server_settings(f), cs = client_settings(f);
    struct end server, client;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        greet(&server, &client, &ss, &cs, cases[i].name);
        assert_int_equal(client.code, cases[i].fine ? 0 : ERR_REFUSED);
        close_end(&server);
        close_end(&client);
    }
    cs.cacertfile = f->other_ca;
    greet(&server, &client, &ss, &cs, NULL);
    assert_int_equal(client.code, ERR_REFUSED);
    close_end(&server);
    close_end(&client);
}

static void bytes_that_are_not_tls_are_refused(void **state)
{
    struct tls_settings ss = server_settings(*state);
    struct tls_context *c = open_context(&ss);
    struct end server = {.tls = tls_accept(c)};
    give(&server, slice_of("AMQP\0\0\11\1", 8));
    assert_int_equal(server.code, ERR_REFUSED);
    assert_non_null(strstr(server.err.text, "TLS handshake"));
    assert_int_equal(server.received.size, 0);
    close_end(&server);
    tls_context_close(c);
}

static void a_damaged_record_ends_it(void **state)
{
    struct tls_settings ss = server_settings(*state), cs = client_settings(*state);
    struct end server, client;
    greet(&server, &client, &ss, &cs, NULL);
    tls_output(client.tls, slice_str("good"));
    carry(&server, &client, 100);
    tls_output(client.tls, slice_str("bad"));
    tls_ciphertext(client.tls)->data[10] ^= 1;
    carry(&server, &client, 1000);
    assert_int_equal(server.code, ERR_REFUSED);
    assert_true(slice_is(buf_slice(&server.received), "good"));
    assert_false(tls_output(server.tls, slice_str("x")));
    close_end(&server);
    close_end(&client);
}

/* --- certificates that are asked for by name --- */

static bool peer_is_called(const struct end *e, const char *name)
{
    char text[64] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name((X509 *)tls_peer_certificate(e->tls)), NID_commonName, text,
                              sizeof text);
    return !strcmp(text, name);
}

static void a_name_chooses_the_certificate(void **state)
{
    struct files *f = *state;
    static const char *const cases[][2] = {
        {"a.example", "client"}, {"A.EXAMPLE", "client"}, {"x.b.example", "server"}, {"localhost", "server"}};
    struct tls_settings ss = server_settings(f), cs = client_settings(f);
    struct end server, client;
    ss.names[0] = (struct tls_server_name){"a.example", f->client, f->client_key};
    ss.names[1] = (struct tls_server_name){"*.b.example", f->server, f->server_key};
    ss.names[2] = (struct tls_server_name){"x.*.example", f->client, f->client_key}; /* no wildcard */
    ss.name_count = 3;
    cs.verify_peer = false;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        greet(&server, &client, &ss, &cs, cases[i][0]);
        assert_true(peer_is_called(&client, cases[i][1]));
        close_end(&server);
        close_end(&client);
    }
}

static void a_clients_certificate_is_verified_for_each_name(void **state)
{
    struct files *f = *state;
    static const char *const names[] = {"a.example", "localhost"};
    struct tls_settings ss = server_settings(f), cs = client_settings(f);
    struct end server, client;
    ss.names[0] = (struct tls_server_name){"a.example", f->client, f->client_key};
    ss.name_count = 1;
    ss.verify_peer = ss.fail_if_no_peer_cert = true;
    cs.verify_peer = false;
    for (size_t i = 0; i < 4; i++) {
        bool shown = i & 1;
        cs.certfile = shown ? f->client : NULL;
        cs.keyfile = shown ? f->client_key : NULL;
        greet(&server, &client, &ss, &cs, names[i / 2]);
        assert_int_equal(server.code, shown ? 0 : ERR_REFUSED);
        assert_int_equal(tls_peer_certificate(server.tls) != NULL, shown);
        close_end(&server);
        close_end(&client);
    }
}

/* --- files --- */

static void errors_name_key_and_file(void **state)
{
    struct files *f = *state;
    char path[TEST_PATH_MAX];
    struct tls_settings s = server_settings(f);
    s.certfile = "/nowhere/server.pem";
    refuses(&s, "ssl_options.certfile = /nowhere/server.pem: No such file or directory");
    s = server_settings(f);
    s.certfile = f->server_key;
    refuses(&s, "no certificate in PEM form");
    s = server_settings(f);
    s.certfile = f->directory;
    refuses(&s, "Is a directory");
    s = server_settings(f);
    s.keyfile = f->client_key;
    refuses(&s, "this key does not belong to the certificate");
    s = server_settings(f);
    s.keyfile = f->ca;
    refuses(&s, "no private key in PEM form");
    s = server_settings(f);
    s.cacertfile = f->server_key;
    refuses(&s, "ssl_options.cacertfile");
    s = server_settings(f);
    s.cacertfile = NULL;
    s.verify_peer = true;
    refuses(&s, "ssl_options.cacertfile is needed");
    s = server_settings(f);
    s.ciphers[s.cipher_count++] = "ECDHE-NOTHING";
    refuses(&s, "ssl_options.ciphers: ECDHE-NOTHING is not known");
    s = server_settings(f);
    s.ciphers[s.cipher_count++] = "TLS_AES_128_GCM_SHA256";
    s.versions = TLS_VERSION_1_2;
    refuses(&s, "none of them belongs to a version");
    const struct test_subject locked = {.names = {{"CN", "locked"}}, .password = "open sesame"};
    char certificate[TEST_PATH_MAX];
    test_write_certificate(&f->authority, f->directory, "locked", &locked);
    s = server_settings(f);
    s.certfile = test_path(f->directory, "locked", "pem", certificate);
    s.keyfile = test_path(f->directory, "locked", "key", path);
    refuses(&s, "give ssl_options.password");
    s.password = "wrong";
    refuses(&s, "ssl_options.password does not open it");
    s.password = "open sesame";
    tls_context_close(open_context(&s));
}

static void changed_files_are_read_again_and_broken_ones_are_not_taken(void **state)
{
    struct files *f = *state;
    struct tls_settings ss = server_settings(f), cs = client_settings(f);
    struct tls_context *s = open_context(&ss), *c = open_context(&cs);
    struct err err;
    assert_false(tls_context_changed(s));
    const struct test_subject fresh = {.names = {{"CN", "fresh"}}, .alternatives = "DNS:localhost"};
    test_write_certificate(&f->authority, f->directory, "server", &fresh);
    assert_true(tls_context_changed(s));
    assert_int_equal(tls_context_reload(s, &err), 0);
    assert_false(tls_context_changed(s));
    FILE *broken = fopen(f->server, "w");
    fputs("broken", broken);
    fclose(broken);
    assert_true(tls_context_changed(s));
    assert_int_equal(tls_context_reload(s, &err), ERR_INVALID);
    assert_false(tls_context_changed(s)); /* not tried again until it changes again */
    struct end server = {.tls = tls_accept(s)}, client = {.tls = tls_connect(c, "localhost")};
    carry(&server, &client, 1 << 20);
    assert_true(peer_is_called(&client, "fresh"));
    assert_true(tls_context_not_after(s) > 0 && tls_context_not_after(s) < INT64_MAX);
    close_end(&server);
    close_end(&client);
    tls_context_close(s);
    tls_context_close(c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_files, remove_files)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_cross_both_ways_whatever_the_pieces),
        TEST(facts_are_told_in_rabbitmqs_words),
        TEST(versions_bind_both_ends),
        TEST(a_clients_certificate_is_verified),
        TEST(who_must_have_a_certificate_is_refused_without),
        TEST(a_client_verifies_the_authority_and_the_name),
        TEST(bytes_that_are_not_tls_are_refused),
        TEST(a_damaged_record_ends_it),
        TEST(a_name_chooses_the_certificate),
        TEST(a_clients_certificate_is_verified_for_each_name),
        TEST(errors_name_key_and_file),
        TEST(changed_files_are_read_again_and_broken_ones_are_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
