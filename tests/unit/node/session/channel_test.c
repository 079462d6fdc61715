#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/node/session/harness.h"

static void a_channel_is_opened_and_closed(void **state)
{
    (void)state;
    struct harness h;
    struct session_info info;
    harness_open(&h);
    say_empty(&h, 5, AMQP_CHANNEL_OPEN);
    hears(&h, "5 channel.open-ok channel_id=\"\"");
    asked(&h, "open 5");
    session_info(h.session, &info);
    assert_int_equal(info.channels, 2);
    struct amqp_method m = amqp_method_of(AMQP_CHANNEL_CLOSE);
    say(&h, 5, &m);
    hears(&h, "5 channel.close-ok");
    asked(&h, "close 5");
    say_empty(&h, 5, AMQP_CHANNEL_OPEN);
    hears(&h, "5 channel.open-ok channel_id=\"\"");
    harness_close(&h);
}

static void wrong_opens_end_the_connection(void **state)
{
    (void)state;
    static const struct {
        uint16_t channel;
        unsigned method;
        const char *line;
    } cases[] = {
        {1, AMQP_CHANNEL_OPEN,
         "0 connection.close reply_code=504 reply_text=\"CHANNEL_ERROR - second 'channel.open' seen\" "
         "class_id=20 method_id=10"},
        {2048, AMQP_CHANNEL_OPEN,
         "0 connection.close reply_code=504 reply_text=\"CHANNEL_ERROR - channel number 2048 is "
         "above the negotiated channel_max (2047)\" class_id=20 method_id=10"},
        {2, AMQP_BASIC_QOS,
         "0 connection.close reply_code=504 reply_text=\"CHANNEL_ERROR - expected 'channel.open'\" "
         "class_id=60 method_id=10"},
        {1, AMQP_CONNECTION_OPEN,
         "0 connection.close reply_code=503 reply_text=\"COMMAND_INVALID - unimplemented method\" "
         "class_id=10 method_id=40"},
        {1, AMQP_BASIC_GET_EMPTY,
         "0 connection.close reply_code=503 reply_text=\"COMMAND_INVALID - unimplemented method\" "
         "class_id=60 method_id=72"},
        {0, AMQP_BASIC_QOS,
         "0 connection.close reply_code=504 reply_text=\"CHANNEL_ERROR - unexpected method in connection "
         "state running\" class_id=60 method_id=10"},
        {1, AMQP_CHANNEL_FLOW,
         "0 connection.close reply_code=540 reply_text=\"NOT_IMPLEMENTED - active=false\" class_id=20 "
         "method_id=20"},
        {1, AMQP_BASIC_RECOVER,
         "0 connection.close reply_code=540 reply_text=\"NOT_IMPLEMENTED - requeue=false\" "
         "class_id=60 method_id=110"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct harness h;
        harness_open(&h);
        say_empty(&h, cases[i].channel, cases[i].method);
        hears(&h, cases[i].line);
        asked(&h, "close 1");
        assert_int_equal(session_state(h.session), SESSION_CLOSING);
        harness_close(&h);
    }
}

static void small_methods_are_answered(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    struct amqp_method m = amqp_method_of(AMQP_CHANNEL_FLOW);
    m.channel_flow.active = true;
    say(&h, 1, &m);
    hears(&h, "1 channel.flow-ok active=true");
    say_empty(&h, 1, AMQP_ACCESS_REQUEST);
    hears(&h, "1 access.request-ok ticket=1");
    say_empty(&h, 0, AMQP_CONNECTION_UPDATE_SECRET);
    hears(&h, "0 connection.update-secret-ok");
    harness_close(&h);
}

static void a_closing_channel_hears_nothing_but_close_and_close_ok(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    say_declare(&h, 1, "missing", true);
    hears(&h, "1 channel.close reply_code=404 reply_text=\"NOT_FOUND - no queue 'missing' in vhost '/'\" class_id=50 "
              "method_id=10");
    asked(&h, "close 1");
    say_declare(&h, 1, "q", false);
    say_publish(&h, 1, "", "q", "late");
    hears_nothing(&h);
    asked_nothing(&h);
    struct amqp_method m = amqp_method_of(AMQP_CHANNEL_CLOSE);
    say(&h, 1, &m);
    hears(&h, "1 channel.close-ok");
    say_close_ok(&h, 1);
    say_empty(&h, 1, AMQP_CHANNEL_OPEN);
    hears(&h, "1 channel.open-ok channel_id=\"\"");
    asked(&h, "open 1");
    harness_close(&h);
}

static void damaged_frames_end_the_connection(void **state)
{
    (void)state;
#define FRAME(text) text, sizeof(text) - 1
    static const struct {
        const char *bytes;
        size_t size;
        const char *line;
    } cases[] = {
        {FRAME("\1\0\1\0\0\0\4\0\x14\0\x0a\xcd"), "501 reply_text=\"FRAME_ERROR - type 1, all octets = <<0,20,0,10>>: "
                                                  "{invalid_frame_end_marker,205}\" class_id=0 "
                                                  "method_id=0"},
        {FRAME("\3\0\1\0\3\0\0"),
         "501 reply_text=\"FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,196608,131064}\" class_id=0 "
         "method_id=0"},
        {FRAME("\7\0\1\0\0\0\2hi\xce"), "501 reply_text=\"FRAME_ERROR - type 7, all octets = <<\\x22hi\\x22>>: "
                                        "unknown_frame\" class_id=0 method_id=0"},
        {FRAME("\x08\0\1\0\0\0\0\xce"),
         "505 reply_text=\"UNEXPECTED_FRAME - type 8, all octets = <<>>\" class_id=0 method_id=0"},
        {FRAME("\3\0\0\0\0\0\x14zzzzzzzzzzzzzzzzzzzz\xce"),
         "505 reply_text=\"UNEXPECTED_FRAME - type 3, first 16 octets = <<\\x22zzzzzzzzzzzzzzzz\\x22>>\" class_id=0 "
         "method_id=0"},
        {FRAME("\3\0\1\0\0\0\1z\xce"), "505 reply_text=\"UNEXPECTED_FRAME - expected method frame, got non method "
                                       "frame instead\" class_id=0 method_id=0"},
        {FRAME("\1\0\1\0\0\0\5\0\x3c\0\x0a\0\xce"), "501 reply_text=\"FRAME_ERROR - cannot decode <<0>>\" class_id=60 "
                                                    "method_id=10"},
        {FRAME("\1\0\1\0\0\0\2\0\x3c\xce"),
         "501 reply_text=\"FRAME_ERROR - type 1, all octets = <<0,60>>: unknown_frame\" class_id=0 method_id=0"},
        {FRAME("\1\0\1\0\0\0\4\0\x3c\0\xff\xce"),
         "540 reply_text=\"NOT_IMPLEMENTED - unknown method\" class_id=60 method_id=255"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct harness h;
        char line[512];
        harness_open(&h);
        say_bytes(&h, cases[i].bytes, cases[i].size);
        snprintf(line, sizeof line, "0 connection.close reply_code=%s", cases[i].line);
        hears(&h, line);
        assert_int_equal(session_state(h.session), SESSION_CLOSING);
        harness_close(&h);
    }
}

static void a_long_reply_text_is_cut_to_255_octets(void **state)
{
    (void)state;
    struct harness h;
    char name[256];
    harness_open(&h);
    memset(name, 'n', 255);
    name[255] = 0;
    say_declare(&h, 1, name, true);
    struct amqp_frame f;
    struct amqp_method m;
    amqp_frame_parse(buf_slice(session_output(h.session)), 0, &f);
    assert_int_equal(amqp_method_decode(f.payload, &m), 0);
    assert_int_equal(m.close.reply_text.size, 255);
    assert_memory_equal(m.close.reply_text.data + 250, "nn...", 5);
    harness_close(&h);
}

static void a_question_holds_only_its_own_channel(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    say_empty(&h, 2, AMQP_CHANNEL_OPEN);
    harness_line(&h);
    harness_asked(&h);
    harness_queue(&h, "q");
    h.slow = true;
    say_declare(&h, 1, "q", true);
    asked(&h, "stat");
    hears_nothing(&h);
    say_publish(&h, 2, "", "q", "other");
    asked(&h, "publish queues=1 exchange= key=q flags=0 priority=0 ttl=-1 tag=1 body=other");
    session_confirm(h.session, 2, 1, true);
    say_declare(&h, 1, "q", true);
    assert_true(session_stalled(h.session));
    assert_true(h.input.size > 0);
    session_tick(h.session, h.now_ms + 1000000); /* what is not read is not missed */
    assert_int_equal(session_state(h.session), SESSION_OPEN);
    h.slow = false;
    h.asker = 1;
    session_reply(h.session, 1, &(struct backend_reply){.a = 3, .b = 1});
    assert_false(session_stalled(h.session));
    hears(&h, "heartbeat");
    hears(&h, "1 queue.declare-ok queue=\"q\" message_count=3 consumer_count=1");
    harness_flush(&h);
    hears(&h, "1 queue.declare-ok queue=\"q\" message_count=0 consumer_count=0");
    assert_int_equal(h.input.size, 0);
    harness_close(&h);
}

static void frames_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct harness h;
    struct buf bytes = {0};
    harness_open(&h);
    harness_queue(&h, "q");
    struct amqp_method m = amqp_method_of(AMQP_BASIC_PUBLISH);
    m.basic_publish.routing_key = slice_str("q");
    amqp_method_put(&bytes, 1, &m);
    amqp_header_put(&bytes, 1, 11, slice_of("\x10\0\2", 3));
    amqp_body_put(&bytes, 1, slice_str("hello "), 0);
    amqp_body_put(&bytes, 1, slice_str("world"), 0);
    for (size_t i = 0; i < bytes.size; i++) say_bytes(&h, bytes.data + i, 1);
    asked(&h, "publish queues=1 exchange= key=q flags=1 priority=0 ttl=-1 tag=1 body=hello world");
    buf_close(&bytes);
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_channel_is_opened_and_closed),
        cmocka_unit_test(wrong_opens_end_the_connection),
        cmocka_unit_test(small_methods_are_answered),
        cmocka_unit_test(a_closing_channel_hears_nothing_but_close_and_close_ok),
        cmocka_unit_test(damaged_frames_end_the_connection),
        cmocka_unit_test(a_long_reply_text_is_cut_to_255_octets),
        cmocka_unit_test(a_question_holds_only_its_own_channel),
        cmocka_unit_test(frames_may_come_byte_by_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
