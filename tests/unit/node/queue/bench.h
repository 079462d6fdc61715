/* A queue machine on a store on a disk in memory, fed one command per entry, for the unit tests of node/queue.
 *
 * What an entry led to is read as one line of text with hears(), APPLIED left out:
 *
 *     1:deliver c2 #3 body        port 1, consumer 2, delivery number 3; " again" behind it: redelivered
 *     1:ok 4 0                    the reply and its two counts; also empty, not-found, exclusive, in-use, not-empty,
 * invalid 1:refused 5                 the publish with that number 1:cancelled c2 (after 50: a timeout)    1:gone
 * 1:resync 7 dead 1 q2
 * expired body      dead letter 1, of queue 2 unused q2
 *
 * machine_check() runs after every entry. */
#ifndef WARREN_TESTS_UNIT_NODE_QUEUE_BENCH_H
#define WARREN_TESTS_UNIT_NODE_QUEUE_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "node/queue/command.h"
#include "node/queue/port_id.h"
#include "node/queue/queue_machine.h"
#include "replication/store/store.h"
#include "tests/sim/disk.h"

enum { BENCH_PORTS = 8, BENCH_NODE = 1, BENCH_EPOCH = 1 };

struct bench {
    struct disk *disk;
    struct executor *jobs, *reads; /* checkpoints; contents */
    struct store *store;
    struct queue_machine *queues;
    struct machine machine;
    struct effects effects;
    struct chunk_writer writer;
    uint64_t index, now_ms;
    uint64_t sent[BENCH_PORTS]; /* last command number per port */
    bool checkpoint_failed;
    struct buf line;
};

/* --- life --- */

static inline void bench_open(struct bench *b)
{
    struct err err = {0};
    struct store_params params = {
        .fs = disk_fs(b->disk), .executor = b->jobs, .read_executor = b->reads, .directory = "/group-1"};
    if (store_open(&b->store, &params, &err)) fail_msg("%s", err.text);
    b->queues = queue_machine_create(1, b->store);
    b->machine = queue_machine_as_machine(b->queues);
}

/* On a disk that may hold something already; it is the bench's from now on. */
static inline struct bench *bench_create_on(struct disk *disk)
{
    struct bench *b = mem_zalloc(sizeof *b);
    b->disk = disk;
    b->jobs = jobs_create();
    b->reads = jobs_create();
    b->now_ms = 1000;
    bench_open(b);
    return b;
}

static inline struct bench *bench_create(void)
{
    return bench_create_on(disk_create());
}

static inline void bench_run_reads(struct bench *b)
{
    while (jobs_pending(b->reads)) jobs_step(b->reads);
}

static inline void bench_close(struct bench *b)
{
    effects_clear(&b->effects);
    bench_run_reads(b); /* what was read ahead */
    queue_machine_destroy(b->queues);
    store_close(b->store);
}

static inline void bench_destroy(struct bench *b)
{
    bench_close(b);
    effects_close(&b->effects);
    chunk_writer_close(&b->writer);
    buf_close(&b->line);
    jobs_destroy(b->jobs);
    jobs_destroy(b->reads);
    disk_destroy(b->disk);
    mem_free(b);
}

static inline int bench_set_up(void **state)
{
    *state = bench_create();
    return 0;
}

static inline int bench_tear_down(void **state)
{
    bench_destroy(*state);
    return 0;
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

/* --- entries --- */

static inline void bench_check(struct bench *b)
{
    struct err err = {0};
    if (!b->machine.ops->check(b->machine.self, &err))
        fail_msg("after entry %llu: %s", (unsigned long long)b->index, err.text);
}

/* Applies an entry; takes over `chunk`, which may be NULL for one in which only time passes. */
static inline void bench_apply(struct bench *b, struct blob *chunk)
{
    struct part parts[2] = {entry_header(b->now_ms), {chunk, 0, chunk ? chunk->size : 0}};
    struct entry *e = entry_create(ENTRY_COMMAND, ++b->index, 1, parts, chunk ? 2 : 1);
    effects_clear(&b->effects);
    b->machine.ops->apply(b->machine.self, e, &b->effects);
    entry_unref(e);
    bench_check(b);
}

static inline uint64_t bench_port(unsigned port)
{
    return port_id(BENCH_NODE, BENCH_EPOCH, port);
}

static inline struct chunk_writer *begin(struct bench *b, unsigned port)
{
    chunk_writer_begin(&b->writer, bench_port(port), b->sent[port], 0);
    return &b->writer;
}

static inline void end_received(struct bench *b, unsigned port, uint64_t received)
{
    b->sent[port] += b->writer.count;
    bench_apply(b, chunk_writer_finish(&b->writer, received));
}

static inline void end(struct bench *b, unsigned port)
{
    end_received(b, port, 0);
}

static inline void pass(struct bench *b, uint64_t ms)
{
    b->now_ms += ms;
    bench_apply(b, NULL);
}

/* --- wishes --- */

static inline struct queue_settings plain_settings(void)
{
    return (struct queue_settings){.message_ttl_ms = QUEUE_NO_LIMIT,
                                   .expires_ms = QUEUE_NO_LIMIT,
                                   .max_length = QUEUE_NO_LIMIT,
                                   .max_length_bytes = QUEUE_NO_LIMIT,
                                   .delivery_limit = QUEUE_NO_LIMIT,
                                   .delayed_retry_min_ms = QUEUE_NO_LIMIT,
                                   .delayed_retry_max_ms = QUEUE_NO_LIMIT,
                                   .consumer_timeout_ms = QUEUE_NO_LIMIT,
                                   .disconnected_timeout_ms = QUEUE_NO_LIMIT,
                                   .window_size = QUEUE_NO_LIMIT,
                                   .window_ttl_ms = QUEUE_NO_LIMIT};
}

static inline void configure(struct bench *b, uint64_t queue, struct queue_settings settings)
{
    command_configure_encode(begin(b, 0), &(struct command_configure){queue, settings});
    end(b, 0);
}

static inline void declare(struct bench *b, uint64_t queue)
{
    configure(b, queue, plain_settings());
}

struct message {
    const char *body;
    uint8_t priority;
    uint64_t ttl_ms; /* 0: none */
};

static inline void put_message(struct chunk_writer *w, const uint64_t *queues, uint32_t count, struct message m)
{
    struct content content = {
        .routing_key = slice_str("key"), .properties = slice_of("\0\0", 2), .body = slice_str(m.body)};
    command_enqueue_encode(w, 0, 0, m.priority, m.ttl_ms ? m.ttl_ms : UINT64_MAX, queues, count, &content);
}

static inline void publish_message(struct bench *b, unsigned port, uint64_t queue, struct message m)
{
    put_message(begin(b, port), &queue, 1, m);
    end(b, port);
}

static inline void publish(struct bench *b, uint64_t queue, const char *body)
{
    publish_message(b, 0, queue, (struct message){.body = body});
}

static inline void attach_as(struct bench *b, unsigned port, const struct command_attach *c)
{
    command_attach_encode(begin(b, port), c);
    end(b, port);
}

static inline void attach(struct bench *b, unsigned port, uint64_t queue, uint32_t consumer, uint32_t prefetch)
{
    attach_as(b, port, &(struct command_attach){.queue = queue, .consumer = consumer, .prefetch = prefetch});
}

static inline void detach(struct bench *b, unsigned port, uint32_t consumer)
{
    command_detach_encode(begin(b, port), consumer);
    end(b, port);
}

static inline void settle(struct bench *b, unsigned port, uint8_t outcome, uint64_t first, uint64_t last)
{
    command_settle_encode(begin(b, port), outcome, first, last);
    end(b, port);
}

static inline void ack(struct bench *b, unsigned port, uint64_t dseq)
{
    settle(b, port, SETTLE_ACK, dseq, dseq);
}

static inline void requeue(struct bench *b, unsigned port, uint64_t dseq)
{
    settle(b, port, SETTLE_REQUEUE, dseq, dseq);
}

static inline void reject(struct bench *b, unsigned port, uint64_t dseq)
{
    settle(b, port, SETTLE_REJECT, dseq, dseq);
}

static inline void limit(struct bench *b, unsigned port, uint32_t prefetch)
{
    command_limit_encode(begin(b, port), prefetch);
    end(b, port);
}

static inline void ask_queue(struct bench *b, unsigned port, uint8_t type, uint64_t queue)
{
    command_queue_encode(begin(b, port), type, queue);
    end(b, port);
}

static inline void get(struct bench *b, unsigned port, uint64_t queue)
{
    ask_queue(b, port, COMMAND_GET, queue);
}

static inline void remove_queue(struct bench *b, uint64_t queue, uint8_t flags)
{
    command_delete_encode(begin(b, 0), queue, flags);
    end(b, 0);
}

static inline void receipt(struct bench *b, unsigned port, uint64_t received)
{
    command_empty_encode(begin(b, port), COMMAND_RECEIPT);
    end_received(b, port, received);
}

static inline void close_port(struct bench *b, unsigned port)
{
    command_empty_encode(begin(b, port), COMMAND_CLOSE);
    end(b, port);
}

static inline void node_down(struct bench *b)
{
    chunk_writer_begin(&b->writer, 0, 0, 0);
    command_node_down_encode(&b->writer, BENCH_NODE, BENCH_EPOCH);
    bench_apply(b, chunk_writer_finish(&b->writer, 0));
}

static inline void dead_lettered(struct bench *b, uint64_t first, uint64_t last)
{
    chunk_writer_begin(&b->writer, 0, 0, 0);
    command_dead_lettered_encode(&b->writer, first, last);
    bench_apply(b, chunk_writer_finish(&b->writer, 0));
}

/* --- what came of it --- */

static inline void bench_on_content(void *arg, struct part content, const struct err *err)
{
    struct part *out = arg;
    if (err) fail_msg("%s", err->text);
    *out = content;
    blob_ref(out->blob);
}

static inline void bench_put_body(struct bench *b, const struct effect *e)
{
    struct part content = e->content;
    struct content c;
    if (content.blob) blob_ref(content.blob);
    else store_fetch(b->store, e->location, bench_on_content, &content);
    bench_run_reads(b);
    assert_true(content_decode(part_slice(content), &c));
    buf_printf(&b->line, " %.*s", (int)c.body.size, (const char *)c.body.data);
    blob_unref(content.blob);
}

static inline void bench_put_effect(struct bench *b, const struct effect *e)
{
    static const char *const codes[] = {"ok", "empty", "not-found", "exclusive", "in-use", "not-empty", "invalid"};
    static const char *const reasons[] = {"rejected", "expired", "maxlen", "delivery-limit", "due", "history"};
    unsigned long long number = e->number, queue = e->queue;
    if (e->type == EFFECT_APPLIED) return;
    if (b->line.size) buf_printf(&b->line, "; ");
    if (e->port) buf_printf(&b->line, "%u:", port_id_counter(e->port));
    switch (e->type) {
    case EFFECT_DELIVER:
        buf_printf(&b->line, "deliver c%u #%llu", e->consumer, (unsigned long long)e->dseq);
        bench_put_body(b, e);
        if (e->redelivered) buf_printf(&b->line, " again");
        return;
    case EFFECT_REPLY:
        buf_printf(&b->line, "%s", codes[e->code]);
        if (!e->code) buf_printf(&b->line, " %llu %llu", (unsigned long long)e->a, (unsigned long long)e->b);
        return;
    case EFFECT_REFUSED:
        buf_printf(&b->line, "refused %llu", number);
        return;
    case EFFECT_CANCELLED:
        buf_printf(&b->line, "cancelled c%u", e->consumer);
        if (e->a) buf_printf(&b->line, " after %llu", (unsigned long long)e->a);
        return;
    case EFFECT_RESYNC:
        buf_printf(&b->line, "resync %llu", number);
        return;
    case EFFECT_GONE:
        buf_printf(&b->line, "gone");
        return;
    case EFFECT_SETTLED:
        buf_printf(&b->line, "settled to #%llu but what comes to #%llu", number, (unsigned long long)e->dseq);
        return;
    case EFFECT_DEAD_LETTER:
        buf_printf(&b->line, "dead %llu q%llu %s", number, queue, reasons[e->code]);
        bench_put_body(b, e);
        return;
    case EFFECT_QUEUE_UNUSED:
        buf_printf(&b->line, "unused q%llu", queue);
        return;
    default:
        buf_printf(&b->line, "effect %u", e->type);
    }
}

static inline const char *bench_line(struct bench *b)
{
    buf_clear(&b->line);
    for (size_t i = 0; i < b->effects.count; i++) bench_put_effect(b, &b->effects.items[i]);
    buf_put_u8(&b->line, 0);
    return (const char *)b->line.data;
}

#define hears(b, text) assert_string_equal(bench_line(b), text)

static inline struct queue_stat stat_of(struct bench *b, uint64_t queue)
{
    struct queue_stat s = {0};
    assert_true(queue_machine_stat(b->queues, queue, &s));
    return s;
}

static inline void counts(struct bench *b, uint64_t queue, uint64_t ready, uint64_t unacked)
{
    struct queue_stat s = stat_of(b, queue);
    assert_int_equal(s.ready, ready);
    assert_int_equal(s.unacked, unacked);
}

/* --- checkpoints --- */

static inline void bench_on_checkpoint(void *arg, const struct err *err)
{
    struct bench *b = arg;
    b->checkpoint_failed = err != NULL;
    b->machine.ops->checkpoint_done(b->machine.self, err == NULL);
}

/* Freezes; the writing waits in the executor. */
static inline void checkpoint_begin(struct bench *b)
{
    struct checkpoint *c = store_checkpoint_begin(b->store, b->index, 1, 0, slice_str("configuration"));
    b->machine.ops->checkpoint(b->machine.self, c);
    store_checkpoint_run(b->store, c, bench_on_checkpoint, b);
}

static inline void checkpoint_end(struct bench *b)
{
    while (jobs_pending(b->jobs)) jobs_step(b->jobs);
    bench_check(b);
}

static inline void checkpoint(struct bench *b)
{
    checkpoint_begin(b);
    checkpoint_end(b);
    assert_false(b->checkpoint_failed);
}

static inline uint64_t digest(struct bench *b)
{
    return b->machine.ops->digest(b->machine.self);
}

/* Restores from the durable manifest into a new machine. */
static inline void bench_restore(struct bench *b)
{
    struct store_manifest m;
    struct err err = {0};
    store_manifest(b->store, &m);
    if (b->machine.ops->restore(b->machine.self, m.machine, &err)) fail_msg("%s", err.text);
    bench_check(b);
}

/* A checkpoint, then the machine anew from it: nothing but the disk is left of the old one. */
static inline void restart(struct bench *b)
{
    checkpoint(b);
    uint64_t before = digest(b);
    bench_close(b);
    bench_open(b);
    bench_restore(b);
    assert_int_equal(digest(b), before);
}

#endif
