/* The logger that a configuration describes. Before threads start. */
#ifndef WARREN_NODE_SHARD_LOGGING_H
#define WARREN_NODE_SHARD_LOGGING_H

#include "node/logger/logger.h"

struct config;

int logging_open(struct logger **l, const struct config *c, struct err *err);

#endif
