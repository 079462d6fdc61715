/* Whose exclusive queues are: connections of all nodes by their tokens. */
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "node/http/families.h"
#include "node/http/peers.h"
#include "node/http/queue_json.h"

enum { OWNERS_ASKED_MAX = 1000 /* tokens of one question */ };

struct walk {
    struct map_u64 wanted; /* token -> something */
    json_t *found;         /* token -> details */
    uint64_t cursor;
    bool more;
};

static json_t *details_json(const char *peer)
{
    json_t *o = json_object();
    json_put(o, "name", json_string(peer));
    connection_put_ends(o, peer);
    json_object_del(o, "host");
    json_object_del(o, "port");
    return o;
}

static void walk_slice(struct shard *s, void *arg)
{
    struct walk *w = arg;
    struct shard_connection_info info;
    char token[24];
    w->more = true;
    for (unsigned i = 0; i < HTTP_SLICE && (w->more = shard_next_connection(s, &w->cursor, &info)); i++) {
        if (!map_u64_get(&w->wanted, info.session.token)) continue;
        snprintf(token, sizeof token, "%llu", (unsigned long long)info.session.token);
        json_put(w->found, token, details_json(info.session.peer));
    }
}

json_t *owners_here(struct http *h, struct slice tokens)
{
    struct walk w = {.found = json_object()};
    char *text = mem_strndup(tokens.data ? (const char *)tokens.data : "", tokens.size), *at = text, *end;
    for (unsigned i = 0; i < OWNERS_ASKED_MAX; i++, at = end) {
        uint64_t token = strtoull(at, &end, 10);
        if (end == at) break;
        map_u64_set(&w.wanted, token, &w);
    }
    for (uint16_t i = 0; i < node_settings(h->params.node)->shard_count; i++) {
        w.cursor = 0;
        do shard_call_any(node_shard(h->params.node, i), walk_slice, &w);
        while (w.more);
    }
    map_u64_close(&w.wanted);
    mem_free(text);
    return w.found;
}

/* Adds what this node and the others know of these tokens. Clears the text. */
static void ask(struct request *r, struct buf *tokens, json_t *found)
{
    struct buf question = {0};
    json_t *own = owners_here(r->http, buf_slice(tokens));
    json_object_update(found, own);
    json_decref(own);
    buf_printf(&question, "owners\n");
    buf_put_slice(&question, buf_slice(tokens));
    buf_put_u8(&question, 0);
    json_t *answers = peers_ask(r->http->peers, (const char *)question.data);
    for (size_t i = 0; i < json_array_size(answers); i++)
        if (json_is_object(json_array_get(answers, i))) json_object_update(found, json_array_get(answers, i));
    json_decref(answers);
    buf_close(&question);
    buf_clear(tokens);
}

static void put(json_t *queue, const json_t *found)
{
    char token[24];
    json_t *owner = json_object_get(queue, OWNER);
    if (!owner) return;
    snprintf(token, sizeof token, "%llu", (unsigned long long)json_integer_value(owner));
    json_t *details = json_object_get(found, token);
    json_object_del(queue, OWNER);
    if (details) json_object_set(queue, "owner_pid_details", details);
    else json_put(queue, "owner_pid_details", json_object()); /* it is about to go */
}

void owners_put(struct request *r, json_t *queues)
{
    struct buf tokens = {0};
    json_t *found = json_object();
    unsigned count = 0;
    for (size_t i = 0; i < json_array_size(queues); i++) {
        const json_t *owner = json_object_get(json_array_get(queues, i), OWNER);
        if (!owner) continue;
        buf_printf(&tokens, "%llu ", (unsigned long long)json_integer_value(owner));
        if (++count % OWNERS_ASKED_MAX == 0) ask(r, &tokens, found);
    }
    if (tokens.size) ask(r, &tokens, found);
    for (size_t i = 0; i < json_array_size(queues) && count; i++) put(json_array_get(queues, i), found);
    json_decref(found);
    buf_close(&tokens);
}
