/* Definitions: everything but messages as one JSON file, in RabbitMQ's form (3.6 to 4.x), out and in. */
#ifndef WARREN_NODE_HTTP_DEFINITIONS_H
#define WARREN_NODE_HTTP_DEFINITIONS_H

#include "node/http/items.h"

json_t *definitions_of_all(struct http *h);
json_t *definitions_of_vhost(struct http *h, struct slice vhost);

/* What of `file` would be refused, for all that can be known before (rehearsal.h); changes nothing. Returns how many;
 * `reasons` says why, and is the caller's to close. Of a vhost if asked (data not NULL). */
size_t definitions_check(struct request *r, const json_t *file, struct slice vhost, struct buf *reasons);
/* Brings in what `file` names, as the caller of `r`. What is there stays, and what is refused does not keep the rest
 * from being done. */
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
