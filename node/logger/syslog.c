#include "node/logger/syslog.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "node/logger/stream.h"

struct syslog {
    int fd;                    /* of datagrams; -1: there is a stream */
    struct log_stream *stream; /* NULL: datagrams */
    struct syslog_settings settings;
    char *host, *identity, machine[256];
    struct buf text;
};

/* The numbers of RFC 5424, 6.2.1; RabbitMQ's words for them. */
static const struct {
    const char *name;
    int number;
} facilities[] = {{"kern", 0},    {"kernel", 0},    {"user", 1},    {"mail", 2},    {"daemon", 3},
                  {"auth", 4},    {"syslog", 5},    {"lpr", 6},     {"news", 7},    {"uucp", 8},
                  {"cron", 9},    {"authpriv", 10}, {"ftp", 11},    {"ntp", 12},    {"audit", 13},
                  {"alert", 14},  {"clock", 15},    {"local0", 16}, {"local1", 17}, {"local2", 18},
                  {"local3", 19}, {"local4", 20},   {"local5", 21}, {"local6", 22}, {"local7", 23}};

static int priority(const char *facility, int level)
{
    static const int severities[] = {3, 4, 6, 7}; /* error, warning, informational, debug */
    int number = 3;
    for (size_t i = 0; i < sizeof facilities / sizeof facilities[0]; i++)
        if (!strcmp(facilities[i].name, facility)) number = facilities[i].number;
    return number * 8 + severities[level < 0 ? 0 : level > 3 ? 3 : level];
}

void syslog_format(const struct syslog_settings *s, const char *host, int pid, const struct log_line *line,
                   struct buf *out)
{
    char at[32];
    buf_printf(out, "<%d>", priority(s->facility, line->level));
    if (s->rfc5424) {
        line_time(line->at_ms, at);
        buf_printf(out, "1 %s %s %s %d %s - ", at, host, s->identity, pid, line_category_name(line->category));
    } else { /* the machine's own time, as RFC 3164 has it; the months are English whatever the locale is */
        static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        struct tm local;
        time_t seconds = (time_t)(line->at_ms / 1000);
        localtime_r(&seconds, &local);
        buf_printf(out, "%s %2d %02d:%02d:%02d ", months[local.tm_mon], local.tm_mday, local.tm_hour, local.tm_min,
                   local.tm_sec);
        if (s->host[0] != '/') buf_printf(out, "%s ", host); /* the local daemon knows where it is */
        buf_printf(out, "%s[%d]: ", s->identity, pid);
    }
    if (s->json) line_json(line, out);
    else line_who(line, out);
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int connect_path(struct syslog *s, const char *path, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return (int)err_set(err, ERR_INVALID, "log.syslog.host = %s: the path is too long", path);
    memcpy(address.sun_path, path, strlen(path));
    s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&address, sizeof address))
        return (int)err_set_errno(err, errno, "log.syslog.host = %s", path);
    return 0;
}

static int connect_server(struct syslog *s, const char *host, int port, struct err *err)
{
    char service[16];
    struct addrinfo wanted = {.ai_socktype = SOCK_DGRAM}, *found = NULL;
    snprintf(service, sizeof service, "%d", port);
    int code = getaddrinfo(host, service, &wanted, &found);
    if (code) return (int)err_set(err, ERR_INVALID, "log.syslog.host = %s: %s", host, gai_strerror(code));
    if (s->settings.tcp) s->stream = log_stream_open(found->ai_addr, found->ai_addrlen, now_ms());
    else s->fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool good = s->stream || (s->fd >= 0 && !connect(s->fd, found->ai_addr, found->ai_addrlen));
    if (!good) err_set_errno(err, errno, "log.syslog.host = %s, port %d", host, port);
    freeaddrinfo(found);
    return good ? 0 : (int)err->code;
}

int syslog_open(struct syslog **out, const struct syslog_settings *settings, struct err *err)
{
    struct syslog *s = mem_zalloc(sizeof *s);
    s->fd = -1;
    s->settings = *settings;
    s->settings.host = s->host = mem_strdup(settings->host);
    s->settings.identity = s->identity = mem_strdup(settings->identity);
    if (gethostname(s->machine, sizeof s->machine - 1) || !*s->machine) snprintf(s->machine, sizeof s->machine, "-");
    int code = settings->host[0] == '/' ? connect_path(s, settings->host, err)
                                        : connect_server(s, settings->host, settings->port, err);
    if (code) syslog_close(s);
    else *out = s;
    return code;
}

void syslog_send(struct syslog *s, const struct log_line *line)
{
    struct err err;
    buf_clear(&s->text);
    syslog_format(&s->settings, s->machine, (int)getpid(), line, &s->text);
    if (s->stream) {
        log_stream_send(s->stream, buf_slice(&s->text), now_ms());
        return;
    }
    if (send(s->fd, s->text.data, s->text.size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return;
    if (s->host[0] != '/' || (errno != ECONNREFUSED && errno != ENOTCONN && errno != ECONNRESET)) return;
    close(s->fd); /* the daemon was restarted: its socket is another one */
    if (!connect_path(s, s->host, &err)) send(s->fd, s->text.data, s->text.size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void syslog_flush(struct syslog *s)
{
    if (s->stream) log_stream_flush(s->stream, now_ms());
}

void syslog_close(struct syslog *s)
{
    if (s->stream) log_stream_close(s->stream);
    if (s->fd >= 0) close(s->fd);
    buf_close(&s->text);
    mem_free(s->host);
    mem_free(s->identity);
    mem_free(s);
}
