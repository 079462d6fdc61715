/* Buffers and readers: what is written is read back, and no reader passes the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/blob.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/reader.h"

static void integers_come_back_as_they_were_written(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 1, 127, 128, 300, 65535, 1ull << 32, UINT64_MAX};
    struct buf b = {0};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        buf_put_varint(&b, values[i]);
        buf_put_be64(&b, values[i]);
        buf_put_le32(&b, (uint32_t)values[i]);
        buf_put_be16(&b, (uint16_t)values[i]);
    }
    struct reader r = reader_of(buf_slice(&b));
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_true(reader_varint(&r) == values[i]);
        assert_true(reader_be64(&r) == values[i]);
        assert_int_equal(reader_le32(&r), (uint32_t)values[i]);
        assert_int_equal(reader_be16(&r), (uint16_t)values[i]);
    }
    assert_false(r.failed);
    assert_int_equal(reader_left(&r), 0);
    buf_close(&b);
}

static void a_reader_fails_at_the_end_and_stays_failed(void **state)
{
    (void)state;
    uint8_t bytes[] = {5, 1, 2};
    struct reader r = reader_of(slice_of(bytes, sizeof bytes));
    assert_null(reader_counted(&r).data);
    assert_true(r.failed);
    assert_int_equal(reader_u8(&r), 0);
    uint8_t endless[11];
    memset(endless, 0xff, sizeof endless);
    r = reader_of(slice_of(endless, sizeof endless));
    reader_varint(&r);
    assert_true(r.failed);
}

static void big_endian_is_the_network_order(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_put_be32(&b, 0x01020304);
    assert_memory_equal(b.data, "\1\2\3\4", 4);
    buf_set_be16(&b, 1, 0x0a0b);
    assert_memory_equal(b.data, "\1\12\13\4", 4);
    buf_consume(&b, 1);
    assert_memory_equal(b.data, "\12\13\4", 3);
    buf_close(&b);
}

static void a_blob_lives_until_its_last_reference_goes(void **state)
{
    (void)state;
    struct blob *b = blob_copy("carrots", 7);
    blob_ref(b);
    blob_unref(b);
    assert_memory_equal(b->data, "carrots", 7);
    blob_unref(b);
    blob_unref(NULL);
}

static void an_error_grows_words_in_front(void **state)
{
    (void)state;
    struct err e;
    assert_int_equal(err_set_errno(&e, 28, "write"), ERR_NO_SPACE);
    assert_int_equal(err_wrap(&e, "segment %d", 12), ERR_NO_SPACE);
    assert_string_equal(e.text, "segment 12: write: No space left on device");
    assert_int_equal(err_set(NULL, ERR_BUSY, "nobody listens"), ERR_BUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_come_back_as_they_were_written), cmocka_unit_test(a_reader_fails_at_the_end_and_stays_failed),
        cmocka_unit_test(big_endian_is_the_network_order),         cmocka_unit_test(a_blob_lives_until_its_last_reference_goes),
        cmocka_unit_test(an_error_grows_words_in_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
