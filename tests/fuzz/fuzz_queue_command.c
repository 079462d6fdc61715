// room: node_queue sim_disk
/* Chunks of any bytes into a queue machine: all invariants hold after each, and a machine restored from a checkpoint is
 * the same.
 *
 * The input is a run of pieces: u8 kind | u8 more | le16 size | bytes. Kind's two lowest bits choose the port. Without
 * KIND_RAW the fuzzer makes the chunk's header, so that its commands are taken: `more` milliseconds pass, and the port
 * has received all of its deliveries if `more` is odd. */
#include "tests/fuzz/queue_bench.h"

enum { KIND_PORT = 3, KIND_RAW = 0x80, KIND_FOLLOWER = 0x40, KIND_SYSTEM = 0x20, KIND_SPARSE = 0x10, PORTS = 4 };

static struct blob *chunk_of(struct slice commands, uint8_t kind, uint64_t received, uint64_t *sent)
{
    uint8_t number = kind & KIND_PORT;
    uint64_t port = kind & KIND_SYSTEM ? 0 : port_id(1, 1, number);
    struct buf b = {0};
    struct chunk chunk;
    struct chunk_cursor cursor;
    struct command command;
    buf_put_le32(&b, (uint32_t)(CHUNK_HEADER_SIZE + commands.size));
    buf_put_u8(&b, CHUNK_VERSION);
    buf_put_u8(&b, kind & KIND_SPARSE ? CHUNK_SPARSE : 0);
    buf_put_le16(&b, 0);
    buf_put_le32(&b, UINT32_MAX); /* as many as there are */
    buf_put_le64(&b, port);
    buf_put_le64(&b, sent[number]);
    buf_put_le64(&b, received);
    buf_put_slice(&b, commands);
    CHECK(chunk_decode(buf_slice(&b), &chunk));
    chunk_cursor_init(&cursor, &chunk);
    while (!(kind & KIND_SYSTEM) && chunk_cursor_next(&cursor, &command)) {
        if (command.number > sent[number]) sent[number] = command.number;
        if (command.type != COMMAND_CLOSE) continue;
        sent[number] = 0; /* the next chunk makes the port anew */
        break;
    }
    struct blob *blob = blob_copy(b.data, b.size);
    buf_close(&b);
    return blob;
}

/* What is restored from the disk must be what the machine was. */
static void check_restore(struct queue_bench *b)
{
    struct queue_bench again;
    struct store_manifest m;
    struct err err;
    uint64_t digest = b->machine.ops->digest(b->machine.self);
    queue_bench_checkpoint(b);
    queue_bench_open(&again, disk_after_crash(b->disk, 1));
    store_manifest(again.store, &m);
    if (again.machine.ops->restore(again.machine.self, m.machine, &err)) {
        fprintf(stderr, "restore: %s\n", err.text);
        UNREACHABLE();
    }
    CHECK(again.machine.ops->digest(again.machine.self) == digest);
    queue_bench_check(&again);
    queue_bench_close(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct queue_bench b;
    struct reader r = reader_of(slice_of(data, size));
    uint64_t sent[PORTS] = {0};
    queue_bench_open(&b, disk_create());
    while (reader_left(&r) >= 4) {
        uint8_t kind = reader_u8(&r), more = reader_u8(&r);
        uint16_t wanted = reader_le16(&r);
        struct slice bytes = reader_bytes(&r, wanted < reader_left(&r) ? wanted : reader_left(&r));
        b.now_ms += more;
        struct blob *chunk = kind & KIND_RAW ? blob_copy(bytes.data, bytes.size)
                                             : chunk_of(bytes, kind, more & 1 ? UINT64_MAX : 0, sent);
        queue_bench_apply(&b, chunk, !(kind & KIND_FOLLOWER));
    }
    check_restore(&b);
    queue_bench_close(&b);
    return 0;
}
