/* default_users, default_policies.operator, default_limits.vhosts and the rules for passwords. */
#include "node/auth/defaults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

#define S(text) slice_str(text)

static const struct slice none;

static void counting(void *bytes, size_t size)
{
    memset(bytes, 7, size);
}

static struct config *config_of(const char *text)
{
    struct config *c = mem_alloc(sizeof *c);
    struct err err;
    config_init(c);
    if (config_parse(c, S(text), "file", &err)) fail_msg("%s", err.text);
    return c;
}

static struct auth_defaults *defaults_of(const char *text)
{
    struct config *c = config_of(text);
    struct auth_defaults *d;
    struct err err;
    if (auth_defaults_create(&d, c, counting, &err)) fail_msg("%s", err.text);
    mem_free(c);
    return d;
}

static void change(struct topology *t, const struct topology_command *c)
{
    struct topology_result r;
    topology_apply(t, topology_index(t) + 1, c, &r);
    if (r.reply_code) fail_msg("%s", r.text);
}

/* As the topology of a new cluster, with this vhost. */
static struct topology *seeded(const struct auth_defaults *d, const char *vhost)
{
    struct topology *t = topology_create(1);
    struct buf items = {0};
    struct auth_seed seed = {.vhost = vhost,
                             .user = "boss",
                             .password = "x",
                             .configure = ".*",
                             .write = ".*",
                             .read = ".*",
                             .tags = "",
                             .hashing = "rabbit_password_hashing_sha256",
                             .defaults = d};
    auth_seed_put(&seed, &items);
    struct topology_command c = registry_seed_command(buf_slice(&items));
    change(t, &c);
    buf_close(&items);
    return t;
}

static void assert_value(struct topology *t, enum registry_kind kind, const char *vhost, const char *name,
                         const char *value)
{
    const struct registry_item *item = registry_find(t, kind, S(vhost), S(name), none);
    if (!item) fail_msg("no %s", name);
    if (!slice_is(item->value, value)) fail_msg("%.*s", (int)item->value.size, (const char *)item->value.data);
}

static void a_user_has_password_tags_and_permissions(void **state)
{
    (void)state;
    struct auth_defaults *d = defaults_of("password_hashing_module = rabbit_password_hashing_sha512\n"
                                          "default_users.anna.b.password = secret\n"
                                          "default_users.anna.b.tags = monitoring, own\n"
                                          "default_users.anna.b.write = ^w\n"
                                          "default_users.anna.b.vhost_pattern = ^o\n"
                                          "default_users.silent.read =\n"
                                          "default_users.other.vhost_pattern = ^x$\n");
    struct topology *t = seeded(d, "orders");
    struct auth *a = auth_create(t, false);
    assert_true(auth_password_fits(a, S("anna.b"), S("secret")));
    assert_int_equal(auth_tags(a, S("anna.b")), AUTH_TAG_MONITORING);
    assert_true(auth_may(a, S("anna.b"), S("orders"), AUTH_WRITE, S("w1")));
    assert_false(auth_may(a, S("anna.b"), S("orders"), AUTH_WRITE, S("q")));
    assert_true(auth_may(a, S("anna.b"), S("orders"), AUTH_READ, S("q")));
    assert_false(auth_password_fits(a, S("silent"), S("")));
    assert_true(auth_may(a, S("silent"), S("orders"), AUTH_WRITE, S("q")));
    assert_false(auth_may(a, S("silent"), S("orders"), AUTH_READ, S("q")));
    assert_false(auth_has_user(a, S("other")));
    assert_true(auth_password_fits(a, S("boss"), S("x")));
    auth_destroy(a);
    topology_destroy(t);
    auth_defaults_destroy(d);
}

static void a_user_that_is_there_keeps_its_password(void **state)
{
    (void)state;
    struct auth_defaults *d = defaults_of("default_users.boss.password = y\ndefault_users.boss.read = ^r\n");
    struct topology *t = seeded(NULL, "orders");
    struct buf items = {0};
    auth_defaults_put(d, t, S("orders"), &items);
    struct topology_command c;
    struct slice one = slice_of(items.data + 1, items.size - 1); /* behind its length, one byte */
    assert_true(topology_command_decode(one, &c));
    assert_true(slice_is(c.kind, registry_kind_word(REGISTRY_PERMISSION)));
    change(t, &c);
    assert_value(t, REGISTRY_PERMISSION, "orders", "boss", "{\"configure\":\".*\",\"read\":\"^r\",\"write\":\".*\"}");
    buf_close(&items);
    topology_destroy(t);
    auth_defaults_destroy(d);
}

static void operator_policies_have_keys_with_dashes(void **state)
{
    (void)state;
    struct auth_defaults *d = defaults_of("default_policies.operator.short.vhost_pattern = ^orders$\n"
                                          "default_policies.operator.short.queue_pattern = ^amq\n"
                                          "default_policies.operator.short.message_ttl = 1d12h30m5s\n"
                                          "default_policies.operator.short.expires = 2000\n"
                                          "default_policies.operator.short.max_length_bytes = 1KiB\n"
                                          "default_policies.operator.short.classic_queues.ha_mode = exactly\n"
                                          "default_policies.operator.short.classic_queues.ha_params = 2\n"
                                          "default_policies.operator.elsewhere.vhost_pattern = ^no$\n"
                                          "default_policies.operator.elsewhere.max_length = 1\n");
    struct topology *t = seeded(d, "orders");
    assert_value(t, REGISTRY_OPERATOR_POLICY, "orders", "short",
                 "{\"apply-to\":\"all\",\"definition\":{\"expires\":2000,\"ha-mode\":\"exactly\",\"ha-params\":2,"
                 "\"max-length-bytes\":1024,\"message-ttl\":131405000},\"pattern\":\"^amq\",\"priority\":0}");
    assert_int_equal(registry_count(t, REGISTRY_OPERATOR_POLICY), 1);
    topology_destroy(t);
    auth_defaults_destroy(d);
}

static void the_first_limits_that_fit_count(void **state)
{
    (void)state;
    struct auth_defaults *d = defaults_of("default_limits.vhosts.a.pattern = ^x\n"
                                          "default_limits.vhosts.a.max_queues = 1\n"
                                          "default_limits.vhosts.b.max_queues = 20\n"
                                          "default_limits.vhosts.b.max_connections = 30\n"
                                          "default_limits.vhosts.c.max_queues = 3\n");
    struct topology *t = seeded(d, "orders");
    assert_value(t, REGISTRY_VHOST_LIMIT, "orders", "max-queues", "20");
    assert_value(t, REGISTRY_VHOST_LIMIT, "orders", "max-connections", "30");
    topology_destroy(t);
    auth_defaults_destroy(d);
}

static void what_is_wrong_is_told_with_its_key(void **state)
{
    (void)state;
    static const struct {
        const char *line, *words;
    } cases[] = {
        {"default_users.anna.pasword = x", "default_users.anna.pasword: a default user has vhost_pattern, password"},
        {"default_users.anna = x", "default_users.anna: a name and a key must follow"},
        {"default_users.anna.read = [", "default_users.anna.read: no regular expression: "},
        {"default_users.anna.vhost_pattern = (", "default_users.anna.vhost_pattern: no regular expression: "},
        {"default_policies.operator.p.message_ttl = soon", "default_policies.operator.p.message_ttl: give a time"},
        {"default_policies.operator.p.message_ttl = 1y", "default_policies.operator.p.message_ttl: give a time"},
        {"default_policies.operator.p.expires = -1", "default_policies.operator.p.expires: give a time"},
        {"default_policies.operator.p.queue_pattern = *",
         "default_policies.operator.p.queue_pattern: no regular expression"},
        {"default_policies.operator.p.max_length = long", "default_policies.operator.p: Validation failed"},
        {"default_policies.operator.p.dead_letter_exchange = x", "default_policies.operator.p: Validation failed"},
        {"default_policies.operator.p.vhost_pattern = x", "default_policies.operator.p: Validation failed"},
        {"default_limits.vhosts.v.max_queues = 0", "default_limits.vhosts.v.max_queues: give a number from 1"},
        {"default_limits.vhosts.v.max_hats = 1", "default_limits.vhosts.v.max_hats: a default limit has pattern"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *c = config_of(cases[i].line);
        struct auth_defaults *d;
        struct err err = {0};
        assert_int_equal(auth_defaults_create(&d, c, counting, &err), ERR_INVALID);
        if (strncmp(err.text, cases[i].words, strlen(cases[i].words)) != 0) fail_msg("%s", err.text);
        assert_null(d);
        config_locate(c, &err);
        assert_memory_equal(err.text, "file:1: ", 8);
        mem_free(c);
    }
}

static void new_passwords_are_judged_as_configured(void **state)
{
    (void)state;
    struct auth_password_rules rules;
    struct err why;
    struct config *c = config_of("credential_validator.min_length = 5\ncredential_validator.regexp = ^[a-z]+$\n");
    auth_password_rules_read(&rules, c);
    assert_true(auth_password_is_good(&rules, S("X"), &why));
    assert_int_equal(config_set(c,
                                "credential_validator.validation_backend = "
                                "rabbit_credential_validator_min_password_length",
                                &why),
                     0);
    auth_password_rules_read(&rules, c);
    assert_false(auth_password_is_good(&rules, S("four"), &why));
    assert_string_equal(why.text, "minimum required password length is set to 5");
    assert_true(auth_password_is_good(&rules, S("FIVE5"), &why));
    config_set(c, "credential_validator.validation_backend = rabbit_credential_validator_password_regexp", &why);
    auth_password_rules_read(&rules, c);
    assert_false(auth_password_is_good(&rules, S("FIVE5"), &why));
    assert_string_equal(why.text, "provided password does not match the validator regular expression");
    assert_true(auth_password_is_good(&rules, S("abc"), &why));
    mem_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_has_password_tags_and_permissions),
        cmocka_unit_test(a_user_that_is_there_keeps_its_password),
        cmocka_unit_test(operator_policies_have_keys_with_dashes),
        cmocka_unit_test(the_first_limits_that_fit_count),
        cmocka_unit_test(what_is_wrong_is_told_with_its_key),
        cmocka_unit_test(new_passwords_are_judged_as_configured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
