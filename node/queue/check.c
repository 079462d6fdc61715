/* What must always hold within a machine. Tests and the simulator ask after each entry, a restore once. */
#include "node/queue/machine_internal.h"

struct tally {
    uint64_t ready, unacked, delayed, ready_bytes, unacked_bytes, delayed_bytes, expiring;
    uint64_t memory, memory_ready, memory_bytes, pages_out;
};

static bool check_slots(const struct page *p, struct tally *t, uint64_t *ready, uint64_t *live, struct err *err)
{
    uint16_t expiring = 0;
    for (uint16_t i = 0; p->slots && i < p->count; i++) {
        const struct slot *s = &p->slots[i];
        if (s->state == SLOT_GONE) continue;
        *live += 1;
        if (!s->content.blob && !s->content.where.segment)
            return err_set(err, ERR_INVALID, "a message whose content is nowhere"), false;
        bool is_ready = s->state == SLOT_READY;
        *ready += is_ready;
        t->unacked += s->state == SLOT_UNACKED;
        t->delayed += s->state == SLOT_DELAYED;
        *(is_ready                   ? &t->ready_bytes
          : s->state == SLOT_DELAYED ? &t->delayed_bytes
                                     : &t->unacked_bytes) += s->content.body;
        expiring += s->expires_ms != 0;
        t->memory += s->content.blob != NULL;
        t->memory_ready += s->content.blob && is_ready;
        t->memory_bytes += s->content.blob ? s->content.body : 0;
        if (is_ready && s->expires_ms && s->expires_ms < p->earliest_ms)
            return err_set(err, ERR_INVALID, "a message expires before its page does"), false;
    }
    if (expiring != p->expiring)
        return err_set(err, ERR_INVALID, "a page counts %u messages that expire, has %u", p->expiring, expiring), false;
    t->ready += *ready;
    return true;
}

static bool check_page(const struct page *p, struct tally *t, struct err *err)
{
    uint64_t ready = 0, live = 0;
    if (!p) return true;
    if (p->paged_out) {
        if (p->slots || p->ready != PAGE_SLOTS || p->live != PAGE_SLOTS || !p->index.segment)
            return err_set(err, ERR_INVALID, "a page that is out has slots, or misses some"), false;
        t->pages_out++;
        t->ready += PAGE_SLOTS;
        t->ready_bytes += p->bytes;
        t->expiring += p->expiring;
        return true;
    }
    if (!check_slots(p, t, &ready, &live, err)) return false;
    t->expiring += p->expiring;
    if (ready != p->ready || live != p->live)
        return err_set(err, ERR_INVALID, "a page counts %u ready of %u, has %llu of %llu", p->ready, p->live,
                       (unsigned long long)ready, (unsigned long long)live),
               false;
    return true;
}

static bool check_memory(const struct queue *q, const struct tally *t, struct err *err)
{
    struct tally counted = {0};
    for (unsigned i = 0; i < q->level_count; i++) {
        if (!q->levels[i]) continue;
        counted.memory += q->levels[i]->memory;
        counted.memory_ready += q->levels[i]->memory_ready;
        counted.memory_bytes += q->levels[i]->memory_bytes;
        counted.pages_out += q->levels[i]->pages_out;
    }
    if (counted.memory == t->memory && counted.memory_ready == t->memory_ready &&
        counted.memory_bytes == t->memory_bytes && counted.pages_out == t->pages_out)
        return true;
    return err_set(err, ERR_INVALID, "queue %llu counts %llu contents in memory, %llu bytes, has %llu and %llu",
                   (unsigned long long)q->id, (unsigned long long)counted.memory,
                   (unsigned long long)counted.memory_bytes, (unsigned long long)t->memory,
                   (unsigned long long)t->memory_bytes),
           false;
}

static bool check_queue(const struct queue *q, struct err *err)
{
    struct tally t = {0};
    for (unsigned i = 0; i < q->level_count; i++) {
        const struct level *l = q->levels[i];
        uint64_t before = t.ready;
        for (uint64_t n = l ? l->first_page : 0; l && n < l->first_page + l->page_count; n++)
            if (!check_page(level_page(l, n * PAGE_SLOTS), &t, err)) return false;
        if (l && t.ready - before != l->ready)
            return err_set(err, ERR_INVALID, "a level counts %llu ready, has %llu", (unsigned long long)l->ready,
                           (unsigned long long)(t.ready - before)),
                   false;
    }
    bool same = t.ready == q->ready && t.unacked == q->unacked && t.ready_bytes == q->ready_bytes &&
                t.unacked_bytes == q->unacked_bytes && t.expiring == q->expiring && t.delayed == q->delayed_count &&
                t.delayed_bytes == q->delayed_bytes;
    if (!same)
        return err_set(err, ERR_INVALID, "queue %llu counts ready %llu unacked %llu, has %llu and %llu",
                       (unsigned long long)q->id, (unsigned long long)q->ready, (unsigned long long)q->unacked,
                       (unsigned long long)t.ready, (unsigned long long)t.unacked),
               false;
    if (!check_memory(q, &t, err)) return false;
    uint32_t consumers = 0;
    LIST_FOR(&q->consumers, link) consumers++;
    if (consumers != q->consumer_count)
        return err_set(err, ERR_INVALID, "queue %llu counts %u consumers, has %u", (unsigned long long)q->id,
                       q->consumer_count, consumers),
               false;
    if (q->settings.single_active_consumer && consumers && !q->active)
        return err_set(err, ERR_INVALID, "queue %llu has no active consumer", (unsigned long long)q->id), false;
    if (q->ready && next_consumer(q))
        return err_set(err, ERR_INVALID, "queue %llu has messages and a consumer that could take one",
                       (unsigned long long)q->id),
               false;
    uint64_t next_ms = timer_next(q);
    if (next_ms != UINT64_MAX && (!q->timer_ms || q->timer_ms > next_ms))
        return err_set(err, ERR_INVALID, "queue %llu would miss its time", (unsigned long long)q->id), false;
    return true;
}

static struct slot *slot_at(struct queue_machine *m, struct queue *q, unsigned level, uint64_t number)
{
    return level < q->level_count && q->levels[level] ? level_slot(q->levels[level], number, m->store) : NULL;
}

/* Each waiting message stands in the heap once. */
static bool check_delayed(struct queue_machine *m, struct queue *q, struct err *err)
{
    size_t seen = 0;
    for (; seen < q->delayed_count; seen++) {
        struct slot *s = slot_at(m, q, q->delayed[seen].level, q->delayed[seen].number);
        if (!s || s->state != SLOT_DELAYED || s->seen) break;
        s->seen = true;
    }
    bool sound = seen == q->delayed_count;
    while (seen--) slot_at(m, q, q->delayed[seen].level, q->delayed[seen].number)->seen = false;
    if (!sound) err_set(err, ERR_INVALID, "queue %llu waits for a message that does not", (unsigned long long)q->id);
    return sound;
}

/* Of a page that is out all are there: it is not read for this. */
static bool is_there(struct queue *q, unsigned level, uint64_t number)
{
    struct level *l = level < q->level_count ? q->levels[level] : NULL;
    const struct page *p = l ? level_page(l, number) : NULL;
    return p && (p->paged_out || level_slot(l, number, NULL));
}

/* Every key that is held is held by a message. */
static bool check_dedup(struct queue *q, struct err *err)
{
    if (!q->dedup) return true;
    LIST_FOR(&q->dedup->held.order, link)
    {
        uint64_t place = LIST_ITEM(link, struct recall_entry, link)->value;
        if (!is_there(q, (unsigned)(place >> 56), place & ((UINT64_C(1) << 56) - 1)))
            return err_set(err, ERR_INVALID, "queue %llu holds a key without a message", (unsigned long long)q->id),
                   false;
    }
    return true;
}

static bool check_consumers(struct machine_port *p, struct err *err)
{
    LIST_FOR(&p->consumers, link)
    {
        const struct consumer *c = LIST_ITEM(link, struct consumer, port_link);
        if (list_empty(&c->queue_link)) return err_set(err, ERR_INVALID, "consumer %u is in no queue", c->id), false;
        uint32_t unacked = 0;
        const struct unacked_item *item;
        for (uint64_t dseq = 0; (item = unacked_next(p, &dseq));)
            unacked += item->consumer == c->id && item->queue == c->queue->id;
        if (unacked != c->unacked)
            return err_set(err, ERR_INVALID, "consumer %u counts %u unacked, has %u", c->id, c->unacked, unacked),
                   false;
    }
    return true;
}

static struct slot *held_slot(struct queue_machine *m, const struct unacked_item *item)
{
    struct queue *q = queue_find(m, item->queue);
    return q ? slot_at(m, q, item->level, item->number) : NULL;
}

static void forget_seen(struct queue_machine *m, struct machine_port *p)
{
    const struct unacked_item *item;
    for (uint64_t dseq = 0; (item = unacked_next(p, &dseq));) {
        struct slot *s = held_slot(m, item);
        if (s) s->seen = false;
    }
}

static bool check_port(struct queue_machine *m, struct machine_port *p, uint64_t *unacked, struct err *err)
{
    uint64_t found = 0, consumed = 0;
    const struct unacked_item *item;
    for (uint64_t dseq = 0; (item = unacked_next(p, &dseq));) {
        found++;
        consumed += item->consumer != 0;
        if (!queue_find(m, item->queue)) continue; /* deleted since */
        struct slot *s = held_slot(m, item);
        if (!s || s->state != SLOT_UNACKED || s->seen)
            return err_set(err, ERR_INVALID, "delivery %llu of a port is not unacked in its queue",
                           (unsigned long long)dseq),
                   false;
        s->seen = true;
        *unacked += 1;
    }
    if (found != p->unacked || consumed != p->held)
        return err_set(err, ERR_INVALID, "a port counts %llu unacked, has %llu", (unsigned long long)p->unacked,
                       (unsigned long long)found),
               false;
    uint64_t bytes = 0;
    for (uint64_t d = p->window_from + 1; d < p->next_dseq; d++) bytes += p->window_sizes[d & (p->window_capacity - 1)];
    if (bytes != p->window_bytes)
        return err_set(err, ERR_INVALID, "a port's window counts %llu bytes, has %llu",
                       (unsigned long long)p->window_bytes, (unsigned long long)bytes),
               false;
    return check_consumers(p, err);
}

bool machine_check(void *self, struct err *err)
{
    struct queue_machine *m = self;
    uint64_t held = 0, unacked = 0;
    bool sound = true;
    for (size_t i = 0; i < m->queue_count; i++) {
        if (!check_queue(m->order[i], err) || !check_delayed(m, m->order[i], err) || !check_dedup(m->order[i], err))
            return false;
        if (i && m->order[i]->id <= m->order[i - 1]->id)
            return err_set(err, ERR_INVALID, "queues are out of order"), false;
        unacked += m->order[i]->unacked;
    }
    LIST_FOR(&m->ports.order, link)
    sound = sound && check_port(m, (struct machine_port *)LIST_ITEM(link, struct port_base, link), &held, err);
    LIST_FOR(&m->ports.order, link) forget_seen(m, (struct machine_port *)LIST_ITEM(link, struct port_base, link));
    if (!sound) return false;
    if (held != unacked)
        return err_set(err, ERR_INVALID, "ports hold %llu messages, queues count %llu unacked",
                       (unsigned long long)held, (unsigned long long)unacked),
               false;
    return true;
}
