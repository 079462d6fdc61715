/* Exchanges that keep messages, delay them, or let each through once: their arguments, and what a
 * route says of them. */
#include "tests/unit/router/harness.h"

static struct topology_command exchange_with(const char *name, const char *kind, struct buf *arguments)
{
    struct topology_command c = exchange_of(name, kind);
    c.arguments = buf_slice(arguments);
    return c;
}

static void find(struct topology *t, const char *exchange, bool delayed, struct route *route)
{
    struct route_query query = {
        .vhost = S("/"), .exchange = slice_str(exchange), .routing_key = S("k"), .delayed = delayed};
    assert_true(route_find(t, &query, route));
}

static void declare_delaying(struct topology *t, const char *name, const char *type)
{
    struct buf arguments = {0};
    put_text(&arguments, "x-delayed-type", type);
    accepted(t, exchange_with(name, "x-delayed-message", &arguments));
    buf_close(&arguments);
}

static void declare_deduplicating(struct topology *t, const char *name, int64_t size, int64_t ttl)
{
    struct buf arguments = {0};
    put_integer(&arguments, "x-cache-size", size);
    if (ttl) put_integer(&arguments, "x-cache-ttl", ttl);
    accepted(t, exchange_with(name, "x-message-deduplication", &arguments));
    buf_close(&arguments);
}

static void a_delayed_message_stays_in_the_exchange_s_home_group(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct route route = {0};
    declare_queue(t, "q");
    declare_delaying(t, "later", "direct");
    accepted(t, bind_of("later", "q", "k"));
    find(t, "later", false, &route);
    assert_int_equal(route.count, 1);
    assert_int_equal(route.store_count, 0);
    assert_false(route_is_lasting(&route)); /* another message may have a delay */
    find(t, "later", true, &route);
    assert_int_equal(route.count, 0);
    assert_int_equal(route.store_count, 1);
    assert_false(route_goes_nowhere(&route));
    assert_int_equal(route.stores[0].kind, ROUTE_STORE_DELAY);
    assert_int_equal(route.stores[0].group, topology_home_group(t, S("/"), S("later")));
    assert_in_range(route.stores[0].group, 1, HARNESS_GROUPS);
    assert_true(slice_is(route.stores[0].exchange, "later"));
    route_close(&route);
    topology_destroy(t);
}

static void others_on_the_way_get_a_delayed_message_at_once(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct route route = {0};
    declare_queue(t, "now");
    declare_queue(t, "then");
    declare_exchange(t, "front", "fanout");
    declare_delaying(t, "later", "fanout");
    declare_delaying(t, "later too", "fanout");
    accepted(t, bind_of("front", "now", ""));
    accepted(t, bind_exchange_of("front", "later", ""));
    accepted(t, bind_exchange_of("front", "later too", ""));
    accepted(t, bind_of("later", "then", ""));
    find(t, "front", true, &route);
    assert_int_equal(route.count, 1);
    assert_int_equal(route.store_count, 2);
    find(t, "front", false, &route);
    assert_int_equal(route.count, 2);
    assert_int_equal(route.store_count, 0);
    route_close(&route);
    topology_destroy(t);
}

static void a_queue_is_behind_the_window_only_if_every_way_is(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct route route = {0};
    uint64_t both = declare_queue(t, "both"), behind = declare_queue(t, "behind");
    declare_exchange(t, "front", "fanout");
    declare_exchange(t, "back", "fanout");
    declare_deduplicating(t, "once", 7, 500);
    accepted(t, bind_of("front", "both", ""));
    accepted(t, bind_exchange_of("front", "once", ""));
    accepted(t, bind_exchange_of("once", "back", ""));
    accepted(t, bind_of("once", "both", ""));
    accepted(t, bind_of("back", "behind", ""));
    find(t, "front", false, &route);
    assert_int_equal(route.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(route.targets[i].queue == both || route.targets[i].queue == behind);
        assert_int_equal(route.targets[i].windowed, route.targets[i].queue == behind);
    }
    assert_true(slice_is(route.window.exchange, "once"));
    assert_int_equal(route.window.size, 7);
    assert_int_equal(route.window.ttl_ms, 500);
    assert_true(route_is_lasting(&route));
    route_close(&route);
    topology_destroy(t);
}

static void a_history_keeps_what_may_be_kept_and_routes_on(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct route route = {0};
    declare_exchange(t, "chat", "x-recent-history");
    assert_true(topology_keeps_history(t, S("/"), S("chat")));
    assert_false(topology_keeps_history(t, S("/"), S("amq.fanout")));
    find(t, "chat", false, &route);
    assert_int_equal(route.store_count, 1);
    assert_int_equal(route.stores[0].kind, ROUTE_STORE_HISTORY);
    assert_int_equal(route.stores[0].length, EXCHANGE_HISTORY_LENGTH);
    assert_true(route_goes_nowhere(&route)); /* mandatory is returned all the same */
    struct route_query query = {.vhost = S("/"), .exchange = S("chat"), .no_store = true};
    assert_true(route_find(t, &query, &route));
    assert_int_equal(route.store_count, 0);
    route_close(&route);
    topology_destroy(t);
}

static void a_message_with_several_keys_comes_by_once(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct route route = {0};
    struct buf keys = {0};
    declare_queue(t, "q");
    declare_exchange(t, "front", "topic");
    declare_deduplicating(t, "once", 7, 0);
    declare_delaying(t, "later", "fanout");
    accepted(t, bind_of("once", "q", ""));
    accepted(t, bind_exchange_of("front", "once", "a"));
    accepted(t, bind_exchange_of("front", "later", "*"));
    put_item(&keys, "a");
    put_item(&keys, "b");
    struct route_query query = {
        .vhost = S("/"), .exchange = S("front"), .routing_key = S("k"), .further = {buf_slice(&keys)}, .delayed = true};
    assert_true(route_find(t, &query, &route));
    assert_int_equal(route.count, 1);
    assert_true(route.targets[0].windowed);
    assert_int_equal(route.store_count, 1);
    assert_true(route.held_back);
    accepted(t, bind_of("front", "q", "b"));
    assert_true(route_find(t, &query, &route));
    assert_int_equal(route.count, 1);
    assert_false(route.targets[0].windowed);
    buf_close(&keys);
    route_close(&route);
    topology_destroy(t);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *key;
        const char *text; /* NULL: `number` */
        int64_t number;
        unsigned code;
    } cases[] = {
        {"x-delayed-message", "x-other", "direct", 0, 406},
        {"x-delayed-message", "x-delayed-type", NULL, 5, 406},
        {"x-delayed-message", "x-delayed-type", "x-delayed-message", 0, 406},
        {"x-delayed-message", "x-delayed-type", "nonsense", 0, 503},
        {"x-delayed-message", "x-delayed-type", "x-message-deduplication", 0, 406},
        {"x-message-deduplication", "x-cache-ttl", NULL, 5, 406},
        {"x-message-deduplication", "x-cache-size", NULL, 0, 406},
        {"x-message-deduplication", "x-cache-size", "none", 0, 406},
        {"x-recent-history", "x-recent-history-length", NULL, 0, 406},
        {"x-recent-history", "x-recent-history-length", "5", 0, 406},
    };
    struct topology *t = topology_create(HARNESS_GROUPS);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf arguments = {0};
        if (cases[i].text) put_text(&arguments, cases[i].key, cases[i].text);
        else put_integer(&arguments, cases[i].key, cases[i].number);
        struct topology_result r = change(t, exchange_with("x", cases[i].kind, &arguments));
        assert_int_equal(r.reply_code, cases[i].code);
        assert_false(has_exchange(t, "x"));
        buf_close(&arguments);
    }
    topology_destroy(t);
}

static void numbers_may_be_texts_and_are_bounded(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct route route = {0};
    struct buf arguments = {0};
    put_text(&arguments, "x-cache-size", "5");
    put_text(&arguments, "x-cache-persistence", "disk");
    accepted(t, exchange_with("x", "x-message-deduplication", &arguments));
    find(t, "x", false, &route);
    assert_int_equal(route.window.size, 5);
    declare_deduplicating(t, "y", INT64_MAX, 0);
    find(t, "y", false, &route);
    assert_int_equal(route.window.size, EXCHANGE_WINDOW_MAX);
    route_close(&route);
    buf_close(&arguments);
    topology_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_delayed_message_stays_in_the_exchange_s_home_group),
        cmocka_unit_test(others_on_the_way_get_a_delayed_message_at_once),
        cmocka_unit_test(a_queue_is_behind_the_window_only_if_every_way_is),
        cmocka_unit_test(a_history_keeps_what_may_be_kept_and_routes_on),
        cmocka_unit_test(a_message_with_several_keys_comes_by_once),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(numbers_may_be_texts_and_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
