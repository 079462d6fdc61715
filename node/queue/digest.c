/* What all replicas must agree on, as one number. Tests and the simulator ask. */
#include "base/hash.h"
#include "node/queue/machine_internal.h"

/* Of a page: counts, and its slots; of a page whose every slot is ready only those that are more than a plain message,
 * because one that is out has only such. */
static void digest_page(struct buf *b, const struct page *p, uint64_t number)
{
    if (!p || !p->live) return;
    buf_put_varint(b, number);
    buf_put_varint(b, p->live);
    buf_put_varint(b, p->ready);
    buf_put_varint(b, p->expiring);
    buf_put_le64(b, p->earliest_ms);
    for (uint16_t i = 0; p->slots && i < p->count; i++) {
        const struct slot *s = &p->slots[i];
        bool plain = s->state == SLOT_READY && !s->redelivered && !s->delivery_count;
        if (s->state == SLOT_GONE || (plain && p->live == PAGE_SLOTS)) continue;
        buf_put_varint(b, (uint64_t)p->base + i);
        buf_put_u8(b, s->state);
        buf_put_u8(b, s->redelivered);
        buf_put_varint(b, s->delivery_count);
        buf_put_varint(b, s->expires_ms);
        buf_put_varint(b, s->content.size);
    }
}

/* However the heap is arranged. */
static uint64_t digest_delayed(const struct queue *q)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < q->delayed_count; i++)
        sum += hash_u64(q->delayed[i].at_ms ^ hash_u64(q->delayed[i].number ^ (uint64_t)q->delayed[i].level << 56));
    return sum + q->delayed_count;
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
    buf_put_le64(b, q->timer_ms);
    buf_put_le64(b, q->timeout_at_ms);
    buf_put_le64(b, digest_delayed(q));
    if (q->dedup) dedup_encode(q->dedup, b);
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
        buf_put_le64(b, c->timeout_ms);
        buf_put_le64(b, c->oldest_ms);
    }
}

static void digest_port(struct buf *b, const struct machine_port *p)
{
    port_base_encode(&p->base, b);
    buf_put_le64(b, p->next_dseq);
    buf_put_le32(b, p->limit);
    buf_put_le64(b, p->unacked);
    buf_put_le64(b, p->window_bytes);
    for (uint32_t i = 0; i < p->cancelled_count; i++) buf_put_le32(b, p->cancelled[i].consumer);
    const struct unacked_item *item;
    for (uint64_t dseq = 0; (item = unacked_next((struct machine_port *)p, &dseq));) {
        buf_put_le64(b, dseq);
        buf_put_le64(b, item->queue);
        buf_put_le64(b, item->number);
        buf_put_le32(b, item->consumer);
        buf_put_le64(b, item->delivered_ms);
    }
}

static uint64_t digest_postponed(const struct queue_machine *m)
{
    uint64_t sum = m->postponed_count;
    for (size_t i = 0; i < m->postponed_count; i++) {
        const struct dead_letter_record *d = m->postponed[i];
        uint64_t aim = d->reason < DEAD_DUE ? hash_slice(d->targets) ^ hash_u64(d->queue) : hash_slice(d->exchange);
        sum += hash_u64(d->due_ms ^ hash_u64(d->serial ^ aim ^ (uint64_t)d->content.size << 32));
    }
    return sum;
}

static void digest_histories(struct buf *b, const struct queue_machine *m)
{
    LIST_FOR(&m->histories, at)
    {
        const struct history *h = LIST_ITEM(at, struct history, link);
        buf_put_counted(b, h->vhost);
        buf_put_counted(b, h->exchange);
        LIST_FOR(&h->messages, link)
        buf_put_le32(b, LIST_ITEM(link, struct dead_letter_record, link)->content.size);
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
        buf_put_slice(&b, d->targets);
    }
    buf_put_le64(&b, m->postponed_serial);
    buf_put_le64(&b, digest_postponed(m));
    digest_histories(&b, m);
    uint64_t value = hash_slice(buf_slice(&b));
    buf_close(&b);
    return value;
}
