/* The machine's state out of a manifest. Bytes are believed only as far as they fit together. */
#include "node/queue/checkpoint_codec.h"
#include "node/queue/machine_internal.h"

static struct location restore_location(struct queue_machine *m, struct reader *r)
{
    struct location where = location_decode(r);
    if (!r->failed && !store_has(m->store, where)) reader_fail(r);
    if (!r->failed) store_retain(m->store, where);
    return where;
}

/* --- ports --- */

static void restore_window(struct reader *r, struct machine_port *p)
{
    p->window_from = reader_le64(r);
    if (r->failed || p->window_from >= p->next_dseq || p->next_dseq - p->window_from - 1 > reader_left(r)) {
        reader_fail(r);
        return;
    }
    uint64_t end = p->next_dseq;
    for (uint64_t d = p->window_from + 1; d < end && !r->failed; d++) {
        p->next_dseq = d + 1;
        window_add(p, d, (uint32_t)reader_varint(r));
    }
    p->next_dseq = end;
}

static void restore_consumer(struct queue_machine *m, struct reader *r, struct machine_port *p)
{
    uint64_t queue = reader_le64(r);
    struct consumer read = {.port = p, .id = (uint32_t)reader_varint(r)};
    read.flags = reader_u8(r);
    read.prefetch = (uint32_t)reader_varint(r);
    read.priority = (int32_t)reader_le32(r);
    read.timeout_ms = reader_varint(r);
    read.oldest_ms = reader_le64(r);
    struct slice tag = reader_counted(r);
    if (r->failed || !queue || !read.id || consumer_find(p, read.id)) {
        reader_fail(r);
        return;
    }
    struct consumer *c = mem_alloc(sizeof *c);
    *c = read;
    c->tag = slice_of(mem_strndup((const char *)tag.data, tag.size), tag.size);
    c->queue = queue_find(m, queue);
    if (!c->queue) c->queue = queue_make(m, queue); /* its own record follows */
    list_init(&c->queue_link);
    list_append(&p->consumers, &c->port_link);
}

static void restore_unacked(struct reader *r, struct machine_port *p)
{
    uint64_t dseq = 0, count = reader_varint(r);
    for (uint64_t i = 0; i < count && !r->failed; i++) {
        uint64_t step = reader_varint(r);
        struct unacked_item item = {.live = true};
        item.queue = reader_le64(r);
        item.number = reader_varint(r);
        item.consumer = (uint32_t)reader_varint(r);
        item.level = reader_u8(r);
        item.delivered_ms = reader_varint(r);
        if (r->failed || !step || step >= p->next_dseq - dseq) {
            reader_fail(r);
            return;
        }
        dseq += step;
        *unacked_add(p, dseq) = item;
        p->unacked++;
        p->held += item.consumer != 0;
        struct consumer *c = item.consumer ? consumer_find(p, item.consumer) : NULL;
        if (c && c->queue->id == item.queue) c->unacked++;
    }
}

static void restore_port(struct queue_machine *m, struct reader *r)
{
    struct machine_port *p = (struct machine_port *)machine_port_create(m);
    bool sound = port_base_decode(r, &p->base) && !port_table_find(&m->ports, p->base.id);
    if (!sound) {
        mem_free(p->base.reply_text);
        mem_free(p->base.refused);
        mem_free(p);
        reader_fail(r);
        return;
    }
    port_table_insert(&m->ports, &p->base);
    p->next_dseq = reader_le64(r);
    p->limit = (uint32_t)reader_varint(r);
    restore_window(r, p);
    for (uint64_t n = reader_varint(r); n && !r->failed; n--) restore_consumer(m, r, p);
    restore_unacked(r, p);
    for (uint64_t n = reader_varint(r); n && !r->failed; n--) {
        uint32_t consumer = (uint32_t)reader_varint(r);
        consumer_keep_cancelled(p, (struct cancelled){consumer, reader_varint(r)});
    }
}

/* --- queues --- */

static void restore_counts(struct queue *q, struct level *l, struct page *p, const struct slot *s)
{
    bool ready = s->state == SLOT_READY, plain = ready && !s->redelivered && !s->delivery_count;
    p->touched |= !plain;
    p->live++;
    p->ready += ready;
    l->ready += ready;
    p->expiring += s->expires_ms != 0;
    q->expiring += s->expires_ms != 0;
    if (s->state == SLOT_DELAYED) {
        q->delayed_bytes += s->content.body;
    } else {
        *(ready ? &q->ready : &q->unacked) += 1;
        *(ready ? &q->ready_bytes : &q->unacked_bytes) += s->content.body;
    }
}

/* `end`: the page has no numbers from this offset on. */
static void restore_slots(struct queue_machine *m, struct reader *r, struct queue *q, struct level *l, struct page *p,
                          uint64_t end)
{
    int last = -1;
    for (uint64_t live = reader_varint(r); live && !r->failed; live--) {
        uint64_t offset = reader_varint(r);
        uint8_t flags = reader_u8(r);
        if (r->failed || offset >= end || (int)offset <= last) {
            reader_fail(r);
            return;
        }
        last = (int)offset;
        struct slot *s = page_restore_slot(p, (uint16_t)offset);
        *s = (struct slot){.state = flags & SLOT_FLAG_UNACKED   ? SLOT_UNACKED
                                    : flags & SLOT_FLAG_DELAYED ? SLOT_DELAYED
                                                                : SLOT_READY,
                           .redelivered = flags & SLOT_FLAG_REDELIVERED};
        s->delivery_count = (uint32_t)reader_varint(r);
        if (flags & SLOT_FLAG_EXPIRES) s->expires_ms = reader_varint(r);
        s->content.body = (uint32_t)reader_varint(r);
        s->content.where = restore_location(m, r);
        s->content.size = s->content.where.size;
        if (s->content.body > s->content.size) reader_fail(r);
        restore_counts(q, l, p, s);
    }
}

static void restore_index(struct queue_machine *m, struct reader *r, struct queue *q, struct level *l, struct page *p)
{
    p->index = restore_location(m, r);
    uint64_t expiring = reader_varint(r);
    p->expiring = expiring <= PAGE_SLOTS ? (uint16_t)expiring : 0;
    if (expiring > PAGE_SLOTS || p->index.size != page_index_size(p)) reader_fail(r);
    q->expiring += p->expiring;
    p->bytes = reader_varint(r);
    for (unsigned i = 0; i < PAGE_SEGMENTS_MAX; i++) {
        p->segments[i].segment = reader_le32(r);
        p->segments[i].bytes = reader_le32(r);
        if (!r->failed && p->segments[i].segment)
            store_retain_bytes(m->store, p->segments[i].segment, p->segments[i].bytes);
    }
    p->paged_out = true;
    l->pages_out++;
    p->live = p->ready = PAGE_SLOTS;
    l->ready += PAGE_SLOTS;
    q->ready += PAGE_SLOTS;
    q->ready_bytes += p->bytes;
}

static void restore_level(struct queue_machine *m, struct reader *r, struct queue *q, struct level *l)
{
    uint64_t next = reader_varint(r), last_page = UINT64_MAX;
    for (uint64_t pages = reader_varint(r); pages && !r->failed; pages--) {
        uint64_t number = reader_varint(r);
        uint8_t kind = reader_u8(r);
        bool rising = last_page == UINT64_MAX || number > last_page;
        bool sound = rising && number <= next / PAGE_SLOTS && next / PAGE_SLOTS - number <= LEVEL_PAGES_MAX;
        if (r->failed || !sound) {
            reader_fail(r);
            break;
        }
        last_page = number;
        struct page *p = level_restore_page(l, number);
        uint64_t left = next - number * PAGE_SLOTS, end = left < PAGE_SLOTS ? left : PAGE_SLOTS;
        level_expiry_move(l, p, reader_le64(r));
        if (kind == PAGE_SLOTTED) restore_slots(m, r, q, l, p, end);
        else if (kind == PAGE_INDEXED && end == PAGE_SLOTS) restore_index(m, r, q, l, p);
        else reader_fail(r);
    }
    level_restore_end(l, next);
}

static void restore_queue_consumers(struct queue_machine *m, struct reader *r, struct queue *q)
{
    for (uint64_t n = reader_varint(r); n && !r->failed; n--) {
        uint64_t port = reader_le64(r);
        uint32_t id = (uint32_t)reader_varint(r);
        uint8_t flags = reader_u8(r);
        struct machine_port *p = (struct machine_port *)port_table_find(&m->ports, port);
        struct consumer *c = p ? consumer_find(p, id) : NULL;
        if (!c || c->queue != q || !list_empty(&c->queue_link)) {
            reader_fail(r);
            return;
        }
        list_append(&q->consumers, &c->queue_link);
        q->consumer_count++;
        if (flags & CONSUMER_ACTIVE) q->active = c;
        if (flags & CONSUMER_EXCLUSIVE) q->exclusive = c;
    }
}

static void restore_delayed(struct reader *r, struct queue *q)
{
    struct delayed d = {.at_ms = reader_le64(r)};
    d.level = reader_u8(r);
    d.number = reader_varint(r);
    if (!r->failed) retry_push(q, d);
}

/* Queues stand in the order of their ids. */
static void restore_queue(struct queue_machine *m, struct reader *r, uint64_t *last)
{
    struct queue_settings settings;
    uint64_t id = reader_le64(r);
    if (!queue_settings_decode(r, &settings) || id <= *last) {
        reader_fail(r);
        return;
    }
    *last = id;
    struct queue *q = queue_find(m, id);
    if (!q) q = queue_make(m, id);
    queue_set(q, &settings);
    q->used_ms = reader_le64(r);
    uint64_t timer_ms = reader_le64(r);
    q->timeout_at_ms = reader_le64(r);
    uint8_t flags = reader_u8(r);
    q->had_consumers = flags & QUEUE_FLAG_HAD_CONSUMERS;
    q->unused_told = flags & QUEUE_FLAG_UNUSED_TOLD;
    uint64_t levels = reader_varint(r);
    if (levels > UINT8_MAX + 1u) reader_fail(r); /* there may be more than priorities: these were reduced */
    for (uint64_t i = 0; i < levels && !r->failed; i++)
        if (reader_u8(r)) restore_level(m, r, q, queue_level(q, (uint8_t)i));
    if (reader_u8(r)) q->dedup = dedup_decode(r);
    for (uint64_t n = reader_varint(r); n && !r->failed; n--) restore_delayed(r, q);
    restore_queue_consumers(m, r, q);
    timer_restore(m, q, timer_ms);
}

static struct slice read_name(struct reader *r)
{
    struct slice name = reader_counted(r);
    if (name.size > UINT8_MAX) reader_fail(r);
    return name;
}

static void restore_names(struct reader *r, struct dead_letter_record *d)
{
    struct slice vhost = read_name(r), exchange = read_name(r);
    if (!r->failed) dead_letter_name(d, vhost, exchange);
}

static void restore_targets(struct reader *r, struct dead_letter_record *d)
{
    struct slice targets = reader_counted(r);
    if (targets.size % 8 || d->reason >= DEAD_DUE) reader_fail(r);
    if (!r->failed) dead_letter_aim(d, targets);
}

static void restore_dead_letter(struct queue_machine *m, struct reader *r)
{
    struct dead_letter_record *d = mem_zalloc(sizeof *d);
    uint64_t before = list_empty(&m->dead) ? 0 : LIST_ITEM(m->dead.previous, struct dead_letter_record, link)->number;
    list_append(&m->dead, &d->link);
    d->number = reader_le64(r);
    if (d->number <= before || d->number > m->dead_number) reader_fail(r); /* in the order in which they died */
    d->queue = reader_le64(r);
    uint8_t reason = reader_u8(r);
    d->reason = reason & (uint8_t)~DEAD_AIMED;
    d->content.where = restore_location(m, r);
    d->content.size = d->content.where.size;
    if (reason & DEAD_AIMED) restore_targets(r, d);
    if (d->reason >= DEAD_DUE) {
        restore_names(r, d);
        d->target = reader_le64(r);
    }
    struct queue *q = queue_find(m, d->queue);
    if (q) q->dead_pending++;
}

static void restore_postponed(struct queue_machine *m, struct reader *r)
{
    struct dead_letter_record *d = mem_zalloc(sizeof *d);
    d->reason = DEAD_DUE;
    d->due_ms = reader_le64(r);
    d->serial = reader_le64(r);
    bool again = d->serial & POSTPONED_AGAIN;
    d->serial &= ~POSTPONED_AGAIN;
    if (d->serial > m->postponed_serial) reader_fail(r);
    d->content.where = restore_location(m, r);
    d->content.size = d->content.where.size;
    if (again) {
        d->queue = reader_le64(r);
        d->reason = reader_u8(r);
        restore_targets(r, d);
        struct queue *q = queue_find(m, d->queue);
        if (q) q->dead_pending++;
    } else {
        restore_names(r, d);
    }
    postponed_restore(m, d);
}

static void restore_history(struct queue_machine *m, struct reader *r)
{
    struct slice vhost = read_name(r), exchange = read_name(r);
    if (r->failed) return;
    struct history *h = history_make(m, vhost, exchange);
    for (uint64_t n = reader_varint(r); n && !r->failed; n--) {
        struct dead_letter_record *d = mem_zalloc(sizeof *d);
        d->content.where = restore_location(m, r);
        d->content.size = d->content.where.size;
        history_append(h, d);
    }
}

int machine_restore(void *self, struct slice manifest, struct err *err)
{
    struct queue_machine *m = self;
    machine_clear(m, false);
    struct reader r = reader_of(manifest);
    if (reader_u8(&r) != MACHINE_VERSION)
        return (int)err_set(err, ERR_VERSION, "queue machine: a format version that this build does not read");
    m->now_ms = reader_le64(&r);
    m->dead_number = reader_le64(&r);
    if (!port_table_decode(&m->ports, &r)) reader_fail(&r);
    for (uint64_t n = reader_varint(&r); n && !r.failed; n--) restore_port(m, &r);
    uint64_t last = 0, queues = reader_varint(&r);
    for (uint64_t n = queues; n && !r.failed; n--) restore_queue(m, &r, &last);
    if (queues != m->queue_count) reader_fail(&r); /* consumers of queues that are not here */
    for (uint64_t n = reader_varint(&r); n && !r.failed; n--) restore_dead_letter(m, &r);
    m->postponed_serial = reader_le64(&r);
    if (m->postponed_serial & POSTPONED_AGAIN) reader_fail(&r);
    for (uint64_t n = reader_varint(&r); n && !r.failed; n--) restore_postponed(m, &r);
    for (uint64_t n = reader_varint(&r); n && !r.failed; n--) restore_history(m, &r);
    struct err unsound;
    bool sound = !r.failed && !reader_left(&r) && machine_check(m, &unsound);
    if (sound) return 0;
    machine_clear(m, false);
    if (r.failed || reader_left(&r))
        return (int)err_set(err, ERR_CORRUPT, "queue machine: the manifest's machine part is damaged");
    return (int)err_set(err, ERR_CORRUPT, "queue machine: the manifest does not fit together: %s", unsound.text);
}
