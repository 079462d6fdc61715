/* --replicas: the product's own controller of membership runs (node/broker/membership.c), queues want different numbers
 * of replicas, so that spare groups begin, and operators order replicas and leaders to and fro. At rest every group
 * must be where placement says. */
#include "router/members.h"
#include "tests/sim/sim.h"

enum { ORDER_ONE_IN = 700 /* milliseconds, about */ };

void controlled_setup(struct world *w)
{
    w->placement.spare_count = SIM_SPARE_GROUPS;
    if (!w->options.replicas) return;
    w->placement.node_count = SIM_NODES_MAX;
    for (uint8_t i = 0; i < SIM_NODES_MAX; i++) w->placement.nodes[i] = (uint8_t)(i + 1);
}

void controlled_params(struct sim_node *n, struct broker_params *params)
{
    static const char *const nowhere[64];
    if (!n->w->options.replicas) return;
    n->data_id[0] = n->id;
    n->membership = (struct membership_params){.name = "",
                                               .address = "",
                                               .zone = n->id % 2 ? "left" : "right",
                                               .tags = "",
                                               .placement_tag = "",
                                               .data_id = n->data_id,
                                               .level = LEVEL_NOW,
                                               .founding = &n->w->placement,
                                               .addresses = nowhere};
    params->membership = &n->membership;
}

uint32_t controlled_replicas_wanted(const struct world *w, unsigned queue)
{
    static const uint32_t wanted[] = {0, 5, 1, 0};
    return w->options.replicas ? wanted[queue % 4] : 0;
}

static struct sim_node *meta_leader(const struct world *w)
{
    for (uint8_t node = 1; node <= w->node_count; node++) {
        struct group_status s;
        if (!node_alive(w->nodes[node]) || !node_group(w->nodes[node], 0)) continue;
        group_status(node_group(w->nodes[node], 0), &s);
        if (s.leads) return w->nodes[node];
    }
    return NULL;
}

void controlled_orders(struct world *w)
{
    if (!w->options.replicas || random_below(&w->random, ORDER_ONE_IN)) return;
    uint32_t group = 1 + (uint32_t)random_below(&w->random, SIM_GROUPS - 1);
    uint8_t node = (uint8_t)(1 + random_below(&w->random, w->node_count));
    uint64_t what = random_below(&w->random, 4);
    struct sim_node *n = meta_leader(w);
    if (!n || !topology_group_is_there(n->topology, group)) return;
    struct topology_command c = what == 0   ? members_add_replica_command(group, node)
                                : what == 1 ? members_remove_replica_command(group, node)
                                : what == 2 ? members_lead_command(group, node)
                                            : members_count_replicas_command(group, node % 4);
    world_say(w, "order %u: group %u node %u", (unsigned)what, group, node);
    broker_change(n->broker, &c, NULL, NULL);
    w->changes++;
}

bool controlled_at_rest(const struct world *w)
{
    struct sim_node *n = meta_leader(w);
    return !w->options.replicas || (n && broker_settled(n->broker));
}

void controlled_compare(struct world *w, uint32_t group, const struct group_status *leads)
{
    struct sim_node *n = meta_leader(w);
    if (!w->options.replicas || !n) return;
    const struct placed *p = topology_placed(n->topology, group);
    const struct placement_order *o = topology_order(n->topology, group);
    bool same = p->count == leads->member_count;
    for (uint32_t i = 0; i < leads->member_count && same; i++)
        same = leads->members[i].role == GROUP_VOTER && memchr(p->nodes, leads->members[i].node, p->count);
    if (!same) world_fail(w, "at rest, group %u has other members than it should", group);
    for (uint32_t i = 0; i < p->count && group; i++)
        if (o->without >> p->nodes[i] & 1)
            world_fail(w, "at rest, group %u has a replica on node %u, against orders", group, p->nodes[i]);
}
