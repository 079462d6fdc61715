#include "ha/runner/runner.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "ha/runner/worker.h"
#include "node/shard/logger.h"
#include "replication/sys/loop.h"
#include "replication/sys/loop_thread.h"
#include "router/registry.h"

/* A link that this node does not run yet, though it should: since when. */
struct candidate {
    uint64_t key;
    uint64_t since_ms;
    bool seen;
};

struct runner {
    struct node *node;
    const struct node_settings *settings;
    struct worker_host worker_host;
    struct loop_thread *thread;
    struct loop_timer *timer;
    struct plan fixed;   /* static shovels */
    struct plan dynamic; /* of registry_version */
    uint64_t registry_version;
    struct worker **workers;
    size_t worker_count, worker_capacity;
    struct candidate *candidates;
    size_t candidate_count, candidate_capacity;
    uint16_t next_shard; /* that gets the next local connection */
    pthread_mutex_t lock;
    struct buf status;    /* guarded by lock */
    struct plan restarts; /* guarded by lock */
};

/* --- what the shards tell --- */

struct look {
    struct runner *runner;
    uint64_t nodes; /* that are up, this one included; a bit each */
    bool stopping;
};

static void look_at(struct shard *s, void *arg)
{
    struct look *look = arg;
    struct runner *r = look->runner;
    const struct topology *t = broker_topology(shard_broker(s));
    look->stopping = shard_stopping(s);
    for (uint32_t i = 0; i < r->settings->placement.node_count; i++) {
        uint8_t node = r->settings->placement.nodes[i];
        if (shard_peer_connected(s, node)) look->nodes |= 1ull << node;
    }
    if (registry_version(t) == r->registry_version) return;
    r->registry_version = registry_version(t);
    plan_close(&r->dynamic);
    plan_read_topology(&r->dynamic, t);
}

static bool is_majority(const struct runner *r, uint64_t nodes)
{
    return (unsigned)__builtin_popcountll(nodes) > r->settings->placement.node_count / 2;
}

/* --- workers --- */

static void open_fd(struct shard *s, void *arg)
{
    shard_open_link(s, *(int *)arg);
}

static void on_local(void *self, int fd)
{
    struct runner *r = self;
    uint16_t to = r->next_shard;
    r->next_shard = (uint16_t)((to + 1) % r->settings->shard_count);
    shard_call_any(node_shard(r->node, to), open_fd, &fd);
}

static const char *kind_word(const struct plan_item *item)
{
    return item->kind == PLAN_STATIC_SHOVEL ? "static-shovel" : "shovel";
}

static void on_note(void *self, const struct worker *w, const char *line)
{
    struct runner *r = self;
    const struct plan_item *item = worker_item(w);
    logger_printf(r->settings->logger, LOG_INFO, -1, "link %s vhost=\"%s\" name=\"%s\" %s", kind_word(item),
                  item->vhost, item->name, line);
}

static struct worker *find_worker(const struct runner *r, const struct plan_item *item)
{
    for (size_t i = 0; i < r->worker_count; i++)
        if (worker_is(r->workers[i], item)) return r->workers[i];
    return NULL;
}

static void start_worker(struct runner *r, const struct plan_item *item)
{
    struct err err;
    struct worker *w = worker_open(item, &r->worker_host, &err);
    if (!w) {
        logger_printf(r->settings->logger, LOG_WARN, -1, "link %s vhost=\"%s\" name=\"%s\" refused reason=\"%s\"",
                      kind_word(item), item->vhost, item->name, err.text);
        return;
    }
    r->workers = mem_grow(r->workers, &r->worker_capacity, r->worker_count + 1, sizeof *r->workers);
    r->workers[r->worker_count++] = w;
}

static uint64_t item_key(const struct plan_item *item)
{
    return hash_bytes(
        item->text, strlen(item->text),
        hash_bytes(item->name, strlen(item->name), hash_bytes(item->vhost, strlen(item->vhost), item->kind)));
}

/* True once this node has been the owner for long enough. */
static bool has_settled(struct runner *r, const struct plan_item *item, uint64_t now_ms)
{
    uint64_t key = item_key(item);
    for (size_t i = 0; i < r->candidate_count; i++) {
        if (r->candidates[i].key != key) continue;
        r->candidates[i].seen = true;
        return now_ms >= r->candidates[i].since_ms + RUNNER_SETTLE_MS;
    }
    r->candidates = mem_grow(r->candidates, &r->candidate_capacity, r->candidate_count + 1, sizeof *r->candidates);
    r->candidates[r->candidate_count++] = (struct candidate){key, now_ms, true};
    return false;
}

static void forget_candidates(struct runner *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->candidate_count; i++) {
        if (!r->candidates[i].seen) continue;
        r->candidates[kept] = r->candidates[i];
        r->candidates[kept++].seen = false;
    }
    r->candidate_count = kept;
}

static bool is_paused(const struct plan_item *item)
{
    json_t *value = json_loads(item->text, 0, NULL);
    bool paused = json_is_true(json_object_get(value, "paused"));
    json_decref(value);
    return paused;
}

/* What this node should run of a plan, and does not: started when it has settled. */
static void start_missing(struct runner *r, const struct plan *p, uint64_t nodes, uint64_t now_ms)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct plan_item *item = &p->items[i];
        if (plan_owner(item, nodes) != r->settings->node || find_worker(r, item) || is_paused(item)) continue;
        if (has_settled(r, item, now_ms)) start_worker(r, item);
    }
}

static const struct plan_item *find_item(const struct plan *p, const struct worker *w)
{
    for (size_t i = 0; i < p->count; i++)
        if (worker_is_unchanged(w, &p->items[i])) return &p->items[i];
    return NULL;
}

/* What this node runs and should not (or not so): stopped at once. */
static void stop_others(struct runner *r, uint64_t nodes)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->worker_count; i++) {
        struct worker *w = r->workers[i];
        const struct plan_item *item = find_item(&r->fixed, w);
        if (!item) item = find_item(&r->dynamic, w);
        if (item && plan_owner(item, nodes) == r->settings->node && !is_paused(item)) {
            r->workers[kept++] = w;
            continue;
        }
        on_note(r, w, "state=stopped");
        worker_close(w);
    }
    r->worker_count = kept;
}

/* --- status and wishes --- */

static void publish_status(struct runner *r)
{
    json_t *all = json_array();
    for (size_t i = 0; i < r->worker_count; i++) {
        json_t *one = worker_status(r->workers[i]);
        json_object_set_new(one, "node", json_string(r->settings->name));
        json_array_append_new(all, one);
    }
    char *text = json_dumps(all, JSON_COMPACT);
    pthread_mutex_lock(&r->lock);
    buf_clear(&r->status);
    buf_put_slice(&r->status, slice_str(text));
    pthread_mutex_unlock(&r->lock);
    free(text);
    json_decref(all);
}

void runner_status_any(struct runner *r, struct buf *json)
{
    pthread_mutex_lock(&r->lock);
    buf_put_slice(json, buf_slice(&r->status));
    pthread_mutex_unlock(&r->lock);
}

bool runner_restart_any(struct runner *r, const char *kind, const char *vhost, const char *name)
{
    struct buf status = {0};
    bool here = false;
    runner_status_any(r, &status);
    json_t *all = json_loadb((const char *)status.data, status.size, 0, NULL), *one;
    size_t i;
    json_array_foreach(all, i, one)
    {
        const char *own = json_string_value(json_object_get(one, "vhost"));
        here = here || (!strcmp(json_string_value(json_object_get(one, "name")), name) && own && !strcmp(own, vhost));
    }
    json_decref(all);
    buf_close(&status);
    if (!here || strcmp(kind, "shovel")) return false;
    pthread_mutex_lock(&r->lock);
    plan_add(&r->restarts, PLAN_SHOVEL, slice_str(vhost), slice_str(name), slice_str(""));
    pthread_mutex_unlock(&r->lock);
    return true;
}

static void carry_out_restarts(struct runner *r)
{
    pthread_mutex_lock(&r->lock);
    struct plan wishes = r->restarts;
    r->restarts = (struct plan){0};
    pthread_mutex_unlock(&r->lock);
    for (size_t i = 0; i < wishes.count; i++) {
        struct worker *w = find_worker(r, &wishes.items[i]);
        if (w) worker_restart(w);
    }
    plan_close(&wishes);
}

/* --- the look around --- */

static void on_look(void *self)
{
    struct runner *r = self;
    struct look look = {.runner = r};
    uint64_t now_ms = loop_now_ms(r->worker_host.loop);
    shard_call_any(node_shard(r->node, 0), look_at, &look);
    uint64_t nodes = is_majority(r, look.nodes) && !look.stopping ? look.nodes : 0;
    stop_others(r, nodes);
    start_missing(r, &r->fixed, nodes, now_ms);
    start_missing(r, &r->dynamic, nodes, now_ms);
    forget_candidates(r);
    carry_out_restarts(r);
    publish_status(r);
}

int runner_open(struct runner **out, struct node *node, const struct config *config, struct err *err)
{
    struct runner *r = mem_zalloc(sizeof *r);
    int code = plan_read_config(&r->fixed, config->shovels, err);
    if (code) {
        mem_free(r);
        return code;
    }
    r->node = node;
    r->settings = node_settings(node);
    r->thread = loop_thread_open();
    r->worker_host = (struct worker_host){.loop = loop_thread_loop(r->thread),
                                          .cluster_name = config->cluster_name,
                                          .self = r,
                                          .local = on_local,
                                          .note = on_note};
    pthread_mutex_init(&r->lock, NULL);
    buf_put_slice(&r->status, slice_str("[]"));
    r->timer = loop_timer_open(r->worker_host.loop, on_look, r);
    loop_timer_start(r->timer, RUNNER_LOOK_MS, RUNNER_LOOK_MS);
    loop_thread_start(r->thread, "links");
    *out = r;
    return 0;
}

static void close_all(void *arg)
{
    struct runner *r = arg;
    loop_timer_close(r->timer, NULL, NULL);
    for (size_t i = 0; i < r->worker_count; i++) worker_close(r->workers[i]);
    r->worker_count = 0;
}

void runner_close(struct runner *r)
{
    loop_thread_call(r->thread, close_all, r);
    loop_thread_close(r->thread);
    plan_close(&r->fixed);
    plan_close(&r->dynamic);
    plan_close(&r->restarts);
    pthread_mutex_destroy(&r->lock);
    buf_close(&r->status);
    mem_free(r->workers);
    mem_free(r->candidates);
    mem_free(r);
}
