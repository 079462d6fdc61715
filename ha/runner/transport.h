/* Carries a client's bytes: over TCP, over TLS, or through a socket pair to this node's own broker.
 *
 * Thread:   the loop's. Lifetime: transport_open() .. transport_finish(), from when on the host is not touched any
 * more: the client becomes the transport's, says goodbye, and goes. What goes wrong is told by client_lost(). */
#ifndef WARREN_HA_RUNNER_TRANSPORT_H
#define WARREN_HA_RUNNER_TRANSPORT_H

#include "ha/client/client.h"

struct uv_loop_s;
struct transport;

struct transport_host {
    void *self;
    /* Something happened to the client: look after it soon. Never called from inside transport_*(). */
    void (*moved)(void *self);
    /* Takes over one end of a socket pair whose other end is to be served by this node's broker. */
    void (*local)(void *self, int fd);
};

enum { TRANSPORT_GOODBYE_MS = 2000 /* for the server's close-ok */ };

/* `client` and `uri` are borrowed until transport_finish(). */
struct transport *transport_open(struct uv_loop_s *loop, struct client *client, const struct client_uri *uri,
                                 const struct transport_host *host);
/* Writes what the client has to say, as far as the socket takes it; offers bytes again that a paused client left. */
void transport_flush(struct transport *t, uint64_t now_ms);
void transport_finish(struct transport *t); /* moves the client in; client_mute() and client_close() were called */

#endif
