#include "base/ring.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

struct ring *ring_create(size_t capacity)
{
    CHECK(capacity && (capacity & (capacity - 1)) == 0);
    struct ring *r = aligned_alloc(RING_LINE, sizeof *r);
    CHECK(r != NULL);
    *r = (struct ring){.capacity = capacity};
    r->items = mem_alloc(capacity * sizeof *r->items);
    return r;
}

void ring_destroy(struct ring *r)
{
    mem_free(r->items);
    free(r);
}

bool ring_push(struct ring *r, void *item)
{
    size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    if (tail - r->head_seen == r->capacity) {
        r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
        if (tail - r->head_seen == r->capacity) return false;
    }
    r->items[tail & (r->capacity - 1)] = item;
    atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
    return true;
}

void *ring_pop(struct ring *r)
{
    size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    if (head == r->tail_seen) {
        r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
        if (head == r->tail_seen) return NULL;
    }
    void *item = r->items[head & (r->capacity - 1)];
    atomic_store_explicit(&r->head, head + 1, memory_order_release);
    return item;
}
