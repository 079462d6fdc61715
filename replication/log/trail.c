/* Each group's trail: which entries the log holds, where, and those that are still in memory. */
#include "base/check.h"
#include "replication/log/log_internal.h"

struct trail_entry *trail_at(const struct trail *t, uint64_t index)
{
    if (index < t->state.first_index || index > t->state.last_index) return NULL;
    return &t->entries[index & (t->capacity - 1)];
}

static void grow(struct trail *t)
{
    size_t count = t->state.last_index + 1 - t->state.first_index;
    if (count < t->capacity) return;
    size_t capacity = t->capacity ? t->capacity * 2 : 64;
    struct trail_entry *bigger = mem_zalloc(capacity * sizeof *bigger);
    for (uint64_t i = t->state.first_index; i <= t->state.last_index; i++)
        bigger[i & (capacity - 1)] = t->entries[i & (t->capacity - 1)];
    mem_free(t->entries);
    t->entries = bigger;
    t->capacity = capacity;
}

struct log_file *file_of_lsn(const struct log *l, uint64_t lsn)
{
    for (size_t i = l->file_count; i-- > 0;)
        if (l->files[i]->first_lsn <= lsn) return l->files[i];
    return NULL;
}

/* The trail's entry that this place in the cache stands for; NULL: it was cut away, or is not in memory. */
static struct trail_entry *cached_entry(const struct log *l, struct cached c)
{
    struct trail_entry *e = trail_at(&l->trails[c.group], c.index);
    return e && e->lsn == c.lsn && e->entry ? e : NULL;
}

/* What was cut away leaves its place in the ring; a full ring is swept before it grows, so its size follows what is
 * cached. */
static void sweep_cache(struct log *l)
{
    size_t kept = 0, mask = l->cache_capacity - 1;
    for (size_t i = 0; i < l->cache_count; i++) {
        struct cached c = l->cache[(l->cache_head + i) & mask];
        if (cached_entry(l, c)) l->cache[(l->cache_head + kept++) & mask] = c;
    }
    l->cache_count = kept;
}

static void grow_cache(struct log *l)
{
    size_t capacity = l->cache_capacity ? l->cache_capacity * 2 : 256;
    struct cached *bigger = mem_alloc(capacity * sizeof *bigger);
    for (size_t i = 0; i < l->cache_count; i++) bigger[i] = l->cache[(l->cache_head + i) & (l->cache_capacity - 1)];
    mem_free(l->cache);
    l->cache = bigger;
    l->cache_capacity = capacity;
    l->cache_head = 0;
}

static void remember(struct log *l, uint32_t group, uint64_t index, uint64_t lsn, uint32_t size)
{
    if (l->cache_count == l->cache_capacity) {
        sweep_cache(l);
        if (2 * l->cache_count >= l->cache_capacity) grow_cache(l);
    }
    l->cache[(l->cache_head + l->cache_count++) & (l->cache_capacity - 1)] = (struct cached){group, index, lsn};
    l->cache_bytes += size;
}

static void forget_entry(struct log *l, struct trail_entry *e)
{
    if (!e->entry) return;
    entry_unref(e->entry);
    e->entry = NULL;
    l->cache_bytes -= e->size;
}

/* Entries that are not durable yet are needed by the writer and stay. */
void cache_evict(struct log *l)
{
    while (l->cache_count) {
        struct cached c = l->cache[l->cache_head];
        struct trail_entry *e = cached_entry(l, c);
        if (e && (l->cache_bytes <= l->params.cache_size || c.lsn >= l->durable)) return;
        if (e) forget_entry(l, e);
        l->cache_head = (l->cache_head + 1) & (l->cache_capacity - 1);
        l->cache_count--;
    }
}

void trail_append(struct log *l, uint32_t group, uint64_t index, uint64_t term, uint8_t type, uint64_t lsn,
                  uint32_t size, struct entry *entry)
{
    struct trail *t = &l->trails[group];
    CHECK(index == t->state.last_index + 1);
    grow(t);
    t->state.last_index = index;
    t->entries[index & (t->capacity - 1)] =
        (struct trail_entry){.term = term, .lsn = lsn, .entry = entry, .size = size, .type = type};
    if (index > t->state.snapshot_index) t->bytes += size;
    struct log_file *f = file_of_lsn(l, lsn);
    CHECK(f != NULL);
    f->live++;
    if (entry) remember(l, group, index, lsn, size);
}

static void drop_at(struct log *l, struct trail *t, uint64_t index)
{
    struct trail_entry *e = trail_at(t, index);
    struct log_file *f = file_of_lsn(l, e->lsn);
    CHECK(f && f->live > 0);
    if (!--f->live) f->released = l->next_lsn;
    if (index > t->state.snapshot_index) t->bytes -= e->size;
    forget_entry(l, e);
}

void trail_cut_from(struct log *l, uint32_t group, uint64_t index)
{
    struct trail *t = &l->trails[group];
    while (t->state.last_index >= index && t->state.last_index >= t->state.first_index) {
        drop_at(l, t, t->state.last_index);
        t->state.last_index--;
    }
}

void trail_cut_before(struct log *l, uint32_t group, uint64_t index)
{
    struct trail *t = &l->trails[group];
    while (t->state.first_index < index && t->state.first_index <= t->state.last_index) {
        drop_at(l, t, t->state.first_index);
        t->state.first_index++;
    }
}

void trail_count_bytes(struct trail *t)
{
    t->bytes = 0;
    uint64_t first =
        t->state.first_index > t->state.snapshot_index ? t->state.first_index : t->state.snapshot_index + 1;
    for (uint64_t i = first; i <= t->state.last_index; i++) t->bytes += trail_at(t, i)->size;
}
