#include "tests/bench/worker.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

enum { EVENTS_MAX = 256, LOOK_MS = 20 /* at the run's flags */ };

uint64_t bench_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

unsigned bench_share(unsigned index, unsigned actors, unsigned queues)
{
    return actors >= queues ? 1 : (queues - index - 1) / actors + 1;
}

unsigned bench_queue(unsigned index, unsigned actors, unsigned queues, uint64_t nth)
{
    unsigned share = bench_share(index, actors, queues);
    return actors >= queues ? index % queues : index + actors * (unsigned)(nth % share);
}

void worker_start(struct worker *w, struct run *run)
{
    w->run = run;
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    CHECK(w->epoll >= 0);
    w->read_buffer = mem_alloc(CONNECTION_READ_SIZE);
    list_init(&w->actors);
    list_init(&w->dirty);
    list_init(&w->timed);
}

void worker_add(struct worker *w, struct actor *a)
{
    a->worker = w;
    a->connection.fd = -1;
    a->connection.events = &a->kind->events;
    a->connection.owner = a;
    a->epoll_fd_known = -1;
    a->uri = a->index;
    list_append(&w->actors, &a->link);
    list_init(&a->dirty_link);
    list_init(&a->timed_link);
    a->retry = true;
    actor_wake(a, 1);
}

void actor_dirty(struct actor *a)
{
    list_remove(&a->dirty_link);
    list_append(&a->worker->dirty, &a->dirty_link);
}

void actor_wake(struct actor *a, uint64_t at_ns)
{
    if (!list_empty(&a->timed_link) && a->wake_ns <= at_ns) return;
    a->wake_ns = at_ns;
    list_remove(&a->timed_link);
    list_append(&a->worker->timed, &a->timed_link);
}

void actor_ready(struct actor *a)
{
    if (!a->was_ready) atomic_fetch_add(&a->worker->run->ready, 1);
    a->was_ready = true;
    actor_dirty(a);
}

void actor_done(struct actor *a)
{
    if (!a->is_done) atomic_fetch_add(&a->worker->run->done, 1);
    a->is_done = true;
}

void actor_closed(struct actor *a, const char *why)
{
    struct run *run = a->worker->run;
    a->epoll_fd_known = -1;
    if (a->is_done) return;
    if (!run->options->reconnect) {
        if (!atomic_exchange(&run->failed, true)) fprintf(stderr, "warren-bench: connection lost: %s\n", why);
        return;
    }
    if (a->was_ready) STAT_ADD(a->worker, reconnects, 1);
    a->retry = true;
    actor_wake(a, bench_now_ns() + (uint64_t)BENCH_RETRY_MS * 1000000);
}

bool actor_declare(struct actor *a, unsigned n)
{
    const struct bench_options *o = a->worker->run->options;
    bool producer = a->kind->events.confirm != NULL;
    unsigned actors = producer ? o->producers : o->consumers;
    if (o->predeclared || n >= bench_share(a->index, actors, o->queues)) return false;
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
    char name[BENCH_TEXT_MAX];
    options_queue_name(o, bench_queue(a->index, actors, o->queues, n), name);
    m.queue_declare.queue = slice_str(name);
    m.queue_declare.durable = true;
    m.queue_declare.arguments = buf_slice(&o->queue_arguments);
    amqp_method_put(&a->connection.out, CONNECTION_CHANNEL, &m);
    return true;
}

/* --- the loop --- */

static void watch(struct actor *a)
{
    struct connection *c = &a->connection;
    if (c->fd < 0 || (a->epoll_fd_known == c->fd && a->epoll_out == c->writable_wanted)) return;
    struct epoll_event event = {.events = EPOLLIN | (c->writable_wanted ? EPOLLOUT : 0u), .data.ptr = a};
    int operation = a->epoll_fd_known == c->fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    CHECK(epoll_ctl(a->worker->epoll, operation, c->fd, &event) == 0);
    a->epoll_fd_known = c->fd;
    a->epoll_out = c->writable_wanted;
}

static void wake_timed(struct worker *w, uint64_t now)
{
    LIST_FOR_SAFE(&w->timed, link)
    {
        struct actor *a = LIST_ITEM(link, struct actor, timed_link);
        if (a->wake_ns > now) continue;
        list_remove(&a->timed_link);
        actor_dirty(a);
    }
}

static void turn(struct actor *a, uint64_t now)
{
    const struct bench_options *o = a->worker->run->options;
    if (a->retry && a->connection.state == CONNECTION_CLOSED) {
        a->retry = false;
        a->epoll_fd_known = -1;
        connection_open(&a->connection, &o->uris[a->uri++ % o->uri_count]);
    }
    if (a->connection.state == CONNECTION_READY) a->kind->turn(a, now);
    watch(a);
}

static void turns(struct worker *w, uint64_t now)
{
    struct list batch; /* who gets dirty meanwhile has its turn in the next iteration */
    list_init(&batch);
    while (!list_empty(&w->dirty)) {
        struct list *link = w->dirty.next;
        list_remove(link);
        list_append(&batch, link);
    }
    while (!list_empty(&batch)) {
        struct actor *a = LIST_ITEM(batch.next, struct actor, dirty_link);
        list_remove(&a->dirty_link);
        turn(a, now);
    }
}

static struct timespec timeout(struct worker *w)
{
    uint64_t now = bench_now_ns(), at = now + (uint64_t)LOOK_MS * 1000000;
    if (!list_empty(&w->dirty)) at = now;
    LIST_FOR(&w->timed, link)
    {
        struct actor *a = LIST_ITEM(link, struct actor, timed_link);
        if (a->wake_ns < at) at = a->wake_ns > now ? a->wake_ns : now;
    }
    return (struct timespec){.tv_sec = (time_t)((at - now) / 1000000000u), .tv_nsec = (long)((at - now) % 1000000000u)};
}

static void *run_worker(void *arg)
{
    struct worker *w = arg;
    struct epoll_event events[EVENTS_MAX];
    bool gone = false, stopped = false;
    while (!atomic_load_explicit(&w->run->stop, memory_order_relaxed)) {
        struct timespec wait = timeout(w);
        int count = epoll_pwait2(w->epoll, events, EVENTS_MAX, &wait, NULL);
        uint64_t now = bench_now_ns();
        for (int i = 0; i < count; i++) {
            struct actor *a = events[i].data.ptr;
            bool broken = events[i].events & (EPOLLERR | EPOLLHUP);
            connection_event(&a->connection, (events[i].events & EPOLLIN) || broken,
                             (events[i].events & EPOLLOUT) || broken, w->read_buffer, now);
            actor_dirty(a);
        }
        bool go = atomic_load(&w->run->go), stop = atomic_load(&w->run->stop_publishing);
        if (go != gone || stop != stopped) LIST_FOR(&w->actors, link) actor_dirty(LIST_ITEM(link, struct actor, link));
        gone = go;
        stopped = stop;
        wake_timed(w, now);
        turns(w, now);
    }
    return NULL;
}

void worker_run(struct worker *w)
{
    CHECK(pthread_create(&w->thread, NULL, run_worker, w) == 0);
}

void worker_join(struct worker *w)
{
    pthread_join(w->thread, NULL);
    LIST_FOR(&w->actors, link) connection_close(&LIST_ITEM(link, struct actor, link)->connection);
    close(w->epoll);
    mem_free(w->read_buffer);
}
