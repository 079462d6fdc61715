/* Login attempts by address and user. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/auth/sources.h"

static void note(struct login_sources *s, const char *address, const char *user, bool welcome)
{
    login_sources_note(s, slice_str(address), slice_str(user), welcome);
}

static void attempts_are_counted_by_address_and_user(void **state)
{
    (void)state;
    struct login_sources s = {0};
    note(&s, "10.0.0.1", "ann", true);
    note(&s, "10.0.0.1", "ann", false);
    note(&s, "10.0.0.2", "ann", false);
    note(&s, "10.0.0.1", "", false);
    assert_int_equal(s.count, 3);
    assert_string_equal(s.items[0].user, "ann");
    assert_int_equal(s.items[0].succeeded, 1);
    assert_int_equal(s.items[0].failed, 1);
    assert_int_equal(s.items[1].failed, 1);
    login_sources_clear(&s);
    assert_int_equal(s.count, 0);
    note(&s, "10.0.0.1", "ann", true);
    assert_int_equal(s.items[0].failed, 0);
    login_sources_clear(&s);
}

static void without_room_the_one_that_was_quiet_the_longest_goes(void **state)
{
    (void)state;
    struct login_sources s = {0};
    char address[32], user[200];
    memset(user, 'x', sizeof user - 1);
    user[sizeof user - 1] = '\0';
    for (unsigned i = 0; i < LOGIN_SOURCES_MAX; i++) {
        snprintf(address, sizeof address, "10.0.%u.%u", i / 256, i % 256);
        note(&s, address, user, false);
    }
    note(&s, "10.0.0.0", user, false); /* the oldest is heard of again: the next one goes */
    note(&s, "attacker", user, false);
    assert_int_equal(s.count, LOGIN_SOURCES_MAX);
    assert_string_equal(s.items[1].address, "attacker");
    assert_int_equal(strlen(s.items[1].user), LOGIN_USER_MAX);
    assert_int_equal(s.items[0].failed, 2);
    login_sources_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attempts_are_counted_by_address_and_user),
        cmocka_unit_test(without_room_the_one_that_was_quiet_the_longest_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
