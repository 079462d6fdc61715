/* Questions of threads that are no shard's: shard 0 asks them, the thread waits. */
#include <stdio.h>
#include <time.h>

#include "base/reader.h"
#include "node/auth/defaults.h"
#include "node/shard/outside.h"
#include "node/shard/shard_internal.h"

enum { CHANGE_PATIENCE_MS = 2000 /* beyond the time after which the broker itself gives up */ };

/* Whoever of the two lets go last frees it: the thread that waits, or the broker that answers. */
struct change {
    const struct topology_command *command;
    struct node_change_result result;
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool done, abandoned;
};

static struct change *change_create(const struct topology_command *c)
{
    struct change *w = mem_zalloc(sizeof *w);
    pthread_condattr_t attributes;
    w->command = c;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->answered, &attributes);
    pthread_condattr_destroy(&attributes);
    return w;
}

static void change_destroy(struct change *w)
{
    pthread_cond_destroy(&w->answered);
    pthread_mutex_destroy(&w->lock);
    mem_free(w);
}

static void changed(void *arg, const struct broker_changed *answer)
{
    struct change *w = arg;
    pthread_mutex_lock(&w->lock);
    bool abandoned = w->abandoned;
    w->done = true;
    w->result.reply_code = answer->reply_code;
    w->result.created = answer->created;
    snprintf(w->result.text, sizeof w->result.text, "%s", answer->text ? answer->text : "");
    pthread_cond_signal(&w->answered);
    pthread_mutex_unlock(&w->lock);
    if (abandoned) change_destroy(w);
}

/* vhost_max: of the cluster, as this node knows it. */
static bool is_one_vhost_too_many(const struct shard *s, const struct topology_command *c)
{
    struct slice none = {0};
    const struct topology *t = broker_topology(s->broker);
    uint64_t most = s->settings->vhost_max;
    return most && c->type == TOPOLOGY_SET && registry_kind_of(c->kind) == REGISTRY_VHOST &&
           registry_count(t, REGISTRY_VHOST) >= most && !registry_find(t, REGISTRY_VHOST, none, c->name, none);
}

static void ask(struct shard *s, void *arg)
{
    struct change *w = arg;
    if (is_one_vhost_too_many(s, w->command)) {
        w->done = true; /* the thread that asked reads it when this call is over */
        w->result.reply_code = 400;
        snprintf(w->result.text, sizeof w->result.text, "cannot create vhost '%.*s': vhost limit of %llu is reached",
                 (int)w->command->name.size, (const char *)w->command->name.data,
                 (unsigned long long)s->settings->vhost_max);
        return;
    }
    broker_change(s->broker, w->command, changed, w);
    turn_soon(s);
}

static bool wait_for(struct change *w, uint64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    pthread_mutex_lock(&w->lock);
    int code = 0;
    while (!w->done && !code) code = pthread_cond_timedwait(&w->answered, &w->lock, &until);
    bool done = w->done;
    w->abandoned = !done;
    pthread_mutex_unlock(&w->lock);
    return done;
}

static bool patterns_compile(const struct topology_command *c, struct node_change_result *r)
{
    int kind = c->type == TOPOLOGY_SET ? registry_kind_of(c->kind) : -1;
    if (kind < 0) return true;
    struct registry_item item = {(enum registry_kind)kind, c->vhost, c->name, c->source, c->arguments};
    struct topology_result why = {0};
    if (registry_check_patterns(&item, &why)) return true;
    r->reply_code = why.reply_code;
    memcpy(r->text, why.text, sizeof r->text);
    return false;
}

static int ask_and_wait(struct node *n, const struct topology_command *c, struct node_change_result *r)
{
    struct change *w = change_create(c);
    struct shard *s = node_shard(n, 0);
    shard_call_any(s, ask, w);
    if (wait_for(w, s->settings->session.publish_timeout_ms + CHANGE_PATIENCE_MS)) {
        *r = w->result;
        change_destroy(w);
    } else {
        *r = (struct node_change_result){.reply_code = 541, .text = "the node did not answer in time"};
    }
    return r->reply_code;
}

struct vhost_look {
    struct slice vhost;
    struct buf items;
};

static void look_at_defaults(struct shard *s, void *arg)
{
    struct vhost_look *l = arg;
    auth_defaults_put(s->settings->vhost_defaults, broker_topology(s->broker), l->vhost, &l->items);
}

/* What the configuration wants in each new vhost; what is refused is logged, and the vhost is there nevertheless. */
static void furnish(struct node *n, struct slice vhost)
{
    struct vhost_look l = {.vhost = vhost};
    struct topology_command c;
    struct node_change_result r;
    shard_call_any(node_shard(n, 0), look_at_defaults, &l);
    for (struct reader items = reader_of(buf_slice(&l.items)); reader_left(&items);)
        if (topology_command_decode(reader_counted(&items), &c) && ask_and_wait(n, &c, &r))
            logger_printf(node_settings(n)->logger, LOG_WARN, -1, "node vhost_default_refused reason=\"%s\"", r.text);
    buf_close(&l.items);
}

int node_change(struct node *n, const struct topology_command *c, struct node_change_result *r)
{
    *r = (struct node_change_result){0};
    if (!patterns_compile(c, r) || ask_and_wait(n, c, r)) return r->reply_code;
    if (r->created && c->type == TOPOLOGY_SET && registry_kind_of(c->kind) == REGISTRY_VHOST) furnish(n, c->name);
    return 0;
}

/* --- logins --- */

enum { SET_UP_WAIT_MS = 5000, SET_UP_LOOK_MS = 20 /* a new cluster has no users yet, for a moment */ };

struct login {
    struct slice user, password;
    bool loopback, fits, set_up;
    unsigned tags;
};

static void look(struct shard *s, void *arg)
{
    struct login *l = arg;
    l->fits = broker_login(s->broker, l->user, l->password, l->loopback);
    l->set_up = registry_is_seeded(broker_topology(s->broker));
    l->tags = l->fits ? auth_tags(broker_auth(s->broker), l->user) : 0;
}

static bool registry_lets_in(struct node *n, struct slice user, struct slice password, bool loopback, unsigned *tags)
{
    struct login l = {.user = user, .password = password, .loopback = loopback};
    shard_call_any(node_shard(n, 0), look, &l);
    for (unsigned waited = 0; !l.fits && !l.set_up && waited < SET_UP_WAIT_MS; waited += SET_UP_LOOK_MS) {
        nanosleep(&(struct timespec){.tv_nsec = SET_UP_LOOK_MS * 1000000L}, NULL);
        shard_call_any(node_shard(n, 0), look, &l);
    }
    if (tags) *tags = l.tags;
    return l.fits;
}

bool node_authenticate(struct node *n, struct slice user, struct slice password, bool loopback, unsigned *tags)
{
    const struct session_settings *s = &node_settings(n)->session;
    for (size_t i = 0; i < s->way_count; i++) {
        bool fits = s->ways[i].outside_login ? outside_authenticate(n, user, password, loopback, tags)
                                             : registry_lets_in(n, user, password, loopback, tags);
        if (fits) return true;
    }
    return !s->way_count && registry_lets_in(n, user, password, loopback, tags);
}
