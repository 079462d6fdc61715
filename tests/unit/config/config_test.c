#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/keys.h"

/* A struct config is large; each test has one on the heap. */
static int fresh(void **state)
{
    struct config *c = mem_alloc(sizeof *c);
    config_init(c);
    *state = c;
    return 0;
}

static int drop(void **state)
{
    mem_free(*state);
    return 0;
}

static void parse(struct config *c, const char *text)
{
    struct err err;
    if (config_parse(c, slice_str(text), "file", &err)) fail_msg("%s", err.text);
}

static void refused(const char *text, int code, const char *words)
{
    struct config *c = mem_alloc(sizeof *c);
    struct err err = {0};
    config_init(c);
    assert_int_equal(config_parse(c, slice_str(text), "file", &err), code);
    assert_string_equal(err.text, words);
    assert_int_equal(config_parse(c, slice_str(text), "file", NULL) != 0, 1);
    mem_free(c);
}

/* --- the table --- */

static void every_key_has_a_default_in_its_range_and_a_sentence(void **state)
{
    struct config *c = *state;
    struct err err;
    assert_true(key_count > 0);
    for (size_t i = 0; i < key_count; i++) {
        const struct key *k = &keys[i];
        char assignment[CONFIG_TEXT_MAX * 2];
        assert_true(strlen(k->sentence) > 10);
        assert_int_equal(k->sentence[strlen(k->sentence) - 1], '.');
        assert_true(k->low <= k->high);
        for (size_t j = 0; j < i; j++) {
            if (!k->suffix) assert_string_not_equal(k->name, keys[j].name);
            assert_int_not_equal(k->offset, keys[j].offset);
        }
        if (k->type == KEY_LIST || k->type == KEY_WORDS) continue;
        snprintf(assignment, sizeof assignment, "%s=%s", k->name, k->initial);
        if (config_set(c, assignment, &err)) fail_msg("%s", err.text);
    }
    assert_int_equal(c->warning_count, 0);
}

static void the_keys_that_scripts_rely_on_are_there(void **state)
{
    struct config *c = *state;
    parse(c, "node.id = 3\n"
             "node.name = warren@host1\n"
             "data_dir = /tmp/w\n"
             "listeners.tcp.default = 10.0.0.1:5672\n"
             "listeners.tcp.2 = 5673\n"
             "management.tcp = [::1]:15672\n"
             "cluster.listen = 10.0.0.1:25672\n"
             "cluster.peers.1 = 10.0.0.1:25672\n"
             "cluster.peers.3 = host3:25672\n"
             "cluster.secret_file = /etc/warren/secret\n"
             "cluster.groups = 8\n"
             "cluster.replicas = 5\n"
             "raft.election_timeout_ms = 700\n"
             "shards = 2\n"
             "log.file = /tmp/log\n"
             "log.level = debug\n"
             "loopback_users.guest = false\n");
    assert_int_equal(c->warning_count, 0);
    assert_int_equal(c->node_id, 3);
    assert_string_equal(c->node_name, "warren@host1");
    assert_string_equal(c->data_dir, "/tmp/w");
    assert_string_equal(c->listeners_tcp[0], "10.0.0.1:5672");
    assert_string_equal(c->listeners_tcp[1], "");
    assert_string_equal(c->listeners_tcp[2], "5673");
    assert_string_equal(c->management_tcp, "[::1]:15672");
    assert_string_equal(c->cluster_listen, "10.0.0.1:25672");
    assert_string_equal(c->cluster_peers[1], "10.0.0.1:25672");
    assert_string_equal(c->cluster_peers[2], "");
    assert_string_equal(c->cluster_peers[3], "host3:25672");
    assert_string_equal(c->cluster_secret_file, "/etc/warren/secret");
    assert_int_equal(c->cluster_groups, 8);
    assert_int_equal(c->cluster_replicas, 5);
    assert_int_equal(c->election_timeout_ms, 700);
    assert_int_equal(c->shards, 2);
    assert_string_equal(c->log.file, "/tmp/log");
    assert_string_equal(c->log.level, "debug");
    assert_false(c->loopback_users_guest);
}

/* What --print-keys says is a configuration: each line of it that holds a key can be used. */
static void the_printed_table_is_an_example_file(void **state)
{
    struct config *c = *state;
    char *text = NULL, *rest = NULL;
    size_t size, assignments = 0;
    FILE *out = open_memstream(&text, &size);
    config_print_keys(out);
    fclose(out);
    parse(c, text); /* all of it comments */
    setenv("WARREN_PASSPHRASE", "an example names it", 1);
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *equals = strstr(line, " =");
        if (strncmp(line, "# ", 2) || !equals || strcspn(line + 2, " ") != (size_t)(equals - line - 2)) continue;
        struct err err;
        if (config_set(c, line + 2, &err)) fail_msg("%s", err.text);
        assignments++;
    }
    assert_int_equal(assignments, key_count);
    assert_int_equal(c->warning_count, 0);
    free(text);
}

/* --- lines --- */

static void comments_blanks_and_line_ends_do_not_matter(void **state)
{
    struct config *c = *state;
    parse(c, "# heartbeat = 1\n"
             "\n"
             "   \t \r\n"
             "  heartbeat=30  # seconds\r\n"
             "\t#frame_max = 5000\n"
             "frame_max =\t8192");
    assert_int_equal(c->heartbeat, 30);
    assert_int_equal(c->frame_max, 8192);
    assert_int_equal(c->warning_count, 0);
    parse(c, "");
    struct err err;
    assert_int_equal(config_parse(c, (struct slice){0}, "file", &err), 0);
}

static void texts_may_hold_a_number_sign_and_stand_in_quotes(void **state)
{
    struct config *c = *state;
    parse(c, "default_pass = a#b=c");
    assert_string_equal(c->default_pass, "a#b=c");
    parse(c, "default_pass = a #b");
    assert_string_equal(c->default_pass, "a");
    parse(c, "default_pass = \" a #b \" # the rest");
    assert_string_equal(c->default_pass, " a #b ");
    parse(c, "default_pass = 'it is \"so\"'");
    assert_string_equal(c->default_pass, "it is \"so\"");
    parse(c, "default_pass = \"open # comment");
    assert_string_equal(c->default_pass, "\"open");
    parse(c, "default_pass = \"");
    assert_string_equal(c->default_pass, "\"");
    parse(c, "default_pass =");
    assert_string_equal(c->default_pass, "");
    parse(c, "default_pass = it's # comment");
    assert_string_equal(c->default_pass, "it's");
}

static void the_last_of_several_lines_counts(void **state)
{
    struct config *c = *state;
    parse(c, "heartbeat = 1\nheartbeat = 2\nlisteners.tcp.default = 1\nlisteners.tcp.0 = 2\n");
    assert_int_equal(c->heartbeat, 2);
    assert_string_equal(c->listeners_tcp[0], "2");
}

static void an_assignment_of_the_command_line_goes_over_the_file(void **state)
{
    struct config *c = *state;
    struct err err;
    parse(c, "heartbeat = 1\nmanagement.tcp = 15672\n");
    assert_int_equal(config_set(c, "heartbeat=9", &err), 0);
    assert_int_equal(config_set(c, " management.tcp = ", &err), 0);
    assert_int_equal(c->heartbeat, 9);
    assert_string_equal(c->management_tcp, "");
    assert_int_equal(config_set(c, "heartbeat", &err), ERR_FORMAT);
    assert_string_equal(err.text, "--set: expected `key = value`, found \"heartbeat\"");
    assert_int_equal(config_set(c, "heartbeat=often", &err), ERR_INVALID);
    assert_string_equal(err.text, "--set: heartbeat = often: give a whole number (units KB, MB, GB, KiB, MiB, GiB)");
    assert_int_equal(config_set(c, "heartbeet=9", &err), 0);
    assert_string_equal(c->warnings[0], "--set: unknown key heartbeet (did you mean heartbeat?)");
}

static void an_unknown_key_is_a_warning_with_the_nearest_name(void **state)
{
    struct config *c = *state;
    parse(c, "\nframe_mx = 1\nsomething.else.entirely = 1\nheartbeat = 7\n");
    assert_int_equal(c->warning_count, 2);
    assert_string_equal(c->warnings[0], "file:2: unknown key frame_mx (did you mean frame_max?)");
    assert_string_equal(c->warnings[1], "file:3: unknown key something.else.entirely");
    assert_int_equal(c->heartbeat, 7);
    for (int i = 0; i < 2 * CONFIG_WARNINGS_MAX; i++) parse(c, "no.such.key.here = 1");
    assert_int_equal(c->warning_count, CONFIG_WARNINGS_MAX);
}

static void the_nearest_name_of_an_entry_keeps_what_was_chosen(void **state)
{
    struct config *c = *state;
    parse(c, "listener.tcp.default = 5672\nloopback_user.bob = true\nssl_options.sni.1.hostnam = a\nheartbeat.1 = 5\n");
    assert_int_equal(c->warning_count, 4);
    assert_string_equal(c->warnings[0],
                        "file:1: unknown key listener.tcp.default (did you mean listeners.tcp.default?)");
    assert_string_equal(c->warnings[1], "file:2: unknown key loopback_user.bob (did you mean loopback_users.bob?)");
    assert_string_equal(c->warnings[2],
                        "file:3: unknown key ssl_options.sni.1.hostnam (did you mean ssl_options.sni.1.hostname?)");
    assert_string_equal(c->warnings[3], "file:4: unknown key heartbeat.1 (did you mean heartbeat?)");
}

static void a_frame_without_bound_is_the_largest(void **state)
{
    struct config *c = *state;
    parse(c, "frame_max = 0\ninitial_frame_max = 1MiB\n");
    assert_int_equal(c->frame_max, 248 << 10);
    assert_int_equal(c->initial_frame_max, 248 << 10);
    assert_int_equal(c->warning_count, 2);
    assert_string_equal(c->warnings[0], "file:1: frame_max = 0: 253952 is taken, the most there is");
    assert_string_equal(c->warnings[1], "file:2: initial_frame_max = 1MiB: 253952 is taken, the most there is");
}

/* --- values --- */

static void integers_take_units(void **state)
{
    struct config *c = *state;
    static const struct {
        const char *text;
        int64_t bytes;
    } sizes[] = {
        {"2000000", 2000000}, {"2000k", 2000000},  {"2000 KB", 2000000}, {"2000kB", 2000000},
        {"2M", 2000000},      {"2MB", 2000000},    {"2 MiB", 2 << 20},   {"2048KiB", 2 << 20},
        {"1G", 1000000000},   {"1GB", 1000000000}, {"1GiB", 1 << 30},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char line[64];
        snprintf(line, sizeof line, "wal.file_size = %s", sizes[i].text);
        parse(c, line);
        assert_int_equal(c->wal_file_size, sizes[i].bytes);
    }
}

#define WHOLE_NUMBER "give a whole number (units KB, MB, GB, KiB, MiB, GiB)"
#define ADDRESS "give host:port, or a port alone"

static void wrong_values_are_refused_with_file_line_and_key(void **state)
{
    (void)state;
    refused("\n\nheartbeat = soon", ERR_INVALID, "file:3: heartbeat = soon: " WHOLE_NUMBER);
    refused("heartbeat =", ERR_INVALID, "file:1: heartbeat = : " WHOLE_NUMBER);
    refused("heartbeat = 1.5", ERR_INVALID, "file:1: heartbeat = 1.5: " WHOLE_NUMBER);
    refused("heartbeat = 1 PB", ERR_INVALID, "file:1: heartbeat = 1 PB: " WHOLE_NUMBER);
    refused("heartbeat = 99999999999999999999", ERR_INVALID, "file:1: heartbeat = 99999999999999999999: " WHOLE_NUMBER);
    refused("heartbeat = 9999999999999999G", ERR_INVALID, "file:1: heartbeat = 9999999999999999G: " WHOLE_NUMBER);
    refused("heartbeat = -1", ERR_INVALID, "file:1: heartbeat = -1: allowed is 0 to 65535");
    refused("heartbeat = 65536", ERR_INVALID, "file:1: heartbeat = 65536: allowed is 0 to 65535");
    refused("node.id = 0", ERR_INVALID, "file:1: node.id = 0: allowed is 1 to 63");
    refused("node.id = 64", ERR_INVALID, "file:1: node.id = 64: allowed is 1 to 63");
    refused("loopback_users.guest = no", ERR_INVALID, "file:1: loopback_users.guest = no: give true or false");
}

static void wrong_addresses_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"host",
                                        "host:",
                                        "host:x",
                                        ":5672",
                                        "70000",
                                        "host:70000",
                                        "+5672",
                                        "host: 5672",
                                        "host:-1",
                                        "5672:",
                                        "host:99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char line[128], words[192];
        snprintf(line, sizeof line, "management.tcp = %s", wrong[i]);
        snprintf(words, sizeof words, "file:1: %s: " ADDRESS, line);
        refused(line, ERR_INVALID, words);
        snprintf(line, sizeof line, "cluster.peers.1 = %s", wrong[i]);
        snprintf(words, sizeof words, "file:1: %s: " ADDRESS, line);
        refused(line, ERR_INVALID, words);
    }
}

static void wrong_places_in_a_list_are_refused(void **state)
{
    (void)state;
    static const char *const peers[] = {"", "0", "64", "-1", "1x", "+1", "default", "1.2", "99999999999999999999"};
    static const char *const listeners[] = {"", "64", "-first", "1x"};
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
        char line[128], words[192];
        snprintf(line, sizeof line, "cluster.peers.%s = 1", peers[i]);
        snprintf(words, sizeof words, "file:1: cluster.peers.%s: the last part must be a number from 1 to 63",
                 peers[i]);
        refused(line, ERR_INVALID, words);
    }
    for (size_t i = 0; i < sizeof listeners / sizeof listeners[0]; i++) {
        char line[128], words[192];
        snprintf(line, sizeof line, "listeners.tcp.%s = 1", listeners[i]);
        snprintf(words, sizeof words, "file:1: listeners.tcp.%s: the last part must be a number from 0 to 63",
                 listeners[i]);
        refused(line, ERR_INVALID, words);
    }
}

static void lines_that_are_no_assignments_are_refused(void **state)
{
    (void)state;
    char *line = mem_alloc(2 * CONFIG_TEXT_MAX);
    refused("heartbeat 30", ERR_FORMAT, "file:1: expected `key = value`, found \"heartbeat 30\"");
    refused(" = 30", ERR_FORMAT, "file:1: expected `key = value`, found \"= 30\"");
    refused("# fine\n[section]\n", ERR_FORMAT, "file:2: expected `key = value`, found \"[section]\"");
    memset(line, 'k', CONFIG_TEXT_MAX);
    strcpy(line + CONFIG_TEXT_MAX, " = 1");
    refused(line, ERR_FORMAT, "file:1: the key is longer than 255 bytes");
    strcpy(line, "default_pass = ");
    size_t start = strlen(line);
    memset(line + start, 'p', CONFIG_TEXT_MAX);
    line[start + CONFIG_TEXT_MAX] = '\0';
    refused(line, ERR_INVALID, "file:1: default_pass: longer than 255 bytes");
    struct config *c = mem_alloc(sizeof *c);
    struct err err;
    config_init(c);
    line[start + CONFIG_TEXT_MAX - 1] = '\0';
    assert_int_equal(config_parse(c, slice_str(line), "file", &err), 0);
    assert_int_equal(strlen(c->default_pass), CONFIG_TEXT_MAX - 1);
    assert_int_equal(config_parse(c, slice_of("heartbeat = 1\0\n", 15), "file", &err), ERR_FORMAT);
    assert_string_equal(err.text, "file: has a zero byte");
    mem_free(c);
    mem_free(line);
}

/* --- files --- */

static void a_file_is_loaded_and_its_name_is_in_the_errors(void **state)
{
    struct config *c = *state;
    struct err err;
    char path[] = "config_test.XXXXXX", words[256];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *f = fdopen(fd, "w");
    for (int i = 0; i < 2000; i++) fputs("# a line that makes the file longer than one read\n", f);
    fputs("heartbeat = 11\n", f);
    fflush(f);
    assert_int_equal(config_load(c, path, &err), 0);
    assert_int_equal(c->heartbeat, 11);
    fputs("channel_max = none\n", f);
    fflush(f);
    assert_int_equal(config_load(c, path, &err), ERR_INVALID);
    snprintf(words, sizeof words, "%s:2002: channel_max = none: " WHOLE_NUMBER, path);
    assert_string_equal(err.text, words);
    for (int i = 0; i < 1 << 15; i++) fputs("# a line that makes the file longer than is allowed\n", f);
    fclose(f);
    assert_int_equal(config_load(c, path, &err), ERR_FORMAT);
    snprintf(words, sizeof words, "%s: longer than 1048576 bytes", path);
    assert_string_equal(err.text, words);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(config_load(c, path, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, path));
    assert_int_equal(config_load(c, ".", &err), ERR_IO); /* a directory is not an empty file */
}

/* --- what single keys cannot say --- */

static void a_node_alone_needs_nothing(void **state)
{
    struct config *c = *state;
    struct err err;
    assert_int_equal(config_check(c, &err), 0);
    assert_string_equal(c->listeners_tcp[0], "5672");
    assert_int_equal(strncmp(c->node_name, "warren@", 7), 0);
    assert_true(strlen(c->node_name) > 7);
    assert_int_equal(config_check(c, &err), 0); /* twice is once */
    config_init(c);
    parse(c, "listeners.tcp.1 = 5000\nnode.name = n");
    assert_int_equal(config_check(c, &err), 0);
    assert_string_equal(c->listeners_tcp[0], "");
    assert_string_equal(c->node_name, "n");
}

static void check_refuses(const char *text, const char *words)
{
    struct config *c = mem_alloc(sizeof *c);
    struct err err = {0};
    config_init(c);
    parse(c, text);
    assert_int_equal(config_check(c, &err), ERR_INVALID);
    int at = 0;
    sscanf(err.text, "file:%*d: %n", &at);
    assert_string_equal(err.text + at, words);
    assert_true(at > 0); /* some line of it */
    mem_free(c);
}

static void keys_that_do_not_fit_together_are_refused(void **state)
{
    struct config *c = *state;
    struct err err;
    check_refuses("cluster.peers.1 = 25672", "cluster.listen is needed because there are cluster.peers");
    check_refuses("cluster.peers.1 = 25672\ncluster.listen = 25672\nnode.id = 2",
                  "cluster.peers has no entry for this node: add cluster.peers.2");
    check_refuses("cluster.peers.1 = 25672\ncluster.listen = 25672",
                  "cluster.secret_file is needed because there are cluster.peers");
    check_refuses("raft.election_timeout_ms = 200\nraft.heartbeat_ms = 67",
                  "raft.heartbeat_ms must be at most a third of raft.election_timeout_ms");
    check_refuses("data_dir =", "data_dir is empty: nothing durable could be kept");
    parse(c, "cluster.peers.1 = 25672\ncluster.listen = 25672\ncluster.secret_file = s\n"
             "raft.election_timeout_ms = 201\nraft.heartbeat_ms = 67");
    assert_int_equal(config_check(c, &err), 0);
}

static void keys_with_names_of_their_own_are_kept_as_they_are(void **state)
{
    struct config *c = *state;
    struct err err;
    assert_int_equal(config_set(c, "shovel.a.b.src-queue = first", &err), 0);
    assert_int_equal(config_set(c, "shovel.a.b.src-uri = amqp://", &err), 0);
    assert_int_equal(config_set(c, "shovel.a.b.src-queue = second", &err), 0);
    assert_string_equal(c->shovels[0].name, "shovel.a.b.src-queue");
    assert_string_equal(c->shovels[0].value, "second");
    assert_string_equal(c->shovels[1].value, "amqp://");
    assert_string_equal(c->shovels[2].name, "");
}

static void words_that_are_chosen_from_and_numbered_words_with_a_suffix(void **state)
{
    struct config *c = *state;
    refused("ssl_options.verify = perhaps", ERR_INVALID,
            "file:1: ssl_options.verify = perhaps: give one of verify_none|verify_peer");
    refused("ssl_options.verify = verify", ERR_INVALID,
            "file:1: ssl_options.verify = verify: give one of verify_none|verify_peer");
    refused("ssl_options.versions.1 = tlsv1.1", ERR_INVALID,
            "file:1: ssl_options.versions.1 = tlsv1.1: give one of tlsv1.2|tlsv1.3");
    refused("ssl_options.sni.17.certfile = x", ERR_INVALID,
            "file:1: ssl_options.sni.17.certfile: 17 must be a number from 1 to 16");
    refused("ssl_options.sni.x.hostname = x", ERR_INVALID,
            "file:1: ssl_options.sni.x.hostname: x must be a number from 1 to 16");
    parse(c, "ssl_options.sni.2.hostname = a\nssl_options.sni.2.keyfile = k\nproxy_protocol.trusted.default = ::1\n"
             "proxy_protocol = auto\nssl_options.versions.3 = tlsv1.3\nauth_mechanisms.2 = EXTERNAL\n");
    assert_string_equal(c->ssl_options.sni_hostname[2], "a");
    assert_string_equal(c->ssl_options.sni_keyfile[2], "k");
    assert_string_equal(c->proxy_trusted[0], "::1");
    assert_string_equal(c->proxy_protocol, "auto");
    assert_string_equal(c->ssl_options.versions[3], "tlsv1.3");
    assert_string_equal(c->auth_mechanisms[2], "EXTERNAL");
    assert_int_equal(c->warning_count, 0);
    parse(c, "ssl_options.sni.2.name = a\n"); /* no such suffix: a key that is not known */
    assert_int_equal(c->warning_count, 1);
}

static void tls_and_listeners_that_do_not_fit_together_are_refused(void **state)
{
    (void)state;
    check_refuses("listeners.ssl.default = 5671", "ssl_options.certfile is needed because there are listeners.ssl");
    check_refuses("listeners.tcp = none", "listeners.tcp = none, but there is no listeners.ssl: nobody could connect");
    check_refuses("listeners.tcp = none\nlisteners.tcp.1 = 1\nlisteners.ssl.1 = 2\nssl_options.certfile = x",
                  "listeners.tcp = none, but there are listeners.tcp.N");
    check_refuses("ssl_options.client_renegotiation = true",
                  "ssl_options.client_renegotiation = true: renegotiation is never allowed");
    check_refuses("management.ssl.port = 1", "management.ssl.certfile is needed because of management.ssl.port");
    check_refuses("management.path_prefix = warren",
                  "management.path_prefix = warren: give a path as /warren, of letters and digits");
    check_refuses("management.sample_retention_policies.global.week = 5",
                  "management.sample_retention_policies.global.week: give global, basic or detailed, and minute, hour, "
                  "day or seconds");
    check_refuses("management.sample_retention_policies.basic.hour = often",
                  "management.sample_retention_policies.basic.hour = often: give seconds from 1 to 86400");
    check_refuses("proxy_protocol = auto",
                  "proxy_protocol = auto: name the proxies, as in proxy_protocol.trusted.1 = 10.0.0.0/8");
    check_refuses("cluster.ssl.certfile = x", "cluster.ssl: give both cluster.ssl.cacertfile and cluster.ssl.certfile");
}

static void a_listener_with_tls_alone_is_enough(void **state)
{
    struct config *c = *state;
    struct err err;
    parse(c, "listeners.ssl.default = 5671\nssl_options.certfile = x\nlisteners.tcp = none\n");
    assert_int_equal(config_check(c, &err), 0);
    assert_string_equal(c->listeners_tcp[0], "");
}

static void note_shown(void *arg, const char *name, const char *value)
{
    buf_printf(arg, "%s = %s\n", name, value);
}

static void what_is_secret_is_not_shown(void **state)
{
    struct config *c = *state;
    struct buf shown = {0};
    parse(c, "default_pass = hush\ndefault_users.a.password = hush\ncluster.secret = hush-hush-hush-hush\n"
             "ssl_options.password = hush\nmanagement.ssl.password = hush\ncluster.ssl.password = hush\n"
             "config_entry_decoder.passphrase = hush\ndefinitions.tls.password = hush\n"
             "definitions.https.url = https://user:hush@example.com/definitions\n"
             "auth_http.user_path = http://user:hush@example.com/user\n"
             "shovel.s.src-uri = amqp://user:hush@example.com\n");
    config_show(c, note_shown, &shown);
    buf_put_u8(&shown, 0);
    assert_null(strstr((char *)shown.data, "hush"));
    assert_non_null(strstr((char *)shown.data, "config_entry_decoder.passphrase = ********\n"));
    assert_non_null(strstr((char *)shown.data, "shovel.s.src-uri = ********\n"));
    buf_close(&shown);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, drop)

static void definitions_have_three_names(void **state)
{
    (void)state;
    static const char *const names[] = {"load_definitions", "management.load_definitions", "definitions.local.path"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct config *c = mem_zalloc(sizeof *c);
        struct err err;
        char assignment[128];
        config_init(c);
        snprintf(assignment, sizeof assignment, "%s=/etc/warren/definitions.json", names[i]);
        assert_int_equal(config_set(c, assignment, &err), 0);
        assert_int_equal(config_check(c, &err), 0);
        assert_string_equal(c->load_definitions, "/etc/warren/definitions.json");
        mem_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definitions_have_three_names),
        TEST(every_key_has_a_default_in_its_range_and_a_sentence),
        TEST(the_keys_that_scripts_rely_on_are_there),
        TEST(the_printed_table_is_an_example_file),
        TEST(comments_blanks_and_line_ends_do_not_matter),
        TEST(texts_may_hold_a_number_sign_and_stand_in_quotes),
        TEST(the_last_of_several_lines_counts),
        TEST(an_assignment_of_the_command_line_goes_over_the_file),
        TEST(keys_with_names_of_their_own_are_kept_as_they_are),
        TEST(an_unknown_key_is_a_warning_with_the_nearest_name),
        TEST(the_nearest_name_of_an_entry_keeps_what_was_chosen),
        TEST(a_frame_without_bound_is_the_largest),
        TEST(integers_take_units),
        TEST(wrong_values_are_refused_with_file_line_and_key),
        TEST(wrong_addresses_are_refused),
        TEST(wrong_places_in_a_list_are_refused),
        TEST(lines_that_are_no_assignments_are_refused),
        TEST(a_file_is_loaded_and_its_name_is_in_the_errors),
        TEST(a_node_alone_needs_nothing),
        TEST(keys_that_do_not_fit_together_are_refused),
        TEST(words_that_are_chosen_from_and_numbered_words_with_a_suffix),
        TEST(tls_and_listeners_that_do_not_fit_together_are_refused),
        TEST(a_listener_with_tls_alone_is_enough),
        TEST(what_is_secret_is_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
