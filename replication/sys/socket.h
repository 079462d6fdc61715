/* Addresses as people write them, and stream sockets bound to them.
 *
 * Thread: any. Addresses: `host:port`, `[v6]:port`, `:port` or the port alone (all addresses, IPv6 and IPv4). */
#ifndef WARREN_REPLICATION_SYS_SOCKET_H
#define WARREN_REPLICATION_SYS_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/err.h"

enum { SOCKET_HOST_MAX = 256, SOCKET_PORT_MAX = 8, SOCKET_TEXT_MAX = 64 /* of socket_name() */ };

struct socket_address {
    char host[SOCKET_HOST_MAX]; /* empty: all addresses */
    char port[SOCKET_PORT_MAX];
};

/* ERR_INVALID: not an address. The host is not looked up. */
int socket_address_parse(const char *text, struct socket_address *address, struct err *err);
/* Fills `storage` when the host is numeric; false when it is a name (or empty). */
bool socket_address_numeric(const struct socket_address *address, struct sockaddr_storage *storage, socklen_t *size);

/* A bound, listening, non-blocking socket with SO_REUSEADDR. Looks a name up (blocking) and prefers IPv4 for names. */
int socket_listen(const char *address, int backlog, int *fd, struct err *err);

/* The address of this end or the other, IPv4 in IPv6 as IPv4; false when the socket has none. */
bool socket_end(int fd, bool peer, struct sockaddr_storage *address);
/* `host:port`, IPv6 in brackets. */
void socket_end_text(const struct sockaddr_storage *address, char text[static SOCKET_TEXT_MAX]);
bool socket_end_is_loopback(const struct sockaddr_storage *address);
/* The text of socket_end(); empty when the socket has none. */
void socket_name(int fd, bool peer, char text[static SOCKET_TEXT_MAX]);
bool socket_is_loopback(int fd); /* the other end is an address of this host's loopback */
int socket_error(int fd);        /* SO_ERROR: an errno value, 0 when there is none */

#endif
