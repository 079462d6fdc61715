/* Field tables as JSON and back; base64. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/amqp/table.h"
#include "node/http/base64.h"
#include "node/http/http_internal.h"
#include "router/json.h"

static json_t *parse(const char *text)
{
    json_t *value = json_loads(text, 0, NULL);
    assert_non_null(value);
    return value;
}

static void expect_same(const char *text)
{
    struct buf table = {0};
    json_t *before = parse(text);
    assert_true(table_of_json(&table, before));
    assert_int_equal(amqp_table_validate(buf_slice(&table)), 0);
    json_t *after = json_table(buf_slice(&table));
    assert_true(json_equal(before, after));
    json_decref(before);
    json_decref(after);
    buf_close(&table);
}

static void an_object_comes_back_from_a_table(void **state)
{
    (void)state;
    expect_same("{}");
    expect_same("{\"n\":-9007199254740993,\"r\":2.5,\"s\":\"h\\u00e9\",\"t\":true,\"f\":false,\"v\":null}");
    expect_same("{\"list\":[1,\"two\",[3,{\"four\":[]}]],\"table\":{\"x-match\":\"all\"}}");
}

static void what_is_no_table_is_refused(void **state)
{
    (void)state;
    struct buf table = {0};
    json_t *array = parse("[1]"), *none = parse("[]"), *deep = json_object(), *wide = json_object();
    char key[300];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = 0;
    for (int i = 0; i < 64; i++) deep = json_pack("{s:o}", "x", deep);
    json_object_set_new(wide, key, json_true());
    assert_false(table_of_json(&table, array));
    assert_true(table_of_json(&table, none)); /* how Erlang writes an empty object */
    assert_false(table_of_json(&table, deep));
    assert_false(table_of_json(&table, wide));
    json_decref(array);
    json_decref(none);
    json_decref(deep);
    json_decref(wide);
    buf_close(&table);
}

static void bytes_that_are_no_text_are_replaced(void **state)
{
    (void)state;
    json_t *text = json_slice(slice_of("a\xff"
                                       "b",
                                       3));
    assert_string_equal(json_string_value(text), "a\xef\xbf\xbd"
                                                 "b");
    json_decref(text);
}

static void base64_goes_both_ways(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"\xff\xfe", "//4="}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct buf coded = {0}, plain = {0};
        base64_encode(&coded, slice_str(pairs[i][0]));
        assert_true(slice_is(buf_slice(&coded), pairs[i][1]));
        assert_true(base64_decode(&plain, buf_slice(&coded)));
        assert_true(slice_is(buf_slice(&plain), pairs[i][0]));
        buf_close(&coded);
        buf_close(&plain);
    }
    static const char *const wrong[] = {"Z", "Zg=", "Zg=a", "Z=g=", "Zg==Zg==", "Zm9*", "===="};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct buf plain = {0};
        assert_false(base64_decode(&plain, slice_str(wrong[i])));
        buf_close(&plain);
    }
}

/* The parser and whoever walks through what it made recurse, on a thread with a small stack. */
static void what_nests_too_deep_is_seen_before_it_is_parsed(void **state)
{
    (void)state;
    struct buf text = {0};
    for (int i = 0; i < JSON_NESTING_MAX; i++) buf_put_u8(&text, i % 2 ? '[' : '{');
    assert_false(json_nests_too_deep(buf_slice(&text)));
    buf_put_u8(&text, '[');
    assert_true(json_nests_too_deep(buf_slice(&text)));
    buf_close(&text);
    for (int i = 0; i < 2 * JSON_NESTING_MAX; i++)
        buf_put(&text, "[\"[\\\"[\"]", 9); /* side by side, and within texts */
    assert_false(json_nests_too_deep(buf_slice(&text)));
    buf_close(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_comes_back_from_a_table),
        cmocka_unit_test(what_is_no_table_is_refused),
        cmocka_unit_test(bytes_that_are_no_text_are_replaced),
        cmocka_unit_test(base64_goes_both_ways),
        cmocka_unit_test(what_nests_too_deep_is_seen_before_it_is_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
