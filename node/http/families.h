/* What one node knows of itself, as JSON: a family's own part of a listing of the whole cluster. New each; the
 * request's thread or the answering one (peers.h). */
#ifndef WARREN_NODE_HTTP_FAMILIES_H
#define WARREN_NODE_HTTP_FAMILIES_H

#include "node/http/http_internal.h"
#include "node/http/view.h"

json_t *connections_here(struct http *h, const struct view *v);
json_t *channels_here(struct http *h, const struct view *v);
json_t *consumers_here(struct http *h);
json_t *queues_here(struct http *h, const struct view *v); /* those whose group this node leads */
/* Who gives messages to whom (flows.c): rows of two of channel_details, exchange, queue, and stats. Empty unless
 * rates_mode is detailed. */
json_t *flow_counts_here(struct http *h); /* key of the sampler -> row, without rates */
json_t *flows_here(struct http *h, const struct view *v);
json_t *flows_everywhere(struct request *r);
/* Of those rows, what goes between `one`, a member `from` of the rows, and each `to`. New. */
json_t *flows_of(json_t *flows, const char *from, const json_t *one, const char *to);
struct shard_connection_info;
json_t *channel_details(struct shard *s, const struct shard_connection_info *c, uint16_t number);
void node_attempts_reset(struct http *h);
/* {token: name, peer_host, peer_port} of those of these tokens (numbers with blanks between) that are here. */
json_t *owners_here(struct http *h, struct slice tokens);
/* "127.0.0.1:40312 -> 127.0.0.1:5672" as peer_host, peer_port, host, port. */
void connection_put_ends(json_t *o, const char *name);
json_t *node_here(struct http *h, const struct view *v); /* an object: facts and counters */
struct exchange;
json_t *exchange_declared(const struct exchange *x);               /* as it was declared */
json_t *exchange_counts_here(struct http *h);                      /* {vhost: {name: [in, out]}} */
json_t *exchange_stats_here(struct http *h, const struct view *v); /* {vhost: {name: message_stats}} */
json_t *replica_here(struct http *h, uint32_t group); /* of the group on this node: a list of one, or none */
json_t *links_here(struct http *h);                   /* shovels and federation links that run on this node */
void link_restart_here(struct http *h, struct slice kind, struct slice vhost, struct slice name, struct slice upstream);
bool connection_close_here(struct http *h, struct slice name, struct slice reason);

#endif
