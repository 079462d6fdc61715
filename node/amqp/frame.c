#include "node/amqp/frame.h"

static const uint8_t protocol_header[AMQP_PROTOCOL_HEADER_SIZE] = {'A', 'M', 'Q', 'P', 0, 0, 9, 1};

enum {
    CONTENT_HEADER_SIZE = 12, /* class, weight, body size */
    DELIVERY_FIXED_SIZE = 64, /* all of a delivery but its strings, properties and body; see delivery_reserve() */
    BASIC_METHOD_ACK_SIZE = 13,
};

/* Stores without a bounds check: only behind delivery_reserve() or buf_reserve(). */
static inline uint8_t *store_u8(uint8_t *at, unsigned v)
{
    *at = (uint8_t)v;
    return at + 1;
}

static inline uint8_t *store_be16(uint8_t *at, uint16_t v)
{
    v = __builtin_bswap16(v);
    memcpy(at, &v, sizeof v);
    return at + sizeof v;
}

static inline uint8_t *store_be32(uint8_t *at, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(at, &v, sizeof v);
    return at + sizeof v;
}

static inline uint8_t *store_be64(uint8_t *at, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(at, &v, sizeof v);
    return at + sizeof v;
}

static inline uint8_t *store_bytes(uint8_t *at, struct slice s)
{
    if (s.size) memcpy(at, s.data, s.size);
    return at + s.size;
}

static inline uint8_t *store_shortstr(uint8_t *at, struct slice s)
{
    return store_bytes(store_u8(at, (unsigned)s.size), s);
}

static inline uint8_t *store_head(uint8_t *at, uint8_t type, uint16_t channel, uint32_t size)
{
    return store_be32(store_be16(store_u8(at, type), channel), size);
}

enum amqp_parse amqp_frame_parse(struct slice input, uint32_t frame_max, struct amqp_frame *frame)
{
    if (input.size < AMQP_FRAME_HEAD_SIZE) return AMQP_PARSE_MORE;
    const uint8_t *at = input.data;
    uint32_t size = (uint32_t)at[3] << 24 | (uint32_t)at[4] << 16 | (uint32_t)at[5] << 8 | at[6];
    size_t there = input.size - AMQP_FRAME_HEAD_SIZE;
    frame->type = at[0];
    frame->channel = (uint16_t)(at[1] << 8 | at[2]);
    frame->payload = slice_of(at + AMQP_FRAME_HEAD_SIZE, size < there ? size : there);
    if (frame_max && size > frame_max) return AMQP_PARSE_TOO_LARGE;
    if (there <= size) return AMQP_PARSE_MORE;
    return at[AMQP_FRAME_HEAD_SIZE + size] == AMQP_FRAME_END ? AMQP_PARSE_DONE : AMQP_PARSE_BAD_END;
}

enum amqp_parse amqp_protocol_header_parse(struct slice input)
{
    /* That of 0-9, which some clients send and then speak 0-9-1. */
    static const uint8_t before[AMQP_PROTOCOL_HEADER_SIZE] = {'A', 'M', 'Q', 'P', 1, 1, 0, 9};
    size_t count = input.size < sizeof protocol_header ? input.size : sizeof protocol_header;
    if (count && memcmp(input.data, protocol_header, count) != 0 && memcmp(input.data, before, count) != 0)
        return AMQP_PARSE_NOT_AMQP_0_9_1;
    return count == sizeof protocol_header ? AMQP_PARSE_DONE : AMQP_PARSE_MORE;
}

void amqp_protocol_header_put(struct buf *b)
{
    buf_put(b, protocol_header, sizeof protocol_header);
}

bool amqp_content_header_decode(struct slice payload, struct amqp_content_header *header)
{
    if (payload.size < CONTENT_HEADER_SIZE) return false;
    const uint8_t *at = payload.data;
    uint64_t wire;
    memcpy(&wire, at + 4, sizeof wire);
    header->class_id = (uint16_t)(at[0] << 8 | at[1]);
    header->body_size = __builtin_bswap64(wire);
    header->properties = slice_of(at + CONTENT_HEADER_SIZE, payload.size - CONTENT_HEADER_SIZE);
    return true;
}

size_t amqp_frame_open(struct buf *b, uint8_t type, uint16_t channel)
{
    size_t at = b->size;
    store_head(buf_reserve(b, AMQP_FRAME_HEAD_SIZE), type, channel, 0);
    b->size += AMQP_FRAME_HEAD_SIZE;
    return at;
}

void amqp_frame_close(struct buf *b, size_t at)
{
    CHECK(at + AMQP_FRAME_HEAD_SIZE <= b->size);
    buf_set_be32(b, at + 3, (uint32_t)(b->size - at - AMQP_FRAME_HEAD_SIZE));
    buf_put_u8(b, AMQP_FRAME_END);
}

void amqp_method_put(struct buf *b, uint16_t channel, const struct amqp_method *method)
{
    size_t at = amqp_frame_open(b, AMQP_FRAME_METHOD, channel);
    amqp_method_encode(b, method);
    amqp_frame_close(b, at);
}

void amqp_heartbeat_put(struct buf *b)
{
    amqp_frame_close(b, amqp_frame_open(b, AMQP_FRAME_HEARTBEAT, 0));
}

static uint8_t *store_header(uint8_t *at, uint16_t channel, uint64_t body_size, struct slice properties)
{
    at = store_head(at, AMQP_FRAME_HEADER, channel, (uint32_t)(CONTENT_HEADER_SIZE + properties.size));
    at = store_be16(store_be16(at, AMQP_CLASS_BASIC), 0);
    at = store_bytes(store_be64(at, body_size), properties);
    return store_u8(at, AMQP_FRAME_END);
}

void amqp_header_put(struct buf *b, uint16_t channel, uint64_t body_size, struct slice properties)
{
    uint8_t *at = buf_reserve(b, AMQP_FRAME_OVERHEAD + CONTENT_HEADER_SIZE + properties.size);
    b->size = (size_t)(store_header(at, channel, body_size, properties) - b->data);
}

static inline size_t body_part_max(struct slice body, uint32_t frame_max)
{
    CHECK(frame_max == 0 || frame_max > AMQP_FRAME_OVERHEAD);
    return frame_max ? frame_max - AMQP_FRAME_OVERHEAD : body.size;
}

static inline size_t body_frames_size(struct slice body, uint32_t frame_max)
{
    if (!body.size) return 0;
    size_t part = body_part_max(body, frame_max);
    return body.size <= part ? body.size + AMQP_FRAME_OVERHEAD
                             : body.size + (body.size + part - 1) / part * AMQP_FRAME_OVERHEAD;
}

static uint8_t *store_body(uint8_t *at, uint16_t channel, struct slice body, uint32_t frame_max)
{
    size_t part = body_part_max(body, frame_max);
    while (body.size) {
        size_t size = body.size < part ? body.size : part;
        at = store_head(at, AMQP_FRAME_BODY, channel, (uint32_t)size);
        at = store_u8(store_bytes(at, slice_of(body.data, size)), AMQP_FRAME_END);
        body = slice_of(body.data + size, body.size - size);
    }
    return at;
}

void amqp_body_put(struct buf *b, uint16_t channel, struct slice body, uint32_t frame_max)
{
    uint8_t *at = buf_reserve(b, body_frames_size(body, frame_max));
    b->size = (size_t)(store_body(at, channel, body, frame_max) - b->data);
}

/* Room for the whole delivery, so that everything after it is stored without a check. */
static uint8_t *delivery_reserve(struct buf *b, uint32_t frame_max, const struct amqp_delivery *d, struct slice extra)
{
    CHECK(d->exchange.size <= AMQP_SHORTSTR_MAX);
    CHECK(d->routing_key.size <= AMQP_SHORTSTR_MAX);
    CHECK(extra.size <= AMQP_SHORTSTR_MAX);
    return buf_reserve(b, DELIVERY_FIXED_SIZE + d->exchange.size + d->routing_key.size + extra.size +
                              d->properties.size + body_frames_size(d->body, frame_max));
}

/* Behind the method's last field: its size and end, then the content. `method` is where the method frame starts. */
static void delivery_finish(struct buf *b, uint8_t *method, uint8_t *at, uint16_t channel, uint32_t frame_max,
                            const struct amqp_delivery *d)
{
    store_head(method, AMQP_FRAME_METHOD, channel, (uint32_t)(at - method - AMQP_FRAME_HEAD_SIZE));
    at = store_u8(at, AMQP_FRAME_END);
    at = store_header(at, channel, d->body.size, d->properties);
    at = store_body(at, channel, d->body, frame_max);
    b->size = (size_t)(at - b->data);
}

void amqp_deliver_put(struct buf *b, uint16_t channel, uint32_t frame_max, const struct amqp_delivery *d)
{
    uint8_t *method = delivery_reserve(b, frame_max, d, d->consumer_tag);
    uint8_t *at = store_be32(method + AMQP_FRAME_HEAD_SIZE, AMQP_BASIC_DELIVER);
    at = store_shortstr(at, d->consumer_tag);
    at = store_be64(at, d->delivery_tag);
    at = store_u8(at, d->redelivered);
    at = store_shortstr(store_shortstr(at, d->exchange), d->routing_key);
    delivery_finish(b, method, at, channel, frame_max, d);
}

void amqp_get_ok_put(struct buf *b, uint16_t channel, uint32_t frame_max, const struct amqp_delivery *d)
{
    uint8_t *method = delivery_reserve(b, frame_max, d, slice_of(NULL, 0));
    uint8_t *at = store_be32(method + AMQP_FRAME_HEAD_SIZE, AMQP_BASIC_GET_OK);
    at = store_be64(at, d->delivery_tag);
    at = store_u8(at, d->redelivered);
    at = store_shortstr(store_shortstr(at, d->exchange), d->routing_key);
    at = store_be32(at, d->message_count);
    delivery_finish(b, method, at, channel, frame_max, d);
}

void amqp_return_put(struct buf *b, uint16_t channel, uint32_t frame_max, const struct amqp_delivery *d)
{
    uint8_t *method = delivery_reserve(b, frame_max, d, d->reply_text);
    uint8_t *at = store_be32(method + AMQP_FRAME_HEAD_SIZE, AMQP_BASIC_RETURN);
    at = store_be16(at, d->reply_code);
    at = store_shortstr(at, d->reply_text);
    at = store_shortstr(store_shortstr(at, d->exchange), d->routing_key);
    delivery_finish(b, method, at, channel, frame_max, d);
}

static void settlement_put(struct buf *b, uint16_t channel, unsigned number, uint64_t delivery_tag, bool multiple)
{
    uint8_t *at = buf_reserve(b, AMQP_FRAME_OVERHEAD + BASIC_METHOD_ACK_SIZE);
    at = store_head(at, AMQP_FRAME_METHOD, channel, BASIC_METHOD_ACK_SIZE);
    at = store_be64(store_be32(at, number), delivery_tag);
    store_u8(store_u8(at, multiple), AMQP_FRAME_END);
    b->size += AMQP_FRAME_OVERHEAD + BASIC_METHOD_ACK_SIZE;
}

void amqp_ack_put(struct buf *b, uint16_t channel, uint64_t delivery_tag, bool multiple)
{
    settlement_put(b, channel, AMQP_BASIC_ACK, delivery_tag, multiple);
}

void amqp_nack_put(struct buf *b, uint16_t channel, uint64_t delivery_tag, bool multiple)
{
    settlement_put(b, channel, AMQP_BASIC_NACK, delivery_tag, multiple);
}
