/* The bytes of chunks and commands: docs/formats/command.md. */
#include "node/queue/command.h"

enum { NUMBER_SIZE = 8 };

/* --- contents --- */

bool content_decode(struct slice bytes, struct content *c)
{
    struct reader r = reader_of(bytes);
    uint8_t size = reader_u8(&r);
    c->exchange = reader_bytes(&r, size);
    size = reader_u8(&r);
    c->routing_key = reader_bytes(&r, size);
    uint64_t properties = reader_varint(&r);
    c->properties = reader_bytes(&r, properties & ~CONTENT_HAS_BCC);
    c->bcc = properties & CONTENT_HAS_BCC ? reader_counted(&r) : (struct slice){0};
    c->body = reader_bytes(&r, reader_left(&r));
    return !r.failed;
}

static void put_short(struct buf *b, struct slice s)
{
    CHECK(s.size <= UINT8_MAX);
    buf_put_u8(b, (uint8_t)s.size);
    buf_put_slice(b, s);
}

void content_encode(struct buf *b, const struct content *c)
{
    put_short(b, c->exchange);
    put_short(b, c->routing_key);
    buf_put_varint(b, c->properties.size | (c->bcc.size ? CONTENT_HAS_BCC : 0));
    buf_put_slice(b, c->properties);
    if (c->bcc.size) buf_put_counted(b, c->bcc);
    buf_put_slice(b, c->body);
}

static size_t varint_size(uint64_t v)
{
    size_t n = 1;
    while (v >>= 7) n++;
    return n;
}

size_t content_size(const struct content *c)
{
    uint64_t properties = c->properties.size | (c->bcc.size ? CONTENT_HAS_BCC : 0);
    size_t bcc = c->bcc.size ? varint_size(c->bcc.size) + c->bcc.size : 0;
    return 2 + c->exchange.size + c->routing_key.size + varint_size(properties) + c->properties.size + bcc +
           c->body.size;
}

/* --- chunks --- */

bool chunk_decode(struct slice bytes, struct chunk *chunk)
{
    struct reader r = reader_of(bytes);
    chunk->size = reader_le32(&r);
    uint8_t version = reader_u8(&r);
    chunk->flags = reader_u8(&r);
    reader_le16(&r);
    chunk->count = reader_le32(&r);
    chunk->port = reader_le64(&r);
    chunk->previous = reader_le64(&r);
    chunk->received = reader_le64(&r);
    chunk->commands = slice_of(r.at, reader_left(&r));
    return !r.failed && chunk->size == bytes.size && version == CHUNK_VERSION;
}

void chunk_cursor_init(struct chunk_cursor *c, const struct chunk *chunk)
{
    *c = (struct chunk_cursor){.reader = reader_of(chunk->commands), .chunk = chunk};
}

bool chunk_cursor_next(struct chunk_cursor *c, struct command *command)
{
    if (c->read == c->chunk->count) {
        c->failed |= reader_left(&c->reader) > 0;
        return false;
    }
    c->read++;
    command->number = c->chunk->flags & CHUNK_SPARSE ? reader_le64(&c->reader) : c->chunk->previous + c->read;
    command->type = reader_u8(&c->reader);
    command->payload = reader_counted(&c->reader);
    c->failed = c->reader.failed;
    return !c->failed;
}

void chunk_writer_begin(struct chunk_writer *w, uint64_t port, uint64_t previous, uint8_t flags)
{
    buf_clear(&w->bytes);
    w->count = 0;
    w->flags = flags;
    buf_put_le32(&w->bytes, 0);
    buf_put_u8(&w->bytes, CHUNK_VERSION);
    buf_put_u8(&w->bytes, flags);
    buf_put_le16(&w->bytes, 0);
    buf_put_le32(&w->bytes, 0);
    buf_put_le64(&w->bytes, port);
    buf_put_le64(&w->bytes, previous);
    buf_put_le64(&w->bytes, 0);
}

bool chunk_writer_empty(const struct chunk_writer *w)
{
    return w->count == 0;
}

struct blob *chunk_writer_finish(struct chunk_writer *w, uint64_t received)
{
    CHECK(w->bytes.size >= CHUNK_HEADER_SIZE && w->bytes.size <= UINT32_MAX);
    buf_set_le32(&w->bytes, 0, (uint32_t)w->bytes.size);
    buf_set_le32(&w->bytes, 8, w->count);
    buf_set_le64(&w->bytes, 28, received);
    struct blob *blob = blob_copy(w->bytes.data, w->bytes.size);
    buf_clear(&w->bytes);
    w->count = 0;
    return blob;
}

void chunk_writer_close(struct chunk_writer *w)
{
    buf_close(&w->bytes);
    w->count = 0;
}

static void begin(struct chunk_writer *w, uint64_t number, uint8_t type, size_t size)
{
    w->count++;
    if (w->flags & CHUNK_SPARSE) buf_put_le64(&w->bytes, number);
    buf_put_u8(&w->bytes, type);
    buf_put_varint(&w->bytes, size);
}

/* --- enqueue --- */

void command_enqueue_marked_encode(struct chunk_writer *w, uint64_t number, uint8_t flags, uint8_t priority,
                                   uint64_t ttl_ms, const uint64_t *queues, uint32_t queue_count,
                                   const struct enqueue_marks *marks, const struct content *content)
{
    struct buf encoded = {0};
    if (marks) enqueue_marks_put(&encoded, marks);
    size_t size = 2 + 8 + varint_size(queue_count) + queue_count * 8u + encoded.size + content_size(content);
    begin(w, number, COMMAND_ENQUEUE, size);
    buf_put_u8(&w->bytes, marks ? flags | ENQUEUE_MARKED : flags);
    buf_put_u8(&w->bytes, priority);
    buf_put_le64(&w->bytes, ttl_ms);
    buf_put_varint(&w->bytes, queue_count);
    buf_put(&w->bytes, queues, queue_count * 8u);
    buf_put_slice(&w->bytes, buf_slice(&encoded));
    content_encode(&w->bytes, content);
    buf_close(&encoded);
}

void command_enqueue_encode(struct chunk_writer *w, uint64_t number, uint8_t flags, uint8_t priority, uint64_t ttl_ms,
                            const uint64_t *queues, uint32_t queue_count, const struct content *content)
{
    command_enqueue_marked_encode(w, number, flags, priority, ttl_ms, queues, queue_count, NULL, content);
}

bool command_enqueue_decode(struct slice payload, struct command_enqueue *c)
{
    struct reader r = reader_of(payload);
    c->flags = reader_u8(&r);
    c->priority = reader_u8(&r);
    c->ttl_ms = reader_le64(&r);
    uint64_t count = reader_varint(&r);
    if (count > ENQUEUE_QUEUES_MAX) return false;
    c->queue_count = (uint32_t)count;
    c->queue_ids = reader_bytes(&r, count * 8);
    c->marks.store_count = 0; /* the rest of it is not looked at if there are none */
    if (c->flags & ENQUEUE_MARKED) enqueue_marks_read(&r, &c->marks);
    c->content = reader_bytes(&r, reader_left(&r));
    struct content parts;
    return !r.failed && (count || c->marks.store_count) && content_decode(c->content, &parts);
}

/* --- the others --- */

void command_settle_encode(struct chunk_writer *w, uint8_t outcome, uint64_t first, uint64_t last)
{
    begin(w, 0, COMMAND_SETTLE, 1 + varint_size(first) + varint_size(last - first));
    buf_put_u8(&w->bytes, outcome);
    buf_put_varint(&w->bytes, first);
    buf_put_varint(&w->bytes, last - first);
}

bool command_settle_decode(struct slice payload, struct command_settle *c)
{
    struct reader r = reader_of(payload);
    c->outcome = reader_u8(&r);
    c->first = reader_varint(&r);
    c->last = c->first + reader_varint(&r);
    return !r.failed && !reader_left(&r) && c->outcome <= SETTLE_FAIL && c->first > 0 && c->last >= c->first;
}

void command_attach_encode(struct chunk_writer *w, const struct command_attach *c)
{
    size_t size = 8 + 4 + 1 + 4 + 4 + varint_size(c->timeout_ms) + varint_size(c->tag.size) + c->tag.size;
    begin(w, 0, COMMAND_ATTACH, size);
    buf_put_le64(&w->bytes, c->queue);
    buf_put_le32(&w->bytes, c->consumer);
    buf_put_u8(&w->bytes, c->flags);
    buf_put_le32(&w->bytes, c->prefetch);
    buf_put_le32(&w->bytes, (uint32_t)c->priority);
    buf_put_varint(&w->bytes, c->timeout_ms);
    buf_put_counted(&w->bytes, c->tag);
}

bool command_attach_decode(struct slice payload, struct command_attach *c)
{
    struct reader r = reader_of(payload);
    c->queue = reader_le64(&r);
    c->consumer = reader_le32(&r);
    c->flags = reader_u8(&r);
    c->prefetch = reader_le32(&r);
    c->priority = (int32_t)reader_le32(&r);
    c->timeout_ms = reader_varint(&r);
    c->tag = reader_counted(&r);
    return !r.failed && !reader_left(&r) && c->consumer > 0 && c->timeout_ms <= COMMAND_TIME_MS_MAX;
}

void command_detach_encode(struct chunk_writer *w, uint32_t consumer)
{
    begin(w, 0, COMMAND_DETACH, 4);
    buf_put_le32(&w->bytes, consumer);
}

bool command_detach_decode(struct slice payload, struct command_detach *c)
{
    struct reader r = reader_of(payload);
    c->consumer = reader_le32(&r);
    return !r.failed && !reader_left(&r);
}

void command_limit_encode(struct chunk_writer *w, uint32_t prefetch)
{
    begin(w, 0, COMMAND_LIMIT, 4);
    buf_put_le32(&w->bytes, prefetch);
}

bool command_limit_decode(struct slice payload, struct command_limit *c)
{
    struct reader r = reader_of(payload);
    c->prefetch = reader_le32(&r);
    return !r.failed && !reader_left(&r);
}

void command_queue_encode(struct chunk_writer *w, uint8_t type, uint64_t queue)
{
    begin(w, 0, type, 8);
    buf_put_le64(&w->bytes, queue);
}

bool command_queue_decode(struct slice payload, uint64_t *queue)
{
    struct reader r = reader_of(payload);
    *queue = reader_le64(&r);
    return !r.failed && !reader_left(&r);
}

void command_get_encode(struct chunk_writer *w, uint64_t queue, bool no_ack)
{
    begin(w, 0, COMMAND_GET, 9);
    buf_put_le64(&w->bytes, queue);
    buf_put_u8(&w->bytes, no_ack ? GET_NO_ACK : 0);
}

bool command_get_decode(struct slice payload, uint64_t *queue, uint8_t *flags)
{
    struct reader r = reader_of(payload);
    *queue = reader_le64(&r);
    *flags = reader_left(&r) ? reader_u8(&r) : 0;
    return !r.failed && !reader_left(&r);
}

void command_delete_encode(struct chunk_writer *w, uint64_t queue, uint8_t flags)
{
    begin(w, 0, COMMAND_DELETE, 9);
    buf_put_le64(&w->bytes, queue);
    buf_put_u8(&w->bytes, flags);
}

bool command_delete_decode(struct slice payload, struct command_delete *c)
{
    struct reader r = reader_of(payload);
    c->queue = reader_le64(&r);
    c->flags = reader_u8(&r);
    return !r.failed && !reader_left(&r);
}

void command_configure_encode(struct chunk_writer *w, const struct command_configure *c)
{
    struct buf payload = {0};
    buf_put_le64(&payload, c->queue);
    queue_settings_encode(&payload, &c->settings);
    begin(w, 0, COMMAND_CONFIGURE, payload.size);
    buf_put_slice(&w->bytes, buf_slice(&payload));
    buf_close(&payload);
}

bool command_configure_decode(struct slice payload, struct command_configure *c)
{
    struct reader r = reader_of(payload);
    c->queue = reader_le64(&r);
    return queue_settings_decode(&r, &c->settings) && !reader_left(&r) && c->queue > 0;
}

void command_empty_encode(struct chunk_writer *w, uint8_t type)
{
    begin(w, 0, type, 0);
}

void command_history_encode(struct chunk_writer *w, uint8_t type, const struct command_history *c)
{
    begin(w, 0, type, 4 + c->vhost.size + c->exchange.size + 8 + c->destination.size);
    put_short(&w->bytes, c->vhost);
    put_short(&w->bytes, c->exchange);
    buf_put_le64(&w->bytes, c->queue);
    buf_put_le16(&w->bytes, (uint16_t)c->destination.size);
    buf_put_slice(&w->bytes, c->destination);
}

bool command_history_decode(struct slice payload, struct command_history *c)
{
    struct reader r = reader_of(payload);
    c->vhost = reader_bytes(&r, reader_u8(&r));
    c->exchange = reader_bytes(&r, reader_u8(&r));
    c->queue = reader_le64(&r);
    c->destination = reader_bytes(&r, reader_le16(&r));
    return !r.failed && !reader_left(&r) && c->destination.size <= UINT8_MAX;
}

void command_node_silent_encode(struct chunk_writer *w, const struct command_node_silent *c)
{
    begin(w, 0, COMMAND_NODE_SILENT, 21);
    buf_put_u8(&w->bytes, c->node);
    buf_put_le32(&w->bytes, c->epoch);
    buf_put_le64(&w->bytes, c->silent_ms);
    buf_put_le64(&w->bytes, c->timeout_ms);
}

bool command_node_silent_decode(struct slice payload, struct command_node_silent *c)
{
    struct reader r = reader_of(payload);
    c->node = reader_u8(&r);
    c->epoch = reader_le32(&r);
    c->silent_ms = reader_le64(&r);
    c->timeout_ms = reader_le64(&r);
    return !r.failed && !reader_left(&r);
}

void command_node_down_encode(struct chunk_writer *w, uint8_t node, uint32_t epoch)
{
    begin(w, 0, COMMAND_NODE_DOWN, 5);
    buf_put_u8(&w->bytes, node);
    buf_put_le32(&w->bytes, epoch);
}

bool command_node_down_decode(struct slice payload, struct command_node_down *c)
{
    struct reader r = reader_of(payload);
    c->node = reader_u8(&r);
    c->epoch = reader_le32(&r);
    return !r.failed && !reader_left(&r);
}

void command_dead_lettered_encode(struct chunk_writer *w, uint64_t first, uint64_t last)
{
    begin(w, 0, COMMAND_DEAD_LETTERED, 16);
    buf_put_le64(&w->bytes, first);
    buf_put_le64(&w->bytes, last);
}

bool command_dead_lettered_decode(struct slice payload, struct command_dead_lettered *c)
{
    struct reader r = reader_of(payload);
    c->first = reader_le64(&r);
    c->last = reader_le64(&r);
    return !r.failed && !reader_left(&r) && c->last >= c->first;
}

void command_topology_encode(struct chunk_writer *w, struct slice topology_command)
{
    begin(w, 0, COMMAND_TOPOLOGY, topology_command.size);
    buf_put_slice(&w->bytes, topology_command);
}
