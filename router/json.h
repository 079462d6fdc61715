/* JSON values as the registry reads them, and how RabbitMQ's refusals print them. Pure. */
#ifndef WARREN_ROUTER_JSON_H
#define WARREN_ROUTER_JSON_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    JSON_NESTING_MAX = 128 /* levels of arrays and objects: whoever walks through them recurses on a small stack */
};

/* To be asked before bytes of strangers are parsed; the parser itself recurses. */
bool json_nests_too_deep(struct slice text);
/* NULL: no JSON, nested too deep, or a key stands twice in an object; `err` (may be NULL) says where. The caller drops
 * the reference. */
json_t *json_of(struct slice text, struct err *err);
/* The member's text; data NULL when there is none or it is no string. Borrowed from the object. */
struct slice json_text(const json_t *object, const char *key);
/* Erlang's way to write the value: <<"text">>, [1,2], #{<<"key">> => true}. */
void json_print_erlang(const json_t *value, struct buf *b);

#endif
