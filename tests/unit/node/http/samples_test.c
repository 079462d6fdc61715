/* Samples: what is kept of the past, and what is found of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/http/samples.h"

enum { START = 1000000000 };

static struct samples_policy policy(void)
{
    struct samples_policy p = {0};
    assert_true(samples_policy_add(&p, 3600, 60));
    assert_true(samples_policy_add(&p, 600, 5));
    return p;
}

/* Every five seconds, a little late each time, as the sampler does it: values are the seconds. */
static struct samples *filled(unsigned seconds)
{
    struct samples_policy p = policy();
    struct samples *s = samples_create(&p, 2);
    for (unsigned i = 0; i <= seconds; i += 5) {
        uint64_t values[] = {i, 2 * i};
        samples_add(s, START + (uint64_t)i * 1000 + i % 7, values);
    }
    return s;
}

static uint64_t value_at(const struct samples *s, unsigned age_s, unsigned second, unsigned column)
{
    uint64_t value = 0;
    assert_true(samples_at(s, age_s, START + (uint64_t)second * 1000 + 100, column, &value));
    return value;
}

static void a_policy_is_sorted_and_bounded(void **state)
{
    (void)state;
    struct samples_policy p = policy();
    assert_int_equal(p.tiers[0].span_s, 600);
    assert_true(samples_policy_add(&p, 600, 10)); /* the same span once more */
    assert_int_equal(p.count, 2);
    assert_int_equal(p.tiers[0].step_s, 10);
    assert_true(samples_policy_add(&p, 86400, 1));
    assert_true(86400 / p.tiers[2].step_s < SAMPLES_POINTS_MAX);
    assert_true(samples_policy_add(&p, 1, 1));
    assert_false(samples_policy_add(&p, 2, 1));
}

static void the_value_that_held_is_found(void **state)
{
    (void)state;
    struct samples *s = filled(300);
    uint64_t value;
    assert_int_equal(value_at(s, 60, 300, 0), 300);
    assert_int_equal(value_at(s, 60, 253, 0), 250); /* between two points the older one holds */
    assert_int_equal(value_at(s, 60, 253, 1), 500);
    assert_int_equal(value_at(s, 60, 400, 0), 300);
    assert_false(samples_at(s, 60, START - 1, 0, &value)); /* before the first */
    samples_destroy(s);
}

static void what_is_older_than_a_span_goes_and_the_coarser_tier_has_it(void **state)
{
    (void)state;
    struct samples *s = filled(3000);
    uint64_t value;
    assert_int_equal(value_at(s, 600, 2400, 0), 2400);
    assert_false(samples_at(s, 600, START + 2000000, 0, &value));
    assert_int_equal(value_at(s, 3600, 605, 0), 600);
    assert_int_equal(value_at(s, 3600, 659, 0), 600); /* a point a minute, none is left out because of the lateness */
    assert_int_equal(value_at(s, 3600, 661, 0), 660);
    assert_int_equal(value_at(s, 100000, 661, 0), 660); /* longer than any: the coarsest */
    samples_destroy(s);
}

static void a_clock_that_is_set_back_leaves_points_out(void **state)
{
    (void)state;
    struct samples *s = filled(100);
    uint64_t values[] = {7, 7};
    samples_add(s, START, values);
    assert_int_equal(value_at(s, 60, 100, 0), 100);
    samples_add(s, START + 200000, values);
    assert_int_equal(value_at(s, 60, 200, 0), 7);
    samples_destroy(s);
    samples_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_is_sorted_and_bounded),
        cmocka_unit_test(the_value_that_held_is_found),
        cmocka_unit_test(what_is_older_than_a_span_goes_and_the_coarser_tier_has_it),
        cmocka_unit_test(a_clock_that_is_set_back_leaves_points_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
