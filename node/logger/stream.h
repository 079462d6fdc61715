/* Messages over TCP, each with its length in front (RFC 6587, 3.4.1), to a syslog server that may be away: they wait in
 * a bounded buffer, what does not fit is lost, and nobody who writes a line ever waits for the server.
 *
 * Thread: any, one at a time (the logger's lock). Lifetime: log_stream_open() .. log_stream_close(). */
#ifndef WARREN_NODE_LOGGER_STREAM_H
#define WARREN_NODE_LOGGER_STREAM_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/slice.h"

enum {
    LOG_STREAM_BYTES_MAX = 256 << 10, /* that wait */
    LOG_STREAM_RETRY_MS = 2000,       /* between two attempts to connect */
};

struct log_stream;
/* `now_ms`: any clock that does not go back. */
struct log_stream *log_stream_open(const struct sockaddr *address, socklen_t size, uint64_t now_ms);
void log_stream_send(struct log_stream *s, struct slice message, uint64_t now_ms);
void log_stream_flush(struct log_stream *s, uint64_t now_ms); /* from time to time: connects, sends what waits */
void log_stream_close(struct log_stream *s);

#endif
