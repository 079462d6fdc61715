#include "node/shard/outside.h"

#include <stdio.h>

#include "node/fetch/fetch.h"
#include "node/shard/node.h"
#include "node/shard/shard_internal.h"

enum { NO_ANSWER_KEPT_MS = 1000 /* how long a server that fails means no */, SLACK_MS = 1000 };

struct outside {
    struct session_login_way ways[CONFIG_LIST_MAX];
    const struct config *config;
    struct fetch_tls tls;
    struct fetch *fetch;
    uint64_t keep_ms;
};

struct answer {
    struct list link;
    uint64_t id;
    uint8_t key[AUTH_OUTSIDE_KEY_SIZE];
    enum auth_word word;
    uint64_t keep_ms;
    struct buf tags;
};

struct outside_answers {
    pthread_mutex_t lock;
    struct list waiting; /* struct answer */
    bool ended;
};

/* --- ways --- */

/* 1: by HTTP; 0: by the registry; -1: not at all. */
static int kind_of(const struct config *c, const char *backend)
{
    static const char module[] = "rabbit_auth_backend_";
    if (!strncmp(backend, module, sizeof module - 1)) backend += sizeof module - 1;
    if (!strcmp(backend, "cache")) return kind_of(c, c->auth_cached_backend);
    return !strcmp(backend, "http") ? 1 : !strcmp(backend, "internal") ? 0 : -1;
}

static const char *first(const char *a, const char *b, const char *c)
{
    return *a ? a : *b ? b : c;
}

static size_t read_ways(const struct config *c, struct session_login_way *ways, bool *any_outside)
{
    size_t count = 0;
    for (int i = 0; i < CONFIG_LIST_MAX; i++) {
        const char *both = c->auth_backends[i], *login = c->auth_backends_authn[i], *rights = c->auth_backends_authz[i];
        if (!*both && !*login && !*rights) continue;
        int l = kind_of(c, first(login, both, rights)), r = kind_of(c, first(rights, both, login));
        if (l < 0 || r < 0) continue; /* the configuration was warned about */
        ways[count++] = (struct session_login_way){l, r};
        *any_outside |= l || r;
    }
    return count;
}

int outside_open(struct outside **out, const struct config *c, struct node_settings *settings, struct err *err)
{
    struct outside *o = mem_zalloc(sizeof *o);
    bool any = false;
    size_t count = read_ways(c, o->ways, &any);
    *out = NULL;
    if (!any) {
        mem_free(o);
        return 0;
    }
    if (!*c->auth_http_paths[0] || !*c->auth_http_paths[1] || !*c->auth_http_paths[2]) {
        mem_free(o);
        return (int)err_set(err, ERR_INVALID,
                            "auth_backends: http needs auth_http.user_path, auth_http.vhost_path and "
                            "auth_http.resource_path");
    }
    o->config = c;
    o->tls = (struct fetch_tls){c->auth_http_tls.cacertfile, c->auth_http_tls.certfile, c->auth_http_tls.keyfile,
                                c->auth_http_tls.password, !strcmp(c->auth_http_verify, "verify_peer")};
    uint64_t least = (uint64_t)c->auth_http_timeout_ms + SLACK_MS; /* two questions of one method must both be there */
    o->keep_ms = (uint64_t)c->auth_cache_ttl_ms > least ? (uint64_t)c->auth_cache_ttl_ms : least;
    o->fetch = fetch_open();
    settings->outside = o;
    settings->session.ways = o->ways;
    settings->session.way_count = count;
    settings->session.topics_outside = *c->auth_http_paths[3] != '\0';
    *out = o;
    return 0;
}

void outside_close(struct outside *o)
{
    if (!o) return;
    fetch_close(o->fetch);
    mem_free(o);
}

/* --- requests --- */

static const char *path_of(const struct outside *o, struct slice question)
{
    static const char letters[] = {AUTH_PATH_USER, AUTH_PATH_VHOST, AUTH_PATH_RESOURCE, AUTH_PATH_TOPIC};
    const char *at = memchr(letters, question.data[0], sizeof letters);
    CHECK(at);
    return o->config->auth_http_paths[at - letters];
}

/* `url` and `form` are the caller's to close. */
static struct fetch_request request_of(const struct outside *o, struct slice question, struct buf *url,
                                       struct buf *form)
{
    const char *path = path_of(o, question);
    bool post = !strcmp(o->config->auth_http_method, "post");
    struct slice text = slice_of(question.data + 1, question.size - 1);
    buf_put_slice(url, slice_str(path));
    if (!post) buf_put_u8(url, strchr(path, '?') ? '&' : '?');
    buf_put_slice(post ? form : url, text);
    buf_put_u8(url, 0);
    buf_put_u8(form, 0);
    return (struct fetch_request){.url = (const char *)url->data,
                                  .form = post ? (const char *)form->data : NULL,
                                  .tls = &o->tls,
                                  .connect_timeout_ms = (uint32_t)o->config->auth_http_connect_ms,
                                  .timeout_ms = (uint32_t)o->config->auth_http_timeout_ms};
}

struct ask {
    struct shard *shard;
    uint64_t id;
    uint8_t key[AUTH_OUTSIDE_KEY_SIZE];
    const char *path; /* the configuration's */
};

static void note_failure(struct shard *s, const char *path, const struct fetch_answer *a)
{
    if (a->status == 200) return;
    logger_printf(s->settings->logger, LOG_WARN, s->id, "auth http_failed path=%s status=%d error=\"%s\"", path,
                  a->status, a->error);
}

static uint64_t keep_ms(const struct outside *o, const struct fetch_answer *a)
{
    return a->status == 200 ? o->keep_ms : NO_ANSWER_KEPT_MS;
}

/* On the fetch's thread. */
static void on_answer(void *arg, const struct fetch_answer *got)
{
    struct ask *ask = arg;
    struct shard *s = ask->shard;
    struct outside_answers *all = s->outside_answers;
    struct answer *a = mem_zalloc(sizeof *a);
    struct slice tags;
    a->id = ask->id;
    a->keep_ms = keep_ms(s->settings->outside, got);
    a->word = auth_outside_read(got->status, got->body, &tags);
    buf_put_slice(&a->tags, tags);
    memcpy(a->key, ask->key, sizeof a->key);
    pthread_mutex_lock(&all->lock);
    list_append(&all->waiting, &a->link);
    if (!all->ended) {
        note_failure(s, ask->path, got);
        uv_async_send(&s->wake);
    }
    pthread_mutex_unlock(&all->lock);
    mem_free(ask);
}

void outside_ask(struct shard *s, uint64_t id, struct slice question)
{
    const struct outside *o = s->settings->outside;
    struct buf url = {0}, form = {0};
    struct ask *ask = mem_zalloc(sizeof *ask);
    ask->shard = s;
    ask->id = id;
    ask->path = path_of(o, question);
    auth_outside_key(question, ask->key);
    struct fetch_request request = request_of(o, question, &url, &form);
    fetch_start(o->fetch, &request, on_answer, ask);
    buf_close(&url);
    buf_close(&form);
}

/* --- a shard's share --- */

struct outside_answers *outside_answers_create(void)
{
    struct outside_answers *a = mem_zalloc(sizeof *a);
    pthread_mutex_init(&a->lock, NULL);
    list_init(&a->waiting);
    return a;
}

static struct answer *pop(struct outside_answers *all)
{
    pthread_mutex_lock(&all->lock);
    struct answer *a = list_empty(&all->waiting) ? NULL : LIST_ITEM(all->waiting.next, struct answer, link);
    if (a) list_remove(&a->link);
    pthread_mutex_unlock(&all->lock);
    return a;
}

static void answer_free(struct answer *a)
{
    buf_close(&a->tags);
    mem_free(a);
}

void outside_answers_destroy(struct outside_answers *all)
{
    for (struct answer *a; (a = pop(all));) answer_free(a);
    pthread_mutex_destroy(&all->lock);
    mem_free(all);
}

void outside_answers_end(struct outside_answers *all)
{
    pthread_mutex_lock(&all->lock);
    all->ended = true;
    pthread_mutex_unlock(&all->lock);
}

void outside_take(struct shard *s)
{
    if (!s->settings->outside) return;
    for (struct answer *a; (a = pop(s->outside_answers));) {
        broker_outside_learn(s->broker, a->key, a->word, buf_slice(&a->tags), a->keep_ms);
        broker_outside_answered(s->broker, a->id);
        answer_free(a);
    }
}

/* --- for a thread that may wait --- */

struct look {
    struct slice user, question;
    bool loopback, may_come;
    enum auth_word word;
    unsigned tags;
    /* what to learn first */
    bool learn;
    uint64_t keep_ms;
    struct slice said;
};

static void look(struct shard *s, void *arg)
{
    struct look *l = arg;
    struct slice tags = {0};
    uint8_t key[AUTH_OUTSIDE_KEY_SIZE];
    auth_outside_key(l->question, key);
    if (l->learn) broker_outside_learn(s->broker, key, l->word, l->said, l->keep_ms);
    l->may_come = broker_may_come(s->broker, l->user, l->loopback);
    l->word = broker_outside_find(s->broker, l->question, &tags);
    l->tags = auth_tag_bits(tags);
}

static void fetch_and_learn(struct node *n, struct look *l)
{
    const struct outside *o = node_settings(n)->outside;
    struct buf url = {0}, form = {0}, body = {0};
    struct err err;
    struct fetch_request request = request_of(o, l->question, &url, &form);
    int code = fetch_once(&request, &body, &err);
    if (code)
        logger_printf(node_settings(n)->logger, LOG_WARN, -1, "auth http_failed path=%s", path_of(o, l->question));
    l->word = auth_outside_read(code ? 0 : 200, buf_slice(&body), &l->said);
    l->learn = true;
    l->keep_ms = code ? NO_ANSWER_KEPT_MS : o->keep_ms;
    shard_call_any(node_shard(n, 0), look, l);
    buf_close(&url);
    buf_close(&form);
    buf_close(&body);
}

bool outside_authenticate(struct node *n, struct slice user, struct slice password, bool loopback, unsigned *tags)
{
    struct buf question = {0};
    auth_ask_user(&question, user, &password);
    struct look l = {.user = user, .question = buf_slice(&question), .loopback = loopback};
    shard_call_any(node_shard(n, 0), look, &l);
    if (l.may_come && l.word == AUTH_UNKNOWN) fetch_and_learn(n, &l);
    if (tags) *tags = l.tags;
    memset(question.data, 0, question.size);
    buf_close(&question);
    return l.may_come && l.word == AUTH_YES;
}
