/* Places on the management port: who waits gives way, who is served does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/http/lobby.h"

static void note(int fd)
{
    function_called();
    check_expected(fd);
}

static void goes(int fd)
{
    expect_function_call(note);
    expect_value(note, fd, fd);
}

static void who_waits_longest_gives_way(void **state)
{
    (void)state;
    struct lobby *l = lobby_create(3, note);
    struct guest *a = lobby_enter(l, 1), *b = lobby_enter(l, 2), *c = lobby_enter(l, 3);
    goes(1);
    struct guest *d = lobby_enter(l, 4);
    goes(2); /* the first one is told once, though it is still there */
    struct guest *e = lobby_enter(l, 5);
    lobby_leave(l, a);
    lobby_leave(l, b);
    lobby_leave(l, c);
    struct guest *f = lobby_enter(l, 6); /* there is room again */
    lobby_leave(l, d);
    lobby_leave(l, e);
    lobby_leave(l, f);
    lobby_destroy(l);
}

static void who_is_served_keeps_its_place(void **state)
{
    (void)state;
    struct lobby *l = lobby_create(2, note);
    struct guest *a = lobby_enter(l, 1), *b = lobby_enter(l, 2);
    lobby_serve(l, a, true);
    goes(2);
    struct guest *c = lobby_enter(l, 3);
    lobby_serve(l, c, true);
    struct guest *d = lobby_enter(l, 4); /* all who could go have gone: the server's own bound counts */
    lobby_serve(l, a, false);
    goes(4);
    struct guest *e = lobby_enter(l, 5);
    goes(1); /* after its answer it waits, younger than the others were */
    struct guest *f = lobby_enter(l, 6);
    struct guest *all[] = {a, b, c, d, e, f};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) lobby_leave(l, all[i]);
    lobby_destroy(l);
}

static void whoever_was_sent_away_while_it_began_to_be_served_leaves_all_the_same(void **state)
{
    (void)state;
    struct lobby *l = lobby_create(1, note);
    struct guest *a = lobby_enter(l, 1);
    goes(1);
    struct guest *b = lobby_enter(l, 2);
    lobby_serve(l, a, true);
    lobby_serve(l, b, true);
    lobby_leave(l, a);
    lobby_leave(l, b);
    lobby_destroy(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_longest_gives_way),
        cmocka_unit_test(who_is_served_keeps_its_place),
        cmocka_unit_test(whoever_was_sent_away_while_it_began_to_be_served_leaves_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
