/* Counters of messages and bytes, their names in the API, and their rates.
 *
 * Every five seconds a thread looks at all counters of this node; a rate is the difference of the last two looks. What
 * stands still has no entry: memory goes with what is active, not with what is there. */
#ifndef WARREN_NODE_HTTP_STATS_H
#define WARREN_NODE_HTTP_STATS_H

#include "node/http/http_internal.h"

enum { STATS_INTERVAL_MS = 5000 };

enum stat_kind {
    STAT_PUBLISH,
    STAT_CONFIRM,
    STAT_RETURN_UNROUTABLE,
    STAT_DROP_UNROUTABLE,
    STAT_DELIVER,
    STAT_DELIVER_NO_ACK,
    STAT_GET,
    STAT_GET_NO_ACK,
    STAT_GET_EMPTY,
    STAT_REDELIVER,
    STAT_ACK,
    STAT_DELIVER_GET,
    STAT_MESSAGE_KINDS, /* those above make message_stats */
    STAT_RECV_OCT = STAT_MESSAGE_KINDS,
    STAT_SEND_OCT,
    STAT_PUBLISH_IN,
    STAT_PUBLISH_OUT,
    STAT_CONNECTION_CREATED,
    STAT_CONNECTION_CLOSED,
    STAT_CHANNEL_CREATED,
    STAT_CHANNEL_CLOSED,
    STAT_QUEUE_DECLARED,
    STAT_QUEUE_CREATED,
    STAT_QUEUE_DELETED,
    STAT_MESSAGES, /* from here on: they fall, too */
    STAT_READY,
    STAT_UNACKED,
    STAT_KINDS
};

struct stats {
    uint64_t values[STAT_KINDS];
};
struct rates {
    double values[STAT_KINDS]; /* per second */
};

void stats_of_session(struct stats *to, const struct session_stats *from); /* adds */
void stats_of_queue(struct stats *to, const struct queue_stat *from);      /* adds */

/* Puts `name` and `name_details` for each counter that is wanted. */
json_t *message_stats_json(const struct stats *s, const struct rates *r);
void json_put_stat(json_t *o, enum stat_kind kind, const char *name, const struct stats *s, const struct rates *r);
void message_stats_put_rates(json_t *message_stats, const struct rates *r);
json_t *rate_json(double rate);
void json_sum(json_t *to, const json_t *from); /* adds counters and rates, member by member */

/* --- the sampler --- */
struct sampler;
struct sampler *sampler_open(struct http *h);
void sampler_close(struct sampler *s);
/* Keys: "node", "queue ID", "exchange VHOST/NAME", "connection NAME", "channel NAME". Zeros for what stands still. Any
 * thread. */
void sampler_rates(struct sampler *s, const char *key, struct rates *out);

#endif
