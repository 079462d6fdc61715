#include "node/logger/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

enum { TRY_AGAIN_MS = 60000 /* after a rotation that failed */, PATH_SIZE = 512 };

struct log_file {
    int fd;
    char *path, *date;
    struct log_rotation rotation;
    uint64_t size, date_ms /* 0: never */, not_before_ms;
};

/* --- dates --- */

/* A number of at most two digits; -1: there is none. */
static int number(const char **at)
{
    if (**at < '0' || **at > '9') return -1;
    int value = *(*at)++ - '0';
    if (**at >= '0' && **at <= '9') value = value * 10 + *(*at)++ - '0';
    return value;
}

uint64_t log_date_next(const char *date, uint64_t now_ms)
{
    int day = -1, hour = 0, each = 0;
    const char *at = date;
    if (*at++ != '$') return 0;
    if (*at == 'W' || *at == 'M') {
        each = *at++;
        day = number(&at);
        if (each == 'W' ? day < 0 || day > 6 : day < 1 || day > 31) return 0;
    }
    if (*at == 'D') {
        at++;
        hour = *at ? number(&at) : 0;
    } else if (!each) return 0;
    if (*at || hour < 0 || hour > 23) return 0;
    struct tm utc;
    time_t now = (time_t)(now_ms / 1000);
    gmtime_r(&now, &utc);
    utc.tm_hour = hour, utc.tm_min = utc.tm_sec = 0;
    for (int days = 0; days < 70; days++, utc.tm_mday++) { /* two months: not each has a 31st */
        struct tm tried = utc;
        time_t then = timegm(&tried);
        bool fits = each == 'W' ? tried.tm_wday == day : each == 'M' ? tried.tm_mday == day : true;
        if (fits && then > now) return (uint64_t)then * 1000;
    }
    return 0;
}

/* --- life --- */

static int open_path(const char *path, uint64_t *size, struct err *err)
{
    struct stat found;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0) err_set_errno(err, errno, "open log file %s", path);
    *size = fd >= 0 && !fstat(fd, &found) ? (uint64_t)found.st_size : 0;
    return fd;
}

int log_file_open(struct log_file **out, const char *path, const struct log_rotation *rotation, uint64_t now_ms,
                  struct err *err)
{
    uint64_t size, date_ms = *rotation->date ? log_date_next(rotation->date, now_ms) : 0;
    if (*rotation->date && !date_ms)
        return (int)err_set(err, ERR_INVALID,
                            "log.file.rotation.date = %s: give $D0 (each day at 0 h), $W1D6 (Mondays at 6 h) or $M1D0 "
                            "(the first of a month)",
                            rotation->date);
    int fd = open_path(path, &size, err);
    if (fd < 0) return err->code;
    struct log_file *f = mem_zalloc(sizeof *f);
    *f = (struct log_file){.fd = fd, .path = mem_strdup(path), .date = mem_strdup(rotation->date), .size = size};
    f->rotation = *rotation;
    f->rotation.date = f->date;
    f->date_ms = date_ms;
    *out = f;
    return 0;
}

void log_file_close(struct log_file *f)
{
    close(f->fd);
    mem_free(f->path);
    mem_free(f->date);
    mem_free(f);
}

const char *log_file_path(const struct log_file *f)
{
    return f->path;
}

int log_file_reopen(struct log_file *f, uint64_t now_ms, struct err *err)
{
    uint64_t size;
    int fd = open_path(f->path, &size, err);
    if (fd < 0) return err->code;
    close(f->fd);
    f->fd = fd;
    f->size = size;
    f->date_ms = *f->date ? log_date_next(f->date, now_ms) : 0;
    return 0;
}

/* --- rotation --- */

static int move_on(const struct log_file *f, struct err *err)
{
    char from[PATH_SIZE], to[PATH_SIZE];
    for (unsigned n = f->rotation.count; n > 0; n--) {
        snprintf(to, sizeof to, "%s.%u", f->path, n - 1);
        if (n == 1) snprintf(from, sizeof from, "%s", f->path);
        else snprintf(from, sizeof from, "%s.%u", f->path, n - 2);
        if (rename(from, to) && errno != ENOENT) return (int)err_set_errno(err, errno, "rotate %s to %s", from, to);
    }
    if (!f->rotation.count && unlink(f->path) && errno != ENOENT)
        return (int)err_set_errno(err, errno, "rotate %s away", f->path);
    return 0;
}

int log_file_rotate(struct log_file *f, uint64_t now_ms, struct err *err)
{
    bool keeps = f->rotation.size || f->date_ms;
    int code = keeps ? move_on(f, err) : 0;
    if (!code) code = log_file_reopen(f, now_ms, err);
    f->not_before_ms = code ? now_ms + TRY_AGAIN_MS : 0;
    return code;
}

static bool is_due(const struct log_file *f, size_t more, uint64_t now_ms)
{
    if (now_ms < f->not_before_ms) return false;
    return (f->rotation.size && f->size && f->size + more > f->rotation.size) || (f->date_ms && now_ms >= f->date_ms);
}

void log_file_write(struct log_file *f, struct slice line, uint64_t now_ms)
{
    struct err err;
    if (is_due(f, line.size, now_ms)) log_file_rotate(f, now_ms, &err);
    ssize_t written = write(f->fd, line.data, line.size);
    if (written > 0) f->size += (uint64_t)written;
}
