/* What is federated: a downstream exchange or queue, one of its upstreams, and the names that follow from them.
 *
 * A link's whole definition travels as one JSON text, so that a plan can compare it: federated_text() ..
 * federated_read(). Pure; any thread. */
#ifndef WARREN_HA_FEDERATION_FEDERATED_H
#define WARREN_HA_FEDERATION_FEDERATED_H

#include "ha/federation/upstream.h"

struct federated {
    bool is_queue;
    char *vhost, *name; /* of the downstream exchange or queue */
    char *type;         /* of the exchange; "" for a queue */
    bool durable, auto_delete, internal;
    struct buf arguments; /* as declared */
    uint32_t group;       /* of the queue */
    uint64_t queue_id;
    char *cluster_name; /* ours */
    struct upstream upstream;
};

/* The text of a link; `value` is the upstream's parameter, merged with what a set says. */
char *federated_exchange_text(const struct exchange *x, const char *cluster_name, const char *upstream,
                              const json_t *value);
char *federated_queue_text(const struct queue_record *q, const char *cluster_name, const char *upstream,
                           const json_t *value);
int federated_read(struct federated *f, const char *text, struct err *err);
void federated_close(struct federated *f);

/* The name of the exchange or queue at the upstream. */
struct slice federated_upstream_name(const struct federated *f);
/* "federation: X -> cluster", with what is needed to tell downstreams apart. `vhost`: the upstream's. */
void federated_put_queue_name(struct buf *b, const struct federated *f, struct slice vhost);
/* "Federation link (upstream: U)" */
void federated_put_connection_name(struct buf *b, const struct federated *f);

#endif
