/* How busy a shard's thread is: the share of the last seconds that it had a processor. Costs a look at a clock a
 * second. */
#include <time.h>

#include "node/shard/shard_internal.h"

enum { BUSY_WEIGHT = 4 /* of this second and the time before, the second is one part in so many */ };

static uint64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void busy_second(struct shard *s)
{
    uint64_t used_ns = now_ns(CLOCK_THREAD_CPUTIME_ID), at_ns = now_ns(CLOCK_MONOTONIC);
    uint64_t passed_ns = at_ns - s->busy_at_ns;
    if (s->busy_at_ns && passed_ns) {
        unsigned now = (unsigned)((used_ns - s->busy_used_ns) * 1000 / passed_ns);
        unsigned before = atomic_load_explicit(&s->busy_permille, memory_order_relaxed);
        if (now > 1000) now = 1000;
        atomic_store_explicit(&s->busy_permille, (before * (BUSY_WEIGHT - 1) + now) / BUSY_WEIGHT,
                              memory_order_relaxed);
    }
    s->busy_at_ns = at_ns;
    s->busy_used_ns = used_ns;
}

unsigned shard_busy_any(const struct shard *s)
{
    return atomic_load_explicit(&s->busy_permille, memory_order_relaxed);
}
