/* Who has a connection to the management port without being served at the moment: its request is not whole yet, it
 * reads its answer, it waits for its "no", or it is idle between two requests. Such connections are kept as long as
 * there is room. When there is none, a newcomer gets the place of the one that has waited longest: so slow clients
 * cannot keep health checks out.
 *
 * Any thread. Lifetime: lobby_create() .. lobby_destroy(), when all guests have left. Bound: `places`. */
#ifndef WARREN_NODE_HTTP_LOBBY_H
#define WARREN_NODE_HTTP_LOBBY_H

#include <stdbool.h>

struct lobby;
struct guest;

/* `send_away` is called with the descriptor of a guest that has not left, under the lobby's lock; it closes nothing. */
struct lobby *lobby_create(unsigned places, void (*send_away)(int fd));
void lobby_destroy(struct lobby *l);
/* A connection began. Whoever had to give way for it leaves as soon as its thread notices. */
struct guest *lobby_enter(struct lobby *l, int fd);
/* Served: it keeps its place whatever happens. Not any more: it is the youngest of those who wait. */
void lobby_serve(struct lobby *l, struct guest *g, bool served);
void lobby_leave(struct lobby *l, struct guest *g); /* before its descriptor is closed; frees it */

#endif
