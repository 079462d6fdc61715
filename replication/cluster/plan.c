/* Where replicas should go when members come and go. */
#include <string.h>

#include "replication/cluster/placement.h"

enum { NODES = 64 };

static bool has(const struct group_placement *g, uint8_t node)
{
    for (uint32_t i = 0; i < g->count; i++)
        if (g->nodes[i] == node) return true;
    return false;
}

static uint32_t load_of(const struct placement_plan *p, uint8_t node)
{
    uint32_t load = 0;
    for (uint32_t g = 1; g < p->group_count; g++) load += has(&p->groups[g], node);
    return load;
}

/* Replicas of the group in the node's zone, not counting the one at `except`. */
static uint32_t neighbours(const struct placement_plan *p, const struct group_placement *g, uint8_t node,
                           uint32_t except)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < g->count; i++)
        count += i != except && p->zone[node] && p->zone[g->nodes[i]] == p->zone[node];
    return count;
}

/* Who should take the place `at` (its holder does not count): zones first, then the one with the least; 0: nobody. */
static uint8_t best_for(const struct placement_plan *p, const struct group_placement *g, uint32_t at)
{
    uint8_t best = 0;
    uint32_t best_neighbours = 0, best_load = 0;
    for (uint8_t node = 1; node < NODES; node++) {
        if (!p->eligible[node] || !p->here[node] || has(g, node)) continue;
        uint32_t near = neighbours(p, g, node, at), load = load_of(p, node);
        if (best && (near > best_neighbours || (near == best_neighbours && load >= best_load))) continue;
        best = node;
        best_neighbours = near;
        best_load = load;
    }
    return best;
}

static uint32_t eligible_count(const struct placement_plan *p)
{
    uint32_t count = 0;
    for (uint8_t node = 1; node < NODES; node++) count += p->eligible[node];
    return count;
}

static void remove_at(struct group_placement *g, uint32_t at)
{
    memmove(g->nodes + at, g->nodes + at + 1, --g->count - at);
}

/* Everybody, in the order in which they came. */
static bool fix_meta(const struct placement_plan *p, struct group_placement *to)
{
    *to = p->groups[0];
    for (uint32_t i = to->count; i-- > 0;)
        if (!p->meta[to->nodes[i] & (NODES - 1)]) remove_at(to, i);
    for (uint8_t node = 1; node < NODES && to->count < GROUP_MEMBERS_MAX; node++)
        if (p->eligible[node] && p->here[node] && !has(to, node)) to->nodes[to->count++] = node;
    return to->count && (to->count != p->groups[0].count || memcmp(to->nodes, p->groups[0].nodes, to->count) != 0);
}

static bool fix_group(const struct placement_plan *p, uint32_t group, struct group_placement *to)
{
    uint32_t wanted = eligible_count(p);
    if (wanted > p->replicas) wanted = p->replicas;
    *to = p->groups[group];
    for (uint32_t i = to->count; i-- > 0;) {
        if (p->eligible[to->nodes[i] & (NODES - 1)]) continue;
        uint8_t node = best_for(p, to, i);
        if (node) to->nodes[i] = node;
        else remove_at(to, i);
        return to->count > 0;
    }
    if (to->count < wanted) {
        uint8_t node = best_for(p, to, to->count);
        to->nodes[to->count++] = node;
        return node != 0;
    }
    if (to->count > wanted && wanted) {
        to->count--;
        return true;
    }
    return false;
}

/* A replica in the zone of another one, though a zone without one is there. */
static bool spread_zones(const struct placement_plan *p, uint32_t group, struct group_placement *to)
{
    *to = p->groups[group];
    for (uint32_t i = to->count; i-- > 0;) {
        uint8_t node = best_for(p, to, i);
        if (!node || neighbours(p, to, node, i) >= neighbours(p, to, to->nodes[i], i)) continue;
        to->nodes[i] = node;
        return true;
    }
    return false;
}

static bool even_out(const struct placement_plan *p, uint32_t *group, struct group_placement *to)
{
    uint8_t most = 0, least = 0;
    for (uint8_t node = 1; node < NODES; node++) {
        if (!p->eligible[node]) continue;
        if (!most || load_of(p, node) > load_of(p, most)) most = node;
        if (p->here[node] && (!least || load_of(p, node) < load_of(p, least))) least = node;
    }
    if (!most || !least || load_of(p, most) < load_of(p, least) + 2) return false;
    for (uint32_t g = 1; g < p->group_count; g++) {
        *to = p->groups[g];
        if (!has(to, most) || has(to, least)) continue;
        for (uint32_t i = 0; i < to->count; i++) {
            if (to->nodes[i] != most || neighbours(p, to, least, i) > neighbours(p, to, most, i)) continue;
            to->nodes[i] = least;
            *group = g;
            return true;
        }
    }
    return false;
}

static bool even_out_first_places(const struct placement_plan *p, uint32_t *group, struct group_placement *to)
{
    uint32_t first[NODES] = {0};
    for (uint32_t g = 1; g < p->group_count; g++)
        if (p->groups[g].count) first[p->groups[g].nodes[0] & (NODES - 1)]++;
    for (uint32_t g = 1; g < p->group_count; g++) {
        *to = p->groups[g];
        for (uint32_t i = 1; i < to->count; i++) {
            if (first[to->nodes[0]] < first[to->nodes[i]] + 2) continue;
            uint8_t node = to->nodes[i];
            to->nodes[i] = to->nodes[0];
            to->nodes[0] = node;
            *group = g;
            return true;
        }
    }
    return false;
}

bool placement_next_change(const struct placement_plan *p, uint32_t *group, struct group_placement *to)
{
    *group = 0;
    if (!eligible_count(p)) return false;
    if (fix_meta(p, to)) return true;
    for (*group = 1; *group < p->group_count; ++*group)
        if (fix_group(p, *group, to)) return true;
    for (*group = 1; *group < p->group_count; ++*group)
        if (spread_zones(p, *group, to)) return true;
    return even_out(p, group, to) || even_out_first_places(p, group, to);
}
