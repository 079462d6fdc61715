/* What the library wants done, as calls of struct core_out. */
#include <stdio.h>
#include <stdlib.h>

#include "replication/group/raft_internal.h"

void core_fatal(const char *what, struct raft_core *c, int code)
{
    fprintf(stderr, "FATAL raft %s: code %d %s: term=%llu state=%d last=%llu stored=%llu commit=%llu\n", what, code,
            raft_errmsg(&c->raft), raft_current_term(&c->raft), raft_state(&c->raft), raft_last_index(&c->raft),
            c->raft.last_stored, raft_commit_index(&c->raft));
    abort();
}

static void out_entries(struct raft_core *c, const struct raft_update *u)
{
    for (unsigned i = 0; i < u->entries.n; i++) {
        const struct raft_entry *e = &u->entries.batch[i];
        bool ours = e >= c->entries && e < c->entries + c->entry_count;
        struct core_append a = {.index = u->entries.index + i, .term = e->term, .type = (uint8_t)e->type};
        if (ours) a.received = c->received[e - c->entries];
        if (!a.received) a.data = slice_of(e->buf.base, e->buf.len);
        c->out->append(c->arg, &a);
        if (!ours) raft_free(e->buf.base); /* the barrier of a new leader: nobody else frees it */
    }
}

/* An install that begins leaves the message's configuration to us; every other end of the message frees it. */
static void out_snapshot(struct raft_core *c, const struct raft_update *u)
{
    struct raft_configuration conf = u->snapshot.metadata.configuration;
    c->out->snapshot(c->arg, u->snapshot.metadata.index, u->snapshot.metadata.term);
    raft_configuration_close(&conf);
}

static void out_message(struct raft_core *c, const struct raft_message *m)
{
    struct core_message o = {.type = (uint8_t)m->type, .peer = (uint8_t)m->server_id};
    switch (m->type) {
    case RAFT_APPEND_ENTRIES:
        o.version = m->append_entries.version;
        o.term = m->append_entries.term;
        o.prev_index = m->append_entries.prev_log_index;
        o.prev_term = m->append_entries.prev_log_term;
        o.commit = m->append_entries.leader_commit;
        o.entry_count = m->append_entries.n_entries;
        break;
    case RAFT_APPEND_ENTRIES_RESULT:
        o.version = m->append_entries_result.version;
        o.term = m->append_entries_result.term;
        o.rejected = m->append_entries_result.rejected;
        o.last_log_index = m->append_entries_result.last_log_index;
        o.features = m->append_entries_result.features;
        o.capacity = m->append_entries_result.capacity;
        /* R1: the library leaves the field unset when it refuses an older term; a leader just elected in ours would
         * count it. */
        if (c->stale_sender && !c->faults->repair_off[1]) o.last_log_index = 0;
        break;
    case RAFT_REQUEST_VOTE:
        o.version = m->request_vote.version;
        o.term = m->request_vote.term;
        o.candidate = m->request_vote.candidate_id;
        o.last_log_index = m->request_vote.last_log_index;
        o.last_log_term = m->request_vote.last_log_term;
        o.disrupt_leader = m->request_vote.disrupt_leader;
        o.pre_vote = m->request_vote.pre_vote;
        break;
    case RAFT_REQUEST_VOTE_RESULT:
        o.version = m->request_vote_result.version;
        o.term = m->request_vote_result.term;
        o.granted = m->request_vote_result.vote_granted;
        o.pre_vote = m->request_vote_result.pre_vote;
        o.features = m->request_vote_result.features;
        o.capacity = m->request_vote_result.capacity;
        /* R5: a node with the only electable log but an old term learns the others' terms from refusals. */
        if (!o.granted && o.pre_vote && o.term < raft_current_term(&c->raft) && !c->faults->repair_off[5])
            o.term = raft_current_term(&c->raft);
        break;
    case RAFT_INSTALL_SNAPSHOT:
        o.version = m->install_snapshot.version;
        o.term = m->install_snapshot.term;
        o.last_log_index = m->install_snapshot.last_index;
        o.last_log_term = m->install_snapshot.last_term;
        break;
    case RAFT_TIMEOUT_NOW:
        o.version = m->timeout_now.version;
        o.term = m->timeout_now.term;
        o.last_log_index = m->timeout_now.last_log_index;
        o.last_log_term = m->timeout_now.last_log_term;
        break;
    default:
        core_fatal("message of an unknown kind", c, (int)m->type);
    }
    c->out->message(c->arg, &o);
}

/* The order is the contract: vote, entries, snapshot, messages, commit. */
static void carry_out(struct raft_core *c, const struct raft_update *u)
{
    if ((u->flags & (RAFT_UPDATE_CURRENT_TERM)) || (u->flags & (RAFT_UPDATE_VOTED_FOR)))
        c->out->vote(c->arg, raft_current_term(&c->raft), raft_voted_for(&c->raft));
    if (u->flags & (RAFT_UPDATE_ENTRIES)) out_entries(c, u);
    if (u->flags & (RAFT_UPDATE_SNAPSHOT)) out_snapshot(c, u);
    if (u->flags & (RAFT_UPDATE_MESSAGES))
        for (unsigned i = 0; i < u->messages.n; i++) out_message(c, &u->messages.batch[i]);
    if (u->flags & (RAFT_UPDATE_COMMIT_INDEX)) c->out->commit(c->arg, raft_commit_index(&c->raft));
}

int core_step(struct raft_core *c, struct raft_event *event, uint64_t now_ms)
{
    struct raft_update update = {0};
    if (now_ms > c->now_ms) c->now_ms = now_ms; /* never back */
    event->time = c->now_ms;
    int code = raft_step(&c->raft, event, &update);
    if (code == 0) carry_out(c, &update);
    return code;
}

void core_must_step(struct raft_core *c, struct raft_event *event, uint64_t now_ms, const char *what)
{
    int code = core_step(c, event, now_ms);
    if (code) core_fatal(what, c, code);
}
