#include "node/http/peers.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/list.h"
#include "base/mem.h"

/* A question of ours that is under way. */
struct asking {
    struct list link;
    uint64_t id;
    unsigned waiting; /* nodes that have not answered */
    struct from {
        bool asked, done;
        struct buf bytes;
    } nodes[NODE_IDS];
};

/* A question of another node. */
struct asked {
    struct list link;
    uint64_t id;
    uint8_t node;
    struct buf question;
};

struct peers {
    struct http *http;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;
    uint64_t last_id;
    struct list askings, queue; /* guarded by `lock`, as the rest above */
    size_t queued;
};

/* --- asking --- */

struct ask_call {
    struct peers *peers;
    struct asking *asking;
    struct slice question;
};

static void ask_all(struct shard *s, void *arg)
{
    struct ask_call *call = arg;
    uint8_t nodes[NODE_IDS];
    uint32_t count = shard_members(s, nodes);
    pthread_mutex_lock(&call->peers->lock);
    for (uint32_t i = 0; i < count; i++) {
        struct from *from = &call->asking->nodes[nodes[i] & (NODE_IDS - 1)];
        from->asked = shard_ask(s, nodes[i], call->asking->id, call->question);
        call->asking->waiting += from->asked;
    }
    pthread_mutex_unlock(&call->peers->lock);
}

static void wait_for_all(struct peers *p, const struct asking *asking)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PEERS_PATIENCE_MS / 1000;
    int code = 0;
    while (asking->waiting && code != ETIMEDOUT) code = pthread_cond_timedwait(&p->changed, &p->lock, &until);
}

json_t *peers_ask(struct peers *p, const char *question)
{
    json_t *answers = json_array();
    struct asking *asking = mem_zalloc(sizeof *asking);
    struct ask_call call = {p, asking, slice_str(question)};
    pthread_mutex_lock(&p->lock);
    asking->id = ++p->last_id;
    list_append(&p->askings, &asking->link);
    pthread_mutex_unlock(&p->lock);
    shard_call_any(node_shard(p->http->params.node, 0), ask_all, &call);
    pthread_mutex_lock(&p->lock);
    wait_for_all(p, asking);
    list_remove(&asking->link);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < NODE_IDS; i++) {
        struct from *from = &asking->nodes[i];
        json_t *answer =
            from->done ? json_loadb((const char *)from->bytes.data, from->bytes.size, JSON_DECODE_ANY, NULL) : NULL;
        if (answer) json_array_append_new(answers, answer);
        buf_close(&from->bytes);
    }
    mem_free(asking);
    return answers;
}

/* Moves both. */
static json_t *joined(json_t *own, json_t *answers)
{
    for (size_t i = 0; i < json_array_size(answers); i++)
        if (json_is_array(json_array_get(answers, i))) json_array_extend(own, json_array_get(answers, i));
    json_decref(answers);
    return own;
}

json_t *peers_list(struct peers *p, json_t *own, const char *question)
{
    return joined(own, peers_ask(p, question));
}

json_t *peers_ask_view(struct request *r, const char *question)
{
    struct buf text = {0};
    buf_printf(&text, "%s\n", question);
    view_put(&r->view, &text);
    buf_put_u8(&text, 0);
    json_t *answers = peers_ask(r->http->peers, (const char *)text.data);
    buf_close(&text);
    return answers;
}

json_t *peers_list_view(struct request *r, json_t *own, const char *question)
{
    return joined(own, peers_ask_view(r, question));
}

/* --- events, on shard 0 --- */

static void done_with(struct peers *p, struct asking *asking, struct from *from, bool answered)
{
    from->asked = false;
    from->done = answered;
    asking->waiting--;
    pthread_cond_broadcast(&p->changed);
}

static void on_answered(void *self, uint8_t node, uint64_t id, bool last, struct slice part)
{
    struct peers *p = self;
    pthread_mutex_lock(&p->lock);
    LIST_FOR(&p->askings, link)
    {
        struct asking *asking = LIST_ITEM(link, struct asking, link);
        struct from *from = &asking->nodes[node & (NODE_IDS - 1)];
        if (asking->id != id || !from->asked) continue;
        bool fits = from->bytes.size + part.size <= PEERS_ANSWER_MAX;
        if (fits) buf_put_slice(&from->bytes, part);
        if (last || !fits) done_with(p, asking, from, fits);
        break;
    }
    pthread_mutex_unlock(&p->lock);
}

static void on_gone(void *self, uint8_t node)
{
    struct peers *p = self;
    pthread_mutex_lock(&p->lock);
    LIST_FOR(&p->askings, link)
    {
        struct asking *asking = LIST_ITEM(link, struct asking, link);
        struct from *from = &asking->nodes[node & (NODE_IDS - 1)];
        if (from->asked) done_with(p, asking, from, false);
    }
    pthread_mutex_unlock(&p->lock);
}

static void on_asked(void *self, uint8_t node, uint64_t id, struct slice question)
{
    struct peers *p = self;
    pthread_mutex_lock(&p->lock);
    if (p->queued < PEERS_WAITING_MAX) {
        struct asked *q = mem_zalloc(sizeof *q);
        q->id = id;
        q->node = node;
        buf_put_slice(&q->question, question);
        list_append(&p->queue, &q->link);
        p->queued++;
        pthread_cond_broadcast(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
}

/* --- answering, on a thread of its own --- */

struct send_call {
    const struct asked *asked;
    struct slice part;
    bool last;
    enum question_outcome outcome;
};

static void send_part(struct shard *s, void *arg)
{
    struct send_call *c = arg;
    c->outcome = shard_answer(s, c->asked->node, c->asked->id, c->last, c->part);
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){0, ms * 1000000}, NULL);
}

static void answer(struct peers *p, const struct asked *asked)
{
    json_t *value = question_answer(p->http, buf_slice(&asked->question));
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    struct slice rest = slice_str(text ? text : "null");
    unsigned patience = PEERS_PATIENCE_MS / 10;
    do {
        struct send_call c = {.asked = asked, .part = rest, .last = rest.size <= PEERS_PART};
        if (!c.last) c.part.size = PEERS_PART;
        shard_call_any(node_shard(p->http->params.node, 0), send_part, &c);
        if (c.outcome == QUESTION_NOBODY) break;
        if (c.outcome == QUESTION_LATER) {
            if (!patience--) break; /* the asker waits no more */
            pause_ms(10);
            continue;
        }
        rest = slice_of(rest.data + c.part.size, rest.size - c.part.size);
    } while (rest.size);
    json_decref(value);
    free(text);
}

static struct asked *take(struct peers *p)
{
    struct asked *q = NULL;
    pthread_mutex_lock(&p->lock);
    while (list_empty(&p->queue) && !p->stopping) pthread_cond_wait(&p->changed, &p->lock);
    if (!p->stopping) {
        q = LIST_ITEM(p->queue.next, struct asked, link);
        list_remove(&q->link);
        p->queued--;
    }
    pthread_mutex_unlock(&p->lock);
    return q;
}

static void free_asked(struct asked *q)
{
    buf_close(&q->question);
    mem_free(q);
}

static void *run(void *arg)
{
    struct asked *q;
    while ((q = take(arg))) {
        answer(arg, q);
        free_asked(q);
    }
    return NULL;
}

/* --- life --- */

static void listen(struct shard *s, void *arg)
{
    shard_on_questions(s, arg);
}

struct peers *peers_open(struct http *h)
{
    struct peers *p = mem_zalloc(sizeof *p);
    struct question_events events = {p, on_asked, on_answered, on_gone};
    p->http = h;
    list_init(&p->askings);
    list_init(&p->queue);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    CHECK(pthread_create(&p->thread, NULL, run, p) == 0);
    pthread_setname_np(p->thread, "http-peers");
    shard_call_any(node_shard(h->params.node, 0), listen, &events);
    return p;
}

void peers_close(struct peers *p)
{
    struct question_events none = {0};
    shard_call_any(node_shard(p->http->params.node, 0), listen, &none);
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    LIST_FOR_SAFE(&p->queue, link)
    free_asked(LIST_ITEM(link, struct asked, link));
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->changed);
    mem_free(p);
}
