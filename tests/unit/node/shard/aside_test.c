/* Old data stays beside the folder, or in it where the folder cannot be moved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/shard/aside.h"

struct place {
    char parent[32], folder[48];
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    snprintf(p->parent, sizeof p->parent, "/tmp/warren-aside-XXXXXX");
    if (!mkdtemp(p->parent)) return -1;
    snprintf(p->folder, sizeof p->folder, "%s/data", p->parent);
    *state = p;
    return mkdir(p->folder, 0750);
}

static int tear_down(void **state)
{
    struct place *p = *state;
    char command[64];
    umount(p->folder);
    snprintf(command, sizeof command, "rm -r %s", p->parent);
    int code = system(command);
    free(p);
    return code;
}

static void put(struct place *p, const char *name)
{
    char path[96];
    snprintf(path, sizeof path, "%s/%s", p->folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
}

static int there(struct place *p, const char *path)
{
    char whole[96];
    snprintf(whole, sizeof whole, "%s/%s", p->parent, path);
    return access(whole, F_OK) == 0;
}

static void the_folder_is_moved_as_often_as_asked(void **state)
{
    struct place *p = *state;
    struct err err;
    put(p, "first");
    assert_int_equal(data_move_aside(p->folder, &err), 0);
    assert_false(there(p, "data"));
    assert_true(there(p, "data.aside-1/first"));
    assert_int_equal(data_move_aside(p->folder, &err), 0); /* nothing there */
    assert_int_equal(mkdir(p->folder, 0750), 0);
    put(p, "second");
    assert_int_equal(data_move_aside(p->folder, &err), 0);
    assert_true(there(p, "data.aside-2/second"));
}

/* A container's volume, a service manager's sandbox: the folder is a mount of its own. */
static void what_is_in_a_folder_that_cannot_be_moved_moves_inside(void **state)
{
    struct place *p = *state;
    struct err err;
    if (mount("none", p->folder, "tmpfs", 0, NULL)) {
        print_message("a mount needs root: not tried\n");
        skip();
    }
    put(p, "first");
    assert_int_equal(data_move_aside(p->folder, &err), 0);
    assert_true(there(p, "data/aside-1/first"));
    assert_false(there(p, "data/first"));
    put(p, "second");
    assert_int_equal(data_move_aside(p->folder, &err), 0);
    assert_true(there(p, "data/aside-2/second"));
    assert_true(there(p, "data/aside-1/first"));
    assert_int_equal(data_move_aside(p->folder, &err), 0);
    assert_false(there(p, "data/aside-3")); /* nothing was there */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_folder_is_moved_as_often_as_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_in_a_folder_that_cannot_be_moved_moves_inside, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
