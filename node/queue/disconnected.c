/* A node that is out of reach: before it is given up as a whole, its consumers of a queue that does not want to wait so
 * long are cancelled, and what they hold goes back. The node's port learns it when it is back, as of a consumer
 * timeout. Consumers without acks are left alone: their messages may have been written to the client already. */
#include "node/queue/machine_internal.h"
#include "node/queue/port_id.h"

static bool is_due(const struct queue *q, const struct command_node_silent *s)
{
    int64_t own = q->settings.disconnected_timeout_ms;
    uint64_t timeout = own >= 0 ? (uint64_t)own : s->timeout_ms;
    return timeout <= s->silent_ms;
}

static bool is_silent(const struct machine_port *p, const struct command_node_silent *s)
{
    return port_id_node(p->base.id) == s->node && port_id_epoch(p->base.id) <= s->epoch;
}

static bool goes(const struct consumer *c, const struct command_node_silent *s)
{
    return !(c->flags & ATTACH_NO_ACK) && is_due(c->queue, s);
}

/* Gets hold messages, too, and consumers that were cancelled. */
static bool gives_back(struct queue_machine *m, struct machine_port *p, const struct unacked_item *item,
                       const struct command_node_silent *s)
{
    struct queue *q = queue_find(m, item->queue);
    return q && is_due(q, s) && !(item->consumer && consumer_find(p, item->consumer));
}

static void take_from(struct queue_machine *m, struct machine_port *p, const struct command_node_silent *s,
                      struct effects *effects)
{
    LIST_FOR_SAFE(&p->consumers, link)
    {
        struct consumer *c = LIST_ITEM(link, struct consumer, port_link);
        if (goes(c, s)) consumer_give_up(m, c, s->silent_ms ? s->silent_ms : 1, SETTLE_FAIL, effects);
    }
    const struct unacked_item *item;
    uint64_t dseq = 0;
    while ((item = unacked_next(p, &dseq)))
        if (gives_back(m, p, item, s)) settle_range(m, p, dseq, dseq, SETTLE_FAIL, effects);
    LIST_FOR(&p->consumers, link) /* the port's own limit has room again */
    stir(m, LIST_ITEM(link, struct consumer, port_link)->queue);
}

void node_silent(struct queue_machine *m, const struct command_node_silent *s, struct effects *effects)
{
    LIST_FOR(&m->ports.order, link)
    {
        struct machine_port *p = LIST_ITEM(link, struct machine_port, base.link);
        if (is_silent(p, s)) take_from(m, p, s, effects);
    }
    pump_stirred(m, effects);
}

bool queue_machine_loses(struct queue_machine *m, const struct command_node_silent *s)
{
    LIST_FOR(&m->ports.order, link)
    {
        struct machine_port *p = LIST_ITEM(link, struct machine_port, base.link);
        if (!is_silent(p, s)) continue;
        LIST_FOR(&p->consumers, at)
        if (goes(LIST_ITEM(at, struct consumer, port_link), s)) return true;
        const struct unacked_item *item;
        uint64_t dseq = 0;
        while ((item = unacked_next(p, &dseq)))
            if (gives_back(m, p, item, s)) return true;
    }
    return false;
}
