/* The payload of each command, encoded and decoded. */
#include "node/queue/command.h"

/* --- enqueue --- */

void command_enqueue_marked_encode(struct chunk_writer *w, uint64_t number, uint8_t flags, uint8_t priority,
                                   uint64_t ttl_ms, const uint64_t *queues, uint32_t queue_count,
                                   const struct enqueue_marks *marks, const struct content *content)
{
    struct buf encoded = {0};
    if (marks) enqueue_marks_put(&encoded, marks);
    size_t size = 2 + 8 + buf_varint_size(queue_count) + queue_count * 8u + encoded.size + content_size(content);
    chunk_writer_begin_command(w, number, COMMAND_ENQUEUE, size);
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
    chunk_writer_begin_command(w, 0, COMMAND_SETTLE, 1 + buf_varint_size(first) + buf_varint_size(last - first));
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
    return !r.failed && !reader_left(&r) && c->outcome <= SETTLE_UNSEEN && c->first > 0 && c->last >= c->first;
}

void command_attach_encode(struct chunk_writer *w, const struct command_attach *c)
{
    size_t size = 8 + 4 + 1 + 4 + 4 + buf_varint_size(c->timeout_ms) + buf_varint_size(c->tag.size) + c->tag.size;
    chunk_writer_begin_command(w, 0, COMMAND_ATTACH, size);
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
    chunk_writer_begin_command(w, 0, COMMAND_DETACH, 4);
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
    chunk_writer_begin_command(w, 0, COMMAND_LIMIT, 4);
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
    chunk_writer_begin_command(w, 0, type, 8);
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
    chunk_writer_begin_command(w, 0, COMMAND_GET, 9);
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
    chunk_writer_begin_command(w, 0, COMMAND_DELETE, 9);
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
    chunk_writer_begin_command(w, 0, COMMAND_CONFIGURE, payload.size);
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
    chunk_writer_begin_command(w, 0, type, 0);
}

void command_history_encode(struct chunk_writer *w, uint8_t type, const struct command_history *c)
{
    chunk_writer_begin_command(w, 0, type, 4 + c->vhost.size + c->exchange.size + 8 + c->destination.size);
    buf_put_short(&w->bytes, c->vhost);
    buf_put_short(&w->bytes, c->exchange);
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
    chunk_writer_begin_command(w, 0, COMMAND_NODE_SILENT, 21);
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
    chunk_writer_begin_command(w, 0, COMMAND_NODE_DOWN, 5);
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
    chunk_writer_begin_command(w, 0, COMMAND_DEAD_LETTERED, 16);
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

void command_dead_letter_again_encode(struct chunk_writer *w, const struct command_dead_letter_again *c)
{
    chunk_writer_begin_command(w, 0, COMMAND_DEAD_LETTER_AGAIN, 12 + c->targets.size);
    buf_put_le64(&w->bytes, c->number);
    buf_put_le32(&w->bytes, c->after_ms);
    buf_put_slice(&w->bytes, c->targets);
}

bool command_dead_letter_again_decode(struct slice payload, struct command_dead_letter_again *c)
{
    struct reader r = reader_of(payload);
    c->number = reader_le64(&r);
    c->after_ms = reader_le32(&r);
    c->targets = reader_bytes(&r, reader_left(&r));
    return !r.failed && c->targets.size % 8 == 0;
}

void command_topology_encode(struct chunk_writer *w, struct slice topology_command)
{
    chunk_writer_begin_command(w, 0, COMMAND_TOPOLOGY, topology_command.size);
    buf_put_slice(&w->bytes, topology_command);
}
