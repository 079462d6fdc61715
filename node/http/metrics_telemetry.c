/* What scrapes cost, under the names of the library that RabbitMQ serves them with: the scrapes before this one. */
#include <pthread.h>
#include <stdio.h>

#include "base/mem.h"
#include "node/http/metrics.h"

static const char *const registries[] = {[SCRAPE_SUMS] = "default",
                                         [SCRAPE_EACH] = "per-object",
                                         [SCRAPE_DETAILED] = "detailed",
                                         [SCRAPE_MEMORY] = "memory-breakdown"};
enum { KINDS = sizeof registries / sizeof registries[0], ENCODINGS = 2 };

struct telemetry {
    pthread_mutex_t lock;
    struct {
        uint64_t count, ns, made;
        struct {
            uint64_t count, sent;
        } by_encoding[ENCODINGS]; /* plain, gzip */
    } kinds[KINDS];
};

struct telemetry *telemetry_open(void)
{
    struct telemetry *t = mem_zalloc(sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void telemetry_close(struct telemetry *t)
{
    pthread_mutex_destroy(&t->lock);
    mem_free(t);
}

void telemetry_note(struct telemetry *t, enum scrape_kind kind, bool gzip, uint64_t ns, uint64_t made, uint64_t sent)
{
    pthread_mutex_lock(&t->lock);
    t->kinds[kind].count++;
    t->kinds[kind].ns += ns;
    t->kinds[kind].made += made;
    t->kinds[kind].by_encoding[gzip].count++;
    t->kinds[kind].by_encoding[gzip].sent += sent;
    pthread_mutex_unlock(&t->lock);
}

static void put_summary(struct exposition *e, const char *name, enum scrape_kind kind, const char *more, uint64_t count,
                        double sum)
{
    char labels[160], whole[80];
    if (!count) return;
    snprintf(labels, sizeof labels, "{registry=\"%s\",content_type=\"text/plain; version=0.0.4\"%s}", registries[kind],
             more);
    snprintf(whole, sizeof whole, "%s_count", name);
    expose_count(e, whole, slice_str(labels), count);
    snprintf(whole, sizeof whole, "%s_sum", name);
    expose_value(e, whole, slice_str(labels), sum);
}

bool scrape_telemetry(struct scrape *s, struct exposition *e)
{
    struct exposition own = {e->out, "telemetry_scrape_"};
    struct telemetry *t = s->http->telemetry, copy;
    pthread_mutex_lock(&t->lock);
    memcpy(copy.kinds, t->kinds, sizeof copy.kinds);
    pthread_mutex_unlock(&t->lock);
    expose_head(&own, "duration_seconds", "summary", "Scrape duration");
    for (unsigned k = 0; k < KINDS; k++)
        put_summary(&own, "duration_seconds", k, "", copy.kinds[k].count, (double)copy.kinds[k].ns / 1e9);
    expose_head(&own, "size_bytes", "summary", "Scrape size, not encoded");
    for (unsigned k = 0; k < KINDS; k++)
        put_summary(&own, "size_bytes", k, "", copy.kinds[k].count, (double)copy.kinds[k].made);
    expose_head(&own, "encoded_size_bytes", "summary", "Scrape size, encoded");
    for (unsigned k = 0; k < KINDS; k++)
        for (unsigned i = 0; i < ENCODINGS; i++)
            put_summary(&own, "encoded_size_bytes", k, i ? ",encoding=\"gzip\"" : ",encoding=\"identity\"",
                        copy.kinds[k].by_encoding[i].count, (double)copy.kinds[k].by_encoding[i].sent);
    return false;
}
