/* A queue machine on a store on a disk in memory, for the fuzzers of node/queue. */
#ifndef WARREN_TESTS_FUZZ_QUEUE_BENCH_H
#define WARREN_TESTS_FUZZ_QUEUE_BENCH_H

#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"
#include "node/queue/command.h"
#include "node/queue/port_id.h"
#include "node/queue/queue_machine.h"
#include "tests/sim/disk.h"

struct queue_bench {
    struct disk *disk;
    struct executor *jobs;
    struct store *store;
    struct queue_machine *queues;
    struct machine machine;
    struct effects effects;
    uint64_t index, now_ms;
    bool damaged; /* the store met bytes that are not what they were */
};

static inline void queue_bench_damaged(void *arg, const struct err *err)
{
    (void)err;
    ((struct queue_bench *)arg)->damaged = true;
}

static inline void queue_bench_open(struct queue_bench *b, struct disk *disk)
{
    *b = (struct queue_bench){.disk = disk, .jobs = jobs_create(), .now_ms = 1000};
    struct store_params params = {.fs = disk_fs(disk),
                                  .executor = b->jobs,
                                  .read_executor = b->jobs,
                                  .directory = "/g",
                                  .failed = queue_bench_damaged,
                                  .arg = b};
    CHECK(store_open(&b->store, &params, NULL) == 0);
    b->queues = queue_machine_create(1, b->store);
    b->machine = queue_machine_as_machine(b->queues);
}

static inline void queue_bench_run(struct queue_bench *b)
{
    while (jobs_pending(b->jobs)) jobs_step(b->jobs);
}

static inline void queue_bench_close(struct queue_bench *b)
{
    effects_close(&b->effects);
    queue_machine_destroy(b->queues);
    queue_bench_run(b);
    store_close(b->store);
    jobs_destroy(b->jobs);
    disk_destroy(b->disk);
}

static inline void queue_bench_check(struct queue_bench *b)
{
    struct err err;
    if (b->damaged || b->machine.ops->check(b->machine.self, &err)) return;
    fprintf(stderr, "entry %llu: %s\n", (unsigned long long)b->index, err.text);
    UNREACHABLE();
}

/* Takes over the chunk. */
static inline void queue_bench_apply(struct queue_bench *b, struct blob *chunk, bool leads)
{
    struct part parts[2] = {entry_header(b->now_ms), {chunk, 0, chunk->size}};
    struct entry *e = entry_create(ENTRY_COMMAND, ++b->index, 1, parts, 2);
    effects_clear(&b->effects);
    b->machine.ops->apply(b->machine.self, e, leads ? &b->effects : NULL);
    entry_unref(e);
    queue_bench_check(b);
}

static inline void queue_bench_checkpoint_done(void *arg, const struct err *err)
{
    struct queue_bench *b = arg;
    if (err) b->damaged |= err->code == ERR_CORRUPT;
    b->machine.ops->checkpoint_done(b->machine.self, !err);
}

static inline void queue_bench_checkpoint(struct queue_bench *b)
{
    struct checkpoint *c = store_checkpoint_begin(b->store, b->index, 1, 0, (struct slice){0});
    b->machine.ops->checkpoint(b->machine.self, c);
    store_checkpoint_run(b->store, c, queue_bench_checkpoint_done, b);
    queue_bench_run(b);
    queue_bench_check(b);
}

#endif
