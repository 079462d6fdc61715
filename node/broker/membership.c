/* Membership: the leader of the meta group compares where replicas are with where they belong, and gives the groups'
 * leaders the next step, one at a time per group. It keeps no state of its own: what is wanted stands in the topology
 * (router/members.h), what is comes as reports every second, so any meta leader goes on where the last one stopped.
 *
 *     wanted, not there: ADD as a standby .. it catches up .. PROMOTE       there, not wanted: REMOVE (a leader hands over first)
 *
 * Replicas are removed when all that are wanted are voters, so their number does not fall on the way. */
#include "node/broker/broker_internal.h"
#include "router/members.h"

enum {
    MEMBERSHIP_EVERY_MS = 500,
    MEMBERSHIP_AGAIN_MS = 3000, /* a command that shows no effect is given again */
    MEMBERSHIP_REPORT_OLD_MS = 5000,
    MEMBERSHIP_MOVES_MAX = 2, /* groups whose replicas move at once; cluster.transfer_rate is per group */
};
enum group_order { ORDER_ADD, ORDER_PROMOTE, ORDER_REMOVE, ORDER_HAND_OVER };

struct report {
    uint64_t heard_ms; /* 0: never */
    uint64_t term, configuration;
    uint8_t leader;
    bool changing;
    uint32_t count;
    struct {
        uint8_t node, role;
        bool near;
    } members[GROUP_MEMBERS_MAX];
};

struct membership {
    const struct membership_params *params;
    uint64_t next_ms, seed_ms, tell_ms, plan_ms, level_ms;
    struct report *reports; /* by group; shard 0 */
    struct wanted *wanted;
    bool settled;           /* nothing moves, and the plan wants nothing else */
    uint32_t moves_open;    /* groups that are not yet where they belong */
    uint32_t moves_running; /* of them, those whose new places can be filled */
};

void membership_open(struct broker *b)
{
    if (!b->params.membership) return;
    b->membership = mem_zalloc(sizeof *b->membership);
    b->membership->params = b->params.membership;
    b->membership->reports = mem_zalloc(b->params.group_count * sizeof *b->membership->reports);
    b->membership->wanted = wanted_open(b->params.group_count);
}

void membership_close(struct broker *b)
{
    if (!b->membership) return;
    mem_free(b->membership->reports);
    wanted_close(b->membership->wanted);
    mem_free(b->membership);
}

/* --- reports --- */

static void take_report(struct broker *b, struct mail *m)
{
    struct report *r = &b->membership->reports[m->group];
    struct reader in = reader_of(part_slice(m->part));
    struct report new = {.heard_ms = b->now_ms,
                         .term = m->term,
                         .configuration = m->a,
                         .changing = m->b,
                         .leader = m->node == 0 ? b->params.node : m->node};
    if (m->term < r->term) return;
    while (reader_left(&in) && new.count < GROUP_MEMBERS_MAX) {
        new.members[new.count].node = reader_u8(&in);
        new.members[new.count].role = reader_u8(&in);
        new.members[new.count++].near = reader_u8(&in);
    }
    if (!in.failed) *r = new;
}

static void report(struct broker *b, struct host *h)
{
    struct group_status s;
    struct buf members = {0};
    group_status(h->group, &s);
    for (uint32_t i = 0; i < s.member_count; i++) {
        bool near =
            s.match_index[i] >= s.configuration_index && s.match_index[i] + GROUP_ENTRIES_IN_FLIGHT_MAX >= s.last_index;
        buf_put_u8(&members, s.members[i].node);
        buf_put_u8(&members, s.members[i].role);
        buf_put_u8(&members, near);
    }
    struct mail *m = mail_create(MAIL_GROUP_REPORT);
    m->group = h->id;
    m->term = h->term;
    m->node = b->params.node;
    m->a = s.configuration_index;
    m->b = s.changing;
    m->part = (struct part){blob_copy(members.data, members.size), 0, (uint32_t)members.size};
    buf_close(&members);
    uint8_t to = b->leaders[0].node;
    if (to != b->params.node) broker_send_mail(b, to, m);
    else membership_mail(b, m, true);
}

/* --- orders --- */

static void carry_out(struct broker *b, const struct mail *m)
{
    struct host *h = b->hosts[m->group];
    struct group_status s;
    if (!h || !h->leads || h->term != m->term) return;
    group_status(h->group, &s);
    if (m->a == ORDER_HAND_OVER) group_transfer(h->group, (uint8_t)m->b, b->now_ms);
    else if (s.configuration_index == m->port)
        group_change(h->group, (enum group_change)m->a, (uint8_t)m->b, b->now_ms);
}

static void order(struct broker *b, uint32_t group, enum group_order what, uint8_t node)
{
    const struct report *r = &b->membership->reports[group];
    struct mail *m = mail_create(MAIL_GROUP_ORDER);
    m->group = group;
    m->term = r->term;
    m->a = what;
    m->b = node;
    m->port = r->configuration;
    m->node = b->params.node;
    if (r->leader != b->params.node) broker_send_mail(b, r->leader, m);
    else membership_mail(b, m, true);
}

void membership_mail(struct broker *b, struct mail *m, bool from_sibling)
{
    uint16_t to = m->type == MAIL_GROUP_REPORT || m->group >= b->params.group_count ? 0 : shard_of_group(b, m->group);
    (void)from_sibling;
    if (m->group >= b->params.group_count || !b->membership) {
        mail_destroy(m);
    } else if (to != b->params.shard) {
        b->io->post(b->io->self, to, m);
    } else {
        if (m->type == MAIL_GROUP_REPORT) take_report(b, m);
        else carry_out(b, m);
        mail_destroy(m);
    }
}

/* --- what is wanted --- */

static void plan_placement(struct broker *b)
{
    struct membership *m = b->membership;
    uint32_t group;
    struct placed placed;
    m->settled = false;
    if (b->now_ms < m->plan_ms) return;
    if (!wanted_next_change(b, m->wanted, m->params->founding->replicas, &group, &placed)) {
        m->settled = !m->moves_open && wanted_is_current(m->wanted, b->params.topology);
        return;
    }
    bool birth = !topology_placed(b->params.topology, group)->count; /* moves nothing, and a declare waits for it */
    if (group && !birth && m->moves_running >= MEMBERSHIP_MOVES_MAX) return;
    struct topology_command c = members_place_command(group, &placed);
    question_housekeeping(b, &c);
    m->plan_ms = b->now_ms + MEMBERSHIP_EVERY_MS;
}

/* --- from what is to what is wanted --- */

static int find_member(const struct report *r, uint8_t node)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (r->members[i].node == node) return (int)i;
    return -1;
}

static bool is_placed(const struct placed *p, uint8_t node)
{
    return memchr(p->nodes, node, p->count) != NULL;
}

/* True: the group is not yet where it belongs. */
static bool step(struct broker *b, uint32_t group)
{
    const struct report *r = &b->membership->reports[group];
    const struct placed *p = topology_placed(b->params.topology, group);
    bool fresh = r->heard_ms && b->now_ms - r->heard_ms <= MEMBERSHIP_REPORT_OLD_MS;
    if (!p->count || !fresh) return !fresh;
    for (uint32_t i = 0; i < r->count && !r->changing; i++) { /* a standby that is not wanted any more */
        if (r->members[i].role == GROUP_VOTER || is_placed(p, r->members[i].node)) continue;
        order(b, group, ORDER_REMOVE, r->members[i].node);
        return true;
    }
    bool complete = true;
    for (uint32_t i = 0; i < p->count; i++) {
        int at = find_member(r, p->nodes[i]);
        if (at >= 0 && r->members[at].role == GROUP_VOTER) continue;
        complete = false;
        bool here = p->nodes[i] == b->params.node || b->io->connected(b->io->self, p->nodes[i]);
        if (r->changing) continue;
        if (at < 0 && here) order(b, group, ORDER_ADD, p->nodes[i]);
        else if (at >= 0 && r->members[at].near) order(b, group, ORDER_PROMOTE, p->nodes[i]);
        else continue;
        return true;
    }
    for (uint32_t i = 0; i < r->count && complete; i++) {
        uint8_t node = r->members[i].node;
        if (is_placed(p, node)) continue;
        if (r->changing) return true;
        if (node == r->leader) order(b, group, ORDER_HAND_OVER, p->nodes[0]);
        else order(b, group, ORDER_REMOVE, node);
        return true;
    }
    return !complete || r->changing;
}

/* A member that is gone has a place there: nothing can be done before the place is another's. */
static bool waits_for_plan(struct topology *t, uint32_t group)
{
    const struct placed *p = topology_placed(t, group);
    for (uint32_t i = 0; i < p->count; i++)
        if (topology_member(t, p->nodes[i])->state == MEMBER_GONE) return true;
    return false;
}

/* All replicas of a node that leaves are elsewhere; only the meta group's is left, so that it learns of the end. */
static void let_go(struct broker *b)
{
    for (uint8_t node = 1; node < MEMBERS_MAX; node++) {
        if (topology_member(b->params.topology, node)->state != MEMBER_LEAVING) continue;
        bool holds = false;
        for (uint32_t g = 1; g < b->params.group_count && !holds; g++) {
            if (!topology_group_is_there(b->params.topology, g)) continue;
            const struct report *r = &b->membership->reports[g];
            bool fresh = r->heard_ms && b->now_ms - r->heard_ms <= MEMBERSHIP_REPORT_OLD_MS;
            holds = !fresh || find_member(r, node) >= 0 || is_placed(topology_placed(b->params.topology, g), node);
        }
        if (holds || (b->leaders[0].node == node)) continue;
        struct topology_command c = member_state_command(node, MEMBER_GONE);
        question_housekeeping(b, &c);
    }
}

/* Every member's program knows it: from now on what came with that level may be proposed. */
static void raise_level(struct broker *b)
{
    struct membership *m = b->membership;
    uint16_t level = topology_level_of_members(b->params.topology);
    if (level <= topology_level(b->params.topology) || b->now_ms < m->level_ms) return;
    m->level_ms = b->now_ms + MEMBERSHIP_AGAIN_MS;
    struct topology_command c = members_level_command(level);
    question_housekeeping(b, &c);
}

static void control(struct broker *b)
{
    struct topology *t = b->params.topology;
    struct membership *m = b->membership;
    if (b->now_ms >= m->seed_ms && founding_write_down(b, m->params)) m->seed_ms = b->now_ms + MEMBERSHIP_AGAIN_MS;
    if (!topology_members_seeded(t)) return;
    raise_level(b);
    m->moves_open = m->moves_running = 0;
    step(b, 0);
    for (uint32_t g = 1; g < b->params.group_count; g++) {
        if (!topology_group_is_there(t, g) || !step(b, g)) continue;
        m->moves_open++;
        m->moves_running += !waits_for_plan(t, g);
    }
    wanted_look(m->wanted, t);
    plan_placement(b);
    let_go(b);
}

/* --- every node --- */

/* What the others should know of this node, when they know something else. */
static void tell_self(struct broker *b)
{
    struct membership *m = b->membership;
    const struct membership_params *p = m->params;
    const struct member *known = topology_member(b->params.topology, b->params.node);
    bool same = !strcmp(known->name, p->name) && (!*p->address || !strcmp(known->address, p->address)) &&
                !strcmp(known->zone, p->zone) && !strcmp(known->tags, p->tags) && known->level == p->level &&
                !memcmp(known->data_id, p->data_id, MEMBER_DATA_ID_SIZE);
    if (same || known->state == MEMBER_UNKNOWN || known->state == MEMBER_GONE || b->now_ms < m->tell_ms) return;
    m->tell_ms = b->now_ms + MEMBERSHIP_AGAIN_MS;
    struct topology_command c = member_tell_command(b->params.node, slice_str(p->name), slice_str(p->address),
                                                    slice_str(p->zone), slice_of(p->data_id, MEMBER_DATA_ID_SIZE));
    c.kind = slice_str(p->tags);
    c.group = p->level;
    question_housekeeping(b, &c);
}

/* The first queue of a class waits for its group. */
static bool is_waited_for(struct broker *b)
{
    const struct placement *founding = b->membership->params->founding;
    struct topology *t = b->params.topology;
    for (uint32_t g = founding->group_count - founding->spare_count; g < founding->group_count; g++)
        if (topology_class(t, g) && !topology_placed(t, g)->count) return true;
    return false;
}

static void not_in_control(struct membership *m)
{
    wanted_forget(m->wanted);
    m->settled = false;
}

void membership_tick(struct broker *b)
{
    struct membership *m = b->membership;
    if (!m || (b->now_ms < m->next_ms && !(b->hosts[0] && b->hosts[0]->leads && is_waited_for(b)))) return;
    m->next_ms = b->now_ms + MEMBERSHIP_EVERY_MS;
    for (uint32_t g = 0; g < b->params.group_count && b->leaders[0].node; g++)
        if (b->hosts[g] && b->hosts[g]->leads) report(b, b->hosts[g]);
    if (b->params.shard) return;
    if (b->hosts[0]) tell_self(b);
    if (b->hosts[0] && b->hosts[0]->leads) control(b);
    else not_in_control(m);
}

uint8_t broker_preferred_leader(const struct broker *b, uint32_t group)
{
    const struct placed *p = topology_placed(b->params.topology, group);
    uint8_t ordered = topology_order(b->params.topology, group)->leader;
    if (ordered && is_placed(p, ordered) && topology_member(b->params.topology, ordered)->state == MEMBER_IN)
        return ordered;
    for (uint32_t i = 0; i < p->count; i++)
        if (topology_member(b->params.topology, p->nodes[i])->state == MEMBER_IN) return p->nodes[i];
    bool founding = !p->count && b->membership && b->membership->params->founding->node_count;
    return founding ? placement_preferred_leader(b->membership->params->founding, group) : 0;
}

uint32_t broker_wanted_replicas(const struct broker *b, uint32_t group)
{
    return b->membership ? wanted_replicas(b->membership->wanted, group) : 0;
}

bool broker_settled(const struct broker *b)
{
    return b->membership && b->membership->settled;
}

uint32_t broker_moves_open(const struct broker *b)
{
    return b->membership ? b->membership->moves_open : 0;
}
