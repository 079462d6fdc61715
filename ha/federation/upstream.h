/* Upstreams: the parameter components `federation-upstream` and `federation-upstream-set`, and which of them a policy
 * names.
 *
 * Pure; any thread. Lifetime: upstream_read() .. upstream_close(). */
#ifndef WARREN_HA_FEDERATION_UPSTREAM_H
#define WARREN_HA_FEDERATION_UPSTREAM_H

#include "ha/bridge/json.h"
#include "ha/bridge/relay.h"
#include "router/topology.h"

struct upstream {
    char *name;
    struct json_uris uris;
    char *exchange, *queue, *consumer_tag; /* NULL: the federated one's own name; the tag's default */
    char *ha_policy;                       /* accepted, means nothing */
    int64_t prefetch, reconnect_delay_s, max_hops;
    int64_t expires_ms, message_ttl_ms; /* -1: none */
    uint8_t ack_mode;                   /* as upstream_ack_mode() reads it */
    uint8_t queue_type, cleanup_mode, channel_use_mode;
    bool trust_user_id, bind_nowait;
};

/* `value`: of the parameter, with the overrides of a set's entry merged in. ERR_INVALID and RabbitMQ's sentence. */
int upstream_read(struct upstream *u, const char *name, const json_t *value, struct err *err);
void upstream_close(struct upstream *u);
enum relay_ack_mode upstream_ack_mode(const struct upstream *u);
const char *upstream_queue_type(const struct upstream *u);
bool upstream_is_single_channel(const struct upstream *u);
bool upstream_cleans_up(const struct upstream *u);

/* Checks a federation-upstream-set: a list of maps, each with the name of an upstream and overrides. */
int upstream_set_check(const char *name, const json_t *value, struct err *err);

/* Calls `found` for each upstream that a policy's definition names in this vhost: by federation-upstream, -set (also
 * `all`) or -pattern. What is named and missing, or unsound, is passed over. `value` is borrowed. */
void upstream_find(const struct topology *t, struct slice vhost, const json_t *definition,
                   void (*found)(void *arg, const char *name, const json_t *value), void *arg);

#endif
