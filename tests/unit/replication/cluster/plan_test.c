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
    struct group_want wants[GROUPS];
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
    b->plan = (struct placement_plan){.group_count = GROUPS, .replicas = 3, .groups = b->groups, .wants = b->wants};
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

static uint64_t nodes_of(const struct bench *b, uint32_t group)
{
    uint64_t nodes = 0;
    for (uint32_t i = 0; i < b->groups[group].count; i++) nodes |= UINT64_C(1) << b->groups[group].nodes[i];
    return nodes;
}

static void a_group_gets_as_many_replicas_as_are_wanted(void **state)
{
    (void)state;
    struct bench b;
    found(&b, 5);
    b.wants[2].count = 5;
    b.wants[3].count = 1;
    b.wants[4].count = 9; /* more than there are nodes */
    uint8_t leader = b.groups[3].nodes[0];
    settle(&b);
    assert_int_equal(b.groups[2].count, 5);
    assert_int_equal(b.groups[3].count, 1);
    assert_int_equal(b.groups[3].nodes[0], leader);
    assert_int_equal(b.groups[4].count, 5);
    assert_int_equal(b.groups[1].count, 3);
    join(&b, 6);
    settle(&b);
    assert_int_equal(b.groups[4].count, 6); /* they have waited for it */
    assert_int_equal(placement_wanted(&b.plan, 4), 9);
    memset(b.wants, 0, sizeof b.wants);
    settle(&b);
    for (uint32_t g = 1; g < GROUPS; g++) assert_int_equal(b.groups[g].count, 3);
    check_balance(&b);
}

static void one_change_is_one_replica(void **state)
{
    (void)state;
    struct bench b;
    uint32_t group;
    struct group_placement to;
    found(&b, 5);
    b.wants[2].count = 5;
    b.wants[2].with = 1 << 1;
    for (uint32_t count = 4; count <= 5; count++) {
        assert_true(placement_next_change(&b.plan, &group, &to));
        assert_int_equal(group, 2);
        assert_int_equal(to.count, count);
        b.groups[2] = to;
    }
}

static void replicas_go_where_they_are_pinned_and_stay(void **state)
{
    (void)state;
    struct bench b;
    found(&b, 5);
    b.wants[1] = (struct group_want){.count = 3, .with = 1 << 5 | 1 << 4 | 1 << 2};
    b.wants[2] = (struct group_want){.count = 2, .with = 1 << 1 | 1 << 5};
    b.wants[3] = (struct group_want){.with = 1 << 2, .without = 1 << 3}; /* usual, but for those two */
    settle(&b);
    assert_int_equal(nodes_of(&b, 1), 1 << 5 | 1 << 4 | 1 << 2);
    assert_int_equal(nodes_of(&b, 2), 1 << 1 | 1 << 5);
    assert_int_equal(nodes_of(&b, 3) & (1 << 2 | 1 << 3), 1 << 2);
    assert_int_equal(b.groups[3].count, 3);
    leave(&b, 5); /* its places are not empty meanwhile */
    settle(&b);
    assert_int_equal(b.groups[1].count, 3);
    assert_int_equal(b.groups[2].count, 2);
    join(&b, 5);
    settle(&b);
    assert_int_equal(nodes_of(&b, 1), 1 << 5 | 1 << 4 | 1 << 2);
    assert_int_equal(nodes_of(&b, 2), 1 << 1 | 1 << 5);
}

static void a_replica_that_must_not_be_there_is_not_replaced_when_fewer_are_wanted(void **state)
{
    (void)state;
    struct bench b;
    uint32_t group;
    struct group_placement to;
    found(&b, 5);
    b.wants[1] = (struct group_want){.count = 2, .without = 1 << b.groups[1].nodes[0]};
    assert_true(placement_next_change(&b.plan, &group, &to));
    assert_int_equal(group, 1);
    assert_int_equal(to.count, 2);
    assert_int_equal(to.nodes[0], b.groups[1].nodes[1]);
}

static void a_spare_group_begins_with_all_its_replicas(void **state)
{
    (void)state;
    enum { SPARE = GROUPS - 1 };
    struct bench b;
    uint32_t group;
    struct group_placement to;
    found(&b, 5);
    b.groups[SPARE].count = 0;
    assert_int_equal(settle(&b), 0); /* nobody needs it */
    b.wants[SPARE] = (struct group_want){.count = 5, .born = true};
    b.plan.here[4] = false;
    assert_true(placement_next_change(&b.plan, &group, &to));
    assert_int_equal(group, SPARE);
    assert_int_equal(to.count, 4);
    b.groups[SPARE] = to;
    b.plan.here[4] = true;
    settle(&b);
    assert_int_equal(b.groups[SPARE].count, 5);
}

static void a_group_can_have_zones_of_its_own(void **state)
{
    (void)state;
    struct bench b;
    uint8_t zone[64] = {0};
    found(&b, 4);
    for (uint8_t node = 1; node <= 4; node++) zone[node] = node == 4 ? 2 : 1;
    b.wants[1].zone = zone;
    assert_int_equal(nodes_of(&b, 1) >> 4 & 1, 0);
    settle(&b);
    assert_int_equal(nodes_of(&b, 1) >> 4 & 1, 1);
}

static void any_wishes_come_to_rest(void **state)
{
    (void)state;
    struct random random = {.state = 7};
    for (int round = 0; round < 300; round++) {
        struct bench b;
        found(&b, 1 + (uint32_t)random_below(&random, 6));
        for (int event = 0; event < 8; event++) {
            uint8_t node = (uint8_t)(1 + random_below(&random, 9));
            struct group_want *want = &b.wants[1 + random_below(&random, GROUPS - 1)];
            b.plan.zone[node] = (uint8_t)random_below(&random, 4);
            if (!b.plan.eligible[node]) join(&b, node);
            want->count = (uint8_t)random_below(&random, 7);
            want->with = random_u64(&random) & random_u64(&random) & 0x3fe;
            want->without = random_u64(&random) & random_u64(&random) & 0x3fe & ~want->with;
            settle(&b);
            for (uint32_t g = 1; g < GROUPS; g++) assert_true(b.groups[g].count > 0);
        }
    }
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
        cmocka_unit_test(a_group_gets_as_many_replicas_as_are_wanted),
        cmocka_unit_test(one_change_is_one_replica),
        cmocka_unit_test(replicas_go_where_they_are_pinned_and_stay),
        cmocka_unit_test(a_replica_that_must_not_be_there_is_not_replaced_when_fewer_are_wanted),
        cmocka_unit_test(a_spare_group_begins_with_all_its_replicas),
        cmocka_unit_test(a_group_can_have_zones_of_its_own),
        cmocka_unit_test(any_wishes_come_to_rest),
        cmocka_unit_test(any_coming_and_going_comes_to_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
