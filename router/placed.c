/* Where groups are: their replicas' places, what operators said of them, and what spare groups are for. */
#include "router/members_internal.h"

/* --- reads --- */

static const struct placed_group *group_of(const struct topology *t, uint32_t group)
{
    static const struct placed_group none;
    return group <= t->group_count + t->spare_count ? &t->members->groups[group] : &none;
}

const struct placed *topology_placed(const struct topology *t, uint32_t group)
{
    return &group_of(t, group)->placed;
}

bool topology_group_is_there(const struct topology *t, uint32_t group)
{
    return group <= t->group_count || group_of(t, group)->placed.count;
}

bool topology_group_is_usual(const struct topology *t, uint32_t group)
{
    return group <= t->group_count;
}

uint64_t topology_founders(const struct topology *t, uint32_t group)
{
    return group_of(t, group)->founders;
}

const struct replica_wish *topology_class(const struct topology *t, uint32_t group)
{
    const struct placed_group *g = group_of(t, group);
    return g->classed ? &g->class : NULL;
}

const struct placement_order *topology_order(const struct topology *t, uint32_t group)
{
    return &group_of(t, group)->order;
}

/* --- commands --- */

struct topology_command members_place_command(uint32_t group, const struct placed *placed)
{
    return (struct topology_command){.type = TOPOLOGY_MEMBERS,
                                     .epoch = ACTION_PLACE,
                                     .group = group,
                                     .arguments = slice_of(placed->nodes, placed->count)};
}

struct topology_command members_add_replica_command(uint32_t group, uint8_t node)
{
    return (struct topology_command){
        .type = TOPOLOGY_MEMBERS, .epoch = ACTION_ADD_REPLICA, .group = group, .node = node};
}

struct topology_command members_remove_replica_command(uint32_t group, uint8_t node)
{
    return (struct topology_command){
        .type = TOPOLOGY_MEMBERS, .epoch = ACTION_REMOVE_REPLICA, .group = group, .node = node};
}

struct topology_command members_count_replicas_command(uint32_t group, uint8_t count)
{
    return (struct topology_command){
        .type = TOPOLOGY_MEMBERS, .epoch = ACTION_COUNT_REPLICAS, .group = group, .node = count};
}

struct topology_command members_lead_command(uint32_t group, uint8_t node)
{
    return (struct topology_command){.type = TOPOLOGY_MEMBERS, .epoch = ACTION_LEAD, .group = group, .node = node};
}

/* --- carrying them out --- */

static uint64_t bit(uint8_t node)
{
    return UINT64_C(1) << (node & 63);
}

static bool holds(const struct placed *p, uint8_t node)
{
    return p->count && memchr(p->nodes, node, p->count);
}

static void place(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r)
{
    if (!c->arguments.size || c->arguments.size > PLACED_MAX) {
        refuse(r, 406, "PRECONDITION_FAILED - a group has 1 to %d replicas", PLACED_MAX);
        return;
    }
    if (!change) return;
    struct placed_group *g = &t->members->groups[c->group];
    bool birth = c->group > t->group_count && !g->placed.count;
    g->placed.count = (uint8_t)c->arguments.size;
    memcpy(g->placed.nodes, c->arguments.data, g->placed.count);
    for (uint32_t i = 0; birth && i < g->placed.count; i++) g->founders |= bit(g->placed.nodes[i]);
}

static void add_replica(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r)
{
    struct placed_group *g = &t->members->groups[c->group];
    struct placement_order *o = &g->order;
    uint8_t count = o->count ? o->count : g->placed.count;
    bool there = holds(&g->placed, c->node) || (o->with & bit(c->node));
    if (c->node >= MEMBERS_MAX || !member_counts(&t->members->of[c->node])) {
        refuse(r, 404, "NOT_FOUND - node %u is no member of the cluster", c->node);
    } else if (!there && count >= PLACED_MAX) {
        refuse(r, 406, "PRECONDITION_FAILED - a group has %d replicas at most", PLACED_MAX);
    } else if (change) {
        if (!there) o->count = (uint8_t)(count + 1);
        o->with |= bit(c->node);
        o->without &= ~bit(c->node);
    }
}

static void remove_replica(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r)
{
    struct placed_group *g = &t->members->groups[c->group];
    struct placement_order *o = &g->order;
    uint8_t count = o->count ? o->count : g->placed.count;
    if (o->without & bit(c->node)) return; /* again */
    if (!holds(&g->placed, c->node) && !(o->with & bit(c->node))) {
        refuse(r, 404, "NOT_FOUND - node %u holds no replica of the group", c->node);
    } else if (count <= 1) {
        refuse(r, 406, "PRECONDITION_FAILED - the replica on node %u is the last one", c->node);
    } else if (change) {
        o->count = (uint8_t)(count - 1);
        o->with &= ~bit(c->node);
        o->without |= bit(c->node);
    }
}

static void count_replicas(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r)
{
    if (c->node > PLACED_MAX) refuse(r, 406, "PRECONDITION_FAILED - a group has %d replicas at most", PLACED_MAX);
    else if (change && c->node) t->members->groups[c->group].order.count = c->node;
    else if (change)
        t->members->groups[c->group].order =
            (struct placement_order){.leader = t->members->groups[c->group].order.leader};
}

static void lead(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r)
{
    struct placed_group *g = &t->members->groups[c->group];
    if (c->node && !holds(&g->placed, c->node))
        refuse(r, 404, "NOT_FOUND - node %u holds no replica of the group", c->node);
    else if (change) g->order.leader = c->node;
}

bool placed_change(struct topology *t, const struct topology_command *c, bool change, struct topology_result *r)
{
    static void (*const actions[])(struct topology *, const struct topology_command *, bool,
                                   struct topology_result *) = {[ACTION_PLACE] = place,
                                                                [ACTION_ADD_REPLICA] = add_replica,
                                                                [ACTION_REMOVE_REPLICA] = remove_replica,
                                                                [ACTION_COUNT_REPLICAS] = count_replicas,
                                                                [ACTION_LEAD] = lead};
    if (c->epoch < ACTION_PLACE || c->epoch > ACTION_LEAD) return false;
    bool of_queues = c->epoch != ACTION_PLACE;
    if (c->group > t->group_count + t->spare_count || (of_queues && !c->group))
        refuse(r, 406, "PRECONDITION_FAILED - no such group");
    else actions[c->epoch](t, c, change, r);
    return true;
}

void placed_classify(struct topology *t, uint32_t group, const struct replica_wish *wish)
{
    struct placed_group *g = &t->members->groups[group];
    g->classed = true;
    g->class = *wish;
    g->order = (struct placement_order){0}; /* what was said of other queues */
}

/* --- manifest --- */

void placed_encode(const struct topology *t, struct buf *b)
{
    for (uint32_t i = 0; i <= t->group_count + t->spare_count; i++) {
        const struct placed_group *g = &t->members->groups[i];
        buf_put_counted(b, slice_of(g->placed.nodes, g->placed.count));
        buf_put_u8(b, g->order.count);
        buf_put_u8(b, g->order.leader);
        buf_put_le64(b, g->order.with);
        buf_put_le64(b, g->order.without);
        if (i <= t->group_count) continue;
        buf_put_le64(b, g->founders);
        buf_put_u8(b, g->classed);
        buf_put_u8(b, g->class.count);
        buf_put_le64(b, g->class.nodes);
        buf_put_counted(b, slice_str(g->class.tag));
    }
}

static bool restore_spare(struct placed_group *g, struct reader *r)
{
    g->founders = reader_le64(r);
    uint8_t classed = reader_u8(r);
    g->classed = classed;
    g->class.count = reader_u8(r);
    g->class.nodes = reader_le64(r);
    struct slice tag = reader_counted(r);
    if (r->failed || classed > 1 || tag.size > MEMBER_TAG_MAX) return false;
    if (tag.size) memcpy(g->class.tag, tag.data, tag.size);
    return !memchr(g->class.tag, 0, tag.size);
}

bool placed_restore(struct topology *t, struct reader *r)
{
    for (uint32_t i = 0; i <= t->group_count + t->spare_count; i++) {
        struct placed_group *g = &t->members->groups[i];
        struct slice nodes = reader_counted(r);
        if (r->failed || nodes.size > PLACED_MAX) return false;
        g->placed.count = (uint8_t)nodes.size;
        if (nodes.size) memcpy(g->placed.nodes, nodes.data, nodes.size);
        g->order.count = reader_u8(r);
        g->order.leader = reader_u8(r);
        g->order.with = reader_le64(r);
        g->order.without = reader_le64(r);
        if (g->order.count > PLACED_MAX || g->order.leader >= MEMBERS_MAX ||
            (i > t->group_count && !restore_spare(g, r)))
            return false;
    }
    return !r->failed;
}
