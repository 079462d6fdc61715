/* Regular expressions that people write, and those that never end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "router/pattern.h"

static bool matches(const char *expression, const char *text)
{
    struct err err;
    struct pattern *p = pattern_create(slice_str(expression), &err);
    if (!p) fail_msg("%s", err.text);
    bool is = pattern_matches(p, slice_str(text));
    pattern_destroy(p);
    return is;
}

static void expressions_are_found_anywhere(void **state)
{
    (void)state;
    assert_true(matches("", "q"));
    assert_true(matches("b", "abc"));
    assert_false(matches("^b", "abc"));
    assert_true(matches("^(?!amq\\.).*", "orders"));
    assert_false(matches("^(?!amq\\.).*", "amq.gen-1"));
    assert_false(matches("^$", "q"));
}

static void an_expression_without_end_is_given_up(void **state)
{
    (void)state;
    enum { TIMES = 500, SECONDS_MAX = 3 /* of the processor: a policy is held against many queues */ };
    static const char *const bad[] = {"(a+)+$", "(*NO_JIT)(a+)+$", "(*LIMIT_MATCH=4000000000)(*NO_JIT)(a|a)*$",
                                      "((a*)*)*$", "(*NO_JIT)(?:a?){200}a{200}c"};
    char text[256];
    memset(text, 'a', sizeof text);
    memcpy(text + sizeof text - 2, "b", 2);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        clock_t start = clock();
        for (int n = 0; n < TIMES; n++) assert_false(matches(bad[i], text));
        if ((clock() - start) / CLOCKS_PER_SEC >= SECONDS_MAX) fail_msg("%s takes too long", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_are_found_anywhere),
        cmocka_unit_test(an_expression_without_end_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
