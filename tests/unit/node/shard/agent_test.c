/* The weight that a node asks HAProxy for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/shard/agent.h"

static void the_weight_falls_with_load_in_steps(void **state)
{
    (void)state;
    assert_int_equal(agent_weight(0), 100);
    assert_int_equal(agent_weight(60), 100); /* an idle node's heartbeats */
    assert_int_equal(agent_weight(100), 95);
    assert_int_equal(agent_weight(333), 80);
    assert_int_equal(agent_weight(500), 65);
    assert_int_equal(agent_weight(1000), 25); /* it still gets some */
    unsigned before = 100;
    for (unsigned busy = 0; busy <= 1000; busy++) {
        unsigned weight = agent_weight(busy);
        assert_true(weight <= before && weight % 5 == 0);
        before = weight;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_weight_falls_with_load_in_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
