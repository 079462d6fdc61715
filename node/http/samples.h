/* The values of one thing over time, thinner the older they are.
 *
 * Pure. Times are milliseconds since 1970. Memory grows to what the policy keeps, and no further. */
#ifndef WARREN_NODE_HTTP_SAMPLES_H
#define WARREN_NODE_HTTP_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SAMPLES_TIERS_MAX = 4,
    SAMPLES_POINTS_MAX = 2000, /* of a tier: a finer step is made coarser */
    SAMPLES_SLACK_MS = 2500,   /* a point that comes so much early counts as being in time */
};

/* From the shortest span to the longest. */
struct samples_policy {
    unsigned count;
    struct samples_tier {
        unsigned span_s, step_s;
    } tiers[SAMPLES_TIERS_MAX];
};
/* Adds a tier in its place, or gives one of this span another step. False: no room. */
bool samples_policy_add(struct samples_policy *p, unsigned span_s, unsigned step_s);

struct samples;
struct samples *samples_create(const struct samples_policy *policy, unsigned width); /* the policy is copied */
void samples_destroy(struct samples *s);
/* Times must not fall; if the clock was set back, points are left out until it has caught up. */
void samples_add(struct samples *s, uint64_t at_ms, const uint64_t *values);
/* The value that held at that time, from the finest tier that reaches back `age_s`. False: nothing is known of then. */
bool samples_at(const struct samples *s, unsigned age_s, uint64_t at_ms, unsigned column, uint64_t *value);

#endif
