#include "node/http/view.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "node/http/http_internal.h"

struct view view_of_configuration(const struct http *h)
{
    const struct config_management *m = h->params.management;
    return (struct view){
        .stats = !m->disable_stats, .totals = m->queue_totals, .rates = strcmp(m->rates_mode, "none") != 0};
}

static bool is_number(const char *text)
{
    size_t size = strlen(text);
    return size && size < 10 && strspn(text, "0123456789") == size;
}

static bool read_range(struct request *r, const char *age_name, const char *incr_name, struct range *range,
                       struct answer *a)
{
    const char *age = request_query(r, age_name), *incr = request_query(r, incr_name);
    *range = (struct range){0};
    if (!age || !incr) return true;
    if (!is_number(age) || !is_number(incr) || !atoi(incr) || atoi(age) / atoi(incr) > VIEW_SAMPLES_MAX) {
        answer_bad(a, "%s and %s must be seconds, and make at most %d samples", age_name, incr_name, VIEW_SAMPLES_MAX);
        return false;
    }
    *range = (struct range){(unsigned)atoi(age), (unsigned)atoi(incr)};
    return true;
}

bool view_of_request(struct request *r, struct view *v, struct answer *a)
{
    static const char *const names[RANGE_COUNT][2] = {[RANGE_LENGTHS] = {"lengths_age", "lengths_incr"},
                                                      [RANGE_MSG_RATES] = {"msg_rates_age", "msg_rates_incr"},
                                                      [RANGE_DATA_RATES] = {"data_rates_age", "data_rates_incr"},
                                                      [RANGE_NODE_STATS] = {"node_stats_age", "node_stats_incr"}};
    *v = view_of_configuration(r->http);
    if (request_flag(r, "disable_stats")) v->stats = false;
    if (request_flag(r, "enable_queue_totals")) v->totals = true;
    for (unsigned i = 0; i < RANGE_COUNT; i++)
        if (!read_range(r, names[i][0], names[i][1], &v->ranges[i], a)) return false;
    return true;
}

void view_put(const struct view *v, struct buf *line)
{
    buf_printf(line, "%d %d %d", v->stats, v->totals, v->rates);
    for (unsigned i = 0; i < RANGE_COUNT; i++) buf_printf(line, " %u %u", v->ranges[i].age_s, v->ranges[i].incr_s);
}

struct view view_of_line(struct slice line)
{
    struct view v = {.stats = true, .totals = true, .rates = true};
    char text[256];
    int stats, totals, rates, used = 0;
    snprintf(text, sizeof text, "%.*s", (int)line.size, line.data ? (const char *)line.data : "");
    if (sscanf(text, "%d %d %d%n", &stats, &totals, &rates, &used) != 3) return v;
    v = (struct view){.stats = stats, .totals = totals, .rates = rates};
    const char *at = text + used;
    for (unsigned i = 0; i < RANGE_COUNT; i++, at += used) {
        struct range range;
        if (sscanf(at, " %u %u%n", &range.age_s, &range.incr_s, &used) != 2) break;
        if (range.incr_s && range.age_s / range.incr_s <= VIEW_SAMPLES_MAX) v.ranges[i] = range;
    }
    return v;
}
