/* Who a data directory belongs to, and the number of the node's life. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/shard/shard_internal.h"

struct bench {
    char folder[32];
    struct node_settings settings;
    struct err err;
};

static void bench_open(struct bench *b)
{
    *b = (struct bench){.folder = "/tmp/warren-identity-XXXXXX"};
    assert_non_null(mkdtemp(b->folder));
    b->settings = (struct node_settings){
        .node = 3, .shard_count = 2, .data_dir = b->folder, .placement = {.group_count = 9, .node_count = 3}};
}

static const char *path_in(const struct bench *b, const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", b->folder, name);
    return path;
}

static void bench_close(struct bench *b)
{
    static const char *const names[] = {"epoch", "identity", "removed"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) unlink(path_in(b, names[i]));
    rmdir(path_in(b, "shard-0"));
    assert_int_equal(rmdir(b->folder), 0);
}

static void write_file(const struct bench *b, const char *name, const char *text)
{
    FILE *f = fopen(path_in(b, name), "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* What a start does; the epoch, or 0 when it is refused. */
static uint32_t start(struct bench *b)
{
    uint32_t epoch = 0;
    if (identity_check(&b->settings, &b->err) || identity_take_epoch(&b->settings, &epoch, &b->err)) return 0;
    return epoch;
}

static void each_life_has_a_higher_number(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    for (uint32_t life = 1; life <= 12; life++) assert_int_equal(start(&b), life);
    assert_int_equal(identity_write_epoch(&b.settings, 20, &b.err), 0); /* given up by the cluster meanwhile */
    assert_int_equal(start(&b), 21);
    bench_close(&b);
}

static void a_first_start_that_was_cut_short_is_begun_again(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    assert_int_equal(identity_check(&b.settings, &b.err), 0);
    assert_int_equal(unlink(path_in(&b, "identity")), 0);
    assert_int_equal(start(&b), 1);
    bench_close(&b);
}

static void a_lost_epoch_refuses_to_start_and_says_what_to_do(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    assert_int_equal(start(&b), 1);
    assert_int_equal(start(&b), 2);
    assert_int_equal(unlink(path_in(&b, "epoch")), 0);
    assert_int_equal(start(&b), 0);
    assert_int_equal(b.err.code, ERR_CORRUPT);
    assert_non_null(strstr(b.err.text, "missing"));
    assert_non_null(strstr(b.err.text, "link up node=3"));
    assert_int_equal(start(&b), 0); /* the refusal left none behind */
    write_file(&b, "epoch", "2\n");
    assert_int_equal(start(&b), 3);
    bench_close(&b);
}

static void a_damaged_epoch_refuses_to_start(void **state)
{
    (void)state;
    static const char *const damaged[] = {"",     "\n",     "7",     "x\n",        "7x\n",        " 7\n",
                                          "-1\n", "7\n7\n", "7 0\n", "16777215\n", "4294967297\n"};
    struct bench b;
    bench_open(&b);
    assert_int_equal(start(&b), 1);
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        write_file(&b, "epoch", damaged[i]);
        assert_int_equal(start(&b), 0);
        assert_int_equal(b.err.code, ERR_CORRUPT);
    }
    write_file(&b, "epoch", "16777214\n");
    assert_int_equal(start(&b), 16777215);
    bench_close(&b);
}

static void a_flipped_bit_in_the_epoch_is_found(void **state)
{
    (void)state;
    char sound[64] = {0};
    struct bench b;
    bench_open(&b);
    assert_int_equal(start(&b), 1);
    assert_int_equal(identity_write_epoch(&b.settings, 1234, &b.err), 0);
    FILE *f = fopen(path_in(&b, "epoch"), "r");
    assert_non_null(f);
    size_t size = fread(sound, 1, sizeof sound - 1, f);
    fclose(f);
    for (size_t bit = 0; bit < size * 8; bit++) {
        char damaged[64];
        memcpy(damaged, sound, sizeof sound);
        damaged[bit / 8] ^= (char)(1 << bit % 8);
        write_file(&b, "epoch", damaged);
        assert_int_equal(start(&b), 0);
        assert_int_equal(b.err.code, ERR_CORRUPT);
        assert_non_null(strstr(b.err.text, path_in(&b, "epoch is damaged")));
        assert_non_null(strstr(b.err.text, "Write a higher number into it"));
    }
    write_file(&b, "epoch", sound);
    assert_int_equal(start(&b), 1235);
    bench_close(&b);
}

static void data_without_an_identity_is_refused(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    assert_int_equal(start(&b), 1);
    assert_int_equal(mkdir(path_in(&b, "shard-0"), 0700), 0);
    assert_int_equal(start(&b), 2);
    assert_int_equal(unlink(path_in(&b, "identity")), 0);
    assert_int_equal(start(&b), 0);
    assert_int_equal(b.err.code, ERR_CORRUPT);
    assert_non_null(strstr(b.err.text, "identity is missing"));
    bench_close(&b);
}

static void the_disk_of_another_node_is_refused(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    assert_int_equal(start(&b), 1);
    b.settings.node = 4;
    assert_int_equal(start(&b), 0);
    assert_int_equal(b.err.code, ERR_REFUSED);
    b.settings.node = 3;
    assert_int_equal(start(&b), 2);
    assert_int_equal(identity_retire(&b.settings, &b.err), 0);
    assert_int_equal(start(&b), 0);
    assert_non_null(strstr(b.err.text, "removed from its cluster"));
    bench_close(&b);
}

static void a_file_is_no_folder_of_a_removed_node(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b);
    const char *folder = b.settings.data_dir;
    char path[64];
    snprintf(path, sizeof path, "%s/identity", b.folder);
    assert_int_equal(start(&b), 1);
    b.settings.data_dir = path;
    assert_int_equal(start(&b), 0);
    assert_null(strstr(b.err.text, "removed from its cluster"));
    assert_non_null(strstr(b.err.text, "Not a directory"));
    b.settings.data_dir = folder;
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_life_has_a_higher_number),
        cmocka_unit_test(a_first_start_that_was_cut_short_is_begun_again),
        cmocka_unit_test(a_lost_epoch_refuses_to_start_and_says_what_to_do),
        cmocka_unit_test(a_damaged_epoch_refuses_to_start),
        cmocka_unit_test(a_flipped_bit_in_the_epoch_is_found),
        cmocka_unit_test(data_without_an_identity_is_refused),
        cmocka_unit_test(the_disk_of_another_node_is_refused),
        cmocka_unit_test(a_file_is_no_folder_of_a_removed_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
