/* What in headers steers the broker: keys, producers, delays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/amqp/marks.h"
#include "node/amqp/table.h"

static struct amqp_value integer(uint8_t type, int64_t n)
{
    return (struct amqp_value){.type = type, .integer = n};
}

static struct amqp_value text(const char *s)
{
    return (struct amqp_value){.type = 'S', .bytes = slice_str(s)};
}

static bool find_one(const char *header, struct amqp_value v, struct amqp_marks *m)
{
    struct buf headers = {0};
    amqp_table_put_value(&headers, slice_str(header), &v);
    bool found = amqp_marks_find(buf_slice(&headers), m);
    buf_close(&headers);
    return found;
}

static void ordinary_headers_are_none(void **state)
{
    (void)state;
    struct amqp_marks m;
    assert_false(amqp_marks_find((struct slice){0}, &m));
    assert_false(find_one("x-other", text("a"), &m));
    assert_false(find_one("delay", integer('I', 5), &m));
}

static void keys_of_equal_value_are_equal(void **state)
{
    (void)state;
    struct amqp_marks a, b;
    assert_true(find_one("x-deduplication-header", integer('b', 5), &a));
    assert_true(find_one("x-deduplication-header", integer('l', 5), &b));
    assert_true(slice_equal(amqp_mark_slice(&a.key), amqp_mark_slice(&b.key)));
    assert_true(find_one("x-deduplication-header", text("5"), &b));
    assert_false(slice_equal(amqp_mark_slice(&a.key), amqp_mark_slice(&b.key)));
    assert_true(find_one("x-deduplication-header", text(""), &b)); /* empty is a value, too */
    assert_true(find_one("x-deduplication-header", (struct amqp_value){.type = 't', .boolean = true}, &b));
    assert_false(find_one("x-deduplication-header", (struct amqp_value){.type = 'V'}, &b));
}

static void a_long_key_is_one_of_its_own(void **state)
{
    (void)state;
    struct amqp_marks a, b;
    char long_text[400];
    memset(long_text, 'x', sizeof long_text);
    long_text[399] = 0;
    assert_true(find_one("x-deduplication-header", text(long_text), &a));
    assert_true(find_one("x-deduplication-header", text(long_text), &b));
    assert_true(slice_equal(amqp_mark_slice(&a.key), amqp_mark_slice(&b.key)));
    long_text[398] = 'y';
    assert_true(find_one("x-deduplication-header", text(long_text), &b));
    assert_false(slice_equal(amqp_mark_slice(&a.key), amqp_mark_slice(&b.key)));
}

static void a_producer_needs_a_sequence(void **state)
{
    (void)state;
    struct amqp_marks m;
    struct buf headers = {0};
    amqp_table_put_string(&headers, "x-producer-id", slice_str("p"));
    assert_false(amqp_marks_find(buf_slice(&headers), &m));
    size_t size = headers.size;
    amqp_table_put_integer(&headers, "x-producer-sequence", -1);
    assert_false(amqp_marks_find(buf_slice(&headers), &m));
    headers.size = size;
    amqp_table_put_integer(&headers, "x-producer-sequence", 0);
    assert_true(amqp_marks_find(buf_slice(&headers), &m));
    assert_int_equal(m.sequence, 0);
    assert_int_equal(m.producer.size, 2);
    buf_close(&headers);
}

static void delays_are_positive_and_bounded(void **state)
{
    (void)state;
    struct amqp_marks m;
    assert_true(find_one("x-delay", integer('I', 5000), &m));
    assert_int_equal(m.delay_ms, 5000);
    assert_true(find_one("x-delay", (struct amqp_value){.type = 'd', .real = 7.9}, &m));
    assert_int_equal(m.delay_ms, 7);
    assert_false(find_one("x-delay", integer('I', 0), &m));
    assert_false(find_one("x-delay", integer('I', -5), &m));
    assert_false(find_one("x-delay", integer('l', AMQP_DELAY_MS_MAX + 1), &m));
    assert_false(find_one("x-delay", text("5000"), &m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_headers_are_none),       cmocka_unit_test(keys_of_equal_value_are_equal),
        cmocka_unit_test(a_long_key_is_one_of_its_own),    cmocka_unit_test(a_producer_needs_a_sequence),
        cmocka_unit_test(delays_are_positive_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
