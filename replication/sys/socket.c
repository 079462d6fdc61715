#include "replication/sys/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool port_valid(const char *port)
{
    char *end;
    if (*port < '0' || *port > '9') return false;
    unsigned long n = strtoul(port, &end, 10);
    return !*end && n <= 65535 && strlen(port) < SOCKET_PORT_MAX;
}

int socket_address_parse(const char *text, struct socket_address *a, struct err *err)
{
    const char *host = text, *port = text, *host_end = text;
    if (*text == '[') {
        host = text + 1;
        host_end = strchr(host, ']');
        if (!host_end || host_end[1] != ':')
            return (int)err_set(err, ERR_INVALID, "address %s: want [host]:port", text);
        port = host_end + 2;
    } else if (strchr(text, ':')) {
        host_end = strrchr(text, ':');
        port = host_end + 1;
    }
    size_t size = (size_t)(host_end - host);
    if (!port_valid(port)) return (int)err_set(err, ERR_INVALID, "address %s: no port at its end", text);
    if (size >= SOCKET_HOST_MAX) return (int)err_set(err, ERR_INVALID, "address %.40s...: the host is too long", text);
    if (size == 1 && *host == '*') size = 0;
    memcpy(a->host, host, size);
    a->host[size] = 0;
    strcpy(a->port, port);
    return 0;
}

bool socket_address_numeric(const struct socket_address *a, struct sockaddr_storage *storage, socklen_t *size)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *list = NULL;
    if (!a->host[0] || getaddrinfo(a->host, a->port, &hints, &list) != 0) return false;
    memcpy(storage, list->ai_addr, list->ai_addrlen);
    *size = list->ai_addrlen;
    freeaddrinfo(list);
    return true;
}

/* Returns the descriptor, or -1 with errno. */
static int bind_one(const struct addrinfo *a, int backlog, bool every_address)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    int on = 1, off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (a->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, every_address ? &off : &on, sizeof off);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, backlog) == 0) return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* All addresses: one IPv6 socket that takes IPv4 too, or IPv4 alone where the host has no IPv6. */
static int bind_list(const struct addrinfo *list, int backlog, bool every_address)
{
    int first = every_address ? AF_INET6 : AF_INET, fd = -1;
    errno = EADDRNOTAVAIL;
    for (int round = 0; round < 2; round++)
        for (const struct addrinfo *a = list; a; a = a->ai_next) {
            if ((a->ai_family == first) != (round == 0)) continue;
            fd = bind_one(a, backlog, every_address);
            if (fd >= 0 || errno == EADDRINUSE || errno == EACCES) return fd;
        }
    return fd;
}

int socket_listen(const char *address, int backlog, int *fd, struct err *err)
{
    struct socket_address a;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *list = NULL;
    int code = socket_address_parse(address, &a, err);
    if (code) return code;
    int failed = getaddrinfo(a.host[0] ? a.host : NULL, a.port, &hints, &list);
    if (failed) return (int)err_set(err, ERR_NOT_FOUND, "listen on %s: %s", address, gai_strerror(failed));
    *fd = bind_list(list, backlog, !a.host[0]);
    int saved = errno;
    freeaddrinfo(list);
    return *fd >= 0 ? 0 : (int)err_set_errno(err, saved, "listen on %s", address);
}

/* IPv4 addresses that came through an IPv6 socket are told as what they are. */
static bool unmap(struct sockaddr_storage *s)
{
    struct sockaddr_in6 six;
    memcpy(&six, s, sizeof six);
    if (six.sin6_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) return false;
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = six.sin6_port};
    memcpy(&four.sin_addr, six.sin6_addr.s6_addr + 12, sizeof four.sin_addr);
    memset(s, 0, sizeof *s);
    memcpy(s, &four, sizeof four);
    return true;
}

bool socket_end(int fd, bool peer, struct sockaddr_storage *s)
{
    socklen_t size = sizeof *s;
    memset(s, 0, sizeof *s);
    if (peer ? getpeername(fd, (struct sockaddr *)s, &size) : getsockname(fd, (struct sockaddr *)s, &size))
        return false;
    unmap(s);
    return s->ss_family == AF_INET || s->ss_family == AF_INET6;
}

void socket_end_text(const struct sockaddr_storage *s, char text[static SOCKET_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN];
    if (s->ss_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)s;
        inet_ntop(AF_INET, &four->sin_addr, host, sizeof host);
        snprintf(text, SOCKET_TEXT_MAX, "%s:%u", host, ntohs(four->sin_port));
    } else {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)s;
        inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof host);
        snprintf(text, SOCKET_TEXT_MAX, "[%s]:%u", host, ntohs(six->sin6_port));
    }
}

void socket_name(int fd, bool peer, char text[static SOCKET_TEXT_MAX])
{
    struct sockaddr_storage s;
    text[0] = 0;
    if (socket_end(fd, peer, &s)) socket_end_text(&s, text);
}

bool socket_end_is_loopback(const struct sockaddr_storage *s)
{
    if (s->ss_family == AF_INET) return ntohl(((const struct sockaddr_in *)s)->sin_addr.s_addr) >> 24 == 127;
    return s->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)s)->sin6_addr);
}

bool socket_is_loopback(int fd)
{
    struct sockaddr_storage s;
    return socket_end(fd, true, &s) && socket_end_is_loopback(&s);
}

int socket_error(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) ? errno : error;
}
