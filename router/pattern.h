/* A regular expression as RabbitMQ's re:run takes them: Perl's, over bytes, found anywhere in the text.
 *
 * Thread: its owner's. Lifetime: pattern_create() .. pattern_destroy(). */
#ifndef WARREN_ROUTER_PATTERN_H
#define WARREN_ROUTER_PATTERN_H

#include "base/err.h"
#include "base/slice.h"

enum {
    PATTERN_STEPS_MAX = 100000, /* of one match: a bad expression costs a millisecond and then does not match */
};

struct pattern;

/* NULL: it does not compile; `err` (may be NULL) has the library's words and the place. */
struct pattern *pattern_create(struct slice expression, struct err *err);
void pattern_destroy(struct pattern *p); /* NULL is fine */
bool pattern_matches(const struct pattern *p, struct slice text);

#endif
