/* Lines for systemd's journal, with the fields WARREN_CATEGORY, WARREN_NODE and WARREN_SHARD to look for. Without a
 * journal nothing happens. Thread: any. */
#ifndef WARREN_NODE_LOGGER_JOURNAL_H
#define WARREN_NODE_LOGGER_JOURNAL_H

#include "node/logger/line.h"

void journal_send(const char *identity, const struct log_line *line);

#endif
