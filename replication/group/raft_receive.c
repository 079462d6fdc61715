/* What other members say, and the repairs of what the library makes of it. */
#include "replication/group/raft_internal.h"

static bool votes_by_its_own_word(const struct raft_core *c)
{
    for (unsigned i = 0; i < c->raft.configuration.n; i++)
        if (c->raft.configuration.servers[i].id == c->raft.id)
            return c->raft.configuration.servers[i].role == RAFT_VOTER;
    return false;
}

static void receive(struct raft_core *c, struct raft_message *m, uint64_t now_ms)
{
    char address[8];
    core_address_of((uint8_t)m->server_id, address, sizeof address);
    m->server_address = address;
    struct raft_event event = {.type = RAFT_RECEIVE};
    event.receive.message = m;
    core_must_step(c, &event, now_ms, "receive");
}

/* A voter forgets its leader when its own timer makes it a candidate; who never becomes one would refuse for ever. */
static void forget_silent_leader(struct raft_core *c, uint64_t now_ms)
{
    if (c->raft.state != RAFT_FOLLOWER || now_ms < c->leader_heard_ms + c->raft.election_timeout) return;
    raft_free(c->raft.follower_state.current_leader.address);
    c->raft.follower_state.current_leader.address = NULL;
    c->raft.follower_state.current_leader.id = 0;
}

/* R9: the library refuses its vote when its own configuration has it as no voter. But that may be the older one: who
 * asks counts on us, and may be the only one who can lead. Votes are given by the log and the term alone (Ongaro, 4.1).
 */
static void receive_request_vote(struct raft_core *c, struct raft_message *m, uint64_t now_ms)
{
    if (c->faults->repair_off[9] || votes_by_its_own_word(c)) {
        receive(c, m, now_ms);
        return;
    }
    forget_silent_leader(c, now_ms);
    struct raft_server own = {.id = c->raft.id, .address = c->raft.address, .role = RAFT_VOTER};
    struct raft_configuration kept = c->raft.configuration;
    c->raft.configuration = (struct raft_configuration){.servers = &own, .n = 1};
    receive(c, m, now_ms);
    c->raft.configuration = kept;
}

static void receive_part(struct raft_core *c, const struct core_message *m, uint64_t prev_index, uint64_t prev_term,
                         uint32_t from, uint32_t to, uint64_t now_ms)
{
    core_begin_entries(c);
    for (uint32_t i = from; i < to; i++) {
        struct entry *e = m->entries[i];
        struct slice data = e->type == ENTRY_CHANGE && e->part_count ? part_slice(e->parts[0]) : slice_of(NULL, 0);
        core_add_entry(c, e->term, e->type, data, e);
    }
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES, .server_id = m->peer};
    message.append_entries = (struct raft_append_entries){.version = m->version,
                                                          .term = m->term,
                                                          .prev_log_index = prev_index,
                                                          .prev_log_term = prev_term,
                                                          .leader_commit = m->commit,
                                                          .entries = c->entry_count ? c->entries : NULL,
                                                          .n_entries = (unsigned)c->entry_count};
    receive(c, &message, now_ms);
    c->entry_count = 0;
}

/* R2: what lies below our snapshot is here, though the log has no term to compare with any more. (The trail begins
 * after its offset: that one's term is not known either.) */
static uint32_t skip_covered(struct raft_core *c, const struct core_message *m, uint64_t *prev_index,
                             uint64_t *prev_term)
{
    uint64_t snapshot = c->raft.trail.snapshot.index;
    bool below =
        m->term >= raft_current_term(&c->raft) && m->prev_index < snapshot && m->prev_index <= c->raft.trail.offset;
    *prev_index = m->prev_index;
    *prev_term = m->prev_term;
    if (!below || c->faults->repair_off[2]) return 0;
    uint64_t covered = snapshot - m->prev_index;
    *prev_index = snapshot;
    *prev_term = c->raft.trail.snapshot.term;
    return covered < m->entry_count ? (uint32_t)covered : m->entry_count;
}

/* R4: a CHANGE goes alone, with what precedes it handled (committed, applied) before. */
static void receive_append(struct raft_core *c, const struct core_message *m, uint64_t now_ms)
{
    uint64_t prev_index, prev_term;
    uint32_t from = skip_covered(c, m, &prev_index, &prev_term);
    for (;;) {
        uint32_t to = from;
        if (c->faults->repair_off[4]) {
            to = m->entry_count;
        } else if (to < m->entry_count && m->entries[to]->type == ENTRY_CHANGE) {
            to++;
        } else {
            while (to < m->entry_count && m->entries[to]->type != ENTRY_CHANGE) to++;
        }
        receive_part(c, m, prev_index, prev_term, from, to, now_ms);
        if (to == m->entry_count) return;
        if (c->out->settle && !c->faults->repair_off[4]) c->out->settle(c->arg);
        prev_index += to - from;
        prev_term = to > from ? m->entries[to - 1]->term : prev_term;
        from = to;
    }
}

static bool stale_rejection(struct raft_core *c, const struct core_message *m)
{
    raft_index match = 0;
    if (!m->rejected || m->term != raft_current_term(&c->raft) || raft_state(&c->raft) != RAFT_LEADER) return false;
    return raft_match_index(&c->raft, m->peer, &match) == 0 && m->rejected <= match;
}

static void receive_other(struct raft_core *c, const struct core_message *m, uint64_t now_ms)
{
    struct raft_message o = {.type = (enum raft_message_type)m->type, .server_id = m->peer};
    switch (m->type) {
    case CORE_APPEND_ENTRIES_RESULT:
        if (!c->faults->repair_off[3] && stale_rejection(c, m)) { /* R3 */
            if (m->last_log_index < m->rejected) c->lost_data = m->peer;
            return;
        }
        o.append_entries_result = (struct raft_append_entries_result){m->version,        m->term,     m->rejected,
                                                                      m->last_log_index, m->features, m->capacity};
        break;
    case CORE_REQUEST_VOTE:
        o.request_vote = (struct raft_request_vote){
            m->version, m->term, m->candidate, m->last_log_index, m->last_log_term, m->disrupt_leader, m->pre_vote};
        receive_request_vote(c, &o, now_ms);
        return;
    case CORE_REQUEST_VOTE_RESULT:
        /* R10: the library looks into a candidate's state before it looks whether there is one. */
        if (raft_state(&c->raft) != RAFT_CANDIDATE && !c->faults->repair_off[10]) return;
        o.request_vote_result =
            (struct raft_request_vote_result){m->version, m->term, m->granted, m->pre_vote, m->features, m->capacity};
        break;
    case CORE_INSTALL_SNAPSHOT:
        o.install_snapshot = (struct raft_install_snapshot){.version = m->version,
                                                            .term = m->term,
                                                            .last_index = m->last_log_index,
                                                            .last_term = m->last_log_term,
                                                            .conf_index = m->conf_index};
        if (!core_decode_configuration(m->conf, &o.install_snapshot.conf)) return;
        break;
    case CORE_TIMEOUT_NOW:
        o.timeout_now = (struct raft_timeout_now){m->version, m->term, m->last_log_index, m->last_log_term};
        break;
    default:
        return;
    }
    receive(c, &o, now_ms);
}

void core_receive(struct raft_core *c, const struct core_message *m, uint64_t now_ms)
{
    bool from_leader = m->type == CORE_APPEND_ENTRIES || m->type == CORE_INSTALL_SNAPSHOT;
    c->stale_sender = from_leader && m->term < raft_current_term(&c->raft);
    /* An install comes from who was leader when its transfer began, which may be terms ago. */
    if (m->type == CORE_APPEND_ENTRIES && !c->stale_sender) {
        c->leader = m->peer;
        c->leader_term = m->term;
        c->leader_heard_ms = now_ms;
    }
    if (m->type == CORE_APPEND_ENTRIES) receive_append(c, m, now_ms);
    else receive_other(c, m, now_ms);
    c->stale_sender = false;
}
