/* What a replicated machine offers to the group that replicates it.
 *
 * Thread:   the group's shard.
 * Rules:    apply() is deterministic: no clock, no random, no hash order, no pointer value, and cannot fail half-way. Time
 *           comes with the entry. Same entries, same digest. `effects` is where the machine appends what must happen
 *           outside; it is NULL on replicas that do not lead (and in replay), so that they do no work for it. */
#ifndef WARREN_REPLICATION_MACHINE_H
#define WARREN_REPLICATION_MACHINE_H

#include "base/err.h"
#include "base/reader.h"
#include "replication/entry.h"

struct checkpoint; /* replication/store/store.h */
struct effects;    /* the machine's own kind; the group only passes it on */

struct machine_ops {
    /* Carries out one committed entry. Bytes it cannot read are refused in the same way on every replica. */
    void (*apply)(void *machine, const struct entry *entry, struct effects *effects);

    /* Freezes the state as it is now: adds every live message without a segment to `checkpoint` and writes the manifest's
     * machine part into it. Synchronous, no I/O; the writing happens later on another thread. */
    void (*checkpoint)(void *machine, struct checkpoint *checkpoint);
    /* The checkpoint begun last is durable (or failed: nothing changed). */
    void (*checkpoint_done)(void *machine, bool durable);

    /* Replaces the whole state by a manifest's machine part; the store already holds its segments. */
    int (*restore)(void *machine, struct slice manifest, struct err *err);

    uint64_t (*digest)(void *machine);                  /* of the logical state; equal on all replicas at an index */
    bool (*check)(void *machine, struct err *err);      /* all invariants; false: what is wrong */
    uint64_t (*deadline_ms)(void *machine);             /* the leader must commit an entry at this time; UINT64_MAX: none */
};

struct machine {
    const struct machine_ops *ops;
    void *self;
};

#endif
