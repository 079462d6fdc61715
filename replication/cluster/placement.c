#include "replication/cluster/placement.h"

uint32_t placement_members(const struct placement *p, uint32_t group, struct group_member *members)
{
    uint32_t wanted = group == 0 ? p->node_count : p->replicas;
    if (!p->node_count || group >= p->group_count - p->spare_count) return 0;
    uint32_t first = group == 0 ? 0 : (group - 1) % p->node_count;
    if (wanted > p->node_count) wanted = p->node_count;
    if (wanted > GROUP_MEMBERS_MAX) wanted = GROUP_MEMBERS_MAX;
    for (uint32_t i = 0; i < wanted; i++)
        members[i] = (struct group_member){.node = p->nodes[(first + i) % p->node_count], .role = GROUP_VOTER};
    return wanted;
}

bool placement_holds(const struct placement *p, uint32_t group, uint8_t node)
{
    struct group_member members[GROUP_MEMBERS_MAX];
    uint32_t count = placement_members(p, group, members);
    for (uint32_t i = 0; i < count; i++)
        if (members[i].node == node) return true;
    return false;
}

uint8_t placement_preferred_leader(const struct placement *p, uint32_t group)
{
    struct group_member members[GROUP_MEMBERS_MAX];
    return placement_members(p, group, members) ? members[0].node : 0;
}
