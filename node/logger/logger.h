/* Log lines: one event per line, `level shard room event key=value`, to a file, standard error or output, syslog, the
 * journal, and to the last lines in memory, which the API shows.
 *
 * Thread:   any; one lock is held while a line goes out. Lifetime: logger_open() .. logger_close().
 * Levels:   of each output and, in it, of each category (line.h). A category's level counts where both are given if it
 *           lets less through. */
#ifndef WARREN_NODE_LOGGER_LOGGER_H
#define WARREN_NODE_LOGGER_LOGGER_H

#include "node/logger/file.h"
#include "node/logger/syslog.h"

enum log_level { LOG_NONE = -1, LOG_ERROR = 0, LOG_WARN = 1, LOG_INFO = 2, LOG_DEBUG = 3 };

enum {
    LOGGER_RECENT_MAX = 512,   /* lines that are kept in memory */
    LOGGER_LEVEL_INHERIT = -2, /* nothing was said: another level counts */
};

struct logger_settings {
    const char *node; /* its name */
    int level;
    int category_levels[LOG_CATEGORY_COUNT]; /* LOGGER_LEVEL_INHERIT: `level` */
    const char *file;                        /* NULL, "": none */
    struct log_rotation rotation;
    int file_level;
    bool file_json;
    bool console, console_stdout, console_json; /* where nothing else is named, the console is used anyway */
    int console_level;
    bool syslog;
    struct syslog_settings syslog_settings;
    int syslog_level;
    bool journald;
    int journald_level;
};
void logger_settings_init(struct logger_settings *s); /* all to standard error, from LOG_INFO on */

struct logger;
int logger_open(struct logger **l, const struct logger_settings *settings, struct err *err);
void logger_close(struct logger *l);
/* Opens the file's name anew, after something has moved the file away. It fails: lines go on into the old one. */
int logger_reopen(struct logger *l, struct err *err);
/* Rotates the file as the settings say; the same as logger_reopen() where they say nothing. */
int logger_rotate(struct logger *l, struct err *err);
const char *logger_file(const struct logger *l); /* NULL: no file */

void logger_line(struct logger *l, int level, int shard /* -1: the node */, const char *line);
void logger_printf(struct logger *l, int level, int shard, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

void logger_flush(struct logger *l); /* from time to time: what waits for a syslog server that was away */

/* From now on, in all outputs; a category of -1: all. */
void logger_set_level(struct logger *l, int category, int level);
int logger_get_level(const struct logger *l, enum log_category category); /* of the output that shows most */

/* The lines in memory after the number `after`, oldest first; at most the last `max`. Returns the last line's number:
 * the `after` of a later call. Lines are numbered 1, 2, 3 ... */
uint64_t logger_recent(struct logger *l, uint64_t after, unsigned max,
                       void (*each)(void *arg, uint64_t number, const struct log_line *line), void *arg);

/* error, warn(ing), info, debug, and RabbitMQ's others, which count as the nearest of these; none, or no level:
 * LOG_NONE, below which no line lies. */
int logger_level(const char *name);

#endif
