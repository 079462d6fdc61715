#include "node/shard/node.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "node/shard/agent.h"
#include "node/shard/shard_internal.h"

struct listener {
    struct node *node;
    struct net_listener *net;
};

struct node {
    struct node_settings settings;
    struct node_listeners addresses;
    struct shard **shards;
    struct listener listeners[NODE_LISTENERS_MAX];
    struct net_listener *agent;
    struct link_listener *links;
    uint16_t next_shard;     /* shard 0's: round robin of accepted clients */
    unsigned listeners_open; /* shard 0's */
    atomic_uint epoch;
    atomic_bool stopping;
    atomic_bool serving; /* its copy of the topology is one that others wait for */
    atomic_bool removed;
    atomic_bool suspended; /* on purpose: the listeners are closed, the node runs */
    atomic_bool reset_wanted;
    atomic_ullong limits[NODE_LIMIT_COUNT];
    uint64_t started_ms;
};

/* --- life --- */

int node_open(struct node **out, struct node_settings *settings, const struct node_listeners *listeners,
              struct err *err)
{
    struct node *n = mem_zalloc(sizeof *n);
    uint32_t epoch = 0;
    n->settings = *settings;
    n->addresses = *listeners;
    n->started_ms = (uint64_t)time(NULL) * 1000;
    int code = fs_posix()->mkdir(fs_posix(), settings->data_dir, err);
    if (code) err_wrap(err, "data_dir");
    if (!code) code = identity_check(&n->settings, err);
    if (!code) code = identity_take_epoch(settings, &epoch, err);
    if (code) {
        mem_free(n);
        return code;
    }
    atomic_init(&n->epoch, epoch);
    atomic_init(&n->limits[NODE_LIMIT_MEMORY], settings->memory_limit);
    atomic_init(&n->limits[NODE_LIMIT_DISK], settings->disk_free_limit);
    atomic_init(&n->limits[NODE_LIMIT_DISK_WATCHED], 1);
    n->shards = mem_zalloc(settings->shard_count * sizeof(struct shard *));
    *out = n;
    for (uint16_t i = 0; i < settings->shard_count && !code; i++)
        code = shard_open(&n->shards[i], n, &n->settings, i, epoch, err);
    return code;
}

/* The cluster has let this node go: it stops, and this disk is not used as a member's again. */
void node_removed(struct shard *s)
{
    struct node *n = s->node;
    struct err err;
    if (atomic_exchange(&n->removed, true)) return;
    if (identity_retire(&n->settings, &err))
        logger_printf(n->settings.logger, LOG_ERROR, s->id, "node retirement_not_written error=\"%s\"", err.text);
    logger_printf(n->settings.logger, LOG_WARN, s->id,
                  "node removed_from_cluster action=\"it stops; start it with --reset to use the machine again\"");
    kill(getpid(), SIGTERM);
}

void node_serve(struct shard *s)
{
    if (!atomic_exchange(&s->node->serving, true))
        logger_printf(s->settings->logger, LOG_INFO, s->id, "node serves_clients");
}

bool node_serving_any(const struct node *n)
{
    return atomic_load(&((struct node *)n)->serving);
}

static void on_client(void *self, int fd)
{
    const struct listener *l = self;
    struct node *n = l->node;
    uint16_t to = n->next_shard;
    if (!node_serving_any(n)) { /* it would not know what is there */
        close(fd);
        return;
    }
    net_tune(fd, &n->addresses.options);
    n->next_shard = (uint16_t)((to + 1) % n->settings.shard_count);
    shard_give_client(n->shards[0], to, fd, (unsigned)(l - n->listeners));
}

static void on_agent_check(void *self, int fd)
{
    agent_answer(self, fd);
}

static void on_peer(void *self, int fd, uint16_t shard, struct slice hello)
{
    struct node *n = self;
    if (shard < n->settings.shard_count) shard_give_link(n->shards[0], shard, fd, hello);
    else close(fd);
}

static void on_link_note(void *self, int level, const char *line)
{
    const struct node *n = self;
    logger_line(n->settings.logger, level, 0, line);
}

static int open_listeners(struct node *n, struct err *err)
{
    int code = 0;
    for (size_t i = n->listeners_open; i < n->addresses.count && !code; i++) {
        n->listeners[i].node = n;
        code = net_listen(&n->listeners[i].net, shard_loop(n->shards[0]), n->addresses.addresses[i],
                          n->addresses.backlog, on_client, &n->listeners[i], err);
        if (!code) n->listeners_open++;
        else err_wrap(err, n->settings.entrances[i].tls ? "listeners.ssl" : "listeners.tcp");
    }
    return code;
}

int node_start(struct node *n, struct err *err)
{
    struct uv_loop_s *loop = shard_loop(n->shards[0]);
    int code = 0;
    if (n->settings.cluster_listen) code = link_listen(&n->links, loop, n->settings.cluster_listen, on_peer, n, err);
    if (code) err_wrap(err, "cluster.listen");
    if (n->links) link_listener_on_note(n->links, on_link_note);
    if (!code) code = open_listeners(n, err);
    if (!code && n->addresses.agent) {
        code = net_listen(&n->agent, loop, n->addresses.agent, n->addresses.backlog, on_agent_check, n, err);
        if (code) err_wrap(err, "agent.tcp");
    }
    if (code) return code;
    for (uint16_t i = 0; i < n->settings.shard_count; i++) shard_start(n->shards[i]);
    return 0;
}

static void close_client_listeners(struct node *n)
{
    for (unsigned i = 0; i < n->listeners_open; i++) net_listener_close(n->listeners[i].net, NULL);
    n->listeners_open = 0;
}

static void close_listeners(struct shard *s, void *arg)
{
    struct node *n = arg;
    (void)s;
    close_client_listeners(n);
    if (n->agent) net_listener_close(n->agent, NULL);
    n->agent = NULL;
}

static void close_link_listener(struct shard *s, void *arg)
{
    struct node *n = arg;
    (void)s;
    if (n->links) link_listener_close(n->links, NULL);
    n->links = NULL;
}

void node_stop(struct node *n)
{
    atomic_store(&n->stopping, true);
    shard_call_any(n->shards[0], close_listeners, n);
    shard_call_any(n->shards[0], close_link_listener, n);
    for (uint16_t i = 0; i < n->settings.shard_count; i++) shard_stop_any(n->shards[i]);
    for (uint16_t i = 0; i < n->settings.shard_count; i++) shard_join(n->shards[i]);
}

void node_close(struct node *n)
{
    for (uint16_t i = 0; i < n->settings.shard_count; i++) shard_close(n->shards[i]);
    mem_free(n->shards);
    mem_free(n);
}

struct shard *node_shard(struct node *n, uint16_t id)
{
    return n->shards[id];
}

const struct node_settings *node_settings(const struct node *n)
{
    return &n->settings;
}

const struct node_listeners *node_listener_addresses(const struct node *n)
{
    return &n->addresses;
}

bool node_stopping_any(const struct node *n)
{
    return atomic_load(&((struct node *)n)->stopping);
}

/* --- while it runs --- */

static void suspend(struct shard *s, void *arg)
{
    (void)s;
    close_client_listeners(arg);
}

void node_suspend(struct node *n)
{
    atomic_store(&n->suspended, true);
    shard_call_any(n->shards[0], suspend, n);
}

struct resumption {
    struct node *node;
    struct err *err;
    int code;
};

static void resume(struct shard *s, void *arg)
{
    struct resumption *r = arg;
    (void)s;
    r->code = open_listeners(r->node, r->err);
    if (r->code) close_client_listeners(r->node);
}

int node_resume(struct node *n, struct err *err)
{
    struct resumption r = {.node = n, .err = err};
    shard_call_any(n->shards[0], resume, &r);
    if (!r.code) atomic_store(&n->suspended, false);
    return r.code;
}

bool node_suspended_any(const struct node *n)
{
    return atomic_load(&((struct node *)n)->suspended);
}

void node_want_reset(struct node *n)
{
    atomic_store(&n->reset_wanted, true);
}

bool node_wants_reset_any(const struct node *n)
{
    return atomic_load(&((struct node *)n)->reset_wanted);
}

uint64_t node_limit_any(const struct node *n, enum node_limit which)
{
    return atomic_load_explicit(&((struct node *)n)->limits[which], memory_order_relaxed);
}

void node_set_limit(struct node *n, enum node_limit which, uint64_t value)
{
    atomic_store_explicit(&n->limits[which], value, memory_order_relaxed);
}

uint64_t node_started_ms(const struct node *n)
{
    return n->started_ms;
}

void node_epoch_gone(struct shard *s, uint32_t epoch)
{
    struct node *n = s->node;
    unsigned expected = epoch;
    if (!atomic_compare_exchange_strong(&n->epoch, &expected, epoch + 1)) return; /* a sibling was first */
    struct err err;
    if (identity_write_epoch(&n->settings, epoch + 1, &err)) { /* the next life would take the same number */
        logger_printf(n->settings.logger, LOG_ERROR, s->id,
                      "node epoch_not_written error=\"%s\" action=\"this node stops; the others carry on\"", err.text);
        _exit(74);
    }
    logger_printf(n->settings.logger, LOG_WARN, s->id,
                  "node given_up_by_cluster epoch=%u new_epoch=%u action=\"clients are closed and come back\"", epoch,
                  epoch + 1);
    s->epoch_wanted = epoch + 1; /* not from inside of what the broker is doing now */
    turn_soon(s);
    for (uint16_t i = 0; i < n->settings.shard_count; i++) {
        if (i == s->id) continue;
        struct mail *m = mail_create(MAIL_EPOCH);
        m->a = epoch + 1;
        carrier_post(s, i, m);
    }
}
