/* warren-bench: the run from start to end. options.h says what can be asked for. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/bench/report.h"

enum { SETUP_TIMEOUT_S = 60, STEP_MS = 10, STILL_S = 5 /* without progress: what is missing will not come */ };

/* Reachable from the signal handler, which gets no argument. */
static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static void pause_ms(unsigned ms)
{
    nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

static double seconds_since(uint64_t ns)
{
    return (double)(bench_now_ns() - ns) / 1e9;
}

static bool wait_ready(struct run *run)
{
    unsigned want = run->options->producers + run->options->consumers;
    uint64_t started = bench_now_ns();
    while (atomic_load(&run->ready) < want && !atomic_load(&run->failed) && !interrupted) {
        if (seconds_since(started) > SETUP_TIMEOUT_S) {
            fprintf(stderr, "warren-bench: %u of %u connections are ready after %d s\n", atomic_load(&run->ready), want,
                    SETUP_TIMEOUT_S);
            return false;
        }
        pause_ms(STEP_MS);
    }
    return !atomic_load(&run->failed) && !interrupted;
}

static bool time_over(const struct run *run, uint64_t started)
{
    const struct bench_options *o = run->options;
    if (interrupted || atomic_load(&run->failed)) return true;
    if (o->time_s > 0 && seconds_since(started) >= o->time_s) return true;
    unsigned counted = (o->producer_messages ? o->producers : 0) + (o->consumer_messages ? o->consumers : 0);
    return counted && atomic_load(&((struct run *)run)->done) >= counted;
}

static void publish_phase(struct report *r)
{
    const struct bench_options *o = r->run->options;
    double next = o->interval_s;
    while (!time_over(r->run, r->started_ns)) {
        pause_ms(STEP_MS);
        if (o->interval_s <= 0 || seconds_since(r->started_ns) < next) continue;
        report_interval(r);
        next += o->interval_s;
    }
    r->publish_s = seconds_since(r->started_ns);
    report_stats(r, &r->at_stop);
}

static uint64_t outstanding(const struct report *r)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < r->run->options->producers; i++) sum += producer_outstanding(r->producers[i]);
    return sum;
}

/* Waits for what is under way: confirms first, then what was confirmed. */
static void drain_phase(struct report *r)
{
    const struct bench_options *o = r->run->options;
    bool check = o->consumers && o->producers && !o->consumer_messages && o->window;
    uint64_t started = bench_now_ns(), moved = started, seen = 0;
    while (seconds_since(started) < o->drain_s && seconds_since(moved) < STILL_S && !atomic_load(&r->run->failed)) {
        struct stats now;
        report_stats(r, &now);
        if (outstanding(r) == 0 && (!check || ledger_lost(r->run->ledger, NULL, 0) == 0)) break;
        if (now.received + now.confirmed != seen) moved = bench_now_ns();
        seen = now.received + now.confirmed;
        pause_ms(STEP_MS);
    }
}

/* --- queues that are to be gone afterwards --- */

struct deleter {
    struct connection connection;
    const struct bench_options *options;
    bool over;
};

static bool delete_next(void *owner, unsigned step)
{
    struct deleter *d = owner;
    if (step >= d->options->queues) return false;
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DELETE);
    char name[BENCH_TEXT_MAX];
    options_queue_name(d->options, step, name);
    m.queue_delete.queue = slice_str(name);
    amqp_method_put(&d->connection.out, CONNECTION_CHANNEL, &m);
    return true;
}

static void deleted(void *owner)
{
    ((struct deleter *)owner)->over = true;
}

static void delete_failed(void *owner, const char *why)
{
    fprintf(stderr, "warren-bench: queues were not deleted: %s\n", why);
    ((struct deleter *)owner)->over = true;
}

static void delete_queues(const struct bench_options *o)
{
    static const struct connection_events events = {.setup = delete_next, .ready = deleted, .closed = delete_failed};
    struct deleter d = {.options = o, .connection = {.events = &events, .fd = -1}};
    uint8_t *buffer = mem_alloc(CONNECTION_READ_SIZE);
    d.connection.owner = &d;
    connection_open(&d.connection, &o->uris[0]);
    for (uint64_t started = bench_now_ns(); !d.over && seconds_since(started) < SETUP_TIMEOUT_S;) {
        struct pollfd p = {d.connection.fd, (short)(POLLIN | (d.connection.writable_wanted ? POLLOUT : 0)), 0};
        poll(&p, 1, 1000);
        bool broken = p.revents & (POLLERR | POLLHUP);
        connection_event(&d.connection, (p.revents & POLLIN) || broken, (p.revents & POLLOUT) || broken, buffer,
                         bench_now_ns());
    }
    connection_close(&d.connection);
    mem_free(buffer);
}

/* --- the whole --- */

static int run_all(struct run *run, struct worker *workers, struct actor **producers, struct actor **consumers)
{
    const struct bench_options *o = run->options;
    struct report *r = mem_alloc(sizeof *r);
    int code = 2;
    for (unsigned i = 0; i < o->threads; i++) worker_start(&workers[i], run);
    for (unsigned i = 0; i < o->producers; i++) producers[i] = producer_create(&workers[i % o->threads], i);
    for (unsigned i = 0; i < o->consumers; i++)
        consumers[i] = consumer_create(&workers[(o->producers + i) % o->threads], i);
    for (unsigned i = 0; i < o->threads; i++) worker_run(&workers[i]);
    bool good = wait_ready(run);
    report_start(r, run, workers, producers);
    if (good) {
        atomic_store(&run->go_ns, r->started_ns);
        atomic_store(&run->go, true);
        publish_phase(r);
        atomic_store(&run->stop_publishing, true);
        drain_phase(r);
    }
    atomic_store(&run->stop, true);
    for (unsigned i = 0; i < o->threads; i++) worker_join(&workers[i]);
    if (good) code = report_end(r) ? 0 : 1;
    if (atomic_load(&run->failed)) code = 2;
    if (good && o->delete_queues) delete_queues(o);
    report_close(r);
    mem_free(r);
    return code;
}

int main(int argc, char **argv)
{
    struct bench_options *o = mem_alloc(sizeof *o);
    options_parse(o, argc, argv);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    struct timespec clock;
    clock_gettime(CLOCK_REALTIME, &clock);
    struct run run = {
        .options = o,
        .ledger = ledger_create(o->producers),
        .id = (uint32_t)(clock.tv_nsec ^ clock.tv_sec ^ getpid() << 16) | 1,
    };
    struct worker *workers = mem_zalloc(o->threads * sizeof *workers);
    struct actor **producers = mem_zalloc((o->producers + 1) * sizeof(struct actor *));
    struct actor **consumers = mem_zalloc((o->consumers + 1) * sizeof(struct actor *));
    int code = run_all(&run, workers, producers, consumers);
    for (unsigned i = 0; i < o->producers; i++) producers[i]->kind->destroy(producers[i]);
    for (unsigned i = 0; i < o->consumers; i++) consumers[i]->kind->destroy(consumers[i]);
    mem_free(consumers);
    mem_free(producers);
    mem_free(workers);
    ledger_destroy(run.ledger);
    buf_close(&o->queue_arguments);
    mem_free(o);
    return code;
}
