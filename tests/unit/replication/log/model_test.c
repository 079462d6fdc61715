/* Random work, crashes, kills and failing disks against a model: after a restart the log is what the first k records
 * say, for some k that is not below what was reported durable and not above what was appended. */
#include <stdlib.h>

#include "base/random.h"
#include "tests/unit/replication/log/log_bench.h"

enum { SEEDS = 300, STEPS = 250, GROUPS = 3, INDEX_MAX = 4096 };

struct step {
    enum { ENTRY, VOTE, SNAPSHOT, TRIM } kind;
    uint32_t group, size;
    uint64_t index, term, keep_from, lsn; /* `lsn`: where it ends */
};

struct model_entry {
    uint64_t term;
    uint32_t size;
};

struct model_group {
    struct log_group_state state;
    struct model_entry entries[INDEX_MAX];
};

struct model {
    struct bench b;
    struct random random;
    struct model_group groups[GROUPS]; /* when all steps are taken */
    struct model_group sure[GROUPS];   /* when the durable ones are */
    struct step *steps;                /* those after `sure` */
    size_t count, capacity;
    uint64_t seed;
    bool lying; /* the log does not sync: only a kill may follow */
};

static void take(struct model_group *groups, const struct step *s)
{
    struct model_group *g = &groups[s->group];
    switch (s->kind) {
    case ENTRY:
        g->entries[s->index] = (struct model_entry){s->term, s->size};
        g->state.last_index = s->index;
        break;
    case VOTE:
        g->state.term = s->term;
        g->state.voted_for = s->index;
        break;
    case SNAPSHOT:
        g->state.first_index = s->index + 1;
        g->state.last_index = s->index;
        g->state.snapshot_index = s->index;
        g->state.snapshot_term = s->term;
        break;
    case TRIM:
        g->state.first_index = s->keep_from;
        g->state.snapshot_index = s->index;
        g->state.snapshot_term = s->term;
        break;
    }
}

static bool group_is(struct bench *b, uint32_t group, const struct model_group *g)
{
    struct log_group_state s = bench_state(b, group);
    if (memcmp(&s, &g->state, sizeof s)) return false;
    for (uint64_t i = s.first_index; i <= s.last_index; i++)
        if (!bench_holds(b, group, i, g->entries[i].term, g->entries[i].size)) return false;
    return true;
}

static bool log_is(struct model *m)
{
    for (uint32_t g = 0; g < GROUPS; g++)
        if (!group_is(&m->b, g, &m->sure[g])) return false;
    return true;
}

/* What is durable moves from the steps into `sure`. */
static void settle(struct model *m)
{
    uint64_t durable = log_durable(m->b.log);
    size_t done = 0;
    while (done < m->count && m->steps[done].lsn <= durable) take(m->sure, &m->steps[done++]);
    m->count -= done;
    if (done) memmove(m->steps, m->steps + done, m->count * sizeof *m->steps);
}

static void reopen(struct model *m)
{
    m->b.params.cache_size = 1 + random_below(&m->random, 20000);
    m->b.params.file_size = 8192 * (1 + random_below(&m->random, 3));
    m->lying = m->b.params.skip_sync = random_percent(&m->random, 15);
    if (bench_try_open(&m->b)) fail_msg("SEED=%llu: %s", (unsigned long long)m->seed, m->b.err.text);
    size_t kept = 0;
    while (!log_is(m)) {
        if (kept == m->count)
            fail_msg("SEED=%llu: the log is no prefix of what was appended", (unsigned long long)m->seed);
        take(m->sure, &m->steps[kept++]);
    }
    m->count = 0;
    memcpy(m->groups, m->sure, sizeof m->groups);
}

static void append(struct model *m, struct step s)
{
    struct bench *b = &m->b;
    switch (s.kind) {
    case ENTRY:
        s.lsn = bench_append(b, s.group, s.index, s.term, s.size);
        break;
    case VOTE:
        s.lsn = log_append_vote(b->log, s.group, s.term, s.index);
        break;
    case SNAPSHOT:
        s.lsn = log_append_snapshot(b->log, s.group, s.index, s.term);
        break;
    case TRIM:
        log_trim(b->log, s.group, s.index, s.term, s.keep_from);
        s.lsn = 0; /* known with the next record, which is a vote */
        break;
    }
    m->steps = mem_grow(m->steps, &m->capacity, m->count + 1, sizeof *m->steps);
    m->steps[m->count++] = s;
    take(m->groups, &s);
}

static uint32_t any_size(struct model *m)
{
    unsigned kind = (unsigned)random_below(&m->random, 20);
    return (uint32_t)random_below(&m->random, kind == 0 ? 40000 : kind < 10 ? 200 : 3000);
}

static void append_entry(struct model *m, uint32_t group)
{
    struct log_group_state s = m->groups[group].state;
    uint64_t index = s.last_index + 1;
    if (s.last_index >= s.first_index && random_percent(&m->random, 8))
        index = s.first_index + random_below(&m->random, s.last_index + 1 - s.first_index);
    if (index >= INDEX_MAX) return;
    append(m, (struct step){.kind = ENTRY,
                            .group = group,
                            .index = index,
                            .term = 1 + random_below(&m->random, 1000),
                            .size = any_size(m)});
}

static void append_vote(struct model *m, uint32_t group)
{
    append(m, (struct step){.kind = VOTE,
                            .group = group,
                            .term = m->groups[group].state.term + 1,
                            .index = random_below(&m->random, 4)});
}

/* The position of a trim is not returned: the vote behind it is the same record boundary, or later. */
static void trim(struct model *m, uint32_t group)
{
    struct log_group_state s = m->groups[group].state;
    uint64_t least = s.snapshot_index > s.first_index ? s.snapshot_index : s.first_index;
    if (s.last_index < least) return;
    uint64_t index = least + random_below(&m->random, s.last_index + 1 - least);
    uint64_t keep_from = s.first_index + random_below(&m->random, index + 2 - s.first_index);
    append(m, (struct step){.kind = TRIM, .group = group, .index = index, .term = 5, .keep_from = keep_from});
    append_vote(m, group);
    m->steps[m->count - 2].lsn = m->steps[m->count - 1].lsn;
}

static void snapshot(struct model *m, uint32_t group)
{
    uint64_t index = m->groups[group].state.last_index + random_below(&m->random, 9);
    if (!index || index >= INDEX_MAX) return;
    append(m, (struct step){.kind = SNAPSHOT, .group = group, .index = index, .term = 6});
}

/* The machine dies, now or in the middle of the next job. */
static void crash(struct model *m)
{
    struct bench *b = &m->b;
    uint64_t seed = random_u64(&m->random);
    struct disk *left = NULL;
    if (jobs_pending(b->executor) && random_percent(&m->random, 70)) {
        disk_crash_at(b->disk, random_below(&m->random, 8), seed);
        jobs_step(b->executor);
        left = disk_take_crashed(b->disk);
    }
    if (!left) {
        settle(m);
        left = disk_after_crash(b->disk, seed);
    }
    bench_take_disk(b, left);
}

static void disk_says_no(struct model *m)
{
    struct bench *b = &m->b;
    unsigned failures = b->failures;
    append_vote(m, 0);
    bool syncs = !m->lying && random_percent(&m->random, 50);
    if (syncs) disk_fail_next_sync(b->disk);
    else disk_fill(b->disk, true);
    bench_flush(b);
    settle(m);
    if (b->failures != failures + 1) fail_msg("SEED=%llu: no failure was told", (unsigned long long)m->seed);
    disk_fill(b->disk, false);
    if (m->lying || random_percent(&m->random, 50)) bench_kill(b);
    else bench_crash(b, random_u64(&m->random));
    reopen(m);
}

static void stop(struct model *m)
{
    unsigned how = (unsigned)random_below(&m->random, 3);
    if (how == 0) {
        bench_flush(&m->b);
        settle(m);
        bench_close(&m->b);
    } else if (how == 1 || m->lying) {
        settle(m);
        bench_kill(&m->b);
    } else {
        crash(m);
    }
    reopen(m);
}

static void read_any(struct model *m, uint32_t group)
{
    struct model_group *g = &m->groups[group];
    if (g->state.last_index < g->state.first_index) return;
    uint64_t index = g->state.first_index + random_below(&m->random, g->state.last_index + 1 - g->state.first_index);
    assert_true(bench_holds(&m->b, group, index, g->entries[index].term, g->entries[index].size));
}

static void do_something(struct model *m)
{
    uint32_t group = (uint32_t)random_below(&m->random, GROUPS);
    unsigned what = (unsigned)random_below(&m->random, 100);
    if (what < 50) append_entry(m, group);
    else if (what < 54) append_vote(m, group);
    else if (what < 58) trim(m, group);
    else if (what < 59) snapshot(m, group);
    else if (what < 75) log_flush(m->b.log);
    else if (what < 91) jobs_step(m->b.executor);
    else if (what < 94) read_any(m, group);
    else if (what < 98) stop(m);
    else disk_says_no(m);
    settle(m);
}

static void run_seed(uint64_t seed)
{
    struct model *m = mem_zalloc(sizeof *m);
    bench_start(&m->b);
    m->b.params.group_count = GROUPS;
    m->seed = m->random.state = seed;
    for (uint32_t g = 0; g < GROUPS; g++) m->sure[g].state.first_index = 1;
    reopen(m);
    for (unsigned i = 0; i < STEPS; i++) do_something(m);
    stop(m);
    bench_end(&m->b);
    mem_free(m->steps);
    mem_free(m);
}

/* SEED=n runs only that one. */
static void every_restart_finds_a_prefix_with_all_that_was_durable(void **state)
{
    (void)state;
    const char *only = getenv("SEED");
    uint64_t first = only ? strtoull(only, NULL, 10) : 1, last = only ? first : SEEDS;
    for (uint64_t seed = first; seed <= last; seed++) run_seed(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_restart_finds_a_prefix_with_all_that_was_durable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
