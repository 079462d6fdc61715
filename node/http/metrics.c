/* /metrics and its relatives: what kind is asked for, and the text format. */
#include "node/http/metrics.h"

#include <stdio.h>
#include <time.h>

#include "base/mem.h"

/* --- the format --- */

static void put_text(struct buf *b, const char *text)
{
    buf_put(b, text, strlen(text));
}

void expose_head(struct exposition *e, const char *name, const char *type, const char *help)
{
    buf_printf(e->out, "# TYPE %s%s %s\n# HELP %s%s %s\n", e->prefix, name, type, e->prefix, name, help);
}

/* By hand: there may be millions of lines. */
void expose_count(struct exposition *e, const char *name, struct slice labels, uint64_t value)
{
    char digits[24];
    size_t at = sizeof digits;
    digits[--at] = '\n';
    do digits[--at] = (char)('0' + value % 10);
    while (value /= 10);
    digits[--at] = ' ';
    put_text(e->out, e->prefix);
    put_text(e->out, name);
    buf_put_slice(e->out, labels);
    buf_put(e->out, digits + at, sizeof digits - at);
}

void expose_value(struct exposition *e, const char *name, struct slice labels, double value)
{
    if (value >= 0 && value < 1e15 && value == (double)(uint64_t)value) {
        expose_count(e, name, labels, (uint64_t)value);
        return;
    }
    put_text(e->out, e->prefix);
    put_text(e->out, name);
    buf_put_slice(e->out, labels);
    buf_printf(e->out, " %.6f\n", value);
}

void expose_labelled(struct exposition *e, const char *name, const char *type, const char *help, const char *labels,
                     uint64_t value)
{
    expose_head(e, name, type, help);
    expose_count(e, name, slice_str(labels), value);
}

void expose(struct exposition *e, const char *name, const char *type, const char *help, uint64_t value)
{
    expose_labelled(e, name, type, help, "", value);
}

void expose_seconds(struct exposition *e, const char *name, const char *type, const char *help, double seconds)
{
    expose_head(e, name, type, help);
    expose_value(e, name, (struct slice){0}, seconds);
}

void label_put(struct buf *b, const char *name, struct slice value)
{
    size_t plain = 0;
    put_text(b, name);
    buf_put(b, "=\"", 2);
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        if (c != '\n' && c != '"' && c != '\\') continue;
        buf_put(b, value.data + plain, i - plain);
        buf_put_u8(b, '\\');
        buf_put_u8(b, c == '\n' ? 'n' : c);
        plain = i + 1;
    }
    if (value.size) buf_put(b, value.data + plain, value.size - plain);
    buf_put_u8(b, '"');
}

/* --- what is asked for --- */

static bool among(const char *list, struct slice one)
{
    for (const char *at = list; at;) {
        size_t size = strcspn(at, ",");
        if (slice_equal(slice_of(at, size), one)) return true;
        at = at[size] ? at + size + 1 : NULL;
    }
    return !list;
}

bool scrape_has(const struct scrape *s, const char *families)
{
    for (const char *at = families; *at;) {
        size_t size = strcspn(at, ",");
        if (among(s->families, slice_of(at, size))) return true;
        at += size + (at[size] == ',');
    }
    return false;
}

bool scrape_has_vhost(const struct scrape *s, struct slice vhost)
{
    return among(s->vhosts, vhost);
}

bool scrape_has_queue(const struct scrape *s, struct slice vhost, struct slice queue)
{
    return among(s->vhosts, vhost) && (!s->queue || slice_is(queue, s->queue));
}

bool scrape_figure(struct scrape *s, struct exposition *e, const void *figures, size_t size, size_t count)
{
    for (; s->at.figure < count; s->at.figure++) {
        const struct figure *f = (const void *)((const char *)figures + s->at.figure * size);
        if (!scrape_has(s, f->families)) continue;
        if (!s->at.begun) expose_head(e, f->name, f->type, f->help);
        s->at.begun = true;
        return true;
    }
    return false;
}

/* --- the body, part by part --- */

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool scrape_next(void *self, struct buf *out)
{
    struct scrape *s = self;
    struct exposition e = {out, s->kind == SCRAPE_DETAILED ? "rabbitmq_detailed_" : "rabbitmq_"};
    size_t before = out->size;
    while (*s->parts && out->size - before < STREAM_BLOCK) {
        if ((*s->parts)(s, &e)) continue;
        s->at = (struct scrape_at){0};
        s->parts++;
    }
    return *s->parts != NULL;
}

static void scrape_close(void *self, bool gzip, uint64_t made, uint64_t sent)
{
    struct scrape *s = self;
    if (!*s->parts) telemetry_note(s->http->telemetry, s->kind, gzip, now_ns() - s->begun_ns, made, sent);
    mem_free(s->families);
    mem_free(s->vhosts);
    mem_free(s->queue);
    mem_free(s);
}

static struct scrape *begin(struct request *r, struct answer *a, enum scrape_kind kind, scrape_part *const *parts)
{
    struct scrape *s = mem_zalloc(sizeof *s);
    s->http = r->http;
    s->kind = kind;
    s->parts = parts;
    s->begun_ns = now_ns();
    totals_gather(r->http, &s->totals);
    a->content_type = "text/plain; version=0.0.4";
    a->stream = (struct stream_source){s, scrape_next, scrape_close};
    return s;
}

/* What both /metrics and /metrics/detailed have. */
#define FIGURES_OF_ALL                                                                                        \
    scrape_churn, scrape_node, scrape_io, scrape_logins, scrape_queues, scrape_exchanges, scrape_connections, \
        scrape_channels, scrape_raft

static scrape_part *const whole[] = {scrape_identity, scrape_totals,    scrape_globals, scrape_sizes, FIGURES_OF_ALL,
                                     scrape_links,    scrape_telemetry, scrape_own,     NULL};

void api_metrics_get(struct request *r, struct answer *a)
{
    begin(r, a, r->http->params.metrics_per_object ? SCRAPE_EACH : SCRAPE_SUMS, whole);
}

void api_metrics_per_object(struct request *r, struct answer *a)
{
    begin(r, a, SCRAPE_EACH, whole);
}

/* All values that an option has, with commas between; NULL: it was not given. */
static char *values_of(struct request *r, const char *name)
{
    char text[2048];
    request_query_all(r, name, text, sizeof text);
    return *text ? mem_strdup(text) : NULL;
}

/* Only what ?family names; without one, nothing but who we are. */
void api_metrics_detailed(struct request *r, struct answer *a)
{
    static scrape_part *const chosen[] = {scrape_identity,       FIGURES_OF_ALL,           scrape_vhosts,
                                          scrape_exchange_names, scrape_exchange_bindings, NULL};
    struct scrape *s = begin(r, a, SCRAPE_DETAILED, chosen);
    s->families = values_of(r, "family");
    if (!s->families) s->families = mem_strdup("none");
    s->vhosts = values_of(r, "vhost");
    const char *queue = request_query(r, "queue");
    if (queue) s->queue = mem_strdup(queue);
}

void api_metrics_memory(struct request *r, struct answer *a)
{
    static scrape_part *const parts[] = {scrape_identity, scrape_memory, NULL};
    begin(r, a, SCRAPE_MEMORY, parts);
}
