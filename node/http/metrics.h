/* Prometheus' text format 0.0.4, with RabbitMQ's names.
 *
 * A scrape is a list of parts, and each is asked until it has no more: so the text is made while it is sent, and of
 * objects (queues, channels ...) only a slice is in memory at a time. A family of figures must stand together, so the
 * objects are walked once for each figure.
 *
 * Thread: the request's. */
#ifndef WARREN_NODE_HTTP_METRICS_H
#define WARREN_NODE_HTTP_METRICS_H

#include "node/http/http_internal.h"

/* Where figures go: a family has a head, then one line for each set of labels. */
struct exposition {
    struct buf *out;
    const char *prefix; /* "rabbitmq_" or "rabbitmq_detailed_" */
};

void expose_head(struct exposition *e, const char *name, const char *type, const char *help);
/* labels: "" or {name="value",...} */
void expose_value(struct exposition *e, const char *name, struct slice labels, double value);
void expose_count(struct exposition *e, const char *name, struct slice labels, uint64_t value);
void expose(struct exposition *e, const char *name, const char *type, const char *help, uint64_t value);
void expose_seconds(struct exposition *e, const char *name, const char *type, const char *help, double seconds);
void expose_labelled(struct exposition *e, const char *name, const char *type, const char *help, const char *labels,
                     uint64_t value);
/* A label's value, escaped. */
void label_put(struct buf *b, const char *name, struct slice value);

/* A figure of a kind of object. */
struct figure {
    const char *families; /* comma separated: any of them brings it */
    const char *name, *type, *help;
};

struct scrape;
/* Appends a slice; false: the part is done. `s->at` is zero when it begins, and its own until it is done. */
typedef bool scrape_part(struct scrape *s, struct exposition *e);

struct scrape {
    struct http *http;
    enum scrape_kind { SCRAPE_SUMS, SCRAPE_EACH, SCRAPE_DETAILED, SCRAPE_MEMORY } kind;
    char *families, *vhosts;   /* owned, comma separated; NULL: all */
    char *queue;               /* owned; NULL: all */
    scrape_part *const *parts; /* that are left; ends with NULL */
    struct totals totals;
    struct scrape_at {
        size_t figure;
        bool begun; /* the figure's head is out */
        uint16_t shard;
        uint32_t group;
        uint64_t cursor, channel, sum;
    } at;
    uint64_t begun_ns;
};
/* Is any of these families wanted? */
bool scrape_has(const struct scrape *s, const char *families);
bool scrape_has_vhost(const struct scrape *s, struct slice vhost);
bool scrape_has_queue(const struct scrape *s, struct slice vhost, struct slice queue);
/* The next figure of `count` that is wanted, from s->at.figure on; false: none. Puts its head once. */
bool scrape_figure(struct scrape *s, struct exposition *e, const void *figures, size_t size, size_t count);

/* metrics_node.c */
scrape_part scrape_identity, scrape_totals, scrape_globals, scrape_sizes, scrape_churn, scrape_node, scrape_io,
    scrape_logins, scrape_memory;
/* metrics_queues.c, metrics_clients.c, metrics_exchanges.c: one line for each object, or their sum */
scrape_part scrape_queues, scrape_connections, scrape_channels, scrape_exchanges;
/* metrics_raft.c: libraft's and the machines' groups */
scrape_part scrape_raft, scrape_own;
/* metrics_cluster.c: the cluster's objects, the same on each node */
scrape_part scrape_vhosts, scrape_exchange_names, scrape_exchange_bindings;
/* metrics_links.c: shovels and federation links of this node */
scrape_part scrape_links;

/* metrics_telemetry.c: what scrapes cost, by endpoint */
struct telemetry;
struct telemetry *telemetry_open(void);
void telemetry_close(struct telemetry *t);
void telemetry_note(struct telemetry *t, enum scrape_kind kind, bool gzip, uint64_t ns, uint64_t made, uint64_t sent);
scrape_part scrape_telemetry;

#endif
