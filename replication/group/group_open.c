/* How a replica begins: from what checkpoint and log say, or from nothing. */
#include "base/check.h"
#include "replication/group/group_internal.h"

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
                               .out = &group_core_out,
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
