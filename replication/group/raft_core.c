/* All calls of the Raft library. The package has no assertions: what it expects is checked here. R1 .. R10 are the
 * repairs that README.md lists; each can be switched off for the test that shows what it is good for. */
#include "replication/group/raft_core.h"

#include <stdio.h>
#include <stdlib.h>

#include <raft.h>

#include "base/check.h"
#include "base/mem.h"

enum { CORE_ENTRIES_MAX = 4096, CORE_INSTALL_TIMEOUT_MS = 600000 };

struct raft_core {
    struct raft raft;
    const struct core_out *out;
    void *arg;
    const struct group_faults *faults;
    uint64_t now_ms;
    uint8_t leader; /* R8: who sent the last accepted AppendEntries */
    uint64_t leader_term;
    uint64_t leader_heard_ms;
    struct raft_entry *entries; /* of the step at hand */
    struct entry **received;    /* their sources, or NULL */
    size_t entry_count, entry_capacity;
    bool stale_sender; /* R1: the message at hand has an older term */
    uint8_t lost_data; /* a member that refused what it had acknowledged */
};

/* --- heap: entries we pass in carry a sentinel as their batch, which must never be freed --- */

static char sentinel;

static void *heap_malloc(void *data, size_t size)
{
    (void)data;
    return mem_alloc(size);
}
static void heap_free(void *data, void *pointer)
{
    (void)data;
    if (pointer != &sentinel) mem_free(pointer);
}
static void *heap_calloc(void *data, size_t count, size_t size)
{
    (void)data;
    return mem_zalloc(count * size);
}
static void *heap_realloc(void *data, void *pointer, size_t size)
{
    (void)data;
    return mem_realloc(pointer, size);
}
static void *heap_aligned_alloc(void *data, size_t alignment, size_t size)
{
    (void)data;
    void *pointer = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    CHECK(pointer != NULL);
    return pointer;
}
static void heap_aligned_free(void *data, size_t alignment, void *pointer)
{
    (void)data;
    (void)alignment;
    free(pointer);
}

void core_library_init(void)
{
    static struct raft_heap heap = {NULL,         heap_malloc,        heap_free,        heap_calloc,
                                    heap_realloc, heap_aligned_alloc, heap_aligned_free};
    raft_heap_set(&heap);
}

void group_library_init(void)
{
    core_library_init();
}

/* --- configurations --- */

static void address_of(uint8_t node, char *text, size_t size)
{
    snprintf(text, size, "%u", node); /* the library wants names that differ; we route by id */
}

void core_configuration_encode(const struct group_member *members, uint32_t count, struct buf *b)
{
    struct raft_configuration conf;
    struct raft_buffer encoded;
    char address[8];
    raft_configuration_init(&conf);
    for (uint32_t i = 0; i < count; i++) {
        address_of(members[i].node, address, sizeof address);
        CHECK(raft_configuration_add(&conf, members[i].node, address,
                                     members[i].role == GROUP_VOTER ? RAFT_VOTER : RAFT_STANDBY) == 0);
    }
    CHECK(raft_configuration_encode(&conf, &encoded) == 0);
    buf_put(b, encoded.base, encoded.len);
    raft_free(encoded.base);
    raft_configuration_close(&conf);
}

static bool decode_configuration(struct slice bytes, struct raft_configuration *conf)
{
    struct raft_buffer buffer = {(void *)bytes.data, bytes.size};
    raft_configuration_init(conf);
    return bytes.size >= 8 && raft_configuration_decode(&buffer, conf) == 0;
}

uint32_t core_configuration_decode(struct slice bytes, struct group_member *members)
{
    struct raft_configuration conf;
    if (!decode_configuration(bytes, &conf)) return 0;
    uint32_t count = conf.n <= GROUP_MEMBERS_MAX ? conf.n : 0;
    for (uint32_t i = 0; i < count; i++) {
        members[i].node = (uint8_t)conf.servers[i].id;
        members[i].role = conf.servers[i].role == RAFT_VOTER ? GROUP_VOTER : GROUP_STANDBY;
    }
    raft_configuration_close(&conf);
    return count;
}

/* --- updates out --- */

static void fatal(const char *what, struct raft_core *c, int code)
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
        fatal("message of an unknown kind", c, (int)m->type);
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

static int step(struct raft_core *c, struct raft_event *event, uint64_t now_ms)
{
    struct raft_update update = {0};
    if (now_ms > c->now_ms) c->now_ms = now_ms; /* never back */
    event->time = c->now_ms;
    int code = raft_step(&c->raft, event, &update);
    if (code == 0) carry_out(c, &update);
    return code;
}

static void must_step(struct raft_core *c, struct raft_event *event, uint64_t now_ms, const char *what)
{
    int code = step(c, event, now_ms);
    if (code) fatal(what, c, code);
}

static void begin_entries(struct raft_core *c)
{
    c->entry_count = 0;
}

static void add_entry(struct raft_core *c, uint64_t term, uint8_t type, struct slice data, struct entry *source)
{
    if (c->entry_count == c->entry_capacity) {
        c->entry_capacity = c->entry_capacity ? c->entry_capacity * 2 : 64;
        c->entries = mem_realloc(c->entries, c->entry_capacity * sizeof *c->entries);
        c->received = mem_realloc(c->received, c->entry_capacity * sizeof *c->received);
    }
    c->entries[c->entry_count] = (struct raft_entry){
        .term = term, .type = (enum raft_entry_type)type, .buf = {(void *)data.data, data.size}, .batch = &sentinel};
    c->received[c->entry_count++] = source;
}

/* --- life --- */

struct raft_core *core_open(const struct core_start *s, uint64_t now_ms)
{
    struct raft_core *c = mem_zalloc(sizeof *c);
    char address[8];
    c->out = s->out;
    c->arg = s->arg;
    c->faults = s->faults;
    address_of(s->node, address, sizeof address);
    CHECK(raft_init(&c->raft, NULL, NULL, s->node, address) == 0);
    c->raft.tracer = NULL; /* it formats text into static buffers on every step */
    raft_seed(&c->raft, (unsigned)s->seed);
    raft_set_pre_vote(&c->raft, true);
    raft_set_election_timeout(&c->raft, s->election_timeout_ms);
    raft_set_heartbeat_timeout(&c->raft, s->heartbeat_ms);
    raft_set_install_snapshot_timeout(&c->raft, CORE_INSTALL_TIMEOUT_MS);
    raft_set_max_inflight_entries(&c->raft, s->entries_in_flight_max * 4);

    struct raft_snapshot_metadata metadata = {
        .index = s->snapshot_index, .term = s->snapshot_term, .configuration_index = s->conf_index};
    begin_entries(c);
    for (uint64_t i = s->first_index; i <= s->last_index; i++) {
        uint64_t term;
        uint8_t type;
        struct slice data;
        s->entry(s->arg, i, &term, &type, &data);
        add_entry(c, term, type, data, NULL);
    }
    struct raft_event event = {.type = RAFT_START};
    event.start.term = s->term;
    event.start.voted_for = s->voted_for;
    event.start.start_index = s->first_index;
    event.start.entries = c->entry_count ? c->entries : NULL;
    event.start.n_entries = (unsigned)c->entry_count;
    if (s->snapshot_index) {
        CHECK(s->first_index <= s->snapshot_index + 1);
        CHECK(decode_configuration(s->conf, &metadata.configuration));
        event.start.metadata = &metadata; /* the configuration's memory moves to the core */
    }
    must_step(c, &event, now_ms, "start");
    return c;
}

void core_close(struct raft_core *c)
{
    raft_close(&c->raft, NULL);
    mem_free(c->entries);
    mem_free(c->received);
    mem_free(c);
}

/* --- received messages --- */

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
    address_of((uint8_t)m->server_id, address, sizeof address);
    m->server_address = address;
    struct raft_event event = {.type = RAFT_RECEIVE};
    event.receive.message = m;
    must_step(c, &event, now_ms, "receive");
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
    begin_entries(c);
    for (uint32_t i = from; i < to; i++) {
        struct entry *e = m->entries[i];
        struct slice data = e->type == ENTRY_CHANGE && e->part_count ? part_slice(e->parts[0]) : slice_of(NULL, 0);
        add_entry(c, e->term, e->type, data, e);
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
        if (!decode_configuration(m->conf, &o.install_snapshot.conf)) return;
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

/* --- other events --- */

void core_timeout(struct raft_core *c, uint64_t now_ms)
{
    if (now_ms < raft_timeout(&c->raft)) return; /* early, a leader would take its peers for silent */
    struct raft_event event = {.type = RAFT_TIMEOUT};
    must_step(c, &event, now_ms, "timeout");
}

static int submit(struct raft_core *c, uint8_t type, struct slice data, uint64_t now_ms)
{
    if (raft_state(&c->raft) != RAFT_LEADER) return ERR_NOT_LEADER;
    begin_entries(c);
    add_entry(c, raft_current_term(&c->raft), type, data, NULL);
    struct raft_event event = {.type = RAFT_SUBMIT};
    event.submit.entries = c->entries;
    event.submit.n = 1;
    int code = step(c, &event, now_ms);
    c->entry_count = 0;
    if (code == RAFT_NOTLEADER) return ERR_NOT_LEADER;
    if (code) fatal("submit", c, code);
    return 0;
}

int core_submit(struct raft_core *c, uint8_t type, uint64_t now_ms)
{
    static const uint64_t zero = 0;
    return submit(c, type, slice_of(&zero, sizeof zero), now_ms);
}

int core_submit_change(struct raft_core *c, struct slice conf, uint64_t now_ms)
{
    if (raft_state(&c->raft) == RAFT_LEADER && (core_changing(c) || core_transferring(c))) return ERR_BUSY;
    return submit(c, ENTRY_CHANGE, conf, now_ms);
}

void core_persisted(struct raft_core *c, uint64_t index, uint64_t now_ms)
{
    if (index <= c->raft.last_stored) return;
    CHECK(index <= raft_last_index(&c->raft));
    struct raft_event event = {.type = RAFT_PERSISTED_ENTRIES};
    event.persisted_entries.index = index;
    must_step(c, &event, now_ms, "persisted entries");
}

static struct raft_snapshot_metadata metadata_of(uint64_t index, uint64_t term, uint64_t conf_index, struct slice conf)
{
    struct raft_snapshot_metadata m = {.index = index, .term = term, .configuration_index = conf_index};
    CHECK(decode_configuration(conf, &m.configuration)); /* its memory moves to the core */
    return m;
}

void core_snapshot_persisted(struct raft_core *c, uint64_t index, uint64_t term, uint64_t conf_index, struct slice conf,
                             uint64_t now_ms)
{
    struct raft_event event = {.type = RAFT_PERSISTED_SNAPSHOT};
    event.persisted_snapshot.metadata = metadata_of(index, term, conf_index, conf);
    event.persisted_snapshot.last = true;
    must_step(c, &event, now_ms, "persisted snapshot");
}

void core_snapshot_taken(struct raft_core *c, uint64_t index, uint64_t term, uint64_t conf_index, struct slice conf,
                         uint32_t trailing, uint64_t now_ms)
{
    bool fits = index > c->raft.trail.snapshot.index && index <= c->raft.last_stored && index > c->raft.trail.offset &&
                index <= raft_last_index(&c->raft) && !c->raft.snapshot.installing;
    if (!fits) return;
    struct raft_event event = {.type = RAFT_SNAPSHOT};
    event.snapshot.metadata = metadata_of(index, term, conf_index, conf);
    event.snapshot.trailing = trailing;
    must_step(c, &event, now_ms, "snapshot");
}

void core_configuration(struct raft_core *c, uint64_t index, struct slice conf, uint64_t now_ms)
{
    struct raft_event event = {.type = RAFT_CONFIGURATION};
    event.configuration.index = index;
    CHECK(decode_configuration(conf, &event.configuration.conf));
    must_step(c, &event, now_ms, "configuration");
}

int core_transfer(struct raft_core *c, uint8_t node, uint64_t now_ms)
{
    if (raft_state(&c->raft) != RAFT_LEADER || raft_transferee(&c->raft)) return ERR_NOT_LEADER;
    struct raft_event event = {.type = RAFT_TRANSFER};
    event.transfer.server_id = node;
    return step(c, &event, now_ms) ? ERR_BUSY : 0;
}

/* --- reads --- */

enum core_state core_state(const struct raft_core *c)
{
    switch (raft_state((struct raft *)&c->raft)) {
    case RAFT_LEADER:
        return CORE_LEADER;
    case RAFT_CANDIDATE:
        return CORE_CANDIDATE;
    default:
        return CORE_FOLLOWER;
    }
}

uint64_t core_term(const struct raft_core *c)
{
    return raft_current_term(&c->raft);
}

uint64_t core_last_index(const struct raft_core *c)
{
    return raft_last_index((struct raft *)&c->raft);
}

uint64_t core_last_stored(const struct raft_core *c)
{
    return c->raft.last_stored;
}

uint64_t core_deadline_ms(const struct raft_core *c)
{
    return raft_timeout(&c->raft);
}

bool core_installing(const struct raft_core *c)
{
    return c->raft.snapshot.installing;
}

bool core_changing(const struct raft_core *c)
{
    return c->raft.configuration_uncommitted_index != 0;
}

bool core_transferring(const struct raft_core *c)
{
    return raft_state((struct raft *)&c->raft) == RAFT_LEADER && raft_transferee(&c->raft) != 0;
}

uint8_t core_take_lost_data(struct raft_core *c)
{
    uint8_t node = c->lost_data;
    c->lost_data = 0;
    return node;
}

uint8_t core_leader(const struct raft_core *c)
{
    if (raft_state((struct raft *)&c->raft) == RAFT_LEADER) return (uint8_t)c->raft.id;
    if (c->faults->repair_off[8]) { /* R8: the library's own word outlives its term */
        raft_id id;
        const char *address;
        raft_leader((struct raft *)&c->raft, &id, &address);
        return (uint8_t)id;
    }
    return c->leader_term == raft_current_term(&c->raft) ? c->leader : 0;
}

uint64_t core_match_index(const struct raft_core *c, uint8_t node)
{
    raft_index index = 0;
    if (raft_state((struct raft *)&c->raft) != RAFT_LEADER || raft_match_index(&c->raft, node, &index)) return 0;
    return index;
}
