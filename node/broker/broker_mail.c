/* Where mail goes: to this shard's hosts and ports, to a sibling by ring, to another node by link. */
#include "node/broker/broker_internal.h"

void broker_send_mail(struct broker *b, uint8_t node, struct mail *m)
{
    struct buf head = {0};
    m->shard = b->params.shard;
    mail_encode(m, &head);
    b->io->send(b->io->self, node, buf_slice(&head), &m->part, m->part.blob ? 1 : 0);
    buf_close(&head);
    mail_destroy(m);
}

void broker_post_to_group(struct broker *b, struct mail *m)
{
    struct leader leader = b->leaders[m->group];
    m->term = leader.term;
    m->node = b->params.node;
    m->shard = b->params.shard;
    uint16_t shard = shard_of_group(b, m->group);
    if (!leader.node) mail_destroy(m);
    else if (shard != b->params.shard) b->io->post(b->io->self, shard, m);
    else if (leader.node != b->params.node) broker_send_mail(b, leader.node, m);
    else host_mail(b->hosts[m->group], m);
}

/* Mail for a group that came by ring or link: this is the group's shard. */
static void group_mail(struct broker *b, struct mail *m, bool from_sibling)
{
    const struct leader *leader = m->group < b->params.group_count ? &b->leaders[m->group] : NULL;
    bool here = leader && shard_of_group(b, m->group) == b->params.shard && m->term == leader->term;
    if (here && leader->node == b->params.node) host_mail(b->hosts[m->group], m);
    else if (here && from_sibling && leader->node) broker_send_mail(b, leader->node, m);
    else mail_destroy(m);
}

static struct port *port_of_effect(struct broker *b, uint64_t id, uint32_t group)
{
    if (port_id_node(id) != PORT_NODE_GROUP) return broker_port(b, id);
    uint32_t source = port_id_counter(id);
    struct host *h = source < b->params.group_count ? b->hosts[source] : NULL;
    return h ? h->dead_letter_ports[group] : NULL;
}

static uint16_t shard_of_port(struct broker *b, uint64_t id)
{
    return port_id_node(id) == PORT_NODE_GROUP ? shard_of_group(b, port_id_counter(id)) : port_shard(id);
}

/* What is left of the mail for another shard; made when the first thing for it is found. */
static struct mail *part_for(struct mail *others[BROKER_SHARDS_MAX], uint16_t shard, const struct mail *m)
{
    if (others[shard]) return others[shard];
    struct mail *part = mail_create(m->type);
    part->group = m->group;
    part->term = m->term;
    part->port = m->port;
    return others[shard] = part;
}

static void port_welcome(struct broker *b, const struct mail *m, struct mail *others[BROKER_SHARDS_MAX])
{
    uint16_t shard = shard_of_port(b, m->port);
    if (shard == b->params.shard) {
        struct port *p = port_of_effect(b, m->port, m->group);
        if (p) port_welcomed(p);
    } else if (shard < b->params.shard_count) {
        part_for(others, shard, m);
    }
}

void broker_port_mail(struct broker *b, struct mail *m)
{
    struct mail *others[BROKER_SHARDS_MAX] = {0};
    bool stale = m->group >= b->params.group_count || m->term != b->leaders[m->group].term;
    for (size_t i = 0; i < m->effects.count && !stale; i++) {
        struct effect *e = &m->effects.items[i];
        uint16_t shard = shard_of_port(b, e->port);
        if (shard == b->params.shard) {
            struct port *p = port_of_effect(b, e->port, m->group);
            if (p) port_effect(p, e);
        } else if (shard < b->params.shard_count) {
            mail_add_effect(part_for(others, shard, m), e);
        }
    }
    if (m->type == MAIL_WELCOME && !stale) port_welcome(b, m, others);
    for (uint16_t shard = 0; shard < b->params.shard_count; shard++)
        if (others[shard]) b->io->post(b->io->self, shard, others[shard]);
    mail_destroy(m);
}

static void take(struct broker *b, struct mail *m, bool from_sibling)
{
    switch (m->type) {
    case MAIL_CHUNK:
    case MAIL_HELLO:
        group_mail(b, m, from_sibling);
        return;
    case MAIL_EFFECTS:
    case MAIL_WELCOME:
        broker_port_mail(b, m);
        return;
    case MAIL_LEADER:
        leaders_heard(b, m);
        break;
    case MAIL_TOPOLOGY:
    case MAIL_TOPOLOGY_WHOLE:
        if (from_sibling) topology_spread_mail(b, m);
        break;
    case MAIL_TOPOLOGY_APPLIED:
        topology_spread_mail(b, m);
        break;
    case MAIL_CENSUS:
        census_heard(b, m, from_sibling);
        break;
    case MAIL_EPOCH:
        if (from_sibling) broker_take_epoch(b, (uint32_t)m->a);
        break;
    case MAIL_GROUP_REPORT:
    case MAIL_GROUP_ORDER:
        membership_mail(b, m, from_sibling);
        return;
    default:
        break;
    }
    mail_destroy(m);
}

void broker_mail(struct broker *b, struct mail *m)
{
    take(b, m, true);
}

void broker_frame(struct broker *b, uint8_t node, struct blob *blob, uint32_t offset, uint32_t size)
{
    struct mail *m = mail_decode(blob, offset, size);
    if (!m) {
        broker_note(b, 1, "broker mail_unreadable node=%u size=%u", node, size);
        return;
    }
    m->node = node;
    take(b, m, false);
}
