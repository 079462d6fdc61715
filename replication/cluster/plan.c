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

static const struct group_want *want_of(const struct placement_plan *p, uint32_t group)
{
    static const struct group_want usual;
    return p->wants ? &p->wants[group] : &usual;
}

static bool has_bit(uint64_t nodes, uint8_t node)
{
    return nodes >> (node & (NODES - 1)) & 1;
}

/* Replicas of the group may be on the node. */
static bool fits(const struct placement_plan *p, uint32_t group, uint8_t node)
{
    return p->eligible[node & (NODES - 1)] && !has_bit(want_of(p, group)->without, node);
}

static bool is_pinned(const struct placement_plan *p, uint32_t group, uint8_t node)
{
    return fits(p, group, node) && has_bit(want_of(p, group)->with, node);
}

/* Replicas of the group in the node's zone, not counting the one at `except`. */
static uint32_t neighbours(const struct placement_plan *p, uint32_t group, const struct group_placement *g,
                           uint8_t node, uint32_t except)
{
    const uint8_t *zone = want_of(p, group)->zone ? want_of(p, group)->zone : p->zone;
    uint32_t count = 0;
    for (uint32_t i = 0; i < g->count; i++) count += i != except && zone[node] && zone[g->nodes[i]] == zone[node];
    return count;
}

/* Who should take the place `at` (its holder does not count): who must have one, then zones, then the one with the
 * least; 0: nobody. */
static uint8_t best_for(const struct placement_plan *p, uint32_t group, const struct group_placement *g, uint32_t at)
{
    uint8_t best = 0;
    uint32_t best_neighbours = 0, best_load = 0;
    for (uint8_t node = 1; node < NODES; node++) {
        if (!fits(p, group, node) || !p->here[node] || has(g, node)) continue;
        bool better = best && is_pinned(p, group, node) && !is_pinned(p, group, best);
        bool worse = best && is_pinned(p, group, best) && !is_pinned(p, group, node);
        uint32_t near = neighbours(p, group, g, node, at), load = load_of(p, node);
        worse |= near > best_neighbours || (near == best_neighbours && load >= best_load);
        if (best && worse && !better) continue;
        best = node;
        best_neighbours = near;
        best_load = load;
    }
    return best;
}

/* Which replica can be spared: none that must be there, rather not the first, the most crowded zone and node. */
static int worst_of(const struct placement_plan *p, uint32_t group, const struct group_placement *g)
{
    int worst = -1;
    uint32_t worst_neighbours = 0, worst_load = 0;
    for (uint32_t i = g->count; i-- > 0;) {
        if (is_pinned(p, group, g->nodes[i]) || (i == 0 && worst >= 0)) continue;
        uint32_t near = neighbours(p, group, g, g->nodes[i], i), load = load_of(p, g->nodes[i]);
        if (worst >= 0 && (near < worst_neighbours || (near == worst_neighbours && load <= worst_load))) continue;
        worst = (int)i;
        worst_neighbours = near;
        worst_load = load;
    }
    return worst;
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

uint32_t placement_wanted(const struct placement_plan *p, uint32_t group)
{
    uint32_t wanted = want_of(p, group)->count ? want_of(p, group)->count : p->replicas;
    return wanted < GROUP_MEMBERS_MAX ? wanted : GROUP_MEMBERS_MAX;
}

/* Of the wanted replicas, those that there are nodes for; one at least. */
static uint32_t possible(const struct placement_plan *p, uint32_t group)
{
    uint32_t nodes = 0, wanted = placement_wanted(p, group);
    for (uint8_t node = 1; node < NODES; node++) nodes += fits(p, group, node);
    if (nodes > wanted) nodes = wanted;
    return nodes ? nodes : 1;
}

static bool replace_strangers(const struct placement_plan *p, uint32_t group, struct group_placement *to)
{
    for (uint32_t i = to->count; i-- > 0;) {
        if (fits(p, group, to->nodes[i])) continue;
        uint8_t node = to->count > possible(p, group) ? 0 : best_for(p, group, to, i);
        if (node) to->nodes[i] = node;
        else remove_at(to, i);
        return to->count > 0;
    }
    return false;
}

/* A replica where one must be, for one that need not be where it is. */
static bool fetch_pinned(const struct placement_plan *p, uint32_t group, struct group_placement *to)
{
    int at = worst_of(p, group, to);
    uint8_t node = at < 0 ? 0 : best_for(p, group, to, (uint32_t)at);
    if (!node || !is_pinned(p, group, node)) return false;
    to->nodes[at] = node;
    return true;
}

static bool fix_group(const struct placement_plan *p, uint32_t group, struct group_placement *to)
{
    *to = p->groups[group];
    uint32_t wanted = possible(p, group);
    for (uint32_t i = 0; i < to->count; i++)
        if (!fits(p, group, to->nodes[i])) return replace_strangers(p, group, to);
    if (to->count < wanted) {
        uint8_t node = best_for(p, group, to, to->count);
        to->nodes[to->count++] = node;
        return node != 0;
    }
    if (fetch_pinned(p, group, to)) return true;
    if (to->count > wanted) {
        int at = worst_of(p, group, to);
        if (at >= 0) remove_at(to, (uint32_t)at);
        return at >= 0;
    }
    return false;
}

/* A spare group begins where it is wanted, with as many replicas as there are nodes in touch. */
static bool give_birth(const struct placement_plan *p, uint32_t group, struct group_placement *to)
{
    *to = (struct group_placement){0};
    if (p->groups[group].count || !want_of(p, group)->born) return false;
    for (uint32_t wanted = possible(p, group); to->count < wanted;) {
        uint8_t node = best_for(p, group, to, to->count);
        if (!node) break;
        to->nodes[to->count++] = node;
    }
    return to->count > 0;
}

/* A replica in the zone of another one, though a zone without one is there. */
static bool spread_zones(const struct placement_plan *p, uint32_t group, struct group_placement *to)
{
    *to = p->groups[group];
    for (uint32_t i = to->count; i-- > 0;) {
        if (is_pinned(p, group, to->nodes[i])) continue;
        uint8_t node = best_for(p, group, to, i);
        if (!node || neighbours(p, group, to, node, i) >= neighbours(p, group, to, to->nodes[i], i)) continue;
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
        if (!has(to, most) || has(to, least) || is_pinned(p, g, most) || !fits(p, g, least)) continue;
        for (uint32_t i = 0; i < to->count; i++) {
            if (to->nodes[i] != most || neighbours(p, g, to, least, i) > neighbours(p, g, to, most, i)) continue;
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
        if (give_birth(p, *group, to)) return true;
    for (*group = 1; *group < p->group_count; ++*group)
        if (p->groups[*group].count && fix_group(p, *group, to)) return true;
    for (*group = 1; *group < p->group_count; ++*group)
        if (p->groups[*group].count && spread_zones(p, *group, to)) return true;
    return even_out(p, group, to) || even_out_first_places(p, group, to);
}
