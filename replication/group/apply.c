/* Committed entries go to the machine, in order; the leader's effects go out after each. */
#include "base/check.h"
#include "replication/group/group_internal.h"

static void apply_change(struct group *g, const struct entry *e)
{
    struct group_member members[GROUP_MEMBERS_MAX];
    struct slice conf = e->part_count ? part_slice(e->parts[0]) : slice_of(NULL, 0);
    uint32_t count = core_configuration_decode(conf, members);
    CHECK(count > 0);
    struct group_member before[GROUP_MEMBERS_MAX];
    uint32_t before_count = g->member_count;
    memcpy(before, g->members, sizeof before);
    memcpy(g->members, members, sizeof members);
    g->member_count = count;
    g->conf_index = e->index;
    buf_clear(&g->conf);
    buf_put_slice(&g->conf, conf);
    core_configuration(g->core, e->index, conf, g->now_ms);
    change_applied(g, before, before_count);
}

static void apply_command(struct group *g, const struct entry *e)
{
    struct effects *effects = g->leading ? g->params.effects : NULL;
    g->params.machine.ops->apply(g->params.machine.self, e, effects);
    struct entry_cursor cursor;
    if (entry_cursor_init(&cursor, e) == 0 && cursor.time_ms > g->clock_ms) g->clock_ms = cursor.time_ms;
    if (effects) g->params.io->effects(g->params.io->self, g->params.id);
}

void apply_committed(struct group *g)
{
    struct err err;
    while (g->applied < g->commit && g->applied < core_last_index(g->core) && !core_installing(g->core)) {
        struct entry *e = log_entry(g->params.log, g->params.id, g->applied + 1, &err);
        if (!e) {
            note(g, 0, "apply_stopped index=%llu error=\"%s\"", (unsigned long long)g->applied + 1, err.text);
            CHECK(!"a committed entry cannot be read");
        }
        g->applied++;
        if (e->term == g->lead_term && core_state(g->core) == CORE_LEADER && e->type == ENTRY_COMMAND) {
            g->in_flight_bytes -= e->size < g->in_flight_bytes ? e->size : g->in_flight_bytes;
            figures_applied(g, e->index);
        }
        if (e->type == ENTRY_CHANGE) apply_change(g, e);
        if (e->type == ENTRY_COMMAND) apply_command(g, e);
        entry_unref(e);
    }
}
