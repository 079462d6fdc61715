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

static const struct core_out core_out = {.vote = on_vote,
                                         .append = on_append,
                                         .snapshot = on_snapshot,
                                         .message = on_message,
                                         .commit = on_commit,
                                         .settle = on_settle};

/* --- opening --- */

static void entry_for_start(void *arg, uint64_t index, uint64_t *term, uint8_t *type, struct slice *data)
{
    struct group *g = arg;
    struct err err;
    *term = log_entry_term(g->params.log, g->params.id, index);
    *type = log_entry_type(g->params.log, g->params.id, index);
    *data = (struct slice){0};
    if (*type != ENTRY_CHANGE) return;
    struct entry *e = log_entry(g->params.log, g->params.id, index, &err);
    CHECK(e != NULL);
    /* The bytes must outlive the start: the entry stays in the log's memory or, read back, in g->conf's buffer. */
    size_t at = g->conf.size;
    CHECK(g->conf.capacity - at >= e->size);
    buf_put_slice(&g->conf, part_slice(e->parts[0]));
    *data = slice_of(g->conf.data + at, e->size);
    entry_unref(e);
}

static void bootstrap(struct group *g)
{
    struct buf conf = {0};
    core_configuration_encode(g->params.members, g->params.member_count, &conf);
    struct blob *blob = blob_copy(conf.data, conf.size);
    struct entry *e = entry_from_blob(ENTRY_CHANGE, 1, 1, blob, 0, blob->size);
    log_append_vote(g->params.log, g->params.id, 1, 0);
    log_append_entry(g->params.log, g->params.id, e);
    entry_unref(e);
    blob_unref(blob);
    buf_close(&conf);
}

/* What the core will take for the configuration: the newest in the log, else the checkpoint's. */
static bool sole_voter(const struct group *g, const struct log_group_state *state)
{
    struct group_member members[GROUP_MEMBERS_MAX];
    uint32_t count = g->member_count, voters = 0;
    struct err err;
    memcpy(members, g->members, sizeof members);
    for (uint64_t i = state->last_index; i > g->applied && i >= state->first_index; i--) {
        if (log_entry_type(g->params.log, g->params.id, i) != ENTRY_CHANGE) continue;
        struct entry *e = log_entry(g->params.log, g->params.id, i, &err);
        CHECK(e != NULL);
        count = core_configuration_decode(part_slice(e->parts[0]), members);
        entry_unref(e);
        break;
    }
    bool own = false;
    for (uint32_t i = 0; i < count; i++) {
        voters += members[i].role == GROUP_VOTER;
        own |= members[i].node == g->params.node && members[i].role == GROUP_VOTER;
    }
    return own && voters == 1;
}

/* Without a checkpoint the first entry is the configuration that the group began with. */
static void first_configuration(struct group *g, const struct log_group_state *state)
{
    struct err err;
    if (state->first_index != 1 || !state->last_index) return;
    struct entry *e = log_entry(g->params.log, g->params.id, 1, &err);
    CHECK(e != NULL && e->type == ENTRY_CHANGE && e->part_count);
    g->member_count = core_configuration_decode(part_slice(e->parts[0]), g->members);
    CHECK(g->member_count > 0);
    entry_unref(e);
}

static int restore_from_manifest(struct group *g, struct core_start *start, struct err *err)
{
    struct store_manifest m;
    store_manifest(g->params.store, &m);
    if (!m.machine.size) return 0;
    int code = g->params.machine.ops->restore(g->params.machine.self, m.machine, err);
    if (code) return code;
    g->member_count = core_configuration_decode(m.configuration, g->members);
    if (!g->member_count) return (int)err_set(err, ERR_CORRUPT, "manifest: its configuration is damaged");
    g->conf_index = m.configuration_index;
    g->applied = g->commit = g->snapshot_index = m.index;
    start->snapshot_index = m.index;
    start->snapshot_term = m.term;
    start->conf_index = m.configuration_index;
    start->conf = m.configuration;
    return 0;
}

/* A log that ends before the snapshot, or whose snapshot the store has not got, cannot be used as it is. */
static int reconcile_log(struct group *g, struct log_group_state *state, uint64_t snapshot_index,
                         uint64_t snapshot_term, struct err *err)
{
    if (state->snapshot_index > snapshot_index && state->first_index > snapshot_index + 1)
        return (int)err_set(
            err, ERR_CORRUPT,
            "the log was trimmed up to entry %llu, but the newest checkpoint ends at %llu: a manifest is missing",
            (unsigned long long)state->first_index - 1, (unsigned long long)snapshot_index);
    bool reaches = state->first_index <= snapshot_index && snapshot_index <= state->last_index;
    bool other = reaches && log_entry_term(g->params.log, g->params.id, snapshot_index) !=
                                snapshot_term; /* died between manifest and log */
    if (snapshot_index && (other || state->last_index < snapshot_index || state->first_index > snapshot_index + 1)) {
        log_append_snapshot(g->params.log, g->params.id, snapshot_index, snapshot_term);
        log_group_state(g->params.log, g->params.id, state);
    }
    return 0;
}

bool group_below_floor(struct log *log, struct store *store, uint32_t id, struct group_floor floor)
{
    struct log_group_state state;
    struct store_manifest m;
    if (!floor.index) return false;
    log_group_state(log, id, &state);
    store_manifest(store, &m);
    uint64_t index = m.index, term = m.term;
    if (state.last_index >= state.first_index && state.last_index > index) {
        index = state.last_index;
        term = log_entry_term(log, id, index);
    }
    return index && change_is_below(term, index, floor);
}

int group_open(struct group **out, const struct group_params *params, uint64_t now_ms, struct err *err)
{
    struct group *g = mem_zalloc(sizeof *g);
    g->params = *params;
    g->now_ms = now_ms;
    struct core_start start = {.node = params->node,
                               .election_timeout_ms = params->election_timeout_ms,
                               .heartbeat_ms = params->heartbeat_ms,
                               .entries_in_flight_max = GROUP_ENTRIES_IN_FLIGHT_MAX,
                               .seed = params->seed,
                               .entry = entry_for_start,
                               .out = &core_out,
                               .arg = g,
                               .faults = &g->params.faults};
    struct log_group_state state;
    int code = restore_from_manifest(g, &start, err);
    log_group_state(params->log, params->id, &state);
    if (!code) code = reconcile_log(g, &state, start.snapshot_index, start.snapshot_term, err);
    if (code) {
        mem_free(g);
        return code;
    }
    if (!start.snapshot_index && state.last_index < state.first_index && params->member_count) bootstrap(g);
    log_group_state(params->log, params->id, &state);
    if (!start.snapshot_index) first_configuration(g, &state);
    start.term = state.term;
    start.voted_for = state.voted_for;
    if (sole_voter(g, &state)) { /* it leads at once, and must not lead twice in one term */
        start.term++;
        start.voted_for = 0;
        log_append_vote(params->log, params->id, start.term, 0);
    }
    start.first_index = state.first_index;
    start.last_index = state.last_index;
    struct buf kept_conf = {0};
    buf_put_slice(&kept_conf, start.conf);
    buf_reserve(&g->conf, 1 << 16); /* room for the CHANGE entries' bytes while the core starts: it must not move */
    start.conf = buf_slice(&kept_conf);
    g->core = core_open(&start, now_ms);
    buf_clear(&g->conf);
    if (kept_conf.size) buf_put_slice(&g->conf, buf_slice(&kept_conf));
    else if (g->member_count) core_configuration_encode(g->members, g->member_count, &g->conf);
    if (!g->conf_index && g->member_count) g->conf_index = 1;
    g->heard_ms = now_ms;
    buf_close(&kept_conf);
    *out = g;
    return 0;
}

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
    if (g->takeover.wanted && g->takeover.at_ms < at) at = g->takeover.at_ms;
    if (snapshot_receiving(g) && g->now_ms + 100 < at) at = g->now_ms + 100;
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
