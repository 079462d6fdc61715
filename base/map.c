#include "base/map.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"

enum { MAP_CAPACITY_MIN = 8 };

static bool too_full(size_t count, size_t capacity)
{
    return (count + 1) * 4 > capacity * 3;
}

/* True if the slot at `home` may stay behind when `hole` is freed: its home lies cyclically in (hole, at]. */
static bool stays(size_t home, size_t hole, size_t at)
{
    return hole <= at ? (hole < home && home <= at) : (hole < home || home <= at);
}

/* --- integers --- */

static size_t u64_find(const struct map_u64 *m, uint64_t key)
{
    size_t at = hash_u64(key) & (m->capacity - 1);
    while (m->slots[at].value && m->slots[at].key != key) at = (at + 1) & (m->capacity - 1);
    return at;
}

static void u64_grow(struct map_u64 *m)
{
    struct map_u64 bigger = {.capacity = m->capacity ? m->capacity * 2 : MAP_CAPACITY_MIN};
    bigger.slots = mem_zalloc(bigger.capacity * sizeof *bigger.slots);
    for (size_t i = 0; i < m->capacity; i++)
        if (m->slots[i].value) bigger.slots[u64_find(&bigger, m->slots[i].key)] = m->slots[i];
    bigger.count = m->count;
    mem_free(m->slots);
    *m = bigger;
}

void map_u64_close(struct map_u64 *m)
{
    mem_free(m->slots);
    *m = (struct map_u64){0};
}

void *map_u64_get(const struct map_u64 *m, uint64_t key)
{
    return m->count ? m->slots[u64_find(m, key)].value : NULL;
}

void *map_u64_set(struct map_u64 *m, uint64_t key, void *value)
{
    CHECK(value != NULL);
    if (too_full(m->count, m->capacity)) u64_grow(m);
    struct map_u64_slot *slot = &m->slots[u64_find(m, key)];
    void *before = slot->value;
    if (!before) m->count++;
    *slot = (struct map_u64_slot){key, value};
    return before;
}

void *map_u64_remove(struct map_u64 *m, uint64_t key)
{
    if (!m->count) return NULL;
    size_t hole = u64_find(m, key);
    void *before = m->slots[hole].value;
    if (!before) return NULL;
    size_t mask = m->capacity - 1;
    for (size_t at = (hole + 1) & mask; m->slots[at].value; at = (at + 1) & mask) {
        if (stays(hash_u64(m->slots[at].key) & mask, hole, at)) continue;
        m->slots[hole] = m->slots[at];
        hole = at;
    }
    m->slots[hole] = (struct map_u64_slot){0};
    m->count--;
    return before;
}

void *map_u64_next(const struct map_u64 *m, size_t *at, uint64_t *key)
{
    for (; *at < m->capacity; ++*at) {
        struct map_u64_slot *slot = &m->slots[*at];
        if (!slot->value) continue;
        ++*at;
        if (key) *key = slot->key;
        return slot->value;
    }
    return NULL;
}

/* --- byte strings --- */

void map_str_guard(struct map_str *m)
{
    CHECK(!m->count);
    m->seed = hash_secret();
}

static uint64_t hash_of(const struct map_str *m, struct slice key)
{
    return hash_bytes(key.data, key.size, m->seed);
}

static size_t str_find(const struct map_str *m, struct slice key, uint64_t hash)
{
    size_t at = hash & (m->capacity - 1);
    while (m->slots[at].value && !(m->slots[at].hash == hash && slice_equal(m->slots[at].key, key)))
        at = (at + 1) & (m->capacity - 1);
    return at;
}

static void str_grow(struct map_str *m)
{
    struct map_str bigger = {.capacity = m->capacity ? m->capacity * 2 : MAP_CAPACITY_MIN, .seed = m->seed};
    bigger.slots = mem_zalloc(bigger.capacity * sizeof *bigger.slots);
    for (size_t i = 0; i < m->capacity; i++)
        if (m->slots[i].value) bigger.slots[str_find(&bigger, m->slots[i].key, m->slots[i].hash)] = m->slots[i];
    bigger.count = m->count;
    mem_free(m->slots);
    *m = bigger;
}

void map_str_close(struct map_str *m)
{
    mem_free(m->slots);
    *m = (struct map_str){.seed = m->seed};
}

void *map_str_get(const struct map_str *m, struct slice key)
{
    return m->count ? m->slots[str_find(m, key, hash_of(m, key))].value : NULL;
}

void *map_str_set(struct map_str *m, struct slice key, void *value)
{
    CHECK(value != NULL);
    if (too_full(m->count, m->capacity)) str_grow(m);
    uint64_t hash = hash_of(m, key);
    struct map_str_slot *slot = &m->slots[str_find(m, key, hash)];
    void *before = slot->value;
    if (!before) m->count++;
    *slot = (struct map_str_slot){hash, key, value};
    return before;
}

void *map_str_remove(struct map_str *m, struct slice key)
{
    if (!m->count) return NULL;
    size_t hole = str_find(m, key, hash_of(m, key));
    void *before = m->slots[hole].value;
    if (!before) return NULL;
    size_t mask = m->capacity - 1;
    for (size_t at = (hole + 1) & mask; m->slots[at].value; at = (at + 1) & mask) {
        if (stays(m->slots[at].hash & mask, hole, at)) continue;
        m->slots[hole] = m->slots[at];
        hole = at;
    }
    m->slots[hole] = (struct map_str_slot){0};
    m->count--;
    return before;
}

void *map_str_next(const struct map_str *m, size_t *at, struct slice *key)
{
    for (; *at < m->capacity; ++*at) {
        struct map_str_slot *slot = &m->slots[*at];
        if (!slot->value) continue;
        ++*at;
        if (key) *key = slot->key;
        return slot->value;
    }
    return NULL;
}
