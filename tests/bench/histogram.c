#include "tests/bench/histogram.h"

static unsigned bucket_of(uint64_t ns)
{
    if (ns < HISTOGRAM_STEPS) return (unsigned)ns;
    unsigned power = 63u - (unsigned)__builtin_clzll(ns) - HISTOGRAM_STEPS_LOG;
    if (power >= HISTOGRAM_POWERS) return HISTOGRAM_BUCKETS - 1;
    return (power + 1) * HISTOGRAM_STEPS + (unsigned)(ns >> power) - HISTOGRAM_STEPS;
}

/* The middle of a bucket. */
static uint64_t value_of(unsigned bucket)
{
    if (bucket < HISTOGRAM_STEPS) return bucket;
    unsigned power = bucket / HISTOGRAM_STEPS - 1, step = bucket % HISTOGRAM_STEPS;
    return ((uint64_t)(HISTOGRAM_STEPS + step) << power) + ((1ull << power) >> 1);
}

static uint64_t load(const uint64_t *n)
{
    return __atomic_load_n(n, __ATOMIC_RELAXED);
}

void histogram_add(struct histogram *h, uint64_t ns)
{
    uint64_t *count = &h->counts[bucket_of(ns)];
    __atomic_store_n(count, *count + 1, __ATOMIC_RELAXED);
    if (ns > h->max_ns) __atomic_store_n(&h->max_ns, ns, __ATOMIC_RELAXED);
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) into->counts[i] += load(&from->counts[i]);
    uint64_t max = load(&from->max_ns);
    if (max > into->max_ns) into->max_ns = max;
}

void histogram_subtract(struct histogram *from, const struct histogram *what)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) from->counts[i] -= what->counts[i];
}

uint64_t histogram_count(const struct histogram *h)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) count += h->counts[i];
    return count;
}

uint64_t histogram_percentile(const struct histogram *h, double percent)
{
    uint64_t count = histogram_count(h), seen = 0;
    if (!count) return 0;
    uint64_t rank = (uint64_t)((double)count * percent / 100.0);
    if (rank >= count) return h->max_ns;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->counts[i];
        if (seen > rank) return value_of(i) < h->max_ns ? value_of(i) : h->max_ns;
    }
    return h->max_ns;
}
