/* x-federation-upstream: the exchange that a downstream cluster sets up here to collect what it federates.
 *
 * A fanout that keeps back what has travelled far enough (x-max-hops) or has been at that downstream already: every
 * link on the way puts where it took the message from in front of the header x-received-from. Pure; any thread. */
#ifndef WARREN_ROUTER_FEDERATION_H
#define WARREN_ROUTER_FEDERATION_H

#include "router/topology.h"

/* False: `r` says what is wrong with the arguments of such an exchange. */
bool federation_check_exchange(struct slice arguments, struct topology_result *r);
/* `arguments`: the exchange's; `headers`: the message's. */
bool federation_forwards(struct slice arguments, struct slice headers);
/* The rule alone; downstream cluster and vhost may be empty: not known, so not looked for. */
bool federation_may_travel(struct slice headers, int64_t hops_max, struct slice cluster, struct slice vhost);

#endif
