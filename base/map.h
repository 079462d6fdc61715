/* Hash tables from integers or byte strings to pointers.
 *
 * Open addressing, linear probing, at most 3/4 full, no tombstones (removal shifts back). Values are never NULL. The
 * order of a walk is the order of the table: a machine that needs the same order on every replica sorts or keeps a
 * list.
 * Thread: its owner's. A zeroed struct is an empty map. */
#ifndef WARREN_BASE_MAP_H
#define WARREN_BASE_MAP_H

#include "base/slice.h"

struct map_u64_slot {
    uint64_t key;
    void *value; /* NULL: free */
};

struct map_u64 {
    struct map_u64_slot *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

void map_u64_close(struct map_u64 *m);
void *map_u64_get(const struct map_u64 *m, uint64_t key);        /* NULL if absent */
void *map_u64_set(struct map_u64 *m, uint64_t key, void *value); /* the value it replaced, or NULL */
void *map_u64_remove(struct map_u64 *m, uint64_t key);           /* what was there, or NULL */
/* Walk: start with *at = 0; NULL at the end. The map must not change meanwhile. */
void *map_u64_next(const struct map_u64 *m, size_t *at, uint64_t *key);

struct map_str_slot {
    uint64_t hash;
    struct slice key;
    void *value;
};

/* Places of keys can be foretold, so whoever chooses keys could choose many for one place: a map whose keys come from
 * clients, and may be many, is guarded while it is empty. Then each process has places of its own.
 *
 * Keys are borrowed: the caller keeps each key's bytes (usually inside the value) until it is removed. */
struct map_str {
    struct map_str_slot *slots;
    size_t capacity;
    size_t count;
    uint64_t seed; /* 0: not guarded */
};

void map_str_guard(struct map_str *m);
void map_str_close(struct map_str *m); /* empty again, and guarded as before */
void *map_str_get(const struct map_str *m, struct slice key);
void *map_str_set(struct map_str *m, struct slice key, void *value);
void *map_str_remove(struct map_str *m, struct slice key);
void *map_str_next(const struct map_str *m, size_t *at, struct slice *key);

#endif
