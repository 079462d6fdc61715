/* Consumer timeout: who holds a message unacked for too long loses it, and is cancelled; the other consumers of its
 * channel go on. The times are lower bounds that are looked at when they are up, so that an ack costs nothing; they are
 * part of the state. */
#include "node/queue/machine_internal.h"

/* 0: it may take as long as it likes. */
static uint64_t timeout_of(const struct consumer *c)
{
    if (c->flags & ATTACH_NO_ACK) return 0;
    if (!(c->flags & ATTACH_TIMEOUT_OWN) && c->queue->settings.consumer_timeout_ms >= 0)
        return (uint64_t)c->queue->settings.consumer_timeout_ms;
    return c->timeout_ms;
}

static uint64_t time_of(const struct consumer *c)
{
    uint64_t timeout = timeout_of(c);
    return timeout && c->unacked ? c->oldest_ms + timeout : UINT64_MAX;
}

static void lower(struct queue_machine *m, struct queue *q, uint64_t at)
{
    if (at >= q->timeout_at_ms) return;
    q->timeout_at_ms = at;
    timer_set(m, q);
}

void consumer_took(struct queue_machine *m, struct consumer *c)
{
    if (c->unacked > 1) return;
    c->oldest_ms = m->now_ms;
    lower(m, c->queue, time_of(c));
}

void consumers_watch(struct queue_machine *m, struct queue *q)
{
    LIST_FOR(&q->consumers, link) lower(m, q, time_of(LIST_ITEM(link, struct consumer, queue_link)));
}

static bool holds(const struct consumer *c, const struct unacked_item *item)
{
    return item->consumer == c->id && item->queue == c->queue->id;
}

/* When the oldest delivery went out that it still holds. */
static uint64_t oldest(const struct consumer *c)
{
    const struct unacked_item *item;
    uint64_t dseq = 0;
    while ((item = unacked_next(c->port, &dseq)))
        if (holds(c, item)) return item->delivered_ms;
    return c->oldest_ms;
}

/* First it is gone, then what it held is there for others. */
void consumer_give_up(struct queue_machine *m, struct consumer *c, uint64_t timeout_ms, uint8_t outcome,
                      struct effects *effects)
{
    struct consumer gone = *c;
    const struct unacked_item *item;
    uint64_t dseq = 0;
    consumer_tell_cancelled(c, timeout_ms, effects);
    consumer_remove(m, c, effects);
    while ((item = unacked_next(gone.port, &dseq)))
        if (holds(&gone, item)) settle_range(m, gone.port, dseq, dseq, outcome, effects);
    stir(m, gone.queue);
    LIST_FOR(&gone.port->consumers, link) /* the port's own limit has room again */
    stir(m, LIST_ITEM(link, struct consumer, port_link)->queue);
}

void consumers_time_out(struct queue_machine *m, struct queue *q, struct effects *effects)
{
    if (q->timeout_at_ms > m->now_ms) return;
    q->timeout_at_ms = UINT64_MAX;
    LIST_FOR_SAFE(&q->consumers, link)
    {
        struct consumer *c = LIST_ITEM(link, struct consumer, queue_link);
        if (time_of(c) <= m->now_ms) c->oldest_ms = oldest(c);
        if (time_of(c) <= m->now_ms) consumer_give_up(m, c, timeout_of(c), SETTLE_REQUEUE, effects);
        else lower(m, q, time_of(c));
    }
}
