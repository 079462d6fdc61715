#include "node/queue/page.h"

#include "base/check.h"
#include "base/mem.h"

struct part stored_part(const struct stored *s)
{
    return (struct part){s->blob, s->offset, s->size};
}

void stored_drop(struct stored *s, struct store *store)
{
    blob_unref(s->blob);
    s->blob = NULL;
    if (s->where.segment) store_release(store, s->where);
    s->where = (struct location){0};
}

void level_init(struct level *l)
{
    *l = (struct level){0};
}

static struct page **at(const struct level *l, size_t i)
{
    return &l->pages[(l->head + i) & (l->capacity - 1)];
}

static void free_page(struct page *p)
{
    mem_free(p->slots);
    mem_free(p);
}

/* Room for `more` places. True: they are new, and so empty. */
static bool reserve_places(struct level *l, uint64_t more)
{
    size_t capacity = l->capacity ? l->capacity : 4;
    if (l->page_count + more <= l->capacity) return false;
    while (capacity < l->page_count + more) capacity *= 2;
    struct page **bigger = mem_zalloc(capacity * sizeof(struct page *));
    for (size_t i = 0; i < l->page_count; i++) bigger[i] = *at(l, i);
    mem_free(l->pages);
    l->pages = bigger;
    l->capacity = capacity;
    l->head = 0;
    return true;
}

static void add_place(struct level *l, struct page *p)
{
    reserve_places(l, 1);
    if (!l->page_count) l->first_page = l->next / PAGE_SLOTS;
    l->page_count++;
    *at(l, l->page_count - 1) = p;
}

/* Places without a page up to this one: there may be millions of them behind one message that is held for long. */
static void skip_to(struct level *l, uint64_t page)
{
    if (!l->page_count || l->first_page + l->page_count >= page) return;
    uint64_t more = page - l->first_page - l->page_count;
    bool empty = reserve_places(l, more);
    for (uint64_t i = 0; i < more && !empty; i++) *at(l, l->page_count + i) = NULL;
    l->page_count += more;
}

static void add_page(struct level *l)
{
    struct page *p = mem_zalloc(sizeof *p);
    p->earliest_ms = UINT64_MAX;
    add_place(l, p);
    p->level = l;
    p->number = l->first_page + l->page_count - 1;
}

struct page *level_page(const struct level *l, uint64_t number)
{
    uint64_t page = number / PAGE_SLOTS;
    if (page < l->first_page || page >= l->first_page + l->page_count) return NULL;
    return *at(l, page - l->first_page);
}

static struct slot *slot_in(struct page *p, uint64_t number)
{
    uint32_t offset = number % PAGE_SLOTS;
    if (!p->slots || offset < p->base || offset >= (uint32_t)p->base + p->count) return NULL;
    struct slot *s = &p->slots[offset - p->base];
    return s->state == SLOT_GONE ? NULL : s;
}

struct slot *level_slot(struct level *l, uint64_t number, struct store *store)
{
    struct page *p = level_page(l, number);
    if (!p || (p->paged_out && !page_in(p, store))) return NULL;
    return slot_in(p, number);
}

struct slot *level_append(struct level *l, uint64_t *number)
{
    *number = l->next;
    struct page *p = level_page(l, l->next);
    if (!p) {
        add_page(l);
        p = level_page(l, l->next);
    }
    uint16_t offset = (uint16_t)(l->next % PAGE_SLOTS);
    if (!p->live && !p->pending) { /* a shallow queue costs a few slots, wherever in the page it is */
        p->base = offset;
        p->count = 0;
    }
    if (p->count == p->capacity) {
        uint16_t capacity = p->capacity ? (uint16_t)(p->capacity * 2) : 4;
        p->capacity = capacity > PAGE_SLOTS ? PAGE_SLOTS : capacity;
        p->slots = mem_realloc(p->slots, p->capacity * sizeof *p->slots);
    }
    CHECK(offset == p->base + p->count);
    struct slot *s = &p->slots[p->count++];
    *s = (struct slot){.state = SLOT_READY};
    p->ready++;
    p->live++;
    l->ready++;
    if (l->next < l->front || l->ready == 1) l->front = l->next;
    l->next++;
    return s;
}

void level_memory_add(struct level *l, const struct slot *slot)
{
    l->memory++;
    l->memory_ready += slot->state == SLOT_READY;
    l->memory_bytes += slot->content.body;
}

void level_memory_drop(struct level *l, const struct slot *slot)
{
    if (!slot->content.blob) return;
    l->memory--;
    l->memory_ready -= slot->state == SLOT_READY;
    l->memory_bytes -= slot->content.body;
}

bool level_full(const struct level *l)
{
    return l->page_count && l->next / PAGE_SLOTS - l->first_page >= LEVEL_PAGES_MAX;
}

bool level_front(struct level *l, struct store *store, uint64_t *number, struct slot **slot)
{
    if (!l->ready) return false;
    if (l->front < l->first_page * PAGE_SLOTS) l->front = l->first_page * PAGE_SLOTS;
    while (l->front < l->next) {
        struct page *p = level_page(l, l->front);
        if (!p || !p->ready) {
            l->front = (l->front / PAGE_SLOTS + 1) * PAGE_SLOTS;
            continue;
        }
        if (p->paged_out && !page_in(p, store)) return false;
        struct slot *s = slot_in(p, l->front);
        if (s && s->state == SLOT_READY) {
            *number = l->front;
            *slot = s;
            return true;
        }
        l->front++;
    }
    return false;
}

const struct slot *level_peek(const struct level *l)
{
    uint64_t number = l->front < l->first_page * PAGE_SLOTS ? l->first_page * PAGE_SLOTS : l->front;
    while (l->ready && number < l->next) {
        struct page *p = level_page(l, number);
        if (p && p->paged_out) return NULL;
        const struct slot *s = p && p->ready ? slot_in(p, number) : NULL;
        if (s && s->state == SLOT_READY) return s;
        number = p && p->ready ? number + 1 : (number / PAGE_SLOTS + 1) * PAGE_SLOTS;
    }
    return NULL;
}

void level_set_unacked(struct level *l, uint64_t number, struct slot *slot)
{
    struct page *p = level_page(l, number);
    CHECK(slot->state == SLOT_READY);
    slot->state = SLOT_UNACKED;
    l->memory_ready -= slot->content.blob != NULL;
    p->touched = true;
    p->ready--;
    l->ready--;
}

void level_set_delayed(struct level *l, uint64_t number, struct slot *slot)
{
    (void)l, (void)number;
    CHECK(slot->state == SLOT_UNACKED);
    slot->state = SLOT_DELAYED;
}

void level_set_ready(struct level *l, uint64_t number, struct slot *slot)
{
    struct page *p = level_page(l, number);
    CHECK(slot->state == SLOT_UNACKED || slot->state == SLOT_DELAYED);
    slot->state = SLOT_READY;
    l->memory_ready += slot->content.blob != NULL;
    p->ready++;
    l->ready++;
    if (number < l->front || l->ready == 1) l->front = number;
    if (slot->expires_ms && slot->expires_ms < p->earliest_ms) level_expiry_move(l, p, slot->expires_ms);
}

struct stored level_take(struct level *l, uint64_t number, struct slot *slot)
{
    struct page *p = level_page(l, number);
    CHECK(slot->state != SLOT_GONE);
    struct stored content = slot->content;
    level_memory_drop(l, slot);
    if (slot->state == SLOT_READY) {
        p->ready--;
        l->ready--;
    }
    p->touched = true;
    slot->state = SLOT_GONE;
    slot->content.blob = NULL;
    slot->content.where = (struct location){0};
    if (slot->expires_ms && --p->expiring == 0) level_expiry_move(l, p, UINT64_MAX);
    if (--p->live || p->pending) return content;
    mem_free(p->slots);
    p->slots = NULL;
    p->count = p->capacity = 0;
    bool full = (number / PAGE_SLOTS + 1) * PAGE_SLOTS <= l->next;
    if (full && !p->index.segment) { /* behind an old message that stays, a page that is done costs its place only */
        free_page(p);
        *at(l, number / PAGE_SLOTS - l->first_page) = NULL;
    }
    return content;
}

void level_remove(struct level *l, uint64_t number, struct slot *slot, struct store *store)
{
    struct stored content = level_take(l, number, slot);
    stored_drop(&content, store);
    level_trim(l);
}

void level_trim(struct level *l)
{
    while (l->page_count) {
        struct page *p = *at(l, 0);
        bool full = (l->first_page + 1) * PAGE_SLOTS <= l->next;
        if (p && (p->live || p->pending || p->index.segment || !full)) return;
        if (p) free_page(p);
        l->head = (l->head + 1) & (l->capacity - 1);
        l->page_count--;
        l->first_page++;
    }
}

void page_unpin(struct page *p)
{
    if (--p->pending) return;
    if (p->orphan) {
        free_page(p);
    } else if (!p->live) {
        mem_free(p->slots);
        p->slots = NULL;
        p->count = p->capacity = 0;
    }
}

void level_close(struct level *l, struct store *store)
{
    for (size_t i = 0; i < l->page_count; i++) {
        struct page *p = *at(l, i);
        if (!p) continue;
        if (p->paged_out) page_release_out(p, store);
        page_drop_index(p, store);
        for (uint16_t s = 0; p->slots && s < p->count; s++) {
            if (p->slots[s].state != SLOT_GONE) stored_drop(&p->slots[s].content, store);
            p->slots[s].state = SLOT_GONE;
        }
        p->live = p->ready = 0;
        p->orphan = true;
        p->level = NULL;
        if (!p->pending) free_page(p);
    }
    mem_free(l->pages);
    mem_free(l->expiry);
    level_init(l);
}

/* --- restore --- */

struct page *level_restore_page(struct level *l, uint64_t page)
{
    if (!l->page_count) l->next = page * PAGE_SLOTS; /* add_place() begins there */
    skip_to(l, page);
    add_page(l);
    return *at(l, l->page_count - 1);
}

void level_restore_end(struct level *l, uint64_t next)
{
    skip_to(l, next / PAGE_SLOTS);
    l->next = next;
    l->front = l->page_count ? l->first_page * PAGE_SLOTS : next;
    struct page *tail = level_page(l, next); /* it goes on where it stopped */
    uint16_t offset = (uint16_t)(next % PAGE_SLOTS);
    if (tail && tail->slots && offset > tail->base + tail->count) page_restore_slot(tail, (uint16_t)(offset - 1));
}

struct slot *page_restore_slot(struct page *p, uint16_t offset)
{
    if (!p->count) p->base = offset;
    uint16_t needed = (uint16_t)(offset - p->base + 1);
    if (needed > p->capacity) {
        uint16_t capacity = p->capacity ? p->capacity : 4;
        while (capacity < needed) capacity = (uint16_t)(capacity * 2);
        p->slots = mem_realloc(p->slots, capacity * sizeof *p->slots);
        p->capacity = capacity;
    }
    while (p->count < needed) p->slots[p->count++] = (struct slot){.state = SLOT_GONE};
    return &p->slots[needed - 1];
}
