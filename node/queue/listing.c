/* What listings and metrics ask a machine. */
#include "node/queue/machine_internal.h"

static void add_level(const struct level *l, struct queue_stat *s)
{
    s->memory += l->memory;
    s->memory_ready += l->memory_ready;
    s->memory_bytes += l->memory_bytes;
    s->held_bytes += sizeof *l + l->memory_bytes + l->page_count * (sizeof(struct page) + sizeof(struct page *));
    s->held_bytes -= l->pages_out * PAGE_SLOTS * sizeof(struct slot); /* all slots are added below */
}

static void fill(const struct queue_machine *m, const struct queue *q, struct queue_stat *s)
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
                             .capacity_permille = (uint64_t)(capacity_of(m, q) * 1000 + 0.5),
                             .counts = q->counts};
    s->held_bytes = sizeof *q + (q->ready + q->unacked + q->delayed_count) * sizeof(struct slot);
    for (unsigned i = 0; i < q->level_count; i++)
        if (q->levels[i]) add_level(q->levels[i], s);
}

bool queue_machine_stat(const struct queue_machine *m, uint64_t id, struct queue_stat *s)
{
    const struct queue *q = map_u64_get(&m->queues, id);
    if (q) fill(m, q, s);
    return q != NULL;
}

const struct queue_settings *queue_machine_settings(const struct queue_machine *m, uint64_t id)
{
    const struct queue *q = map_u64_get(&m->queues, id);
    return q ? &q->settings : NULL;
}

struct part queue_machine_head(const struct queue_machine *m, uint64_t id)
{
    const struct queue *q = map_u64_get(&m->queues, id);
    for (int i = q && q->ready ? (int)q->level_count - 1 : -1; i >= 0; i--) {
        if (!q->levels[i] || !q->levels[i]->ready) continue;
        const struct slot *s = level_peek(q->levels[i]);
        return s ? stored_part(&s->content) : (struct part){0};
    }
    return (struct part){0};
}

unsigned queue_machine_priorities(const struct queue_machine *m, uint64_t id, uint64_t ready[QUEUE_PRIORITIES_MAX])
{
    const struct queue *q = map_u64_get(&m->queues, id);
    for (unsigned i = 0; q && i < q->level_count; i++) ready[i] = q->levels[i] ? q->levels[i]->ready : 0;
    return q ? q->level_count : 0;
}

void queue_machine_figures(const struct queue_machine *m, struct queue_machine_figures *figures)
{
    *figures = m->figures;
    figures->timers = m->timer_count;
    figures->postponed = m->postponed_count;
}

size_t queue_machine_count(const struct queue_machine *m)
{
    return m->queue_count;
}

/* The first queue whose id is not below. */
static size_t place_of(const struct queue_machine *m, uint64_t id)
{
    size_t low = 0, high = m->queue_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (m->order[middle]->id < id) low = middle + 1;
        else high = middle;
    }
    return low;
}

bool queue_machine_sum(const struct queue_machine *m, uint64_t *cursor, size_t count_max, struct queue_stat *sum)
{
    struct queue_stat one;
    size_t at = place_of(m, *cursor);
    for (; at < m->queue_count && count_max--; at++) {
        fill(m, m->order[at], &one);
        *cursor = one.id + 1;
        one.id = 1;
        for (size_t i = 0; i < sizeof one / sizeof(uint64_t); i++) ((uint64_t *)sum)[i] += ((const uint64_t *)&one)[i];
    }
    return at < m->queue_count;
}

bool queue_machine_next(const struct queue_machine *m, uint64_t *cursor, struct queue_stat *s)
{
    size_t at = place_of(m, *cursor);
    if (at == m->queue_count) return false;
    fill(m, m->order[at], s);
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
