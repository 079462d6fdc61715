/* What of the figures an answer shows: as its request asks and the configuration allows.
 *
 * A plain value; with a question to other nodes it goes along as one line of text. */
#ifndef WARREN_NODE_HTTP_VIEW_H
#define WARREN_NODE_HTTP_VIEW_H

#include <stdbool.h>

#include "base/buf.h"

struct http;
struct request;
struct answer;

enum { VIEW_SAMPLES_MAX = 5000 /* that one series of an answer may have */ };

/* Whose samples are wanted: ?lengths_age=600&lengths_incr=5. */
enum view_range { RANGE_LENGTHS, RANGE_MSG_RATES, RANGE_DATA_RATES, RANGE_NODE_STATS, RANGE_COUNT };

struct view {
    bool stats;  /* counters; else objects alone */
    bool totals; /* numbers of messages, even so */
    bool rates;  /* with rates */
    struct range {
        unsigned age_s, incr_s; /* 0: none are wanted */
    } ranges[RANGE_COUNT];
};

struct view view_of_configuration(const struct http *h);
/* The default and what was asked for; false: answered 400. */
bool view_of_request(struct request *r, struct view *v, struct answer *a);
void view_put(const struct view *v, struct buf *line);
struct view view_of_line(struct slice line);

#endif
