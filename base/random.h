/* A small seeded generator (splitmix64): the caller owns the state, so a seed repeats a run exactly. Not for
 * secrets. */
#ifndef WARREN_BASE_RANDOM_H
#define WARREN_BASE_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_u64(struct random *r)
{
    uint64_t x = (r->state += 0x9e3779b97f4a7c15u);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* 0 .. bound - 1; bound > 0 */
static inline uint64_t random_below(struct random *r, uint64_t bound)
{
    return random_u64(r) % bound;
}

static inline int random_percent(struct random *r, unsigned percent)
{
    return random_below(r, 100) < percent;
}

#endif
