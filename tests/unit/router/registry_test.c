#include "router/policy.h"
#include "router/registry.h"

#include "tests/unit/router/harness.h"

static const struct slice none = {0};

static struct topology_command set_of(enum registry_kind kind, const char *vhost, const char *name, const char *detail,
                                      const char *value)
{
    return registry_set_command(kind, S(vhost), S(name), S(detail), S(value));
}

static struct topology_command clear_of(enum registry_kind kind, const char *vhost, const char *name,
                                        const char *detail)
{
    return registry_clear_command(kind, S(vhost), S(name), S(detail));
}

#define USER "{\"hashing_algorithm\":\"rabbit_password_hashing_sha256\",\"password_hash\":\"\",\"tags\":[]}"
#define PERMISSION "{\"configure\":\".*\",\"read\":\".*\",\"write\":\".*\"}"
#define POLICY "{\"apply-to\":\"queues\",\"definition\":{\"max-length\":5},\"pattern\":\"^q\",\"priority\":1}"

static void set(struct topology *t, enum registry_kind kind, const char *vhost, const char *name, const char *detail,
                const char *value)
{
    accepted(t, set_of(kind, vhost, name, detail, value));
}

/* One item of each kind, in and around the vhost "v" and the user "u". */
static struct topology *busy(void)
{
    struct topology *t = topology_create(HARNESS_GROUPS);
    set(t, REGISTRY_VHOST, "", "v", "", "{\"tags\":[\"a\"]}");
    set(t, REGISTRY_USER, "", "u", "", USER);
    set(t, REGISTRY_USER, "", "other", "", USER);
    set(t, REGISTRY_PERMISSION, "v", "u", "", PERMISSION);
    set(t, REGISTRY_PERMISSION, "v", "other", "", PERMISSION);
    set(t, REGISTRY_PERMISSION, "/", "u", "", PERMISSION);
    set(t, REGISTRY_TOPIC_PERMISSION, "v", "u", "amq.topic", "{\"read\":\"\",\"write\":\"\"}");
    set(t, REGISTRY_VHOST_LIMIT, "v", "max-queues", "", "2");
    set(t, REGISTRY_USER_LIMIT, "", "u", "max-channels", "7");
    set(t, REGISTRY_POLICY, "v", "p", "", POLICY);
    set(t, REGISTRY_POLICY, "/", "p", "", POLICY);
    set(t, REGISTRY_OPERATOR_POLICY, "v", "p", "", POLICY);
    set(t, REGISTRY_PARAMETER, "v", "shovel", "s", "{\"src-uri\":\"amqp://\"}");
    set(t, REGISTRY_GLOBAL_PARAMETER, "", "cluster_name", "", "\"rabbit@home\"");
    return t;
}

static size_t count_all(const struct topology *t)
{
    size_t count = 0;
    for (int kind = 0; kind < REGISTRY_KIND_COUNT; kind++) count += registry_count(t, (enum registry_kind)kind);
    return count;
}

static void a_cluster_is_called_as_set_or_as_configured(void **state)
{
    (void)state;
    char name[REGISTRY_CLUSTER_NAME_SIZE];
    struct topology *t = topology_create(1);
    registry_cluster_name(t, "configured", name);
    assert_string_equal(name, "configured");
    set(t, REGISTRY_GLOBAL_PARAMETER, "", "cluster_name", "", "7");
    registry_cluster_name(t, "configured", name);
    assert_string_equal(name, "configured");
    set(t, REGISTRY_GLOBAL_PARAMETER, "", "cluster_name", "", "\"east \\u00fc\"");
    registry_cluster_name(t, "configured", name);
    assert_string_equal(name, "east \xc3\xbc");
    topology_destroy(t);
}

static void an_item_is_set_found_replaced_and_cleared(void **state)
{
    (void)state;
    struct topology *t = topology_create(1);
    uint64_t version = registry_version(t);
    struct topology_command c = set_of(REGISTRY_USER, "", "u", "", USER);
    assert_true(change(t, c).created);
    assert_true(registry_version(t) > version);
    version = registry_version(t);
    assert_false(change(t, c).created);
    assert_int_equal(registry_version(t), version); /* nothing is different */
    set(t, REGISTRY_USER, "", "u", "",
        "{\"hashing_algorithm\":\"rabbit_password_hashing_md5\",\"password_hash\":\"x\",\"tags\":[\"monitoring\"]}");
    const struct registry_item *u = registry_find(t, REGISTRY_USER, none, S("u"), none);
    assert_non_null(strstr((const char *)u->value.data, "md5"));
    assert_null(registry_find(t, REGISTRY_USER, none, S("U"), none));
    accepted(t, clear_of(REGISTRY_USER, "", "u", ""));
    assert_null(registry_find(t, REGISTRY_USER, none, S("u"), none));
    refused(t, clear_of(REGISTRY_USER, "", "u", ""), 404, "User 'u' does not exist");
    refused(t, clear_of(REGISTRY_POLICY, "/", "p", ""), 404, "no policy 'p' in vhost '/'");
    topology_destroy(t);
}

static void a_walk_is_in_the_order_of_names(void **state)
{
    (void)state;
    struct topology *t = topology_create(1);
    static const char *const names[] = {"m", "b", "z", "a", "bb"};
    for (size_t i = 0; i < 5; i++) set(t, REGISTRY_PARAMETER, "/", names[i], "x", "1");
    set(t, REGISTRY_PARAMETER, "/", "b", "a", "1");
    char seen[64] = "";
    const struct registry_item *item;
    for (uint64_t cursor = 0; (item = registry_next(t, REGISTRY_PARAMETER, &cursor));)
        snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s/%s ", (const char *)item->name.data,
                 (const char *)item->detail.data);
    assert_string_equal(seen, "a/x b/a b/x bb/x m/x z/x ");
    topology_destroy(t);
}

static void direct_reply_to_is_no_queue_for_limits_and_policies(void **state)
{
    (void)state;
    struct topology *t = topology_create(HARNESS_GROUPS);
    struct policy_match m;
    set(t, REGISTRY_VHOST_LIMIT, "/", "max-queues", "", "1");
    set(t, REGISTRY_POLICY, "/", "all", "",
        "{\"apply-to\":\"all\",\"definition\":{\"max-length\":0},\"pattern\":\".*\",\"priority\":0}");
    declare_queue(t, "amq.rabbitmq.reply-to.one");
    uint64_t id = declare_queue(t, "amq.rabbitmq.reply-to.two");
    policy_of_queue(t, topology_queue_by_id(t, id), &m);
    assert_null(m.policy);
    id = declare_queue(t, "mine");
    policy_of_queue(t, topology_queue_by_id(t, id), &m);
    assert_non_null(m.policy);
    assert_int_equal(topology_queue_count(t), 1);
    refused(t, queue_of("more"), 406,
            "PRECONDITION_FAILED - cannot declare queue 'more': queue limit in vhost '/' (1) is reached");
    declare_queue(t, "amq.rabbitmq.reply-to.three");
    accepted(t, (struct topology_command){.type = TOPOLOGY_QUEUE_DELETE, .name = S("amq.rabbitmq.reply-to.one")});
    accepted(t, (struct topology_command){.type = TOPOLOGY_QUEUE_DELETE, .name = S("mine")});
    declare_queue(t, "more");
    topology_destroy(t);
}

static void a_vhost_has_exchanges_of_its_own_and_takes_all_with_it(void **state)
{
    (void)state;
    struct topology *t = busy();
    struct topology_command c = exchange_of("x", "topic");
    struct err err;
    c.vhost = S("v");
    c.auto_delete = true;
    accepted(t, c);
    c = queue_of("q");
    c.vhost = S("v");
    uint64_t id = change(t, c).queue_id;
    c = bind_of("x", "q", "#");
    c.vhost = S("v");
    accepted(t, c);
    declare_queue(t, "q"); /* in the vhost "/" */
    assert_non_null(topology_exchange(t, S("v"), S("amq.direct")));
    uint64_t version = topology_version(t);
    accepted(t, clear_of(REGISTRY_VHOST, "", "v", ""));
    assert_false(topology_has_vhost(t, S("v")));
    assert_null(topology_queue_by_id(t, id));
    assert_int_equal(binding_count(t), 0);
    assert_int_equal(topology_queue_count(t), 1);
    assert_true(topology_version(t) > version);
    /* "/", two users, u's permission and policy in "/", u's limit, the cluster's name */
    assert_int_equal(count_all(t), 7);
    assert_true(topology_check(t, &err));
    set(t, REGISTRY_VHOST, "", "v", "", "{}");
    assert_null(registry_find(t, REGISTRY_PERMISSION, S("v"), S("u"), none));
    assert_null(topology_exchange(t, S("v"), S("x")));
    topology_destroy(t);
}

static void a_protected_vhost_stays(void **state)
{
    (void)state;
    struct topology *t = busy();
    set(t, REGISTRY_VHOST, "", "v", "", "{\"protected_from_deletion\":true}");
    refused(t, clear_of(REGISTRY_VHOST, "", "v", ""), 412,
            "Refused to delete virtual host 'v' because it is protected from deletion");
    set(t, REGISTRY_VHOST, "", "v", "", "{\"protected_from_deletion\":false}");
    accepted(t, clear_of(REGISTRY_VHOST, "", "v", ""));
    topology_destroy(t);
}

static void a_user_takes_permissions_and_limits_along(void **state)
{
    (void)state;
    struct topology *t = busy();
    size_t before = count_all(t);
    accepted(t, clear_of(REGISTRY_USER, "", "u", ""));
    assert_int_equal(count_all(t), before - 5);
    assert_non_null(registry_find(t, REGISTRY_PERMISSION, S("v"), S("other"), none));
    topology_destroy(t);
}

static void a_full_vhost_takes_no_queue(void **state)
{
    (void)state;
    struct topology *t = busy();
    struct topology_command c = queue_of("1");
    c.vhost = S("v");
    accepted(t, c);
    c.name = S("2");
    accepted(t, c);
    accepted(t, c); /* it is there */
    c.name = S("3");
    refused(t, c, 406, "PRECONDITION_FAILED - cannot declare queue '3': queue limit in vhost 'v' (2) is reached");
    set(t, REGISTRY_VHOST_LIMIT, "v", "max-queues", "", "-1");
    accepted(t, c);
    topology_destroy(t);
}

static void what_an_item_needs_must_be_there(void **state)
{
    (void)state;
    struct topology *t = busy();
    refused(t, set_of(REGISTRY_PERMISSION, "nowhere", "u", "", PERMISSION), 400,
            "Virtual host 'nowhere' does not exist");
    refused(t, set_of(REGISTRY_PERMISSION, "v", "nobody", "", PERMISSION), 400, "User 'nobody' does not exist");
    refused(t, set_of(REGISTRY_USER_LIMIT, "", "nobody", "max-channels", "1"), 400, "User 'nobody' does not exist");
    refused(t, set_of(REGISTRY_VHOST, "", "", "", "{}"), 400, "the vhost has no name");
    refused(t, set_of(REGISTRY_USER, "v", "u", "", USER), 400, "it does not belong to a vhost");
    refused(t, set_of(REGISTRY_PARAMETER, "v", "shovel", "", "1"), 400, "the parameter has no second name");
    refused(t, set_of(REGISTRY_USER, "", "u", "x", USER), 400, "the user has no place for a second name");
    refused(t, set_of(REGISTRY_VHOST_LIMIT, "v", "max-fun", "", "1"), 400, "Unrecognised limit 'max-fun'");
    refused(t, set_of(REGISTRY_USER, "", "\xff", "", USER), 400, "a name of the user is not UTF-8");
    struct topology_command c = set_of(REGISTRY_USER, "", "u", "", USER);
    c.kind = S("pope");
    refused(t, c, 400, "unknown kind of item: 'pope'");
    topology_destroy(t);
}

static void values_are_checked(void **state)
{
    (void)state;
    static const struct {
        enum registry_kind kind;
        const char *value, *text;
    } cases[] = {
        {REGISTRY_USER, "{\"hashing_algorithm\":\"rot13\",\"password_hash\":\"\",\"tags\":[]}",
         "Validation failed\n\nhashing_algorithm should be one of [rabbit_password_hashing_sha256,"
         "rabbit_password_hashing_sha512,rabbit_password_hashing_md5], actually was <<\"rot13\">>\n"},
        {REGISTRY_USER, "{\"hashing_algorithm\":\"rabbit_password_hashing_md5\",\"tags\":[]}",
         "Validation failed\n\nKey \"password_hash\" not found in n\n"},
        {REGISTRY_USER, "{\"hashing_algorithm\":\"rabbit_password_hashing_md5\",\"password_hash\":\"\",\"tags\":\"x\"}",
         "Validation failed\n\ntags should be list, actually was <<\"x\">>\n"},
        {REGISTRY_USER, "[1,{\"a\":true}]",
         "Validation failed\n\nvalue should be a map, actually was [1,#{<<\"a\">> => true}]\n"},
        {REGISTRY_USER, "{\"a\":1,\"a\":2}",
         "Could not parse JSON document: duplicate object key near '\"a\"' near byte 10"},
        {REGISTRY_VHOST, "{\"default_queue_type\":\"heap\"}",
         "Validation failed\n\ndefault_queue_type should be one of [<<\"classic\">>,<<\"quorum\">>,<<\"stream\">>,"
         "<<\"undefined\">>], actually was <<\"heap\">>\n"},
        {REGISTRY_VHOST, "{\"description\":1}", "Validation failed\n\ndescription should be binary, actually was 1\n"},
        {REGISTRY_VHOST, "{\"tracing\":1}", "Validation failed\n\ntracing should be boolean, actually was 1\n"},
        {REGISTRY_POLICY, "{\"definition\":{\"max-length\":1}}",
         "Validation failed\n\nKey \"pattern\" not found in n\n"},
        {REGISTRY_POLICY, "{\"pattern\":\"\"}", "Validation failed\n\nKey \"definition\" not found in n\n"},
        {REGISTRY_POLICY, "{\"definition\":{},\"pattern\":\"\"}", "Validation failed\n\nno policy provided\n"},
        {REGISTRY_POLICY, "{\"definition\":{\"max-length\":1},\"pattern\":\"\",\"priority\":\"x\"}",
         "Validation failed\n\npriority should be a number, actually was <<\"x\">>\n"},
        {REGISTRY_POLICY, "{\"definition\":{\"max-length\":1},\"pattern\":\"\",\"colour\":\"x\"}",
         "Validation failed\n\nUnrecognised terms [colour] in n\n"},
        {REGISTRY_VHOST_LIMIT, "1.5", "Validation failed\n\nlimit should be an integer, actually was 1.5\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct registry_item item = {.kind = cases[i].kind, .name = S("n"), .value = S(cases[i].value)};
        struct topology_result r = {0};
        assert_false(registry_check_value(&item, &r));
        assert_string_equal(r.text, cases[i].text);
        assert_int_equal(r.reply_code, 400);
    }
    struct topology *t = topology_create(1);
    refused(t, set_of(REGISTRY_VHOST, "", "n", "", "{\"tracing\":1}"), 400,
            "Validation failed\n\ntracing should be boolean, actually was 1\n");
    assert_false(topology_has_vhost(t, S("n")));
    topology_destroy(t);
}

static void a_vhost_is_traced_if_it_says_so_and_not_if_its_description_does(void **state)
{
    (void)state;
    struct topology *t = topology_create(1);
    assert_false(vhost_is_traced(t, S("v")));
    set(t, REGISTRY_VHOST, "", "v", "", "{\"description\":\"\\\"tracing\\\":true\"}");
    assert_false(vhost_is_traced(t, S("v")));
    set(t, REGISTRY_VHOST, "", "v", "", "{\"description\":\"\",\"tracing\":true}");
    assert_true(vhost_is_traced(t, S("v")));
    set(t, REGISTRY_VHOST, "", "v", "", "{\"description\":\"\",\"tracing\":false}");
    assert_false(vhost_is_traced(t, S("v")));
    topology_destroy(t);
}

static void patterns_are_checked_before_a_change_is_proposed(void **state)
{
    (void)state;
    struct topology_result r = {0};
    struct registry_item item = {.kind = REGISTRY_PERMISSION, .name = S("u"), .value = S(PERMISSION)};
    assert_true(registry_check_patterns(&item, &r));
    item.value = S("{\"configure\":\"\",\"read\":\"(\",\"write\":\"\"}");
    assert_true(registry_check_value(&item, &r));
    assert_false(registry_check_patterns(&item, &r));
    assert_non_null(strstr(r.text, "invalid regular expression '(': {\"missing"));
    item.kind = REGISTRY_POLICY;
    item.value = S("{\"definition\":{\"max-length\":1},\"pattern\":\"[\"}");
    assert_false(registry_check_patterns(&item, &r));
    assert_non_null(strstr(r.text, "pattern should be regular expression but is {\"missing"));
}

static void values_have_one_form(void **state)
{
    (void)state;
    struct buf out = {0};
    struct err err;
    assert_true(registry_canonical(S(" { \"b\" : [1, 2.5],\"a\":\"\\u00e9\" } "), &out, &err));
    assert_true(slice_is(buf_slice(&out), "{\"a\":\"\xc3\xa9\",\"b\":[1,2.5]}"));
    assert_false(registry_canonical(S("{\"a\":}"), &out, &err));
    buf_close(&out);
}

static void put_seed(struct buf *items, struct topology_command c)
{
    struct buf one = {0};
    topology_command_encode(&one, &c);
    buf_put_counted(items, buf_slice(&one));
    buf_close(&one);
}

static void a_seed_counts_once(void **state)
{
    (void)state;
    struct topology *t = topology_create(1);
    struct buf items = {0};
    put_seed(&items, set_of(REGISTRY_VHOST, "", "home", "", "{}"));
    put_seed(&items, set_of(REGISTRY_USER, "", "guest", "", USER));
    put_seed(&items, set_of(REGISTRY_PERMISSION, "elsewhere", "guest", "", PERMISSION)); /* left out */
    put_seed(&items, set_of(REGISTRY_PERMISSION, "home", "guest", "", PERMISSION));
    put_seed(&items, clear_of(REGISTRY_VHOST, "", "/", ""));
    assert_false(registry_is_seeded(t));
    accepted(t, registry_seed_command(buf_slice(&items)));
    assert_true(registry_is_seeded(t));
    assert_non_null(registry_find(t, REGISTRY_PERMISSION, S("home"), S("guest"), none));
    assert_false(topology_has_vhost(t, S("/")));
    assert_int_equal(count_all(t), 3);
    accepted(t, clear_of(REGISTRY_USER, "", "guest", ""));
    refused(t, registry_seed_command(buf_slice(&items)), 409, "the cluster has been set up before");
    assert_int_equal(count_all(t), 1);
    buf_close(&items);
    topology_destroy(t);
}

static void a_manifest_brings_all_items_back(void **state)
{
    (void)state;
    struct topology *t = busy(), *copy = topology_create(HARNESS_GROUPS);
    struct buf bytes = {0};
    struct err err;
    accepted(t, registry_seed_command(none));
    topology_encode(t, &bytes);
    uint64_t version = registry_version(copy);
    assert_int_equal(topology_restore(copy, buf_slice(&bytes), &err), 0);
    assert_int_equal(topology_digest(copy), topology_digest(t));
    assert_int_equal(count_all(copy), count_all(t));
    assert_true(registry_is_seeded(copy));
    assert_true(registry_version(copy) > version);
    for (size_t size = 0; size < bytes.size; size++) /* cut off anywhere, it is refused */
        assert_int_not_equal(topology_restore(copy, slice_of(bytes.data, size), &err), 0);
    /* a user whose name has lost its place in the order */
    uint8_t *at = memmem(bytes.data, bytes.size, "\5other", 6);
    assert_non_null(at);
    at[1] = 'z';
    assert_int_not_equal(topology_restore(copy, buf_slice(&bytes), &err), 0);
    assert_int_equal(topology_digest(copy), topology_digest(t));
    buf_close(&bytes);
    topology_destroy(t);
    topology_destroy(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_item_is_set_found_replaced_and_cleared),
        cmocka_unit_test(a_walk_is_in_the_order_of_names),
        cmocka_unit_test(direct_reply_to_is_no_queue_for_limits_and_policies),
        cmocka_unit_test(a_vhost_has_exchanges_of_its_own_and_takes_all_with_it),
        cmocka_unit_test(a_protected_vhost_stays),
        cmocka_unit_test(a_user_takes_permissions_and_limits_along),
        cmocka_unit_test(a_full_vhost_takes_no_queue),
        cmocka_unit_test(what_an_item_needs_must_be_there),
        cmocka_unit_test(values_are_checked),
        cmocka_unit_test(patterns_are_checked_before_a_change_is_proposed),
        cmocka_unit_test(a_cluster_is_called_as_set_or_as_configured),
        cmocka_unit_test(values_have_one_form),
        cmocka_unit_test(a_vhost_is_traced_if_it_says_so_and_not_if_its_description_does),
        cmocka_unit_test(a_seed_counts_once),
        cmocka_unit_test(a_manifest_brings_all_items_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
