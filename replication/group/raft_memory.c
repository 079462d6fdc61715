/* The library's heap, and the entries that we pass in: they carry a sentinel as their batch, which must never be freed. */
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "replication/group/raft_internal.h"

static char sentinel;

static void *heap_malloc(void *data, size_t size)
{
    (void)data;
    return mem_alloc(size);
}
static void heap_free(void *data, void *pointer)
{
    (void)data;
    if (pointer != &sentinel) mem_free(pointer);
}
static void *heap_calloc(void *data, size_t count, size_t size)
{
    (void)data;
    return mem_zalloc(count * size);
}
static void *heap_realloc(void *data, void *pointer, size_t size)
{
    (void)data;
    return mem_realloc(pointer, size);
}
static void *heap_aligned_alloc(void *data, size_t alignment, size_t size)
{
    (void)data;
    void *pointer = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    CHECK(pointer != NULL);
    return pointer;
}
static void heap_aligned_free(void *data, size_t alignment, void *pointer)
{
    (void)data;
    (void)alignment;
    free(pointer);
}

void core_library_init(void)
{
    static struct raft_heap heap = {NULL,         heap_malloc,        heap_free,        heap_calloc,
                                    heap_realloc, heap_aligned_alloc, heap_aligned_free};
    raft_heap_set(&heap);
}

void group_library_init(void)
{
    core_library_init();
}

void core_begin_entries(struct raft_core *c)
{
    c->entry_count = 0;
}

void core_add_entry(struct raft_core *c, uint64_t term, uint8_t type, struct slice data, struct entry *source)
{
    if (c->entry_count == c->entry_capacity) {
        c->entry_capacity = c->entry_capacity ? c->entry_capacity * 2 : 64;
        c->entries = mem_realloc(c->entries, c->entry_capacity * sizeof *c->entries);
        c->received = mem_realloc(c->received, c->entry_capacity * sizeof *c->received);
    }
    c->entries[c->entry_count] = (struct raft_entry){
        .term = term, .type = (enum raft_entry_type)type, .buf = {(void *)data.data, data.size}, .batch = &sentinel};
    c->received[c->entry_count++] = source;
}
