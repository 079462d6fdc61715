#include "node/auth/guess.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define S(text) slice_str(text)

static void the_first_failures_are_free_and_then_it_takes_longer(void **state)
{
    (void)state;
    struct guesses *g = guess_create();
    for (int i = 0; i < GUESS_FREE; i++) assert_int_equal(guess_failed(g, S("10.0.0.1"), 1000), 0);
    assert_int_equal(guess_failed(g, S("10.0.0.1"), 1000), GUESS_STEP_MS);
    assert_int_equal(guess_failed(g, S("10.0.0.1"), 1000), 2 * GUESS_STEP_MS);
    assert_int_equal(guess_failed(g, S("10.0.0.2"), 1000), 0);
    for (int i = 0; i < 100; i++) guess_failed(g, S("10.0.0.1"), 1000);
    assert_int_equal(guess_failed(g, S("10.0.0.1"), 1000), GUESS_DELAY_MAX_MS);
    guess_destroy(g);
}

static void a_right_password_and_time_forgive(void **state)
{
    (void)state;
    struct guesses *g = guess_create();
    for (int i = 0; i < 10; i++) guess_failed(g, S("a"), 0);
    guess_right(g, S("a"));
    guess_right(g, S("nobody"));
    assert_int_equal(guess_failed(g, S("a"), 0), 0);
    for (int i = 0; i < 10; i++) guess_failed(g, S("a"), 0);
    assert_true(guess_failed(g, S("a"), GUESS_MEMORY_MS - 1) > 0);
    assert_true(guess_failed(g, S("a"), 2 * GUESS_MEMORY_MS - 2) > 0); /* it went on */
    assert_int_equal(guess_failed(g, S("a"), 3 * GUESS_MEMORY_MS - 2), 0);
    guess_destroy(g);
}

static void memory_is_bounded_and_keeps_who_goes_on(void **state)
{
    (void)state;
    struct guesses *g = guess_create();
    char address[32];
    for (int i = 0; i < GUESS_FREE; i++) guess_failed(g, S("stubborn"), 0);
    for (int i = 0; i < 3 * GUESS_ADDRESSES_MAX; i++) {
        snprintf(address, sizeof address, "%d", i);
        guess_failed(g, S(address), 0);
        if (i % 1000 == 0) assert_true(guess_failed(g, S("stubborn"), 0) > 0);
    }
    assert_int_equal(guess_failed(g, S("0"), 0), 0);
    assert_int_equal(guess_failed(g, S("0"), 0), 0);
    assert_int_equal(guess_failed(g, S("0"), 0), 0); /* it had been forgotten */
    assert_true(guess_failed(g, S("0"), 0) > 0);
    guess_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_failures_are_free_and_then_it_takes_longer),
        cmocka_unit_test(a_right_password_and_time_forgive),
        cmocka_unit_test(memory_is_bounded_and_keeps_who_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
