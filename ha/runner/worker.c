#include "ha/runner/worker.h"

#include <stdio.h>
#include <time.h>

#include "base/hash.h"
#include "base/mem.h"
#include "ha/shovel/shovel.h"
#include "replication/sys/loop.h"

struct worker {
    const struct worker_host *host;
    struct plan plan;      /* one item: ours */
    struct shovel *shovel; /* one of the three */
    struct exchange_link *exchange_link;
    struct queue_link *queue_link;
    struct bridge *bridge;
    struct transport *transports[BRIDGE_SIDES];
    struct loop_timer *timer;
    bool in_turn, again;
    uint8_t state_noted; /* enum bridge_state */
    uint64_t since_wall_s;
    uint64_t reason_noted; /* hash of the last one in the log; 0: it runs */
};

static void turn(struct worker *w);

static uint64_t wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- the link's host --- */

static void on_moved(void *self)
{
    turn(self);
}

static void on_local(void *self, int fd)
{
    struct worker *w = self;
    w->host->local(w->host->self, fd);
}

static void on_connect(void *self, enum bridge_side side, struct client *client, const struct client_uri *uri)
{
    struct worker *w = self;
    struct transport_host host = {.self = w, .moved = on_moved, .local = on_local};
    w->transports[side] = transport_open(w->host->loop, client, uri, &host);
}

static void on_disconnect(void *self, enum bridge_side side)
{
    struct worker *w = self;
    transport_finish(w->transports[side]);
    w->transports[side] = NULL;
}

static const struct bridge_host bridge_host = {.connect = on_connect, .disconnect = on_disconnect};

/* --- the turn --- */

/* A link that fails again and again for the same reason gets one line. */
static void note_state(struct worker *w)
{
    char line[768];
    uint8_t state = w->bridge->state == BRIDGE_FLOW ? BRIDGE_RUNNING : w->bridge->state;
    if (state == w->state_noted) return;
    w->state_noted = state;
    w->since_wall_s = wall_ms() / 1000;
    if (state == BRIDGE_STARTING) return;
    bool bad = state != BRIDGE_RUNNING && !worker_is_done(w);
    uint64_t reason = bad ? hash_slice(slice_str(w->bridge->reason)) : 0;
    if (bad && reason == w->reason_noted) return;
    w->reason_noted = reason;
    snprintf(line, sizeof line, "state=%s%s%s%s", bridge_state_name(w->bridge),
             state == BRIDGE_RUNNING ? "" : " reason=\"", state == BRIDGE_RUNNING ? "" : w->bridge->reason,
             state == BRIDGE_RUNNING ? "" : "\"");
    w->host->note(w->host->self, w, bad, line);
}

static void set_timer(struct worker *w, uint64_t now_ms)
{
    uint64_t at = bridge_deadline_ms(w->bridge);
    loop_timer_stop(w->timer);
    if (at == UINT64_MAX) return;
    loop_timer_start(w->timer, at > now_ms ? at - now_ms : 1,
                     0); /* 0 would be due at once, before anybody else's turn */
}

/* Whatever moved: the machine's turn, then its bytes, until nothing is left to do. */
static void turn(struct worker *w)
{
    uint64_t now_ms = loop_now_ms(w->host->loop);
    w->again = true;
    if (w->in_turn) return;
    w->in_turn = true;
    while (w->again) {
        w->again = false;
        if (w->shovel) shovel_turn(w->shovel, now_ms);
        else if (w->exchange_link) exchange_link_turn(w->exchange_link, now_ms);
        else bridge_turn(w->bridge, now_ms);
        for (int side = 0; side < BRIDGE_SIDES; side++)
            if (w->transports[side]) transport_flush(w->transports[side], now_ms);
    }
    w->in_turn = false;
    note_state(w);
    set_timer(w, now_ms);
}

/* --- life --- */

static int open_shovel(struct worker *w, const struct plan_item *item, struct err *err)
{
    struct shovel_definition d;
    json_error_t where;
    json_t *json = json_loads(item->text, 0, &where);
    if (!json) return (int)err_set(err, ERR_INVALID, "no JSON: %s", where.text);
    int code = shovel_definition_read(&d, item->name, json, err);
    json_decref(json);
    if (code) return code;
    struct shovel_identity identity = {.name = item->name,
                                       .vhost = item->vhost,
                                       .cluster_name = w->host->cluster_name,
                                       .is_static = item->kind == PLAN_STATIC_SHOVEL};
    w->shovel = shovel_create(&d, &identity, &bridge_host, w, loop_now_ms(w->host->loop), wall_ms());
    w->bridge = shovel_bridge(w->shovel);
    return 0;
}

static int open_federation(struct worker *w, const struct plan_item *item, struct err *err)
{
    struct federated f;
    int code = federated_read(&f, item->text, err);
    if (code) return code;
    uint64_t now_ms = loop_now_ms(w->host->loop);
    if (item->kind == PLAN_EXCHANGE_LINK) {
        w->exchange_link = exchange_link_create(&f, &bridge_host, w, now_ms);
        w->bridge = exchange_link_bridge(w->exchange_link);
    } else {
        w->queue_link = queue_link_create(&f, &bridge_host, w, now_ms);
        w->bridge = queue_link_bridge(w->queue_link);
    }
    return 0;
}

static void on_timer(void *self)
{
    turn(self);
}

struct worker *worker_open(const struct plan_item *item, const struct worker_host *host, struct err *err)
{
    struct worker *w = mem_zalloc(sizeof *w);
    w->host = host;
    plan_add(&w->plan, (enum plan_kind)item->kind, slice_str(item->vhost), slice_str(item->name),
             slice_str(item->upstream), slice_str(item->text), item->group);
    bool federation = item->kind == PLAN_EXCHANGE_LINK || item->kind == PLAN_QUEUE_LINK;
    if (federation ? open_federation(w, item, err) : open_shovel(w, item, err)) {
        plan_close(&w->plan);
        mem_free(w);
        return NULL;
    }
    w->state_noted = BRIDGE_WAITING;
    w->since_wall_s = wall_ms() / 1000;
    w->timer = loop_timer_open(host->loop, on_timer, w);
    turn(w);
    return w;
}

void worker_close(struct worker *w, bool gone)
{
    if (w->exchange_link && gone) exchange_link_clean_up(w->exchange_link);
    if (w->shovel) shovel_destroy(w->shovel);
    else if (w->exchange_link) exchange_link_destroy(w->exchange_link);
    else queue_link_destroy(w->queue_link);
    loop_timer_close(w->timer, NULL, NULL);
    plan_close(&w->plan);
    mem_free(w);
}

const struct plan_item *worker_item(const struct worker *w)
{
    return &w->plan.items[0];
}

bool worker_is(const struct worker *w, const struct plan_item *item)
{
    return plan_same(worker_item(w), item);
}

struct exchange_link *worker_exchange_link(const struct worker *w)
{
    return w->exchange_link;
}

struct queue_link *worker_queue_link(const struct worker *w)
{
    return w->queue_link;
}

void worker_turn(struct worker *w)
{
    turn(w);
}

bool worker_is_unchanged(const struct worker *w, const struct plan_item *item)
{
    return worker_is(w, item) && !strcmp(worker_item(w)->text, item->text);
}

bool worker_is_done(const struct worker *w)
{
    return w->shovel && shovel_is_done(w->shovel);
}

void worker_restart(struct worker *w)
{
    bridge_restart(w->bridge, "restarted by an operator");
    turn(w);
}

/* --- status --- */

static void set_text(json_t *o, const char *key, const char *value)
{
    if (value) json_object_set_new(o, key, json_string(value));
}

static void set_uri(json_t *o, const char *key, const struct client_uri *uri)
{
    struct buf b = {0};
    client_uri_public(&b, uri);
    json_object_set_new(o, key, json_stringn((const char *)b.data, b.size));
    buf_close(&b);
}

static void set_time(json_t *o, uint64_t wall_s)
{
    char text[32];
    time_t t = (time_t)wall_s;
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
    set_text(o, "timestamp", text);
}

static void shovel_status(json_t *o, const struct worker *w)
{
    const struct plan_item *item = worker_item(w);
    const struct shovel_definition *d = shovel_definition(w->shovel);
    const struct bridge *l = w->bridge;
    bool is_static = item->kind == PLAN_STATIC_SHOVEL;
    if (!is_static) set_text(o, "vhost", item->vhost);
    set_text(o, "name", item->name);
    set_text(o, "type", is_static ? "static" : "dynamic");
    set_text(o, "state", l->state == BRIDGE_FLOW ? "running" : bridge_state_name(l));
    set_text(o, "blocked_status", l->state == BRIDGE_FLOW ? "flow" : "running");
    if (l->state == BRIDGE_WAITING || l->state == BRIDGE_FINISHED) set_text(o, "reason", l->reason);
    set_uri(o, "src_uri", bridge_uri(l, BRIDGE_SOURCE));
    set_uri(o, "dest_uri", bridge_uri(l, BRIDGE_DEST));
    set_text(o, "src_protocol", "amqp091");
    set_text(o, "dest_protocol", "amqp091");
    set_text(o, "src_queue", d->src_queue);
    set_text(o, "src_exchange", d->src_exchange);
    set_text(o, "src_exchange_key", d->src_exchange_key);
    set_text(o, "dest_queue", d->dest_queue);
    set_text(o, "dest_exchange", d->dest_exchange);
    set_text(o, "dest_exchange_key", d->dest_exchange_key);
    if (shovel_remaining(w->shovel) == UINT64_MAX) return;
    json_object_set_new(o, "remaining", json_integer((json_int_t)shovel_remaining(w->shovel)));
    json_object_set_new(o, "remaining_unacked", json_integer((json_int_t)relay_pending(&l->relay)));
}

enum { WORKER_ID_SIZE = 9 };

/* The same on every node and after every restart. */
static void put_id(const struct plan_item *item, char id[static WORKER_ID_SIZE])
{
    struct buf key = {0};
    buf_printf(&key, "%u|%s|%s|%s", item->kind, item->vhost, item->name, item->upstream);
    snprintf(id, WORKER_ID_SIZE, "%08x", (unsigned)hash_slice(buf_slice(&key)));
    buf_close(&key);
}

static void federation_status(json_t *o, const struct worker *w)
{
    const struct plan_item *item = worker_item(w);
    const struct bridge *l = w->bridge;
    const struct federated *f =
        w->queue_link ? queue_link_federated(w->queue_link) : exchange_link_federated(w->exchange_link);
    const char *kind = w->queue_link ? "queue" : "exchange";
    struct slice there = federated_upstream_name(f);
    char id[WORKER_ID_SIZE], upstream_key[32];
    bool running = l->state == BRIDGE_RUNNING || l->state == BRIDGE_FLOW;
    put_id(item, id);
    snprintf(upstream_key, sizeof upstream_key, "upstream_%s", kind);
    set_text(o, kind, item->name);
    json_object_set_new(o, upstream_key, json_stringn((const char *)there.data, there.size));
    set_text(o, "type", kind);
    set_text(o, "vhost", item->vhost);
    set_text(o, "upstream", item->upstream);
    set_text(o, "id", id);
    set_text(o, "status", running ? "running" : l->reason[0] ? "error" : "starting");
    if (!running && l->reason[0]) set_text(o, "error", l->reason);
    set_uri(o, "uri", bridge_uri(l, BRIDGE_SOURCE));
    if (running) set_text(o, "local_connection", "amqp://");
    if (w->queue_link) json_object_set_new(o, "consuming", json_boolean(queue_link_is_consuming(w->queue_link)));
    if (w->exchange_link)
        json_object_set_new(o, "bindings", json_integer((json_int_t)exchange_link_binding_count(w->exchange_link)));
}

json_t *worker_status(const struct worker *w)
{
    json_t *o = json_object();
    if (w->shovel) shovel_status(o, w);
    else federation_status(o, w);
    set_time(o, w->since_wall_s);
    uint64_t lag_ms = bridge_lag_ms(w->bridge, loop_now_ms(w->host->loop));
    json_object_set_new(o, "lag_seconds", json_real((double)lag_ms / 1000));
    json_object_set_new(o, "lag_messages", json_integer((json_int_t)bridge_lag_messages(w->bridge)));
    json_object_set_new(o, "forwarded", json_integer((json_int_t)w->bridge->relay.forwarded));
    json_object_set_new(o, "pending", json_integer((json_int_t)relay_pending(&w->bridge->relay)));
    return o;
}
