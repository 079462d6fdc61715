/* A log line, and what it looks like. Pure: time is given.
 *
 * A line's category is that of the thing it tells of, its first words: "connection closed ..." is `connection`, "group
 * leads ..." is `ra`. So the sites that write lines need not name one. */
#ifndef WARREN_NODE_LOGGER_LINE_H
#define WARREN_NODE_LOGGER_LINE_H

#include <stdint.h>

#include "base/buf.h"

/* RabbitMQ's categories; no line is in some of them. */
enum log_category {
    LOG_CATEGORY_DEFAULT,
    LOG_CATEGORY_CONNECTION,
    LOG_CATEGORY_CHANNEL,
    LOG_CATEGORY_QUEUE,
    LOG_CATEGORY_MIRRORING,
    LOG_CATEGORY_FEDERATION,
    LOG_CATEGORY_SHOVEL,
    LOG_CATEGORY_UPGRADE,
    LOG_CATEGORY_RA,
    LOG_CATEGORY_COUNT
};

enum { LINE_TEXT_MAX = 1200 /* bytes of a line in plain text; the rest is cut off */ };

struct log_line {
    uint64_t at_ms; /* wall clock */
    int level;      /* enum log_level of logger.h */
    enum log_category category;
    int shard;        /* -1: the node */
    const char *node; /* its name */
    const char *text; /* without level, time and shard */
};

enum log_category line_category(const char *text);
const char *line_category_name(enum log_category category);
int line_category_of_name(const char *name); /* enum log_category; -1: there is none */
const char *line_level_name(int level);      /* RabbitMQ's word: "warning" */

/* All append, without a new line at the end. */
void line_who(const struct log_line *l, struct buf *out);   /* "shard=2 text" */
void line_plain(const struct log_line *l, struct buf *out); /* time, level, who, text */
/* RabbitMQ's members (time, level, msg, domain), the node, the shard, and what the text has as key=value. */
void line_json(const struct log_line *l, struct buf *out);
void line_time(uint64_t at_ms, char out[32]); /* 2026-01-02T03:04:05.678Z */

#endif
