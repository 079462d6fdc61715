/* Log lines: one event per line, `time level shard room event key=value`.
 *
 * Thread: any; a line is one write(). Lifetime: logger_open() .. logger_close(). Lines come without level, time and
 * shard. */
#ifndef WARREN_NODE_SHARD_LOGGER_H
#define WARREN_NODE_SHARD_LOGGER_H

#include "base/err.h"

enum log_level { LOG_ERROR = 0, LOG_WARN = 1, LOG_INFO = 2, LOG_DEBUG = 3 };

struct logger;
int logger_open(struct logger **l, const char *path /* NULL: standard error */, int level, struct err *err);
void logger_close(struct logger *l);
/* Opens the file's name anew, after something has moved the file away. It fails: lines go on into the old one. */
int logger_reopen(struct logger *l, struct err *err);
void logger_line(struct logger *l, int level, int shard /* -1: the node */, const char *line);
void logger_printf(struct logger *l, int level, int shard, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void logger_to_console(struct logger *l); /* lines go to standard error, too; before threads start */
/* error, warn(ing), info, debug, and RabbitMQ's others, which count as the nearest of these; none, or no level: -1,
 * below which no line lies. */
int logger_level(const char *name);

#endif
