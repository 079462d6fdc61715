/* An executor with a thread of its own; reports on a libuv loop. */
#include <pthread.h>
#include <stdbool.h>
#include <uv.h>

#include "base/check.h"
#include "base/mem.h"
#include "replication/sys/executor.h"

struct executor_uv {
    struct executor base;
    uv_async_t wake;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct job *first, **last;            /* submitted; guarded by lock */
    struct job *done_first, **done_last;  /* run; guarded by lock */
    unsigned unreported;                  /* the loop's */
    bool stopping;                        /* guarded by lock */
    bool closing;                         /* the loop's */
};

static void *run(void *arg)
{
    struct executor_uv *e = arg;
    pthread_mutex_lock(&e->lock);
    for (;;) {
        while (!e->first && !e->stopping) pthread_cond_wait(&e->work, &e->lock);
        struct job *j = e->first;
        if (!j) break;
        e->first = j->next;
        if (!e->first) e->last = &e->first;
        pthread_mutex_unlock(&e->lock);
        j->run(j);
        pthread_mutex_lock(&e->lock);
        j->next = NULL;
        *e->done_last = j;
        e->done_last = &j->next;
        uv_async_send(&e->wake);
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

static void on_closed(uv_handle_t *handle)
{
    struct executor_uv *e = handle->data;
    pthread_mutex_destroy(&e->lock);
    pthread_cond_destroy(&e->work);
    mem_free(e);
}

static void finish_close(struct executor_uv *e)
{
    if (uv_is_closing((uv_handle_t *)&e->wake)) return;
    pthread_mutex_lock(&e->lock);
    e->stopping = true;
    pthread_cond_signal(&e->work);
    pthread_mutex_unlock(&e->lock);
    pthread_join(e->thread, NULL);
    uv_close((uv_handle_t *)&e->wake, on_closed);
}

static void report(uv_async_t *wake)
{
    struct executor_uv *e = wake->data;
    pthread_mutex_lock(&e->lock);
    struct job *j = e->done_first;
    e->done_first = NULL;
    e->done_last = &e->done_first;
    pthread_mutex_unlock(&e->lock);
    while (j) {
        struct job *next = j->next;
        e->unreported--;
        j->done(j);
        j = next;
    }
    if (e->closing && !e->unreported) finish_close(e);
}

static void submit(struct executor *base, struct job *j)
{
    struct executor_uv *e = (struct executor_uv *)base;
    j->next = NULL;
    e->unreported++;
    pthread_mutex_lock(&e->lock);
    *e->last = j;
    e->last = &j->next;
    pthread_cond_signal(&e->work);
    pthread_mutex_unlock(&e->lock);
}

struct executor *executor_uv_open(struct uv_loop_s *loop, const char *name)
{
    struct executor_uv *e = mem_zalloc(sizeof *e);
    e->base.submit = submit;
    e->last = &e->first;
    e->done_last = &e->done_first;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->work, NULL);
    CHECK(uv_async_init(loop, &e->wake, report) == 0);
    e->wake.data = e;
    CHECK(pthread_create(&e->thread, NULL, run, e) == 0);
    pthread_setname_np(e->thread, name);
    return &e->base;
}

void executor_uv_close(struct executor *base)
{
    struct executor_uv *e = (struct executor_uv *)base;
    e->closing = true;
    if (!e->unreported) finish_close(e);
}
