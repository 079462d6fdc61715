/* What a stop of this node, or the loss of another one for good, would cost. */
#include "node/shard/shard_internal.h"
#include "router/members.h"

uint32_t shard_replicas(struct shard *s, uint32_t group, uint8_t nodes[static GROUP_MEMBERS_MAX])
{
    const struct placed *placed = topology_placed(s->topology, group);
    struct group_member members[GROUP_MEMBERS_MAX];
    uint32_t count = placed->count;
    for (uint32_t i = 0; i < count && i < GROUP_MEMBERS_MAX; i++) nodes[i] = placed->nodes[i];
    if (count) return count;
    count = placement_members(&s->settings->placement, group, members); /* not written down yet */
    for (uint32_t i = 0; i < count; i++) nodes[i] = members[i].node;
    return count;
}

struct count {
    uint8_t node;
    uint32_t critical, stuck;
};

/* Until its election timeout is over a leader does not know that it has lost its majority. */
static bool leads_a_minority(struct shard *s, uint32_t group)
{
    const struct group *g = s->groups[group].group;
    uint32_t voters = 0, up = 0;
    if (!g || broker_leader(s->broker, group) != s->settings->node) return false;
    for (unsigned node = 1; node < BROKER_NODES_MAX; node++) {
        if (!group_has_voter(g, (uint8_t)node)) continue;
        voters++;
        up += shard_peer_connected(s, (uint8_t)node);
    }
    return up < voters / 2 + 1;
}

/* Only the shard that has a group knows whom its replicas are linked to. */
static void look(struct shard *s, void *arg)
{
    struct count *c = arg;
    for (uint32_t group = s->id; group < s->settings->placement.group_count; group += s->settings->shard_count) {
        uint8_t nodes[GROUP_MEMBERS_MAX];
        uint32_t count = shard_replicas(s, group, nodes), up = 0;
        bool member = false;
        for (uint32_t i = 0; i < count; i++) {
            up += shard_peer_connected(s, nodes[i]);
            member |= nodes[i] == c->node;
        }
        if (!member) continue;
        c->critical += count > 1 && up < count / 2 + 2; /* one more than the majority is needed */
        /* Not by counting places: a recovered group has fewer members. */
        c->stuck += !broker_leader(s->broker, group) || leads_a_minority(s, group);
    }
}

static struct count look_at(struct node *n, uint8_t node)
{
    struct count c = {.node = node};
    for (uint16_t id = 0; id < node_settings(n)->shard_count; id++) shard_call_any(node_shard(n, id), look, &c);
    return c;
}

uint32_t node_critical_groups(struct node *n)
{
    return look_at(n, node_settings(n)->node).critical;
}

uint32_t node_stuck_groups(struct node *n, uint8_t node)
{
    return look_at(n, node).stuck;
}
