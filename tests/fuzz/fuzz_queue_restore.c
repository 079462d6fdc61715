// room: node_queue sim_disk
/* The machine's part of a manifest, any bytes: refused, or a state in which all invariants hold, and go on holding
 * under commands, time and another checkpoint. Contents are looked for in one segment that has none of them. */
#include "tests/fuzz/queue_bench.h"

enum { SEGMENT_BYTES = 64 << 10, PORT_NODE = 1 };

/* A store with segment 1, so big that places in it can be believed. */
static void make_segment(struct queue_bench *b)
{
    struct checkpoint *c = store_checkpoint_begin(b->store, 1, 1, 0, (struct slice){0});
    struct blob *bytes = blob_create(SEGMENT_BYTES);
    memset(bytes->data, 0, bytes->size);
    checkpoint_add(c, (struct part){bytes, 0, bytes->size});
    blob_unref(bytes);
    b->machine.ops->checkpoint(b->machine.self, c);
    store_checkpoint_run(b->store, c, queue_bench_checkpoint_done, b);
    queue_bench_run(b);
}

static void use_queue(struct queue_bench *b, struct chunk_writer *w, uint64_t queue)
{
    struct content content = {.properties = slice_of("\0\0", 2), .body = slice_str("body")};
    command_enqueue_encode(w, 0, 0, 3, UINT64_MAX, &queue, 1, &content);
    command_attach_encode(w, &(struct command_attach){.queue = queue, .consumer = 1 + w->count, .prefetch = 10});
    command_queue_encode(w, COMMAND_GET, queue);
    command_settle_encode(w, SETTLE_REQUEUE, 1, 5);
    command_settle_encode(w, SETTLE_ACK, 3, 8);
    command_settle_encode(w, SETTLE_REJECT, 9, 9);
    command_settle_encode(w, SETTLE_FAIL, 10, 12);
    struct enqueue_marks marks = {.key = slice_str("Skey"),
                                  .window = slice_str("x"),
                                  .windowed = 1,
                                  .window_size = 2,
                                  .producer = slice_str("Sp"),
                                  .sequence = 5};
    command_enqueue_marked_encode(w, 0, 0, 0, 100, &queue, 1, &marks, &content);
    (void)b;
}

static void bind_histories(struct queue_bench *b, struct chunk_writer *w)
{
    struct command_history c = {.queue = 1};
    size_t cursor = 0;
    while (queue_machine_next_history(b->queues, &cursor, &c.vhost, &c.exchange))
        command_history_encode(w, COMMAND_HISTORY_BIND, &c);
}

/* Some life: every queue is used, the known ports go, time passes, all is written again, queues are purged. */
static void live_on(struct queue_bench *b)
{
    struct chunk_writer w = {0};
    struct queue_stat stat;
    uint64_t cursor = 0;
    chunk_writer_begin(&w, port_id(PORT_NODE + 1, 1, 1), 0, 0);
    while (queue_machine_next(b->queues, &cursor, &stat)) use_queue(b, &w, stat.id);
    bind_histories(b, &w);
    queue_bench_apply(b, chunk_writer_finish(&w, 0), true);
    b->now_ms += 1000;
    chunk_writer_begin(&w, 0, 0, 0);
    command_node_down_encode(&w, PORT_NODE, 0xffffff);
    command_dead_lettered_encode(&w, 1, UINT64_MAX);
    queue_bench_apply(b, chunk_writer_finish(&w, 0), true);
    queue_bench_checkpoint(b);
    chunk_writer_begin(&w, port_id(PORT_NODE + 1, 1, 2), 0, 0);
    cursor = 0;
    while (queue_machine_next(b->queues, &cursor, &stat)) command_queue_encode(&w, COMMAND_PURGE, stat.id);
    queue_bench_apply(b, chunk_writer_finish(&w, 0), false);
    chunk_writer_close(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct queue_bench b;
    struct err err;
    queue_bench_open(&b, disk_create());
    make_segment(&b);
    if (!b.machine.ops->restore(b.machine.self, slice_of(data, size), &err)) {
        queue_bench_check(&b);
        b.machine.ops->digest(b.machine.self);
        live_on(&b);
    }
    queue_bench_close(&b);
    return 0;
}
