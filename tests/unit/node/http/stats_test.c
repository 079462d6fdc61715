/* Views on their way to other nodes; figures of several nodes added up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/http/stats.h"

static void a_view_goes_to_another_node_and_arrives(void **state)
{
    (void)state;
    struct buf line = {0};
    struct view v = {.stats = true, .rates = true};
    v.ranges[RANGE_MSG_RATES] = (struct range){600, 5};
    v.ranges[RANGE_NODE_STATS] = (struct range){60, 60};
    view_put(&v, &line);
    struct view there = view_of_line(buf_slice(&line));
    assert_memory_equal(there.ranges, v.ranges, sizeof v.ranges);
    assert_true(there.stats && there.rates && !there.totals);
    buf_close(&line);
}

static void a_line_that_is_none_asks_for_all_and_for_no_samples(void **state)
{
    (void)state;
    static const char *const lines[] = {"", "x", "1 1", "1 1 1 10", "1 1 1 4000000000 1 5 0"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct view v = view_of_line(slice_str(lines[i]));
        assert_true(v.stats && v.totals && v.rates);
        for (unsigned r = 0; r < RANGE_COUNT; r++) assert_int_equal(v.ranges[r].incr_s, 0);
    }
}

static json_t *parse(const char *text)
{
    json_t *value = json_loads(text, 0, NULL);
    assert_non_null(value);
    return value;
}

static void sums(const char *left, const char *right, const char *expected)
{
    json_t *to = parse(left), *from = parse(right), *wanted = parse(expected);
    json_sum(to, from);
    if (!json_equal(to, wanted)) fail_msg("%s", json_dumps(to, JSON_COMPACT));
    json_decref(to);
    json_decref(from);
    json_decref(wanted);
}

static void counters_and_rates_are_added_member_by_member(void **state)
{
    (void)state;
    sums("{}", "{\"a\":1}", "{\"a\":1}");
    sums("{\"a\":1,\"a_details\":{\"rate\":0.5}}", "{\"a\":2,\"a_details\":{\"rate\":1.0},\"b\":3}",
         "{\"a\":3,\"a_details\":{\"rate\":1.5},\"b\":3}");
}

static void samples_are_added_by_their_times_and_averages_are_of_the_sum(void **state)
{
    (void)state;
    sums("{\"samples\":[{\"sample\":5,\"timestamp\":3000},{\"sample\":3,\"timestamp\":2000}],\"avg\":4.0,"
         "\"avg_rate\":2.0}",
         "{\"samples\":[{\"sample\":7,\"timestamp\":4000},{\"sample\":1,\"timestamp\":3000},"
         "{\"sample\":1,\"timestamp\":1000}],\"avg\":3.0,\"avg_rate\":2.0}",
         "{\"samples\":[{\"sample\":7,\"timestamp\":4000},{\"sample\":6,\"timestamp\":3000},"
         "{\"sample\":3,\"timestamp\":2000},{\"sample\":1,\"timestamp\":1000}],\"avg\":4.25,\"avg_rate\":2.0}");
}

static void the_averages_of_one_sample_or_none_are_defined(void **state)
{
    (void)state;
    sums("{}", "{\"samples\":[]}", "{\"samples\":[],\"avg\":0.0,\"avg_rate\":0.0}");
    sums("{}", "{\"samples\":[{\"sample\":7,\"timestamp\":4000}]}",
         "{\"samples\":[{\"sample\":7,\"timestamp\":4000}],\"avg\":7.0,\"avg_rate\":0.0}");
}

static void what_is_shared_is_not_changed_by_a_sum(void **state)
{
    (void)state;
    json_t *shared = parse("{\"rate\":0.0}"), *to = json_object(), *from = parse("{\"a_details\":{\"rate\":2.0}}");
    json_object_set(to, "a_details", shared);
    json_sum(to, from);
    assert_true(json_real_value(json_object_get(shared, "rate")) == 0);
    assert_true(json_real_value(json_object_get(json_object_get(to, "a_details"), "rate")) == 2);
    json_decref(to);
    json_decref(from);
    json_decref(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_goes_to_another_node_and_arrives),
        cmocka_unit_test(a_line_that_is_none_asks_for_all_and_for_no_samples),
        cmocka_unit_test(counters_and_rates_are_added_member_by_member),
        cmocka_unit_test(samples_are_added_by_their_times_and_averages_are_of_the_sum),
        cmocka_unit_test(the_averages_of_one_sample_or_none_are_defined),
        cmocka_unit_test(what_is_shared_is_not_changed_by_a_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
