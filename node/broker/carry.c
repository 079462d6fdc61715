/* Carries effects to the ports they are for: by call, by ring or by link. */
#include "node/broker/broker_internal.h"

enum { CARRY_BYTES_MAX = 1 << 20 }; /* contents in one mail; more go in the next, so that a frame stays small */

/* Where a port lives. A group as sender (dead letters) is at the leader of that group. */
static uint8_t node_of(struct broker *b, uint64_t port, uint16_t *shard)
{
    if (port_id_node(port) != PORT_NODE_GROUP) {
        *shard = port_shard(port);
        return port_id_node(port);
    }
    uint32_t source = port_id_counter(port);
    if (source >= b->params.group_count) return 0;
    *shard = shard_of_group(b, source);
    return b->leaders[source].node;
}

static struct mail *effects_mail(struct host *h, uint8_t type)
{
    struct mail *m = mail_create(type);
    m->group = h->id;
    m->term = h->term;
    m->node = h->broker->params.node;
    m->shard = h->broker->params.shard;
    return m;
}

static void send_off(struct host *h, struct mail *m, uint8_t node, uint16_t shard)
{
    struct broker *b = h->broker;
    bool own = node == b->params.node;
    if (h->meta && meta_wait_hold(h, m, own ? 0 : node)) return;
    if (!own) broker_send_mail(b, node, m);
    else if (shard == b->params.shard) broker_port_mail(b, m);
    else b->io->post(b->io->self, shard, m);
}

void carry_flush(struct host *h)
{
    struct broker *b = h->broker;
    for (unsigned node = 0; node < BROKER_NODES_MAX; node++) {
        struct mail *m = h->outbox_nodes[node];
        h->outbox_nodes[node] = NULL;
        if (m) send_off(h, m, (uint8_t)node, 0);
    }
    for (uint16_t shard = 0; shard < b->params.shard_count; shard++) {
        struct mail *m = h->outbox_shards[shard];
        h->outbox_shards[shard] = NULL;
        if (m) send_off(h, m, b->params.node, shard);
    }
}

void carry_effect(struct host *h, const struct effect *e)
{
    struct broker *b = h->broker;
    uint16_t shard = 0;
    uint8_t node = node_of(b, e->port, &shard);
    if (!node || node >= BROKER_NODES_MAX) return; /* its sender asks again */
    bool own = node == b->params.node;
    if (own && shard >= b->params.shard_count) return;
    if (own && shard == b->params.shard && !h->meta) {
        bool of_group = port_id_node(e->port) == PORT_NODE_GROUP;
        struct host *source = of_group ? b->hosts[port_id_counter(e->port)] : NULL;
        struct port *p = !of_group ? broker_port(b, e->port) : source ? source->dead_letter_ports[h->id] : NULL;
        if (p) port_effect(p, e);
        return;
    }
    struct mail **box = own ? &h->outbox_shards[shard] : &h->outbox_nodes[node];
    if (!*box) *box = effects_mail(h, MAIL_EFFECTS);
    mail_add_effect(*box, e);
    (*box)->a += e->content.size;
    if ((*box)->a < CARRY_BYTES_MAX) return;
    struct mail *full = *box;
    *box = NULL;
    send_off(h, full, node, shard);
}

static void carry_one(struct host *h, struct effect *e)
{
    switch (e->type) {
    case EFFECT_DEAD_LETTER:
        h->dead_letter_wake = true;
        return;
    case EFFECT_QUEUE_UNUSED: {
        struct topology_command command = {.type = TOPOLOGY_QUEUE_DELETE, .queue_id = e->queue};
        question_housekeeping(h->broker, &command);
        return;
    }
    case EFFECT_TOPOLOGY:
        return; /* the meta machine called already */
    default:
        if (!load_defer(h, e)) carry_effect(h, e);
    }
}

void carry_effects(struct host *h, struct effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) carry_one(h, &effects->items[i]);
    carry_flush(h);
}

/* The answer to a hello: what may have been missed, then (WELCOME itself) the port's turn to send again. Deliveries
 * whose content must be read first follow later; they are in order all the same. */
void carry_welcome(struct host *h, uint64_t port, struct effects *effects)
{
    struct broker *b = h->broker;
    uint16_t shard = 0;
    uint8_t node = node_of(b, port, &shard);
    if (!node || node >= BROKER_NODES_MAX) return;
    struct mail *m = effects_mail(h, MAIL_WELCOME);
    m->port = port;
    for (size_t i = 0; i < effects->count; i++)
        if (!load_defer(h, &effects->items[i])) mail_add_effect(m, &effects->items[i]);
    send_off(h, m, node, shard);
}
