/* Inside the management port: what its files share. */
#ifndef WARREN_NODE_HTTP_HTTP_INTERNAL_H
#define WARREN_NODE_HTTP_HTTP_INTERNAL_H

#include <jansson.h>

#include "node/http/http.h"

struct http {
    struct http_params params;
    struct MHD_Daemon *daemon;
    char address[128];
};

/* An answer under construction; the server sends and frees it. */
struct answer {
    unsigned status;
    const char *content_type;
    struct buf body;
};

void answer_json(struct answer *a, json_t *value); /* moves the value */
void answer_error(struct answer *a, unsigned status, const char *error, const char *reason);
json_t *json_slice(struct slice text);             /* bytes that are not UTF-8 become U+FFFD */
json_t *json_table(struct slice field_table);      /* an AMQP field table as an object */

/* Runs `call` on each shard in turn, with `arg`. */
void each_shard(struct http *h, void (*call)(struct shard *s, void *arg), void *arg);

void health_answer(struct http *h, const char *check, struct answer *a);
void overview_answer(struct http *h, struct answer *a);
void nodes_answer(struct http *h, struct answer *a);
/* vhost and name decoded; NULL data: all */
void queues_answer(struct http *h, struct slice vhost, struct slice name, struct answer *a);
void connections_answer(struct http *h, struct answer *a);
void metrics_answer(struct http *h, struct answer *a);

/* Sums over the queues of all groups that have a replica here. */
struct totals {
    uint64_t queues, exchanges, connections, channels, consumers, ready, unacked;
    uint64_t published, confirmed, delivered, acked, returned, got;
    uint64_t connections_opened, connections_closed, log_bytes, log_syncs, store_bytes;
    uint64_t groups_led;
    bool disk_alarm, memory_alarm; /* of this node */
};
void totals_gather(struct http *h, struct totals *t);

uint64_t process_resident_bytes(void);
uint64_t process_open_files(void);
uint64_t process_files_max(void);
uint64_t disk_free_bytes(const char *path);

#endif
