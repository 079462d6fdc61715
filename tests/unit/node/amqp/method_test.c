#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/amqp/method.h"
#include "node/amqp/table.h"

#define BYTES(text) slice_of(text, sizeof(text) - 1)

static void a_publish_is_decoded_bit_by_bit(void **state)
{
    (void)state;
    struct amqp_method m;
    struct slice payload = BYTES("\0\x3c\0\x28\0\0\2ex\3key\3");
    assert_int_equal(amqp_method_decode(payload, &m), 0);
    assert_int_equal(amqp_method_number(&m), AMQP_BASIC_PUBLISH);
    assert_true(slice_is(m.basic_publish.exchange, "ex"));
    assert_true(slice_is(m.basic_publish.routing_key, "key"));
    assert_true(m.basic_publish.mandatory);
    assert_true(m.basic_publish.immediate);
    for (size_t size = 4; size < payload.size; size++)
        assert_int_equal(amqp_method_decode(slice_of(payload.data, size), &m), AMQP_FRAME_ERROR);
    assert_int_equal(amqp_method_decode(BYTES("\0\x3c\0\x28\0\0\2ex\3key\3\0"), &m), AMQP_FRAME_ERROR);
}

static void settlements_are_decoded_bit_by_bit(void **state)
{
    (void)state;
    struct amqp_method m;
    assert_int_equal(amqp_method_decode(BYTES("\0\x3c\0\x50\0\0\0\0\0\0\1\2\1"), &m), 0);
    assert_int_equal(m.basic_ack.delivery_tag, 258);
    assert_true(m.basic_ack.multiple);
    assert_int_equal(amqp_method_decode(BYTES("\0\x3c\0\x78\0\0\0\0\0\0\0\1\2"), &m), 0);
    assert_false(m.basic_nack.multiple);
    assert_true(m.basic_nack.requeue);
    assert_int_equal(amqp_method_decode(BYTES("\0\x3c\0\x5a\0\0\0\0\0\0\0\1\1"), &m), 0);
    assert_true(m.basic_reject.requeue);
    assert_int_equal(amqp_method_decode(BYTES("\0\x3c\0\x5a\0\0\0\0\0\0\0\1"), &m), AMQP_FRAME_ERROR);
}

static void faults_have_their_reply_codes(void **state)
{
    (void)state;
    struct amqp_method m;
    assert_int_equal(amqp_method_decode(BYTES("\0\x0a"), &m), AMQP_FRAME_ERROR);
    assert_int_equal(amqp_method_decode(BYTES("\0\x0a\0\x63"), &m), AMQP_NOT_IMPLEMENTED);
    assert_int_equal(m.method_id, 99);
    /* queue.unbind with an argument of the type Z */
    assert_int_equal(amqp_method_decode(BYTES("\0\x32\0\x32\0\0\1q\1e\1k\0\0\0\3\1aZ"), &m), AMQP_SYNTAX_ERROR);
    assert_int_equal(amqp_method_decode(BYTES("\0\x32\0\x32\0\0\1q\1e\1k\0\0\0\3\1aV"), &m), 0);
    assert_true(slice_equal(m.queue_unbind.arguments, BYTES("\1aV")));
}

static void bits_share_an_octet(void **state)
{
    (void)state;
    struct buf b = {0};
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE), back;
    m.queue_declare.queue = slice_str("q");
    m.queue_declare.durable = true;
    m.queue_declare.no_wait = true;
    amqp_method_encode(&b, &m);
    assert_true(slice_equal(buf_slice(&b), BYTES("\0\x32\0\x0a\0\0\1q\x12\0\0\0\0")));
    assert_int_equal(amqp_method_decode(buf_slice(&b), &back), 0);
    assert_true(back.queue_declare.durable && back.queue_declare.no_wait);
    assert_false(back.queue_declare.passive || back.queue_declare.exclusive || back.queue_declare.auto_delete);
    buf_close(&b);
}

/* Any bytes that decode are encoded to the same bytes again: the table describes both ways alike. */
static void every_method_survives_a_round_trip(void **state)
{
    (void)state;
    struct buf b = {0}, again = {0}, text = {0};
    unsigned count = 0;
    for (unsigned number = amqp_method_next(0); number; number = amqp_method_next(number), count++) {
        struct amqp_method m = amqp_method_of(number), back;
        buf_clear(&b);
        buf_clear(&again);
        amqp_method_encode(&b, &m);
        assert_int_equal(amqp_method_decode(buf_slice(&b), &back), 0);
        assert_int_equal(amqp_method_number(&back), number);
        amqp_method_encode(&again, &back);
        assert_true(slice_equal(buf_slice(&b), buf_slice(&again)));
        assert_non_null(amqp_method_name(m.class_id, m.method_id));
        assert_true(amqp_method_flags(m.class_id, m.method_id) & (AMQP_FROM_CLIENT | AMQP_FROM_SERVER));
        amqp_method_print(&text, &m);
        assert_true(b.size == 4 || amqp_method_decode(slice_of(b.data, b.size - 1), &back) == AMQP_FRAME_ERROR);
    }
    assert_int_equal(count, 66);
    buf_close(&text);
    buf_close(&again);
    buf_close(&b);
}

static void printing_shows_fields_but_no_passwords(void **state)
{
    (void)state;
    struct buf text = {0};
    struct amqp_method m = amqp_method_of(AMQP_BASIC_ACK);
    m.basic_ack = (struct amqp_basic_ack){3, true};
    amqp_method_print(&text, &m);
    assert_true(slice_is(buf_slice(&text), "basic.ack delivery_tag=3 multiple=true"));
    buf_clear(&text);
    m = amqp_method_of(AMQP_CONNECTION_START_OK);
    m.connection_start_ok.mechanism = slice_str("PLAIN");
    m.connection_start_ok.response = slice_str("secret");
    amqp_method_print(&text, &m);
    assert_true(slice_is(buf_slice(&text),
                         "connection.start-ok client_properties={} mechanism=\"PLAIN\" response=*** locale=\"\""));
    buf_close(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_publish_is_decoded_bit_by_bit),    cmocka_unit_test(settlements_are_decoded_bit_by_bit),
        cmocka_unit_test(faults_have_their_reply_codes),      cmocka_unit_test(bits_share_an_octet),
        cmocka_unit_test(every_method_survives_a_round_trip), cmocka_unit_test(printing_shows_fields_but_no_passwords),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
