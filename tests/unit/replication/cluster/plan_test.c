/* The plan of placement: it ends, keeps the number of replicas, spreads them, and moves no more than it must. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "replication/cluster/placement.h"

enum { GROUPS = 17, STEPS_MAX = 500 };

struct bench {
    struct placement_plan plan;
    struct group_placement groups[GROUPS];
};

static void join(struct bench *b, uint8_t node)
{
    b->plan.eligible[node] = b->plan.meta[node] = b->plan.here[node] = true;
}

static void leave(struct bench *b, uint8_t node)
{
    b->plan.eligible[node] = b->plan.meta[node] = b->plan.here[node] = false;
}

static void found(struct bench *b, uint32_t nodes)
{
    struct placement founding = {.group_count = GROUPS, .replicas = 3};
    memset(b, 0, sizeof *b);
    b->plan = (struct placement_plan){.group_count = GROUPS, .replicas = 3, .groups = b->groups};
    for (uint8_t node = 1; node <= nodes; node++) {
        founding.nodes[founding.node_count++] = node;
        join(b, node);
    }
    for (uint32_t g = 0; g < GROUPS; g++) {
        struct group_member members[GROUP_MEMBERS_MAX];
        b->groups[g].count = (uint8_t)placement_members(&founding, g, members);
        for (uint32_t i = 0; i < b->groups[g].count; i++) b->groups[g].nodes[i] = members[i].node;
    }
}

/* Returns how many replicas moved. */
static uint32_t settle(struct bench *b)
{
    uint32_t group, moved = 0, steps = 0;
    struct group_placement to;
    while (placement_next_change(&b->plan, &group, &to)) {
        assert_true(++steps < STEPS_MAX);
        for (uint32_t i = 0; i < to.count; i++) {
            moved += !memchr(b->groups[group].nodes, to.nodes[i], b->groups[group].count);
            for (uint32_t k = 0; k < i; k++) assert_int_not_equal(to.nodes[i], to.nodes[k]);
        }
        b->groups[group] = to;
    }
    return moved;
}

static uint32_t load(const struct bench *b, uint8_t node, bool first_only)
{
    uint32_t load = 0;
    for (uint32_t g = 1; g < GROUPS; g++)
        for (uint32_t i = 0; i < (first_only ? 1 : b->groups[g].count); i++) load += b->groups[g].nodes[i] == node;
    return load;
}

static void check_balance(const struct bench *b)
{
    uint32_t least = UINT32_MAX, most = 0, first_most = 0;
    for (uint8_t node = 1; node < 64; node++) {
        if (!b->plan.eligible[node]) {
            assert_int_equal(load(b, node, false), 0);
            continue;
        }
        uint32_t own = load(b, node, false), first = load(b, node, true);
        least = own < least ? own : least;
        most = own > most ? own : most;
        first_most = first > first_most ? first : first_most;
    }
    assert_true(most <= least + 1);
    assert_true(first_most <= GROUPS / 2);
}

static void what_is_well_stays(void **state)
{
    (void)state;
    struct bench b;
    uint32_t group;
    struct group_placement to;
    for (uint32_t nodes = 1; nodes <= 5; nodes++) {
        found(&b, nodes);
        assert_false(placement_next_change(&b.plan, &group, &to));
    }
    for (uint32_t nodes = 6; nodes <= 9; nodes++) { /* round robin is not quite even there */
        found(&b, nodes);
        assert_true(settle(&b) <= 2);
        check_balance(&b);
    }
}

static void newcomers_get_their_share_and_no_more_moves(void **state)
{
    (void)state;
    struct bench b;
    found(&b, 3);
    join(&b, 4);
    join(&b, 5);
    uint32_t meta = 2, share = (GROUPS - 1) * 3 * 2 / 5; /* two of five hold two fifths */
    assert_in_range(settle(&b), share, share + meta + 1);
    check_balance(&b);
    assert_int_equal(b.groups[0].count, 5);
    leave(&b, 4);
    leave(&b, 5);
    settle(&b);
    check_balance(&b);
    assert_int_equal(b.groups[0].count, 3);
}

static void a_cluster_of_one_grows_replicas(void **state)
{
    (void)state;
    struct bench b;
    found(&b, 1);
    assert_int_equal(b.groups[1].count, 1);
    join(&b, 2);
    join(&b, 3);
    settle(&b);
    for (uint32_t g = 0; g < GROUPS; g++) assert_int_equal(b.groups[g].count, 3);
    leave(&b, 1);
    settle(&b);
    for (uint32_t g = 0; g < GROUPS; g++) assert_int_equal(b.groups[g].count, 2);
}

static void who_is_not_in_touch_gets_nothing_and_keeps_what_it_has(void **state)
{
    (void)state;
    struct bench b;
    found(&b, 5);
    b.plan.here[2] = false;
    uint32_t before = load(&b, 2, false);
    leave(&b, 3);
    settle(&b);
    assert_int_equal(load(&b, 2, false), before);
    assert_int_equal(load(&b, 3, false), 0);
}

static void zones_are_spread(void **state)
{
    (void)state;
    struct bench b;
    found(&b, 3);
    for (uint8_t node = 4; node <= 6; node++) join(&b, node);
    for (uint8_t node = 1; node <= 6; node++) b.plan.zone[node] = (uint8_t)(1 + (node - 1) / 2);
    settle(&b);
    for (uint32_t g = 1; g < GROUPS; g++)
        for (uint32_t i = 0; i < 3; i++)
            for (uint32_t k = 0; k < i; k++)
                assert_int_not_equal(b.plan.zone[b.groups[g].nodes[i]], b.plan.zone[b.groups[g].nodes[k]]);
}

static void any_coming_and_going_comes_to_rest(void **state)
{
    (void)state;
    struct random random = {.state = 42};
    for (int round = 0; round < 200; round++) {
        struct bench b;
        found(&b, 1 + (uint32_t)random_below(&random, 6));
        for (int event = 0; event < 6; event++) {
            uint8_t node = (uint8_t)(1 + random_below(&random, 9));
            uint32_t left = 0;
            for (uint8_t other = 1; other < 64; other++) left += b.plan.eligible[other] && other != node;
            b.plan.zone[node] = (uint8_t)random_below(&random, 4);
            if (!b.plan.eligible[node]) join(&b, node);
            else if (left) leave(&b, node);
            settle(&b);
            for (uint32_t g = 0; g < GROUPS; g++) assert_true(b.groups[g].count > 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_well_stays),
        cmocka_unit_test(newcomers_get_their_share_and_no_more_moves),
        cmocka_unit_test(a_cluster_of_one_grows_replicas),
        cmocka_unit_test(who_is_not_in_touch_gets_nothing_and_keeps_what_it_has),
        cmocka_unit_test(zones_are_spread),
        cmocka_unit_test(any_coming_and_going_comes_to_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
