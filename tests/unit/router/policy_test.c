#include "router/policy.h"

#include <stdlib.h>

#include "tests/unit/router/harness.h"

static void set(struct topology *t, enum registry_kind kind, const char *name, const char *apply_to, int priority,
                const char *pattern, const char *definition)
{
    char value[512];
    snprintf(value, sizeof value, "{\"apply-to\":\"%s\",\"definition\":%s,\"pattern\":\"%s\",\"priority\":%d}",
             apply_to, definition, pattern, priority);
    accepted(t, registry_set_command(kind, S("/"), S(name), S(""), S(value)));
}

static void set_policy(struct topology *t, const char *name, const char *apply_to, int priority, const char *pattern,
                       const char *definition)
{
    set(t, REGISTRY_POLICY, name, apply_to, priority, pattern, definition);
}

static void clear(struct topology *t, enum registry_kind kind, const char *name)
{
    accepted(t, registry_clear_command(kind, S("/"), S(name), S("")));
}

static struct slice policy_name(struct topology *t, const char *queue, struct slice arguments)
{
    struct queue_record q = {.vhost = S("/"), .name = S(queue), .arguments = arguments};
    struct policy_match m;
    policy_of_queue(t, &q, &m);
    return m.policy ? m.policy->name : S("none");
}

#define assert_policy(t, queue, expected) assert_true(slice_is(policy_name(t, queue, S("")), expected))

static void the_highest_priority_counts(void **state)
{
    (void)state;
    struct topology *t = topology_create(1);
    assert_policy(t, "a.b", "none");
    set_policy(t, "low", "all", 0, "", "{\"max-length\":1}");
    set_policy(t, "b", "queues", 5, "^a", "{\"max-length\":2}");
    set_policy(t, "a", "queues", 5, "^a", "{\"max-length\":3}");
    set_policy(t, "high", "queues", 9, "^a\\\\.c$", "{\"max-length\":4}");
    set_policy(t, "broken", "queues", 99, "(", "{\"max-length\":4}");
    set_policy(t, "exchanges", "exchanges", 99, "", "{\"alternate-exchange\":\"x\"}");
    assert_policy(t, "z", "low");
    assert_policy(t, "a.b", "a"); /* by name among equals */
    assert_policy(t, "a.c", "high");
    assert_policy(t, "a.cc", "a");
    clear(t, REGISTRY_POLICY, "a");
    assert_policy(t, "a.b", "b");
    struct queue_record elsewhere = {.vhost = S("other"), .name = S("a.b")};
    struct policy_match m;
    policy_of_queue(t, &elsewhere, &m);
    assert_null(m.policy);
    topology_destroy(t);
}

static void policies_may_mean_one_type_of_queues(void **state)
{
    (void)state;
    struct topology *t = topology_create(1);
    struct buf quorum = {0}, stream = {0};
    put_text(&quorum, "x-queue-type", "quorum");
    put_text(&stream, "x-queue-type", "stream");
    set_policy(t, "c", "classic_queues", 0, "", "{\"max-length\":1}");
    set_policy(t, "q", "quorum_queues", 0, "", "{\"max-length\":1}");
    set_policy(t, "s", "streams", 0, "", "{\"max-age\":\"1D\"}");
    assert_policy(t, "x", "c");
    assert_true(slice_is(policy_name(t, "x", buf_slice(&quorum)), "q"));
    assert_true(slice_is(policy_name(t, "x", buf_slice(&stream)), "s"));
    buf_close(&quorum);
    buf_close(&stream);
    topology_destroy(t);
}

static void assert_effective(struct topology *t, const char *queue, const char *expected)
{
    struct queue_record q = {.vhost = S("/"), .name = S(queue)};
    struct policy_match m;
    policy_of_queue(t, &q, &m);
    json_t *all = policy_effective_definition(&m);
    char *text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(text, expected);
    free(text);
    json_decref(all);
}

static void an_operator_makes_limits_smaller(void **state)
{
    (void)state;
    struct topology *t = topology_create(1);
    assert_effective(t, "q", "{}");
    set_policy(t, "p", "all", 0, "", "{\"max-length\":10,\"message-ttl\":5,\"overflow\":\"drop-head\"}");
    set(t, REGISTRY_OPERATOR_POLICY, "o", "all", 0, "",
        "{\"expires\":9,\"max-length\":3,\"message-ttl\":7,\"overflow\":\"reject-publish\"}");
    assert_effective(t, "q", "{\"expires\":9,\"max-length\":3,\"message-ttl\":5,\"overflow\":\"reject-publish\"}");
    clear(t, REGISTRY_POLICY, "p");
    assert_effective(t, "q", "{\"expires\":9,\"max-length\":3,\"message-ttl\":7,\"overflow\":\"reject-publish\"}");
    topology_destroy(t);
}

static void arguments_and_policies_go_together(void **state)
{
    (void)state;
    struct topology *t = topology_create(1);
    struct buf table = {0};
    struct queue_arguments a;
    put_integer(&table, "x-max-length", 5);
    put_integer(&table, "x-message-ttl", 100);
    put_text(&table, "x-overflow", "drop-head");
    put_text(&table, "x-dead-letter-exchange", "mine");
    put_text(&table, "x-dead-letter-strategy", "at-most-once");
    struct queue_record q = {.vhost = S("/"), .name = S("q"), .arguments = buf_slice(&table)};
    set_policy(
        t, "p", "queues", 0, "q",
        "{\"max-length\":9,\"message-ttl\":50,\"expires\":77,\"delivery-limit\":0,\"overflow\":\"reject-publish\","
        "\"dead-letter-exchange\":\"theirs\",\"dead-letter-routing-key\":\"k\",\"consumer-timeout\":8,"
        "\"consumer-disconnected-timeout\":12,\"dead-letter-strategy\":\"at-least-once\","
        "\"delayed-retry-type\":\"failed\",\"delayed-retry-min\":2,\"delayed-retry-max\":3}");
    assert_true(policy_queue_arguments(t, &q, &a));
    assert_int_equal(a.max_length, 5);
    assert_int_equal(a.message_ttl_ms, 50);
    assert_int_equal(a.expires_ms, 77);
    assert_int_equal(a.delivery_limit, 0);
    assert_int_equal(a.max_length_bytes, -1);
    assert_int_equal(a.overflow, 0); /* the argument's word */
    assert_true(slice_is(a.dead_letter_exchange, "mine"));
    assert_true(slice_is(a.dead_letter_routing_key, "k"));
    assert_false(a.dead_letters_at_least_once);
    assert_int_equal(a.consumer_timeout_ms, 8);
    assert_int_equal(a.disconnected_timeout_ms, 12);
    assert_int_equal(a.delayed_retry, 2);
    assert_int_equal(a.delayed_retry_min_ms, 2);
    assert_int_equal(a.delayed_retry_max_ms, 3);
    q.arguments = S("");
    assert_true(policy_queue_arguments(t, &q, &a));
    assert_int_equal(a.overflow, 1);
    assert_true(a.has_dead_letter_exchange && slice_is(a.dead_letter_exchange, "theirs"));
    assert_true(a.dead_letters_at_least_once);
    q.name = S("other");
    assert_true(policy_queue_arguments(t, &q, &a));
    assert_false(a.has_dead_letter_exchange);
    buf_close(&table);
    topology_destroy(t);
}

static void what_a_policy_says_of_time_has_a_bound(void **state)
{
    (void)state;
    struct topology *t = topology_create(1);
    struct queue_arguments a;
    struct queue_record q = {.vhost = S("/"), .name = S("q")};
    set_policy(t, "p", "queues", 0, "q",
               "{\"consumer-timeout\":9223372036854775807,\"consumer-disconnected-timeout\":315360000001,"
               "\"delayed-retry-min\":315360000001,\"delayed-retry-max\":9223372036854775807,"
               "\"message-ttl\":315360000001,\"expires\":9223372036854775807}");
    assert_true(policy_queue_arguments(t, &q, &a));
    assert_true(a.consumer_timeout_ms == QUEUE_TIME_MS_MAX && a.disconnected_timeout_ms == QUEUE_TIME_MS_MAX);
    assert_true(a.delayed_retry_min_ms == QUEUE_TIME_MS_MAX && a.delayed_retry_max_ms == QUEUE_TIME_MS_MAX);
    assert_true(a.message_ttl_ms == QUEUE_TIME_MS_MAX && a.expires_ms == QUEUE_TIME_MS_MAX);
    topology_destroy(t);
}

static void a_delivery_limit_of_minus_one_is_none(void **state)
{
    (void)state;
    struct topology *t = topology_create(1);
    struct buf table = {0};
    struct queue_arguments a;
    struct queue_record q = {.vhost = S("/"), .name = S("q")};
    json_t *none = json_pack("{s:i}", "delivery-limit", -1);
    assert_true(policy_check_definition(none, false, NULL));
    json_decref(none);
    set_policy(t, "p", "queues", 0, "q", "{\"delivery-limit\":-1}");
    assert_true(policy_queue_arguments(t, &q, &a));
    assert_int_equal(a.delivery_limit, -1);
    put_integer(&table, "x-delivery-limit", 5);
    q.arguments = buf_slice(&table);
    assert_true(policy_queue_arguments(t, &q, &a));
    assert_int_equal(a.delivery_limit, 5);
    set(t, REGISTRY_OPERATOR_POLICY, "o", "queues", 0, "", "{\"delivery-limit\":3}");
    assert_true(policy_queue_arguments(t, &q, &a));
    assert_int_equal(a.delivery_limit, 3);
    buf_close(&table);
    topology_destroy(t);
}

static void an_exchange_gets_its_alternate_by_policy(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS), *copy = topology_create(HARNESS_GROUPS);
    struct buf bytes = {0};
    struct err err;
    declare_exchange(t, "before", "direct");
    declare_queue(t, "lost");
    accepted(t, bind_of("amq.fanout", "lost", ""));
    expect_route(t, "before", "k", "none");
    uint64_t version = topology_version(t);
    set_policy(t, "ae", "exchanges", 0, "^(before|after)$", "{\"alternate-exchange\":\"amq.fanout\"}");
    assert_true(topology_version(t) > version);
    expect_route(t, "before", "k", "lost");
    declare_exchange(t, "after", "direct");
    expect_route(t, "after", "k", "lost");
    struct topology_command c = exchange_of("own", "direct");
    put_text(&bytes, "alternate-exchange", "");
    c.arguments = buf_slice(&bytes);
    accepted(t, c);
    set_policy(t, "ae", "exchanges", 0, "^(before|own)$", "{\"alternate-exchange\":\"amq.fanout\"}");
    expect_route(t, "after", "k", "none");
    expect_route(t, "own", "k", "none"); /* the argument counts */
    set_policy(t, "all", "exchanges", -1, ".*", "{\"alternate-exchange\":\"amq.fanout\"}");
    expect_route(t, "amq.direct", "k", "lost");
    expect_route(t, "", "k", "none"); /* what the default exchange has no queue for goes nowhere */
    clear(t, REGISTRY_POLICY, "all");
    buf_clear(&bytes);
    topology_encode(t, &bytes);
    assert_int_equal(topology_restore(copy, buf_slice(&bytes), &err), 0);
    expect_route(copy, "before", "k", "lost");
    clear(t, REGISTRY_POLICY, "ae");
    expect_route(t, "before", "k", "none");
    buf_close(&bytes);
    topology_destroy(t);
    topology_destroy(copy);
}

static void a_change_of_policies_is_seen(void **state)
{
    (void)state;
    struct topology *t = topology_create(1);
    uint64_t version = policy_version(t);
    set_policy(t, "p", "all", 0, "", "{\"max-length\":1}");
    assert_true(policy_version(t) > version);
    version = policy_version(t);
    set_policy(t, "p", "all", 0, "", "{\"max-length\":1}");
    accepted(t, registry_set_command(REGISTRY_GLOBAL_PARAMETER, S(""), S("x"), S(""), S("1")));
    assert_int_equal(policy_version(t), version);
    set_policy(t, "p", "all", 0, "", "{\"max-length\":2}");
    assert_true(policy_version(t) > version);
    version = policy_version(t);
    clear(t, REGISTRY_POLICY, "p");
    assert_true(policy_version(t) > version);
    topology_destroy(t);
}

static void definitions_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *definition, *text;
        bool of_operator;
    } cases[] = {
        {"{\"max-length\":-1}", "-1 is not a valid maximum length"},
        {"{\"max-length\":\"x\"}", "<<\"x\">> is not a valid maximum length"},
        {"{\"expires\":0}", "0 is not a valid queue expiry"},
        {"{\"delivery-limit\":-2}", "-2 is not a valid delivery limit"},
        {"{\"delivery-limit\":-1}", "-1 is not a valid delivery limit", true},
        {"{\"message-ttl\":1.5}", "1.5 is not a valid message TTL"},
        {"{\"overflow\":\"drop-tail\"}", "<<\"drop-tail\">> is not a valid overflow value"},
        {"{\"overflow\":\"\"}", "<<\"\">> is not a valid overflow value"},
        {"{\"overflow\":\"drop-head reject-publish\"}",
         "<<\"drop-head reject-publish\">> is not a valid overflow value"},
        {"{\"dead-letter-exchange\":1}", "1 is not a valid dead letter exchange name"},
        {"{\"colour\":\"red\",\"smell\":1}",
         "[{<<\"colour\">>,<<\"red\">>},{<<\"smell\">>,1}] are not recognised policy settings"},
        {"{\"dead-letter-exchange\":\"x\"}",
         "[{<<\"dead-letter-exchange\">>,<<\"x\">>}] are not recognised policy settings", true},
        {"{\"federation-upstream\":\"a\",\"federation-upstream-set\":\"all\"}",
         "cannot specify federation-upstream, federation-upstream-set and federation-upstream-pattern together"},
        {"{\"ha-mode\":\"all\",\"ha-params\":2}", "ha-mode=\"all\" does not take parameters"},
        {"{\"ha-mode\":\"exactly\"}", "ha-mode=\"exactly\" takes an integer, none given"},
        {"{\"ha-mode\":\"exactly\",\"ha-params\":0}", "ha-mode=\"exactly\" takes an integer, 0 given", true},
        {"{\"ha-mode\":\"nodes\",\"ha-params\":2}", "ha-mode=\"nodes\" takes a list, 2 given"},
        {"{\"ha-mode\":\"nodes\",\"ha-params\":[]}", "ha-mode=\"nodes\" list must be non-empty"},
        {"{\"ha-mode\":\"nodes\",\"ha-params\":[\"a\",5]}",
         "ha-mode=\"nodes\" takes a list of strings, [5] was not a string"},
        {"{\"ha-sync-mode\":\"manual\"}",
         "ha-mode must be specified to specify ha-params, ha-sync-mode or ha-promote-on-shutdown"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct topology_result r = {0};
        char expected[TOPOLOGY_TEXT_MAX];
        json_t *definition = json_loads(cases[i].definition, 0, NULL);
        snprintf(expected, sizeof expected, "Validation failed\n\n%s\n", cases[i].text);
        assert_false(policy_check_definition(definition, cases[i].of_operator, &r));
        assert_string_equal(r.text, expected);
        assert_int_equal(r.reply_code, 400);
        assert_false(policy_check_definition(definition, cases[i].of_operator, NULL));
        json_decref(definition);
    }
}

static void every_key_of_rabbitmq_is_taken(void **state)
{
    (void)state;
    static const char both[] =
        "\"message-ttl\":0,\"expires\":1,\"max-length\":0,\"max-length-bytes\":0,\"max-in-memory-length\":0,"
        "\"max-in-memory-bytes\":0,\"delivery-limit\":0,\"overflow\":\"reject-publish-dlx\",\"consumer-timeout\":1,"
        "\"target-group-size\":3,\"member-placement-tag\":\"x\",\"delayed-retry-type\":\"all\",\"delayed-retry-min\":1,"
        "\"delayed-retry-max\":1,\"ha-mode\":\"exactly\",\"ha-params\":2,\"ha-sync-mode\":\"automatic\","
        "\"ha-sync-batch-size\":1,\"ha-promote-on-shutdown\":\"always\",\"ha-promote-on-failure\":\"when-synced\"";
    static const char own[] =
        "\"dead-letter-exchange\":\"\",\"dead-letter-routing-key\":\"\",\"dead-letter-strategy\":\"at-least-once\","
        "\"alternate-exchange\":\"\",\"federation-upstream-pattern\":\"^x\",\"queue-leader-locator\":\"balanced\","
        "\"queue-master-locator\":\"min-masters\",\"initial-cluster-size\":3,\"queue-mode\":\"lazy\",\"queue-version\":"
        "2,"
        "\"max-priority\":5,\"delayed-message\":true,\"max-age\":\"7D\",\"stream-max-segment-size-bytes\":1,"
        "\"stream-filter-size-bytes\":32,\"shards-per-node\":2,\"routing-key\":\"r\"";
    char text[2048];
    struct topology_result r = {0};
    snprintf(text, sizeof text, "{%s}", both);
    json_t *definition = json_loads(text, 0, NULL);
    if (!policy_check_definition(definition, true, &r)) fail_msg("%s", r.text);
    json_decref(definition);
    snprintf(text, sizeof text, "{%s,%s}", both, own);
    definition = json_loads(text, 0, NULL);
    if (!policy_check_definition(definition, false, &r)) fail_msg("%s", r.text);
    json_decref(definition);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_highest_priority_counts),
        cmocka_unit_test(policies_may_mean_one_type_of_queues),
        cmocka_unit_test(an_operator_makes_limits_smaller),
        cmocka_unit_test(arguments_and_policies_go_together),
        cmocka_unit_test(what_a_policy_says_of_time_has_a_bound),
        cmocka_unit_test(a_delivery_limit_of_minus_one_is_none),
        cmocka_unit_test(an_exchange_gets_its_alternate_by_policy),
        cmocka_unit_test(a_change_of_policies_is_seen),
        cmocka_unit_test(definitions_are_checked),
        cmocka_unit_test(every_key_of_rabbitmq_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
