/* The fast way to a new leader: a process that is known dead need not be waited for. Survivors take turns by rank;
 * ordinary timers remain behind all this. */
#include "replication/group/group_internal.h"

enum { TAKEOVER_RANK_MS = 30, TAKEOVER_AGAIN_MS = 60, TAKEOVER_TRIES_MAX = 3 };

static uint32_t rank_of(const struct group *g, uint8_t dead)
{
    uint32_t rank = 0, n = g->member_count, own = 0;
    for (uint32_t i = 0; i < n; i++)
        if (g->members[i].node == g->params.node) own = (i + g->params.id) % n;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t order = (i + g->params.id) % n;
        if (g->members[i].node != dead && order < own) rank++;
    }
    return rank;
}

static bool votes(const struct group *g)
{
    for (uint32_t i = 0; i < g->member_count; i++)
        if (g->members[i].node == g->params.node) return g->members[i].role == GROUP_VOTER;
    return false;
}

void group_node_dead(struct group *g, uint8_t node, uint64_t now_ms)
{
    if (now_ms > g->now_ms) g->now_ms = now_ms;
    g->answered &= ~(UINT64_C(1) << (node & 63));
    if (g->dropped) return;
    if (core_leader(g->core) != node || core_state(g->core) != CORE_FOLLOWER || !votes(g)) return;
    g->takeover = (struct takeover){.wanted = true,
                                    .leader = node,
                                    .term = core_term(g->core),
                                    .at_ms = g->now_ms + rank_of(g, node) * TAKEOVER_RANK_MS};
}

void election_turn(struct group *g)
{
    struct takeover *t = &g->takeover;
    if (!t->wanted || g->now_ms < t->at_ms) return;
    bool settled = core_state(g->core) == CORE_LEADER || (core_leader(g->core) && core_leader(g->core) != t->leader);
    if (settled || t->tries >= TAKEOVER_TRIES_MAX || core_installing(g->core)) {
        t->wanted = false;
        return;
    }
    if (core_term(g->core) != t->term || core_state(g->core) != CORE_FOLLOWER) { /* another one is at it */
        t->term = core_term(g->core);
        t->at_ms = g->now_ms + TAKEOVER_AGAIN_MS;
        t->tries++;
        if (core_state(g->core) != CORE_FOLLOWER) return;
    }
    if (core_last_stored(g->core) != core_last_index(g->core)) {
        t->at_ms = g->now_ms + 1;
        return;
    }
    if (g->now_ms < t->at_ms) return;
    uint64_t last = core_last_index(g->core), last_term = log_entry_term(g->params.log, g->params.id, last);
    struct log_group_state state;
    log_group_state(g->params.log, g->params.id, &state);
    if (!last_term && last == state.snapshot_index) last_term = state.snapshot_term;
    struct core_message m = {.type = CORE_TIMEOUT_NOW,
                             .peer = t->leader,
                             .term = core_term(g->core),
                             .last_log_index = last,
                             .last_log_term = last_term};
    core_receive(g->core, &m, g->now_ms);
    t->term = core_term(g->core);
    t->at_ms = g->now_ms + TAKEOVER_AGAIN_MS;
    t->tries++;
}
