/* A recall: keys with a number each, found by key, the oldest first; what deduplication remembers with. Pure.
 * Lifetime: a zeroed struct with recall_init() .. recall_close(). The order is the caller's: the
 * same on every replica. */
#ifndef WARREN_NODE_QUEUE_RECALL_H
#define WARREN_NODE_QUEUE_RECALL_H

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "base/reader.h"

struct recall_entry {
    struct list link;
    uint64_t value;
    uint32_t size;
    uint8_t key[];
};

struct recall {
    struct map_str entries;
    struct list order; /* oldest first */
};

void recall_init(struct recall *w);
void recall_close(struct recall *w);
static inline size_t recall_count(const struct recall *w)
{
    return w->entries.count;
}
struct recall_entry *recall_find(const struct recall *w, struct slice key); /* NULL: not there */
struct recall_entry *recall_oldest(const struct recall *w);
/* The newest from now on; the key, which is not there, is copied. */
struct recall_entry *recall_add(struct recall *w, struct slice key, uint64_t value);
void recall_touch(struct recall *w, struct recall_entry *e); /* makes it the newest */
void recall_remove(struct recall *w, struct recall_entry *e);

void recall_encode(const struct recall *w, struct buf *b); /* varint count | counted key, varint value ... */
void recall_decode(struct recall *w, struct reader *r);    /* into an empty one; r->failed: damaged */

#endif
