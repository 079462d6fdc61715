/* Users that an HTTP server knows: auth_backends, auth_http.* and auth_cache.* of the configuration, and the asking.
 *
 * Lifetime: outside_open() before the node .. outside_close() when its shards have stopped, before node_close(). */
#ifndef WARREN_NODE_SHARD_OUTSIDE_H
#define WARREN_NODE_SHARD_OUTSIDE_H

#include "config/config.h"
#include "node/shard/shard.h"

struct node;
struct outside;
struct outside_answers;

/* Fills the ways of the session's settings. *out NULL: no way leads to an HTTP server. */
int outside_open(struct outside **out, const struct config *c, struct node_settings *settings, struct err *err);
void outside_close(struct outside *o); /* NULL is fine */

/* From a thread that may wait. `tags`: bits of enum auth_tag. */
bool outside_authenticate(struct node *n, struct slice user, struct slice password, bool loopback, unsigned *tags);

/* --- a shard's share --- */
struct outside_answers *outside_answers_create(void);
void outside_answers_destroy(struct outside_answers *a);
void outside_answers_end(struct outside_answers *a); /* its thread is about to end: nothing wakes it any more */
void outside_ask(struct shard *s, uint64_t id, struct slice question); /* then broker_outside_answered() */
void outside_take(struct shard *s);                                    /* in its turn */

#endif
