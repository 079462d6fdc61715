/* Members by DNS: the addresses of one name, cluster_formation.dns.hostname, in their order, are the nodes 1, 2, 3 ...
 *
 * Addresses come and go, numbers stay. So this is for the first start only: what was found is kept in the file
 * `formation` of data_dir, and counts from then on, whatever the name says. A node whose node.id is above the hint
 * came later: it asks those that the name has to let it join.
 *
 * Thread: the main thread, before the node. */
#ifndef WARREN_NODE_SHARD_DISCOVERY_H
#define WARREN_NODE_SHARD_DISCOVERY_H

#include "config/config.h"

/* Fills cluster.peers and node.id (or cluster.join) of a configuration whose way of discovery is dns; another one is
 * left as it is. Waits, up to discovery_retry_limit times discovery_retry_interval, until the name has as many
 * addresses as the hint says, and notes that.
 *   ERR_NOT_FOUND   it has not
 *   ERR_INVALID     none of them is this machine's, or several are */
int discovery_run(struct config *c, void (*note)(const char *text), struct err *err);

#endif
