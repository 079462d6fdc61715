/* Replay: rebuilds votes and trails from records in their order.
 *
 * The oldest files may be gone: nothing of what they held is needed, and a record in a file that is left says so (a
 * trim, a snapshot, or an entry in the place of others). Until that record is read, entries are missing before those
 * that are there; when all was read none may be. */
#include "replication/log/log_internal.h"

struct replay {
    uint64_t base; /* entries from here on are wanted; those from here to the trail's first are missing */
    bool known;    /* the trail's last entry is the group's; else some may have been in a file that is gone */
};

/* False: no group was ever in such a state. */
static bool read_state(struct reader *in, struct log_group_state *s)
{
    s->term = reader_le64(in);
    s->voted_for = reader_le64(in);
    s->snapshot_index = reader_le64(in);
    s->snapshot_term = reader_le64(in);
    s->first_index = reader_le64(in);
    s->last_index = s->first_index - 1;
    return s->first_index >= 1 && s->last_index <= s->snapshot_index && s->snapshot_index < LOG_INDEX_MAX;
}

struct replay *replay_create(struct log *l, struct slice states)
{
    struct replay *replays = mem_zalloc(l->params.group_count * sizeof *replays);
    struct reader in = reader_of(states);
    for (uint32_t g = 0; g < l->params.group_count; g++) {
        struct log_group_state s;
        if (!read_state(&in, &s)) {
            replay_destroy(replays);
            return NULL;
        }
        l->trails[g].state = s;
        replays[g].base = s.first_index;
    }
    return replays;
}

bool replay_agrees(const struct log *l, const struct replay *replays, struct slice states)
{
    struct reader in = reader_of(states);
    for (uint32_t g = 0; g < l->params.group_count; g++) {
        const struct log_group_state *is = &l->trails[g].state;
        struct log_group_state said;
        if (!read_state(&in, &said) || said.term != is->term || said.voted_for != is->voted_for ||
            said.snapshot_index != is->snapshot_index || said.snapshot_term != is->snapshot_term ||
            said.first_index != replays[g].base)
            return false;
    }
    return true;
}

void replay_destroy(struct replay *r)
{
    mem_free(r);
}

/* No entry is left, and the next one is `first`. */
static void restart_trail(struct log *l, uint32_t group, uint64_t first)
{
    struct log_group_state *s = &l->trails[group].state;
    trail_cut_from(l, group, s->first_index);
    s->first_index = first;
    s->last_index = first - 1;
}

static bool take_entry(struct log *l, struct replay *p, const struct record *r)
{
    struct log_group_state *s = &l->trails[r->group].state;
    if (r->index < p->base || (p->known && r->index > s->last_index + 1)) return false;
    if (r->index < s->first_index || r->index > s->last_index + 1) restart_trail(l, r->group, r->index);
    trail_cut_from(l, r->group, r->index);
    trail_append(l, r->group, r->index, r->term, r->type, r->lsn, r->size, NULL);
    p->known = true;
    return true;
}

static bool take_trim(struct log *l, struct replay *p, const struct record *r, struct slice payload)
{
    struct log_group_state *s = &l->trails[r->group].state;
    struct reader in = reader_of(payload);
    uint64_t keep_from = reader_le64(&in);
    if (in.failed || keep_from < p->base || keep_from > r->index + 1 || (p->known && keep_from > s->last_index + 1))
        return false;
    p->base = keep_from;
    if (keep_from > s->last_index) restart_trail(l, r->group, keep_from);
    else trail_cut_before(l, r->group, keep_from);
    s->snapshot_index = r->index;
    s->snapshot_term = r->term;
    return true;
}

static bool take_snapshot(struct log *l, struct replay *p, const struct record *r)
{
    struct log_group_state *s = &l->trails[r->group].state;
    restart_trail(l, r->group, r->index + 1);
    s->snapshot_index = r->index;
    s->snapshot_term = r->term;
    *p = (struct replay){.base = r->index + 1, .known = true};
    return true;
}

bool replay_take(struct log *l, struct replay *replays, const struct record *r, struct slice payload)
{
    if (r->kind == RECORD_FRAME) return true;
    if (r->group >= l->params.group_count) return false;
    if (r->kind != RECORD_VOTE && r->index >= LOG_INDEX_MAX) return false;
    struct replay *p = &replays[r->group];
    struct log_group_state *s = &l->trails[r->group].state;
    switch (r->kind) {
    case RECORD_ENTRY:
        return take_entry(l, p, r);
    case RECORD_TRIM:
        return take_trim(l, p, r, payload);
    case RECORD_SNAPSHOT:
        return take_snapshot(l, p, r);
    case RECORD_VOTE:
        s->term = r->term;
        s->voted_for = r->index;
        return true;
    default:
        return false;
    }
}

int replay_finish(const struct log *l, const struct replay *replays, struct err *err)
{
    for (uint32_t g = 0; g < l->params.group_count; g++) {
        uint64_t first = l->trails[g].state.first_index;
        if (replays[g].base < first)
            return (int)err_set(err, ERR_CORRUPT,
                                "group %u: entries %llu to %llu are missing, and nothing says that they may be: a file "
                                "is gone",
                                g, (unsigned long long)replays[g].base, (unsigned long long)first - 1);
    }
    return 0;
}
