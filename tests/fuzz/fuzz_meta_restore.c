// room: node_meta node_queue
/* The meta group's part of a manifest, any bytes: refused, or a state that holds, is the same when it is restored from
 * what it encodes, and goes on under commands. */
#include "base/check.h"
#include "node/meta/meta_machine.h"
#include "node/queue/command.h"
#include "node/queue/port_id.h"

enum { GROUPS = 3 };

struct bench {
    struct topology *topology;
    struct meta_machine *meta;
    struct machine machine;
    struct effects effects;
    uint64_t index;
};

static void on_applied(void *arg, uint64_t index, struct slice command)
{
    (void)index;
    (void)command;
    CHECK(arg);
}

static void bench_open(struct bench *b)
{
    *b = (struct bench){.topology = topology_create(GROUPS)};
    effects_init(&b->effects);
    b->meta = meta_machine_create(b->topology, on_applied, b);
    b->machine = meta_machine_as_machine(b->meta);
}

static void bench_close(struct bench *b)
{
    effects_close(&b->effects);
    meta_machine_destroy(b->meta);
    topology_destroy(b->topology);
}

static void check(struct bench *b)
{
    struct err err;
    CHECK(b->machine.ops->check(b->machine.self, &err));
}

/* Takes over the chunk. */
static void apply(struct bench *b, struct blob *chunk)
{
    struct part parts[2] = {entry_header(1000), {chunk, 0, chunk->size}};
    struct entry *e = entry_create(ENTRY_COMMAND, ++b->index, 1, parts, 2);
    effects_clear(&b->effects);
    b->machine.ops->apply(b->machine.self, e, &b->effects);
    entry_unref(e);
    check(b);
}

static void declare(struct chunk_writer *w)
{
    struct buf command = {0};
    struct topology_command c = {.type = TOPOLOGY_QUEUE_DECLARE, .vhost = slice_str("/"), .name = slice_str("q")};
    topology_command_encode(&command, &c);
    command_topology_encode(w, buf_slice(&command));
    buf_close(&command);
}

static void hello(void *arg, uint8_t node, uint32_t epoch_min, uint32_t epoch_max)
{
    struct bench *b = arg;
    CHECK(epoch_min <= epoch_max);
    meta_machine_hello(b->meta, port_id(node, epoch_max, 1), true, 1, &b->effects);
    meta_machine_hello(b->meta, port_id(node, epoch_max, 2), false, 0, &b->effects);
}

static void live_on(struct bench *b)
{
    struct chunk_writer w = {0};
    meta_machine_nodes(b->meta, hello, b);
    chunk_writer_begin(&w, port_id(1, 1, 1), 0, 0);
    declare(&w);
    command_empty_encode(&w, COMMAND_NOTHING);
    apply(b, chunk_writer_finish(&w, 0));
    chunk_writer_begin(&w, 0, 0, 0);
    for (uint8_t node = 1; node < 4; node++) command_node_down_encode(&w, node, 0xffffff);
    apply(b, chunk_writer_finish(&w, 0));
    chunk_writer_close(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bench b;
    struct err err = {0};
    bench_open(&b);
    if (b.machine.ops->restore(b.machine.self, slice_of(data, size), &err)) {
        CHECK(err.text[0]);
    } else {
        check(&b);
        b.machine.ops->digest(b.machine.self);
        b.index = topology_index(b.topology);
        live_on(&b);
    }
    bench_close(&b);
    return 0;
}
