/* Prometheus' text format 0.0.4, with RabbitMQ's names. */
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
void expose_value(struct exposition *e, const char *name, const char *labels, double value);
void expose(struct exposition *e, const char *name, const char *type, const char *help, uint64_t value);
void expose_labelled(struct exposition *e, const char *name, const char *type, const char *help, const char *labels,
                     uint64_t value);
/* A label's value, escaped. */
void label_put(struct buf *b, const char *name, struct slice value);

/* Which families are wanted, and of which objects; data NULL: all. */
struct selection {
    const char *families; /* comma separated; NULL: all */
    struct slice vhosts, queue;
};
bool selection_has(const struct selection *s, const char *family);

/* metrics_objects.c: one line for each queue, connection, channel and group of this node */
void expose_queues(struct exposition *e, struct http *h, const struct selection *s);
void expose_connections(struct exposition *e, struct http *h, const struct selection *s);
void expose_channels(struct exposition *e, struct http *h, const struct selection *s);
void expose_groups(struct exposition *e, struct http *h, const struct selection *s, bool each);
/* The cluster's objects, the same on each node. */
void expose_cluster(struct exposition *e, struct http *h, const struct selection *s);

/* metrics_links.c: shovels and federation links of this node, by state; nothing where there are none */
void expose_links(struct exposition *e, struct http *h);

#endif
