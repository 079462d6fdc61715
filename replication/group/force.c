/* When most of a group's members are lost for good: what is left here goes on alone, by a person's decision. */
#include "base/check.h"
#include "replication/group/group_internal.h"

enum { FORCE_TERM_LEAP = 1000 /* above any term that a member who is not asked may have reached */ };

uint64_t group_force_alone(struct log *log, struct store *store, uint32_t id, uint8_t node, uint64_t *index)
{
    const struct group_member alone = {.node = node, .role = GROUP_VOTER};
    struct log_group_state state;
    struct store_manifest m;
    struct buf conf = {0};
    store_manifest(store, &m);
    log_group_state(log, id, &state);
    if (state.last_index < m.index) { /* as a start would do */
        log_append_snapshot(log, id, m.index, m.term);
        log_group_state(log, id, &state);
    }
    *index = 0;
    if (state.last_index < state.first_index && !m.index) return 0; /* nothing is here */
    uint64_t last_term = state.last_index > m.index ? log_entry_term(log, id, state.last_index) : m.term;
    core_configuration_encode(&alone, 1, &conf);
    struct blob *blob = blob_copy(conf.data, conf.size);
    struct entry *e = entry_from_blob(ENTRY_CHANGE, state.last_index + 1, last_term, blob, 0, blob->size);
    log_append_vote(log, id, state.term + FORCE_TERM_LEAP, 0);
    uint64_t lsn = log_append_entry(log, id, e);
    *index = e->index;
    entry_unref(e);
    blob_unref(blob);
    buf_close(&conf);
    return lsn;
}
