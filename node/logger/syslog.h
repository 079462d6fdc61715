/* Lines for a syslog server, RFC 3164 or 5424, as datagrams by UDP or to the machine's own socket. One that is not
 * there or does not keep up costs nothing and loses lines.
 *
 * Thread: any, one at a time (the logger's lock). Lifetime: syslog_open() .. syslog_close(). */
#ifndef WARREN_NODE_LOGGER_SYSLOG_H
#define WARREN_NODE_LOGGER_SYSLOG_H

#include <stdbool.h>

#include "base/err.h"
#include "node/logger/line.h"

struct syslog_settings {
    const char *host;     /* name or address of the server; or the path of a socket of the machine, "/dev/log" */
    int port;             /* of the server */
    const char *facility; /* RabbitMQ's words: daemon, local0 ... */
    const char *identity; /* the program's name in each line */
    bool tcp, rfc5424, json;
};

struct syslog;
int syslog_open(struct syslog **s, const struct syslog_settings *settings, struct err *err);
void syslog_send(struct syslog *s, const struct log_line *line);
void syslog_flush(struct syslog *s); /* from time to time: what waits for a server that was away */
void syslog_close(struct syslog *s);

/* What one datagram has, appended; `host` is this machine's name. Pure. */
void syslog_format(const struct syslog_settings *settings, const char *host, int pid, const struct log_line *line,
                   struct buf *out);

#endif
