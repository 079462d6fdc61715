/* What queues want of replicas, which groups they get for it, and what operators order. */
#include "router/replicas.h"

#include "router/registry.h"

#include "tests/unit/router/harness.h"

enum { GROUPS = 4, SPARE = 3 };

static void tell(struct topology *t, uint8_t node)
{
    char name[16];
    snprintf(name, sizeof name, "w@%u", node);
    struct topology_command c = member_tell_command(node, slice_str(name), S(""), S(""), S(""));
    c.kind = S("az=one\nrack=7");
    accepted(t, c);
}

static struct topology *cluster_of(uint8_t members)
{
    struct topology *t = topology_create_with_spare(GROUPS, SPARE);
    for (uint8_t node = 1; node <= members; node++) tell(t, node);
    accepted(t, members_seeded_command(3));
    return t;
}

static void set_policy(struct topology *t, const char *definition)
{
    char value[256];
    snprintf(value, sizeof value, "{\"apply-to\":\"all\",\"definition\":%s,\"pattern\":\"\",\"priority\":0}",
             definition);
    accepted(t, registry_set_command(REGISTRY_POLICY, S("/"), S("p"), S(""), S(value)));
}

static struct slice number(struct buf *b, const char *key, uint32_t value)
{
    b->size = 0;
    buf_put_u8(b, (uint8_t)strlen(key));
    buf_put(b, key, strlen(key));
    buf_put_u8(b, 'I');
    for (int shift = 24; shift >= 0; shift -= 8) buf_put_u8(b, (uint8_t)(value >> shift));
    return buf_slice(b);
}

static uint16_t declare_as(struct topology *t, const char *name, struct slice arguments, uint32_t *group)
{
    struct topology_command c = {
        .type = TOPOLOGY_QUEUE_DECLARE, .vhost = S("/"), .name = S(name), .durable = true, .arguments = arguments};
    struct topology_result said, done;
    topology_examine(t, &c, &said);
    topology_apply(t, topology_index(t) + 1, &c, &done);
    assert_int_equal(said.group, done.group);
    *group = done.group;
    return done.reply_code;
}

static uint32_t declare(struct topology *t, const char *name, struct slice arguments)
{
    uint32_t group;
    assert_int_equal(declare_as(t, name, arguments, &group), 0);
    return group;
}

static struct replica_wish wish_of(struct topology *t, struct slice arguments)
{
    struct queue_record q = {.vhost = S("/"), .name = S("q"), .arguments = arguments};
    struct replica_wish wish;
    replica_wish_of_queue(t, &q, &wish);
    return wish;
}

static void arguments_and_policies_are_a_wish(void **state)
{
    (void)state;
    struct topology *t = cluster_of(5);
    struct buf b = {0};
    assert_int_equal(wish_of(t, S("")).count, REPLICAS_USUAL);
    assert_int_equal(wish_of(t, number(&b, "x-quorum-initial-group-size", 5)).count, 5);
    assert_int_equal(wish_of(t, number(&b, "x-initial-cluster-size", 400)).count, PLACED_MAX);
    set_policy(t, "{\"target-group-size\":4}");
    assert_int_equal(wish_of(t, S("")).count, 4);
    assert_int_equal(wish_of(t, number(&b, "x-quorum-target-group-size", 5)).count, 5);
    assert_int_equal(wish_of(t, number(&b, "x-quorum-target-group-size", 2)).count, 4);
    set_policy(t, "{\"ha-mode\":\"all\"}");
    assert_int_equal(wish_of(t, S("")).count, REPLICAS_ALL);
    assert_int_equal(wish_of(t, number(&b, "x-quorum-initial-group-size", 1)).count, 1); /* the queue's own word */
    set_policy(t, "{\"ha-mode\":\"exactly\",\"ha-params\":5}");
    assert_int_equal(wish_of(t, S("")).count, 5);
    set_policy(t, "{\"ha-mode\":\"exactly\",\"ha-params\":2}");
    assert_int_equal(wish_of(t, S("")).count, 3); /* two that can lose one */
    set_policy(t, "{\"ha-mode\":\"nodes\",\"ha-params\":[\"w@2\",\"w@9\",\"w@4\",\"w@2\"]}");
    assert_int_equal(wish_of(t, S("")).nodes, 1 << 2 | 1 << 4);
    assert_int_equal(wish_of(t, S("")).count, 2);
    set_policy(t, "{\"ha-mode\":\"nodes\",\"ha-params\":[\"w@9\"]}");
    assert_int_equal(wish_of(t, S("")).count, REPLICAS_USUAL); /* none of them is there */
    set_policy(t, "{\"member-placement-tag\":\"az\"}");
    assert_string_equal(wish_of(t, S("")).tag, "az");
    buf_close(&b);
    topology_destroy(t);
}

static void a_number_of_copies_is_at_least_one(void **state)
{
    (void)state;
    struct topology *t = cluster_of(3);
    struct buf b = {0};
    uint32_t group;
    assert_int_equal(declare_as(t, "q", number(&b, "x-quorum-initial-group-size", 0), &group), 406);
    buf_close(&b);
    topology_destroy(t);
}

static void tags_are_found_by_name(void **state)
{
    (void)state;
    struct topology *t = cluster_of(2);
    assert_true(slice_is(member_tag(topology_member(t, 2), "az"), "one"));
    assert_true(slice_is(member_tag(topology_member(t, 2), "rack"), "7"));
    assert_null(member_tag(topology_member(t, 2), "a").data);
    assert_null(member_tag(topology_member(t, 3), "az").data);
    topology_destroy(t);
}

static void equal_wishes_share_groups_of_their_own(void **state)
{
    (void)state;
    struct topology *t = cluster_of(5);
    struct buf b = {0};
    assert_in_range(declare(t, "usual", S("")), 1, GROUPS);
    assert_in_range(declare(t, "three", number(&b, "x-quorum-initial-group-size", 3)), 1, GROUPS);
    uint32_t five = declare(t, "five", number(&b, "x-quorum-initial-group-size", 5));
    assert_int_equal(five, GROUPS + 1);
    assert_false(topology_group_is_there(t, five));
    assert_int_equal(declare(t, "five-2", number(&b, "x-quorum-initial-group-size", 5)), five);
    assert_int_equal(topology_class(t, five)->count, 5);
    assert_int_equal(declare(t, "one", number(&b, "x-quorum-initial-group-size", 1)), GROUPS + 2);
    assert_int_equal(declare(t, "eight", number(&b, "x-quorum-initial-group-size", 8)), five + 2); /* for later */
    assert_in_range(declare(t, "none left", number(&b, "x-quorum-initial-group-size", 4)), 1, GROUPS);
    struct topology_command gone = {.type = TOPOLOGY_QUEUE_DELETE, .vhost = S("/"), .name = S("one")};
    accepted(t, gone);
    assert_int_equal(declare(t, "four", number(&b, "x-quorum-initial-group-size", 4)), GROUPS + 2); /* used again */
    buf_close(&b);
    topology_destroy(t);
}

static void one_wish_for_many_queues_gets_more_groups(void **state)
{
    (void)state;
    struct topology *t = cluster_of(5);
    char name[16];
    uint32_t seen = 0;
    set_policy(t, "{\"ha-mode\":\"all\"}");
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "q%d", i);
        seen |= 1u << (declare(t, name, S("")) - GROUPS - 1);
    }
    assert_int_equal(seen, 7); /* every spare one, no other */
    topology_destroy(t);
}

static bool is_led(void *arg, uint32_t group)
{
    return !(*(uint32_t *)arg >> group & 1); /* bits of groups without a leader */
}

static uint32_t group_instead(struct topology *t, struct slice arguments, uint32_t leaderless)
{
    struct queue_record q = {.vhost = S("/"), .name = S("new"), .arguments = arguments};
    return topology_group_instead(t, &q, is_led, &leaderless);
}

static void a_new_queue_avoids_groups_that_nobody_leads(void **state)
{
    (void)state;
    struct topology *t = cluster_of(5);
    struct buf b = {0};
    struct placed place = {.count = 1, .nodes = {2}};
    struct slice one = number(&b, "x-quorum-initial-group-size", 1);
    assert_int_equal(group_instead(t, S(""), 0), 0);
    assert_int_equal(group_instead(t, S(""), 1 << 1), 2); /* the emptiest of the others */
    assert_int_equal(group_instead(t, S(""), 0x1e), 0);   /* none would do */
    uint32_t first = declare(t, "first", one);
    assert_int_equal(group_instead(t, one, 1u << first), 0); /* it has not begun: somebody will lead it */
    accepted(t, members_place_command(first, &place));
    assert_int_equal(group_instead(t, one, 0), 0);
    uint32_t another = group_instead(t, one, 1u << first);
    assert_int_equal(another, first + 1);
    struct topology_command c = {.type = TOPOLOGY_QUEUE_DECLARE,
                                 .vhost = S("/"),
                                 .name = S("second"),
                                 .durable = true,
                                 .group = another,
                                 .arguments = one};
    accepted(t, c);
    assert_int_equal(topology_queue(t, S("/"), S("second"))->group, another);
    assert_int_equal(topology_class(t, another)->count, 1);
    assert_int_equal(group_instead(t, one, 1u << another), 0);
    assert_int_equal(group_instead(t, one, 1u << first), another);
    assert_int_equal(group_instead(t, one, 1u << first | 1u << another), first + 2);
    buf_close(&b);
    topology_destroy(t);
}

static void declare_in(struct topology *t, const char *name, uint32_t group, struct slice arguments)
{
    struct topology_command c = {.type = TOPOLOGY_QUEUE_DECLARE,
                                 .vhost = S("/"),
                                 .name = slice_str(name),
                                 .durable = true,
                                 .group = group,
                                 .arguments = arguments};
    accepted(t, c);
    assert_int_equal(topology_queue(t, S("/"), slice_str(name))->group, group);
}

static void a_spare_group_that_is_lost_bars_no_new_queue(void **state)
{
    (void)state;
    struct topology *t = cluster_of(5);
    struct buf one = {0}, two = {0}, five = {0};
    const struct slice wishes[SPARE] = {number(&one, "x-quorum-initial-group-size", 1),
                                        number(&two, "x-quorum-initial-group-size", 2),
                                        number(&five, "x-quorum-initial-group-size", 5)};
    static const char *const names[SPARE] = {"one", "two", "five"};
    uint32_t groups[SPARE];
    for (uint32_t i = 0; i < SPARE; i++) {
        struct placed place = {.count = 1, .nodes = {(uint8_t)(i + 1)}};
        groups[i] = declare(t, names[i], wishes[i]);
        accepted(t, members_place_command(groups[i], &place));
    }
    uint32_t lost = 1u << groups[0];
    assert_int_equal(group_instead(t, wishes[1], lost), 0);
    uint32_t usual = group_instead(t, wishes[0], lost); /* every spare group is in use */
    assert_in_range(usual, 1, GROUPS);
    declare_in(t, "grows", usual, wishes[0]);
    struct topology_command gone = {.type = TOPOLOGY_QUEUE_DELETE, .vhost = S("/"), .name = S("two")};
    accepted(t, gone);
    gone.name = S("one");
    accepted(t, gone);
    assert_int_equal(group_instead(t, wishes[0], lost), groups[1]); /* of another class, and nobody lives there */
    declare_in(t, "moved in", groups[1], wishes[0]);
    assert_int_equal(topology_class(t, groups[1])->count, 1);
    declare_in(t, "beside", groups[1], wishes[0]);
    assert_int_equal(topology_class(t, groups[2])->count, 5);
    buf_close(&one);
    buf_close(&two);
    buf_close(&five);
    topology_destroy(t);
}

static void only_queues_of_the_usual_number_may_choose_among_usual_groups(void **state)
{
    (void)state;
    struct topology *t = cluster_of(5);
    struct buf b = {0};
    struct queue_record q = {.vhost = S("/"), .name = S("new")};
    assert_true(topology_wants_usual(t, &q));
    q.arguments = number(&b, "x-quorum-initial-group-size", 1);
    assert_false(topology_wants_usual(t, &q));
    buf_close(&b);
    topology_destroy(t);
}

static void all_members_are_the_usual_where_there_are_no_more(void **state)
{
    (void)state;
    struct topology *t = cluster_of(3);
    set_policy(t, "{\"ha-mode\":\"all\"}");
    assert_in_range(declare(t, "q", S("")), 1, GROUPS);
    topology_destroy(t);
}

static void the_first_places_of_a_spare_group_are_its_founders(void **state)
{
    (void)state;
    struct topology *t = cluster_of(5), *copy = topology_create_with_spare(GROUPS, SPARE);
    struct buf b = {0};
    struct err err;
    uint32_t group = declare(t, "five", number(&b, "x-quorum-initial-group-size", 5));
    struct placed first = {.count = 2, .nodes = {4, 2}}, later = {.count = 1, .nodes = {5}};
    accepted(t, members_place_command(group, &first));
    accepted(t, members_place_command(group, &later));
    assert_int_equal(topology_founders(t, group), 1 << 4 | 1 << 2);
    assert_true(topology_group_is_there(t, group));
    b.size = 0;
    topology_encode(t, &b);
    assert_int_equal(topology_restore(copy, buf_slice(&b), &err), 0);
    assert_int_equal(topology_digest(copy), topology_digest(t));
    assert_int_equal(topology_founders(copy, group), 1 << 4 | 1 << 2);
    assert_int_equal(topology_class(copy, group)->count, 5);
    assert_int_equal(topology_usual_replicas(copy), 3);
    assert_true(slice_is(member_tag(topology_member(copy, 2), "az"), "one"));
    buf_close(&b);
    topology_destroy(copy);
    topology_destroy(t);
}

static void operators_orders_add_up(void **state)
{
    (void)state;
    struct topology *t = cluster_of(5);
    struct placed placed = {.count = 3, .nodes = {1, 2, 3}};
    struct topology_result r;
    accepted(t, members_place_command(1, &placed));
    accepted(t, members_add_replica_command(1, 4));
    accepted(t, members_add_replica_command(1, 4)); /* again */
    accepted(t, members_add_replica_command(1, 5));
    assert_int_equal(topology_order(t, 1)->count, 5);
    assert_int_equal(topology_order(t, 1)->with, 1 << 4 | 1 << 5);
    accepted(t, members_remove_replica_command(1, 1));
    accepted(t, members_remove_replica_command(1, 4));
    assert_int_equal(topology_order(t, 1)->count, 3);
    assert_int_equal(topology_order(t, 1)->with, 1 << 5);
    assert_int_equal(topology_order(t, 1)->without, 1 << 1 | 1 << 4);
    struct topology_command strange[] = {members_add_replica_command(1, 9), members_remove_replica_command(1, 9),
                                         members_add_replica_command(0, 1), members_add_replica_command(99, 1),
                                         members_count_replicas_command(1, PLACED_MAX + 1)};
    static const uint16_t codes[] = {404, 404, 406, 406, 406};
    for (size_t i = 0; i < 5; i++) {
        topology_apply(t, topology_index(t) + 1, &strange[i], &r);
        assert_int_equal(r.reply_code, codes[i]);
    }
    accepted(t, members_count_replicas_command(1, 1));
    struct topology_command last = members_remove_replica_command(1, 2);
    topology_apply(t, topology_index(t) + 1, &last, &r);
    assert_int_equal(r.reply_code, 406);
    accepted(t, members_lead_command(1, 3));
    accepted(t, members_count_replicas_command(1, 0));
    assert_int_equal(topology_order(t, 1)->without, 0);
    assert_int_equal(topology_order(t, 1)->leader, 3);
    refused(t, members_lead_command(1, 5), 404, "NOT_FOUND - node 5 holds no replica of the group");
    accepted(t, members_lead_command(1, 0));
    assert_int_equal(topology_order(t, 1)->leader, 0);
    topology_destroy(t);
}

static void the_largest_wish_of_all_counts(void **state)
{
    (void)state;
    struct replica_wish all = {0}, few = {.count = 1}, pinned = {.count = 2, .nodes = 1 << 3 | 1 << 4, .tag = "az"};
    replica_wish_add(&all, &few);
    assert_int_equal(all.count, 1);
    replica_wish_add(&all, &pinned);
    replica_wish_add(&all, &(struct replica_wish){.nodes = 1 << 1});
    replica_wish_add(&all, &few);
    assert_int_equal(all.count, 3);
    assert_int_equal(all.nodes, 1 << 1 | 1 << 3 | 1 << 4);
    assert_string_equal(all.tag, "az");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_and_policies_are_a_wish),
        cmocka_unit_test(a_number_of_copies_is_at_least_one),
        cmocka_unit_test(tags_are_found_by_name),
        cmocka_unit_test(equal_wishes_share_groups_of_their_own),
        cmocka_unit_test(one_wish_for_many_queues_gets_more_groups),
        cmocka_unit_test(a_new_queue_avoids_groups_that_nobody_leads),
        cmocka_unit_test(a_spare_group_that_is_lost_bars_no_new_queue),
        cmocka_unit_test(only_queues_of_the_usual_number_may_choose_among_usual_groups),
        cmocka_unit_test(all_members_are_the_usual_where_there_are_no_more),
        cmocka_unit_test(the_first_places_of_a_spare_group_are_its_founders),
        cmocka_unit_test(operators_orders_add_up),
        cmocka_unit_test(the_largest_wish_of_all_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
