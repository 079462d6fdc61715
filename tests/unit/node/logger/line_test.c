/* What lines look like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/logger/logger.h"

static const struct log_line sample = {.at_ms = UINT64_C(1767323045678),
                                       .level = LOG_WARN,
                                       .category = LOG_CATEGORY_CONNECTION,
                                       .shard = 2,
                                       .node = "warren@a",
                                       .text = "connection closed peer=\"1.2.3.4:5 -> x\" user=bob n=1"};

static const char *text_of(struct buf *b)
{
    buf_put_u8(b, 0);
    return (const char *)b->data;
}

static void plain_has_time_level_and_who(void **state)
{
    (void)state;
    struct buf out = {0};
    line_plain(&sample, &out);
    assert_string_equal(text_of(&out), "2026-01-02T03:04:05.678Z WARN  shard=2 connection closed peer=\"1.2.3.4:5 -> "
                                       "x\" user=bob n=1");
    buf_close(&out);
}

static void a_line_stays_one_line_and_has_an_end(void **state)
{
    (void)state;
    struct log_line line = sample;
    char text[3000];
    struct buf out = {0};
    line.text = "what a client\nsaid\r\n";
    line_plain(&line, &out);
    assert_null(memchr(out.data, '\n', out.size));
    assert_null(memchr(out.data, '\r', out.size));
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    line.text = text;
    buf_clear(&out);
    line_plain(&line, &out);
    assert_int_equal(out.size, LINE_TEXT_MAX);
    buf_close(&out);
}

static void nothing_moves_the_cursor_of_who_reads(void **state)
{
    (void)state;
    struct log_line line = sample;
    struct buf out = {0};
    line.text = "a\x1b[2Jb\tc\x7f d\xc2\x9b"
                "31m \xc3\xa9\xc2\xa9";
    line_who(&line, &out);
    assert_string_equal(text_of(&out), "shard=2 a [2Jb c  d  31m \xc3\xa9\xc2\xa9");
    buf_close(&out);
}

static void json_has_the_fields_apart(void **state)
{
    (void)state;
    struct buf out = {0};
    line_json(&sample, &out);
    assert_string_equal(
        text_of(&out),
        "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"warning\",\"msg\":\"connection closed "
        "peer=\\\"1.2.3.4:5 -> x\\\" user=bob n=1\",\"domain\":\"rabbitmq.connection\",\"node\":"
        "\"warren@a\",\"shard\":2,\"fields\":{\"peer\":\"1.2.3.4:5 -> x\",\"user\":\"bob\",\"n\":\"1\"}}");
    buf_close(&out);
}

static void json_survives_what_clients_send(void **state)
{
    (void)state;
    struct log_line line = sample;
    struct buf out = {0};
    line.category = LOG_CATEGORY_DEFAULT;
    line.shard = -1;
    line.text = "node \xc3\xa4 \xff\xc0\x80 \x01 a=\"open";
    line_json(&line, &out);
    assert_string_equal(text_of(&out),
                        "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"warning\",\"msg\":\"node \xc3\xa4 "
                        "\\ufffd\\ufffd\\ufffd \\u0001 a=\\\"open\",\"domain\":\"rabbitmq\",\"node\":\"warren@a\","
                        "\"fields\":{\"a\":\"open\"}}");
    buf_close(&out);
}

static void the_first_words_tell_the_category(void **state)
{
    (void)state;
    static const struct {
        const char *text, *category;
    } cases[] = {{"connection closed peer=x", "connection"},
                 {"connections", "default"},
                 {"group=3 member_add", "ra"},
                 {"group leads group=1", "ra"},
                 {"link up node=2", "ra"},
                 {"link shovel vhost=\"/\"", "shovel"},
                 {"link static-shovel vhost=\"/\"", "shovel"},
                 {"link exchange-federation vhost=\"/\"", "federation"},
                 {"node started", "default"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(line_category_name(line_category(cases[i].text)), cases[i].category);
    assert_int_equal(line_category_of_name("ra"), LOG_CATEGORY_RA);
    assert_int_equal(line_category_of_name("nonsense"), -1);
}

static void syslog_has_both_forms(void **state)
{
    (void)state;
    struct syslog_settings s = {.host = "localhost", .facility = "local3", .identity = "warren", .rfc5424 = true};
    struct buf out = {0};
    syslog_format(&s, "machine", 77, &sample, &out);
    buf_put_u8(&out, 0); /* 19 * 8 + 4 */
    const char *expected = "<156>1 2026-01-02T03:04:05.678Z machine warren 77 connection - shard=2 connection closed";
    assert_memory_equal(out.data, expected, strlen(expected));
    buf_clear(&out);
    s.rfc5424 = false;
    setenv("TZ", "UTC", 1);
    syslog_format(&s, "machine", 77, &sample, &out);
    expected = "<156>Jan  2 03:04:05 machine warren[77]: shard=2 connection closed";
    assert_memory_equal(out.data, expected, strlen(expected));
    buf_clear(&out);
    s.host = "/dev/log";
    s.facility = "daemon";
    syslog_format(&s, "machine", 77, &sample, &out);
    expected = "<28>Jan  2 03:04:05 warren[77]: ";
    assert_memory_equal(out.data, expected, strlen(expected));
    buf_close(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_has_time_level_and_who),
        cmocka_unit_test(a_line_stays_one_line_and_has_an_end),
        cmocka_unit_test(nothing_moves_the_cursor_of_who_reads),
        cmocka_unit_test(json_has_the_fields_apart),
        cmocka_unit_test(json_survives_what_clients_send),
        cmocka_unit_test(the_first_words_tell_the_category),
        cmocka_unit_test(syslog_has_both_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
