/* Definitions tried out before the first of them is carried out: on a topology of their own, by a session of their own,
 * so that refusals and their words are those that the node itself would give. What is there already comes along as it
 * is needed.
 *
 * Not tried: limits that count what the whole cluster has, and the caller's rights.
 * Thread:   the request's. Lifetime: rehearsal_open() .. rehearsal_close(), within the request. */
#ifndef WARREN_NODE_HTTP_REHEARSAL_H
#define WARREN_NODE_HTTP_REHEARSAL_H

#include "node/http/conversation.h"
#include "node/http/items.h"

struct rehearsal;

struct rehearsal *rehearsal_open(struct http *h);
void rehearsal_close(struct rehearsal *r);

/* False: `why` says it. */
bool rehearsal_set(struct rehearsal *r, struct item_name name, json_t *value /* moves */, struct refusal *why);
bool rehearsal_tell(struct rehearsal *r, struct slice vhost, const struct amqp_method *m, struct refusal *why);

bool rehearsal_has_queue(struct rehearsal *r, struct slice vhost, struct slice name);
bool rehearsal_has_exchange(struct rehearsal *r, struct slice vhost, struct slice name);

#endif
