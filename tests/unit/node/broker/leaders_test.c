/* Who leads a group, and for how long a group that lost its leader counts as led. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/broker/broker_internal.h"

enum { GROUP = 1, GROUPS = 2 };

struct one_broker {
    struct broker broker;
    struct leader leaders[GROUPS];
    struct list ports[GROUPS];
};

/* At the start of a node nobody is known to lead. */
static struct broker *begin(struct one_broker *o)
{
    *o = (struct one_broker){
        .broker = {.params = {.node = 1, .shard_count = 1, .group_count = GROUPS}, .now_ms = 1000000}};
    o->broker.leaders = o->leaders;
    o->broker.ports_of_group = o->ports;
    for (int i = 0; i < GROUPS; i++) list_init(&o->ports[i]);
    return &o->broker;
}

static void a_group_without_a_leader_yet_is_not_led(void **state)
{
    (void)state;
    struct one_broker o;
    struct broker *b = begin(&o);
    assert_false(broker_group_is_led(b, GROUP));
    leaders_set(b, GROUP, 0, 1);
    assert_false(broker_group_is_led(b, GROUP));
    leaders_set(b, GROUP, 2, 1);
    assert_true(broker_group_is_led(b, GROUP));
}

static void a_leadership_that_changes_hands_is_no_reason_to_send_clients_away(void **state)
{
    (void)state;
    struct one_broker o;
    struct broker *b = begin(&o);
    leaders_set(b, GROUP, 2, 1);
    leaders_set(b, GROUP, 0, 1);
    assert_int_equal(broker_leader(b, GROUP), 0);
    assert_true(broker_group_is_led(b, GROUP));
    b->now_ms += BROKER_ELECTION_MS - 1;
    leaders_set(b, GROUP, 0, 2); /* heard once more, it does not begin anew */
    assert_true(broker_group_is_led(b, GROUP));
    b->now_ms++;
    assert_false(broker_group_is_led(b, GROUP));
    leaders_set(b, GROUP, 3, 3);
    assert_true(broker_group_is_led(b, GROUP));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_without_a_leader_yet_is_not_led),
        cmocka_unit_test(a_leadership_that_changes_hands_is_no_reason_to_send_clients_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
