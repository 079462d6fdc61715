// room: replication_cluster sim_disk
/* The file that says which groups a shard holds: refused, or written again as it was understood. */
#include <sys/uio.h>

#include "base/check.h"
#include "replication/cluster/replicas.h"
#include "tests/sim/disk.h"

#define PATH "/replicas"

enum { GROUPS = 20 };

static void write_file(struct disk *d, const uint8_t *data, size_t size)
{
    struct fs *fs = disk_fs(d);
    struct file *f;
    struct iovec part = {(void *)data, size};
    CHECK(fs->open(fs, PATH, FS_CREATE, &f, NULL) == 0);
    CHECK(fs->pwritev(f, &part, 1, 0, NULL) == 0);
    fs->close(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct disk *d = disk_create();
    struct replica found[GROUPS], again[GROUPS];
    struct err err;
    write_file(d, data, size);
    if (!replicas_read(disk_fs(d), PATH, found, GROUPS, &err)) {
        CHECK(replicas_write(disk_fs(d), PATH, found, GROUPS, &err) == 0);
        CHECK(replicas_read(disk_fs(d), PATH, again, GROUPS, &err) == 0);
        for (int i = 0; i < GROUPS; i++) {
            CHECK(found[i].kind <= REPLICA_DROPPED && found[i].kind == again[i].kind);
            bool with_floor = found[i].kind == REPLICA_JOINED || found[i].kind == REPLICA_DROPPED;
            if (with_floor) CHECK(!memcmp(&found[i].floor, &again[i].floor, sizeof found[i].floor));
        }
    }
    disk_destroy(d);
    return 0;
}
