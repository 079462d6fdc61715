/* Files of lines: opened anew, rotated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/logger/file.h"

#define NOW UINT64_C(1767323045678) /* Friday 2026-01-02 03:04:05 */
#define HOUR UINT64_C(3600000)
#define MIDNIGHT UINT64_C(1767312000000) /* of that day */

struct place {
    char folder[32], path[64], other[72], text[256];
    struct log_file *f;
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    snprintf(p->folder, sizeof p->folder, "/tmp/warren-log-XXXXXX");
    if (!mkdtemp(p->folder)) return -1;
    snprintf(p->path, sizeof p->path, "%s/a.log", p->folder);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    char command[64];
    if (p->f) log_file_close(p->f);
    snprintf(command, sizeof command, "rm -r %s", p->folder);
    int code = system(command);
    free(p);
    return code;
}

static void start(struct place *p, struct log_rotation rotation)
{
    struct err err;
    assert_int_equal(log_file_open(&p->f, p->path, &rotation, NOW, &err), 0);
}

static void say(struct place *p, const char *line, uint64_t at)
{
    log_file_write(p->f, slice_str(line), at);
}

/* What is in the file, or in the rotated one of this number. "-": there is none. */
static const char *found(struct place *p, int number)
{
    if (number < 0) snprintf(p->other, sizeof p->other, "%s", p->path);
    else snprintf(p->other, sizeof p->other, "%s.%d", p->path, number);
    FILE *f = fopen(p->other, "r");
    if (!f) return "-";
    p->text[fread(p->text, 1, sizeof p->text - 1, f)] = '\0';
    fclose(f);
    return p->text;
}

static void a_file_that_was_moved_away_is_made_anew(void **state)
{
    struct place *p = *state;
    struct err err;
    char moved[80];
    start(p, (struct log_rotation){.date = ""});
    say(p, "one\n", NOW);
    snprintf(moved, sizeof moved, "%s.0", p->path);
    assert_int_equal(rename(p->path, moved), 0);
    say(p, "two\n", NOW);
    assert_int_equal(log_file_rotate(p->f, NOW, &err), 0); /* nothing is configured: the same as opening anew */
    say(p, "three\n", NOW);
    assert_string_equal(found(p, 0), "one\ntwo\n");
    assert_string_equal(found(p, -1), "three\n");
}

static void it_rotates_by_size_and_keeps_a_number_of_files(void **state)
{
    struct place *p = *state;
    start(p, (struct log_rotation){.size = 10, .count = 2, .date = ""});
    for (char c = 'a'; c <= 'e'; c++) {
        char line[] = "x-----\n";
        line[0] = c;
        say(p, line, NOW);
    }
    assert_string_equal(found(p, -1), "e-----\n");
    assert_string_equal(found(p, 0), "d-----\n");
    assert_string_equal(found(p, 1), "c-----\n");
    assert_string_equal(found(p, 2), "-");
}

static void the_size_that_is_there_at_the_start_counts(void **state)
{
    struct place *p = *state;
    start(p, (struct log_rotation){.size = 10, .count = 1, .date = ""});
    say(p, "12345678\n", NOW);
    log_file_close(p->f);
    start(p, (struct log_rotation){.size = 10, .count = 1, .date = ""});
    say(p, "9\n", NOW);
    assert_string_equal(found(p, 0), "12345678\n");
    assert_string_equal(found(p, -1), "9\n");
}

static void no_file_is_kept_where_the_count_is_zero(void **state)
{
    struct place *p = *state;
    start(p, (struct log_rotation){.size = 4, .count = 0, .date = ""});
    say(p, "one\n", NOW);
    say(p, "two\n", NOW);
    assert_string_equal(found(p, -1), "two\n");
    assert_string_equal(found(p, 0), "-");
}

static void it_rotates_at_the_first_line_after_a_date(void **state)
{
    struct place *p = *state;
    start(p, (struct log_rotation){.count = 3, .date = "$D4"});
    say(p, "early\n", NOW);
    say(p, "still\n", MIDNIGHT + 4 * HOUR - 1);
    say(p, "late\n", MIDNIGHT + 5 * HOUR);
    say(p, "later\n", MIDNIGHT + 27 * HOUR);
    say(p, "next\n", MIDNIGHT + 28 * HOUR);
    assert_string_equal(found(p, 1), "early\nstill\n");
    assert_string_equal(found(p, 0), "late\nlater\n");
    assert_string_equal(found(p, -1), "next\n");
}

static void a_rotation_that_fails_loses_no_line(void **state)
{
    struct place *p = *state;
    struct err err;
    char blocker[96];
    start(p, (struct log_rotation){.size = 4, .count = 1, .date = ""});
    say(p, "one\n", NOW);
    snprintf(blocker, sizeof blocker, "mkdir -p %s.0/x", p->path); /* a folder that is not empty is in the way */
    assert_int_equal(system(blocker), 0);
    say(p, "two\n", NOW);
    assert_string_equal(found(p, -1), "one\ntwo\n");
    assert_int_not_equal(log_file_rotate(p->f, NOW, &err), 0);
    assert_non_null(strstr(err.text, "rotate"));
}

static void dates_are_days_weekdays_and_days_of_a_month(void **state)
{
    (void)state;
    static const struct {
        const char *date;
        int64_t hours; /* after MIDNIGHT, a Friday */
    } cases[] = {{"$D", 24},         {"$D0", 24},       {"$D3", 27},         {"$D4", 4},
                 {"$D23", 23},       {"$W5D4", 4},      {"$W5D0", 7 * 24},   {"$W0D23", 2 * 24 + 23},
                 {"$M2D0", 31 * 24}, {"$M3D6", 24 + 6}, {"$M31D0", 29 * 24}, {"$W1", 3 * 24}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(log_date_next(cases[i].date, NOW), MIDNIGHT + (uint64_t)cases[i].hours * HOUR);
    static const char *const wrong[] = {"", "D0", "$", "$D24", "$W7D0", "$WD0", "$M0", "$M32D0", "$D0x", "$H00"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) assert_int_equal(log_date_next(wrong[i], NOW), 0);
}

static void a_date_that_is_none_is_told(void **state)
{
    struct place *p = *state;
    struct err err;
    struct log_rotation rotation = {.date = "midnight"};
    assert_int_equal(log_file_open(&p->f, p->path, &rotation, NOW, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "log.file.rotation.date = midnight"));
    p->f = NULL;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_file_that_was_moved_away_is_made_anew),     TEST(it_rotates_by_size_and_keeps_a_number_of_files),
        TEST(the_size_that_is_there_at_the_start_counts),  TEST(no_file_is_kept_where_the_count_is_zero),
        TEST(it_rotates_at_the_first_line_after_a_date),   TEST(a_rotation_that_fails_loses_no_line),
        TEST(dates_are_days_weekdays_and_days_of_a_month), TEST(a_date_that_is_none_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
