/* The list of replicas: what was written is read, damage is refused, and files of a dropped replica go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "replication/cluster/replicas.h"
#include "tests/sim/disk.h"

enum { GROUPS = 5 };
static const char path[] = "/shard-0/replicas";

static void what_was_written_is_read(void **state)
{
    (void)state;
    struct disk *d = disk_create();
    struct replica written[GROUPS] = {{.kind = REPLICA_FOUNDER},
                                      {.kind = REPLICA_NONE},
                                      {.kind = REPLICA_JOINED, .floor = {3, 4711}},
                                      {.kind = REPLICA_DROPPED, .floor = {UINT64_MAX, 1}},
                                      {.kind = REPLICA_FOUNDER, .founders = 1 << 5 | 1 << 2}};
    struct replica read[GROUPS];
    struct err err;
    assert_int_equal(replicas_read(disk_fs(d), path, read, GROUPS, &err), ERR_NOT_FOUND);
    assert_int_equal(replicas_write(disk_fs(d), path, written, GROUPS, &err), 0);
    struct disk *after = disk_after_crash(d, 1); /* it is durable */
    assert_int_equal(replicas_read(disk_fs(after), path, read, GROUPS, &err), 0);
    for (int i = 0; i < GROUPS; i++) {
        assert_int_equal(read[i].kind, written[i].kind);
        assert_int_equal(read[i].floor.term, written[i].floor.term);
        assert_int_equal(read[i].floor.index, written[i].floor.index);
        assert_int_equal(read[i].founders, written[i].founders);
    }
    assert_true(replica_is_here(&read[0]) && replica_is_here(&read[2]));
    assert_false(replica_is_here(&read[1]) || replica_is_here(&read[3]));
    struct group_member members[GROUP_MEMBERS_MAX];
    assert_int_equal(replica_founders(&read[4], members), 2); /* in the same order on each of them */
    assert_int_equal(members[0].node, 2);
    assert_int_equal(members[1].node, 5);
    assert_int_equal(members[1].role, GROUP_VOTER);
    disk_destroy(after);
    disk_destroy(d);
}

static int read_text(const char *text)
{
    struct disk *d = disk_create();
    struct replica read[GROUPS];
    struct err err;
    assert_int_equal(fs_write_file(disk_fs(d), path, slice_str(text), &err), 0);
    int code = replicas_read(disk_fs(d), path, read, GROUPS, &err);
    disk_destroy(d);
    return code;
}

static void damage_is_refused(void **state)
{
    (void)state;
    assert_int_equal(read_text("warren replicas 1\n0 founder 0 0\n"), 0);
    assert_int_equal(read_text(""), ERR_CORRUPT);
    assert_int_equal(read_text("warren replicas 2\n"), ERR_CORRUPT);
    assert_int_equal(read_text("warren replicas 1\nnonsense\n"), ERR_CORRUPT);
    assert_int_equal(read_text("warren replicas 1\n0 king 0 0\n"), ERR_CORRUPT);
    assert_int_equal(read_text("warren replicas 1\n5 founder 0 0\n"), ERR_CORRUPT); /* there is no such group */
}

static void files_of_a_dropped_replica_go(void **state)
{
    (void)state;
    struct disk *d = disk_create();
    struct err err;
    assert_int_equal(replica_remove_files(disk_fs(d), "/groups/3", &err), 0);
    assert_int_equal(fs_write_file(disk_fs(d), "/groups/3/manifest", slice_str("m"), &err), 0);
    assert_int_equal(fs_write_file(disk_fs(d), "/groups/3/seg-1", slice_str("s"), &err), 0);
    assert_int_equal(fs_write_file(disk_fs(d), "/groups/30/manifest", slice_str("m"), &err), 0);
    assert_int_equal(replica_remove_files(disk_fs(d), "/groups/3", &err), 0);
    assert_null(disk_name(d, "/groups/3/", 0));
    assert_non_null(disk_name(d, "/groups/30/", 0));
    disk_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(files_of_a_dropped_replica_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
