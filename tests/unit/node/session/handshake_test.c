#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/node/session/harness.h"

static void hears_start(struct harness *h)
{
    struct buf *out = session_output(h->session);
    struct amqp_frame f;
    struct amqp_method m;
    struct slice text;
    assert_int_equal(amqp_frame_parse(buf_slice(out), 4096, &f), AMQP_PARSE_DONE);
    assert_int_equal(amqp_method_decode(f.payload, &m), 0);
    assert_int_equal(amqp_method_number(&m), AMQP_CONNECTION_START);
    assert_true(slice_is(m.connection_start.mechanisms, "PLAIN AMQPLAIN"));
    assert_true(slice_is(m.connection_start.locales, "en_US"));
    assert_true(amqp_table_find_string(m.connection_start.server_properties, "product", &text) &&
                slice_is(text, "RabbitMQ"));
    assert_true(amqp_table_find_string(m.connection_start.server_properties, "version", &text) &&
                slice_is(text, "3.13.7"));
    struct amqp_value capabilities;
    bool yes = false;
    assert_true(amqp_table_find(m.connection_start.server_properties, "capabilities", &capabilities));
    assert_true(amqp_table_find_bool(capabilities.bytes, "basic.nack", &yes) && yes);
    harness_line(h);
}

static void a_client_logs_in_with_plain(void **state)
{
    (void)state;
    struct harness h;
    struct session_info info;
    harness_init(&h, true);
    say_bytes(&h, "AMQP", 4);
    assert_int_equal(h.input.size, 4); /* kept: not whole yet */
    hears_nothing(&h);
    say_bytes(&h, "\0\0\x09\1", 4);
    hears_start(&h);
    say_start_ok(&h, "PLAIN", PLAIN_GUEST, true);
    hears(&h, "0 connection.tune channel_max=2047 frame_max=131072 heartbeat=60");
    say_tune_ok(&h, 100, 4096, 10);
    hears_nothing(&h);
    say_open(&h, "/");
    hears(&h, "0 connection.open-ok known_hosts=\"\"");
    session_info(h.session, &info);
    assert_true(info.open);
    assert_true(slice_is(info.user, "guest"));
    assert_true(slice_is(info.vhost, "/"));
    assert_true(slice_is(info.connection_name, "test client"));
    assert_int_equal(info.channel_max, 100);
    assert_int_equal(info.frame_max, 4096);
    assert_int_equal(info.heartbeat_s, 10);
    struct amqp_method close = amqp_method_of(AMQP_CONNECTION_CLOSE);
    close.close = (struct amqp_close){200, slice_str("bye"), 0, 0};
    say(&h, 0, &close);
    hears(&h, "0 connection.close-ok");
    assert_int_equal(session_state(h.session), SESSION_CLOSED);
    session_info(h.session, &info);
    assert_string_equal(info.ended, "");
    harness_close(&h);
}

static void a_client_logs_in_with_amqplain(void **state)
{
    (void)state;
    struct harness h;
    struct buf table = {0};
    harness_init(&h, true);
    say_bytes(&h, "AMQP\0\0\x09\1", 8);
    harness_line(&h);
    amqp_table_put_string(&table, "LOGIN", slice_str("guest"));
    amqp_table_put_string(&table, "PASSWORD", slice_str("guest"));
    say_start_ok(&h, "AMQPLAIN", buf_slice(&table), true);
    hears(&h, "0 connection.tune channel_max=2047 frame_max=131072 heartbeat=60");
    buf_close(&table);
    harness_close(&h);
}

static struct session_tls tls_of(const char *user)
{
    return (struct session_tls){.protocol = "tlsv1.3",
                                .key_exchange = "any",
                                .cipher = "aes_256_gcm",
                                .hash = "aead",
                                .subject = slice_str(user ? "CN=guest" : ""),
                                .user = slice_str(user ? user : ""),
                                .no_user = user ? NULL : "the client showed no certificate"};
}

static void mechanisms_are(struct harness *h, const char *wanted)
{
    struct amqp_frame f;
    struct amqp_method m;
    say_bytes(h, "AMQP\0\0\x09\1", 8);
    assert_int_equal(amqp_frame_parse(buf_slice(session_output(h->session)), 4096, &f), AMQP_PARSE_DONE);
    assert_int_equal(amqp_method_decode(f.payload, &m), 0);
    assert_true(slice_is(m.connection_start.mechanisms, wanted));
    harness_line(h);
}

static void a_certificate_logs_in_with_external(void **state)
{
    (void)state;
    static const struct {
        const char *user; /* in the certificate; NULL: there is none */
        const char *log;  /* NULL: welcome */
    } cases[] = {{"guest", NULL}, {"nobody", "EXTERNAL"}, {NULL, "(the client showed no certificate)"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct harness h;
        struct session_info info;
        struct session_tls tls = tls_of(cases[i].user);
        harness_init(&h, false);
        h.settings.mechanisms = "EXTERNAL PLAIN";
        session_set_tls(h.session, &tls);
        mechanisms_are(&h, "EXTERNAL PLAIN");
        say_start_ok(&h, "EXTERNAL", slice_str(""), false);
        session_info(h.session, &info);
        if (cases[i].log) {
            hears_nothing(&h);
            assert_non_null(strstr(info.ended, cases[i].log));
        } else {
            hears(&h, "0 connection.tune channel_max=2047 frame_max=131072 heartbeat=60");
            assert_true(slice_is(info.user, "guest"));
            assert_string_equal(info.tls->cipher, "aes_256_gcm");
            assert_true(slice_is(info.tls->subject, "CN=guest"));
        }
        harness_close(&h);
    }
}

static void external_is_not_offered_without_tls_nor_unless_chosen(void **state)
{
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        struct harness h;
        struct session_info info;
        struct session_tls tls = tls_of("guest");
        harness_init(&h, true);
        if (plain) h.settings.mechanisms = "EXTERNAL AMQPLAIN";
        else session_set_tls(h.session, &tls);
        mechanisms_are(&h, plain ? "AMQPLAIN" : "PLAIN AMQPLAIN");
        say_start_ok(&h, "EXTERNAL", slice_str(""), false);
        session_info(h.session, &info);
        assert_false(info.open);
        assert_non_null(strstr(info.ended, "unknown authentication mechanism 'EXTERNAL'"));
        harness_close(&h);
    }
}

static void a_wrong_password_is_told_to_clients_that_understand(void **state)
{
    (void)state;
    for (int capable = 0; capable < 2; capable++) {
        struct harness h;
        harness_init(&h, true);
        say_bytes(&h, "AMQP\0\0\x09\1", 8);
        harness_line(&h);
        say_start_ok(&h, "PLAIN", slice_of("\0guest\0wrong", 12), capable);
        if (capable)
            hears(&h, "0 connection.close reply_code=403 reply_text=\"ACCESS_REFUSED - Login was refused using "
                      "authentication mechanism PLAIN. For details see the broker logfile.\" class_id=0 method_id=0");
        hears_nothing(&h);
        assert_int_equal(session_state(h.session), SESSION_CLOSING);
        assert_int_equal(session_deadline_ms(h.session), 4000);
        session_tick(h.session, 4000);
        assert_int_equal(session_state(h.session), SESSION_CLOSED);
        harness_close(&h);
    }
}

static void say_secure_ok(struct harness *h, const char *response)
{
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_SECURE_OK);
    m.connection_secure_ok.response = slice_str(response);
    say(h, 0, &m);
}

static void a_challenge_is_answered_with_the_password(void **state)
{
    (void)state;
    static const struct {
        const char *response, *answer;
    } cases[] = {
        {"My password is guest", "connection.tune"},
        {"My password is wrong", "Login was refused using authentication mechanism RABBIT-CR-DEMO"},
        {"guest", ""}, /* nothing is told to somebody who is not trusted yet */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct harness h;
        struct session_info info;
        harness_init(&h, true);
        h.settings.mechanisms = "PLAIN RABBIT-CR-DEMO";
        say_bytes(&h, "AMQP\0\0\x09\1", 8);
        harness_line(&h);
        say_start_ok(&h, "RABBIT-CR-DEMO", slice_str("guest"), true);
        assert_non_null(strstr(harness_line(&h), "0 connection.secure"));
        say_secure_ok(&h, cases[i].response);
        const char *line = harness_line(&h);
        if (!strstr(line, cases[i].answer)) fail_msg("%s: %s", cases[i].response, line);
        session_info(h.session, &info);
        if (i == 0) assert_true(slice_is(info.user, "guest"));
        else assert_int_equal(session_state(h.session), SESSION_CLOSING);
        harness_close(&h);
    }
}

static void an_answer_without_a_challenge_is_refused(void **state)
{
    (void)state;
    struct harness h;
    struct session_info info;
    harness_init(&h, true);
    say_bytes(&h, "AMQP\0\0\x09\1", 8);
    say_secure_ok(&h, "My password is guest");
    session_info(h.session, &info);
    assert_string_equal(info.ended, "CHANNEL_ERROR - unexpected method in connection state starting");
    harness_close(&h);
}

static void a_guesser_waits_for_the_answer(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, true);
    h.refusal_delay_ms = 700;
    say_bytes(&h, "AMQP\0\0\x09\1", 8);
    harness_line(&h);
    say_start_ok(&h, "PLAIN", slice_of("\0guest\0wrong", 12), true);
    hears_nothing(&h);
    asked(&h, "login 127.0.0.1 failed");
    say_start_ok(&h, "PLAIN", PLAIN_GUEST, true); /* it is not looked at before the first is answered */
    hears_nothing(&h);
    asked_nothing(&h);
    assert_true(session_deadline_ms(h.session) == h.now_ms + 700);
    session_tick(h.session, h.now_ms + 699);
    hears_nothing(&h);
    session_tick(h.session, h.now_ms + 700);
    assert_non_null(strstr(harness_line(&h), "Login was refused using authentication mechanism PLAIN"));
    assert_int_equal(session_state(h.session), SESSION_CLOSING);
    harness_close(&h);
}

static void guest_from_afar_is_refused(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, false);
    say_bytes(&h, "AMQP\0\0\x09\1", 8);
    harness_line(&h);
    say_start_ok(&h, "PLAIN", PLAIN_GUEST, false);
    assert_int_equal(session_state(h.session), SESSION_CLOSING);
    harness_close(&h);
}

static void another_protocol_is_answered_with_our_header(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *why;
    } cases[] = {{"AMQP\1\1\1\1", "client did not start with the AMQP 0-9-1 protocol header"},
                 {"GET / HTTP/1.1\r\n", "HTTP request on the AMQP port"},
                 {"\x16\3\1xxxxxxxx", "TLS client hello on the plain AMQP port"}};
    for (size_t i = 0; i < 3; i++) {
        struct harness h;
        struct session_info info;
        harness_init(&h, true);
        say_bytes(&h, cases[i].bytes, strlen(cases[i].bytes));
        assert_true(slice_equal(buf_slice(session_output(h.session)), slice_of("AMQP\0\0\x09\1", 8)));
        assert_int_equal(session_state(h.session), SESSION_CLOSED);
        assert_int_equal(h.input.size, 0);
        session_info(h.session, &info);
        assert_string_equal(info.ended, cases[i].why);
        harness_close(&h);
    }
}

static void tune_ok_outside_of_the_offer_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint16_t channel_max;
        uint32_t frame_max;
        const char *text;
    } cases[] = {
        {2047, 100, "NOT_ALLOWED - negotiated frame_max = 100 is lower than the minimum allowed value (4096)"},
        {2047, 200000, "NOT_ALLOWED - negotiated frame_max = 200000 is higher than the maximum allowed value (131072)"},
        {2047, 0,
         "NOT_ALLOWED - negotiated frame_max = 0 (no limit) is higher than the maximum allowed value (131072)"},
        {3000, 131072, "NOT_ALLOWED - negotiated channel_max = 3000 is higher than the maximum allowed value (2047)"},
        {0, 131072,
         "NOT_ALLOWED - negotiated channel_max = 0 (no limit) is higher than the maximum allowed value (2047)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct harness h;
        char line[512];
        harness_init(&h, true);
        say_bytes(&h, "AMQP\0\0\x09\1", 8);
        say_start_ok(&h, "PLAIN", PLAIN_GUEST, true);
        harness_line(&h);
        harness_line(&h);
        say_tune_ok(&h, cases[i].channel_max, cases[i].frame_max, 60);
        snprintf(line, sizeof line, "0 connection.close reply_code=530 reply_text=\"%s\" class_id=10 method_id=30",
                 cases[i].text);
        hears(&h, line);
        say_close_ok(&h, 0);
        assert_int_equal(session_state(h.session), SESSION_CLOSED);
        harness_close(&h);
    }
}

static void an_unknown_vhost_is_refused(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, true);
    say_bytes(&h, "AMQP\0\0\x09\1", 8);
    say_start_ok(&h, "PLAIN", PLAIN_GUEST, true);
    say_tune_ok(&h, 2047, 131072, 60);
    harness_line(&h);
    harness_line(&h);
    say_open(&h, "nowhere");
    hears(&h, "0 connection.close reply_code=530 reply_text=\"NOT_ALLOWED - vhost nowhere not found\" class_id=10 "
              "method_id=40");
    harness_close(&h);
}

static void a_slow_handshake_is_cut_off(void **state)
{
    (void)state;
    struct harness h;
    struct session_info info;
    harness_init(&h, true);
    assert_int_equal(session_deadline_ms(h.session), 11000);
    say_bytes(&h, "AMQP\0\0\x09\1", 8);
    session_tick(h.session, 10999);
    assert_int_equal(session_state(h.session), SESSION_OPEN);
    session_tick(h.session, 11000);
    assert_int_equal(session_state(h.session), SESSION_CLOSED);
    session_info(h.session, &info);
    assert_string_equal(info.ended, "handshake timeout");
    harness_close(&h);
}

static void an_unknown_mechanism_and_a_broken_response_close_silently(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct harness h;
        harness_init(&h, true);
        say_bytes(&h, "AMQP\0\0\x09\1", 8);
        harness_line(&h);
        say_start_ok(&h, i ? "PLAIN" : "MAGIC", slice_str("no zeros"), true);
        hears_nothing(&h);
        assert_int_equal(session_state(h.session), SESSION_CLOSING);
        harness_close(&h);
    }
}

static void heartbeats_are_sent_at_half_the_interval_and_missed_after_two(void **state)
{
    (void)state;
    struct harness h;
    struct session_info info;
    harness_open(&h);
    session_written(h.session, h.now_ms);
    assert_int_equal(session_deadline_ms(h.session), 31000);
    session_tick(h.session, 30999);
    hears_nothing(&h);
    h.now_ms = 31000;
    session_tick(h.session, h.now_ms);
    hears(&h, "heartbeat");
    h.now_ms = 61000;
    buf_reserve(session_output(h.session), 1 << 20); /* what a burst left behind */
    session_tick(h.session, h.now_ms);
    assert_true(session_output(h.session)->capacity < 1 << 15);
    hears(&h, "heartbeat");
    say_bytes(&h, "\x08\0\0\0\0\0\0\xce", 8);
    session_tick(h.session, 61000 + 119999);
    assert_int_equal(session_state(h.session), SESSION_OPEN);
    session_tick(h.session, 61000 + 120000);
    assert_int_equal(session_state(h.session), SESSION_CLOSED);
    asked(&h, "close 1");
    session_info(h.session, &info);
    assert_string_equal(info.ended, "missed heartbeats from client, timeout: 60s");
    harness_close(&h);
}

static void a_client_without_heartbeats_is_left_alone(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h, true);
    say_bytes(&h, "AMQP\0\0\x09\1", 8);
    say_start_ok(&h, "PLAIN", PLAIN_GUEST, true);
    say_tune_ok(&h, 2047, 131072, 0);
    say_open(&h, "/");
    assert_true(session_deadline_ms(h.session) == UINT64_MAX);
    harness_close(&h);
}

static void shutdown_closes_with_320_and_waits_for_close_ok(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    session_close(h.session, 320, "broker forced connection closure with reason 'shutdown'", h.now_ms);
    hears(&h,
          "0 connection.close reply_code=320 reply_text=\"CONNECTION_FORCED - broker forced connection closure with "
          "reason 'shutdown'\" class_id=0 method_id=0");
    asked(&h, "close 1");
    assert_int_equal(session_state(h.session), SESSION_CLOSING);
    say_publish(&h, 1, "", "q", "ignored");
    asked_nothing(&h);
    say_close_ok(&h, 0);
    assert_int_equal(session_state(h.session), SESSION_CLOSED);
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_logs_in_with_plain),
        cmocka_unit_test(a_client_logs_in_with_amqplain),
        cmocka_unit_test(a_certificate_logs_in_with_external),
        cmocka_unit_test(external_is_not_offered_without_tls_nor_unless_chosen),
        cmocka_unit_test(a_wrong_password_is_told_to_clients_that_understand),
        cmocka_unit_test(a_challenge_is_answered_with_the_password),
        cmocka_unit_test(an_answer_without_a_challenge_is_refused),
        cmocka_unit_test(a_guesser_waits_for_the_answer),
        cmocka_unit_test(guest_from_afar_is_refused),
        cmocka_unit_test(another_protocol_is_answered_with_our_header),
        cmocka_unit_test(tune_ok_outside_of_the_offer_is_refused),
        cmocka_unit_test(an_unknown_vhost_is_refused),
        cmocka_unit_test(a_slow_handshake_is_cut_off),
        cmocka_unit_test(an_unknown_mechanism_and_a_broken_response_close_silently),
        cmocka_unit_test(heartbeats_are_sent_at_half_the_interval_and_missed_after_two),
        cmocka_unit_test(a_client_without_heartbeats_is_left_alone),
        cmocka_unit_test(shutdown_closes_with_320_and_waits_for_close_ok),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
