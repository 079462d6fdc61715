/* A group replica's life and its turn. */
#include "replication/group/group_internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"

void note(struct group *g, int level, const char *format, ...)
{
    char line[400];
    int used = snprintf(line, sizeof line, "group=%u ", g->params.id);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + used, sizeof line - (size_t)used, format, arguments);
    va_end(arguments);
    g->params.io->note(g->params.io->self, level, line);
}

/* --- what the core wants done --- */

static void on_vote(void *arg, uint64_t term, uint64_t voted_for)
{
    struct group *g = arg;
    uint64_t lsn = log_append_vote(g->params.log, g->params.id, term, voted_for);
    if (!g->params.faults.send_before_vote_durable) g->hold_lsn = lsn;
}

static struct entry *own_entry(struct group *g, const struct core_append *a)
{
    if (a->type == ENTRY_COMMAND && g->submitting) {
        struct entry *e = entry_create(a->type, a->index, a->term, g->batch, g->batch_count);
        g->batch_count = 0;
        g->batch_bytes = 0;
        g->in_flight_bytes += e->size;
        return e;
    }
    struct blob *blob = blob_copy(a->data.data, a->data.size);
    struct entry *e = entry_from_blob(a->type, a->index, a->term, blob, 0, blob->size);
    blob_unref(blob);
    return e;
}

static void on_append(void *arg, const struct core_append *a)
{
    struct group *g = arg;
    CHECK(!a->received || (a->received->index == a->index && a->received->term == a->term));
    struct entry *e = a->received ? entry_ref(a->received) : own_entry(g, a);
    uint64_t lsn = log_append_entry(g->params.log, g->params.id, e);
    entry_unref(e);
    writes_push(g, a->index, a->index, lsn);
}

static void on_snapshot(void *arg, uint64_t index, uint64_t term)
{
    struct group *g = arg;
    writes_clear(g);
    uint64_t lsn = log_append_snapshot(g->params.log, g->params.id, index, term);
    snapshot_logged(g, lsn);
}

static void on_message(void *arg, const struct core_message *m)
{
    send_core_message(arg, m);
}

static void on_commit(void *arg, uint64_t index)
{
    struct group *g = arg;
    if (index > g->commit) g->commit = index;
}

static void on_settle(void *arg)
{
    apply_committed(arg);
}

const struct core_out group_core_out = {.vote = on_vote,
                                        .append = on_append,
                                        .snapshot = on_snapshot,
                                        .message = on_message,
                                        .commit = on_commit,
                                        .settle = on_settle};

/* --- the end --- */

bool group_idle(const struct group *g)
{
    return !g->checkpoint_running && snapshot_idle(g) && !store_checkpoint_running(g->params.store);
}

void group_close(struct group *g)
{
    CHECK(group_idle(g));
    store_close_counts(g->params.store);
    batch_drop(g);
    snapshot_close(g);
    core_close(g->core);
    for (size_t i = 0; i < g->held_count; i++) buf_close(&g->held[i].head);
    mem_free(g->held);
    mem_free(g->writes);
    buf_close(&g->conf);
    mem_free(g);
}

/* --- leadership --- */

static void leadership_turn(struct group *g)
{
    bool leader = core_state(g->core) == CORE_LEADER;
    bool new_term = leader && g->lead_term != core_term(g->core);
    if (g->leading && (!leader || new_term)) {
        g->leading = false;
        g->heard_ms = g->now_ms; /* the last leader was this one */
        batch_drop(g);
        g->params.io->leading(g->params.io->self, g->params.id, g->lead_term, false);
    }
    if (new_term) { /* everything before it is committed with this barrier */
        g->lead_term = core_term(g->core);
        memset(g->commit_told, 0, sizeof g->commit_told);
        g->lost_data = 0;
        g->answered = 0;
        g->barrier_index = 0;
        g->in_flight_bytes = 0;
        if (core_submit(g->core, ENTRY_BARRIER, g->now_ms) == 0) g->barrier_index = core_last_index(g->core);
    }
    if (leader && !g->leading && g->barrier_index && g->applied >= g->barrier_index) {
        g->leading = true;
        figures_leading(g);
        g->params.io->leading(g->params.io->self, g->params.id, g->lead_term, true);
    }
}

/* --- the turn --- */

void group_turn(struct group *g, uint64_t now_ms, uint64_t clock_ms)
{
    if (now_ms > g->now_ms) g->now_ms = now_ms;
    g->turn_ms = g->now_ms;
    g->turn_clock_ms = clock_ms;
    if (g->dropped) return;
    if (!change_below_floor(g)) core_timeout(g->core, g->now_ms);
    election_turn(g);
    leadership_turn(g);
    batch_seal(g, clock_ms);
    apply_committed(g);
    leadership_turn(g);
    push_commit(g);
    checkpoint_policy(g);
    snapshot_turn(g);
}

void group_durable(struct group *g, uint64_t now_ms)
{
    if (now_ms > g->now_ms) g->now_ms = now_ms;
    if (g->dropped) return;
    writes_durable(g);
    send_held(g);
}

void group_receive(struct group *g, uint8_t from, uint8_t kind, struct blob *blob, uint32_t offset, uint32_t size,
                   uint64_t now_ms)
{
    if (now_ms > g->now_ms) g->now_ms = now_ms;
    if (g->dropped) return;
    if (kind == GROUP_MESSAGE_TRANSFER) {
        snapshot_receive(g, from, slice_of(blob->data + offset, size));
        return;
    }
    if (kind == GROUP_MESSAGE_MEMBERSHIP) {
        change_receive(g, from, slice_of(blob->data + offset, size));
        return;
    }
    struct core_message m;
    if (!message_decode(blob, offset, size, &m)) {
        note(g, 1, "message_unreadable node=%u size=%u", from, size);
        return;
    }
    m.peer = from;
    if (m.type == CORE_REQUEST_VOTE && change_is_below(m.last_log_term, m.last_log_index, g->params.floor)) {
        message_close(&m);
        return;
    }
    if (m.type == CORE_APPEND_ENTRIES_RESULT && m.term == g->lead_term) g->answered |= UINT64_C(1) << (from & 63);
    if (!(m.type == CORE_APPEND_ENTRIES && (core_installing(g->core) || snapshot_installing(g))))
        core_receive(g->core, &m, g->now_ms);
    if (m.type == CORE_APPEND_ENTRIES && m.term >= core_term(g->core)) {
        g->heard_ms = g->now_ms;
        g->heard_term = m.term;
    }
    message_close(&m);
    uint8_t lost = core_take_lost_data(g->core);
    if (!lost) return;
    if (lost != g->lost_data)
        note(g, 0, "member_lost_its_data node=%u action=\"another leader will send it everything again\"", lost);
    g->lost_data = lost;
    group_transfer(g, 0, g->now_ms);
}

uint64_t group_deadline_ms(const struct group *g)
{
    if (g->dropped) return UINT64_MAX;
    uint64_t at = change_below_floor(g) ? g->now_ms + g->params.heartbeat_ms : core_deadline_ms(g->core);
    uint64_t machine_at = batch_deadline_ms(g), snapshot_at = snapshot_deadline_ms(g);
    if (g->takeover.wanted && g->takeover.at_ms < at) at = g->takeover.at_ms;
    if (machine_at < at) at = machine_at;
    if (snapshot_at < at) at = snapshot_at;
    if (at <= g->now_ms) at = g->now_ms + 1;
    return at;
}

int group_transfer(struct group *g, uint8_t node, uint64_t now_ms)
{
    if (now_ms > g->now_ms) g->now_ms = now_ms;
    if (core_state(g->core) != CORE_LEADER) return ERR_NOT_LEADER;
    /* A node that has just started ignores the handover of a leader that it does not know yet, and nobody leads until
     * that is given up. */
    uint64_t best = 0;
    for (uint32_t i = 0; node == 0 && i < g->member_count; i++) {
        uint8_t peer = g->members[i].node;
        bool fit = peer != g->params.node && peer != g->lost_data && g->members[i].role == GROUP_VOTER &&
                   g->params.io->connected(g->params.io->self, peer) && g->answered >> (peer & 63) & 1;
        uint64_t match = fit ? core_match_index(g->core, peer) : 0;
        if (match > best) best = match, node = peer;
    }
    if (!node) return ERR_BUSY;
    if (core_match_index(g->core, node) + GROUP_ENTRIES_IN_FLIGHT_MAX < core_last_index(g->core)) return ERR_BUSY;
    return core_transfer(g->core, node, g->now_ms);
}

void group_status(const struct group *g, struct group_status *s)
{
    *s = (struct group_status){.leads = g->leading,
                               .leader = core_leader(g->core),
                               .term = core_term(g->core),
                               .commit_index = g->commit,
                               .applied_index = g->applied,
                               .last_index = core_last_index(g->core),
                               .durable_index = core_last_stored(g->core),
                               .snapshot_index = g->snapshot_index,
                               .member_count = g->member_count,
                               .configuration_index = g->conf_index,
                               .changing = core_changing(g->core),
                               .dropped = g->dropped};
    for (uint32_t i = 0; i < g->member_count; i++) {
        s->members[i] = g->members[i];
        s->match_index[i] = core_match_index(g->core, g->members[i].node);
        s->online[i] =
            g->members[i].node == g->params.node || g->params.io->connected(g->params.io->self, g->members[i].node);
    }
}

uint32_t group_id(const struct group *g)
{
    return g->params.id;
}

uint64_t group_digest(const struct group *g)
{
    return g->params.machine.ops->digest(g->params.machine.self);
}
