#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "node/amqp/frame.h"

#define BYTES(text) slice_of(text, sizeof(text) - 1)

static void a_frame_is_cut_only_when_it_is_whole(void **state)
{
    (void)state;
    struct slice bytes = BYTES("\1\0\5\0\0\0\3abc\xce");
    struct amqp_frame f;
    for (size_t size = 0; size < bytes.size; size++)
        assert_int_equal(amqp_frame_parse(slice_of(bytes.data, size), 4096, &f), AMQP_PARSE_MORE);
    assert_int_equal(amqp_frame_parse(bytes, 4096, &f), AMQP_PARSE_DONE);
    assert_int_equal(f.type, AMQP_FRAME_METHOD);
    assert_int_equal(f.channel, 5);
    assert_true(slice_is(f.payload, "abc"));
}

static void a_wrong_end_octet_is_seen(void **state)
{
    (void)state;
    struct amqp_frame f;
    assert_int_equal(amqp_frame_parse(BYTES("\1\0\5\0\0\0\3abc\xcd"), 4096, &f), AMQP_PARSE_BAD_END);
    assert_true(slice_is(f.payload, "abc"));
}

static void a_frame_above_the_limit_is_refused_from_its_head(void **state)
{
    (void)state;
    struct amqp_frame f;
    assert_int_equal(amqp_frame_parse(BYTES("\3\0\1\0\0\x10\x00"), 4096, &f), AMQP_PARSE_MORE);
    assert_int_equal(amqp_frame_parse(BYTES("\3\0\1\0\0\x10\x01"), 4096, &f), AMQP_PARSE_TOO_LARGE);
    assert_int_equal(amqp_frame_parse(BYTES("\3\0\1\xff\xff\xff\xff"), 4096, &f), AMQP_PARSE_TOO_LARGE);
    assert_int_equal(amqp_frame_parse(BYTES("\3\0\1\xff\xff\xff\xff"), 0, &f), AMQP_PARSE_MORE);
}

static void a_foreign_protocol_header_is_seen_at_its_first_byte(void **state)
{
    (void)state;
    assert_int_equal(amqp_protocol_header_parse(BYTES("")), AMQP_PARSE_MORE);
    assert_int_equal(amqp_protocol_header_parse(BYTES("AMQP")), AMQP_PARSE_MORE);
    assert_int_equal(amqp_protocol_header_parse(BYTES("AMQP\0\0\x09\1")), AMQP_PARSE_DONE);
    assert_int_equal(amqp_protocol_header_parse(BYTES("AMQP\0\0\x09\1more")), AMQP_PARSE_DONE);
    assert_int_equal(amqp_protocol_header_parse(BYTES("AMQP\1\1\0\x09")), AMQP_PARSE_DONE);
    assert_int_equal(amqp_protocol_header_parse(BYTES("AMQP\1\1\0")), AMQP_PARSE_MORE);
    assert_int_equal(amqp_protocol_header_parse(BYTES("AMQP\1\1\0\x0a")), AMQP_PARSE_NOT_AMQP_0_9_1);
    assert_int_equal(amqp_protocol_header_parse(BYTES("AMQP\1\1\x08\0")), AMQP_PARSE_NOT_AMQP_0_9_1);
    assert_int_equal(amqp_protocol_header_parse(BYTES("G")), AMQP_PARSE_NOT_AMQP_0_9_1);
    struct buf b = {0};
    amqp_protocol_header_put(&b);
    assert_int_equal(amqp_protocol_header_parse(buf_slice(&b)), AMQP_PARSE_DONE);
    buf_close(&b);
}

/* Takes the next frame off the front of `rest`. */
static struct amqp_frame take(struct slice *rest, uint32_t frame_max)
{
    struct amqp_frame f;
    assert_int_equal(amqp_frame_parse(*rest, frame_max, &f), AMQP_PARSE_DONE);
    size_t size = f.payload.size + AMQP_FRAME_OVERHEAD;
    *rest = slice_of(rest->data + size, rest->size - size);
    return f;
}

static void check_content(struct slice *rest, uint32_t frame_max, const struct amqp_delivery *d)
{
    struct amqp_content_header header;
    struct amqp_frame f = take(rest, frame_max);
    assert_int_equal(f.type, AMQP_FRAME_HEADER);
    assert_true(amqp_content_header_decode(f.payload, &header));
    assert_int_equal(header.class_id, AMQP_CLASS_BASIC);
    assert_int_equal(header.body_size, d->body.size);
    assert_true(slice_equal(header.properties, d->properties));
    size_t seen = 0;
    while (seen < d->body.size) {
        f = take(rest, frame_max);
        assert_int_equal(f.type, AMQP_FRAME_BODY);
        assert_true(slice_equal(f.payload, slice_of(d->body.data + seen, f.payload.size)));
        seen += f.payload.size;
    }
    assert_int_equal(seen, d->body.size);
    assert_int_equal(rest->size, 0);
}

static void deliveries_of_all_sizes_are_framed(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 4087, 4088, 4089, 8176, 8177, 100000};
    uint8_t *body = mem_zalloc(100000);
    struct buf b = {0};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct amqp_delivery d = {
            .consumer_tag = slice_str("ctag"),
            .delivery_tag = 77,
            .redelivered = true,
            .message_count = 12,
            .reply_code = 312,
            .reply_text = slice_str("NO_ROUTE"),
            .exchange = slice_str("x"),
            .routing_key = slice_str("key"),
            .properties = BYTES("\x10\0\2"),
            .body = slice_of(body, sizes[i]),
        };
        struct amqp_method m;
        buf_clear(&b);
        amqp_deliver_put(&b, 9, 4096, &d);
        struct slice rest = buf_slice(&b);
        struct amqp_frame f = take(&rest, 4096);
        assert_int_equal(f.channel, 9);
        assert_int_equal(amqp_method_decode(f.payload, &m), 0);
        assert_int_equal(amqp_method_number(&m), AMQP_BASIC_DELIVER);
        assert_true(slice_is(m.basic_deliver.consumer_tag, "ctag"));
        assert_int_equal(m.basic_deliver.delivery_tag, 77);
        assert_true(m.basic_deliver.redelivered);
        assert_true(slice_is(m.basic_deliver.exchange, "x"));
        assert_true(slice_is(m.basic_deliver.routing_key, "key"));
        check_content(&rest, 4096, &d);

        buf_clear(&b);
        amqp_get_ok_put(&b, 9, 4096, &d);
        rest = buf_slice(&b);
        assert_int_equal(amqp_method_decode(take(&rest, 4096).payload, &m), 0);
        assert_int_equal(m.basic_get_ok.message_count, 12);
        assert_int_equal(m.basic_get_ok.delivery_tag, 77);
        check_content(&rest, 4096, &d);

        buf_clear(&b);
        amqp_return_put(&b, 9, 4096, &d);
        rest = buf_slice(&b);
        assert_int_equal(amqp_method_decode(take(&rest, 4096).payload, &m), 0);
        assert_int_equal(m.basic_return.reply_code, 312);
        assert_true(slice_is(m.basic_return.reply_text, "NO_ROUTE"));
        check_content(&rest, 4096, &d);
    }
    mem_free(body);
    buf_close(&b);
}

static void the_small_encoders_agree_with_the_table(void **state)
{
    (void)state;
    struct buf fast = {0}, slow = {0};
    struct amqp_method m = amqp_method_of(AMQP_BASIC_ACK);
    m.basic_ack = (struct amqp_basic_ack){300, true};
    amqp_ack_put(&fast, 4, 300, true);
    amqp_method_put(&slow, 4, &m);
    assert_true(slice_equal(buf_slice(&fast), buf_slice(&slow)));
    m = amqp_method_of(AMQP_BASIC_NACK);
    m.basic_nack = (struct amqp_basic_nack){301, false, false};
    amqp_nack_put(&fast, 4, 301, false);
    amqp_method_put(&slow, 4, &m);
    assert_true(slice_equal(buf_slice(&fast), buf_slice(&slow)));
    buf_clear(&fast);
    buf_clear(&slow);
    amqp_heartbeat_put(&fast);
    assert_true(slice_equal(buf_slice(&fast), BYTES("\x08\0\0\0\0\0\0\xce")));
    buf_clear(&fast);
    amqp_header_put(&fast, 1, 5, BYTES("\0\0"));
    amqp_body_put(&fast, 1, slice_str("hello"), 0);
    assert_true(slice_equal(buf_slice(&fast), BYTES("\2\0\1\0\0\0\x0e\0\x3c\0\0\0\0\0\0\0\0\0\5\0\0\xce"
                                                    "\3\0\1\0\0\0\5hello\xce")));
    buf_close(&fast);
    buf_close(&slow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_cut_only_when_it_is_whole),
        cmocka_unit_test(a_wrong_end_octet_is_seen),
        cmocka_unit_test(a_frame_above_the_limit_is_refused_from_its_head),
        cmocka_unit_test(a_foreign_protocol_header_is_seen_at_its_first_byte),
        cmocka_unit_test(deliveries_of_all_sizes_are_framed),
        cmocka_unit_test(the_small_encoders_agree_with_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
