/* Exchange federation: what is published to the upstream exchange and wanted by this exchange's bindings comes here.
 *
 *     upstream:   X --mirrored bindings--> "federation: X -> us A" --> queue "federation: X -> us"
 *     downstream: the queue's messages are published to X
 *
 * The internal exchange is made anew at each start, under the other of two suffixes (A, B), so that bindings that went
 * away meanwhile leave no trace; the old one stays until the new one has all bindings. Bindings are mirrored pipelined:
 * many of them cost one round trip.
 *
 * Sans I/O, over ha/bridge. Thread: its host's. Lifetime: exchange_link_create() .. exchange_link_destroy(). */
#ifndef WARREN_HA_FEDERATION_EXCHANGE_LINK_H
#define WARREN_HA_FEDERATION_EXCHANGE_LINK_H

#include "ha/bridge/bridge.h"
#include "ha/federation/federated.h"

struct exchange_link;

/* How often the upstream is asked whether its internal exchange is there, and how much waits in its queue. */
enum { EXCHANGE_LINK_PROBE_MS = 5000 };

/* `federated` moves into the link. */
struct exchange_link *exchange_link_create(struct federated *federated, const struct bridge_host *host, void *host_self,
                                           uint64_t now_ms);
void exchange_link_destroy(struct exchange_link *l);
struct bridge *exchange_link_bridge(struct exchange_link *l);
const struct federated *exchange_link_federated(const struct exchange_link *l);

void exchange_link_turn(struct exchange_link *l, uint64_t now_ms); /* in place of bridge_turn() */
/* Federation ends here: what was made at the upstream is deleted, if it can be told and the upstream's parameter wants
 * it so. */
void exchange_link_clean_up(struct exchange_link *l);

/* The bindings from the downstream exchange, all of them: begin, each, end. What is new is bound, what is gone is
 * unbound. The link does not start before it was told once. */
void exchange_link_bindings_begin(struct exchange_link *l);
void exchange_link_binding(struct exchange_link *l, struct slice routing_key, struct slice arguments);
void exchange_link_bindings_end(struct exchange_link *l);
size_t exchange_link_binding_count(const struct exchange_link *l); /* distinct ones */

#endif
