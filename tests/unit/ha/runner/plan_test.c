#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ha/runner/plan.h"

static struct config_pair *pairs_of(const char *const *lines)
{
    struct config_pair *pairs = calloc(CONFIG_PAIRS_MAX, sizeof *pairs);
    for (size_t i = 0; lines[i]; i += 2) {
        snprintf(pairs[i / 2].name, sizeof pairs->name, "%s", lines[i]);
        snprintf(pairs[i / 2].value, sizeof pairs->value, "%s", lines[i + 1]);
    }
    return pairs;
}

static void static_shovels_are_read_from_the_configuration(void **state)
{
    (void)state;
    struct plan p = {0};
    struct err err;
    struct config_pair *pairs = pairs_of((const char *const[]){
        "shovel.a.src-uri", "amqp://one", "shovel.a.dest-uri", "[\"amqp://x\",\"amqp://y\"]", "shovel.a.src-queue",
        "123", "shovel.a.prefetch-count", "5", "shovel.b.c.src-uri", "amqp://", "shovel.b.c.dest-uri", "amqp://",
        "shovel.b.c.src-exchange", "e", "shovel.b.c.delete-after", "never", NULL});
    if (plan_read_config(&p, pairs, &err)) fail_msg("%s", err.text);
    assert_int_equal(p.count, 2);
    assert_string_equal(p.items[0].name, "a");
    assert_string_equal(p.items[0].text, "{\"dest-uri\":[\"amqp://x\",\"amqp://y\"],\"prefetch-count\":5,\"src-queue\":"
                                         "\"123\",\"src-uri\":\"amqp://one\"}");
    assert_string_equal(p.items[1].name, "b.c");
    assert_int_equal(p.items[1].kind, PLAN_STATIC_SHOVEL);
    plan_close(&p);
    free(pairs);
}

static void refused(const char *const *lines, const char *why)
{
    struct plan p = {0};
    struct err err;
    struct config_pair *pairs = pairs_of(lines);
    assert_int_equal(plan_read_config(&p, pairs, &err), ERR_INVALID);
    assert_string_equal(err.text, why);
    plan_close(&p);
    free(pairs);
}
#define REFUSED(why, ...) refused((const char *const[]){__VA_ARGS__, NULL}, why)

static void what_is_wrong_with_a_static_shovel_is_told(void **state)
{
    (void)state;
    REFUSED("shovel.a: want shovel.NAME.KEY", "shovel.a", "x");
    REFUSED("shovel.a: color is no key of a shovel", "shovel.a.color", "red");
    REFUSED("shovel.a: Key \"dest-uri\" not found in a", "shovel.a.src-uri", "amqp://");
    REFUSED("shovel.a: prefetch-count should be a number, actually was true", "shovel.a.src-uri", "amqp://",
            "shovel.a.prefetch-count", "true");
}

static uint8_t owner_of(const char *name, uint64_t nodes)
{
    struct plan p = {0};
    plan_add(&p, PLAN_SHOVEL, slice_str("/"), slice_str(name), slice_str(""), slice_str("{}"), 0);
    uint8_t owner = plan_owner(&p.items[0], nodes);
    plan_close(&p);
    return owner;
}

static void owners_are_spread_and_move_only_when_they_must(void **state)
{
    (void)state;
    enum { LINKS = 300 };
    unsigned counts[4] = {0}, moved = 0;
    assert_int_equal(owner_of("x", 0), 0);
    for (unsigned i = 0; i < LINKS; i++) {
        char name[16];
        snprintf(name, sizeof name, "link %u", i);
        uint8_t all = owner_of(name, 1 << 1 | 1 << 2 | 1 << 3), two = owner_of(name, 1 << 1 | 1 << 3);
        counts[all]++;
        moved += all != two;
        if (all != 2) assert_int_equal(all, two);
        assert_true(two == 1 || two == 3);
    }
    for (unsigned node = 1; node <= 3; node++) assert_in_range(counts[node], LINKS / 5, LINKS / 2);
    assert_int_equal(moved, counts[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(static_shovels_are_read_from_the_configuration),
        cmocka_unit_test(what_is_wrong_with_a_static_shovel_is_told),
        cmocka_unit_test(owners_are_spread_and_move_only_when_they_must),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
