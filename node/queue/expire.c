/* Time: messages that outlived their TTL at the head of a level, queues that nobody used for x-expires. A heap holds at
 * most a few times per queue; a queue without TTL or expiry is never in it. */
#include "node/queue/machine_internal.h"

static void swap(struct timer *a, struct timer *b)
{
    struct timer t = *a;
    *a = *b;
    *b = t;
}

/* Equal times in the order of queues: the same on every replica, whatever its heap went through. */
static bool before(const struct timer *a, const struct timer *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->queue < b->queue;
}

static void heap_push(struct queue_machine *m, struct timer t)
{
    m->timers = mem_grow(m->timers, &m->timer_capacity, m->timer_count + 1, sizeof *m->timers);
    size_t at = m->timer_count++;
    m->timers[at] = t;
    for (; at && before(&m->timers[at], &m->timers[(at - 1) / 2]); at = (at - 1) / 2)
        swap(&m->timers[at], &m->timers[(at - 1) / 2]);
}

static struct timer heap_pop(struct queue_machine *m)
{
    struct timer top = m->timers[0];
    m->timers[0] = m->timers[--m->timer_count];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < m->timer_count && before(&m->timers[child], &m->timers[least])) least = child;
        if (least == at) return top;
        swap(&m->timers[at], &m->timers[least]);
        at = least;
    }
}

static uint64_t next_time(struct queue_machine *m, struct queue *q)
{
    uint64_t at = UINT64_MAX, number;
    struct slot *slot;
    for (unsigned i = 0; q->expiring && i < q->level_count; i++)
        if (q->levels[i] && level_front(q->levels[i], m->store, &number, &slot) && slot->expires_ms &&
            slot->expires_ms < at)
            at = slot->expires_ms;
    if (q->settings.expires_ms >= 0 && !q->consumer_count && !q->unused_told) {
        uint64_t unused = q->used_ms + (uint64_t)q->settings.expires_ms;
        if (unused < at) at = unused;
    }
    return at;
}

void timer_set(struct queue_machine *m, struct queue *q)
{
    uint64_t at = next_time(m, q);
    if (at == UINT64_MAX || (q->timer_ms && q->timer_ms <= at)) return;
    q->timer_ms = at;
    heap_push(m, (struct timer){at, q->id});
}

void timer_restore(struct queue_machine *m, struct queue *q, uint64_t at_ms)
{
    q->timer_ms = at_ms;
    if (at_ms) heap_push(m, (struct timer){at_ms, q->id});
}

static void expire_heads(struct queue_machine *m, struct queue *q, struct effects *effects)
{
    uint64_t number;
    struct slot *slot;
    for (unsigned i = 0; q->expiring && i < q->level_count; i++)
        while (q->levels[i] && level_front(q->levels[i], m->store, &number, &slot) && slot->expires_ms &&
               slot->expires_ms <= m->now_ms)
            bury(m, q, (uint8_t)i, number, slot, DEAD_EXPIRED, effects);
}

static void expire_queue(struct queue_machine *m, struct queue *q, struct effects *effects)
{
    bool due = q->settings.expires_ms >= 0 && !q->consumer_count && !q->unused_told &&
               q->used_ms + (uint64_t)q->settings.expires_ms <= m->now_ms;
    if (!due) return;
    q->unused_told = true;
    if (effects) effects_add(effects, EFFECT_QUEUE_UNUSED, 0)->queue = q->id;
}

void timers_run(struct queue_machine *m, struct effects *effects)
{
    while (m->timer_count && m->timers[0].at_ms <= m->now_ms) {
        struct timer t = heap_pop(m);
        struct queue *q = queue_find(m, t.queue);
        if (!q || q->timer_ms != t.at_ms) continue; /* the queue went, or has an earlier time by now */
        q->timer_ms = 0;
        expire_heads(m, q, effects);
        expire_queue(m, q, effects);
        timer_set(m, q);
    }
}
