/* The 14 basic properties of a message: flags and values as they follow the body size in a header frame.
 *
 * Pure; any thread; no allocation. Decoded slices borrow. The broker stores and delivers the raw bytes bit exact;
 * decoding is only for what it must know. Source: AMQP 0-9-1 section 4.2.6 and class basic. */
#ifndef WARREN_NODE_AMQP_PROPERTIES_H
#define WARREN_NODE_AMQP_PROPERTIES_H

#include "base/buf.h"
#include "base/slice.h"

/* Bits of the flag word. Bit 0 says that another word follows, which class basic never needs (it is refused). */
enum {
    AMQP_HAS_CONTENT_TYPE = 1 << 15,
    AMQP_HAS_CONTENT_ENCODING = 1 << 14,
    AMQP_HAS_HEADERS = 1 << 13,
    AMQP_HAS_DELIVERY_MODE = 1 << 12,
    AMQP_HAS_PRIORITY = 1 << 11,
    AMQP_HAS_CORRELATION_ID = 1 << 10,
    AMQP_HAS_REPLY_TO = 1 << 9,
    AMQP_HAS_EXPIRATION = 1 << 8,
    AMQP_HAS_MESSAGE_ID = 1 << 7,
    AMQP_HAS_TIMESTAMP = 1 << 6,
    AMQP_HAS_TYPE = 1 << 5,
    AMQP_HAS_USER_ID = 1 << 4,
    AMQP_HAS_APP_ID = 1 << 3,
    AMQP_HAS_CLUSTER_ID = 1 << 2,
};
enum { AMQP_DELIVERY_PERSISTENT = 2 };

struct amqp_properties {
    uint16_t flags; /* which of the following are there */
    uint8_t delivery_mode;
    uint8_t priority;
    uint64_t timestamp; /* seconds */
    struct slice content_type, content_encoding, headers /* table without length */, correlation_id, reply_to,
        expiration, message_id, type, user_id, app_id, cluster_id;
};

/* 0, or 501 (cut off, bytes left over, unknown flags) or 502 (the headers table is damaged). */
unsigned amqp_properties_decode(struct slice raw, struct amqp_properties *p);
void amqp_properties_encode(struct buf *b, const struct amqp_properties *p); /* strings at most 255 bytes (CHECK) */

/* What a publish needs, in one walk over the lengths: the same checks as amqp_properties_decode(). */
struct amqp_properties_brief {
    uint16_t flags;
    uint8_t delivery_mode; /* 0 if absent, as the next */
    uint8_t priority;
    struct slice headers;
    struct slice reply_to;
    struct slice expiration;
    struct slice user_id;
};
unsigned amqp_properties_brief(struct slice raw, struct amqp_properties_brief *p);

/* The raw bytes again, with other headers in place of what was there (dead lettering, CC and BCC). An empty table
 * stays one where there were headers; a property whose flag is in `without` goes (dead lettering drops the expiration).
 * `raw` must have passed amqp_properties_decode() (CHECK). */
void amqp_properties_replace_headers(struct buf *b, struct slice raw, struct slice headers, uint16_t without);

#endif
