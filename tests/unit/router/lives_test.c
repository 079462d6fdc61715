/* Which processes carry the cluster, and what goes when none does any more. */
#include "router/lives.h"

#include "tests/unit/router/harness.h"

static void seen(struct topology *t, uint8_t node, uint32_t epoch)
{
    accepted(t, life_seen_command(node, epoch));
}

static void gone(struct topology *t, uint8_t node, uint32_t epoch)
{
    accepted(t, (struct topology_command){.type = TOPOLOGY_OWNERS_GONE, .node = node, .epoch = epoch});
}

static struct topology_result declare(struct topology *t, const char *name, bool durable)
{
    struct topology_command c = queue_of(name);
    c.durable = durable;
    struct topology_result r = change(t, c);
    assert_int_equal(r.reply_code, 0);
    return r;
}

static struct topology_result make_exchange(struct topology *t, const char *name, bool durable)
{
    struct topology_command c = exchange_of(name, "topic");
    c.durable = durable;
    struct topology_result r = change(t, c);
    assert_int_equal(r.reply_code, 0);
    return r;
}

/* Nodes 1 to 3 carry, and there is one of each kind. */
static struct topology *running(void)
{
    struct topology *t = topology_create(HARNESS_GROUPS);
    for (uint8_t node = 1; node <= 3; node++) seen(t, node, 5);
    seen(t, 1, 5);
    for (uint8_t node = 1; node <= 3; node++) assert_int_equal(topology_life(t, node, 5), LIFE_CARRIER);
    declare(t, "durable", true);
    declare(t, "transient", false);
    make_exchange(t, "durable", true);
    make_exchange(t, "transient", false);
    accepted(t, bind_of("durable", "transient", "#"));
    return t;
}

static bool has_transient(const struct topology *t)
{
    bool queue = topology_queue(t, S("/"), S("transient")), exchange = topology_exchange(t, S("/"), S("transient"));
    assert_int_equal(queue, exchange);
    assert_non_null(topology_queue(t, S("/"), S("durable")));
    assert_non_null(topology_exchange(t, S("/"), S("durable")));
    assert_non_null(topology_exchange(t, S("/"), S("amq.topic")));
    return queue;
}

static void a_node_that_restarts_beside_others_takes_nothing_with_it(void **state)
{
    (void)state;
    struct topology *t = running();
    for (uint32_t epoch = 6; epoch < 9; epoch++)
        for (uint8_t node = 1; node <= 3; node++) {
            uint8_t other = node % 3 + 1;
            gone(t, node, epoch - 1);
            seen(t, node, epoch);
            assert_int_equal(topology_life(t, node, epoch), LIFE_NEWCOMER);
            seen(t, other, other < node ? epoch : epoch - 1);
            assert_int_equal(topology_life(t, node, epoch), LIFE_CARRIER);
        }
    assert_true(has_transient(t));
    topology_destroy(t);
}

static void what_is_transient_goes_with_the_last_of_all_processes(void **state)
{
    (void)state;
    struct topology *t = running();
    seen(t, 2, 6);
    seen(t, 1, 6);
    assert_true(has_transient(t)); /* node 3 may have been there all the time */
    seen(t, 3, 6);
    assert_false(has_transient(t));
    for (uint8_t node = 1; node <= 3; node++) assert_int_equal(topology_life(t, node, 6), LIFE_CARRIER);
    uint64_t cursor = 0;
    struct binding binding;
    assert_false(topology_next_binding(t, &cursor, &binding));
    topology_destroy(t);
}

static void a_node_that_was_there_all_the_time_keeps_it(void **state)
{
    (void)state;
    struct topology *t = running();
    seen(t, 2, 6);
    seen(t, 1, 6);
    seen(t, 3, 5);
    seen(t, 3, 6);
    assert_true(has_transient(t));
    topology_destroy(t);
}

static void a_node_that_does_not_come_back_is_not_waited_for_beyond_its_end(void **state)
{
    (void)state;
    struct topology *t = running();
    seen(t, 2, 6);
    seen(t, 1, 6);
    gone(t, 3, 4); /* of an older life */
    assert_true(has_transient(t));
    gone(t, 3, 5);
    assert_false(has_transient(t));
    topology_destroy(t);
}

static void one_node_alone_is_a_cluster_too(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    seen(t, 1, 1);
    declare(t, "durable", true), make_exchange(t, "durable", true);
    declare(t, "transient", false), make_exchange(t, "transient", false);
    seen(t, 1, 1);
    assert_true(has_transient(t));
    gone(t, 1, 1);
    assert_true(has_transient(t)); /* until somebody is here again */
    seen(t, 1, 2);
    assert_false(has_transient(t));
    topology_destroy(t);
}

static void what_is_declared_while_a_node_is_waited_for_stays(void **state)
{
    (void)state;
    struct topology *t = running();
    declare(t, "forgotten", false);
    seen(t, 1, 6);
    assert_false(declare(t, "new", false).renewed);
    assert_true(declare(t, "transient", false).renewed);
    assert_false(declare(t, "transient", false).renewed); /* once is enough */
    assert_false(declare(t, "durable", true).renewed);
    assert_true(make_exchange(t, "transient", false).renewed);
    seen(t, 2, 6);
    seen(t, 3, 6);
    assert_true(has_transient(t));
    assert_non_null(topology_queue(t, S("/"), S("new")));
    assert_null(topology_queue(t, S("/"), S("forgotten")));
    assert_false(declare(t, "transient", false).renewed);
    for (uint8_t node = 1; node <= 3; node++) seen(t, node, 7);
    assert_false(has_transient(t)); /* and goes with the next end of all */
    topology_destroy(t);
}

static void old_news_and_strange_nodes_change_nothing(void **state)
{
    (void)state;
    struct topology *t = running();
    uint8_t strange[] = {0, LIVES_MAX, 255};
    seen(t, 1, 4);
    assert_int_equal(topology_life(t, 1, 5), LIFE_CARRIER);
    assert_int_equal(topology_life(t, 1, 4), LIFE_PAST);
    assert_int_equal(topology_life(t, 1, 6), LIFE_UNKNOWN);
    seen(t, 1, 0);
    for (size_t i = 0; i < sizeof strange; i++) {
        seen(t, strange[i], 9);
        assert_int_equal(topology_life(t, strange[i], 9), LIFE_UNKNOWN);
        gone(t, strange[i], 9);
    }
    assert_true(has_transient(t));
    topology_destroy(t);
}

static void lives_survive_a_manifest_and_damaged_ones_are_refused(void **state)
{
    (void)state;
    struct topology *t = running(), *copy = topology_create(HARNESS_GROUPS);
    struct buf bytes = {0};
    seen(t, 1, 6);
    declare(t, "new", false);
    topology_encode(t, &bytes);
    assert_int_equal(topology_restore(copy, buf_slice(&bytes), NULL), 0);
    assert_int_equal(topology_life(copy, 1, 6), LIFE_NEWCOMER);
    assert_int_equal(topology_life(copy, 2, 5), LIFE_CARRIER);
    seen(copy, 2, 6);
    seen(copy, 3, 6);
    assert_false(has_transient(copy));
    assert_non_null(topology_queue(copy, S("/"), S("new")));
    /* The end: era 3, three lives of node u8, epoch le32, carries u8. */
    uint8_t *end = bytes.data + bytes.size;
    static const struct {
        int at;
        uint8_t value;
    } damages[] = {{-6, 2}, {-6, 64}, {-5, 0}, {-1, 2}, {-19, 4}, {-20, 0}};
    assert_int_equal(end[-20], 3);
    assert_int_equal(end[-19], 3);
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        uint8_t before = end[damages[i].at];
        end[damages[i].at] = damages[i].value;
        assert_int_equal(topology_restore(copy, buf_slice(&bytes), NULL), ERR_FORMAT);
        end[damages[i].at] = before;
    }
    end[-7] = end[-1] = 0; /* newcomers, and nobody to wait for */
    assert_int_equal(topology_restore(copy, buf_slice(&bytes), NULL), ERR_FORMAT);
    buf_close(&bytes);
    topology_destroy(copy);
    topology_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_that_restarts_beside_others_takes_nothing_with_it),
        cmocka_unit_test(what_is_transient_goes_with_the_last_of_all_processes),
        cmocka_unit_test(a_node_that_was_there_all_the_time_keeps_it),
        cmocka_unit_test(a_node_that_does_not_come_back_is_not_waited_for_beyond_its_end),
        cmocka_unit_test(one_node_alone_is_a_cluster_too),
        cmocka_unit_test(what_is_declared_while_a_node_is_waited_for_stays),
        cmocka_unit_test(old_news_and_strange_nodes_change_nothing),
        cmocka_unit_test(lives_survive_a_manifest_and_damaged_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
