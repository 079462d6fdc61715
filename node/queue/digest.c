/* What all replicas must agree on, as one number; and what must always hold within one. Tests and the simulator ask. */
#include "base/hash.h"
#include "node/queue/machine_internal.h"

/* --- digest: the logical state, however it is stored --- */

/* Of a page: counts, and its slots; of a page whose every slot is ready only those that are more than a plain message,
 * because one that is out has only such. */
static void digest_page(struct buf *b, const struct page *p, uint64_t number)
{
    if (!p || !p->live) return;
    buf_put_varint(b, number);
    buf_put_varint(b, p->live);
    buf_put_varint(b, p->ready);
    for (uint16_t i = 0; p->slots && i < p->count; i++) {
        const struct slot *s = &p->slots[i];
        bool plain = s->state == SLOT_READY && !s->redelivered && !s->delivery_count && !s->expires_ms;
        if (s->state == SLOT_GONE || (plain && p->live == PAGE_SLOTS)) continue;
        buf_put_varint(b, (uint64_t)p->base + i);
        buf_put_u8(b, s->state);
        buf_put_u8(b, s->redelivered);
        buf_put_varint(b, s->delivery_count);
        buf_put_varint(b, s->expires_ms);
        buf_put_varint(b, s->content.size);
    }
}

static void digest_queue(struct buf *b, const struct queue *q)
{
    buf_put_le64(b, q->id);
    queue_settings_encode(b, &q->settings);
    buf_put_le64(b, q->ready);
    buf_put_le64(b, q->unacked);
    buf_put_le64(b, q->ready_bytes);
    buf_put_le64(b, q->unacked_bytes);
    buf_put_le64(b, q->dead_pending);
    buf_put_le64(b, q->used_ms);
    buf_put_u8(b, q->had_consumers);
    buf_put_u8(b, q->unused_told);
    for (unsigned i = 0; i < q->level_count; i++) {
        const struct level *l = q->levels[i];
        if (!l || !l->next) continue;
        buf_put_varint(b, i);
        buf_put_varint(b, l->next);
        for (uint64_t n = l->first_page; n < l->first_page + l->page_count; n++)
            digest_page(b, level_page(l, n * PAGE_SLOTS), n);
    }
    LIST_FOR(&q->consumers, link)
    {
        const struct consumer *c = LIST_ITEM(link, struct consumer, queue_link);
        buf_put_le64(b, c->port->base.id);
        buf_put_le32(b, c->id);
        buf_put_le32(b, c->unacked);
        buf_put_u8(b, q->active == c);
    }
}

static void digest_port(struct buf *b, const struct machine_port *p)
{
    port_base_encode(&p->base, b);
    buf_put_le64(b, p->next_dseq);
    buf_put_le32(b, p->limit);
    buf_put_le64(b, p->unacked);
    buf_put_le64(b, p->window_bytes);
    const struct unacked_item *item;
    for (uint64_t dseq = 0; (item = unacked_next((struct machine_port *)p, &dseq));) {
        buf_put_le64(b, dseq);
        buf_put_le64(b, item->queue);
        buf_put_le64(b, item->number);
        buf_put_le32(b, item->consumer);
    }
}

uint64_t machine_digest(void *self)
{
    struct queue_machine *m = self;
    struct buf b = {0};
    buf_put_le64(&b, m->now_ms);
    buf_put_le64(&b, m->dead_number);
    port_table_encode(&m->ports, &b);
    LIST_FOR(&m->ports.order, link) digest_port(&b, (struct machine_port *)LIST_ITEM(link, struct port_base, link));
    for (size_t i = 0; i < m->queue_count; i++) digest_queue(&b, m->order[i]);
    LIST_FOR(&m->dead, link)
    {
        const struct dead_letter_record *d = LIST_ITEM(link, struct dead_letter_record, link);
        buf_put_le64(&b, d->number);
        buf_put_le64(&b, d->queue);
        buf_put_u8(&b, d->reason);
        buf_put_le32(&b, d->content.size);
    }
    uint64_t value = hash_slice(buf_slice(&b));
    buf_close(&b);
    return value;
}

/* --- invariants --- */

struct tally {
    uint64_t ready, unacked, ready_bytes, unacked_bytes, expiring;
};

static bool check_page(const struct page *p, struct tally *t, struct err *err)
{
    uint64_t ready = 0, live = 0;
    if (!p) return true;
    if (p->paged_out) {
        if (p->slots || p->ready != PAGE_SLOTS || p->live != PAGE_SLOTS || !p->index.segment)
            return err_set(err, ERR_INVALID, "a page that is out has slots, or misses some"), false;
        t->ready += PAGE_SLOTS;
        t->ready_bytes += p->bytes;
        return true;
    }
    for (uint16_t i = 0; p->slots && i < p->count; i++) {
        const struct slot *s = &p->slots[i];
        if (s->state == SLOT_GONE) continue;
        live++;
        if (!s->content.blob && !s->content.where.segment)
            return err_set(err, ERR_INVALID, "a message whose content is nowhere"), false;
        bool is_ready = s->state == SLOT_READY;
        ready += is_ready;
        *(is_ready ? &t->ready_bytes : &t->unacked_bytes) += s->content.body;
        t->expiring += s->expires_ms != 0;
    }
    t->ready += ready;
    t->unacked += live - ready;
    if (ready != p->ready || live != p->live)
        return err_set(err, ERR_INVALID, "a page counts %u ready of %u, has %llu of %llu", p->ready, p->live,
                       (unsigned long long)ready, (unsigned long long)live),
               false;
    return true;
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
                t.unacked_bytes == q->unacked_bytes && t.expiring == q->expiring;
    if (!same)
        return err_set(err, ERR_INVALID, "queue %llu counts ready %llu unacked %llu, has %llu and %llu",
                       (unsigned long long)q->id, (unsigned long long)q->ready, (unsigned long long)q->unacked,
                       (unsigned long long)t.ready, (unsigned long long)t.unacked),
               false;
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
    bool has_level = q && item->level < q->level_count && q->levels[item->level];
    return has_level ? level_slot(q->levels[item->level], item->number, m->store) : NULL;
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
        if (!check_queue(m->order[i], err)) return false;
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
