#include "node/logger/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

struct log_stream {
    struct sockaddr_storage address;
    socklen_t address_size;
    int fd; /* -1: not connected, nor about to be */
    uint64_t retry_at_ms;
    struct buf waiting; /* whole messages with their lengths */
    size_t sent;        /* bytes of the first one that are out: another connection begins it anew */
};

static void lose(struct log_stream *s, uint64_t now_ms)
{
    if (s->fd >= 0) close(s->fd);
    s->fd = -1;
    s->sent = 0;
    s->retry_at_ms = now_ms + LOG_STREAM_RETRY_MS;
}

static void reach(struct log_stream *s, uint64_t now_ms)
{
    if (s->fd >= 0 || now_ms < s->retry_at_ms) return;
    s->fd = socket(s->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0 || (connect(s->fd, (struct sockaddr *)&s->address, s->address_size) && errno != EINPROGRESS))
        lose(s, now_ms);
}

/* Bytes of the first message with its length. */
static size_t first_size(const struct log_stream *s)
{
    char *end, digits[24] = {0};
    memcpy(digits, s->waiting.data, s->waiting.size < sizeof digits - 1 ? s->waiting.size : sizeof digits - 1);
    size_t size = strtoul(digits, &end, 10);
    return (size_t)(end - digits) + 1 + size;
}

void log_stream_flush(struct log_stream *s, uint64_t now_ms)
{
    if (!s->waiting.size) return;
    reach(s, now_ms);
    while (s->fd >= 0 && s->waiting.size) {
        ssize_t size = send(s->fd, s->waiting.data + s->sent, s->waiting.size - s->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN)) return; /* later */
        if (size <= 0) {
            lose(s, now_ms);
            return;
        }
        s->sent += (size_t)size;
        for (size_t first; s->waiting.size && s->sent >= (first = first_size(s)); s->sent -= first)
            buf_consume(&s->waiting, first);
    }
}

void log_stream_send(struct log_stream *s, struct slice message, uint64_t now_ms)
{
    if (s->waiting.size + message.size <= LOG_STREAM_BYTES_MAX) {
        buf_printf(&s->waiting, "%zu ", message.size);
        buf_put_slice(&s->waiting, message);
    }
    log_stream_flush(s, now_ms);
}

struct log_stream *log_stream_open(const struct sockaddr *address, socklen_t size, uint64_t now_ms)
{
    struct log_stream *s = mem_zalloc(sizeof *s);
    memcpy(&s->address, address, size);
    s->address_size = size;
    s->fd = -1;
    reach(s, now_ms);
    return s;
}

void log_stream_close(struct log_stream *s)
{
    log_stream_flush(s, UINT64_MAX);
    if (s->fd >= 0) close(s->fd);
    buf_close(&s->waiting);
    mem_free(s);
}
