/* What a channel counts by exchange and by queue, and its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/session/counts.h"

static const struct route *route_to(struct route_target *targets, size_t count, uint64_t first)
{
    static struct route route;
    for (size_t i = 0; i < count; i++) targets[i] = (struct route_target){.queue = first + i};
    route = (struct route){.targets = targets, .count = count};
    return &route;
}

static struct session_exchange_info found(const struct counts *c, const char *name)
{
    struct session_exchange_info info;
    for (size_t at = 0; counts_next_exchange(c, &at, &info);)
        if (slice_is(info.name, name)) return info;
    return (struct session_exchange_info){0};
}

static void messages_count_by_exchange_and_by_the_queues_that_got_them(void **state)
{
    (void)state;
    struct counts c = {0}, gone = {0};
    struct route_target targets[4];
    uint16_t x = counts_published(&c, slice_str("x"), route_to(targets, 3, 10));
    counts_published(&c, slice_str(""), route_to(targets, 1, 11));
    counts_published(&c, slice_str("x"), route_to(targets, 3, 10));
    assert_int_equal(counts_published(&c, slice_str("x"), route_to(targets, 1, 12)), x);
    counts_exchange(&c, x)->confirmed++;
    struct session_exchange_info info = found(&c, "x");
    assert_int_equal(info.counts.in, 3);
    assert_int_equal(info.counts.out, 7);
    assert_int_equal(info.counts.confirmed, 1);
    assert_int_equal(info.routed_count, 3);
    static const uint64_t wanted[] = {2, 2, 3};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(info.routed[i].queue, 10 + i);
        assert_int_equal(info.routed[i].count, wanted[i]);
    }
    assert_int_equal(found(&c, "").counts.in, 1);
    counts_keep(&gone, &c);
    counts_keep(&gone, &c);
    assert_int_equal(found(&gone, "x").counts.in, 6);
    assert_int_equal(found(&gone, "x").routed[2].count, 6);
    counts_close(&c);
    counts_close(&gone);
}

static void what_is_above_the_bounds_is_not_counted_apart(void **state)
{
    (void)state;
    struct counts c = {0};
    struct route_target targets[1];
    char name[16];
    for (unsigned i = 0; i < COUNTS_EXCHANGES_MAX; i++) {
        snprintf(name, sizeof name, "x%u", i);
        assert_int_equal(counts_published(&c, slice_str(name), route_to(targets, 1, 1)), i + 1);
    }
    assert_int_equal(counts_published(&c, slice_str("more"), route_to(targets, 1, 1)), 0);
    assert_null(counts_exchange(&c, 0));
    for (unsigned i = 0; i < COUNTS_ROUTED_MAX + 10; i++)
        counts_published(&c, slice_str("x0"), route_to(targets, 1, 100 + i));
    assert_int_equal(found(&c, "x0").routed_count, COUNTS_ROUTED_MAX);
    assert_int_equal(found(&c, "x0").counts.out, COUNTS_ROUTED_MAX + 11);
    counts_close(&c);
}

static void queues_keep_their_numbers(void **state)
{
    (void)state;
    struct counts c = {0};
    assert_int_equal(counts_number(&c, 7), 1);
    assert_int_equal(counts_number(&c, 8), 2);
    assert_int_equal(counts_number(&c, 7), 1);
    counts_queue(&c, 2)->ack++;
    for (uint64_t i = 9; c.queue_count < COUNTS_QUEUES_MAX; i++) counts_number(&c, i);
    assert_int_equal(counts_number(&c, 1 << 20), 0);
    assert_null(counts_queue(&c, 0));
    assert_int_equal(counts_queue(&c, counts_number(&c, 8))->ack, 1);
    counts_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_count_by_exchange_and_by_the_queues_that_got_them),
        cmocka_unit_test(what_is_above_the_bounds_is_not_counted_apart),
        cmocka_unit_test(queues_keep_their_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
