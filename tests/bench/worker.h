/* A thread of the load tool: one epoll loop and the producers and consumers that live on it.
 *
 * Thread: everything in an actor belongs to its worker's thread; the counters of struct stats and the histograms are
 * written by it alone and may be read by any. struct run is shared: its flags are atomic, the rest does not change. */
#ifndef WARREN_TESTS_BENCH_WORKER_H
#define WARREN_TESTS_BENCH_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "tests/bench/connection.h"
#include "tests/bench/histogram.h"

enum {
    BENCH_PAUSES_MAX = 4096,   /* noted per producer */
    BENCH_PAUSE_MIN_MS = 5,    /* shorter ones are not noted */
    BENCH_RETRY_MS = 20,       /* between two attempts to connect */
    BENCH_ACK_LATE_MS = 5,     /* acks that wait for --multi-ack-every go out after so long */
    BENCH_OUT_MAX = 128 << 10, /* bytes that a producer puts up before it writes */
};

struct stats {
    uint64_t sent, sent_again, confirmed, nacked, returned;
    uint64_t received, received_once, foreign;
    uint64_t duplicated, duplicated_redelivered, duplicated_again; /* without excuse; marked; we published it again */
    uint64_t redelivered, reordered;
    uint64_t reconnects;
};
enum { STATS_COUNT = sizeof(struct stats) / sizeof(uint64_t) };
#define STAT_ADD(worker, field, n) \
    __atomic_store_n(&(worker)->stats.field, (worker)->stats.field + (n), __ATOMIC_RELAXED)

struct pause {
    uint64_t at_ns; /* when it began */
    uint64_t ns;
};

struct run {
    const struct bench_options *options;
    struct ledger *ledger;
    uint32_t id;
    atomic_bool go, stop_publishing, stop, failed;
    atomic_uint ready; /* actors that were ready once */
    atomic_uint done;  /* producers with nothing left to do, consumers that reached their count */
    _Atomic uint64_t go_ns;
};

struct worker {
    struct run *run;
    pthread_t thread;
    int epoll;
    struct list actors, dirty, timed;
    struct stats stats;
    struct histogram confirm_latency, end_latency;
    uint8_t *read_buffer;
};

struct actor;
struct actor_kind {
    struct connection_events events;
    void (*turn)(struct actor *a, uint64_t now_ns);
    void (*destroy)(struct actor *a);
};

struct actor {
    const struct actor_kind *kind;
    struct worker *worker;
    struct connection connection;
    struct list link, dirty_link, timed_link;
    unsigned index;   /* among its kind */
    unsigned uri;     /* the next to try */
    uint64_t wake_ns; /* 0: not */
    bool retry;       /* wake up to connect */
    bool epoll_out, was_ready, is_done;
    int epoll_fd_known; /* the descriptor that epoll has; -1: none */
};

void worker_start(struct worker *w, struct run *run);
void worker_add(struct worker *w, struct actor *a); /* before worker_run() */
void worker_run(struct worker *w);                  /* starts the thread */
void worker_join(struct worker *w);                 /* run.stop was set */

void actor_dirty(struct actor *a);
void actor_wake(struct actor *a, uint64_t at_ns);
void actor_ready(struct actor *a);
void actor_done(struct actor *a);
void actor_closed(struct actor *a, const char *why); /* reconnects later, or ends the run */
/* Puts the declaration of the n-th of its queues; false: there are no more. */
bool actor_declare(struct actor *a, unsigned n);

uint64_t bench_now_ns(void);
/* How many queues an actor uses: one, or a share of them when there are fewer actors than queues. */
unsigned bench_share(unsigned index, unsigned actors, unsigned queues);
unsigned bench_queue(unsigned index, unsigned actors, unsigned queues, uint64_t nth);

struct actor *producer_create(struct worker *w, unsigned index);
struct actor *consumer_create(struct worker *w, unsigned index);
uint64_t producer_outstanding(const struct actor *a); /* any thread, approximate */
unsigned producer_pauses(const struct actor *a, const struct pause **pauses, uint64_t *longest_ns); /* after join */

#endif
