#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/amqp/properties.h"
#include "node/amqp/spec.h"
#include "node/amqp/table.h"

#define BYTES(text) slice_of(text, sizeof(text) - 1)

static const uint16_t all_flags = 0xfffc;

static struct amqp_properties full(struct slice headers)
{
    return (struct amqp_properties){
        .flags = all_flags,
        .delivery_mode = AMQP_DELIVERY_PERSISTENT,
        .priority = 9,
        .timestamp = 1234567890123,
        .content_type = slice_str("text/plain"),
        .content_encoding = slice_str("gzip"),
        .headers = headers,
        .correlation_id = slice_str("c"),
        .reply_to = slice_str("reply"),
        .expiration = slice_str("60000"),
        .message_id = slice_str("m"),
        .type = slice_str("t"),
        .user_id = slice_str("guest"),
        .app_id = slice_str("app"),
        .cluster_id = slice_str("cl"),
    };
}

static void all_fourteen_survive_a_round_trip(void **state)
{
    (void)state;
    struct buf b = {0}, again = {0};
    struct amqp_properties p = full(BYTES("\1aI\0\0\0\1")), back;
    amqp_properties_encode(&b, &p);
    assert_int_equal(amqp_properties_decode(buf_slice(&b), &back), 0);
    assert_int_equal(back.flags, all_flags);
    assert_int_equal(back.timestamp, p.timestamp);
    assert_true(slice_is(back.content_type, "text/plain"));
    assert_true(slice_is(back.cluster_id, "cl"));
    amqp_properties_encode(&again, &back);
    assert_true(slice_equal(buf_slice(&b), buf_slice(&again)));
    struct amqp_properties_brief brief;
    assert_int_equal(amqp_properties_brief(buf_slice(&b), &brief), 0);
    assert_int_equal(brief.delivery_mode, 2);
    assert_int_equal(brief.priority, 9);
    assert_true(slice_is(brief.expiration, "60000"));
    assert_true(slice_is(brief.reply_to, "reply"));
    assert_true(slice_is(brief.user_id, "guest"));
    assert_true(slice_equal(brief.headers, p.headers));
    buf_close(&again);
    buf_close(&b);
}

static void every_subset_is_read_alike_by_both_readers(void **state)
{
    (void)state;
    struct buf b = {0};
    for (unsigned flags = 0; flags <= all_flags; flags += 4) {
        struct amqp_properties p = full(BYTES("\1aV")), back;
        struct amqp_properties_brief brief;
        p.flags = (uint16_t)flags;
        buf_clear(&b);
        amqp_properties_encode(&b, &p);
        assert_int_equal(amqp_properties_decode(buf_slice(&b), &back), 0);
        assert_int_equal(amqp_properties_brief(buf_slice(&b), &brief), 0);
        assert_true(slice_equal(back.expiration, brief.expiration));
        assert_true(slice_equal(back.headers, brief.headers));
        assert_true(slice_equal(back.user_id, brief.user_id));
        assert_int_equal(back.priority, brief.priority);
        if (b.size > 2) {
            assert_int_equal(amqp_properties_decode(slice_of(b.data, b.size - 1), &back), AMQP_FRAME_ERROR);
            assert_int_equal(amqp_properties_brief(slice_of(b.data, b.size - 1), &brief), AMQP_FRAME_ERROR);
        }
    }
    buf_close(&b);
}

static void damage_is_refused(void **state)
{
    (void)state;
    struct amqp_properties p;
    struct amqp_properties_brief brief;
    struct slice cases[] = {BYTES(""), BYTES("\0"), BYTES("\0\1"), BYTES("\0\2"), BYTES("\0\0x"), BYTES("\x80\0\5ab")};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(amqp_properties_decode(cases[i], &p), AMQP_FRAME_ERROR);
        assert_int_equal(amqp_properties_brief(cases[i], &brief), AMQP_FRAME_ERROR);
    }
    assert_int_equal(amqp_properties_decode(BYTES("\x20\0\0\0\0\3\1aZ"), &p), AMQP_SYNTAX_ERROR);
    assert_int_equal(amqp_properties_brief(BYTES("\x20\0\0\0\0\3\1aZ"), &brief), AMQP_SYNTAX_ERROR);
}

static void headers_are_replaced_and_the_rest_is_kept(void **state)
{
    (void)state;
    struct buf raw = {0}, b = {0};
    struct amqp_properties p = full(BYTES("\1aV")), back;
    amqp_properties_encode(&raw, &p);
    amqp_properties_replace_headers(&b, buf_slice(&raw), BYTES("\1bV\1cV"), AMQP_HAS_EXPIRATION);
    assert_int_equal(amqp_properties_decode(buf_slice(&b), &back), 0);
    assert_int_equal(back.flags, all_flags & ~AMQP_HAS_EXPIRATION);
    assert_true(slice_equal(back.headers, BYTES("\1bV\1cV")));
    assert_true(slice_is(back.app_id, "app"));
    buf_clear(&b);
    amqp_properties_replace_headers(&b, buf_slice(&raw), slice_of(NULL, 0), 0);
    assert_int_equal(amqp_properties_decode(buf_slice(&b), &back), 0);
    assert_int_equal(back.flags, all_flags);
    assert_int_equal(back.headers.size, 0);
    buf_clear(&b);
    amqp_properties_replace_headers(&b, BYTES("\0\0"), slice_of(NULL, 0), 0);
    assert_true(slice_equal(buf_slice(&b), BYTES("\0\0")));
    buf_clear(&b);
    amqp_properties_replace_headers(&b, BYTES("\0\0"), BYTES("\1bV"), 0);
    assert_true(slice_equal(buf_slice(&b), BYTES("\x20\0\0\0\0\3\1bV")));
    buf_close(&raw);
    buf_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_fourteen_survive_a_round_trip),
        cmocka_unit_test(every_subset_is_read_alike_by_both_readers),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(headers_are_replaced_and_the_rest_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
