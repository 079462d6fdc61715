/* The thread that looks at all counters every few seconds; what rates and samples are made of. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/map.h"
#include "base/mem.h"
#include "config/config.h"
#include "node/http/samples.h"
#include "node/http/stats.h"

struct series {
    char *key; /* owned */
    struct stats last;
    double rates[STAT_KINDS]; /* per second */
    uint64_t round;           /* it was seen in */
    uint64_t changed_ms;      /* when a counter was last seen to have changed; wall clock */
    struct samples *samples;  /* NULL: none are kept */
    uint64_t asked;           /* the round in which somebody last wanted samples */
};

struct sampler {
    struct http *http;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stop;
    bool stopping, running;
    struct samples_policy global, basic, detailed;
    struct map_str series; /* guarded by `lock`, with what is in it */
    uint64_t round, looked_at_ms, kept, taken_over;
    uint64_t started_ms, last_look_ms; /* wall clock */
    json_t *no_rate, *no_messages; /* shared by all that stands still: lists of many queues are made of little else */
};

static uint64_t now_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- what is kept of whom --- */

#define KIND(kind) (UINT64_C(1) << (kind))
#define MESSAGES (KIND(STAT_MESSAGE_KINDS) - 1)
#define LENGTHS (KIND(STAT_MESSAGES) | KIND(STAT_READY) | KIND(STAT_UNACKED))

static const struct family {
    const char *prefix; /* of keys */
    uint64_t kinds;
    bool global, always;
} families[] = {
    {"node", KIND(STAT_KINDS) - 1, true, true},
    {"vhost ", MESSAGES | LENGTHS, true, true},
    {"queue ", MESSAGES | LENGTHS, false, false},
    {"exchange ", KIND(STAT_PUBLISH_IN) | KIND(STAT_PUBLISH_OUT), false, false},
    {"connection ", KIND(STAT_RECV_OCT) | KIND(STAT_SEND_OCT), false, false},
    {"channel ", MESSAGES, false, false},
    {"flow ", MESSAGES, false, false},
};

static const struct family *family_of(const char *key)
{
    size_t i = 0;
    while (strncmp(key, families[i].prefix, strlen(families[i].prefix)) != 0) {
        i++;
        CHECK(i < sizeof families / sizeof families[0]);
    }
    return &families[i];
}

static unsigned column_of(const struct family *f, unsigned kind)
{
    return (unsigned)__builtin_popcountll(f->kinds & (KIND(kind) - 1));
}

static void keep_samples(struct sampler *s, struct series *series)
{
    const struct family *f = family_of(series->key);
    series->samples = samples_create(f->global ? &s->global : &s->basic, (unsigned)__builtin_popcountll(f->kinds));
    s->kept += !f->always;
}

static void drop_samples(struct sampler *s, struct series *series)
{
    if (series->samples) s->kept -= !family_of(series->key)->always;
    samples_destroy(series->samples);
    series->samples = NULL;
}

static void add_samples(const struct series *series, uint64_t at_ms)
{
    const struct family *f = family_of(series->key);
    uint64_t values[STAT_KINDS];
    unsigned width = 0;
    for (unsigned k = 0; k < STAT_KINDS; k++)
        if (f->kinds >> k & 1) values[width++] = series->last.values[k];
    samples_add(series->samples, at_ms, values);
}

/* Somebody wants samples of what has none: it takes the place of what nobody has asked for the longest. At most once a
 * round, since it looks at all. */
static void want_samples(struct sampler *s, struct series *wanting)
{
    if (s->kept >= SAMPLER_KEPT_MAX) {
        struct series *oldest = NULL, *series;
        struct slice key;
        size_t at = 0;
        if (s->taken_over == s->round) return;
        s->taken_over = s->round;
        while ((series = map_str_next(&s->series, &at, &key)))
            if (series->samples && !family_of(series->key)->always && (!oldest || series->asked < oldest->asked))
                oldest = series;
        drop_samples(s, oldest);
    }
    keep_samples(s, wanting);
    add_samples(wanting, now_ms(CLOCK_REALTIME));
}

/* --- booking --- */

static void book(struct sampler *s, const struct look *look, double seconds, uint64_t at_ms)
{
    struct series *series = map_str_get(&s->series, slice_str(look->key));
    bool known = series != NULL, changed = !known;
    if (!known) {
        series = mem_zalloc(sizeof *series);
        series->key = mem_strdup(look->key);
        map_str_set(&s->series, slice_str(series->key), series);
        if (family_of(series->key)->always || s->kept < SAMPLER_KEPT_MAX) keep_samples(s, series);
    }
    for (unsigned k = 0; k < STAT_KINDS; k++) {
        uint64_t now = look->stats.values[k], before = series->last.values[k];
        if (now != before && k < STAT_MEM_USED) changed = true;
        bool falls = k >= STAT_MESSAGES, comparable = (known || s->round > 1) && seconds > 0;
        series->rates[k] = comparable && (falls || now > before) ? ((double)now - (double)before) / seconds : 0;
    }
    if (changed) series->changed_ms = at_ms;
    series->last = look->stats;
    series->round = s->round;
    if (series->samples) add_samples(series, at_ms);
}

static void free_series(struct sampler *s, struct series *series)
{
    drop_samples(s, series);
    mem_free(series->key);
    mem_free(series);
}

/* What was not seen any more goes. */
static void forget(struct sampler *s)
{
    struct series **gone = mem_alloc((s->series.count + 1) * sizeof(struct series *));
    size_t count = 0, at = 0;
    struct series *series;
    struct slice key;
    while ((series = map_str_next(&s->series, &at, &key)))
        if (series->round != s->round) gone[count++] = series;
    for (size_t i = 0; i < count; i++) {
        map_str_remove(&s->series, slice_str(gone[i]->key));
        free_series(s, gone[i]);
    }
    mem_free(gone);
}

static void round_of_looks(struct sampler *s)
{
    struct looks l = {0};
    looks_take(&l, s->http);
    uint64_t now = now_ms(CLOCK_MONOTONIC), at_ms = now_ms(CLOCK_REALTIME);
    pthread_mutex_lock(&s->lock);
    double seconds = s->looked_at_ms ? (double)(now - s->looked_at_ms) / 1000 : 0;
    s->looked_at_ms = now;
    s->last_look_ms = at_ms;
    s->round++;
    for (size_t i = 0; i < l.count; i++) book(s, &l.items[i], seconds, at_ms);
    forget(s);
    pthread_mutex_unlock(&s->lock);
    looks_free(&l);
}

static void *run(void *arg)
{
    struct sampler *s = arg;
    pthread_mutex_lock(&s->lock);
    while (!s->stopping) {
        pthread_mutex_unlock(&s->lock);
        round_of_looks(s);
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += STATS_INTERVAL_MS / 1000;
        pthread_mutex_lock(&s->lock);
        int code = 0;
        while (!s->stopping && code != ETIMEDOUT) code = pthread_cond_timedwait(&s->stop, &s->lock, &until);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* --- its life --- */

/* What the configuration names of a set takes the place of all of it. */
static void read_policy(struct samples_policy *p, const char *set, const struct config_pair *pairs)
{
    char prefix[64];
    struct samples_policy given = {0};
    int size = snprintf(prefix, sizeof prefix, "management.sample_retention_policies.%s.", set);
    for (size_t i = 0; i < CONFIG_PAIRS_MAX && *pairs[i].name; i++)
        if (!strncmp(pairs[i].name, prefix, (size_t)size))
            samples_policy_add(&given, config_sample_span_s(pairs[i].name + size), (unsigned)atoi(pairs[i].value));
    if (given.count) *p = given;
}

static void read_policies(struct sampler *s, const struct config_pair *pairs)
{
    s->global = (struct samples_policy){4, {{600, 5}, {3600, 60}, {28800, 600}, {86400, 1800}}};
    s->basic = (struct samples_policy){2, {{600, 5}, {3600, 60}}};
    s->detailed = (struct samples_policy){1, {{600, 5}}};
    read_policy(&s->global, "global", pairs);
    read_policy(&s->basic, "basic", pairs);
    read_policy(&s->detailed, "detailed", pairs);
}

struct sampler *sampler_open(struct http *h)
{
    struct sampler *s = mem_zalloc(sizeof *s);
    s->http = h;
    map_str_guard(&s->series);
    s->started_ms = now_ms(CLOCK_REALTIME);
    read_policies(s, h->params.management->samples);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->stop, NULL);
    s->no_rate = rate_json(0);
    s->no_messages = message_stats_json(&(struct stats){0});
    struct view all = view_of_configuration(h);
    sampler_details(s, "channel ", &all, RANGE_MSG_RATES, s->no_messages);
    if (!all.rates) return s; /* nobody will ask for any */
    CHECK(pthread_create(&s->thread, NULL, run, s) == 0);
    pthread_setname_np(s->thread, "http-sampler");
    s->running = true;
    return s;
}

void sampler_close(struct sampler *s)
{
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->stop);
    pthread_mutex_unlock(&s->lock);
    if (s->running) pthread_join(s->thread, NULL);
    size_t at = 0;
    struct slice key;
    struct series *series;
    while ((series = map_str_next(&s->series, &at, &key))) free_series(s, series);
    map_str_close(&s->series);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->stop);
    json_decref(s->no_rate);
    json_decref(s->no_messages);
    mem_free(s);
}

/* --- showing --- */

/* At full multiples of the increment, so that what nodes say can be added up; the newest first. */
static void put_samples(json_t *details, const struct samples *samples, unsigned column, const struct range *range)
{
    uint64_t step = (uint64_t)range->incr_s * 1000, last = now_ms(CLOCK_REALTIME) / step * step, value;
    unsigned count = range->age_s / range->incr_s;
    json_t *array = json_array();
    for (unsigned i = 0; i <= count && i * step <= last; i++) {
        if (!samples_at(samples, range->age_s, last - i * step, column, &value)) break;
        json_array_append_new(
            array, json_pack("{s:I, s:I}", "sample", (json_int_t)value, "timestamp", (json_int_t)(last - i * step)));
    }
    json_put(details, "samples", array);
    json_put_averages(details);
}

void sampler_details(struct sampler *s, const char *key, const struct view *v, enum view_range range, json_t *o)
{
    const struct family *f = family_of(key);
    const struct range *wanted = &v->ranges[range];
    char name[64];
    if (!v->rates) return;
    pthread_mutex_lock(&s->lock);
    struct series *series = map_str_get(&s->series, slice_str(key));
    if (series && wanted->incr_s && !series->samples) want_samples(s, series);
    if (series && wanted->incr_s) series->asked = s->round;
    for (unsigned k = 0; k < STAT_KINDS; k++) {
        if (!(f->kinds >> k & 1) || !json_object_get(o, stat_names[k])) continue;
        bool still = !series || (series->rates[k] == 0 && !wanted->incr_s);
        json_t *details = still ? json_incref(s->no_rate) : rate_json(series->rates[k]);
        if (series && wanted->incr_s && series->samples) put_samples(details, series->samples, column_of(f, k), wanted);
        snprintf(name, sizeof name, "%s_details", stat_names[k]);
        json_put(o, name, details);
    }
    pthread_mutex_unlock(&s->lock);
}

json_t *sampler_no_messages(struct sampler *s)
{
    return json_incref(s->no_messages);
}

void sampler_put_idle(struct sampler *s, const char *key, json_t *o)
{
    char text[64];
    pthread_mutex_lock(&s->lock);
    const struct series *series = map_str_get(&s->series, slice_str(key));
    uint64_t since = series ? series->changed_ms : s->started_ms; /* what has no series has done nothing */
    bool idle = s->running && (!series || since < s->last_look_ms);
    pthread_mutex_unlock(&s->lock);
    if (!idle) return;
    time_t seconds = (time_t)(since / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + size, sizeof text - size, ".%03u+00:00", (unsigned)(since % 1000));
    json_put(o, "idle_since", json_string(text));
}

static json_t *spans_json(const struct samples_policy *p)
{
    json_t *array = json_array();
    for (unsigned i = 0; i < p->count; i++) json_array_append_new(array, json_integer(p->tiers[i].span_s));
    return array;
}

json_t *sampler_spans(const struct sampler *s)
{
    return json_pack("{s:o, s:o, s:o}", "global", spans_json(&s->global), "basic", spans_json(&s->basic), "detailed",
                     spans_json(&s->detailed));
}
