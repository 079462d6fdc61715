/* How far a link is behind, in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ha/bridge/lag.h"

static void nothing_that_waits_is_no_lag(void **state)
{
    (void)state;
    struct lag l = {0};
    lag_looked(&l, 0, 1000);
    assert_int_equal(lag_ms(&l, 9000), 0);
}

static void the_last_message_of_a_look_says_how_long_it_took(void **state)
{
    (void)state;
    struct lag l = {0};
    lag_looked(&l, 30, 1000);
    lag_settled(&l, 20, 3000);
    assert_int_equal(lag_ms(&l, 3000), 2000);
    lag_looked(&l, 500, 4000); /* the older look still counts */
    lag_settled(&l, 10, 5000);
    assert_int_equal(lag_ms(&l, 5500), 4000);
    lag_looked(&l, 5, 6000);
    assert_int_equal(lag_ms(&l, 6000), 4000); /* until it is known better */
    lag_settled(&l, 100, 6500);
    assert_int_equal(lag_ms(&l, 9000), 500);
    lag_looked(&l, 0, 11000);
    assert_int_equal(lag_ms(&l, 12000), 0);
}

static void a_link_that_stands_is_behind_since_it_stopped(void **state)
{
    (void)state;
    struct lag l = {0};
    lag_running(&l, false, 1000);
    lag_running(&l, false, 4000);
    assert_int_equal(lag_ms(&l, 5000), 4000);
    lag_running(&l, true, 6000);
    assert_int_equal(lag_ms(&l, 7000), 0);
    lag_looked(&l, 3, 7000);
    lag_running(&l, false, 9000);
    assert_int_equal(lag_ms(&l, 10000), 3000); /* what waits, waits longer */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_that_waits_is_no_lag),
        cmocka_unit_test(the_last_message_of_a_look_says_how_long_it_took),
        cmocka_unit_test(a_link_that_stands_is_behind_since_it_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
