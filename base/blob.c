#include "base/blob.h"

#include "base/check.h"
#include "base/mem.h"

struct blob *blob_create(size_t size)
{
    CHECK(size <= UINT32_MAX);
    struct blob *b = mem_alloc(sizeof *b + size);
    atomic_init(&b->references, 1);
    b->size = (uint32_t)size;
    return b;
}

struct blob *blob_copy(const void *data, size_t size)
{
    struct blob *b = blob_create(size);
    if (size) memcpy(b->data, data, size);
    return b;
}

struct blob *blob_resize(struct blob *b, size_t size)
{
    CHECK(size <= UINT32_MAX);
    CHECK(atomic_load_explicit(&b->references, memory_order_relaxed) == 1);
    b = mem_realloc(b, sizeof *b + size);
    b->size = (uint32_t)size;
    return b;
}

void blob_unref(struct blob *b)
{
    if (!b) return;
    unsigned before = atomic_fetch_sub_explicit(&b->references, 1, memory_order_acq_rel);
    CHECK(before > 0);
    if (before == 1) mem_free(b);
}
