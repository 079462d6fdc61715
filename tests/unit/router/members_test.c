/* Members: what may follow what, whose number is whose, and that a restored topology knows the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "router/members.h"

enum { GROUPS = 3 };
static const uint8_t disk_a[MEMBER_DATA_ID_SIZE] = {1}, disk_b[MEMBER_DATA_ID_SIZE] = {2};

static uint16_t apply(struct topology *t, struct topology_command c)
{
    struct buf b = {0};
    struct topology_command read;
    struct topology_result r;
    topology_command_encode(&b, &c);
    assert_true(topology_command_decode(buf_slice(&b), &read)); /* as it is logged */
    topology_apply(t, topology_index(t) + 1, &read, &r);
    buf_close(&b);
    return r.reply_code;
}

static uint16_t tell(struct topology *t, uint8_t node, const uint8_t *disk)
{
    return apply(t, member_tell_command(node, slice_str("warren@x"), slice_str("10.0.0.1:25672"), slice_str("hall-2"),
                                        disk ? slice_of(disk, MEMBER_DATA_ID_SIZE) : (struct slice){0}));
}

static uint16_t set(struct topology *t, uint8_t node, enum member_state state)
{
    return apply(t, member_state_command(node, state));
}

static void a_number_belongs_to_one_disk(void **state)
{
    (void)state;
    struct topology *t = topology_create(GROUPS);
    assert_int_equal(topology_member(t, 4)->state, MEMBER_UNKNOWN);
    assert_int_equal(tell(t, 4, NULL), 0); /* a founder that has not told yet */
    assert_int_equal(tell(t, 4, disk_a), 0);
    assert_int_equal(tell(t, 4, disk_a), 0);
    assert_int_equal(topology_member(t, 4)->state, MEMBER_IN);
    assert_string_equal(topology_member(t, 4)->zone, "hall-2");
    assert_int_equal(tell(t, 4, disk_b), 403);
    assert_memory_equal(topology_member(t, 4)->data_id, disk_a, sizeof disk_a);
    assert_int_equal(tell(t, 0, disk_a), 406);
    assert_int_equal(tell(t, 64, disk_a), 406);
    topology_destroy(t);
}

static void there_are_nine_at_most(void **state)
{
    (void)state;
    struct topology *t = topology_create(GROUPS);
    for (uint8_t node = 1; node <= PLACED_MAX; node++) assert_int_equal(tell(t, node, NULL), 0);
    assert_int_equal(tell(t, 10, NULL), 406);
    assert_int_equal(tell(t, 9, NULL), 0); /* who is one may tell again */
    assert_int_equal(set(t, 3, MEMBER_GONE), 0);
    assert_int_equal(tell(t, 10, NULL), 0);
    topology_destroy(t);
}

static void a_member_that_went_never_comes_back(void **state)
{
    (void)state;
    struct topology *t = topology_create(GROUPS);
    assert_int_equal(set(t, 1, MEMBER_DRAINING), 404);
    tell(t, 1, disk_a);
    assert_int_equal(set(t, 1, MEMBER_LEAVING), 406); /* the last one */
    assert_int_equal(set(t, 1, MEMBER_GONE), 406);
    tell(t, 2, disk_b);
    assert_int_equal(set(t, 2, MEMBER_DRAINING), 0);
    assert_int_equal(set(t, 2, MEMBER_DRAINING), 0); /* again is no fault */
    assert_int_equal(set(t, 2, MEMBER_IN), 0);
    assert_int_equal(set(t, 2, MEMBER_LEAVING), 0);
    assert_int_equal(set(t, 2, MEMBER_IN), 406); /* its replicas may have gone */
    assert_int_equal(set(t, 2, MEMBER_GONE), 0);
    assert_int_equal(tell(t, 2, disk_b), 403);
    assert_int_equal(set(t, 2, MEMBER_IN), 406);
    topology_destroy(t);
}

static uint16_t tell_level(struct topology *t, uint8_t node, uint16_t level)
{
    struct topology_command c =
        member_tell_command(node, slice_str("warren@x"), slice_str(""), slice_str(""), (struct slice){0});
    c.group = level;
    return apply(t, c);
}

static void the_level_is_what_all_members_know(void **state)
{
    (void)state;
    struct topology *t = topology_create(GROUPS);
    assert_int_equal(topology_level_of_members(t), 0);
    assert_int_equal(tell_level(t, 1, 2), 0);
    assert_int_equal(tell(t, 2, NULL), 0); /* has not told */
    assert_int_equal(topology_level_of_members(t), 0);
    assert_int_equal(apply(t, members_level_command(1)), 406);
    assert_int_equal(tell_level(t, 2, 1), 0);
    assert_int_equal(apply(t, members_level_command(2)), 406);
    assert_int_equal(apply(t, members_level_command(1)), 0);
    assert_int_equal(topology_level(t), 1);
    assert_int_equal(tell_level(t, 2, 2), 0); /* upgraded */
    assert_int_equal(tell_level(t, 2, 1), 0); /* and back again: nothing newer was used yet */
    assert_int_equal(tell_level(t, 2, 2), 0);
    assert_int_equal(apply(t, members_level_command(2)), 0);
    assert_int_equal(tell_level(t, 2, 1), 406); /* too late */
    assert_int_equal(tell_level(t, 3, 1), 406); /* no member, and none with that program */
    assert_int_equal(topology_member(t, 3)->state, MEMBER_UNKNOWN);
    assert_int_equal(tell_level(t, 3, 3), 0);
    assert_int_equal(apply(t, members_level_command(1)), 406);
    assert_int_equal(topology_level(t), 2);
    topology_destroy(t);
}

/* A program that was put back finds data of a level that it does not know. */
static void a_newer_level_is_not_restored(void **state)
{
    (void)state;
    struct topology *t = topology_create(GROUPS), *copy = topology_create(GROUPS);
    struct buf b = {0};
    struct err err;
    tell_level(t, 1, LEVEL_NOW + 1);
    assert_int_equal(apply(t, members_level_command(LEVEL_NOW)), 0);
    topology_encode(t, &b);
    assert_int_equal(topology_restore(copy, buf_slice(&b), &err), 0);
    assert_int_equal(topology_level(copy), LEVEL_NOW);
    assert_int_equal(topology_member(copy, 1)->level, LEVEL_NOW + 1);
    assert_int_equal(apply(t, members_level_command(LEVEL_NOW + 1)), 0);
    buf_clear(&b);
    topology_encode(t, &b);
    assert_int_equal(topology_restore(copy, buf_slice(&b), &err), ERR_VERSION);
    assert_non_null(strstr(err.text, "install a newer one"));
    buf_close(&b);
    topology_destroy(copy);
    topology_destroy(t);
}

static void all_of_it_is_restored(void **state)
{
    (void)state;
    struct topology *t = topology_create(GROUPS), *copy = topology_create(GROUPS);
    struct buf b = {0};
    struct err err;
    tell(t, 1, disk_a);
    tell(t, 63, disk_b);
    set(t, 63, MEMBER_LEAVING);
    struct placed placed = {.count = 2, .nodes = {63, 1}};
    assert_int_equal(apply(t, members_place_command(GROUPS, &placed)), 0);
    assert_int_equal(apply(t, members_place_command(GROUPS + 1, &placed)), 406);
    assert_int_equal(apply(t, members_seeded_command(3)), 0);
    topology_encode(t, &b);
    assert_int_equal(topology_restore(copy, buf_slice(&b), &err), 0);
    assert_int_equal(topology_digest(copy), topology_digest(t));
    assert_true(topology_members_seeded(copy));
    assert_int_equal(topology_member(copy, 63)->state, MEMBER_LEAVING);
    assert_string_equal(topology_member(copy, 63)->address, "10.0.0.1:25672");
    assert_memory_equal(topology_placed(copy, GROUPS)->nodes, placed.nodes, 2);
    assert_int_equal(topology_placed(copy, 1)->count, 0);
    for (size_t size = 0; size < b.size; size++)
        assert_int_not_equal(topology_restore(copy, slice_of(b.data, size), &err), 0);
    buf_close(&b);
    topology_destroy(copy);
    topology_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_belongs_to_one_disk),        cmocka_unit_test(there_are_nine_at_most),
        cmocka_unit_test(a_member_that_went_never_comes_back), cmocka_unit_test(the_level_is_what_all_members_know),
        cmocka_unit_test(a_newer_level_is_not_restored),       cmocka_unit_test(all_of_it_is_restored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
