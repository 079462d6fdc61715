#include "node/shard/logger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

struct logger {
    int fd; /* its number stays; what it refers to may change */
    int level;
    char *path;   /* NULL: standard error */
    bool console; /* and standard error */
};

static const char *const level_names[] = {"ERROR", "WARN", "INFO", "DEBUG"};

static int open_file(const char *path, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0) err_set_errno(err, errno, "open log file %s", path);
    return fd;
}

int logger_open(struct logger **out, const char *path, int level, struct err *err)
{
    bool file = path && *path;
    int fd = file ? open_file(path, err) : STDERR_FILENO;
    if (fd < 0) return err->code;
    struct logger *l = mem_zalloc(sizeof *l);
    l->fd = fd;
    l->level = level;
    l->path = file ? mem_strdup(path) : NULL;
    *out = l;
    return 0;
}

int logger_reopen(struct logger *l, struct err *err)
{
    if (!l->path) return 0;
    int fd = open_file(l->path, err);
    if (fd < 0) return err->code;
    dup3(fd, l->fd, O_CLOEXEC); /* at once for all threads */
    close(fd);
    return 0;
}

void logger_close(struct logger *l)
{
    if (l->path) close(l->fd);
    mem_free(l->path);
    mem_free(l);
}

void logger_line(struct logger *l, int level, int shard, const char *line)
{
    if (level > l->level || level < 0) return;
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    char text[1200], who[24] = "node";
    if (shard >= 0) snprintf(who, sizeof who, "shard=%d", shard);
    int size = snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %-5s %s %s\n", utc.tm_year + 1900,
                        utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1000000,
                        level_names[level > 3 ? 3 : level], who, line);
    if (size >= (int)sizeof text) {
        size = sizeof text - 1;
        text[size - 1] = '\n';
    }
    ssize_t written = write(l->fd, text, (size_t)size);
    if (l->console) written = write(STDERR_FILENO, text, (size_t)size);
    (void)written; /* nobody is left to tell */
}

void logger_printf(struct logger *l, int level, int shard, const char *format, ...)
{
    char line[900];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    logger_line(l, level, shard, line);
}

void logger_to_console(struct logger *l)
{
    l->console = l->path != NULL;
}

int logger_level(const char *name)
{
    static const char *const errors[] = {"critical", "alert", "emergency"};
    if (!strcmp(name, "warning")) return LOG_WARN;
    if (!strcmp(name, "notice")) return LOG_INFO;
    for (int i = 0; i < 3; i++)
        if (!strcmp(name, errors[i])) return LOG_ERROR;
    for (int i = 0; i < 4; i++)
        if (!strcasecmp(name, level_names[i])) return i;
    return -1;
}
