/* A configuration that was written for RabbitMQ: its names, its files, its environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/config_internal.h"

struct bench {
    struct config config;
    char folder[64];
};

static int fresh(void **state)
{
    struct bench *b = mem_zalloc(sizeof *b);
    strcpy(b->folder, "/tmp/warren-config-XXXXXX");
    if (!mkdtemp(b->folder)) return -1;
    config_init(&b->config);
    *state = b;
    return 0;
}

static int drop(void **state)
{
    struct bench *b = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", b->folder);
    int code = system(command);
    mem_free(b);
    return code;
}

static const char *path_of(struct bench *b, const char *name)
{
    static char path[2][160]; /* two in one call */
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", b->folder, name);
    return path[turn];
}

static const char *put(struct bench *b, const char *name, const char *text)
{
    const char *path = path_of(b, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static void parse(struct config *c, const char *text)
{
    struct err err;
    if (config_parse(c, slice_str(text), "file", &err)) fail_msg("%s", err.text);
}

static void check(struct config *c)
{
    struct err err;
    if (config_check(c, &err)) fail_msg("%s", err.text);
}

static void check_refuses(struct config *c, const char *words)
{
    struct err err = {0};
    assert_int_equal(config_check(c, &err), ERR_INVALID);
    if (!strstr(err.text, words)) fail_msg("%s", err.text);
}

/* --- names --- */

static void a_file_of_rabbitmq_sets_what_warren_has(void **state)
{
    struct config *c = &((struct bench *)*state)->config;
    parse(c, "listeners.tcp.local = 127.0.0.1:5672\n"
             "listeners.tcp.all = 5673\n"
             "listeners.tcp.local = 127.0.0.1:5674\n"
             "vm_memory_high_watermark.relative = 0.4\n"
             "disk_free_limit.relative = 1.5\n"
             "cluster_name = orders\n"
             "max_channels_per_connection = 64\n"
             "max_connections = infinity\n"
             "management.tcp.port = 15680\n"
             "management.tcp.ip = ::1\n"
             "management.path_prefix = /mgmt/\n"
             "management.cors.allow_origins.1 = https://a.example\n"
             "management.cors.max_age = 3600\n"
             "management.csp.policy = script-src 'self'\n"
             "management.hsts.policy = max-age=31536000; includeSubDomains\n"
             "management.http.max_body_size = 10MB\n"
             "management.rates_mode = detailed\n"
             "management.sample_retention_policies.global.minute = 5\n"
             "management.sample_retention_policies.detailed.10 = 5\n"
             "management.disable_stats = true\n"
             "management.enable_queue_totals = true\n"
             "definitions.local.path = /etc/rabbitmq/definitions.json\n"
             "quorum_queue.initial_cluster_size = 5\n"
             "raft.wal_max_size_bytes = 32Mi\n"
             "log.dir = /var/log/rabbitmq\n"
             "log.file.level = warning\n"
             "log.level = error\n"
             "log.connection.level = debug\n"
             "log.file.rotation.size = 10485760\n"
             "log.syslog = true\n"
             "log.syslog.ip = 10.0.0.9\n"
             "loopback_users = none\n"
             "loopback_users.admin = true\n"
             "default_user_tags.operator = true\n"
             "auth_backends.1 = internal\n");
    check(c);
    assert_int_equal(c->warning_count, 0);
    assert_string_equal(c->listeners_tcp[CONFIG_LIST_MAX - 1], "127.0.0.1:5674");
    assert_string_equal(c->listeners_tcp[CONFIG_LIST_MAX - 2], "5673");
    assert_string_equal(c->listeners_tcp[0], "");
    assert_true(c->memory_relative > 0.39 && c->memory_relative < 0.41);
    assert_true(c->disk_free_relative > 1.49 && c->disk_free_relative < 1.51);
    assert_string_equal(c->cluster_name, "orders");
    assert_int_equal(c->channel_max, 64);
    assert_int_equal(c->connection_max, 0);
    assert_string_equal(c->management_tcp, "[::1]:15680");
    assert_string_equal(c->management.path_prefix, "/mgmt");
    assert_string_equal(c->management.cors_origins[1], "https://a.example");
    assert_int_equal(c->management.cors_max_age_s, 3600);
    assert_string_equal(c->management.csp, "script-src 'self'");
    assert_string_equal(c->management.hsts, "max-age=31536000; includeSubDomains");
    assert_int_equal(c->management.body_max, 10000000);
    assert_string_equal(c->management.rates_mode, "detailed");
    assert_string_equal(c->management.samples[1].name, "management.sample_retention_policies.detailed.10");
    assert_true(c->management.disable_stats && c->management.queue_totals);
    assert_string_equal(c->load_definitions, "/etc/rabbitmq/definitions.json");
    assert_int_equal(c->cluster_replicas, 5);
    assert_int_equal(c->wal_file_size, 32 << 20);
    assert_memory_equal(c->log.file, "/var/log/rabbitmq/warren@", 25);
    assert_string_equal(c->log.file_level, "warning");
    assert_string_equal(c->log.level, "error");
    assert_string_equal(c->log.category_levels[1], "debug");
    assert_int_equal(c->log.rotation_size, 10485760);
    assert_string_equal(c->log.syslog_host, "10.0.0.9");
    assert_false(c->loopback_users_guest);
    assert_string_equal(c->loopback_users_more[0].name, "loopback_users.admin");
    assert_string_equal(c->default_tags_more[0].name, "default_user_tags.operator");
    check(c); /* twice is once */
    assert_string_equal(c->management_tcp, "[::1]:15680");
}

static void a_key_without_effect_says_why(void **state)
{
    struct config *c = &((struct bench *)*state)->config;
    parse(c, "net_ticktime = 60\n"
             "num_acceptors.tcp = 10\n"
             "log.exchange.level = debug\n"
             "auth_ldap.port = 389\n"
             "deprecated_features.permit.global_qos = false\n");
    assert_int_equal(c->warning_count, 5);
    assert_string_equal(c->warnings[0], "file:1: net_ticktime has no effect: raft.heartbeat_ms and "
                                        "cluster.node_timeout_ms say when a node is dead");
    for (size_t i = 0; i < c->warning_count; i++) assert_non_null(strstr(c->warnings[i], " has no effect: "));
    parse(c, "ssl_options.certfiel = x\n"); /* a slip must not pass for such a key */
    assert_string_equal(c->warnings[5],
                        "file:1: unknown key ssl_options.certfiel (did you mean ssl_options.certfile?)");
    parse(c, "auth_backends.1 = ldap\nauth_backends.2.authn = rabbit_auth_backend_http\nauth_backends.2.authz = oauth2\n");
    check(c);
    assert_int_equal(c->warning_count, 8);
    assert_non_null(strstr(c->warnings[6], "auth_backends.1 = ldap has no effect"));
    assert_non_null(strstr(c->warnings[7], "auth_backends.2.authz = oauth2 has no effect"));
}

static void a_name_in_both_tables_would_hide_a_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < key_count; i++) {
        assert_ptr_equal(config_other_name(keys[i].name), keys[i].name);
        if (!config_key_is_list(&keys[i]) && keys[i].type != KEY_PAIRS)
            assert_ptr_equal(config_find_key(keys[i].name), &keys[i]);
    }
    assert_non_null(config_find_key(config_other_name("log.default.level")));
}

static void all_wrong_lines_are_told(void **state)
{
    struct config *c = &((struct bench *)*state)->config;
    struct err err;
    assert_int_equal(config_parse(c, slice_str("heartbeat = soon\nheartbeat = 5\nframe_max = 1\n"), "f", &err),
                     ERR_INVALID);
    assert_memory_equal(err.text, "f:1: heartbeat", 14);
    assert_int_equal(c->error_count, 2);
    assert_memory_equal(c->errors[1], "f:3: frame_max", 14);
    assert_int_equal(c->heartbeat, 5);
    for (int i = 0; i < 2 * CONFIG_ERRORS_MAX; i++) config_set(c, "nothing", NULL);
    assert_int_equal(c->error_count, CONFIG_ERRORS_MAX);
}

static void what_keys_say_together_has_a_place_too(void **state)
{
    struct config *c = &((struct bench *)*state)->config;
    struct err err;
    parse(c, "heartbeat = 5\nlisteners.ssl.1 = 5671\n");
    assert_int_equal(config_check(c, &err), ERR_INVALID);
    assert_string_equal(err.text, "file:2: ssl_options.certfile is needed because there are listeners.ssl");
    err_set(&err, ERR_INVALID, "shovel.a: no destination");
    config_locate(c, &err);
    assert_string_equal(err.text, "shovel.a: no destination"); /* nobody has set it */
    parse(c, "\n\nshovel.a.src-uri = amqp://\n");
    config_locate(c, &err);
    assert_string_equal(err.text, "file:3: shovel.a: no destination");
    assert_int_equal(config_set(c, "raft.heartbeat_ms = 400", &err), 0);
    err_set(&err, ERR_INVALID, "raft.heartbeat_ms.");
    config_locate(c, &err);
    assert_string_equal(err.text, "--set: raft.heartbeat_ms.");
}

static void decimals_are_digits_and_a_point(void **state)
{
    struct config *c = &((struct bench *)*state)->config;
    static const char *const bad[] = {"", "nan", "-0.1", "1.5", "0x1", "0.4.4", "1e-1", ".", "inf"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char line[80];
        snprintf(line, sizeof line, "vm_memory_high_watermark.relative = %s", bad[i]);
        assert_int_equal(config_set(c, line, NULL), ERR_INVALID);
    }
    assert_true(c->memory_relative > 0.59 && c->memory_relative < 0.61);
}

static void values_may_come_from_the_environment(void **state)
{
    struct config *c = &((struct bench *)*state)->config;
    setenv("WARREN_TEST_USER", "anna", 1);
    parse(c, "default_user = $(WARREN_TEST_USER)\ndefault_pass = <$(WARREN_TEST_USER)$(WARREN_TEST_USER)>\n");
    assert_string_equal(c->default_user, "anna");
    assert_string_equal(c->default_pass, "<annaanna>");
    unsetenv("WARREN_TEST_USER");
    assert_int_equal(config_set(c, "default_user = $(WARREN_TEST_USER)", NULL), ERR_INVALID);
    assert_int_equal(config_set(c, "default_user = $(WARREN", NULL), ERR_FORMAT);
    assert_string_equal(c->default_pass, "<annaanna>");
}

/* --- encrypted values --- */

static const char by_rabbitmq[] = /* "secret", by RabbitMQ 3.10 with the passphrase "pass" */
    "encrypted:CX5Og1c2dKWV5ASCnCW2JGYR64Fjh7YNgJp6OH3L/qqFvEp965vnKHLs1w8iXLn9";

static void encrypted_values_are_opened_when_all_is_read(void **state)
{
    struct config *c = &((struct bench *)*state)->config;
    char line[256];
    snprintf(line, sizeof line, "default_pass = %s\ncluster_name = %s\n", by_rabbitmq, by_rabbitmq);
    parse(c, line);
    parse(c, "cluster_name = plain\nconfig_entry_decoder.passphrase = pass\n");
    check(c);
    assert_string_equal(c->default_pass, "secret");
    assert_string_equal(c->cluster_name, "plain");
    parse(c, "default_pass = other\n");
    check(c);
    assert_string_equal(c->default_pass, "other");
}

static void an_encrypted_value_may_have_another_cipher(void **state)
{
    struct config *c = &((struct bench *)*state)->config;
    parse(c, "default_pass = encrypted:APJxxJqJ4sVZJjgL8DDCo1M0plyGziIOopHYht4Pl1KqiV48/ucIhSKO8cPk/5iC\n"
             "config_entry_decoder.passphrase = y\nconfig_entry_decoder.cipher = aes_256_cbc\n"
             "config_entry_decoder.hash = sha512\nconfig_entry_decoder.iterations = 7\n");
    check(c);
    assert_string_equal(c->default_pass, "x");
}

static void what_cannot_be_opened_is_told(void **state)
{
    struct config *c = &((struct bench *)*state)->config;
    static const char *const bad[] = {"encrypted:", "encrypted:abc", "encrypted:****", "encrypted:AAAA",
                                      "encrypted:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    parse(c, "config_entry_decoder.passphrase = other\n");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0] + 1; i++) {
        char line[256];
        snprintf(line, sizeof line, "\ndefault_pass = %s\n", i < sizeof bad / sizeof bad[0] ? bad[i] : by_rabbitmq);
        parse(c, line);
        check_refuses(c, "file:2: default_pass: cannot be decrypted");
    }
    parse(c, "config_entry_decoder.passphrase =\n");
    check_refuses(c, "file:2: default_pass: config_entry_decoder.passphrase is needed");
    char line[256];
    snprintf(line, sizeof line, "frame_max = %s\nconfig_entry_decoder.passphrase = pass\n", by_rabbitmq);
    config_init(c);
    parse(c, line);
    check_refuses(c, "file:1: frame_max = secret: give a whole number");
}

/* --- files --- */

static void a_folder_is_read_in_the_order_of_names(void **state)
{
    struct bench *b = *state;
    struct err err;
    put(b, "20-b.conf", "heartbeat = 20\nframe_max = 8192\n");
    put(b, "10-a.conf", "heartbeat = 10\nchannel_max = 10\n");
    put(b, "30-no.txt", "heartbeat = 30\n");
    assert_int_equal(config_load_path(&b->config, b->folder, &err), 0);
    assert_int_equal(b->config.heartbeat, 20);
    assert_int_equal(b->config.channel_max, 10);
    assert_int_equal(b->config.frame_max, 8192);
}

static void what_stands_beside_a_file_is_read(void **state)
{
    struct bench *b = *state;
    struct config *c = &b->config;
    struct err err;
    assert_int_equal(mkdir(path_of(b, "conf.d"), 0700), 0);
    put(b, "conf.d/90.conf", "heartbeat = 90\n");
    put(b, "enabled_plugins", "[rabbitmq_management,\n rabbitmq_prometheus].\n");
    put(b, "advanced.config", "[].\n");
    assert_int_equal(config_load_path(c, put(b, "rabbitmq.conf", "heartbeat = 1\n"), &err), 0);
    assert_int_equal(c->heartbeat, 90);
    assert_int_equal(c->warning_count, 1);
    assert_non_null(strstr(c->warnings[0], "advanced.config is not read"));
    check(c);
    assert_string_equal(c->management_tcp, "15672");
    assert_int_equal(c->prometheus_tcp_port, 15692);
    assert_int_equal(config_load_path(c, path_of(b, "advanced.config"), &err), ERR_INVALID);
    put(b, "conf.d/91.conf", "heartbeat = x\n");
    assert_int_equal(config_load_path(c, path_of(b, "rabbitmq.conf"), &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "conf.d/91.conf:1: heartbeat"));
}

/* --- environment --- */

static void the_environment_stands_below_files(void **state)
{
    struct bench *b = *state;
    struct config *c = &b->config;
    struct err err;
    bool found = false;
    put(b, "env.conf", "# shell\nNODENAME=rabbit@one\nexport NODE_PORT='5699'\nDEFAULT_USER=ignored\n");
    setenv("RABBITMQ_CONF_ENV_FILE", path_of(b, "env.conf"), 1);
    setenv("RABBITMQ_DEFAULT_USER", "eve", 1);
    setenv("RABBITMQ_DEFAULT_PASS", "secret", 1);
    setenv("RABBITMQ_MNESIA_BASE", "/data", 1);
    setenv("RABBITMQ_LOGS", "-", 1);
    setenv("RABBITMQ_USE_LONGNAME", "true", 1);
    put(b, "rabbitmq.conf", "default_pass = of the file\n");
    setenv("RABBITMQ_CONFIG_FILE", path_of(b, "rabbitmq"), 1); /* without its ending */
    int code = config_environment(c, &err);
    if (!code) code = config_load_environment_files(c, &found, &err);
    static const char *const names[] = {"CONF_ENV_FILE", "DEFAULT_USER", "DEFAULT_PASS", "MNESIA_BASE", "LOGS",
                                        "USE_LONGNAME",  "CONFIG_FILE",  "NODENAME",     "NODE_PORT"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char name[64];
        snprintf(name, sizeof name, "RABBITMQ_%s", names[i]);
        unsetenv(name);
    }
    if (code) fail_msg("%s", err.text);
    assert_true(found);
    check(c);
    assert_string_equal(c->node_name, "rabbit@one");
    assert_string_equal(c->listeners_tcp[0], "5699");
    assert_string_equal(c->default_user, "eve");
    assert_string_equal(c->default_pass, "of the file");
    assert_string_equal(c->data_dir, "/data/rabbit@one");
    assert_string_equal(c->log.file, "");
    assert_int_equal(c->warning_count, 1);
    assert_memory_equal(c->warnings[0], "RABBITMQ_USE_LONGNAME has no effect", 35);
}

/* --- members --- */

static void a_list_of_members_gives_numbers_and_addresses(void **state)
{
    struct config *c = &((struct bench *)*state)->config;
    parse(c, "cluster_formation.peer_discovery_backend = rabbit_peer_discovery_classic_config\n"
             "cluster_formation.classic_config.nodes.1 = rabbit@alpha\n"
             "cluster_formation.classic_config.nodes.2 = rabbit@beta.example\n"
             "cluster_formation.classic_config.nodes.3 = rabbit@gamma\n"
             "node.name = rabbit@beta\n"
             "cluster.secret = a long enough secret\n");
    check(c);
    assert_int_equal(c->node_id, 2);
    assert_string_equal(c->cluster_peers[1], "alpha:25672");
    assert_string_equal(c->cluster_peers[2], "beta.example:25672");
    assert_string_equal(c->cluster_peers[3], "gamma:25672");
    assert_string_equal(c->cluster_listen, "25672");
    check(c);
    assert_int_equal(c->node_id, 2);
}

static void pods_get_numbers_from_their_names(void **state)
{
    struct config *c = &((struct bench *)*state)->config;
    const char *const lines = "cluster_formation.peer_discovery_backend = k8s\n"
                              "cluster_formation.target_cluster_size_hint = 3\n"
                              "cluster.secret = a long enough secret\n";
    parse(c, lines);
    parse(c, "cluster_formation.k8s.service_name = queues\nnode.name = rabbit@warren-a-2.queues\n");
    check(c);
    assert_int_equal(c->node_id, 3);
    assert_string_equal(c->cluster_peers[1], "warren-a-0.queues:25672");
    assert_string_equal(c->cluster_peers[3], "warren-a-2.queues:25672");
    config_init(c);
    parse(c, lines);
    parse(c, "cluster_formation.k8s.hostname_suffix = .q.svc\nnode.name = rabbit@warren-3\n");
    check(c); /* a later one */
    assert_int_equal(c->node_id, 4);
    assert_string_equal(c->cluster_join, "warren-0.q.svc:25672,warren-1.q.svc:25672");
    assert_string_equal(c->cluster_peers[4], "");
    config_init(c);
    parse(c, lines);
    parse(c, "cluster_formation.k8s.hostname_suffix = .q.svc\nnode.name = rabbit@warren-3\n");
    parse(c, "cluster_formation.target_cluster_size_hint = 4\n");
    check(c);
    assert_string_equal(c->cluster_peers[2], "warren-1.q.svc:25672");
    config_init(c);
    parse(c, lines);
    parse(c, "node.name = rabbit@host\n");
    check_refuses(c, "no name of a StatefulSet");
}

static void addresses_of_a_name_need_their_number(void **state)
{
    struct config *c = &((struct bench *)*state)->config;
    parse(c, "cluster_formation.peer_discovery_backend = dns\n");
    check_refuses(c, "set cluster_formation.dns.hostname");
    parse(c, "cluster_formation.dns.hostname = warren.example.com\n");
    check_refuses(c, "set cluster_formation.target_cluster_size_hint to the number of addresses");
    parse(c, "cluster_formation.target_cluster_size_hint = 3\n");
    check_refuses(c, "cluster.secret_file is needed because of cluster_formation.dns.hostname");
    parse(c, "cluster.secret = a long enough secret\n");
    check(c);
    assert_string_equal(c->cluster_listen, "25672");
    assert_string_equal(c->formation_dns, "warren.example.com");
    parse(c, "cluster.join = a:1\n");
    check(c);
    assert_string_equal(c->formation_dns, ""); /* Warren's own key counts more */
}

static void a_node_that_no_discovery_knows_is_refused(void **state)
{
    struct config *c = &((struct bench *)*state)->config;
    parse(c, "cluster_formation.classic_config.nodes.1 = rabbit@alpha\nnode.name = rabbit@delta\n");
    check_refuses(c, "cluster_formation.classic_config.nodes has no rabbit@delta");
    config_init(c);
    parse(c, "cluster_formation.peer_discovery_backend = etcd\n");
    check_refuses(c, "give classic_config, k8s or dns");
    config_init(c);
    parse(c, "cluster_formation.classic_config.nodes.2 = rabbit@alpha\nnode.name = rabbit@alpha\n");
    check(c); /* alone: no peers */
    assert_int_equal(c->node_id, 2);
    assert_string_equal(c->cluster_peers[2], "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_of_rabbitmq_sets_what_warren_has),    TEST(a_key_without_effect_says_why),
        TEST(a_name_in_both_tables_would_hide_a_key),     TEST(all_wrong_lines_are_told),
        TEST(what_keys_say_together_has_a_place_too),     TEST(decimals_are_digits_and_a_point),
        TEST(values_may_come_from_the_environment),       TEST(encrypted_values_are_opened_when_all_is_read),
        TEST(an_encrypted_value_may_have_another_cipher), TEST(what_cannot_be_opened_is_told),
        TEST(a_folder_is_read_in_the_order_of_names),     TEST(what_stands_beside_a_file_is_read),
        TEST(the_environment_stands_below_files),         TEST(a_list_of_members_gives_numbers_and_addresses),
        TEST(pods_get_numbers_from_their_names),          TEST(addresses_of_a_name_need_their_number),
        TEST(a_node_that_no_discovery_knows_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
