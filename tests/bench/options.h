/* What the load tool was asked for: one constant struct, read by all threads. */
#ifndef WARREN_TESTS_BENCH_OPTIONS_H
#define WARREN_TESTS_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum {
    BENCH_URIS_MAX = 64,
    BENCH_ACTORS_MAX = 20000, /* producers, or consumers */
    BENCH_QUEUES_MAX = 10000,
    BENCH_SIZE_MAX = 64 << 20,
    BENCH_THREADS_MAX = 64,
    BENCH_WINDOW_MAX = 1 << 20,
    BENCH_TEXT_MAX = 128,
};

struct bench_uri {
    char user[BENCH_TEXT_MAX], password[BENCH_TEXT_MAX], host[BENCH_TEXT_MAX], port[8], vhost[BENCH_TEXT_MAX];
};

struct bench_options {
    struct bench_uri uris[BENCH_URIS_MAX];
    unsigned uri_count;
    unsigned producers, consumers, queues, threads;
    const char *queue_pattern; /* with one %d */
    uint32_t size;             /* bytes of a body, at least a stamp */
    uint32_t window;           /* unconfirmed publishes per producer; 0: no confirms */
    uint16_t prefetch;         /* 0: no limit */
    uint32_t multi_ack_every;
    double rate, consumer_rate; /* messages a second, each; 0: as fast as it goes */
    double time_s;              /* 0: until the counts are reached or a signal comes */
    double interval_s, drain_s;
    uint64_t producer_messages, consumer_messages; /* each; 0: no limit */
    struct buf queue_arguments;                    /* entries of a field table */
    bool persistent, mandatory, predeclared, auto_ack, reconnect, delete_queues, quiet;
    const char *json;
    const char *id;
};

/* Fills the options or prints what is wrong (or the help) and leaves the process. */
void options_parse(struct bench_options *o, int argc, char **argv);
void options_queue_name(const struct bench_options *o, unsigned queue, char name[BENCH_TEXT_MAX]);

#endif
