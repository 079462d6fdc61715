/* Parameters of links as JSON: values checked and refused in RabbitMQ's words, arguments turned into field tables.
 *
 * Pure; any thread. `err` gets the sentence that the person who set the parameter reads. */
#ifndef WARREN_HA_BRIDGE_JSON_H
#define WARREN_HA_BRIDGE_JSON_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "ha/client/uri.h"

enum { JSON_URIS_MAX = 32, JSON_DEPTH_MAX = 16 };

enum json_kind {
    JSON_KIND_STRING,  /* char *, NULL: absent */
    JSON_KIND_NUMBER,  /* int64_t; must not be negative */
    JSON_KIND_BOOLEAN, /* bool */
    JSON_KIND_TABLE,   /* struct buf: a field table's entries */
    JSON_KIND_URIS,    /* struct json_uris; a string or a list of them */
    JSON_KIND_ENUM,    /* uint8_t: the place in `choices` */
    JSON_KIND_CHECKED, /* by the caller */
};

struct json_uris {
    struct client_uri *uris;
    size_t count;
};

/* One key of a parameter; `offset` is that of its field in the struct that is filled. */
struct json_key {
    const char *name;
    uint8_t kind; /* enum json_kind */
    bool mandatory;
    size_t offset;
    const char *const *choices; /* enum: ends with NULL */
};

/* Reads every key that is there into `out` (null counts as absent). Refuses keys that are not in the list (which ends
 * with a name of NULL) when `what` is given: the parameter's name. ERR_INVALID. */
int json_read(const json_t *object, const struct json_key *keys, const char *what, void *out, struct err *err);
/* Frees strings, tables and URIs that json_read() made. */
void json_read_close(const struct json_key *keys, void *out);

/* A JSON object as field table entries, as RabbitMQ converts: integers are `l`, lists arrays, objects tables. false:
 * nested too deep. */
bool json_to_table(struct buf *b, const json_t *object);

#endif
