/* How many replicas each group should have, and where: what its queues want (router/replicas.h), what operators said,
 * and the plan that follows from both. For the leader of the meta group; others do not look.
 *
 * The queues are looked at a slice at a time, again and again while the topology changes; what one round found counts
 * until the next one is complete. */
#include "node/broker/broker_internal.h"
#include "router/replicas.h"

enum { WANTED_SLICE = 4096 /* queues that one look takes */, NODES = MEMBERS_MAX };

struct found {
    bool any, usual;          /* queues were seen in the group; one that wants the usual number */
    struct replica_wish wish; /* of all of them */
};

struct wanted {
    uint32_t group_count;
    uint64_t cursor, round_index, done_index; /* topology_index() when the round began; of the last complete one */
    bool looking, done;
    struct found *seen, *counts; /* by group: in this round, in the last complete one */
    struct group_want *wants;    /* by group, for the plan */
    struct group_placement *placements;
    uint8_t (*zones)[NODES]; /* by group, where a tag makes them */
};

struct wanted *wanted_open(uint32_t group_count)
{
    struct wanted *w = mem_zalloc(sizeof *w);
    w->group_count = group_count;
    w->seen = mem_zalloc(group_count * sizeof *w->seen);
    w->counts = mem_zalloc(group_count * sizeof *w->counts);
    w->wants = mem_zalloc(group_count * sizeof *w->wants);
    w->placements = mem_zalloc(group_count * sizeof *w->placements);
    w->zones = mem_zalloc(group_count * sizeof *w->zones);
    return w;
}

void wanted_close(struct wanted *w)
{
    mem_free(w->seen);
    mem_free(w->counts);
    mem_free(w->wants);
    mem_free(w->placements);
    mem_free(w->zones);
    mem_free(w);
}

void wanted_forget(struct wanted *w)
{
    w->looking = w->done = false;
}

/* --- what queues want --- */

static void begin_round(struct wanted *w, struct topology *t)
{
    w->looking = true;
    w->cursor = 0;
    w->round_index = topology_index(t);
    memset(w->seen, 0, w->group_count * sizeof *w->seen);
}

bool wanted_is_current(const struct wanted *w, const struct topology *t)
{
    return w->done && !w->looking && w->done_index == topology_index(t);
}

void wanted_look(struct wanted *w, struct topology *t)
{
    const struct queue_record *q = NULL;
    struct replica_wish wish;
    if (wanted_is_current(w, t)) return;
    if (!w->looking) begin_round(w, t);
    for (int i = 0; i < WANTED_SLICE && (q = topology_next_queue(t, &w->cursor)); i++) {
        if (q->group >= w->group_count) continue;
        replica_wish_of_queue(t, q, &wish);
        w->seen[q->group].any = true;
        w->seen[q->group].usual |= wish.count == REPLICAS_USUAL;
        replica_wish_add(&w->seen[q->group].wish, &wish);
    }
    if (q) return;
    memcpy(w->counts, w->seen, w->group_count * sizeof *w->seen);
    w->looking = false;
    w->done = true;
    w->done_index = w->round_index;
}

/* --- what groups should have --- */

/* Nodes with equal values of the tag share a fate; without the tag a node shares with nobody. */
static void zones_of_tag(const struct topology *t, const char *tag, uint8_t zones[NODES])
{
    memset(zones, 0, NODES);
    for (uint8_t node = 1; node < NODES; node++) {
        struct slice value = member_tag(topology_member(t, node), tag);
        for (uint8_t other = 1; value.data && other <= node && !zones[node]; other++) {
            struct slice known = member_tag(topology_member(t, other), tag);
            if (known.data && slice_equal(known, value)) zones[node] = other;
        }
    }
}

static uint8_t zone_number(const struct topology *t, uint8_t node)
{
    const char *zone = topology_member(t, node)->zone;
    for (uint8_t other = 1; *zone && other <= node; other++)
        if (!strcmp(topology_member(t, other)->zone, zone)) return other;
    return 0;
}

/* Only a spare group, whose queues all say so, has fewer replicas than usual: the others are where any queue goes. */
static void fill_want(struct wanted *w, const struct topology *t, uint32_t group, uint32_t usual)
{
    struct group_want *want = &w->wants[group];
    const struct placement_order *order = topology_order(t, group);
    const struct replica_wish *wish = topology_class(t, group), none = {0};
    *want = (struct group_want){.born = wish != NULL, .with = order->with, .without = order->without};
    bool fewer = wish && (w->counts[group].any ? !w->counts[group].usual : wish->count != REPLICAS_USUAL);
    if (w->counts[group].any) wish = &w->counts[group].wish;
    else if (!wish || !group) wish = &none;
    uint32_t least = order->count ? order->count : fewer ? 1 : usual;
    want->count = (uint8_t)(wish->count > least ? wish->count : least);
    want->with |= wish->nodes & ~order->without;
    if (*wish->tag) {
        zones_of_tag(t, wish->tag, w->zones[group]);
        want->zone = w->zones[group];
    }
}

static void fill_plan(struct broker *b, struct wanted *w, struct placement_plan *plan)
{
    struct topology *t = b->params.topology;
    for (uint8_t node = 1; node < NODES; node++) {
        const struct member *member = topology_member(t, node);
        plan->eligible[node] = member_counts(member);
        plan->meta[node] = member_counts(member) || member->state == MEMBER_LEAVING;
        plan->here[node] = node == b->params.node || b->io->connected(b->io->self, node);
        plan->zone[node] = zone_number(t, node);
    }
    if (*b->params.membership->placement_tag) zones_of_tag(t, b->params.membership->placement_tag, plan->zone);
    for (uint32_t g = 0; g < plan->group_count; g++) {
        const struct placed *placed = topology_placed(t, g);
        plan->groups[g].count = placed->count;
        memcpy(plan->groups[g].nodes, placed->nodes, sizeof placed->nodes);
        fill_want(w, t, g, plan->replicas);
    }
}

/* Before all queues were looked at once, a group may seem to have more replicas than anybody wants. */
bool wanted_next_change(struct broker *b, struct wanted *w, uint32_t usual, uint32_t *group, struct placed *to)
{
    struct placement_plan plan = {
        .group_count = w->group_count, .replicas = usual, .groups = w->placements, .wants = w->wants};
    struct group_placement next;
    if (!w->done) return false;
    fill_plan(b, w, &plan);
    if (!placement_next_change(&plan, group, &next)) return false;
    *to = (struct placed){.count = next.count};
    memcpy(to->nodes, next.nodes, sizeof next.nodes);
    return true;
}

uint32_t wanted_replicas(const struct wanted *w, uint32_t group)
{
    return w->done && group < w->group_count ? w->wants[group].count : 0;
}
