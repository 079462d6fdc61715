/* Queue federation: while consumers here want messages and this queue has none, they are taken from the upstream's
 * queue.
 *
 * The consumer there has priority -1, so the upstream's own consumers go first. Sans I/O, over ha/bridge.
 * Thread: its host's. Lifetime: queue_link_create() .. queue_link_destroy(). */
#ifndef WARREN_HA_FEDERATION_QUEUE_LINK_H
#define WARREN_HA_FEDERATION_QUEUE_LINK_H

#include "ha/bridge/bridge.h"
#include "ha/federation/federated.h"

struct queue_link;

/* `federated` moves into the link. */
struct queue_link *queue_link_create(struct federated *federated, const struct bridge_host *host, void *host_self,
                                     uint64_t now_ms);
void queue_link_destroy(struct queue_link *l);
struct bridge *queue_link_bridge(struct queue_link *l);
const struct federated *queue_link_federated(const struct queue_link *l);
/* Whether this queue wants messages: told again and again by whoever looks at it. */
void queue_link_want(struct queue_link *l, bool wanted);
bool queue_link_is_consuming(const struct queue_link *l);

#endif
