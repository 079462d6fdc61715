#include "node/queue/effect.h"

#include "base/mem.h"

void effects_init(struct effects *e)
{
    *e = (struct effects){0};
}

void effects_clear(struct effects *e)
{
    for (size_t i = 0; i < e->blob_count; i++) blob_unref(e->blobs[i]);
    e->count = e->blob_count = 0;
}

void effects_close(struct effects *e)
{
    effects_clear(e);
    mem_free(e->items);
    mem_free(e->blobs);
    effects_init(e);
}

struct effect *effects_add(struct effects *e, uint8_t type, uint64_t port)
{
    if (e->count == e->capacity) e->items = mem_grow(e->items, &e->capacity, e->count + 1, sizeof *e->items);
    struct effect *item = &e->items[e->count++];
    *item = (struct effect){.type = type, .port = port};
    return item;
}

/* Neighbours mostly share a chunk: looking at the last one catches nearly all repeats. */
void effects_hold(struct effects *e, struct blob *blob)
{
    if (e->blob_count && e->blobs[e->blob_count - 1] == blob) return;
    e->blobs = mem_grow(e->blobs, &e->blob_capacity, e->blob_count + 1, sizeof *e->blobs);
    e->blobs[e->blob_count++] = blob_ref(blob);
}

struct slice effects_text(struct effects *e, struct slice text)
{
    struct blob *blob = blob_copy(text.data, text.size);
    effects_hold(e, blob);
    blob_unref(blob);
    return slice_of(blob->data, blob->size);
}
