#include "node/http/samples.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum { POINTS_AT_FIRST = 16 };

struct tier {
    unsigned span_s, step_s;
    size_t first, count, capacity, max; /* a ring once it has `max` points */
    uint64_t *points;                   /* of 1 + width numbers: time, values */
};

struct samples {
    unsigned width, count;
    struct tier tiers[SAMPLES_TIERS_MAX];
};

bool samples_policy_add(struct samples_policy *p, unsigned span_s, unsigned step_s)
{
    unsigned at = 0;
    while (at < p->count && p->tiers[at].span_s < span_s) at++;
    bool known = at < p->count && p->tiers[at].span_s == span_s;
    if (!known && p->count == SAMPLES_TIERS_MAX) return false;
    if (!known) {
        memmove(&p->tiers[at + 1], &p->tiers[at], (p->count - at) * sizeof p->tiers[0]);
        p->count++;
    }
    if (span_s / step_s > SAMPLES_POINTS_MAX - 2) step_s = span_s / (SAMPLES_POINTS_MAX - 2) + 1;
    p->tiers[at] = (struct samples_tier){span_s, step_s};
    return true;
}

struct samples *samples_create(const struct samples_policy *policy, unsigned width)
{
    struct samples *s = mem_zalloc(sizeof *s);
    s->width = width;
    s->count = policy->count;
    for (unsigned i = 0; i < s->count; i++) {
        struct tier *t = &s->tiers[i];
        t->span_s = policy->tiers[i].span_s;
        t->step_s = policy->tiers[i].step_s;
        t->max = t->span_s / t->step_s + 2; /* both ends, and one that is a little older */
    }
    return s;
}

void samples_destroy(struct samples *s)
{
    if (!s) return;
    for (unsigned i = 0; i < s->count; i++) mem_free(s->tiers[i].points);
    mem_free(s);
}

static uint64_t *point(const struct samples *s, const struct tier *t, size_t index)
{
    return t->points + (t->first + index) % t->capacity * (s->width + 1);
}

static void grow(struct samples *s, struct tier *t)
{
    size_t size = (s->width + 1) * sizeof *t->points;
    t->capacity = t->capacity ? t->capacity * 2 : POINTS_AT_FIRST;
    if (t->capacity > t->max) t->capacity = t->max;
    t->points = mem_realloc(t->points, t->capacity * size);
}

static void tier_add(struct samples *s, struct tier *t, uint64_t at_ms, const uint64_t *values)
{
    uint64_t last = t->count ? point(s, t, t->count - 1)[0] : 0;
    if (t->count && at_ms + SAMPLES_SLACK_MS < last + (uint64_t)t->step_s * 1000) return;
    if (t->count && at_ms <= last) return;
    if (t->count == t->capacity && t->capacity < t->max) grow(s, t);
    if (t->count == t->max) t->first = (t->first + 1) % t->capacity;
    else t->count++;
    uint64_t *p = point(s, t, t->count - 1);
    p[0] = at_ms;
    memcpy(p + 1, values, s->width * sizeof *values);
}

void samples_add(struct samples *s, uint64_t at_ms, const uint64_t *values)
{
    for (unsigned i = 0; i < s->count; i++) tier_add(s, &s->tiers[i], at_ms, values);
}

bool samples_at(const struct samples *s, unsigned age_s, uint64_t at_ms, unsigned column, uint64_t *value)
{
    CHECK(column < s->width);
    unsigned i = 0;
    while (i + 1 < s->count && s->tiers[i].span_s < age_s) i++;
    const struct tier *t = &s->tiers[i];
    size_t low = 0, high = t->count; /* the last point that is not later lies below `high` */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (point(s, t, middle)[0] <= at_ms) low = middle + 1;
        else high = middle;
    }
    if (!low) return false;
    *value = point(s, t, low - 1)[1 + column];
    return true;
}
