/* Which groups a shard holds a replica of: a small text file beside its log, so that a restart opens what was there and
 * nothing else. It is written before a replica is opened and before what it leaves behind is removed: a group that the
 * file does not name may have rests in the log and on the disk, which the next start removes.
 *
 *     warren replicas 1
 *     0 founder
 *     4 joined 0 0          term and index of its floor (group.h)
 *     7 dropped 12 4711
 *     18 founder 0 0 26     of a spare group: the nodes that found it, as bits
 *
 * A founder was there when its group began, and begins it by itself when it finds nothing; what joined waits for a
 * leader. Thread: any; blocks. */
#ifndef WARREN_REPLICATION_CLUSTER_REPLICAS_H
#define WARREN_REPLICATION_CLUSTER_REPLICAS_H

#include <stdint.h>

#include "replication/group/group.h"

enum replica_kind { REPLICA_NONE, REPLICA_FOUNDER, REPLICA_JOINED, REPLICA_DROPPED };
struct replica {
    uint8_t kind;
    struct group_floor floor;
    uint64_t founders; /* 0: placement says who */
};
static inline bool replica_is_here(const struct replica *r)
{
    return r->kind == REPLICA_FOUNDER || r->kind == REPLICA_JOINED;
}

/* `replicas` by group. ERR_NOT_FOUND: the first start. */
int replicas_read(struct fs *fs, const char *path, struct replica *replicas, uint32_t group_count, struct err *err);
int replicas_write(struct fs *fs, const char *path, const struct replica *replicas, uint32_t group_count,
                   struct err *err);

/* A spare group's first configuration. Fills `members` (GROUP_MEMBERS_MAX at most); returns how many. */
uint32_t replica_founders(const struct replica *r, struct group_member *members);

/* Removes a replica's folder with all its files; one that is not there is fine. */
int replica_remove_files(struct fs *fs, const char *directory, struct err *err);

#endif
