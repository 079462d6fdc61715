/* Pages that leave memory and come back: which may, the index of places that is left of one, reading it back. */
#include "base/check.h"
#include "base/mem.h"
#include "node/queue/page.h"

bool page_may_go_out(const struct page *p)
{
    return !p->touched && !p->paged_out && p->slots && p->base == 0 && p->count == PAGE_SLOTS &&
           p->ready == PAGE_SLOTS && p->live == PAGE_SLOTS;
}

static bool note_segments(struct page *p)
{
    memset(p->segments, 0, sizeof p->segments);
    p->bytes = 0;
    for (uint16_t i = 0; i < p->count; i++) {
        struct location w = p->slots[i].content.where;
        unsigned at_segment = 0;
        while (at_segment < PAGE_SEGMENTS_MAX && p->segments[at_segment].segment &&
               p->segments[at_segment].segment != w.segment)
            at_segment++;
        if (!w.segment || at_segment == PAGE_SEGMENTS_MAX) return false;
        p->segments[at_segment].segment = w.segment;
        p->segments[at_segment].bytes += w.size;
        p->bytes += p->slots[i].content.body;
    }
    return true;
}

void page_write_index(struct page *p, struct checkpoint *c, struct store *store)
{
    if (p->index.segment || !page_may_go_out(p) || !note_segments(p)) return;
    struct buf b = {0};
    for (uint16_t i = 0; i < p->count; i++) {
        struct location w = p->slots[i].content.where;
        buf_put_le32(&b, w.segment);
        buf_put_le32(&b, w.offset);
        buf_put_le32(&b, w.size);
        buf_put_le32(&b, p->slots[i].content.body);
        if (p->expiring) buf_put_le64(&b, p->slots[i].expires_ms);
    }
    p->index = checkpoint_add_raw(c, buf_slice(&b));
    store_retain_bytes(store, p->index.segment, p->index.size);
    buf_close(&b);
}

void page_drop_index(struct page *p, struct store *store)
{
    if (!p->index.segment) return;
    store_release_bytes(store, p->index.segment, p->index.size);
    p->index = (struct location){0};
}

void page_out(struct page *p)
{
    for (uint16_t i = 0; i < p->count; i++) {
        level_memory_drop(p->level, &p->slots[i]);
        blob_unref(p->slots[i].content.blob);
    }
    mem_free(p->slots);
    p->slots = NULL;
    p->count = p->capacity = 0;
    p->paged_out = true;
    p->level->pages_out++;
}

bool page_in(struct page *p, struct store *store)
{
    uint8_t bytes[PAGE_SLOTS * PAGE_INDEX_ITEM_TIMED];
    struct err err;
    CHECK(p->paged_out && p->index.size == page_index_size(p));
    if (store_read_now(store, p->index.segment, p->index.offset, bytes, p->index.size, &err)) {
        store_fail(store, &err);
        return false;
    }
    p->slots = mem_zalloc(PAGE_SLOTS * sizeof *p->slots);
    p->base = 0;
    p->count = p->capacity = PAGE_SLOTS;
    struct reader r = reader_of(slice_of(bytes, p->index.size));
    uint64_t bytes_left = p->bytes;
    uint16_t expiring_left = p->expiring;
    for (uint16_t i = 0; i < PAGE_SLOTS; i++) {
        struct slot *s = &p->slots[i];
        s->state = SLOT_READY;
        s->content.where.segment = reader_le32(&r);
        s->content.where.offset = reader_le32(&r);
        s->content.where.size = s->content.size = reader_le32(&r);
        s->content.body = reader_le32(&r);
        bytes_left -= s->content.body;
        if (p->expiring) s->expires_ms = reader_le64(&r);
        expiring_left -= s->expires_ms != 0;
    }
    if (bytes_left || expiring_left) {
        err_set(&err, ERR_CORRUPT, "segment %u: the index at offset %u is of another page", p->index.segment,
                p->index.offset);
        store_fail(store, &err);
        mem_free(p->slots);
        p->slots = NULL;
        p->count = p->capacity = 0;
        return false;
    }
    p->paged_out = false;
    p->level->pages_out--;
    page_drop_index(p, store);
    return true;
}

uint32_t page_index_size(const struct page *p)
{
    return PAGE_SLOTS * (p->expiring ? PAGE_INDEX_ITEM_TIMED : PAGE_INDEX_ITEM);
}

void page_release_out(struct page *p, struct store *store)
{
    for (unsigned i = 0; i < PAGE_SEGMENTS_MAX; i++)
        if (p->segments[i].segment) store_release_bytes(store, p->segments[i].segment, p->segments[i].bytes);
}
