/* "declare-ok means: applied on every node that is reachable": the meta leader keeps its replies until the nodes that
 * are connected have told that they applied what the reply stands for, or a named time has passed. */
#include "node/broker/broker_internal.h"

struct held {
    struct list link;
    struct mail *mail;
    uint8_t node; /* 0: a port of this node */
    uint64_t index;
    uint64_t until_ms;
};

/* `asker`: the node that waits for the reply; 0: this one. */
static bool everywhere(struct host *h, uint64_t index, uint8_t asker)
{
    struct broker *b = h->broker;
    for (unsigned node = 1; node < BROKER_NODES_MAX; node++) {
        /* A replica that is being filled keeps nobody waiting but its own clients. */
        bool awaited = node == asker || group_has_voter(h->group, (uint8_t)node);
        bool counts = node == b->params.node || (awaited && b->io->connected(b->io->self, (uint8_t)node));
        if (counts && h->applied_by[node] < index) return false;
    }
    return true;
}

static void release(struct host *h, struct held *held)
{
    struct broker *b = h->broker;
    struct mail *m = held->mail;
    list_remove(&held->link);
    uint8_t node = held->node;
    mem_free(held);
    if (node) {
        broker_send_mail(b, node, m);
        return;
    }
    uint64_t port = m->type == MAIL_WELCOME ? m->port : m->effects.count ? m->effects.items[0].port : 0;
    uint16_t shard = port_shard(port);
    if (shard == b->params.shard || shard >= b->params.shard_count) broker_port_mail(b, m);
    else b->io->post(b->io->self, shard, m);
}

bool meta_wait_hold(struct host *h, struct mail *m, uint8_t node)
{
    uint64_t index = topology_index(h->broker->params.topology);
    if (list_empty(&h->held) && everywhere(h, index, node)) return false;
    struct held *held = mem_zalloc(sizeof *held);
    *held =
        (struct held){.mail = m, .node = node, .index = index, .until_ms = h->broker->now_ms + BROKER_TOPOLOGY_WAIT_MS};
    list_init(&held->link);
    list_append(&h->held, &held->link);
    return true;
}

static void release_due(struct host *h)
{
    uint64_t waiting = 0; /* bit per node: what follows for it stays behind */
    LIST_FOR_SAFE(&h->held, link)
    {
        struct held *held = LIST_ITEM(link, struct held, link);
        uint64_t bit = UINT64_C(1) << held->node;
        if (waiting & bit) continue;
        if (held->until_ms > h->broker->now_ms && !everywhere(h, held->index, held->node)) waiting |= bit;
        else release(h, held);
    }
}

void meta_wait_applied(struct host *h, uint8_t node, uint64_t index)
{
    if (index > h->applied_by[node]) h->applied_by[node] = index;
    release_due(h);
}

void meta_wait_tick(struct host *h)
{
    release_due(h);
}

void meta_wait_abandon(struct host *h)
{
    LIST_FOR_SAFE(&h->held, link)
    {
        struct held *held = LIST_ITEM(link, struct held, link);
        list_remove(link);
        mail_destroy(held->mail);
        mem_free(held);
    }
}
