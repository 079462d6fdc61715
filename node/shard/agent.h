/* HAProxy's agent check: who connects is told in one line how much this node wants to be used, and the connection ends.
 *
 *   up ready 100%   serves        drain#REASON   no new clients, those that are here may stay
 *   down#REASON     no majority   stopped#REASON on its way out
 *
 * The "ready" takes back a drain that this agent has asked for before.
 * Thread: shard 0's. Source: HAProxy's configuration manual, agent-check. */
#ifndef WARREN_NODE_SHARD_AGENT_H
#define WARREN_NODE_SHARD_AGENT_H

#include "node/shard/node.h"

enum { AGENT_LINE_MAX = 128 };

/* Answers and closes the descriptor. */
void agent_answer(struct node *n, int fd);

#endif
