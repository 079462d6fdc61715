/* Many conversations with this node at once, for work whose parts do not wait for each other: each carries one method
 * at a time, so that commits of one are not in the way of the next.
 *
 * Thread: the request's. Lifetime: lanes_open() .. lanes_close(). */
#ifndef WARREN_NODE_HTTP_LANES_H
#define WARREN_NODE_HTTP_LANES_H

#include "node/http/conversation.h"

enum { LANES_MAX = 32 };

struct lanes;

/* How it went: why NULL: well. `what` and `name` are those of lanes_tell(). In the order of the calls. */
typedef void lanes_told(void *arg, const char *what, struct slice name, const struct refusal *why);

struct lanes *lanes_open(struct request *r, lanes_told *told, void *arg);
/* Sends a method that has one answer. `what` and `name` stay where they are until they are told of. */
void lanes_tell(struct lanes *l, const char *what, struct slice name, struct slice vhost, const struct amqp_method *m);
void lanes_settle(struct lanes *l); /* waits until all is told */
void lanes_close(struct lanes *l);  /* the same, and the conversations end */

#endif
