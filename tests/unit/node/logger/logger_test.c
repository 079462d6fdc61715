/* Which lines go where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/logger/logger.h"

static void levels_have_the_names_of_rabbitmq(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int level;
    } cases[] = {{"debug", LOG_DEBUG},     {"info", LOG_INFO},   {"notice", LOG_INFO}, {"warning", LOG_WARN},
                 {"warn", LOG_WARN},       {"error", LOG_ERROR}, {"alert", LOG_ERROR}, {"critical", LOG_ERROR},
                 {"emergency", LOG_ERROR}, {"none", LOG_NONE}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(logger_level(cases[i].name), cases[i].level);
}

/* A logger with a file and, in place of standard error, another one. */
struct outputs {
    char file[32], console[32], text[4096];
    int fd, other, saved;
    struct logger_settings settings;
    struct logger *l;
};

static void open_outputs(struct outputs *o)
{
    memset(o, 0, sizeof *o);
    snprintf(o->file, sizeof o->file, "/tmp/warren-log-XXXXXX");
    snprintf(o->console, sizeof o->console, "/tmp/warren-log-XXXXXX");
    o->fd = mkstemp(o->file), o->other = mkstemp(o->console), o->saved = dup(STDERR_FILENO);
    assert_true(o->fd >= 0 && o->other >= 0 && o->saved >= 0);
    logger_settings_init(&o->settings);
    o->settings.node = "warren@a";
    o->settings.file = o->file;
}

static void start(struct outputs *o)
{
    struct err err;
    assert_int_equal(logger_open(&o->l, &o->settings, &err), 0);
}

/* Says something with standard error in the second file. */
static void say(struct outputs *o, int level, int shard, const char *line)
{
    dup2(o->other, STDERR_FILENO);
    logger_line(o->l, level, shard, line);
    dup2(o->saved, STDERR_FILENO);
}

static const char *said(struct outputs *o, int fd)
{
    ssize_t got = pread(fd, o->text, sizeof o->text - 1, 0);
    assert_true(got >= 0);
    o->text[got] = '\0';
    return o->text;
}

static void close_outputs(struct outputs *o)
{
    if (o->l) logger_close(o->l);
    close(o->fd), close(o->other), close(o->saved);
    unlink(o->file), unlink(o->console);
}

static void lines_go_to_the_file_and_to_standard_error_if_asked(void **state)
{
    (void)state;
    struct outputs o;
    open_outputs(&o);
    o.settings.level = LOG_WARN;
    start(&o);
    say(&o, LOG_ERROR, -1, "first");
    logger_close(o.l);
    o.settings.console = true;
    start(&o);
    say(&o, LOG_INFO, -1, "too quiet");
    say(&o, LOG_WARN, 2, "second");
    assert_non_null(strstr(said(&o, o.fd), "ERROR node first\n"));
    assert_non_null(strstr(said(&o, o.fd), "WARN  shard=2 second\n"));
    assert_null(strstr(said(&o, o.fd), "too quiet"));
    assert_null(strstr(said(&o, o.other), "first"));
    assert_non_null(strstr(said(&o, o.other), "WARN  shard=2 second\n"));
    close_outputs(&o);
}

static void none_leaves_out_everything(void **state)
{
    (void)state;
    struct outputs o;
    open_outputs(&o);
    o.settings.level = logger_level("none");
    start(&o);
    say(&o, LOG_ERROR, -1, "lost");
    assert_string_equal(said(&o, o.fd), "");
    assert_string_equal(said(&o, o.other), "");
    close_outputs(&o);
}

static void without_any_output_lines_go_to_standard_error(void **state)
{
    (void)state;
    struct outputs o;
    open_outputs(&o);
    o.settings.file = "";
    start(&o);
    say(&o, LOG_INFO, -1, "here");
    assert_non_null(strstr(said(&o, o.other), "INFO  node here\n"));
    close_outputs(&o);
}

static void categories_and_outputs_have_levels_of_their_own(void **state)
{
    (void)state;
    struct outputs o;
    open_outputs(&o);
    o.settings.console = true;
    o.settings.console_level = LOG_DEBUG;
    o.settings.category_levels[LOG_CATEGORY_CONNECTION] = LOG_WARN;
    o.settings.category_levels[LOG_CATEGORY_RA] = LOG_DEBUG;
    start(&o);
    say(&o, LOG_INFO, 0, "connection closed peer=x");
    say(&o, LOG_WARN, 0, "connection refused peer=x");
    say(&o, LOG_DEBUG, 0, "group leads group=1");
    say(&o, LOG_DEBUG, 0, "node detail");
    said(&o, o.fd);
    assert_null(strstr(o.text, "connection closed"));
    assert_non_null(strstr(o.text, "connection refused"));
    assert_non_null(strstr(o.text, "DEBUG shard=0 group leads")); /* the category's level; the file has none */
    assert_null(strstr(o.text, "node detail"));
    said(&o, o.other);
    assert_null(strstr(o.text, "connection closed")); /* the category lets less through */
    assert_non_null(strstr(o.text, "node detail"));
    close_outputs(&o);
}

static void levels_change_while_it_runs(void **state)
{
    (void)state;
    struct outputs o;
    open_outputs(&o);
    start(&o);
    logger_set_level(o.l, -1, LOG_ERROR);
    say(&o, LOG_WARN, -1, "node unheard");
    logger_set_level(o.l, LOG_CATEGORY_DEFAULT, LOG_DEBUG);
    assert_int_equal(logger_get_level(o.l, LOG_CATEGORY_DEFAULT), LOG_DEBUG);
    assert_int_equal(logger_get_level(o.l, LOG_CATEGORY_CONNECTION), LOG_ERROR);
    say(&o, LOG_DEBUG, -1, "node heard");
    say(&o, LOG_DEBUG, -1, "connection unheard");
    assert_null(strstr(said(&o, o.fd), "unheard"));
    assert_non_null(strstr(said(&o, o.fd), "node heard"));
    assert_string_equal(said(&o, o.other), ""); /* an output that was not asked for stays silent */
    close_outputs(&o);
}

struct seen {
    uint64_t first, count;
    char last[64];
};

static void see(void *arg, uint64_t number, const struct log_line *line)
{
    struct seen *s = arg;
    if (!s->count++) s->first = number;
    snprintf(s->last, sizeof s->last, "%s", line->text);
}

static void the_last_lines_stay_in_memory(void **state)
{
    (void)state;
    struct outputs o;
    char text[32];
    open_outputs(&o);
    start(&o);
    struct seen s = {0};
    assert_int_equal(logger_recent(o.l, 0, 10, see, &s), 0);
    assert_int_equal(s.count, 0);
    for (unsigned i = 1; i <= LOGGER_RECENT_MAX + 88; i++) {
        snprintf(text, sizeof text, "line %u", i);
        logger_line(o.l, LOG_INFO, -1, text);
    }
    assert_int_equal(logger_recent(o.l, 0, 1000, see, &s), LOGGER_RECENT_MAX + 88);
    assert_int_equal(s.count, LOGGER_RECENT_MAX);
    assert_int_equal(s.first, 89);
    assert_string_equal(s.last, "line 600");
    s = (struct seen){0};
    assert_int_equal(logger_recent(o.l, 0, 3, see, &s), 600);
    assert_int_equal(s.first, 598);
    s = (struct seen){0};
    logger_recent(o.l, 599, 100, see, &s);
    assert_int_equal(s.count, 1);
    s = (struct seen){0};
    assert_int_equal(logger_recent(o.l, 600, 100, see, &s), 600);
    assert_int_equal(s.count, 0);
    close_outputs(&o);
}

static void json_goes_to_the_file_if_asked(void **state)
{
    (void)state;
    struct outputs o;
    open_outputs(&o);
    o.settings.file_json = true;
    start(&o);
    say(&o, LOG_WARN, 1, "link down node=2 dead=unknown");
    assert_non_null(strstr(said(&o, o.fd), "\"level\":\"warning\",\"msg\":\"link down node=2 dead=unknown\""));
    assert_int_equal(o.text[strlen(o.text) - 1], '\n');
    close_outputs(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_have_the_names_of_rabbitmq),
        cmocka_unit_test(lines_go_to_the_file_and_to_standard_error_if_asked),
        cmocka_unit_test(none_leaves_out_everything),
        cmocka_unit_test(without_any_output_lines_go_to_standard_error),
        cmocka_unit_test(categories_and_outputs_have_levels_of_their_own),
        cmocka_unit_test(levels_change_while_it_runs),
        cmocka_unit_test(the_last_lines_stay_in_memory),
        cmocka_unit_test(json_goes_to_the_file_if_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
