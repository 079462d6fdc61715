/* Where lines go, and which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/shard/logger.h"

static void levels_have_the_names_of_rabbitmq(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int level;
    } cases[] = {{"debug", LOG_DEBUG},     {"info", LOG_INFO},     {"notice", LOG_INFO}, {"warning", LOG_WARN},
                 {"warn", LOG_WARN},       {"error", LOG_ERROR},   {"alert", LOG_ERROR}, {"critical", LOG_ERROR},
                 {"emergency", LOG_ERROR}, {"none", LOG_ERROR - 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(logger_level(cases[i].name), cases[i].level);
}

static size_t read_back(int fd, char *text, size_t size)
{
    ssize_t got = pread(fd, text, size - 1, 0);
    assert_true(got >= 0);
    text[got] = '\0';
    return (size_t)got;
}

/* What is said at each level, to a file and to standard error, which is another file meanwhile. */
static void lines_go_to_the_file_and_to_standard_error_if_asked(void **state)
{
    (void)state;
    char file[] = "/tmp/warren-log-XXXXXX", console[] = "/tmp/warren-log-XXXXXX", text[512];
    int fd = mkstemp(file), other = mkstemp(console), saved = dup(STDERR_FILENO);
    struct logger *l;
    struct err err;
    assert_true(fd >= 0 && other >= 0 && saved >= 0);
    dup2(other, STDERR_FILENO);
    int code = logger_open(&l, file, LOG_WARN, &err);
    if (!code) {
        logger_line(l, LOG_ERROR, -1, "first");
        logger_to_console(l);
        logger_line(l, LOG_INFO, -1, "too quiet");
        logger_line(l, LOG_WARN, 2, "second");
        logger_close(l);
    }
    dup2(saved, STDERR_FILENO);
    assert_int_equal(code, 0);
    read_back(fd, text, sizeof text);
    assert_non_null(strstr(text, "ERROR node first\n"));
    assert_non_null(strstr(text, "WARN  shard=2 second\n"));
    assert_null(strstr(text, "too quiet"));
    read_back(other, text, sizeof text);
    assert_null(strstr(text, "first"));
    assert_non_null(strstr(text, "WARN  shard=2 second\n"));
    close(fd), close(other), close(saved);
    unlink(file), unlink(console);
}

static void none_leaves_out_everything(void **state)
{
    (void)state;
    char file[] = "/tmp/warren-log-XXXXXX", text[64];
    int fd = mkstemp(file);
    struct logger *l;
    struct err err;
    assert_int_equal(logger_open(&l, file, logger_level("none"), &err), 0);
    logger_line(l, LOG_ERROR, -1, "lost");
    logger_close(l);
    assert_int_equal(read_back(fd, text, sizeof text), 0);
    close(fd);
    unlink(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_have_the_names_of_rabbitmq),
        cmocka_unit_test(lines_go_to_the_file_and_to_standard_error_if_asked),
        cmocka_unit_test(none_leaves_out_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
