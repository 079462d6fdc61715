/* Items of the registry, read and changed for requests. Names that a kind has no use for are empty slices. */
#ifndef WARREN_NODE_HTTP_ITEMS_H
#define WARREN_NODE_HTTP_ITEMS_H

#include "node/http/http_internal.h"
#include "router/registry.h"

struct item_name {
    enum registry_kind kind;
    struct slice vhost, name, detail;
};

/* The value as JSON; new, NULL when there is no such item. */
json_t *item_get(struct http *h, struct item_name name);
bool user_answer(struct request *r, struct slice user, struct answer *a); /* false: there is none; answered 404 */
/* All items of a kind, of a vhost (data not NULL) if asked: {"vhost","name","detail","value"}; new. */
json_t *items_list(struct http *h, enum registry_kind kind, struct slice vhost);

/* Changes wait until every reachable node has them. Refused: answered, and false. `value` moves. */
bool item_set(struct request *r, struct item_name name, json_t *value, struct answer *a);
bool item_clear(struct request *r, struct item_name name, struct answer *a);
/* The same without an answer: the reason is put into `why`. For many changes at once. */
struct refusal;
bool item_set_quietly(struct http *h, struct item_name name, json_t *value, struct refusal *why);
bool item_clear_quietly(struct http *h, struct item_name name, struct refusal *why);
/* What item_set() would propose, with its value in `canonical`; false: it is refused whatever is there. */
bool item_command(struct http *h, struct item_name name, json_t *value, struct buf *canonical,
                  struct topology_command *command, struct refusal *why);
/* Sets, and answers 201 or 204. */
void item_put(struct request *r, struct item_name name, json_t *value, struct answer *a);
void item_delete(struct request *r, struct item_name name, struct answer *a); /* 204, or 404 */

/* How the API shows items of each kind (users, permissions, policies ...); new. */
json_t *item_json(enum registry_kind kind, const json_t *item);
json_t *items_shown(struct http *h, enum registry_kind kind, struct slice vhost);

/* "a,b" or ["a","b"] as a list; new. */
json_t *words_of(const json_t *value);

#endif
