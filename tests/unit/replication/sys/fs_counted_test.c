/* The counting fs: what goes through it is counted, and is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <cmocka.h>

#include "replication/sys/fs_counted.h"
#include "tests/sim/disk.h"

static void operations_bytes_and_failures_are_counted(void **state)
{
    (void)state;
    struct disk *disk = disk_create();
    struct fs_counted counted;
    struct file *f;
    struct err err = {0};
    uint64_t c[FS_COUNTS] = {0};
    uint8_t back[16];
    size_t got;
    struct iovec parts[2] = {{"hello", 5}, {"world!", 6}};
    fs_counted_init(&counted, disk_fs(disk));
    struct fs *fs = &counted.fs;
    assert_int_equal(fs->open(fs, "/a", FS_CREATE, &f, &err), 0);
    assert_int_equal(fs->pwritev(f, parts, 2, 0, &err), 0);
    assert_int_equal(fs->sync(f, &err), 0);
    assert_int_equal(fs->pread(f, back, sizeof back, 5, &got, &err), 0);
    assert_memory_equal(back, "world!", 6);
    fs->close(f);
    assert_int_not_equal(fs->open(fs, "/nothing", FS_READ_ONLY, &f, &err), 0);
    fs_counted_add(&counted, c);
    assert_int_equal(c[FS_OPENS], 1);
    assert_int_equal(c[FS_WRITES], 1);
    assert_int_equal(c[FS_WRITE_BYTES], 11);
    assert_int_equal(c[FS_SYNCS], 1);
    assert_int_equal(c[FS_READS], 1);
    assert_int_equal(c[FS_READ_BYTES], 6);
    fs_counted_add(&counted, c);
    assert_int_equal(c[FS_WRITE_BYTES], 22);
    disk_destroy(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(operations_bytes_and_failures_are_counted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
