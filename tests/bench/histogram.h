/* Times, counted in buckets that grow with the value: 64 per power of two, so a percentile is off by less than 1.6 %.
 *
 * Thread: one writes, any may read at any time (a reader sees each count as it was a moment ago). */
#ifndef WARREN_TESTS_BENCH_HISTOGRAM_H
#define WARREN_TESTS_BENCH_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_STEPS_LOG = 6,
    HISTOGRAM_STEPS = 1 << HISTOGRAM_STEPS_LOG,
    HISTOGRAM_POWERS = 36, /* up to about an hour in nanoseconds */
    HISTOGRAM_BUCKETS = HISTOGRAM_STEPS * (HISTOGRAM_POWERS + 1),
};

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t max_ns;
};

void histogram_add(struct histogram *h, uint64_t ns);
void histogram_merge(struct histogram *into, const struct histogram *from);
void histogram_subtract(struct histogram *from, const struct histogram *what); /* what was in it earlier; max stays */
uint64_t histogram_count(const struct histogram *h);
uint64_t histogram_percentile(const struct histogram *h, double percent); /* ns; 0 when empty */

#endif
