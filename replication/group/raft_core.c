/* A core's life, the events that are not messages, and what can be asked. The package has no assertions: what it expects
 * is checked here. R1 .. R10 are the repairs that README.md lists; each can be switched off for the test that shows what
 * it is good for. */
#include "base/check.h"
#include "base/mem.h"
#include "replication/group/raft_internal.h"

enum { CORE_INSTALL_TIMEOUT_MS = 600000 };

/* --- life --- */

struct raft_core *core_open(const struct core_start *s, uint64_t now_ms)
{
    struct raft_core *c = mem_zalloc(sizeof *c);
    char address[8];
    c->out = s->out;
    c->arg = s->arg;
    c->faults = s->faults;
    core_address_of(s->node, address, sizeof address);
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
    core_begin_entries(c);
    for (uint64_t i = s->first_index; i <= s->last_index; i++) {
        uint64_t term;
        uint8_t type;
        struct slice data;
        s->entry(s->arg, i, &term, &type, &data);
        core_add_entry(c, term, type, data, NULL);
    }
    struct raft_event event = {.type = RAFT_START};
    event.start.term = s->term;
    event.start.voted_for = s->voted_for;
    event.start.start_index = s->first_index;
    event.start.entries = c->entry_count ? c->entries : NULL;
    event.start.n_entries = (unsigned)c->entry_count;
    if (s->snapshot_index) {
        CHECK(s->first_index <= s->snapshot_index + 1);
        CHECK(core_decode_configuration(s->conf, &metadata.configuration));
        event.start.metadata = &metadata; /* the configuration's memory moves to the core */
    }
    core_must_step(c, &event, now_ms, "start");
    return c;
}

void core_close(struct raft_core *c)
{
    raft_close(&c->raft, NULL);
    mem_free(c->entries);
    mem_free(c->received);
    mem_free(c);
}

/* --- other events --- */

void core_timeout(struct raft_core *c, uint64_t now_ms)
{
    if (now_ms < raft_timeout(&c->raft)) return; /* early, a leader would take its peers for silent */
    struct raft_event event = {.type = RAFT_TIMEOUT};
    core_must_step(c, &event, now_ms, "timeout");
}

static int submit(struct raft_core *c, uint8_t type, struct slice data, uint64_t now_ms)
{
    if (raft_state(&c->raft) != RAFT_LEADER) return ERR_NOT_LEADER;
    core_begin_entries(c);
    core_add_entry(c, raft_current_term(&c->raft), type, data, NULL);
    struct raft_event event = {.type = RAFT_SUBMIT};
    event.submit.entries = c->entries;
    event.submit.n = 1;
    int code = core_step(c, &event, now_ms);
    c->entry_count = 0;
    if (code == RAFT_NOTLEADER) return ERR_NOT_LEADER;
    if (code) core_fatal("submit", c, code);
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
    core_must_step(c, &event, now_ms, "persisted entries");
}

static struct raft_snapshot_metadata metadata_of(uint64_t index, uint64_t term, uint64_t conf_index, struct slice conf)
{
    struct raft_snapshot_metadata m = {.index = index, .term = term, .configuration_index = conf_index};
    CHECK(core_decode_configuration(conf, &m.configuration)); /* its memory moves to the core */
    return m;
}

void core_snapshot_persisted(struct raft_core *c, uint64_t index, uint64_t term, uint64_t conf_index, struct slice conf,
                             uint64_t now_ms)
{
    struct raft_event event = {.type = RAFT_PERSISTED_SNAPSHOT};
    event.persisted_snapshot.metadata = metadata_of(index, term, conf_index, conf);
    event.persisted_snapshot.last = true;
    core_must_step(c, &event, now_ms, "persisted snapshot");
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
    core_must_step(c, &event, now_ms, "snapshot");
}

void core_configuration(struct raft_core *c, uint64_t index, struct slice conf, uint64_t now_ms)
{
    struct raft_event event = {.type = RAFT_CONFIGURATION};
    event.configuration.index = index;
    CHECK(core_decode_configuration(conf, &event.configuration.conf));
    core_must_step(c, &event, now_ms, "configuration");
}

int core_transfer(struct raft_core *c, uint8_t node, uint64_t now_ms)
{
    if (raft_state(&c->raft) != RAFT_LEADER || raft_transferee(&c->raft)) return ERR_NOT_LEADER;
    struct raft_event event = {.type = RAFT_TRANSFER};
    event.transfer.server_id = node;
    return core_step(c, &event, now_ms) ? ERR_BUSY : 0;
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
