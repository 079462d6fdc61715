#include "tests/unit/router/harness.h"

static void declare_queues(struct topology *t, unsigned count)
{
    char name[8];
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof name, "q%u", i);
        declare_queue(t, name);
    }
}

static void the_default_exchange_routes_by_the_name_of_the_queue(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    declare_queues(t, 2);
    expect_route(t, "", "q0", "q0");
    expect_route(t, "", "q1", "q1");
    expect_route(t, "", "q", "none");
    expect_route(t, "", "", "none");
    expect_route(t, "missing", "q0", "no exchange");
    struct route route = {0};
    assert_false(route_message(t, S("other"), S(""), S("q0"), (struct slice){0}, &route));
    assert_int_equal(route.count, 0);
    accepted(t, (struct topology_command){.type = TOPOLOGY_QUEUE_DELETE, .name = S("q0")});
    expect_route(t, "", "q0", "none");
    route_close(&route);
    topology_destroy(t);
}

static void a_direct_exchange_routes_by_equal_keys(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    declare_queues(t, 4);
    declare_exchange(t, "x", "direct");
    accepted(t, bind_of("x", "q0", "k"));
    accepted(t, bind_of("x", "q1", "k"));
    accepted(t, bind_of("x", "q2", "k"));
    accepted(t, bind_of("x", "q3", "*"));
    accepted(t, bind_of("x", "q3", ""));
    expect_route(t, "x", "k", "q0 q1 q2");
    expect_route(t, "x", "K", "none");
    expect_route(t, "x", "", "q3");
    expect_route(t, "x", "*", "q3");
    /* whichever of the bindings of a key goes, the others stay: the first, one in the middle, the last */
    static const char *const order[][3] = {{"q0", "q1", "q2"}, {"q1", "q2", "q0"}, {"q2", "q0", "q1"}};
    static const char *const left[][2] = {{"q1 q2", "q2"}, {"q0 q2", "q0"}, {"q0 q1", "q1"}};
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < 3; j++) {
            struct topology_command c = bind_of("x", order[i][j], "k");
            c.type = TOPOLOGY_UNBIND;
            accepted(t, c);
            expect_route(t, "x", "k", j < 2 ? left[i][j] : "none");
        }
        for (size_t j = 0; j < 3; j++) accepted(t, bind_of("x", order[0][j], "k"));
    }
    topology_destroy(t);
}

static void a_fanout_exchange_routes_to_all_whatever_the_key(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    declare_queues(t, 3);
    expect_route(t, "amq.fanout", "k", "none");
    accepted(t, bind_of("amq.fanout", "q0", "a"));
    accepted(t, bind_of("amq.fanout", "q2", "b"));
    expect_route(t, "amq.fanout", "", "q0 q2");
    expect_route(t, "amq.fanout", "c", "q0 q2");
    topology_destroy(t);
}

static void each_queue_is_named_once_in_the_order_of_groups(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    char key[8];
    declare_queues(t, 9);
    for (unsigned i = 0; i < 40; i++) {
        char name[8];
        snprintf(name, sizeof name, "q%u", i * 7 % 9);
        snprintf(key, sizeof key, "k%u", i);
        accepted(t, bind_of("amq.fanout", name, key));
        accepted(t, bind_of("amq.topic", name, i % 2 ? "#" : "a.*"));
    }
    expect_route(t, "amq.fanout", "", "q0 q1 q2 q3 q4 q5 q6 q7 q8"); /* looks at the order, too */
    expect_route(t, "amq.topic", "a.b", "q0 q1 q2 q3 q4 q5 q6 q7 q8");
    struct route route = {0};
    assert_true(route_message(t, S("/"), S("amq.fanout"), S(""), (struct slice){0}, &route));
    assert_int_equal(route.count, 9);
    assert_false(route.depends_on_headers);
    assert_true(route_message(t, S("/"), S(""), S("q1"), (struct slice){0}, &route)); /* used again */
    assert_int_equal(route.count, 1);
    route_close(&route);
    assert_null(route.targets);
    topology_destroy(t);
}

/* --- headers --- */

static void bind_headers(struct topology *t, const char *queue, struct slice arguments)
{
    struct topology_command c = bind_of("amq.headers", queue, "");
    c.arguments = arguments;
    accepted(t, c);
}

static void a_headers_exchange_matches_all_or_any(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct buf all = {0}, any = {0}, plain = {0}, h = {0};
    declare_queues(t, 5);
    put_integer(&plain, "a", 1);
    put_text(&plain, "b", "two");
    put_text(&all, "x-match", "all");
    buf_put_slice(&all, buf_slice(&plain));
    put_text(&any, "x-match", "any");
    bind_headers(t, "q3", buf_slice(&any)); /* any of nothing is never */
    buf_put_slice(&any, buf_slice(&plain));
    bind_headers(t, "q0", buf_slice(&all));
    bind_headers(t, "q1", buf_slice(&any));
    bind_headers(t, "q2", buf_slice(&plain)); /* without x-match: all */
    bind_headers(t, "q4", (struct slice){0}); /* all of nothing is always */
    expect_route(t, "amq.headers", "k", "q4");
    put_integer(&h, "a", 1);
    expect_route_with(t, "amq.headers", "", buf_slice(&h), "q1 q4");
    put_text(&h, "c", "more");
    put_text(&h, "b", "two");
    expect_route_with(t, "amq.headers", "", buf_slice(&h), "q0 q1 q2 q4");
    buf_clear(&h);
    put_integer(&h, "a", 2);
    put_text(&h, "b", "Two");
    expect_route_with(t, "amq.headers", "", buf_slice(&h), "q4");
    expect_route_with(t, "amq.headers", "", BYTES("\1ab\1\1bS\0\0\0\3two"), "q0 q1 q2 q4"); /* another width of 1 */
    expect_route_with(t, "amq.headers", "", BYTES("\1ad\x3f\xf0\0\0\0\0\0\0"), "q1 q4");    /* 1.0 is 1 */
    expect_route_with(t, "amq.headers", "", BYTES("\1aT\0\0\0\0\0\0\0\1"), "q1 q4");        /* and a time is a number */
    expect_route_with(t, "amq.headers", "", BYTES("\1aS\0\0\0\0011"), "q4");                /* a text is none */
    struct route route = {0};
    assert_true(route_message(t, S("/"), S("amq.headers"), S(""), (struct slice){0}, &route));
    assert_true(route.depends_on_headers);
    route_close(&route);
    buf_close(&all);
    buf_close(&any);
    buf_close(&plain);
    buf_close(&h);
    topology_destroy(t);
}

static void headers_with_x_count_only_in_the_forms_with_x(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    static const char *const modes[] = {"all", "any", "all-with-x", "any-with-x"};
    struct buf b = {0}, h = {0};
    char name[8];
    declare_queues(t, 4);
    for (size_t i = 0; i < 4; i++) {
        buf_clear(&b);
        put_text(&b, "x-match", modes[i]);
        put_integer(&b, "x-n", 1);
        put_integer(&b, "n", 1);
        snprintf(name, sizeof name, "q%zu", i);
        bind_headers(t, name, buf_slice(&b));
    }
    put_integer(&h, "n", 1);
    expect_route_with(t, "amq.headers", "", buf_slice(&h), "q0 q1 q3");
    put_integer(&h, "x-n", 1);
    expect_route_with(t, "amq.headers", "", buf_slice(&h), "q0 q1 q2 q3");
    buf_clear(&h);
    put_integer(&h, "x-n", 1);
    expect_route_with(t, "amq.headers", "", buf_slice(&h), "q3");
    put_text(&h, "x-match", "all-with-x"); /* a header of this name means nothing */
    expect_route_with(t, "amq.headers", "", buf_slice(&h), "q3");
    buf_close(&b);
    buf_close(&h);
    topology_destroy(t);
}

static void a_binding_to_a_header_without_value_asks_that_it_is_there(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    declare_queues(t, 1);
    bind_headers(t, "q0", BYTES("\1aV"));
    expect_route_with(t, "amq.headers", "", BYTES("\1at\0"), "q0");
    expect_route_with(t, "amq.headers", "", BYTES("\1aS\0\0\0\1x"), "q0");
    expect_route_with(t, "amq.headers", "", BYTES("\1bt\0"), "none");
    expect_route_with(t, "amq.headers", "", BYTES("\1aZ"), "none"); /* damaged headers match nothing */
    topology_destroy(t);
}

/* --- exchanges behind exchanges --- */

static void messages_go_through_exchanges_and_around_cycles_once(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    declare_queues(t, 4);
    declare_exchange(t, "a", "fanout");
    declare_exchange(t, "b", "topic");
    declare_exchange(t, "c", "direct");
    accepted(t, bind_exchange_of("a", "b", ""));
    accepted(t, bind_exchange_of("b", "c", "k.#"));
    accepted(t, bind_exchange_of("c", "a", "k.1"));
    accepted(t, bind_exchange_of("a", "a", ""));
    accepted(t, bind_of("a", "q0", ""));
    accepted(t, bind_of("b", "q1", "k.*"));
    accepted(t, bind_of("c", "q2", "k.1"));
    accepted(t, bind_of("c", "q0", "k.1"));
    accepted(t, bind_of("c", "q3", "other"));
    expect_route(t, "a", "k.1", "q0 q1 q2");
    expect_route(t, "b", "k.1", "q0 q1 q2");
    expect_route(t, "c", "k.1", "q0 q1 q2");
    expect_route(t, "a", "k.2", "q0 q1");
    expect_route(t, "b", "k.2", "q1");
    expect_route(t, "c", "k.2", "none");
    expect_route(t, "a", "other", "q0");
    struct topology_command c = bind_exchange_of("b", "c", "k.#");
    c.type = TOPOLOGY_UNBIND;
    accepted(t, c);
    expect_route(t, "a", "k.1", "q0 q1");
    topology_destroy(t);
}

static void a_headers_exchange_behind_another_is_remembered(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct route route = {0};
    declare_exchange(t, "a", "direct");
    accepted(t, bind_exchange_of("a", "amq.headers", "h"));
    assert_true(route_message(t, S("/"), S("a"), S("h"), (struct slice){0}, &route));
    assert_true(route.depends_on_headers);
    assert_true(route_message(t, S("/"), S("a"), S("k"), (struct slice){0}, &route));
    assert_false(route.depends_on_headers);
    route_close(&route);
    topology_destroy(t);
}

static void declare_with_alternate(struct topology *t, const char *name, const char *kind, const char *alternate)
{
    struct buf arguments = {0};
    struct topology_command c = exchange_of(name, kind);
    put_text(&arguments, "alternate-exchange", alternate);
    c.arguments = buf_slice(&arguments);
    accepted(t, c);
    buf_close(&arguments);
}

static void what_no_binding_takes_goes_to_the_alternate_exchange(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    declare_queues(t, 3);
    declare_with_alternate(t, "x", "direct", "y");
    declare_with_alternate(t, "y", "direct", "z");
    expect_route(t, "x", "k", "none"); /* y has no binding, z is not there */
    declare_exchange(t, "z", "fanout");
    accepted(t, bind_of("x", "q0", "k"));
    accepted(t, bind_of("y", "q1", "l"));
    accepted(t, bind_of("z", "q2", ""));
    expect_route(t, "x", "k", "q0");
    expect_route(t, "x", "l", "q1");
    expect_route(t, "x", "m", "q2");
    /* bound to an exchange that leads nowhere is bound */
    declare_exchange(t, "nowhere", "fanout");
    accepted(t, bind_exchange_of("x", "nowhere", "m"));
    expect_route(t, "x", "m", "none");
    accepted(t, (struct topology_command){.type = TOPOLOGY_EXCHANGE_DELETE, .name = S("y")});
    expect_route(t, "x", "l", "none");
    topology_destroy(t);
}

static void an_alternate_exchange_gets_what_no_key_has_a_way_for(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct buf cc = {0}, bcc = {0};
    struct route route = {0};
    declare_queues(t, 2);
    declare_with_alternate(t, "x", "direct", "amq.fanout");
    accepted(t, bind_of("x", "q0", "known"));
    accepted(t, bind_of("amq.fanout", "q1", ""));
    put_item(&cc, "unknown");
    put_item(&bcc, "known");
    struct route_query query = {
        .vhost = S("/"), .exchange = S("x"), .routing_key = S("k"), .further = {buf_slice(&cc), buf_slice(&bcc)}};
    assert_true(route_find(t, &query, &route));
    assert_int_equal(route.count, 1);
    assert_int_equal(route.targets[0].queue, topology_queue(t, S("/"), S("q0"))->id);
    query.further[1] = buf_slice(&cc);
    assert_true(route_find(t, &query, &route));
    assert_int_equal(route.count, 1);
    assert_int_equal(route.targets[0].queue, topology_queue(t, S("/"), S("q1"))->id);
    buf_close(&cc);
    buf_close(&bcc);
    route_close(&route);
    topology_destroy(t);
}

static void alternate_exchanges_in_a_ring_end(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    declare_queues(t, 2);
    declare_with_alternate(t, "x", "headers", "y");
    declare_with_alternate(t, "y", "topic", "x");
    declare_with_alternate(t, "self", "fanout", "self");
    declare_with_alternate(t, "names", "direct", "");
    expect_route(t, "y", "k", "none");
    expect_route(t, "self", "k", "none");
    expect_route(t, "names", "q1", "none");
    accepted(t, bind_of("x", "q0", ""));
    expect_route(t, "y", "k", "q0");
    topology_destroy(t);
}

static void an_internal_exchange_routes_what_comes_from_others(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct topology_command c = exchange_of("inside", "fanout");
    c.internal = true;
    accepted(t, c);
    declare_queues(t, 1);
    accepted(t, bind_of("inside", "q0", ""));
    accepted(t, bind_exchange_of("amq.direct", "inside", "k"));
    expect_route(t, "amq.direct", "k", "q0");
    assert_true(topology_exchange(t, S("/"), S("inside"))->internal); /* refusing a client's publish: the session */
    topology_destroy(t);
}

static void routes_are_added_to_in_order_and_once(void **state)
{
    (void)state;
    struct route route = {0};
    static const struct route_target add[] = {{2, 5}, {1, 9}, {2, 5}, {3, 1}, {2, 4}, {1, 9}, {1, 2}, {3, 1}, {2, 6}};
    static const struct route_target expected[] = {{1, 2}, {1, 9}, {2, 4}, {2, 5}, {2, 6}, {3, 1}};
    for (size_t i = 0; i < sizeof add / sizeof add[0]; i++) route_add(&route, add[i].group, add[i].queue);
    assert_int_equal(route.count, sizeof expected / sizeof expected[0]);
    for (size_t i = 0; i < route.count; i++) {
        assert_int_equal(route.targets[i].group, expected[i].group);
        assert_int_equal(route.targets[i].queue, expected[i].queue);
    }
    route_close(&route);
}

/* CC and BCC: the session asks for each key and adds up. */
static void the_routes_of_several_keys_add_up(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct route sum = {0}, one = {0};
    static const char *const keys[] = {"k", "l", "k", "none"};
    declare_queues(t, 3);
    accepted(t, bind_of("amq.direct", "q0", "k"));
    accepted(t, bind_of("amq.direct", "q2", "k"));
    accepted(t, bind_of("amq.direct", "q1", "l"));
    accepted(t, bind_of("amq.direct", "q2", "l"));
    for (size_t i = 0; i < 4; i++) {
        assert_true(route_message(t, S("/"), S("amq.direct"), S(keys[i]), (struct slice){0}, &one));
        for (size_t j = 0; j < one.count; j++) route_add(&sum, one.targets[j].group, one.targets[j].queue);
    }
    assert_int_equal(sum.count, 3);
    for (size_t i = 1; i < sum.count; i++) assert_true(sum.targets[i - 1].group < sum.targets[i].group);
    route_close(&sum);
    route_close(&one);
    topology_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_exchange_routes_by_the_name_of_the_queue),
        cmocka_unit_test(a_direct_exchange_routes_by_equal_keys),
        cmocka_unit_test(a_fanout_exchange_routes_to_all_whatever_the_key),
        cmocka_unit_test(each_queue_is_named_once_in_the_order_of_groups),
        cmocka_unit_test(a_headers_exchange_matches_all_or_any),
        cmocka_unit_test(headers_with_x_count_only_in_the_forms_with_x),
        cmocka_unit_test(a_binding_to_a_header_without_value_asks_that_it_is_there),
        cmocka_unit_test(messages_go_through_exchanges_and_around_cycles_once),
        cmocka_unit_test(a_headers_exchange_behind_another_is_remembered),
        cmocka_unit_test(what_no_binding_takes_goes_to_the_alternate_exchange),
        cmocka_unit_test(an_alternate_exchange_gets_what_no_key_has_a_way_for),
        cmocka_unit_test(alternate_exchanges_in_a_ring_end),
        cmocka_unit_test(an_internal_exchange_routes_what_comes_from_others),
        cmocka_unit_test(routes_are_added_to_in_order_and_once),
        cmocka_unit_test(the_routes_of_several_keys_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
