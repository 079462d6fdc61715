/* Looking for many keys in one field table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/table_index.h"

enum {
    MANY = 100000,
    SECONDS_MAX = 8, /* of the processor; looking through the table for each key takes many times that */
};

static void put(struct buf *b, unsigned key, int64_t value)
{
    char text[16];
    int size = snprintf(text, sizeof text, "k%05u", key);
    buf_put_u8(b, (uint8_t)size);
    buf_put(b, text, (size_t)size);
    buf_put_u8(b, 'l');
    buf_put_be64(b, (uint64_t)value);
}

static void answers_are_those_of_the_table(void **state)
{
    (void)state;
    for (unsigned size = 0; size < 200; size += 11) {
        struct buf table = {0};
        struct table_index index;
        for (unsigned i = 0; i < size; i++) put(&table, i * 7 % 150, i); /* some come twice: the first counts */
        table_index_open(&index, buf_slice(&table));
        for (unsigned round = 0; round < 2; round++)
            for (unsigned key = 0; key < 160; key++) {
                char text[16];
                struct table_value found = {0}, expected = {0};
                snprintf(text, sizeof text, "k%05u", key);
                bool is = table_find(buf_slice(&table), slice_str(text), &expected);
                assert_int_equal(table_index_find(&index, slice_str(text), &found), is);
                if (is) assert_int_equal(found.integer, expected.integer);
            }
        table_index_close(&index);
        buf_close(&table);
    }
}

static void large_tables_are_compared_quickly(void **state)
{
    (void)state;
    struct buf up = {0}, down = {0};
    clock_t start = clock();
    for (unsigned i = 0; i < MANY; i++) put(&up, i, i), put(&down, MANY - 1 - i, MANY - 1 - i);
    assert_true(table_equal(buf_slice(&up), buf_slice(&down)));
    put(&up, MANY, 1);
    put(&down, MANY, 2);
    assert_false(table_equal(buf_slice(&up), buf_slice(&down)));
    assert_true((clock() - start) / CLOCKS_PER_SEC < SECONDS_MAX);
    buf_close(&up);
    buf_close(&down);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_those_of_the_table),
        cmocka_unit_test(large_tables_are_compared_quickly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
