/* /api/auth/attempts: logins of a node, all together and by where they came from. */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <time.h>

#include "node/auth/guess.h"
#include "node/auth/sources.h"
#include "node/http/families.h"
#include "node/http/peers.h"
#include "node/http/stats.h"

static json_t *attempts_json(const char *protocol, uint64_t failed, uint64_t succeeded)
{
    return json_pack("{s:s, s:I, s:I, s:I}", "protocol", protocol, "auth_attempts", (json_int_t)(failed + succeeded),
                     "auth_attempts_failed", (json_int_t)failed, "auth_attempts_succeeded", (json_int_t)succeeded);
}

/* --- by source --- */

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The socket of this machine has no address: who reaches it is not slowed. */
static uint32_t weigh(struct guesses *g, struct slice address, bool welcome)
{
    if (!welcome) return address.size ? guess_failed(g, address, now_ms()) : 0;
    guess_right(g, address);
    return 0;
}

uint32_t attempts_note(struct http *h, const struct sockaddr *from, const char *user, bool welcome)
{
    char address[INET6_ADDRSTRLEN] = "";
    const void *bytes = !from                         ? NULL
                        : from->sa_family == AF_INET  ? (const void *)&((const struct sockaddr_in *)from)->sin_addr
                        : from->sa_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)from)->sin6_addr
                                                      : NULL;
    if (bytes) inet_ntop(from->sa_family, bytes, address, sizeof address);
    atomic_fetch_add(welcome ? &h->logins_succeeded : &h->logins_failed, 1);
    pthread_mutex_lock(&h->sources_lock);
    login_sources_note(&h->sources, slice_str(address), slice_str(user), welcome);
    uint32_t delay_ms = weigh(h->guesses, slice_str(address), welcome);
    pthread_mutex_unlock(&h->sources_lock);
    return delay_ms;
}

static void add_sources(json_t *array, const char *protocol, const struct login_sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        const struct login_source *s = &sources->items[i];
        json_t *o = attempts_json(protocol, s->failed, s->succeeded);
        json_put(o, "remote_address", json_slice(slice_str(s->address)));
        json_put(o, "username", json_slice(slice_str(s->user)));
        json_array_append_new(array, o);
    }
}

static void look_at_sources(struct shard *s, void *arg)
{
    add_sources(arg, "amqp091", broker_login_sources(shard_broker(s)));
}

/* Shards count apart: what several of them heard from one source is added up. */
static json_t *joined(json_t *rows)
{
    json_t *array = json_array();
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        json_t *same = NULL;
        for (size_t k = 0; k < json_array_size(array) && !same; k++) {
            json_t *one = json_array_get(array, k);
            if (json_equal(json_object_get(one, "remote_address"), json_object_get(row, "remote_address")) &&
                json_equal(json_object_get(one, "username"), json_object_get(row, "username")))
                same = one;
        }
        if (same) json_sum(same, row);
        else json_array_append_new(array, json_copy((json_t *)row));
    }
    json_decref(rows);
    return array;
}

json_t *attempts_sources(struct http *h)
{
    json_t *array = json_array();
    each_shard(h, look_at_sources, array);
    array = joined(array);
    pthread_mutex_lock(&h->sources_lock);
    add_sources(array, "http", &h->sources);
    pthread_mutex_unlock(&h->sources_lock);
    return array;
}

/* --- of this node --- */

void attempts_put(json_t *o, struct http *h, const struct totals *t)
{
    json_t *array = json_array();
    json_array_append_new(array, attempts_json("amqp091", t->logins_failed - atomic_load(&h->amqp_failed_before),
                                               t->logins_succeeded - atomic_load(&h->amqp_succeeded_before)));
    json_array_append_new(array,
                          attempts_json("http", atomic_load(&h->logins_failed), atomic_load(&h->logins_succeeded)));
    json_put(o, "auth_attempts", array);
    json_put(o, "auth_attempt_sources", attempts_sources(h));
}

static void forget_sources(struct shard *s, void *arg)
{
    (void)arg;
    login_sources_clear(broker_login_sources(shard_broker(s)));
}

void node_attempts_reset(struct http *h)
{
    struct totals t;
    totals_gather(h, &t);
    atomic_store(&h->amqp_failed_before, t.logins_failed);
    atomic_store(&h->amqp_succeeded_before, t.logins_succeeded);
    atomic_store(&h->logins_failed, 0);
    atomic_store(&h->logins_succeeded, 0);
    each_shard(h, forget_sources, NULL);
    pthread_mutex_lock(&h->sources_lock);
    login_sources_clear(&h->sources);
    pthread_mutex_unlock(&h->sources_lock);
}

/* --- paths --- */

static json_t *find(const struct request *r, const json_t *nodes)
{
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        json_t *node = json_array_get(nodes, i);
        if (slice_equal(slice_json(json_object_get(node, "name")), r->captures[0])) return node;
    }
    return NULL;
}

static void answer_member(struct request *r, const char *name, struct answer *a)
{
    json_t *nodes = nodes_everywhere(r), *found = json_object_get(find(r, nodes), name);
    if (found) answer_json(a, json_incref(found));
    else answer_not_found(a);
    json_decref(nodes);
}

void api_auth_attempts(struct request *r, struct answer *a)
{
    answer_member(r, "auth_attempts", a);
}

void api_auth_attempts_by_source(struct request *r, struct answer *a)
{
    answer_member(r, "auth_attempt_sources", a);
}

void api_auth_attempts_reset(struct request *r, struct answer *a)
{
    json_t *nodes = nodes_everywhere(r), *found = find(r, nodes);
    struct buf question = {0};
    if (!found) {
        answer_not_found(a);
    } else if (slice_is(r->captures[0], node_settings(r->http->params.node)->name)) {
        node_attempts_reset(r->http);
        answer_done(a, false);
    } else {
        buf_printf(&question, "reset attempts\n%.*s", (int)r->captures[0].size, (const char *)r->captures[0].data);
        buf_put_u8(&question, 0);
        json_decref(peers_ask(r->http->peers, (const char *)question.data));
        answer_done(a, false);
    }
    buf_close(&question);
    json_decref(nodes);
}
