/* The management port: health checks, the API in RabbitMQ's shapes, Prometheus figures.
 *
 * Thread:   libmicrohttpd's own; what it shows is gathered on each shard's thread by shard_call_any().
 * Lifetime: http_open() .. http_close(), on the main thread, while the node runs.
 * Paths:    GET /health/live, /health/ready, /health/leader (no credentials; 200, or 503 with the reason);
 *           GET /api/overview, /api/nodes, /api/queues[/vhost[/name]], /api/connections, /metrics (basic auth). */
#ifndef WARREN_NODE_HTTP_HTTP_H
#define WARREN_NODE_HTTP_HTTP_H

#include "node/shard/node.h"

struct http;
struct config;
struct config_management;
struct config_tls;
struct tls_context;

enum {
    HTTP_CONNECTIONS_MAX = 256, /* of all ports together; one more takes the place of one that is not being served */
    HTTP_LEAVING_MAX = 64,      /* besides: those who were told to go, and have not noticed yet */
    HTTP_TIMEOUT_S = 30,
};

/* Texts are borrowed until http_close(). */
struct http_params {
    struct node *node;
    const char *address;           /* host:port, or port alone; "": no plain port */
    const struct config_tls *tls;  /* NULL: no HTTPS */
    struct tls_context *tls_files; /* the same files, as OpenSSL reads them; outlives this */
    const char *tls_address;
    const struct http_definitions *definitions; /* NULL: none; outlives this */
    const char *socket;                         /* path of the API's local socket; "": none */
    const char *metrics_address;                /* of /metrics alone; "": none */
    bool metrics_per_object;                    /* /metrics is /metrics/per-object */
    bool metrics_login;                         /* metrics_address asks for credentials, too */
    const char *metrics_path;                   /* "/metrics", or what it is called on metrics_address */
    const char *product, *version, *cluster_name;
    const struct config_management *management; /* of `config`; outlives this */
    const struct config *config;                /* what config/effective shows; outlives this */
};

/* What the configuration wants to be brought in at start, read whole. Any thread. *out NULL: nothing. */
struct http_definitions;
int http_definitions_open(struct http_definitions **out, const struct config *c, struct err *err);
void http_definitions_close(struct http_definitions *d);            /* NULL is fine */
bool http_definitions_have_users(const struct http_definitions *d); /* then a new cluster needs no default user */

int http_open(struct http **out, const struct http_params *params, struct err *err);
/* Serves HTTPS with new certificates when their files have changed, or in any case; broken files change nothing. */
void http_reload(struct http *h, bool all);
void http_close(struct http *h);

/* What the layer above tells of links between clusters. Any thread. */
struct http_links {
    void *self;
    void (*status)(void *self, struct buf *json); /* appends a JSON array: RabbitMQ's shapes of shovels and links */
    /* If it runs here. kind: "shovel", or "federation": then with its upstream, else "". */
    void (*restart)(void *self, const char *kind, const char *vhost, const char *name, const char *upstream);
    /* Is the value of a parameter sound? 0, or `err` has the sentence that RabbitMQ's validation would say. */
    int (*check)(void *self, const char *component, const char *name, struct slice value, struct err *err);
};
/* `links` is borrowed until http_close(). */
void http_set_links(struct http *h, const struct http_links *links);

#endif
