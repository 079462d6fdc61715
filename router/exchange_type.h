/* Inside the router: what an exchange does to a message, besides choosing bindings by its kind. */
#ifndef WARREN_ROUTER_EXCHANGE_TYPE_H
#define WARREN_ROUTER_EXCHANGE_TYPE_H

#include "router/topology_internal.h"

/* False: `r` says why such an exchange cannot be. */
bool exchange_traits_of(struct slice type, struct slice arguments, struct exchange_traits *traits,
                        struct topology_result *r);

#endif
