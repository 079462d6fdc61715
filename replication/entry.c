#include "replication/entry.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"

struct entry *entry_create(uint8_t type, uint64_t index, uint64_t term, const struct part *parts, uint32_t part_count)
{
    CHECK(part_count <= ENTRY_PART_COUNT_MAX);
    struct entry *e = mem_alloc(sizeof *e + part_count * sizeof *parts);
    *e = (struct entry){.type = type, .index = index, .term = term, .part_count = part_count};
    atomic_init(&e->references, 1);
    for (uint32_t i = 0; i < part_count; i++) {
        e->parts[i] = parts[i];
        e->size += parts[i].size;
    }
    return e;
}

struct entry *entry_from_blob(uint8_t type, uint64_t index, uint64_t term, struct blob *blob, uint32_t offset, uint32_t size)
{
    CHECK((uint64_t)offset + size <= blob->size);
    struct part whole = {blob_ref(blob), offset, size};
    return entry_create(type, index, term, &whole, 1);
}

struct entry *entry_ref(struct entry *e)
{
    atomic_fetch_add_explicit(&e->references, 1, memory_order_relaxed);
    return e;
}

void entry_unref(struct entry *e)
{
    if (!e || atomic_fetch_sub_explicit(&e->references, 1, memory_order_acq_rel) != 1) return;
    for (uint32_t i = 0; i < e->part_count; i++) blob_unref(e->parts[i].blob);
    mem_free(e);
}

struct part entry_header(uint64_t time_ms)
{
    struct blob *b = blob_create(ENTRY_HEADER_SIZE);
    memset(b->data, 0, ENTRY_HEADER_SIZE);
    b->data[0] = ENTRY_VERSION;
    memcpy(b->data + 8, &time_ms, sizeof time_ms);
    return (struct part){b, 0, ENTRY_HEADER_SIZE};
}

int entry_cursor_init(struct entry_cursor *c, const struct entry *e)
{
    *c = (struct entry_cursor){.entry = e};
    if (!e->part_count || e->parts[0].size < ENTRY_HEADER_SIZE) return ERR_FORMAT;
    const uint8_t *header = e->parts[0].blob->data + e->parts[0].offset;
    if (header[0] != ENTRY_VERSION) return ERR_VERSION;
    memcpy(&c->time_ms, header + 8, sizeof c->time_ms);
    c->offset = ENTRY_HEADER_SIZE;
    return ERR_OK;
}

bool entry_cursor_next(struct entry_cursor *c, struct part *chunk)
{
    while (c->part < c->entry->part_count && c->offset == c->entry->parts[c->part].size) {
        c->part++;
        c->offset = 0;
    }
    if (c->part == c->entry->part_count) return false;
    const struct part *part = &c->entry->parts[c->part];
    uint32_t left = part->size - c->offset, size = 0;
    if (left >= sizeof size) memcpy(&size, part->blob->data + part->offset + c->offset, sizeof size);
    if (size < sizeof size || size > left) {
        c->failed = true;
        return false;
    }
    *chunk = (struct part){part->blob, part->offset + c->offset, size};
    c->offset += size;
    return true;
}
