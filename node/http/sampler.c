/* The thread that looks at all counters every few seconds; what rates are made of. */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/map.h"
#include "base/mem.h"
#include "node/http/families.h"
#include "node/http/stats.h"

struct series {
    char *key; /* owned */
    struct stats last;
    struct rates rates;
    uint64_t round; /* it was seen in */
};

/* A look at one thing, on its way from a shard's thread. */
struct look {
    char *key; /* owned */
    struct stats stats;
};

struct looks {
    struct look *items;
    size_t count, capacity;
    uint64_t cursor;
    uint32_t group;
    bool more;
    struct stats node;
};

struct sampler {
    struct http *http;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stop;
    bool stopping;
    struct map_str series; /* guarded by `lock`, with what is in it */
    uint64_t round, looked_at_ms;
};

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- looking --- */

static struct look *add(struct looks *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

static struct look *add(struct looks *l, const char *format, ...)
{
    char key[600]; /* the longest: two names of an exchange */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(key, sizeof key, format, arguments);
    va_end(arguments);
    if (l->count == l->capacity) l->items = mem_grow(l->items, &l->capacity, l->count + 1, sizeof *l->items);
    struct look *look = &l->items[l->count++];
    *look = (struct look){.key = mem_strdup(key)};
    return look;
}

static void look_at_channels(struct looks *l, const struct shard_connection_info *c)
{
    struct session_channel_info channel;
    for (uint64_t cursor = 0; session_next_channel(c->handle, &cursor, &channel);) {
        struct look *look = add(l, "channel %s (%u)", c->session.peer, channel.number);
        stats_of_session(&look->stats, &channel.stats);
    }
}

static void look_at_connections(struct shard *s, void *arg)
{
    struct looks *l = arg;
    struct shard_connection_info c;
    l->more = true;
    for (unsigned i = 0; i < HTTP_SLICE && (l->more = shard_next_connection(s, &l->cursor, &c)); i++) {
        struct look *look = add(l, "connection %s", c.session.peer);
        look->stats.values[STAT_RECV_OCT] = c.bytes_in;
        look->stats.values[STAT_SEND_OCT] = c.bytes_out;
        stats_of_session(&l->node, &c.session.stats);
        look_at_channels(l, &c);
    }
}

static void look_at_closed(struct shard *s, void *arg)
{
    struct looks *l = arg;
    struct shard_figures figures;
    shard_figures(s, &figures);
    stats_of_session(&l->node, &figures.closed);
    l->node.values[STAT_CONNECTION_CREATED] += figures.connections_opened;
    l->node.values[STAT_CONNECTION_CLOSED] += figures.connections_closed;
}

static void look_at_queues(struct shard *s, void *arg)
{
    struct looks *l = arg;
    struct queue_machine *m = broker_queues(shard_broker(s), l->group);
    struct queue_stat q;
    l->more = m != NULL;
    for (unsigned i = 0; i < HTTP_SLICE && l->more && (l->more = queue_machine_next(m, &l->cursor, &q)); i++) {
        if (broker_leader(shard_broker(s), l->group) == shard_settings(s)->node) {
            l->node.values[STAT_READY] += q.ready;
            l->node.values[STAT_UNACKED] += q.unacked;
            l->node.values[STAT_MESSAGES] += q.ready + q.unacked;
        }
        if (!q.counts.enqueued && !q.counts.delivered && !q.counts.acked) continue;
        struct look *look = add(l, "queue %llu", (unsigned long long)q.id);
        stats_of_queue(&look->stats, &q);
    }
}

static void look_at_exchanges(struct http *h, struct looks *l)
{
    json_t *sums = exchange_counts_here(h), *names, *counts;
    const char *vhost, *name;
    json_object_foreach(sums, vhost, names)
    {
        json_object_foreach(names, name, counts)
        {
            struct look *look = add(l, "exchange %s/%s", vhost, name);
            look->stats.values[STAT_PUBLISH_IN] = (uint64_t)json_integer_value(json_array_get(counts, 0));
            look->stats.values[STAT_PUBLISH_OUT] = (uint64_t)json_integer_value(json_array_get(counts, 1));
        }
    }
    json_decref(sums);
}

/* --- booking --- */

static void book(struct sampler *s, const struct look *look, double seconds)
{
    struct series *series = map_str_get(&s->series, slice_str(look->key));
    bool known = series != NULL;
    if (!known) {
        series = mem_zalloc(sizeof *series);
        series->key = mem_strdup(look->key);
        map_str_set(&s->series, slice_str(series->key), series);
    }
    for (unsigned k = 0; k < STAT_KINDS; k++) {
        uint64_t now = look->stats.values[k], before = series->last.values[k];
        bool falls = k >= STAT_MESSAGES, comparable = (known || s->round > 1) && seconds > 0;
        series->rates.values[k] = comparable && (falls || now > before) ? ((double)now - (double)before) / seconds : 0;
    }
    series->last = look->stats;
    series->round = s->round;
}

static void free_series(struct series *series)
{
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
        free_series(gone[i]);
    }
    mem_free(gone);
}

static void round_of_looks(struct sampler *s)
{
    struct looks l = {0};
    const struct node_settings *settings = node_settings(s->http->params.node);
    for (uint16_t i = 0; i < settings->shard_count; i++) {
        struct shard *shard = node_shard(s->http->params.node, i);
        l.cursor = 0;
        do shard_call_any(shard, look_at_connections, &l);
        while (l.more);
        shard_call_any(shard, look_at_closed, &l);
    }
    for (l.group = 1; l.group < settings->placement.group_count; l.group++) {
        l.cursor = 0;
        do
            shard_call_any(node_shard(s->http->params.node, (uint16_t)(l.group % settings->shard_count)),
                           look_at_queues, &l);
        while (l.more);
    }
    look_at_exchanges(s->http, &l);
    struct look *node = add(&l, "node");
    node->stats = l.node;
    uint64_t now = now_ms();
    pthread_mutex_lock(&s->lock);
    double seconds = s->looked_at_ms ? (double)(now - s->looked_at_ms) / 1000 : 0;
    s->looked_at_ms = now;
    s->round++;
    for (size_t i = 0; i < l.count; i++) {
        book(s, &l.items[i], seconds);
        mem_free(l.items[i].key);
    }
    forget(s);
    pthread_mutex_unlock(&s->lock);
    mem_free(l.items);
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

struct sampler *sampler_open(struct http *h)
{
    struct sampler *s = mem_zalloc(sizeof *s);
    s->http = h;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->stop, NULL);
    CHECK(pthread_create(&s->thread, NULL, run, s) == 0);
    pthread_setname_np(s->thread, "http-sampler");
    return s;
}

void sampler_close(struct sampler *s)
{
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->stop);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    size_t at = 0;
    struct slice key;
    struct series *series;
    while ((series = map_str_next(&s->series, &at, &key))) free_series(series);
    map_str_close(&s->series);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->stop);
    mem_free(s);
}

void sampler_rates(struct sampler *s, const char *key, struct rates *out)
{
    *out = (struct rates){0};
    pthread_mutex_lock(&s->lock);
    struct series *series = map_str_get(&s->series, slice_str(key));
    if (series) *out = series->rates;
    pthread_mutex_unlock(&s->lock);
}
