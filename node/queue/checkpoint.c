/* The machine's part of a checkpoint: contents that have no segment get one, then the state without contents is written
 * (docs/formats/manifest.md has the layout). What has a segment needs no memory afterwards. */
#include "node/queue/checkpoint_codec.h"
#include "node/queue/machine_internal.h"

enum {
    PAGE_HEAD_WINDOW = 4,      /* pages at the head of a level that stay in memory */
    DEEP_QUEUE_BYTES = 4 << 20 /* a queue with so much to store gets segments of its own: its end frees whole files */
};

/* --- contents --- */

static void keep_pending(struct queue_machine *m, struct pending_content p)
{
    m->pending = mem_grow(m->pending, &m->pending_capacity, m->pending_count + 1, sizeof *m->pending);
    m->pending[m->pending_count++] = p;
}

/* True if the content got another place. */
static bool store_content(struct queue_machine *m, struct checkpoint *c, struct stored *s, struct location *before)
{
    *before = s->where;
    if (!s->where.segment) {
        s->where = checkpoint_add(c, stored_part(s));
        return true;
    }
    if (!store_evacuating(m->store, s->where.segment)) return false;
    s->where = checkpoint_move(c, s->where);
    return true;
}

static bool page_evacuating(const struct queue_machine *m, const struct page *p)
{
    bool evacuating = p->index.segment && store_evacuating(m->store, p->index.segment);
    for (unsigned i = 0; i < PAGE_SEGMENTS_MAX && p->segments[i].segment; i++)
        evacuating |= store_evacuating(m->store, p->segments[i].segment);
    return evacuating;
}

static void store_page(struct queue_machine *m, struct checkpoint *c, struct queue *q, struct page *p, bool may_go_out)
{
    if (p->paged_out && (!page_evacuating(m, p) || !page_in(p, m->store))) return;
    for (uint16_t i = 0; p->slots && i < p->count; i++) {
        struct location before;
        if (p->slots[i].state == SLOT_GONE || !store_content(m, c, &p->slots[i].content, &before)) continue;
        p->pending++;
        q->counts.written++;
        keep_pending(
            m, (struct pending_content){
                   .page = p, .offset = (uint16_t)(p->base + i), .before = before, .after = p->slots[i].content.where});
    }
    if (!may_go_out || !page_may_go_out(p)) return;
    page_write_index(p, c, m->store);
    if (!p->index.segment) return;
    p->pending++;
    m->indexed = mem_grow(m->indexed, &m->indexed_capacity, m->indexed_count + 1, sizeof(struct page *));
    m->indexed[m->indexed_count++] = p;
}

static void store_level(struct queue_machine *m, struct checkpoint *c, struct queue *q, struct level *l)
{
    uint64_t window = l->front / PAGE_SLOTS + PAGE_HEAD_WINDOW;
    for (uint64_t i = l->first_page; i < l->first_page + l->page_count; i++) {
        struct page *p = level_page(l, i * PAGE_SLOTS);
        if (p) store_page(m, c, q, p, i > window);
    }
}

static void store_queue(struct queue_machine *m, struct checkpoint *c, struct queue *q)
{
    bool deep = q->ready_bytes > DEEP_QUEUE_BYTES;
    if (deep) checkpoint_new_segment(c);
    for (unsigned i = 0; i < q->level_count; i++)
        if (q->levels[i]) store_level(m, c, q, q->levels[i]);
    if (deep) checkpoint_new_segment(c);
}

static void store_dead_letter(struct queue_machine *m, struct checkpoint *c, struct dead_letter_record *d)
{
    struct location before;
    if (!store_content(m, c, &d->content, &before)) return;
    d->pending++;
    keep_pending(m, (struct pending_content){.dead = d, .before = before, .after = d->content.where});
}

static void store_dead_letters(struct queue_machine *m, struct checkpoint *c)
{
    LIST_FOR(&m->dead, link) store_dead_letter(m, c, LIST_ITEM(link, struct dead_letter_record, link));
    for (size_t i = 0; i < m->postponed_count; i++) store_dead_letter(m, c, m->postponed[i]);
    LIST_FOR(&m->histories, at)
    LIST_FOR(&LIST_ITEM(at, struct history, link)->messages, link)
    store_dead_letter(m, c, LIST_ITEM(link, struct dead_letter_record, link));
}

/* --- state --- */

static void encode_page(struct buf *b, const struct page *p, uint64_t number)
{
    buf_put_varint(b, number);
    bool indexed = p->index.segment != 0;
    buf_put_u8(b, indexed ? PAGE_INDEXED : PAGE_SLOTTED);
    buf_put_le64(b, p->earliest_ms);
    if (indexed) {
        location_encode(b, p->index);
        buf_put_varint(b, p->expiring);
        buf_put_varint(b, p->bytes);
        for (unsigned i = 0; i < PAGE_SEGMENTS_MAX; i++) {
            buf_put_le32(b, p->segments[i].segment);
            buf_put_le32(b, p->segments[i].bytes);
        }
        return;
    }
    buf_put_varint(b, p->live);
    for (uint16_t i = 0; i < p->count; i++) {
        const struct slot *s = &p->slots[i];
        if (s->state == SLOT_GONE) continue;
        buf_put_varint(b, (uint64_t)p->base + i);
        buf_put_u8(b,
                   (uint8_t)((s->state == SLOT_UNACKED ? SLOT_FLAG_UNACKED : 0) |
                             (s->state == SLOT_DELAYED ? SLOT_FLAG_DELAYED : 0) |
                             (s->redelivered ? SLOT_FLAG_REDELIVERED : 0) | (s->expires_ms ? SLOT_FLAG_EXPIRES : 0)));
        buf_put_varint(b, s->delivery_count);
        if (s->expires_ms) buf_put_varint(b, s->expires_ms);
        buf_put_varint(b, s->content.body);
        location_encode(b, s->content.where);
    }
}

static bool has_live(const struct page *p)
{
    return p && p->live;
}

static void encode_level(struct buf *b, const struct level *l)
{
    uint64_t pages = 0;
    buf_put_varint(b, l->next);
    for (uint64_t i = l->first_page; i < l->first_page + l->page_count; i++)
        pages += has_live(level_page(l, i * PAGE_SLOTS));
    buf_put_varint(b, pages);
    for (uint64_t i = l->first_page; i < l->first_page + l->page_count; i++) {
        const struct page *p = level_page(l, i * PAGE_SLOTS);
        if (has_live(p)) encode_page(b, p, i);
    }
}

static void encode_queue(struct buf *b, const struct queue *q)
{
    buf_put_le64(b, q->id);
    queue_settings_encode(b, &q->settings);
    buf_put_le64(b, q->used_ms);
    buf_put_le64(b, q->timer_ms);
    buf_put_le64(b, q->timeout_at_ms);
    buf_put_u8(b, (uint8_t)((q->had_consumers ? QUEUE_FLAG_HAD_CONSUMERS : 0) |
                            (q->unused_told ? QUEUE_FLAG_UNUSED_TOLD : 0)));
    buf_put_varint(b, q->level_count);
    for (unsigned i = 0; i < q->level_count; i++) {
        buf_put_u8(b, q->levels[i] != NULL);
        if (q->levels[i]) encode_level(b, q->levels[i]);
    }
    buf_put_u8(b, q->dedup != NULL);
    if (q->dedup) dedup_encode(q->dedup, b);
    buf_put_varint(b, q->delayed_count);
    for (size_t i = 0; i < q->delayed_count; i++) {
        buf_put_le64(b, q->delayed[i].at_ms);
        buf_put_u8(b, q->delayed[i].level);
        buf_put_varint(b, q->delayed[i].number);
    }
    buf_put_varint(b, q->consumer_count);
    LIST_FOR(&q->consumers, link)
    {
        const struct consumer *c = LIST_ITEM(link, struct consumer, queue_link);
        buf_put_le64(b, c->port->base.id);
        buf_put_varint(b, c->id);
        buf_put_u8(b, (uint8_t)((q->active == c ? CONSUMER_ACTIVE : 0) | (q->exclusive == c ? CONSUMER_EXCLUSIVE : 0)));
    }
}

static void encode_unacked(struct buf *b, const struct machine_port *p)
{
    buf_put_varint(b, p->unacked);
    uint64_t last = 0, left = p->unacked;
    for (uint64_t chunk_id = p->oldest_chunk; left; chunk_id++) {
        const struct unacked_chunk *chunk = map_u64_get(&p->chunks, chunk_id);
        for (unsigned i = 0; chunk && i < UNACKED_CHUNK; i++) {
            const struct unacked_item *item = &chunk->items[i];
            if (!item->live) continue;
            uint64_t dseq = chunk_id * UNACKED_CHUNK + i;
            buf_put_varint(b, dseq - last);
            buf_put_le64(b, item->queue);
            buf_put_varint(b, item->number);
            buf_put_varint(b, item->consumer);
            buf_put_u8(b, item->level);
            buf_put_varint(b, item->delivered_ms);
            last = dseq;
            left--;
        }
    }
}

static void encode_port(struct buf *b, const struct machine_port *p)
{
    port_base_encode(&p->base, b);
    buf_put_le64(b, p->next_dseq);
    buf_put_varint(b, p->limit);
    buf_put_le64(b, p->window_from);
    for (uint64_t d = p->window_from + 1; d < p->next_dseq; d++)
        buf_put_varint(b, p->window_sizes[d & (p->window_capacity - 1)]);
    uint32_t consumers = 0;
    LIST_FOR(&p->consumers, link) consumers++;
    buf_put_varint(b, consumers);
    LIST_FOR(&p->consumers, link)
    {
        const struct consumer *c = LIST_ITEM(link, struct consumer, port_link);
        buf_put_le64(b, c->queue->id);
        buf_put_varint(b, c->id);
        buf_put_u8(b, c->flags);
        buf_put_varint(b, c->prefetch);
        buf_put_le32(b, (uint32_t)c->priority);
        buf_put_varint(b, c->timeout_ms);
        buf_put_le64(b, c->oldest_ms);
        buf_put_counted(b, c->tag);
    }
    encode_unacked(b, p);
    buf_put_varint(b, p->cancelled_count);
    for (uint32_t i = 0; i < p->cancelled_count; i++) {
        buf_put_varint(b, p->cancelled[i].consumer);
        buf_put_varint(b, p->cancelled[i].timeout_ms);
    }
}

static void encode_names(struct buf *b, const struct dead_letter_record *d)
{
    buf_put_counted(b, d->vhost);
    buf_put_counted(b, d->exchange);
}

static void encode_dead_letters(struct buf *b, const struct queue_machine *m)
{
    uint64_t count = 0;
    LIST_FOR(&m->dead, link) count++;
    buf_put_varint(b, count);
    LIST_FOR(&m->dead, link)
    {
        const struct dead_letter_record *d = LIST_ITEM(link, struct dead_letter_record, link);
        buf_put_le64(b, d->number);
        buf_put_le64(b, d->queue);
        buf_put_u8(b, d->targets.size ? d->reason | DEAD_AIMED : d->reason);
        location_encode(b, d->content.where);
        if (d->targets.size) buf_put_counted(b, d->targets);
        if (d->reason < DEAD_DUE) continue;
        encode_names(b, d);
        buf_put_le64(b, d->target);
    }
}

static void encode_postponed(struct buf *b, const struct queue_machine *m)
{
    buf_put_le64(b, m->postponed_serial);
    buf_put_varint(b, m->postponed_count);
    for (size_t i = 0; i < m->postponed_count; i++) {
        const struct dead_letter_record *d = m->postponed[i];
        bool again = d->reason < DEAD_DUE;
        buf_put_le64(b, d->due_ms);
        buf_put_le64(b, again ? d->serial | POSTPONED_AGAIN : d->serial);
        location_encode(b, d->content.where);
        if (!again) {
            encode_names(b, d);
            continue;
        }
        buf_put_le64(b, d->queue);
        buf_put_u8(b, d->reason);
        buf_put_counted(b, d->targets);
    }
}

static void encode_histories(struct buf *b, const struct queue_machine *m)
{
    uint64_t count = 0;
    LIST_FOR(&m->histories, link) count++;
    buf_put_varint(b, count);
    LIST_FOR(&m->histories, at)
    {
        const struct history *h = LIST_ITEM(at, struct history, link);
        buf_put_counted(b, h->vhost);
        buf_put_counted(b, h->exchange);
        buf_put_varint(b, h->count);
        LIST_FOR(&h->messages, link)
        location_encode(b, LIST_ITEM(link, struct dead_letter_record, link)->content.where);
    }
}

void machine_checkpoint(void *self, struct checkpoint *c)
{
    struct queue_machine *m = self;
    CHECK(!m->pending_count && !m->indexed_count);
    for (size_t i = 0; i < m->queue_count; i++) store_queue(m, c, m->order[i]);
    store_dead_letters(m, c);
    struct buf *b = checkpoint_manifest(c);
    buf_put_u8(b, MACHINE_VERSION);
    buf_put_le64(b, m->now_ms);
    buf_put_le64(b, m->dead_number);
    port_table_encode(&m->ports, b);
    buf_put_varint(b, m->ports.ports.count);
    LIST_FOR(&m->ports.order, link) encode_port(b, (struct machine_port *)LIST_ITEM(link, struct port_base, link));
    buf_put_varint(b, m->queue_count);
    for (size_t i = 0; i < m->queue_count; i++) encode_queue(b, m->order[i]);
    encode_dead_letters(b, m);
    encode_postponed(b, m);
    encode_histories(b, m);
}
