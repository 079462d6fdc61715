/* Where messages and bindings have been: the marks that federation leaves on them, and what they mean.
 *
 * Pure; any thread. Field tables are without their length. */
#ifndef WARREN_HA_FEDERATION_MARKS_H
#define WARREN_HA_FEDERATION_MARKS_H

#include "base/buf.h"

/* The source of a message, for x-received-from. */
struct marks_source {
    struct slice uri;          /* without secrets */
    struct slice exchange;     /* of an exchange link; else empty */
    struct slice queue;        /* of a queue link; else empty */
    struct slice cluster_name; /* empty: the upstream did not say */
    struct slice vhost;
    bool redelivered;
    bool trust_user_id;
};

/* Appends the properties of a message that came over an exchange link. False: they cannot be read. */
bool marks_put_exchange(struct buf *b, struct slice properties, const struct marks_source *from);
/* The same for a queue link: with the first exchange and routing key, and how often the message was at this queue. */
bool marks_put_queue(struct buf *b, struct slice properties, const struct marks_source *from, struct slice exchange,
                     struct slice routing_key);
/* The headers of a message; empty: none. */
struct slice marks_headers(struct slice properties);

/* A binding of the downstream exchange on its way to the upstream. */
struct marks_downstream {
    struct slice cluster_name, vhost, exchange; /* ours; the exchange with the suffix of its internal one */
    struct slice upstream_cluster_name, upstream_vhost;
    int64_t max_hops;
};
/* Appends the binding's arguments with x-bound-from in front. False: it must not travel on. */
bool marks_put_binding(struct buf *b, struct slice arguments, const struct marks_downstream *d);

#endif
