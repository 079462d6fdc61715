/* Time: messages that outlived their TTL, wherever they stand; messages whose retry is due; consumers that hold on to
 * messages for too long; queues that nobody used for x-expires. A heap holds at most a few times per queue; a queue for
 * which no time runs is never in it. */
#include <stdlib.h>

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

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t timer_next(const struct queue *q)
{
    uint64_t at = least(retry_time(q), q->timeout_at_ms);
    for (unsigned i = 0; q->expiring && i < q->level_count; i++)
        if (q->levels[i]) at = least(at, level_earliest(q->levels[i]));
    if (q->settings.expires_ms >= 0 && !q->consumer_count && !q->unused_told)
        at = least(at, q->used_ms + (uint64_t)q->settings.expires_ms);
    return at;
}

void timer_set(struct queue_machine *m, struct queue *q)
{
    uint64_t at = timer_next(q);
    if (at == UINT64_MAX || (q->timer_ms && q->timer_ms <= at)) return;
    q->timer_ms = at;
    heap_push(m, (struct timer){at, q->id});
}

void timer_restore(struct queue_machine *m, struct queue *q, uint64_t at_ms)
{
    q->timer_ms = at_ms;
    if (at_ms) heap_push(m, (struct timer){at_ms, q->id});
}

/* --- messages --- */

static void expire_page(struct queue_machine *m, struct queue *q, unsigned level, uint64_t page,
                        struct effects *effects)
{
    struct level *l = q->levels[level];
    for (uint64_t number = page * PAGE_SLOTS; number < (page + 1) * PAGE_SLOTS; number++) {
        struct slot *slot = level_slot(l, number, m->store);
        if (slot && slot->state == SLOT_READY && slot->expires_ms && slot->expires_ms <= m->now_ms)
            bury(m, q, (uint8_t)level, number, slot, DEAD_EXPIRED, effects);
    }
    level_expiry_back(l, page);
}

/* Lowest level first, in the order of their numbers, as far as `budget` pages go. What is left has its time in the
 * past, and goes in the next turn. */
static void expire_messages(struct queue_machine *m, struct queue *q, size_t *budget, struct effects *effects)
{
    uint64_t pages[EXPIRE_PAGES_MAX];
    for (unsigned i = 0; q->expiring && *budget && i < q->level_count; i++) {
        if (!q->levels[i]) continue;
        size_t count = level_expiry_due(q->levels[i], m->now_ms, pages, *budget);
        for (size_t p = 0; p < count; p++) expire_page(m, q, i, pages[p], effects);
        *budget -= count;
    }
}

/* --- queues --- */

static void expire_queue(struct queue_machine *m, struct queue *q, struct effects *effects)
{
    bool due = q->settings.expires_ms >= 0 && !q->consumer_count && !q->unused_told &&
               q->used_ms + (uint64_t)q->settings.expires_ms <= m->now_ms;
    if (!due) return;
    q->unused_told = true;
    if (effects) effects_add(effects, EFFECT_QUEUE_UNUSED, 0)->queue = q->id;
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The queues whose time is up, in the order of their ids, into m->due. */
static void collect_due(struct queue_machine *m)
{
    m->due_count = 0;
    while (m->timer_count && m->timers[0].at_ms <= m->now_ms) {
        struct timer t = heap_pop(m);
        struct queue *q = queue_find(m, t.queue);
        if (!q || q->timer_ms != t.at_ms) continue; /* the queue went, or has an earlier time by now */
        q->timer_ms = 0;
        m->due = mem_grow(m->due, &m->due_capacity, m->due_count + 1, sizeof *m->due);
        m->due[m->due_count++] = q->id;
    }
    if (m->due_count > 1) qsort(m->due, m->due_count, sizeof *m->due, by_id);
}

void timers_run(struct queue_machine *m, struct effects *effects)
{
    size_t budget = EXPIRE_PAGES_MAX;
    postponed_due(m, effects);
    if (!m->timer_count || m->timers[0].at_ms > m->now_ms) return;
    collect_due(m);
    for (size_t i = 0; i < m->due_count; i++) {
        struct queue *q = queue_find(m, m->due[i]);
        retry_due(m, q);
        consumers_time_out(m, q, effects);
        expire_messages(m, q, &budget, effects);
        expire_queue(m, q, effects);
        timer_set(m, q);
    }
    if (m->stirred_count > 1) qsort(m->stirred, m->stirred_count, sizeof *m->stirred, by_id);
    pump_stirred(m, effects);
}
