/* The pages of a level in which something expires: a heap, the page whose first message expires earliest on top. Equal
 * times in the order of numbers: the same on every replica. */
#include "node/queue/page.h"

#include <stdlib.h>

#include "base/mem.h"

static bool before(const struct page *a, const struct page *b)
{
    return a->earliest_ms != b->earliest_ms ? a->earliest_ms < b->earliest_ms : a->number < b->number;
}

static void put(struct level *l, size_t at, struct page *p)
{
    l->expiry[at] = p;
    p->expiry_place = (uint32_t)at;
}

static void rise(struct level *l, size_t at)
{
    struct page *p = l->expiry[at];
    for (; at && before(p, l->expiry[(at - 1) / 2]); at = (at - 1) / 2) put(l, at, l->expiry[(at - 1) / 2]);
    put(l, at, p);
}

static void sink(struct level *l, size_t at)
{
    struct page *p = l->expiry[at];
    for (size_t child; (child = 2 * at + 1) < l->expiry_count; at = child) {
        if (child + 1 < l->expiry_count && before(l->expiry[child + 1], l->expiry[child])) child++;
        if (!before(l->expiry[child], p)) break;
        put(l, at, l->expiry[child]);
    }
    put(l, at, p);
}

static void take_out(struct level *l, struct page *p)
{
    size_t at = p->expiry_place;
    struct page *last = l->expiry[--l->expiry_count];
    p->earliest_ms = UINT64_MAX;
    if (last == p) return;
    put(l, at, last);
    rise(l, at);
    sink(l, last->expiry_place);
}

void level_expiry_move(struct level *l, struct page *p, uint64_t earliest_ms)
{
    bool there = p->earliest_ms != UINT64_MAX;
    if (there && earliest_ms != UINT64_MAX) {
        p->earliest_ms = earliest_ms;
        rise(l, p->expiry_place);
        sink(l, p->expiry_place);
    } else if (there) {
        take_out(l, p);
    } else if (earliest_ms != UINT64_MAX) {
        p->earliest_ms = earliest_ms;
        l->expiry = mem_grow(l->expiry, &l->expiry_capacity, l->expiry_count + 1, sizeof(struct page *));
        put(l, l->expiry_count, p);
        rise(l, l->expiry_count++);
    }
}

void level_set_expiry(struct level *l, uint64_t number, struct slot *slot, uint64_t expires_ms)
{
    struct page *p = level_page(l, number);
    slot->expires_ms = expires_ms;
    if (!expires_ms) return;
    p->expiring++;
    if (expires_ms < p->earliest_ms) level_expiry_move(l, p, expires_ms);
}

uint64_t level_earliest(const struct level *l)
{
    return l->expiry_count ? l->expiry[0]->earliest_ms : UINT64_MAX;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

size_t level_expiry_due(struct level *l, uint64_t now_ms, uint64_t *pages, size_t count_max)
{
    size_t count = 0;
    while (count < count_max && level_earliest(l) <= now_ms) {
        pages[count++] = l->expiry[0]->number;
        take_out(l, l->expiry[0]);
    }
    if (count > 1) qsort(pages, count, sizeof *pages, by_number);
    return count;
}

void level_expiry_back(struct level *l, uint64_t number)
{
    struct page *p = level_page(l, number * PAGE_SLOTS);
    uint64_t earliest_ms = UINT64_MAX;
    if (!p || !p->live) return;
    for (uint16_t i = 0; p->slots && i < p->count; i++) {
        const struct slot *s = &p->slots[i];
        if (s->state == SLOT_READY && s->expires_ms && s->expires_ms < earliest_ms) earliest_ms = s->expires_ms;
    }
    level_expiry_move(l, p, earliest_ms);
}
