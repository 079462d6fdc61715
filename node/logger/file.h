/* A log file: opened anew when something has moved it away, or rotated by itself: FILE becomes FILE.0, FILE.0 becomes
 * FILE.1, and so on; the last one goes.
 *
 * Thread:   any, one at a time (the logger's lock). Lifetime: log_file_open() .. log_file_close().
 * Times:    milliseconds since 1970; hours and days of a date are UTC, as in the lines. */
#ifndef WARREN_NODE_LOGGER_FILE_H
#define WARREN_NODE_LOGGER_FILE_H

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct log_rotation {
    uint64_t size;  /* bytes; 0: not by size */
    unsigned count; /* files kept beside the current one; 0: what was written before is lost */
    const char
        *date; /* "$D0" each day at 0 h, "$W1D6" on Mondays (Sunday is 0) at 6 h, "$M1D0" on the first; "": never */
};

struct log_file;
/* ERR_INVALID: the date is none. */
int log_file_open(struct log_file **f, const char *path, const struct log_rotation *rotation, uint64_t now_ms,
                  struct err *err);
void log_file_close(struct log_file *f);
const char *log_file_path(const struct log_file *f);
/* Rotates first when it is due. What the disk refuses is lost: nobody is left to tell. */
void log_file_write(struct log_file *f, struct slice line, uint64_t now_ms);
/* Opens the name anew. It fails: lines go on into the old file. */
int log_file_reopen(struct log_file *f, uint64_t now_ms, struct err *err);
/* Rotates now, or opens the name anew where nothing says that old files are kept. */
int log_file_rotate(struct log_file *f, uint64_t now_ms, struct err *err);

/* The first time after `now_ms` that a date names; 0: the text is no date. */
uint64_t log_date_next(const char *date, uint64_t now_ms);

#endif
