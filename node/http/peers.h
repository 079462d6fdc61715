/* What other nodes know: a listing shows the whole cluster, whichever node is asked.
 *
 * Each node answers questions about itself on a thread of its own (docs/formats/mail.md); the asker waits for all nodes
 * that are linked, for PEERS_PATIENCE_MS at most, and shows what has come.
 * Thread: requests' (peers_ask), shard 0's (events), and the answering thread. */
#ifndef WARREN_NODE_HTTP_PEERS_H
#define WARREN_NODE_HTTP_PEERS_H

#include "node/http/http_internal.h"

struct peers;

enum {
    PEERS_PATIENCE_MS = 3000,
    PEERS_ANSWER_MAX = 64 << 20, /* bytes of one answer; beyond, it is not taken */
    PEERS_PART = 128 << 10,      /* bytes of one frame of an answer */
    PEERS_WAITING_MAX = 64,      /* questions of other nodes that wait here; beyond, they get no answer */
};

struct peers *peers_open(struct http *h);
void peers_close(struct peers *p);

/* The answers of all other nodes that are linked, each one item of the array; new. */
json_t *peers_ask(struct peers *p, const char *question);
/* The same for questions whose answer is a list: this node's own list and all others', as one. Moves `own`. */
json_t *peers_list(struct peers *p, json_t *own, const char *question);

/* The same, and the request's view goes along. */
json_t *peers_ask_view(struct request *r, const char *question);
json_t *peers_list_view(struct request *r, json_t *own, const char *question);

/* questions.c: what this node says of itself; new, NULL when the question is not known. */
json_t *question_answer(struct http *h, struct slice question);

#endif
