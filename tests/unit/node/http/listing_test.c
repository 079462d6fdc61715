/* Lists: sorting by members, thinning out to columns, cutting pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/http/http_internal.h"

static json_t *parse(const char *text)
{
    json_t *value = json_loads(text, 0, NULL);
    assert_non_null(value);
    return value;
}

static void expect(json_t *value, const char *text)
{
    json_t *wanted = parse(text);
    char *shown = json_dumps(value, JSON_COMPACT);
    if (!json_equal(value, wanted)) fail_msg("%s instead of %s", shown, text);
    free(shown);
    json_decref(wanted);
    json_decref(value);
}

static void columns_pick_members_at_any_depth(void **state)
{
    (void)state;
    const char *text = "{\"a\":1,\"b\":{\"c\":2,\"d\":{\"e\":3,\"f\":4}},\"g\":[{\"h\":5,\"i\":6},{\"h\":7}]}";
    static const char *const cases[][2] = {
        {"a", "{\"a\":1}"},
        {"b.c,b.d.e", "{\"b\":{\"c\":2,\"d\":{\"e\":3}}}"},
        {"g.h", "{\"g\":[{\"h\":5},{\"h\":7}]}"},
        {"none,b.none", "{\"b\":{}}"},
        {",a,", "{\"a\":1}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *item = parse(text);
        expect(columns_of(item, cases[i][0]), cases[i][1]);
        expect(item, text); /* what was thinned out is whole */
    }
}

static void sorting_knows_numbers_words_and_what_is_missing(void **state)
{
    (void)state;
    expect(listing_sort(parse("[{\"n\":10},{\"n\":9},{},{\"n\":9.5}]"), "n"), "[{},{\"n\":9},{\"n\":9.5},{\"n\":10}]");
    expect(
        listing_sort(parse("[{\"v\":\"b\",\"n\":\"a\"},{\"v\":\"a\",\"n\":\"z\"},{\"v\":\"a\",\"n\":\"c\"}]"), "v,n"),
        "[{\"v\":\"a\",\"n\":\"c\"},{\"v\":\"a\",\"n\":\"z\"},{\"v\":\"b\",\"n\":\"a\"}]");
    expect(
        listing_sort(parse("[{\"s\":{\"r\":2},\"x\":1},{\"s\":{\"r\":1},\"x\":2},{\"s\":{\"r\":1},\"x\":3}]"), "s.r"),
        "[{\"s\":{\"r\":1},\"x\":2},{\"s\":{\"r\":1},\"x\":3},{\"s\":{\"r\":2},\"x\":1}]"); /* equals stay in order */
}

static void a_page_is_cut_or_refused(void **state)
{
    (void)state;
    struct listing l = {.paged = true, .page = 3, .page_size = 10};
    struct answer a = {.status = 200};
    size_t from, shown;
    assert_true(listing_cut(&l, 25, &from, &shown, &a));
    assert_int_equal(from, 20);
    assert_int_equal(shown, 5);
    assert_false(listing_cut(&l, 20, &from, &shown, &a));
    assert_int_equal(a.status, 400);
    l.page = 1;
    assert_true(listing_cut(&l, 0, &from, &shown, &a)); /* the first page of nothing */
    assert_int_equal(shown, 0);
    buf_close(&a.body);
}

static void a_part_of_a_name_is_found_whatever_its_case(void **state)
{
    (void)state;
    struct listing l = {.name = "rde"};
    assert_true(listing_wants(&l, slice_str("OrDeRs")));
    assert_false(listing_wants(&l, slice_str("rd")));
    l.name = "";
    assert_true(listing_wants(&l, slice_str("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_pick_members_at_any_depth),
        cmocka_unit_test(sorting_knows_numbers_words_and_what_is_missing),
        cmocka_unit_test(a_page_is_cut_or_refused),
        cmocka_unit_test(a_part_of_a_name_is_found_whatever_its_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
