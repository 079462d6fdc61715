#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/amqp/spec.h"
#include "node/amqp/table.h"

static struct slice bytes_of(const char *text, size_t size)
{
    return slice_of(text, size);
}
#define BYTES(text) bytes_of(text, sizeof(text) - 1)

static void every_type_is_read(void **state)
{
    (void)state;
    struct slice table = BYTES("\1at\1"
                               "\1bb\xff"
                               "\1cB\xff"
                               "\1ds\xff\xfe"
                               "\1eu\xff\xfe"
                               "\1fI\xff\xff\xff\xfd"
                               "\1gi\xff\xff\xff\xfd"
                               "\1hl\xff\xff\xff\xff\xff\xff\xff\xfc"
                               "\1iL\xff\xff\xff\xff\xff\xff\xff\xfb"
                               "\1jf\x3f\x80\0\0"
                               "\1kd\x3f\xf8\0\0\0\0\0\0"
                               "\1lD\2\0\0\1\0"
                               "\1mS\0\0\0\2hi"
                               "\1nx\0\0\0\1\0"
                               "\1oT\0\0\0\0\0\0\0\7"
                               "\1pV"
                               "\1qF\0\0\0\3\1zV"
                               "\1rA\0\0\0\3Vt\1");
    assert_int_equal(amqp_table_validate(table), 0);
    static const int64_t integers[] = {0, -1, 255, -2, 65534, -3, 4294967293, -4, -5};
    struct reader r = reader_of(table);
    struct slice key;
    struct amqp_value v;
    int64_t n;
    char letter = 'a';
    while (amqp_table_next(&r, &key, &v)) {
        assert_int_equal(key.size, 1);
        assert_int_equal(key.data[0], letter);
        bool integer = letter >= 'b' && letter <= 'i';
        assert_int_equal(amqp_value_integer(&v, &n), integer);
        if (integer) assert_int_equal(n, integers[letter - 'a']);
        letter++;
    }
    assert_false(r.failed);
    assert_int_equal(letter, 's');
    assert_true(amqp_table_find(table, "k", &v) && v.real == 1.5);
    assert_true(amqp_table_find(table, "l", &v) && v.decimal.scale == 2 && v.decimal.unscaled == 256);
    assert_true(amqp_table_find(table, "o", &v) && v.integer == 7);
    bool yes = false;
    assert_true(amqp_table_find_bool(table, "a", &yes) && yes);
    assert_false(amqp_table_find_bool(table, "b", &yes));
    struct slice text;
    assert_true(amqp_table_find_string(table, "m", &text) && slice_is(text, "hi"));
    assert_false(amqp_table_find_string(table, "none", &text));
}

static void an_unknown_type_is_a_syntax_error(void **state)
{
    (void)state;
    assert_int_equal(amqp_table_validate(BYTES("\1aZ")), AMQP_SYNTAX_ERROR);
}

static void every_prefix_of_a_table_is_refused(void **state)
{
    (void)state;
    struct slice table = BYTES("\1aF\0\0\0\x08\1bI\0\0\0\1\0");
    struct slice good = BYTES("\1aF\0\0\0\x07\1bI\0\0\0\1");
    assert_int_equal(amqp_table_validate(good), 0);
    for (size_t size = 1; size < good.size; size++)
        assert_int_equal(amqp_table_validate(slice_of(good.data, size)), AMQP_SYNTAX_ERROR);
    assert_int_equal(amqp_table_validate(table), AMQP_SYNTAX_ERROR);
}

static void nest(struct buf *b, unsigned depth)
{
    if (!depth) return;
    size_t at = amqp_table_open_table(b, "n");
    nest(b, depth - 1);
    amqp_nested_close(b, at);
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    struct buf b = {0};
    nest(&b, AMQP_TABLE_DEPTH_MAX - 1);
    assert_int_equal(amqp_table_validate(buf_slice(&b)), 0);
    buf_clear(&b);
    nest(&b, AMQP_TABLE_DEPTH_MAX);
    assert_int_equal(amqp_table_validate(buf_slice(&b)), AMQP_SYNTAX_ERROR);
    buf_close(&b);
}

static void integers_are_equal_by_value_and_order_does_not_matter(void **state)
{
    (void)state;
    assert_true(amqp_table_equal(BYTES("\1ab\5\1bS\0\0\0\1x"), BYTES("\1bS\0\0\0\1x\1al\0\0\0\0\0\0\0\5")));
    assert_false(amqp_table_equal(BYTES("\1ab\5"), BYTES("\1al\0\0\0\0\0\0\0\6")));
    assert_false(amqp_table_equal(BYTES("\1ab\5"), BYTES("\1ab\5\1bb\5")));
    assert_false(amqp_table_equal(BYTES("\1ab\5\1bb\5"), BYTES("\1ab\5")));
    assert_false(amqp_table_equal(BYTES("\1ab\1"), BYTES("\1at\1")));
    assert_true(amqp_table_equal(BYTES("\1aA\0\0\0\4b\1b\2"), BYTES("\1aA\0\0\0\6u\0\1u\0\2")));
    assert_false(amqp_table_equal(BYTES("\1aA\0\0\0\4b\1b\2"), BYTES("\1aA\0\0\0\2b\1")));
    assert_true(amqp_table_equal(BYTES("\1af\x3f\x80\0\0"), BYTES("\1ad\x3f\xf0\0\0\0\0\0\0")));
    assert_true(amqp_table_equal(BYTES(""), BYTES("")));
}

static void deeply_nested_tables_are_compared_in_linear_time(void **state)
{
    (void)state;
    struct buf a = {0}, b = {0};
    size_t open_a[AMQP_TABLE_DEPTH_MAX], open_b[AMQP_TABLE_DEPTH_MAX];
    for (unsigned i = 0; i < AMQP_TABLE_DEPTH_MAX - 1; i++) {
        open_a[i] = amqp_table_open_table(&a, "n");
        open_b[i] = amqp_table_open_table(&b, "n");
    }
    amqp_table_put_integer(&a, "v", 1);
    amqp_table_put_value(&b, slice_str("v"), &(struct amqp_value){.type = 'l', .integer = 1});
    for (unsigned i = AMQP_TABLE_DEPTH_MAX - 1; i-- > 0;) {
        amqp_nested_close(&a, open_a[i]);
        amqp_nested_close(&b, open_b[i]);
    }
    assert_true(amqp_table_equal(buf_slice(&a), buf_slice(&b)));
    buf_close(&a);
    buf_close(&b);
}

static void what_is_built_is_read_back_and_printed(void **state)
{
    (void)state;
    struct buf b = {0}, text = {0};
    amqp_table_put_bool(&b, "yes", true);
    amqp_table_put_integer(&b, "small", 7);
    amqp_table_put_integer(&b, "big", INT64_C(5000000000));
    amqp_table_put_string(&b, "s", slice_str("a\"b"));
    amqp_table_put_timestamp(&b, "when", 99);
    size_t list = amqp_table_open_array(&b, "list");
    amqp_array_put_string(&b, slice_str("one"));
    size_t inner = amqp_array_open_table(&b);
    amqp_table_put_bool(&b, "no", false);
    amqp_nested_close(&b, inner);
    amqp_nested_close(&b, list);
    assert_int_equal(amqp_table_validate(buf_slice(&b)), 0);
    int64_t n;
    assert_true(amqp_table_find_integer(buf_slice(&b), "big", &n) && n == INT64_C(5000000000));
    amqp_table_print(&text, buf_slice(&b));
    assert_true(slice_is(buf_slice(&text), "{yes: true, small: 7, big: 5000000000, s: \"a\\x22b\", when: 99, "
                                           "list: [\"one\", {no: false}]}"));
    /* copying value by value gives the same bytes */
    struct buf copy = {0};
    struct reader r = reader_of(buf_slice(&b));
    struct slice key;
    struct amqp_value v;
    while (amqp_table_next(&r, &key, &v)) amqp_table_put_value(&copy, key, &v);
    assert_true(slice_equal(buf_slice(&b), buf_slice(&copy)));
    buf_close(&copy);
    buf_close(&text);
    buf_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_read),
        cmocka_unit_test(an_unknown_type_is_a_syntax_error),
        cmocka_unit_test(every_prefix_of_a_table_is_refused),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(integers_are_equal_by_value_and_order_does_not_matter),
        cmocka_unit_test(deeply_nested_tables_are_compared_in_linear_time),
        cmocka_unit_test(what_is_built_is_read_back_and_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
