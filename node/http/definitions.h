/* Definitions: everything but messages as one JSON file, in RabbitMQ's form (3.6 to 4.x), out and in. */
#ifndef WARREN_NODE_HTTP_DEFINITIONS_H
#define WARREN_NODE_HTTP_DEFINITIONS_H

#include "node/http/items.h"

json_t *definitions_of_all(struct http *h);
json_t *definitions_of_vhost(struct http *h, struct slice vhost);

/* Brings in what `file` names, as the caller of `r`; of a vhost if asked (data not NULL). What is there stays. Returns
 * how many were refused; `reasons` says why, and is the caller's to close. */
size_t definitions_import(struct request *r, const json_t *file, struct slice vhost, struct buf *reasons);

/* What families share with it; new each. */
json_t *users_shown(struct http *h);
json_t *limits_grouped(struct http *h, enum registry_kind kind, struct slice owner);
json_t *policy_value(const json_t *body);
json_t *user_value(struct http *h, const json_t *body);
/* False: ERR_REFUSED if the configuration does not want such a password; ERR_INVALID for a hash that is no base64, and
 * for one beside a password. */
bool user_password_is_good(struct http *h, const json_t *body, struct err *why);
json_t *vhost_value(const json_t *body, json_t *value /* moves; NULL: a new one */);

#endif
