/* Election safety: a term has one leader, and whoever names the leader of a term names that one. */
#include "tests/sim/sim.h"

void leaders_close(struct leaders *l)
{
    for (unsigned g = 0; g < SIM_GROUPS; g++) mem_free(l->named[g]);
}

void leaders_check(struct world *w, uint8_t node, uint32_t group)
{
    struct leaders *l = &w->leaders;
    struct group_status s;
    if (group >= SIM_GROUPS || !w->nodes[node]->groups[group].group) return;
    group_status(w->nodes[node]->groups[group].group, &s);
    if (!s.leader) return;
    size_t before = l->capacity[group];
    l->named[group] = mem_grow(l->named[group], &l->capacity[group], s.term + 1, 1);
    if (l->capacity[group] > before) memset(l->named[group] + before, 0, l->capacity[group] - before);
    uint8_t *named = &l->named[group][s.term];
    if (!*named) *named = s.leader;
    if (*named != s.leader)
        world_fail(w, "group %u, term %llu: node %u names node %u as leader, others node %u", group,
                   (unsigned long long)s.term, node, s.leader, *named);
}
