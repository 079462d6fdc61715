/* A queue: found, made, dropped. */
#include "node/queue/machine_internal.h"

struct queue *queue_find(struct queue_machine *m, uint64_t id)
{
    if (m->last && m->last->id == id) return m->last;
    struct queue *q = map_u64_get(&m->queues, id);
    if (q) m->last = q;
    return q;
}

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

struct queue *queue_make(struct queue_machine *m, uint64_t id)
{
    struct queue *q = mem_zalloc(sizeof *q);
    q->id = id;
    q->used_ms = m->now_ms;
    q->timeout_at_ms = UINT64_MAX;
    list_init(&q->consumers);
    size_t at = place_of(m, id);
    m->order = mem_grow(m->order, &m->order_capacity, m->queue_count + 1, sizeof(struct queue *));
    memmove(&m->order[at + 1], &m->order[at], (m->queue_count - at) * sizeof(struct queue *));
    m->order[at] = q;
    m->queue_count++;
    map_u64_set(&m->queues, id, q);
    return q;
}

static struct slice keep(struct slice s)
{
    return s.data ? slice_of(mem_strndup((const char *)s.data, s.size), s.size) : s;
}

static void free_settings(struct queue *q)
{
    mem_free((void *)q->settings.dead_letter_exchange.data);
    mem_free((void *)q->settings.dead_letter_routing_key.data);
}

void queue_set(struct queue *q, const struct queue_settings *s)
{
    struct queue_settings copy = *s;
    copy.dead_letter_exchange = keep(s->dead_letter_exchange);
    copy.dead_letter_routing_key = keep(s->dead_letter_routing_key);
    free_settings(q);
    q->settings = copy;
}

/* Ports know the queue of a delivery by its id. One of the same id may be made again, when a declaration crosses the
 * deletion; what was delivered before is not its own. */
static void disown_unacked(struct queue_machine *m, const struct queue *q)
{
    uint64_t left = q->unacked;
    LIST_FOR(&m->ports.order, link)
    {
        struct machine_port *port = (struct machine_port *)LIST_ITEM(link, struct port_base, link);
        struct unacked_item *item;
        for (uint64_t dseq = 0; left && (item = unacked_next(port, &dseq));) {
            if (item->queue != q->id) continue;
            item->queue = 0;
            left--;
        }
    }
}

void queue_drop(struct queue_machine *m, struct queue *q, struct effects *effects)
{
    disown_unacked(m, q);
    while (!list_empty(&q->consumers)) {
        struct consumer *c = LIST_ITEM(q->consumers.next, struct consumer, queue_link);
        consumer_tell_cancelled(c, 0, effects);
        q->had_consumers = false; /* it is going already */
        consumer_remove(m, c, effects);
    }
    for (unsigned i = 0; i < q->level_count; i++) {
        if (!q->levels[i]) continue;
        level_close(q->levels[i], m->store);
        mem_free(q->levels[i]);
    }
    mem_free(q->levels);
    mem_free(q->delayed);
    dedup_destroy(q->dedup);
    size_t at = place_of(m, q->id);
    memmove(&m->order[at], &m->order[at + 1], (m->queue_count - at - 1) * sizeof(struct queue *));
    m->queue_count--;
    map_u64_remove(&m->queues, q->id);
    if (m->last == q) m->last = NULL;
    free_settings(q);
    mem_free(q);
}

struct level *queue_level(struct queue *q, uint8_t level)
{
    if (level >= q->level_count) {
        q->levels = mem_realloc(q->levels, (level + 1u) * sizeof(struct level *));
        while (q->level_count <= level) q->levels[q->level_count++] = NULL;
    }
    if (!q->levels[level]) {
        q->levels[level] = mem_alloc(sizeof *q->levels[level]);
        level_init(q->levels[level]);
    }
    return q->levels[level];
}

bool queue_front(struct queue_machine *m, struct queue *q, uint8_t *level, uint64_t *number, struct slot **slot)
{
    if (!q->ready) return false;
    for (int i = (int)q->level_count - 1; i >= 0; i--) {
        if (!q->levels[i] || !level_front(q->levels[i], m->store, number, slot)) continue;
        *level = (uint8_t)i;
        return true;
    }
    return false;
}

void queue_used(struct queue_machine *m, struct queue *q)
{
    q->used_ms = m->now_ms;
    if (q->settings.expires_ms >= 0) timer_set(m, q);
}
