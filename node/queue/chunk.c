/* Contents of messages as bytes; chunks: runs of commands with consecutive numbers. */
#include "node/queue/command.h"

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

void content_encode(struct buf *b, const struct content *c)
{
    buf_put_short(b, c->exchange);
    buf_put_short(b, c->routing_key);
    buf_put_varint(b, c->properties.size | (c->bcc.size ? CONTENT_HAS_BCC : 0));
    buf_put_slice(b, c->properties);
    if (c->bcc.size) buf_put_counted(b, c->bcc);
    buf_put_slice(b, c->body);
}

size_t content_size(const struct content *c)
{
    uint64_t properties = c->properties.size | (c->bcc.size ? CONTENT_HAS_BCC : 0);
    size_t bcc = c->bcc.size ? buf_varint_size(c->bcc.size) + c->bcc.size : 0;
    return 2 + c->exchange.size + c->routing_key.size + buf_varint_size(properties) + c->properties.size + bcc +
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

void chunk_writer_begin_command(struct chunk_writer *w, uint64_t number, uint8_t type, size_t size)
{
    w->count++;
    if (w->flags & CHUNK_SPARSE) buf_put_le64(&w->bytes, number);
    buf_put_u8(&w->bytes, type);
    buf_put_varint(&w->bytes, size);
}
