/* HAProxy's agent check: who connects is told in one line how much this node wants to be used, and the connection ends.
 *
 *   up ready 75%    serves        drain          no new clients, those that are here may stay
 *   down#REASON     no majority   stopped#REASON on its way out
 *
 * The "ready" takes back a drain that this agent has asked for before. The share is the node's weight: what its busiest
 * thread has left.
 * Thread: shard 0's. Source: HAProxy's configuration manual, agent-check. */
#ifndef WARREN_NODE_SHARD_AGENT_H
#define WARREN_NODE_SHARD_AGENT_H

#include "node/shard/node.h"

enum { AGENT_LINE_MAX = 128 };

/* Percent, in steps of 5 so that it rests: 100 for an idle node, 25 for one that is busy all the time. */
unsigned agent_weight(unsigned busy_permille);

/* Answers and closes the descriptor. */
void agent_answer(struct node *n, int fd);

#endif
