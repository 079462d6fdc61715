/* A listening socket on a libuv loop: takes connections in small handfuls, and waits a moment when the process has no
 * descriptor left.
 *
 * Thread: the loop's. Lifetime: listener_open() .. listener_close() (asynchronous, over in `closed`). */
#ifndef WARREN_REPLICATION_SYS_LISTENER_H
#define WARREN_REPLICATION_SYS_LISTENER_H

#include "base/err.h"

struct uv_loop_s;
struct listener;

/* `address` as in socket.h. `accepted` takes over a descriptor: non-blocking, TCP_NODELAY and SO_KEEPALIVE set. */
int listener_open(struct listener **l, struct uv_loop_s *loop, const char *address, int backlog,
                  void (*accepted)(void *self, int fd), void *self, struct err *err);
void listener_close(struct listener *l, void (*closed)(void *self)); /* `closed` may be NULL */
const char *listener_address(const struct listener *l);              /* as bound, host:port */

#endif
