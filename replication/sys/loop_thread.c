#include <pthread.h>
#include <stdbool.h>
#include <uv.h>

#include "base/check.h"
#include "base/mem.h"
#include "replication/sys/loop_thread.h"

struct call {
    void (*run)(void *arg);
    void *arg;
    struct call *next;
    bool done;
};

struct loop_thread {
    uv_loop_t loop;
    uv_async_t wake;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t done;
    struct call *calls; /* guarded by lock */
    bool closing;       /* guarded by lock */
};

static void run_calls(struct loop_thread *t)
{
    pthread_mutex_lock(&t->lock);
    while (t->calls) {
        struct call *c = t->calls;
        t->calls = c->next;
        pthread_mutex_unlock(&t->lock);
        c->run(c->arg);
        pthread_mutex_lock(&t->lock);
        c->done = true;
        pthread_cond_broadcast(&t->done);
    }
    bool closing = t->closing;
    pthread_mutex_unlock(&t->lock);
    if (closing && !uv_is_closing((uv_handle_t *)&t->wake)) uv_close((uv_handle_t *)&t->wake, NULL);
}

static void on_wake(uv_async_t *wake)
{
    run_calls(wake->data);
}

struct loop_thread *loop_thread_open(void)
{
    struct loop_thread *t = mem_zalloc(sizeof *t);
    CHECK(uv_loop_init(&t->loop) == 0);
    CHECK(uv_async_init(&t->loop, &t->wake, on_wake) == 0);
    t->wake.data = t;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->done, NULL);
    return t;
}

struct uv_loop_s *loop_thread_loop(struct loop_thread *t)
{
    return &t->loop;
}

static void *run(void *arg)
{
    struct loop_thread *t = arg;
    uv_run(&t->loop, UV_RUN_DEFAULT);
    return NULL;
}

void loop_thread_start(struct loop_thread *t, const char *name)
{
    CHECK(pthread_create(&t->thread, NULL, run, t) == 0);
    pthread_setname_np(t->thread, name);
    t->started = true;
}

void loop_thread_call(struct loop_thread *t, void (*call)(void *arg), void *arg)
{
    struct call c = {.run = call, .arg = arg};
    CHECK(t->started);
    pthread_mutex_lock(&t->lock);
    c.next = t->calls;
    t->calls = &c;
    uv_async_send(&t->wake);
    while (!c.done) pthread_cond_wait(&t->done, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

void loop_thread_close(struct loop_thread *t)
{
    pthread_mutex_lock(&t->lock);
    t->closing = true;
    uv_async_send(&t->wake);
    pthread_mutex_unlock(&t->lock);
    if (t->started) pthread_join(t->thread, NULL);
    else uv_run(&t->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&t->loop) == 0);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->done);
    mem_free(t);
}
