/* What the configuration wants each new vhost to begin with: default_users, default_policies.operator,
 * default_limits.vhosts. Pure.
 *
 * Thread:   made on the main thread, then shard 0's. Lifetime: auth_defaults_create() .. auth_defaults_destroy(). */
#ifndef WARREN_NODE_AUTH_DEFAULTS_H
#define WARREN_NODE_AUTH_DEFAULTS_H

#include "config/config.h"
#include "node/auth/auth.h"

struct auth_defaults;

/* Errors begin with the key. Passwords are hashed at once, with salts of `random`, and not kept. */
int auth_defaults_create(struct auth_defaults **out, const struct config *c, void (*random)(void *bytes, size_t size),
                         struct err *err);
void auth_defaults_destroy(struct auth_defaults *d); /* NULL is fine */
/* Appends the commands for this vhost, each counted and encoded as registry_seed_command() wants them. A user that `t`
 * has keeps its password and tags; t NULL: there are no users yet. */
void auth_defaults_put(const struct auth_defaults *d, const struct topology *t, struct slice vhost, struct buf *items);

/* password.c: how new passwords are judged and hashed. */
void auth_password_rules_read(struct auth_password_rules *rules, const struct config *c);

#endif
