/* What an HTTP server says about users (RabbitMQ's auth_backends http): the questions as it wants them, and the answers
 * that are kept. Pure: somebody else asks (node/shard/outside.h).
 *
 * Thread:   its shard's. Lifetime: auth_outside_create() .. auth_outside_destroy().
 * A question is a letter for the path, then the form that is sent. */
#ifndef WARREN_NODE_AUTH_OUTSIDE_H
#define WARREN_NODE_AUTH_OUTSIDE_H

#include "node/auth/auth.h"

enum { AUTH_OUTSIDE_KEPT_MAX = 65536 /* answers; one more, and all are forgotten */, AUTH_OUTSIDE_KEY_SIZE = 32 };

enum auth_word { AUTH_NO, AUTH_YES, AUTH_UNKNOWN /* it has to be asked */ };

/* The paths, as letters of a question. */
enum auth_path { AUTH_PATH_USER = 'u', AUTH_PATH_VHOST = 'v', AUTH_PATH_RESOURCE = 'r', AUTH_PATH_TOPIC = 't' };

/* Each begins a new question in `q`. `tags`: of the user, with spaces between. */
void auth_ask_user(struct buf *q, struct slice user, const struct slice *password /* NULL: a certificate vouches */);
void auth_ask_vhost(struct buf *q, struct slice user, struct slice tags, struct slice vhost, struct slice address);
void auth_ask_resource(struct buf *q, struct slice user, struct slice tags, struct slice vhost, const char *kind,
                       struct slice name, enum auth_permission permission);
void auth_ask_topic(struct buf *q, struct slice user, struct slice tags, struct slice vhost, struct slice exchange,
                    enum auth_permission permission, struct slice routing_key);

/* "allow", behind a user's also tags, or "deny" and anything else. `tags` (may be NULL) borrows from the body. */
enum auth_word auth_outside_read(int status, struct slice body, struct slice *tags);
unsigned auth_tag_bits(struct slice tags); /* of enum auth_tag, from words with spaces or commas between */

/* --- answers --- */
struct auth_outside;

struct auth_outside *auth_outside_create(void);
void auth_outside_destroy(struct auth_outside *o);
/* A password is in a question: what is kept is a digest of it. */
void auth_outside_key(struct slice question, uint8_t key[AUTH_OUTSIDE_KEY_SIZE]);
/* `tags` (may be NULL) is borrowed until the next call. */
enum auth_word auth_outside_find(const struct auth_outside *o, struct slice question, uint64_t now_ms,
                                 struct slice *tags);
void auth_outside_put(struct auth_outside *o, const uint8_t key[AUTH_OUTSIDE_KEY_SIZE], enum auth_word word,
                      struct slice tags, uint64_t until_ms);

#endif
