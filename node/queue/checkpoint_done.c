/* After a checkpoint: what it stored is read from the segment from now on, or, if it failed, is where it was. */
#include "node/queue/machine_internal.h"

static void settle_content(struct queue_machine *m, struct stored *s, struct location before, bool durable)
{
    if (durable) { /* from now on it is read from the segment */
        blob_unref(s->blob);
        s->blob = NULL;
        return;
    }
    store_release(m->store, s->where);
    s->where = before;
    if (before.segment) store_retain(m->store, before);
}

/* False: the message left its slot meanwhile. */
static bool settle_slot(struct queue_machine *m, const struct pending_content *p, bool durable)
{
    struct page *page = p->page;
    bool there = page->slots && p->offset >= page->base && p->offset < page->base + page->count;
    struct slot *slot = there ? &page->slots[p->offset - page->base] : NULL;
    bool live = slot && slot->state != SLOT_GONE;
    if (live && durable) level_memory_drop(page->level, slot);
    if (live) settle_content(m, &slot->content, p->before, durable);
    page_unpin(page);
    return live;
}

static void settle_dead_letter(struct queue_machine *m, const struct pending_content *p, bool durable)
{
    struct dead_letter_record *d = p->dead;
    d->pending--;
    if (!d->gone) settle_content(m, &d->content, p->before, durable);
    else if (!d->pending) mem_free(d); /* it went meanwhile */
}

static uint64_t place_key(struct location where)
{
    return (uint64_t)where.segment << 32 | where.offset;
}

/* Messages that became dead letters while the checkpoint was written took their places along. */
static void settle_buried(struct queue_machine *m, const struct map_u64 *left, bool durable)
{
    LIST_FOR(&m->dead, link)
    {
        struct stored *content = &LIST_ITEM(link, struct dead_letter_record, link)->content;
        const struct pending_content *p = content->where.segment ? map_u64_get(left, place_key(content->where)) : NULL;
        if (p) settle_content(m, content, p->before, durable);
    }
}

void machine_checkpoint_done(void *self, bool durable)
{
    struct queue_machine *m = self;
    struct map_u64 left = {0};
    for (size_t i = 0; i < m->pending_count; i++) {
        struct pending_content *p = &m->pending[i];
        if (!p->page) settle_dead_letter(m, p, durable);
        if (!p->page && p->before.segment)
            map_u64_set(&left, place_key(p->after), p); /* a history's may have been copied */
        else if (!p->page) continue;
        else if (!settle_slot(m, p, durable)) map_u64_set(&left, place_key(p->after), p);
    }
    if (left.count) settle_buried(m, &left, durable);
    map_u64_close(&left);
    for (size_t i = 0; i < m->indexed_count; i++) {
        struct page *p = m->indexed[i];
        if (durable && !p->orphan && page_may_go_out(p)) page_out(p);
        else page_drop_index(p, m->store);
        page_unpin(p);
    }
    for (size_t i = 0; i < m->queue_count; i++)
        for (unsigned l = 0; l < m->order[i]->level_count; l++)
            if (m->order[i]->levels[l]) level_trim(m->order[i]->levels[l]);
    mem_free(m->pending); /* a deep queue's was big */
    m->pending = NULL;
    m->pending_count = m->pending_capacity = m->indexed_count = 0;
}
