#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/ha/client/pair.h"

static void a_connection_opens_and_closes(void **state)
{
    (void)state;
    struct pair p;
    struct client_settings settings = pair_settings();
    pair_init(&p, &settings);
    assert_int_equal(client_state(p.client), CLIENT_OPENING);
    pair_pump(&p);
    heard(&p, "opened");
    assert_int_equal(client_state(p.client), CLIENT_OPEN);
    assert_true(client_server_can(p.client, "basic.nack"));
    assert_false(client_server_can(p.client, "time travel"));
    client_close(p.client, 200, "bye");
    assert_int_equal(client_state(p.client), CLIENT_CLOSING);
    pair_pump(&p);
    heard(&p, "closed 200 bye");
    heard_nothing(&p);
    assert_int_equal(client_state(p.client), CLIENT_CLOSED);
    pair_close(&p);
}

static void amqplain_is_the_second_choice(void **state)
{
    (void)state;
    struct pair p;
    struct client_settings settings = pair_settings();
    struct session_info info;
    settings.mechanisms = CLIENT_AMQPLAIN;
    pair_init(&p, &settings);
    pair_pump(&p);
    heard(&p, "opened");
    session_info(p.broker.session, &info);
    assert_true(slice_is(info.mechanism, "AMQPLAIN"));
    assert_true(slice_is(info.connection_name, "test"));
    pair_close(&p);
}

static void without_a_mechanism_in_common_it_gives_up(void **state)
{
    (void)state;
    struct pair p;
    struct client_settings settings = pair_settings();
    settings.mechanisms = CLIENT_EXTERNAL;
    pair_init(&p, &settings);
    pair_pump(&p);
    heard(&p, "closed the server offers none of our mechanisms, only: PLAIN AMQPLAIN");
    pair_close(&p);
}

static void a_refused_login_is_told_in_the_servers_words(void **state)
{
    (void)state;
    struct pair p;
    struct client_settings settings = pair_settings();
    settings.password = "wrong";
    pair_init(&p, &settings);
    pair_pump(&p);
    heard(&p, "closed 403 ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the "
              "broker logfile.");
    assert_non_null(strstr(client_reason(p.client), "Login was refused"));
    pair_close(&p);
}

static void an_unknown_vhost_is_told_in_the_servers_words(void **state)
{
    (void)state;
    struct pair p;
    struct client_settings settings = pair_settings();
    settings.vhost = "elsewhere";
    pair_init(&p, &settings);
    pair_pump(&p);
    assert_non_null(strstr(pair_heard(&p), "closed 530 NOT_ALLOWED - vhost elsewhere not found"));
    pair_close(&p);
}

static void a_server_that_is_silent_is_given_up(void **state)
{
    (void)state;
    struct pair p;
    struct client_settings settings = pair_settings();
    pair_init(&p, &settings);
    assert_int_equal(client_deadline_ms(p.client), 11000);
    client_tick(p.client, 10999);
    heard_nothing(&p);
    client_tick(p.client, 11000);
    heard(&p, "closed the server did not finish the handshake in time");
    pair_close(&p);
}

static void heartbeats_are_sent_and_missed(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    assert_int_equal(client_deadline_ms(p.client), 1000 + 5000); /* 10 s were agreed: half of it */
    client_tick(p.client, 6000);
    assert_memory_equal(client_output(p.client)->data, "\x08\0\0\0\0\0\0\xce", 8);
    client_tick(p.client, 20999);
    heard_nothing(&p);
    client_tick(p.client, 21000);
    heard(&p, "closed no heartbeat from the server for 20 s");
    pair_close(&p);
}

static void a_paused_client_takes_nothing_and_calls_nobody_silent(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    client_pause(p.client, true);
    assert_int_equal(client_input(p.client, (const uint8_t *)"\x08\0\0\0\0\0\0\xce", 8, 2000), 0);
    client_tick(p.client, 100000);
    heard_nothing(&p);
    client_pause(p.client, false);
    assert_int_equal(client_input(p.client, (const uint8_t *)"\x08\0\0\0\0\0\0\xce", 8, 100000), 8);
    pair_close(&p);
}

static void heartbeat_zero_means_none(void **state)
{
    (void)state;
    struct pair p;
    struct client_settings settings = pair_settings();
    settings.heartbeat_s = 0;
    pair_init(&p, &settings);
    pair_pump(&p);
    heard(&p, "opened");
    assert_true(client_deadline_ms(p.client) == UINT64_MAX);
    pair_close(&p);
}

static void blocked_and_unblocked_are_told(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    harness_queue(&p.broker, "q");
    struct amqp_method publish = method_publish("", "q", false);
    session_block(p.broker.session, "low on disk");
    assert_false(client_is_full(p.client));
    client_publish(p.client, 1, &publish, slice_of("\0\0", 2), slice_str("x"));
    pair_pump(&p);
    heard(&p, "blocked low on disk");
    assert_true(client_is_full(p.client));
    session_block(p.broker.session, NULL);
    pair_pump(&p);
    heard(&p, "unblocked");
    assert_false(client_is_full(p.client));
    pair_close(&p);
}

static void the_servers_close_is_answered(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    session_close(p.broker.session, 320, "CONNECTION_FORCED - drill", 1000);
    pair_pump(&p);
    heard(&p, "closed 320 CONNECTION_FORCED - drill");
    assert_int_equal(session_state(p.broker.session), SESSION_CLOSED);
    pair_close(&p);
}

static void a_broken_socket_is_told_once(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    client_lost(p.client, "connection reset by peer");
    client_lost(p.client, "again");
    heard(&p, "closed connection reset by peer");
    heard_nothing(&p);
    pair_close(&p);
}

static void say_to_client(struct pair *p, uint16_t channel, const struct amqp_method *m)
{
    amqp_method_put(&p->to_client, channel, m);
    pair_hear(p);
}

static void what_is_no_servers_method_ends_the_connection(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    struct amqp_method m = method_queue_declare("q");
    say_to_client(&p, 1, &m);
    heard(&p, "closed 503 queue.declare is not a server's method");
    pair_close(&p);
    pair_open(&p);
    m = amqp_method_of(AMQP_QUEUE_PURGE_OK);
    say_to_client(&p, 1, &m);
    heard(&p, "closed 503 queue.purge-ok was not expected");
    pair_close(&p);
    pair_open(&p);
    m = amqp_method_of(AMQP_CONNECTION_TUNE);
    say_to_client(&p, 0, &m);
    heard(&p, "closed 503 connection.tune was not expected");
    pair_close(&p);
    pair_open(&p);
    m = amqp_method_of(AMQP_BASIC_CANCEL_OK);
    say_to_client(&p, 7, &m);
    heard(&p, "closed 504 basic.cancel-ok on channel 7, which is not open");
    pair_close(&p);
}

static void another_protocol_is_recognised(void **state)
{
    (void)state;
    struct pair p;
    struct client_settings settings = pair_settings();
    pair_init(&p, &settings);
    assert_int_equal(client_input(p.client, (const uint8_t *)"AMQP\0\1\0\0", 8, 1000), 8);
    heard(&p, "closed the server does not speak AMQP 0-9-1");
    pair_close(&p);
}

static void damaged_frames_end_the_connection(void **state)
{
    (void)state;
    struct pair p;
    pair_open(&p);
    client_input(p.client, (const uint8_t *)"\x08\0\0\0\0\0\0\xcf", 8, 1000);
    heard(&p, "closed 501 a frame without its end octet");
    pair_close(&p);
    pair_open(&p);
    client_input(p.client, (const uint8_t *)"\x03\0\1\x7f\xff\xff\xff", 7, 1000);
    heard(&p, "closed 501 a frame larger than frame_max");
    pair_close(&p);
    pair_open(&p);
    client_input(p.client, (const uint8_t *)"\x03\0\1\0\0\0\1x\xce", 9, 1000);
    heard(&p, "closed 505 content that was not expected on channel 1");
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_opens_and_closes),
        cmocka_unit_test(amqplain_is_the_second_choice),
        cmocka_unit_test(without_a_mechanism_in_common_it_gives_up),
        cmocka_unit_test(a_refused_login_is_told_in_the_servers_words),
        cmocka_unit_test(an_unknown_vhost_is_told_in_the_servers_words),
        cmocka_unit_test(a_server_that_is_silent_is_given_up),
        cmocka_unit_test(heartbeats_are_sent_and_missed),
        cmocka_unit_test(a_paused_client_takes_nothing_and_calls_nobody_silent),
        cmocka_unit_test(heartbeat_zero_means_none),
        cmocka_unit_test(blocked_and_unblocked_are_told),
        cmocka_unit_test(the_servers_close_is_answered),
        cmocka_unit_test(a_broken_socket_is_told_once),
        cmocka_unit_test(what_is_no_servers_method_ends_the_connection),
        cmocka_unit_test(another_protocol_is_recognised),
        cmocka_unit_test(damaged_frames_end_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
