#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "ha/runner/runner_internal.h"
#include "ha/shovel/definition.h"
#include "node/logger/logger.h"
#include "replication/sys/loop.h"
#include "replication/sys/loop_thread.h"
#include "router/json.h"
#include "router/registry.h"

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

static void on_note(void *self, const struct worker *w, bool bad, const char *line)
{
    struct runner *r = self;
    const struct plan_item *item = worker_item(w);
    logger_printf(r->settings->logger, bad ? LOG_WARN : LOG_INFO, -1, "link %s vhost=\"%s\" name=\"%s\"%s%s%s %s",
                  plan_kind_word(item), item->vhost, item->name, *item->upstream ? " upstream=\"" : "", item->upstream,
                  *item->upstream ? "\"" : "", line);
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
                      plan_kind_word(item), item->vhost, item->name, err.text);
        return;
    }
    r->workers = mem_grow(r->workers, &r->worker_capacity, r->worker_count + 1, sizeof *r->workers);
    r->workers[r->worker_count++] = w;
    r->bindings_stale = r->bindings_stale || item->kind == PLAN_EXCHANGE_LINK;
}

static uint64_t item_key(const struct plan_item *item)
{
    const char *const texts[] = {item->vhost, item->name, item->upstream, item->text};
    uint64_t key = item->kind;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) key = hash_bytes(texts[i], strlen(texts[i]), key);
    return key;
}

/* Federated queues are looked at where they are: their owner is one of the nodes with a replica. */
static bool is_ours(const struct runner *r, const struct plan_item *item, uint64_t nodes)
{
    if (item->group && item->group < r->settings->placement.group_count) nodes &= r->replicas[item->group];
    return plan_owner(item, nodes) == r->settings->node;
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
        if (!is_ours(r, item, nodes) || find_worker(r, item) || is_paused(item)) continue;
        if (has_settled(r, item, now_ms)) start_worker(r, item);
    }
}

/* Its item in the plan; `same`: with the same text. */
static const struct plan_item *find_item(const struct runner *r, const struct worker *w, bool same)
{
    const struct plan *const plans[] = {&r->fixed, &r->dynamic};
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < plans[p]->count; i++)
            if (same ? worker_is_unchanged(w, &plans[p]->items[i]) : worker_is(w, &plans[p]->items[i]))
                return &plans[p]->items[i];
    return NULL;
}

/* What this node runs and should not (or not so): stopped at once. */
static void stop_others(struct runner *r, uint64_t nodes)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->worker_count; i++) {
        struct worker *w = r->workers[i];
        const struct plan_item *item = find_item(r, w, true);
        if (item && is_ours(r, item, nodes) && !is_paused(item)) {
            r->workers[kept++] = w;
            continue;
        }
        on_note(r, w, false, "state=stopped");
        worker_close(w, nodes && !find_item(r, w, false));
    }
    r->worker_count = kept;
}

/* A shovel whose delete-after came true takes its parameter with it. */
static void delete_done(struct runner *r)
{
    for (size_t i = 0; i < r->worker_count; i++) {
        const struct plan_item *item = worker_item(r->workers[i]);
        struct node_change_result result;
        if (item->kind != PLAN_SHOVEL || !worker_is_done(r->workers[i])) continue;
        struct topology_command c = registry_clear_command(REGISTRY_PARAMETER, slice_str(item->vhost),
                                                           slice_str("shovel"), slice_str(item->name));
        node_change(r->node, &c, &result); /* a failure is tried again at the next look */
    }
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

void runner_restart_any(struct runner *r, const char *kind, const char *vhost, const char *name, const char *upstream)
{
    pthread_mutex_lock(&r->lock);
    plan_add(&r->restarts, PLAN_SHOVEL, slice_str(vhost), slice_str(name), slice_str(upstream), slice_str(kind), 0);
    pthread_mutex_unlock(&r->lock);
}

/* `wish` has names, and in its text whether a shovel or a federation link is meant. */
static bool is_meant(const struct worker *w, const struct plan_item *wish)
{
    const struct plan_item *item = worker_item(w);
    bool shovel = item->kind == PLAN_SHOVEL || item->kind == PLAN_STATIC_SHOVEL;
    return shovel == !strcmp(wish->text, "shovel") && !strcmp(item->vhost, wish->vhost) &&
           !strcmp(item->name, wish->name) && !strcmp(item->upstream, wish->upstream);
}

static void carry_out_restarts(struct runner *r)
{
    pthread_mutex_lock(&r->lock);
    struct plan wishes = r->restarts;
    r->restarts = (struct plan){0};
    pthread_mutex_unlock(&r->lock);
    for (size_t i = 0; i < wishes.count; i++) {
        const struct plan_item *wish = &wishes.items[i];
        for (size_t w = 0; w < r->worker_count; w++)
            if (is_meant(r->workers[w], wish)) worker_restart(r->workers[w]);
    }
    plan_close(&wishes);
}

int runner_check_parameter(const char *component, const char *name, struct slice value, struct err *err)
{
    struct shovel_definition shovel;
    struct upstream upstream;
    int code = 0;
    json_t *json = json_of(value, err);
    if (!json) return ERR_INVALID;
    if (!strcmp(component, "shovel")) {
        code = shovel_definition_read(&shovel, name, json, err);
        if (!code) shovel_definition_close(&shovel);
    } else if (!strcmp(component, "federation-upstream")) {
        code = upstream_read(&upstream, name, json, err);
        if (!code) upstream_close(&upstream);
    } else if (!strcmp(component, "federation-upstream-set")) {
        code = upstream_set_check(name, json, err);
    }
    json_decref(json);
    return code;
}

/* --- the look around --- */

static void on_look(void *self)
{
    struct runner *r = self;
    uint64_t now_ms = loop_now_ms(r->worker_host.loop), nodes = look_around(r);
    stop_others(r, nodes);
    start_missing(r, &r->fixed, nodes, now_ms);
    start_missing(r, &r->dynamic, nodes, now_ms);
    forget_candidates(r);
    look_for_bindings(r);
    look_at_queues(r);
    carry_out_restarts(r);
    delete_done(r);
    publish_status(r);
}

int runner_check_config(const struct config *config, struct err *err)
{
    struct plan p = {0};
    int code = plan_read_config(&p, config->shovels, err);
    plan_close(&p);
    return code;
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
    r->replicas = mem_zalloc(r->settings->placement.group_count * sizeof *r->replicas);
    snprintf(r->cluster_name, sizeof r->cluster_name, "%s", config->cluster_name);
    r->thread = loop_thread_open();
    r->worker_host = (struct worker_host){.loop = loop_thread_loop(r->thread),
                                          .cluster_name = r->cluster_name,
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
    for (size_t i = 0; i < r->worker_count; i++) worker_close(r->workers[i], false);
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
    mem_free(r->replicas);
    mem_free(r);
}
