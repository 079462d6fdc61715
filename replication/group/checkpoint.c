/* Checkpoints of this replica. */
#include "base/check.h"
#include "replication/group/group_internal.h"

static uint64_t keep_from(const struct group *g, uint64_t index)
{
    struct log_group_state state;
    log_group_state(g->params.log, g->params.id, &state);
    uint64_t from = index + 1, bytes = 0;
    uint64_t bytes_max = g->params.trailing_bytes ? g->params.trailing_bytes : GROUP_TRAILING_BYTES;
    uint32_t entries_max = g->params.trailing_entries ? g->params.trailing_entries : GROUP_TRAILING_ENTRIES;
    if (g->relieving) return from;
    while (from > state.first_index && index + 1 - from < entries_max && bytes < bytes_max)
        bytes += log_entry_size(g->params.log, g->params.id, --from);
    return from;
}

static void on_checkpoint(void *arg, const struct err *err)
{
    struct group *g = arg;
    g->checkpoint_running = false;
    g->params.machine.ops->checkpoint_done(g->params.machine.self, err == NULL);
    if (err) {
        note(g, 0, "checkpoint_failed index=%llu error=\"%s\"", (unsigned long long)g->checkpoint_index, err->text);
        g->checkpoint_again_ms = g->now_ms + GROUP_CHECKPOINT_AGAIN_MS;
        return;
    }
    uint64_t from = keep_from(g, g->checkpoint_index);
    g->relieving = false;
    g->snapshot_index = g->checkpoint_index;
    struct store_manifest m;
    store_manifest(g->params.store, &m);
    core_snapshot_taken(g->core, m.index, m.term, m.configuration_index, m.configuration,
                        (uint32_t)(g->checkpoint_index + 1 - from), g->now_ms);
    log_trim(g->params.log, g->params.id, g->checkpoint_index, g->checkpoint_term, from);
}

int group_checkpoint(struct group *g)
{
    if (g->checkpoint_running || store_checkpoint_running(g->params.store) || core_installing(g->core) ||
        snapshot_installing(g))
        return ERR_BUSY;
    if (g->applied <= g->snapshot_index) return 0;
    if (g->applied > core_last_stored(g->core)) return ERR_BUSY; /* only what is durable here may be trimmed */
    g->checkpoint_running = true;
    g->checkpoint_index = g->applied;
    g->checkpoint_term = log_entry_term(g->params.log, g->params.id, g->applied);
    struct checkpoint *c =
        store_checkpoint_begin(g->params.store, g->applied, g->checkpoint_term, g->conf_index, buf_slice(&g->conf));
    g->params.machine.ops->checkpoint(g->params.machine.self, c);
    store_checkpoint_run(g->params.store, c, on_checkpoint, g);
    return 0;
}

void group_relieve(struct group *g)
{
    if (g->checkpoint_running || g->now_ms < g->checkpoint_again_ms) return;
    if (g->applied > g->snapshot_index) {
        g->relieving = group_checkpoint(g) == 0;
        return;
    }
    /* Only what the last checkpoint left for brief absences holds the log: an entry that says nothing makes room for
     * the next. */
    if (g->leading && g->commit == core_last_index(g->core)) core_submit(g->core, ENTRY_BARRIER, g->now_ms);
}

static bool much_is_dead(struct group *g)
{
    if (g->now_ms < g->dead_check_at_ms) return false;
    g->dead_check_at_ms = g->now_ms + GROUP_DEAD_CHECK_MS;
    uint64_t disk = store_disk_bytes(g->params.store), live = store_live_bytes(g->params.store);
    return disk > live + GROUP_DEAD_BYTES_MIN && disk - live > disk / 2;
}

void checkpoint_policy(struct group *g)
{
    if (g->checkpoint_running || g->now_ms < g->checkpoint_again_ms) return;
    if (log_group_bytes(g->params.log, g->params.id) > g->params.checkpoint_log_bytes || much_is_dead(g))
        group_checkpoint(g);
}
