/* Delayed retry: what comes back from a client may have to wait before it is ready again, the longer the oftener it
 * came back (x-delayed-retry-type, -min, -max). It waits in its slot, in no count but `delayed`; a heap per queue knows
 * when each is due. */
#include "node/queue/machine_internal.h"

static bool before(const struct delayed *a, const struct delayed *b)
{
    if (a->at_ms != b->at_ms) return a->at_ms < b->at_ms;
    return a->level != b->level ? a->level < b->level : a->number < b->number;
}

static void rise(struct delayed *heap, size_t at)
{
    struct delayed item = heap[at];
    for (; at && before(&item, &heap[(at - 1) / 2]); at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
    heap[at] = item;
}

static struct delayed pop(struct queue *q)
{
    struct delayed top = q->delayed[0], item = q->delayed[--q->delayed_count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < q->delayed_count; at = child) {
        if (child + 1 < q->delayed_count && before(&q->delayed[child + 1], &q->delayed[child])) child++;
        if (!before(&q->delayed[child], &item)) break;
        q->delayed[at] = q->delayed[child];
    }
    q->delayed[at] = item;
    return top;
}

void retry_push(struct queue *q, struct delayed item)
{
    q->delayed = mem_grow(q->delayed, &q->delayed_capacity, q->delayed_count + 1, sizeof *q->delayed);
    q->delayed[q->delayed_count++] = item;
    rise(q->delayed, q->delayed_count - 1);
}

uint64_t retry_time(const struct queue *q)
{
    return q->delayed_count ? q->delayed[0].at_ms : UINT64_MAX;
}

uint64_t retry_delay(const struct queue *q, const struct slot *slot, bool failed)
{
    const struct queue_settings *s = &q->settings;
    bool concerned = s->delayed_retry == DELAYED_RETRY_ALL ||
                     s->delayed_retry == (failed ? DELAYED_RETRY_FAILED : DELAYED_RETRY_RETURNED);
    if (!concerned || s->delayed_retry_min_ms <= 0) return 0;
    uint64_t least = (uint64_t)s->delayed_retry_min_ms;
    uint64_t most = s->delayed_retry_max_ms >= 0 ? (uint64_t)s->delayed_retry_max_ms : COMMAND_TIME_MS_MAX;
    return slot->delivery_count <= most / least ? least * slot->delivery_count : most;
}

/* It wakes no later than it expires. */
void retry_later(struct queue_machine *m, struct queue *q, uint8_t level, uint64_t number, struct slot *slot,
                 uint64_t delay_ms)
{
    uint64_t at = m->now_ms + delay_ms;
    if (slot->expires_ms && slot->expires_ms < at) at = slot->expires_ms;
    level_set_delayed(q->levels[level], number, slot);
    q->delayed_bytes += slot->content.body;
    retry_push(q, (struct delayed){.at_ms = at, .number = number, .level = level});
    timer_set(m, q);
}

static void make_ready(struct queue_machine *m, struct queue *q, const struct delayed *d)
{
    struct slot *slot = level_slot(q->levels[d->level], d->number, m->store);
    CHECK(slot && slot->state == SLOT_DELAYED);
    level_set_ready(q->levels[d->level], d->number, slot);
    q->delayed_bytes -= slot->content.body;
    q->ready++;
    q->ready_bytes += slot->content.body;
}

void retry_due(struct queue_machine *m, struct queue *q)
{
    if (retry_time(q) > m->now_ms) return;
    while (retry_time(q) <= m->now_ms) {
        struct delayed d = pop(q);
        make_ready(m, q, &d);
    }
    stir(m, q);
}

void retry_all(struct queue_machine *m, struct queue *q)
{
    for (size_t i = 0; i < q->delayed_count; i++) make_ready(m, q, &q->delayed[i]);
    q->delayed_count = 0;
}
