/* What a run says: a line per interval while it goes on, a summary at its end, and the same as JSON.
 *
 * Thread: the main thread's. */
#ifndef WARREN_TESTS_BENCH_REPORT_H
#define WARREN_TESTS_BENCH_REPORT_H

#include "tests/bench/worker.h"

struct report_interval {
    double at_s;
    uint64_t sent, confirmed, received; /* in it */
    uint64_t confirm_p50_ns, confirm_p99_ns;
};

struct report {
    struct run *run;
    struct worker *workers;
    struct actor **producers;
    uint64_t started_ns;
    double publish_s;     /* how long was published */
    struct stats at_stop; /* when publishing stopped: rates are of that time */
    struct stats total;
    struct histogram confirm_latency, end_latency, confirm_before;
    struct stats before;
    uint64_t before_ns;
    struct report_interval *intervals;
    size_t count, capacity;
    uint64_t lost;
    struct bench_stamp lost_examples[10];
};

void report_start(struct report *r, struct run *run, struct worker *workers, struct actor **producers);
void report_stats(const struct report *r, struct stats *stats); /* the sum over the workers, now */
void report_interval(struct report *r);
/* After the workers ended. Prints the summary, writes the JSON; false when a promise was broken. */
bool report_end(struct report *r);
void report_close(struct report *r);

#endif
