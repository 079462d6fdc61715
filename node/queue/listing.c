/* What listings and metrics ask a machine. */
#include "node/queue/machine_internal.h"

static void fill(const struct queue *q, struct queue_stat *s)
{
    *s = (struct queue_stat){.id = q->id,
                             .ready = q->ready,
                             .unacked = q->unacked,
                             .ready_bytes = q->ready_bytes,
                             .unacked_bytes = q->unacked_bytes,
                             .delayed = q->delayed_count,
                             .delayed_bytes = q->delayed_bytes,
                             .consumers = q->consumer_count,
                             .dead_letters_pending = q->dead_pending,
                             .enqueued = q->enqueued,
                             .delivered = q->delivered,
                             .delivered_no_ack = q->delivered_no_ack,
                             .got = q->got,
                             .redelivered = q->redelivered,
                             .acked = q->acked};
}

bool queue_machine_stat(const struct queue_machine *m, uint64_t id, struct queue_stat *s)
{
    const struct queue *q = map_u64_get(&m->queues, id);
    if (q) fill(q, s);
    return q != NULL;
}

const struct queue_settings *queue_machine_settings(const struct queue_machine *m, uint64_t id)
{
    const struct queue *q = map_u64_get(&m->queues, id);
    return q ? &q->settings : NULL;
}

bool queue_machine_next(const struct queue_machine *m, uint64_t *cursor, struct queue_stat *s)
{
    size_t low = 0, high = m->queue_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (m->order[middle]->id < *cursor) low = middle + 1;
        else high = middle;
    }
    if (low == m->queue_count) return false;
    fill(m->order[low], s);
    *cursor = s->id + 1;
    return true;
}

bool queue_machine_next_consumer(const struct queue_machine *m, uint64_t id, uint64_t *cursor, struct consumer_stat *s)
{
    const struct queue *q = map_u64_get(&m->queues, id);
    uint64_t at = 0;
    if (!q) return false;
    LIST_FOR(&q->consumers, link)
    {
        if (at++ < *cursor) continue;
        const struct consumer *c = LIST_ITEM(link, struct consumer, queue_link);
        *cursor = at;
        *s = (struct consumer_stat){.port = c->port->base.id,
                                    .consumer = c->id,
                                    .queue = id,
                                    .tag = c->tag,
                                    .prefetch = c->prefetch,
                                    .unacked = c->unacked,
                                    .flags = c->flags,
                                    .priority = c->priority,
                                    .active = !q->settings.single_active_consumer || q->active == c};
        return true;
    }
    return false;
}
