/* What the configuration says of a new cluster, written down in the topology by its first leader. */
#include "node/broker/broker_internal.h"
#include "router/members.h"

static void write_members(struct broker *b, const struct membership_params *p)
{
    struct slice none = {0};
    for (uint32_t i = 0; i < p->founding->node_count; i++) {
        uint8_t node = p->founding->nodes[i];
        const char *address = p->addresses[node];
        if (topology_member(b->params.topology, node)->state != MEMBER_UNKNOWN) continue;
        struct topology_command c = member_tell_command(node, none, slice_str(address ? address : ""), none, none);
        question_housekeeping(b, &c);
    }
}

static void write_placement(struct broker *b, const struct membership_params *p)
{
    for (uint32_t g = 0; g < b->params.group_count; g++) {
        struct group_member members[GROUP_MEMBERS_MAX];
        struct placed placed = {.count = (uint8_t)placement_members(p->founding, g, members)};
        if (topology_placed(b->params.topology, g)->count || !placed.count) continue;
        for (uint32_t i = 0; i < placed.count; i++) placed.nodes[i] = members[i].node;
        struct topology_command c = members_place_command(g, &placed);
        question_housekeeping(b, &c);
    }
}

bool founding_write_down(struct broker *b, const struct membership_params *p)
{
    bool seeded = topology_members_seeded(b->params.topology);
    if (seeded && topology_usual_replicas(b->params.topology) == p->founding->replicas) return false;
    if (!seeded && !p->founding->node_count) return false;
    if (!seeded) {
        write_members(b, p);
        write_placement(b, p);
    }
    struct topology_command c = members_seeded_command(p->founding->replicas); /* or it was configured anew */
    question_housekeeping(b, &c);
    return true;
}
