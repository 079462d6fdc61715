#include "node/auth/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define S(text) slice_str(text)

static void apply(struct topology *t, struct topology_command c)
{
    struct topology_result r;
    topology_apply(t, topology_index(t) + 1, &c, &r);
    if (r.reply_code) fail_msg("%s", r.text);
}

static void set(struct topology *t, enum registry_kind kind, const char *vhost, const char *name, const char *detail,
                const char *value)
{
    apply(t, registry_set_command(kind, S(vhost), S(name), S(detail), S(value)));
}

static void set_user(struct topology *t, const char *name, const char *hash, const char *algorithm, const char *tags)
{
    char value[512];
    snprintf(value, sizeof value,
             "{\"hashing_algorithm\":\"rabbit_password_hashing_%s\",\"password_hash\":\"%s\",\"tags\":[%s]}", algorithm,
             hash, tags);
    set(t, REGISTRY_USER, "", name, "", value);
}

/* The hashes were made with Python's hashlib; the first is the example of RabbitMQ's guide to passwords. */
static void hashes_of_rabbitmq_are_understood(void **state)
{
    (void)state;
    struct topology *t = topology_create(1);
    struct auth *a = auth_create(t, false);
    set_user(t, "256", "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR", "sha256", "");
    set_user(t, "512",
             "AQIDBEasi57qQmKrKS3hT/tToZQTSGe0aIxheFJPzONWfcZLALq7JlkjIrc4zKmzoCl2i5ligSzH2lxUTbywDEUALuc=", "sha512",
             "");
    set_user(t, "md5", "AQIDBDeBuuH8ubD+6IsvjTP2It8=", "md5", "");
    set_user(t, "none", "", "sha256", "");
    set_user(t, "odd", "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV", "sha256", "");
    set_user(t, "noise", "****", "sha256", "");
    static const char *const fitting[] = {"256", "512", "md5"};
    for (size_t i = 0; i < 3; i++) {
        if (!auth_password_fits(a, S(fitting[i]), S("test12"))) fail_msg("%s", fitting[i]);
        assert_false(auth_password_fits(a, S(fitting[i]), S("test1")));
        assert_false(auth_password_fits(a, S(fitting[i]), S("")));
    }
    assert_false(auth_password_fits(a, S("none"), S("")));
    assert_false(auth_password_fits(a, S("none"), S("x")));
    assert_false(auth_password_fits(a, S("odd"), S("test12")));
    assert_false(auth_password_fits(a, S("noise"), S("test12")));
    assert_false(auth_password_fits(a, S("nobody"), S("test12")));
    auth_destroy(a);
    topology_destroy(t);
}

static void a_new_hash_is_salted_sha256(void **state)
{
    (void)state;
    static const uint8_t salt[AUTH_SALT_SIZE] = {0x90, 0x8d, 0xc6, 0x0a};
    struct buf hash = {0};
    auth_password_hash("rabbit_password_hashing_sha256", salt, S("test12"), &hash);
    assert_true(slice_is(buf_slice(&hash), "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"));
    buf_close(&hash);
}

static void permissions_are_expressions_per_vhost(void **state)
{
    (void)state;
    struct topology *t = topology_create(1);
    struct auth *a = auth_create(t, false);
    set_user(t, "u", "", "sha256", "");
    set(t, REGISTRY_VHOST, "", "v", "", "{}");
    assert_false(auth_may_enter(a, S("u"), S("/")));
    set(t, REGISTRY_PERMISSION, "/", "u", "", "{\"configure\":\"^my-\",\"read\":\".*\",\"write\":\"\"}");
    assert_true(auth_may_enter(a, S("u"), S("/")));
    assert_false(auth_may_enter(a, S("u"), S("v")));
    assert_true(auth_may(a, S("u"), S("/"), AUTH_CONFIGURE, S("my-queue")));
    assert_false(auth_may(a, S("u"), S("/"), AUTH_CONFIGURE, S("not-my-queue")));
    assert_true(auth_may(a, S("u"), S("/"), AUTH_READ, S("anything")));
    assert_false(auth_may(a, S("u"), S("/"), AUTH_WRITE, S("anything")));
    assert_false(auth_may(a, S("u"), S("/"), AUTH_WRITE, S(""))); /* it is called amq.default */
    assert_false(auth_may(a, S("u"), S("v"), AUTH_READ, S("anything")));
    set(t, REGISTRY_PERMISSION, "/", "u", "",
        "{\"configure\":\"queue\",\"read\":\"(\",\"write\":\"^amq\\\\.default$\"}");
    assert_true(auth_may(a, S("u"), S("/"), AUTH_CONFIGURE, S("not-my-queue-at-all"))); /* found within */
    assert_true(auth_may(a, S("u"), S("/"), AUTH_WRITE, S("")));
    assert_false(auth_may(a, S("u"), S("/"), AUTH_READ, S("("))); /* no expression: nothing fits */
    apply(t, registry_clear_command(REGISTRY_PERMISSION, S("/"), S("u"), S("")));
    assert_false(auth_may_enter(a, S("u"), S("/")));
    assert_false(auth_may(a, S("u"), S("/"), AUTH_WRITE, S("")));
    auth_destroy(a);
    topology_destroy(t);
}

static void topic_permissions_know_variables(void **state)
{
    (void)state;
    struct topology *t = topology_create(1);
    struct auth *a = auth_create(t, false);
    set_user(t, "ann", "", "sha256", "");
    set(t, REGISTRY_VHOST, "", "v", "", "{}");
    assert_true(auth_may_topic(a, S("ann"), S("v"), AUTH_WRITE, S("amq.topic"), S("x")));
    set(t, REGISTRY_TOPIC_PERMISSION, "v", "ann", "amq.topic",
        "{\"read\":\"\",\"write\":\"^{username}\\\\.{vhost}-{username}$\"}");
    assert_true(auth_may_topic(a, S("ann"), S("v"), AUTH_WRITE, S("amq.topic"), S("ann.v-ann")));
    assert_false(auth_may_topic(a, S("ann"), S("v"), AUTH_WRITE, S("amq.topic"), S("bob.v-bob")));
    assert_false(auth_may_topic(a, S("ann"), S("v"), AUTH_READ, S("amq.topic"), S("ann.v-ann")));
    assert_true(auth_may_topic(a, S("ann"), S("v"), AUTH_READ, S("amq.topic"), S("")));
    assert_true(auth_may_topic(a, S("ann"), S("v"), AUTH_WRITE, S("other"), S("bob")));
    assert_true(auth_may_topic(a, S("ann"), S("/"), AUTH_WRITE, S("amq.topic"), S("bob")));
    auth_destroy(a);
    topology_destroy(t);
}

static void tags_and_limits_are_read(void **state)
{
    (void)state;
    struct topology *t = topology_create(1);
    struct auth *a = auth_create(t, false);
    set_user(t, "u", "", "sha256", "\"monitoring\",\"of my own\",\"impersonator\"");
    assert_int_equal(auth_tags(a, S("u")), AUTH_TAG_MONITORING | AUTH_TAG_IMPERSONATOR);
    assert_int_equal(auth_tags(a, S("nobody")), 0);
    assert_int_equal(auth_user_limit(a, S("u"), "max-channels"), -1);
    set(t, REGISTRY_USER_LIMIT, "", "u", "max-channels", "0");
    set(t, REGISTRY_VHOST_LIMIT, "/", "max-connections", "", "12");
    assert_int_equal(auth_user_limit(a, S("u"), "max-channels"), 0);
    assert_int_equal(auth_vhost_limit(a, S("/"), "max-connections"), 12);
    assert_int_equal(auth_vhost_limit(a, S("/"), "max-queues"), -1);
    auth_destroy(a);
    topology_destroy(t);
}

static void a_seed_makes_a_user_who_may_log_in(void **state)
{
    (void)state;
    struct topology *t = topology_create(1);
    struct auth *a = auth_create(t, false);
    struct buf items = {0};
    struct auth_seed seed = {.vhost = "home",
                             .user = "boss",
                             .password = "secret",
                             .configure = ".*",
                             .write = "^w",
                             .read = "",
                             .tags = "administrator, x",
                             .hashing = "rabbit_password_hashing_sha512",
                             .salt = {1, 2, 3, 4},
                             .cluster_id = {0xff, 1, 2, 3, 4, 5, 0xff, 7, 0xff}};
    auth_seed_put(&seed, &items);
    apply(t, registry_seed_command(buf_slice(&items)));
    assert_true(auth_password_fits(a, S("boss"), S("secret")));
    assert_int_equal(auth_tags(a, S("boss")), AUTH_TAG_ADMINISTRATOR);
    assert_true(auth_may(a, S("boss"), S("home"), AUTH_CONFIGURE, S("q")));
    assert_true(auth_may(a, S("boss"), S("home"), AUTH_WRITE, S("w")));
    assert_false(auth_may(a, S("boss"), S("home"), AUTH_WRITE, S("q")));
    assert_false(topology_has_vhost(t, S("/")));
    const struct registry_item *id =
        registry_find(t, REGISTRY_GLOBAL_PARAMETER, S(""), S("internal_cluster_id"), S(""));
    assert_true(slice_is(id->value, "\"rabbitmq-cluster-id-ff010203-0405-4f07-bf00-000000000000\""));
    buf_close(&items);
    auth_destroy(a);
    topology_destroy(t);
}

static void a_seed_may_have_no_user(void **state)
{
    (void)state;
    struct topology *t = topology_create(1);
    struct buf items = {0};
    auth_seed_put(&(struct auth_seed){.vhost = "/", .user = ""}, &items);
    apply(t, registry_seed_command(buf_slice(&items)));
    assert_int_equal(registry_count(t, REGISTRY_USER), 0);
    assert_true(topology_has_vhost(t, S("/")));
    buf_close(&items);
    topology_destroy(t);
}

static void an_open_house_asks_nobody(void **state)
{
    (void)state;
    struct topology *t = topology_create(1);
    struct auth *a = auth_create(t, true);
    assert_true(auth_password_fits(a, S("x"), S("")));
    assert_true(auth_may_enter(a, S("x"), S("/")));
    assert_true(auth_may(a, S("x"), S("/"), AUTH_CONFIGURE, S("q")));
    auth_destroy(a);
    topology_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_of_rabbitmq_are_understood),
        cmocka_unit_test(a_new_hash_is_salted_sha256),
        cmocka_unit_test(permissions_are_expressions_per_vhost),
        cmocka_unit_test(topic_permissions_know_variables),
        cmocka_unit_test(tags_and_limits_are_read),
        cmocka_unit_test(a_seed_makes_a_user_who_may_log_in),
        cmocka_unit_test(a_seed_may_have_no_user),
        cmocka_unit_test(an_open_house_asks_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
