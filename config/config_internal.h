/* What the files of this room share. */
#ifndef WARREN_CONFIG_CONFIG_INTERNAL_H
#define WARREN_CONFIG_CONFIG_INTERNAL_H

#include <string.h>

#include "base/mem.h"
#include "config/keys.h"

enum { CONFIG_MESSAGE_MAX = CONFIG_TEXT_MAX * 2 };

/* value.c */
const struct key *config_find_key(const char *name); /* NULL: no such key */
bool config_key_is_list(const struct key *key);
int config_set_key(struct config *c, const struct key *key, const char *name, const char *value, struct err *err);

/* names.c */
const char *config_other_name(const char *name); /* the key's name in the table, if RabbitMQ has another; else `name` */
const char *
config_without_effect(const char *name); /* why a key that RabbitMQ has changes nothing here; NULL: unknown */

/* places.c */
void config_place_begin(struct config *c, const char *origin, uint32_t line); /* what is set next, is set there */
void config_place_key(struct config *c, const struct key *key);

/* secret.c: values that begin with encrypted: */
bool config_secret_is(const char *value);
int config_secret_keep(struct config *c, const char *name, const char *value, struct err *err);
void config_secret_forget(struct config *c, const char *name); /* a later line says it in plain words */
int config_secrets_read(struct config *c, struct err *err);

/* expand.c: replaces each $(NAME) by the environment's NAME. */
int config_expand(const char *value, struct buf *out, struct err *err);

/* config.c: one `key = value` of a file's line, or (number 0) of what has no lines; writes into `line`. An error is
 * kept in c->errors, too. */
int config_assign(struct config *c, char *line, const char *origin, uint32_t number, struct err *err);
void config_warn(struct config *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* formation.c: cluster.peers, cluster.listen and node.id from RabbitMQ's cluster_formation keys. */
int config_form(struct config *c, struct err *err);

#endif
