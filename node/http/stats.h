/* Counters of messages and bytes, their names in the API, their rates and samples.
 *
 * Every five seconds a thread looks at all counters of this node; a rate is the difference of the last two looks. What
 * stands still has no entry: memory goes with what is active, not with what is there. Samples of the past (samples.h)
 * are kept for so many things as SAMPLER_KEPT_MAX allows: the first that were active, and those that were asked for. */
#ifndef WARREN_NODE_HTTP_STATS_H
#define WARREN_NODE_HTTP_STATS_H

#include "node/http/http_internal.h"
#include "node/http/view.h"

enum { STATS_INTERVAL_MS = 5000, SAMPLER_KEPT_MAX = 1000 /* things with samples: of each some 20 KB */ };

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
    STAT_DISK_READS,
    STAT_DISK_WRITES,
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
    STAT_IO_READS,
    STAT_IO_READ_BYTES,
    STAT_IO_WRITES,
    STAT_IO_WRITE_BYTES,
    STAT_IO_SYNCS,
    STAT_CONTEXT_SWITCHES,
    STAT_MESSAGES, /* from here on: they fall, too */
    STAT_READY,
    STAT_UNACKED,
    STAT_MEM_USED,
    STAT_FD_USED,
    STAT_SOCKETS_USED,
    STAT_PROC_USED,
    STAT_DISK_FREE,
    STAT_KINDS
};

struct stats {
    uint64_t values[STAT_KINDS];
};
void stats_of_session(struct stats *to, const struct session_stats *from); /* adds */
void stats_of_queue(struct stats *to, const struct queue_stat *from);      /* adds */

void stats_of_channel_queue(struct stats *to, const struct session_queue_counts *from);

/* The counter under its name. */
void json_put_stat(json_t *o, enum stat_kind kind, const struct stats *s);
json_t *message_stats_json(const struct stats *s);
json_t *rate_json(double rate);
void json_put_averages(json_t *details);       /* avg and avg_rate of its samples, the newest first */
void json_sum(json_t *to, const json_t *from); /* adds counters, rates and samples, member by member */
extern const char *const stat_names[STAT_KINDS];

/* --- the sampler --- */
struct sampler;
struct sampler *sampler_open(struct http *h);
void sampler_close(struct sampler *s);
/* Gives each counter that stands in `o` its NAME_details: the rate, and the samples that the view wants of this range.
 * Keys: "node", "vhost NAME", "queue ID", "exchange VHOST/NAME", "connection NAME", "channel NAME". Zeros for what
 * stands still. Any thread. */
void sampler_details(struct sampler *s, const char *key, const struct view *v, enum view_range range, json_t *o);
/* message_stats of what never did anything: one object for all, not to be changed. A new reference. */
json_t *sampler_no_messages(struct sampler *s);
/* "idle_since": when a counter of this thing last changed, if that was before the last look. */
void sampler_put_idle(struct sampler *s, const char *key, json_t *o);
/* The spans that are kept, as overview shows them. New. */
json_t *sampler_spans(const struct sampler *s);

/* --- looks.c, for the sampler: all counters of this node as they are now --- */
struct look {
    char *key; /* owned */
    struct stats stats;
};
struct looks {
    struct look *items;
    size_t count, capacity;
};
void looks_take(struct looks *l, struct http *h);
void looks_free(struct looks *l);

#endif
