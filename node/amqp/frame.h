/* Frames: the bytes of a connection, cut in place and put together.
 *
 *     u8 type | be16 channel | be32 size | payload | u8 206
 *
 * Pure; any thread. Parsed frames borrow from the bytes they were found in; encoders append to a buf and cannot fail.
 * Source: AMQP 0-9-1 section 2.3 (and 4.2.3). */
#ifndef WARREN_NODE_AMQP_FRAME_H
#define WARREN_NODE_AMQP_FRAME_H

#include "base/buf.h"
#include "base/slice.h"
#include "node/amqp/method.h"
#include "node/amqp/spec.h"

struct amqp_frame {
    uint8_t type; /* as received: not checked to be one of the four */
    uint16_t channel;
    struct slice payload;
};

enum amqp_parse {
    AMQP_PARSE_MORE, /* not whole yet */
    AMQP_PARSE_DONE,
    AMQP_PARSE_TOO_LARGE,     /* 501: the payload is more than frame_max; known from the head alone */
    AMQP_PARSE_BAD_END,       /* 501: the octet behind the payload is not 206 */
    AMQP_PARSE_NOT_AMQP_0_9_1 /* protocol header only: answer with amqp_protocol_header_put() and close the socket */
};

/* The limit is RabbitMQ's: the payload alone may be as large as frame_max, though the specification counts head and end
 * octet too, because many clients are off by those eight bytes.
 *
 * The frame at the front of `input`; its whole size is AMQP_FRAME_OVERHEAD + payload.size. `frame_max` 0: no limit. On
 * TOO_LARGE type, channel and the payload that is there are set; on BAD_END the whole frame is. */
enum amqp_parse amqp_frame_parse(struct slice input, uint32_t frame_max, struct amqp_frame *frame);

/* Looks at the eight bytes "AMQP" 0 0 9 1, or 1 1 0 9 of the version before, which RabbitMQ takes for the same. A
 * difference is seen at its first byte. MORE, DONE or NOT_AMQP_0_9_1. */
enum amqp_parse amqp_protocol_header_parse(struct slice input);
void amqp_protocol_header_put(struct buf *b);

/* A header frame's payload: be16 class | be16 weight | be64 body size | property flags and values. */
struct amqp_content_header {
    uint16_t class_id;
    uint64_t body_size;
    struct slice properties; /* flags and values as sent; see properties.h */
};
bool amqp_content_header_decode(struct slice payload, struct amqp_content_header *header); /* false: too short */

/* --- encoders: each appends whole frames --- */
/* Put a payload between these two; `at` is what open returned. */
size_t amqp_frame_open(struct buf *b, uint8_t type, uint16_t channel);
void amqp_frame_close(struct buf *b, size_t at);

void amqp_method_put(struct buf *b, uint16_t channel, const struct amqp_method *method);
void amqp_heartbeat_put(struct buf *b);
void amqp_header_put(struct buf *b, uint16_t channel, uint64_t body_size, struct slice properties);
/* As many body frames as `frame_max` asks for (0: one); none for an empty body. */
void amqp_body_put(struct buf *b, uint16_t channel, struct slice body, uint32_t frame_max);

/* The hot ones: method, header and body frames in one go, one reservation. `properties` are flags and values, bit
 * exact. */
struct amqp_delivery {
    struct slice consumer_tag; /* deliver only */
    uint64_t delivery_tag;     /* deliver and get-ok */
    bool redelivered;          /* deliver and get-ok */
    uint32_t message_count;    /* get-ok only */
    uint16_t reply_code;       /* return only */
    struct slice reply_text;   /* return only */
    struct slice exchange;
    struct slice routing_key;
    struct slice properties;
    struct slice body;
};
void amqp_deliver_put(struct buf *b, uint16_t channel, uint32_t frame_max, const struct amqp_delivery *d);
void amqp_get_ok_put(struct buf *b, uint16_t channel, uint32_t frame_max, const struct amqp_delivery *d);
void amqp_return_put(struct buf *b, uint16_t channel, uint32_t frame_max, const struct amqp_delivery *d);
/* Publisher confirms: basic.ack or basic.nack. */
void amqp_ack_put(struct buf *b, uint16_t channel, uint64_t delivery_tag, bool multiple);
void amqp_nack_put(struct buf *b, uint16_t channel, uint64_t delivery_tag, bool multiple);

#endif
