/* Recovery of a lost majority: offline, explicit, written down in data_dir/audit and the log.
 *
 * Thread: main; blocks. The node must not run. */
#ifndef WARREN_NODE_SHARD_FORCE_H
#define WARREN_NODE_SHARD_FORCE_H

#include "node/shard/shard.h"

extern const char force_confirmation[]; /* what the operator has to say */

/* This node becomes the only member of the groups ("3,7"; NULL: all that have a replica here). Whatever others had
 * confirmed beyond it is lost. Never for the same group on two nodes. */
int force_lost_majority(struct node_settings *settings, const char *groups, struct err *err);

#endif
