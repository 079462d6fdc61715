/* Who leads each group: a table per shard. The shard of a group decides (its own replica, announcements on its links,
 * links that break) and tells its siblings by ring, so that every shard sees the same changes in the same order as the
 * mail around them. */
#include "node/broker/broker_internal.h"

static void tell_siblings(struct broker *b, uint32_t group)
{
    for (uint16_t shard = 0; shard < b->params.shard_count; shard++) {
        if (shard == b->params.shard) continue;
        struct mail *m = mail_create(MAIL_LEADER);
        m->group = group;
        m->term = b->leaders[group].term;
        m->a = b->leaders[group].node;
        b->io->post(b->io->self, shard, m);
    }
}

static void tell_ports(struct broker *b, uint32_t group)
{
    LIST_FOR_SAFE(&b->ports_of_group[group], link)
    port_hello_soon(LIST_ITEM(link, struct port, group_link));
}

void leaders_set(struct broker *b, uint32_t group, uint8_t node, uint64_t term)
{
    const struct leader *before = &b->leaders[group];
    uint64_t lost_ms = node ? 0 : before->node ? b->now_ms : before->lost_ms;
    b->leaders[group] = (struct leader){node, term, lost_ms};
    b->orphans_wanted |= !node;
    if (shard_of_group(b, group) == b->params.shard) tell_siblings(b, group);
    if (group == 0) {
        b->topology_told = 0; /* the new leader has heard nothing yet */
        b->topology_era++;
        if (node && b->params.shard == 0) topology_spread_done(b, 0, topology_index(b->params.topology));
    }
    tell_ports(b, group);
}

static void announce(struct broker *b, uint32_t group, uint8_t node)
{
    struct mail *m = mail_create(MAIL_LEADER);
    m->group = group;
    m->term = b->hosts[group]->term; /* of our own leadership: the table may know of a newer one already */
    m->a = b->params.node;
    broker_send_mail(b, node, m);
}

void leaders_announce(struct broker *b, uint8_t node)
{
    for (uint32_t group = 0; group < b->params.group_count; group++)
        if (b->hosts[group] && b->hosts[group]->leads && b->leaders[group].node == b->params.node)
            announce(b, group, node);
}

void broker_leading(struct broker *b, uint32_t group, uint64_t term, bool leads)
{
    struct host *h = b->hosts[group];
    host_leading(h, term, leads);
    if (leads) {
        leaders_set(b, group, b->params.node, term);
        for (unsigned node = 1; node < BROKER_NODES_MAX; node++)
            if (node != b->params.node && b->io->connected(b->io->self, (uint8_t)node))
                announce(b, group, (uint8_t)node);
    } else if (b->leaders[group].node == b->params.node) {
        leaders_set(b, group, 0, b->leaders[group].term);
    }
}

void leaders_heard(struct broker *b, struct mail *m)
{
    if (m->group >= b->params.group_count) return;
    bool from_sibling = m->node == b->params.node;
    const struct leader *known = &b->leaders[m->group];
    /* An old leader that does not know it yet announces a lower term; one that came back announces the same. */
    if (!from_sibling && (m->term < known->term || m->a != m->node)) return;
    leaders_set(b, m->group, (uint8_t)m->a, m->term);
}
