/* The batch of a turn, and the writes under way. */
#include "base/check.h"
#include "replication/group/group_internal.h"

int group_propose(struct group *g, struct part chunk)
{
    if (!g->leading) return ERR_NOT_LEADER;
    bool full = g->batch_count + 2 > ENTRY_PART_COUNT_MAX ||
                (g->batch_bytes && g->batch_bytes + chunk.size > GROUP_BATCH_BYTES_MAX);
    if (full || core_transferring(g->core)) return ERR_BUSY;
    if (!g->batch_count) g->batch_count = 1; /* the header's place, filled when it is sealed */
    g->batch[g->batch_count++] = chunk;
    g->batch_bytes += chunk.size;
    return 0;
}

void batch_drop(struct group *g)
{
    for (uint32_t i = 1; i < g->batch_count; i++) blob_unref(g->batch[i].blob);
    g->batch_count = 0;
    g->batch_bytes = 0;
}

static bool may_submit(const struct group *g)
{
    uint64_t in_flight = core_last_index(g->core) - g->commit;
    if (in_flight >= GROUP_ENTRIES_IN_FLIGHT_MAX && !g->params.faults.repair_off[6]) return false; /* R6 */
    return in_flight == 0 || g->in_flight_bytes + g->batch_bytes <= GROUP_BYTES_IN_FLIGHT_MAX;
}

/* The batch is what arrived while the last one was being written: small ones wait for that write. */
static bool worth_it(const struct group *g)
{
    return g->write_count == 0 || g->batch_bytes >= GROUP_SEAL_BYTES;
}

static bool timer_due(const struct group *g, uint64_t clock_ms)
{
    return g->params.machine.ops->deadline_ms(g->params.machine.self) <= clock_ms;
}

/* An entry for the machine's time alone: not while one is under way, which brings the time along. */
static bool may_be_due(const struct group *g)
{
    return g->leading && !g->batch_count && g->commit == core_last_index(g->core) && !core_transferring(g->core);
}

uint64_t batch_deadline_ms(const struct group *g)
{
    uint64_t at = may_be_due(g) ? g->params.machine.ops->deadline_ms(g->params.machine.self) : UINT64_MAX;
    if (at == UINT64_MAX) return at;
    return at > g->turn_clock_ms ? g->turn_ms + (at - g->turn_clock_ms) : g->turn_ms;
}

void batch_seal(struct group *g, uint64_t clock_ms)
{
    if (!g->leading || core_transferring(g->core) || !may_submit(g)) return;
    bool due = may_be_due(g) && timer_due(g, clock_ms);
    if (!due && (!g->batch_count || !worth_it(g))) return;
    if (clock_ms > g->clock_ms) g->clock_ms = clock_ms;
    if (!g->batch_count) g->batch_count = 1;
    g->batch[0] = entry_header(g->clock_ms);
    g->submitting = true;
    int code = core_submit(g->core, ENTRY_COMMAND, g->now_ms);
    g->submitting = false;
    if (code == 0) {
        figures_proposed(g);
        return;
    }
    blob_unref(g->batch[0].blob); /* not a leader any more; leadership_turn() drops the rest */
    if (g->batch_count == 1) g->batch_count = 0;
}

/* --- writes under way --- */

void writes_push(struct group *g, uint64_t first, uint64_t last, uint64_t lsn)
{
    /* What is replaced must not be counted when its write completes: that would silently lose what took its place. */
    for (size_t i = 0; i < g->write_count && first <= last && !g->params.faults.stale_completion_counts; i++) {
        struct write *w = &g->writes[(g->write_head + i) & (g->write_capacity - 1)];
        if (w->last >= first) w->last = first - 1;
    }
    if (g->write_count == g->write_capacity) {
        size_t capacity = g->write_capacity ? g->write_capacity * 2 : 16;
        struct write *bigger = mem_alloc(capacity * sizeof *bigger);
        for (size_t i = 0; i < g->write_count; i++)
            bigger[i] = g->writes[(g->write_head + i) & (g->write_capacity - 1)];
        mem_free(g->writes);
        g->writes = bigger;
        g->write_capacity = capacity;
        g->write_head = 0;
    }
    g->writes[(g->write_head + g->write_count++) & (g->write_capacity - 1)] = (struct write){first, last, lsn};
    if (g->params.faults.persist_before_durable) writes_durable(g);
}

void writes_clear(struct group *g)
{
    g->write_count = 0;
}

void writes_durable(struct group *g)
{
    uint64_t durable = g->params.faults.persist_before_durable ? UINT64_MAX : log_durable(g->params.log), highest = 0;
    while (g->write_count) {
        struct write *w = &g->writes[g->write_head];
        if (w->lsn > durable) break;
        if (w->first <= w->last && w->last > highest) highest = w->last;
        g->write_head = (g->write_head + 1) & (g->write_capacity - 1);
        g->write_count--;
    }
    if (g->core && highest && !core_installing(g->core)) core_persisted(g->core, highest, g->now_ms);
}
