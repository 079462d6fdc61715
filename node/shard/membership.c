/* The members, as the shard's links and leaderships follow them. The topology is each shard's own copy. */
#include "node/shard/shard_internal.h"
#include "router/members.h"

enum { JOIN_AGAIN_MS = 5000 /* a change that was asked for and shows no effect is asked for again */ };

static const struct member *member_of(const struct shard *s, uint8_t node)
{
    return topology_member(s->topology, node);
}

static void follow_member(struct shard *s, uint8_t node)
{
    const struct member *m = member_of(s, node);
    if (m->state == MEMBER_GONE) {
        char why[160];
        snprintf(why, sizeof why, "node %u was removed from the cluster; its number is not used again", node);
        if (link_has_peer(s->links, node)) link_remove_peer(s->links, node, why);
        return;
    }
    if (m->state == MEMBER_UNKNOWN) return;
    if (!link_has_peer(s->links, node) && *m->address) link_add_peer(s->links, node, m->address);
    link_expect(s->links, node, m->data_id);
}

/* Who proved the secret and asked to join becomes a member; refused, it is cut off. */
static void take_in(struct shard *s, uint8_t node)
{
    const uint8_t *data_id = link_peer_data_id(s->links, node);
    bool strange = member_of(s, node)->state == MEMBER_UNKNOWN && link_up(s->links, node) && data_id;
    if (!strange || s->now_ms < s->join_again_ms[node]) return;
    s->join_again_ms[node] = s->now_ms + JOIN_AGAIN_MS;
    struct topology_command c =
        member_tell_command(node, slice_str(shard_node_name(s, node)), slice_str(link_peer_address(s->links, node)),
                            (struct slice){0}, slice_of(data_id, MEMBER_DATA_ID_SIZE));
    c.group = link_peer_level(s->links, node);
    logger_printf(s->settings->logger, LOG_INFO, s->id, "member asks_to_join node=%u address=%s", node,
                  link_peer_address(s->links, node));
    broker_change(s->broker, &c, NULL, NULL);
}

static bool knows_members(const struct shard *s)
{
    return topology_members_seeded(s->topology);
}

void membership_second(struct shard *s)
{
    struct group *meta = s->groups[0].group;
    if (s->id == 0 && meta && group_has_voter(meta, s->settings->node)) node_serve(s);
    if (s->id == 0 && member_of(s, s->settings->node)->state == MEMBER_GONE) node_removed(s);
    if (!s->links || s->links_closed) return;
    link_set_open(s->links, !knows_members(s));
    link_demand_level(s->links, topology_level(s->topology));
    for (uint8_t node = 1; node < MEMBERS_MAX; node++) {
        if (node == s->settings->node) continue;
        if (s->id == 0 && knows_members(s)) take_in(s, node);
        follow_member(s, node);
    }
}

bool shard_drains(const struct shard *s)
{
    uint8_t state = member_of(s, s->settings->node)->state;
    return state == MEMBER_DRAINING || state == MEMBER_LEAVING || state == MEMBER_GONE;
}

uint32_t shard_members(const struct shard *s, uint8_t nodes[static 64])
{
    uint32_t count = 0;
    for (uint8_t node = 1; node < MEMBERS_MAX; node++) {
        uint8_t state = member_of(s, node)->state;
        if (state != MEMBER_UNKNOWN && state != MEMBER_GONE) nodes[count++] = node;
    }
    if (count) return count;
    const struct placement *p = &s->settings->placement;
    memcpy(nodes, p->nodes, p->node_count);
    if (!p->node_count) nodes[0] = s->settings->node;
    return p->node_count ? p->node_count : 1;
}
