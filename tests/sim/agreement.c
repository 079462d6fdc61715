/* State machine safety: at each index of a group the same entry and the same state on every replica, before and after
 * crashes. */
#include "base/hash.h"
#include "tests/sim/sim.h"

struct point {
    uint64_t entry, digest;
    uint8_t node;
};

struct agreement {
    struct world *w;
    struct point *points[SIM_GROUPS]; /* by index */
    size_t capacity[SIM_GROUPS];
};

struct agreement *agreement_create(struct world *w)
{
    struct agreement *a = mem_zalloc(sizeof *a);
    a->w = w;
    return a;
}

void agreement_destroy(struct agreement *a)
{
    for (unsigned g = 0; g < SIM_GROUPS; g++) mem_free(a->points[g]);
    mem_free(a);
}

static uint64_t hash_entry(const struct entry *e)
{
    struct hash_stream *h = hash_stream_create();
    hash_stream_add(h, &e->term, sizeof e->term);
    for (uint32_t i = 0; i < e->part_count; i++) {
        struct slice bytes = part_slice(e->parts[i]);
        hash_stream_add(h, bytes.data, bytes.size);
    }
    return hash_stream_finish(h);
}

void agreement_applied(struct agreement *a, uint8_t node, uint32_t group, const struct entry *e, uint64_t digest)
{
    size_t before = a->capacity[group];
    a->points[group] = mem_grow(a->points[group], &a->capacity[group], e->index + 1, sizeof(struct point));
    if (a->capacity[group] > before)
        memset(a->points[group] + before, 0, (a->capacity[group] - before) * sizeof(struct point));
    struct point *p = &a->points[group][e->index];
    uint64_t entry = hash_entry(e);
    if (!p->node) {
        *p = (struct point){entry, digest, node};
        return;
    }
    unsigned long long index = e->index;
    if (p->entry != entry)
        world_fail(a->w, "group %u entry %llu differs on nodes %u and %u", group, index, p->node, node);
    if (p->digest != digest)
        world_fail(a->w, "group %u after entry %llu: nodes %u and %u have different states", group, index, p->node,
                   node);
}
