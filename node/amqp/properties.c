#include "node/amqp/properties.h"

#include <stddef.h>

#include "base/reader.h"
#include "node/amqp/spec.h"
#include "node/amqp/table.h"

enum { UNKNOWN_FLAGS = 3 /* bit 0 continues the flags, bit 1 belongs to no property */ };

struct string_property {
    uint16_t flag;
    uint16_t offset;
};

/* The short strings between and behind the four other properties, in the order of the wire. */
#define STRING(flag, member)                           \
    {                                                  \
        flag, offsetof(struct amqp_properties, member) \
    }
static const struct string_property strings_first[] = {
    STRING(AMQP_HAS_CONTENT_TYPE, content_type),
    STRING(AMQP_HAS_CONTENT_ENCODING, content_encoding),
};
static const struct string_property strings_middle[] = {
    STRING(AMQP_HAS_CORRELATION_ID, correlation_id),
    STRING(AMQP_HAS_REPLY_TO, reply_to),
    STRING(AMQP_HAS_EXPIRATION, expiration),
    STRING(AMQP_HAS_MESSAGE_ID, message_id),
};
static const struct string_property strings_last[] = {
    STRING(AMQP_HAS_TYPE, type),
    STRING(AMQP_HAS_USER_ID, user_id),
    STRING(AMQP_HAS_APP_ID, app_id),
    STRING(AMQP_HAS_CLUSTER_ID, cluster_id),
};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct slice read_shortstr(struct reader *r)
{
    return reader_bytes(r, reader_u8(r));
}

static void decode_strings(struct reader *r, const struct string_property *s, size_t count, struct amqp_properties *p)
{
    for (size_t i = 0; i < count; i++)
        if (p->flags & s[i].flag) *(struct slice *)(void *)((char *)p + s[i].offset) = read_shortstr(r);
}

unsigned amqp_properties_decode(struct slice raw, struct amqp_properties *p)
{
    struct reader r = reader_of(raw);
    *p = (struct amqp_properties){.flags = reader_be16(&r)};
    if (p->flags & UNKNOWN_FLAGS) return AMQP_FRAME_ERROR;
    decode_strings(&r, strings_first, COUNT(strings_first), p);
    if (p->flags & AMQP_HAS_HEADERS) p->headers = reader_bytes(&r, reader_be32(&r));
    if (p->flags & AMQP_HAS_DELIVERY_MODE) p->delivery_mode = reader_u8(&r);
    if (p->flags & AMQP_HAS_PRIORITY) p->priority = reader_u8(&r);
    decode_strings(&r, strings_middle, COUNT(strings_middle), p);
    if (p->flags & AMQP_HAS_TIMESTAMP) p->timestamp = reader_be64(&r);
    decode_strings(&r, strings_last, COUNT(strings_last), p);
    if (r.failed || reader_left(&r)) return AMQP_FRAME_ERROR;
    return amqp_table_validate(p->headers);
}

unsigned amqp_properties_brief(struct slice raw, struct amqp_properties_brief *p)
{
    struct reader r = reader_of(raw);
    *p = (struct amqp_properties_brief){.flags = reader_be16(&r)};
    uint16_t flags = p->flags;
    if (flags & UNKNOWN_FLAGS) return AMQP_FRAME_ERROR;
    if (flags & AMQP_HAS_CONTENT_TYPE) read_shortstr(&r);
    if (flags & AMQP_HAS_CONTENT_ENCODING) read_shortstr(&r);
    if (flags & AMQP_HAS_HEADERS) p->headers = reader_bytes(&r, reader_be32(&r));
    if (flags & AMQP_HAS_DELIVERY_MODE) p->delivery_mode = reader_u8(&r);
    if (flags & AMQP_HAS_PRIORITY) p->priority = reader_u8(&r);
    if (flags & AMQP_HAS_CORRELATION_ID) read_shortstr(&r);
    if (flags & AMQP_HAS_REPLY_TO) p->reply_to = read_shortstr(&r);
    if (flags & AMQP_HAS_EXPIRATION) p->expiration = read_shortstr(&r);
    if (flags & AMQP_HAS_MESSAGE_ID) read_shortstr(&r);
    if (flags & AMQP_HAS_TIMESTAMP) reader_be64(&r);
    if (flags & AMQP_HAS_TYPE) read_shortstr(&r);
    if (flags & AMQP_HAS_USER_ID) p->user_id = read_shortstr(&r);
    if (flags & AMQP_HAS_APP_ID) read_shortstr(&r);
    if (flags & AMQP_HAS_CLUSTER_ID) read_shortstr(&r);
    if (r.failed || reader_left(&r)) return AMQP_FRAME_ERROR;
    return p->headers.size ? amqp_table_validate(p->headers) : 0;
}

static void encode_strings(struct buf *b, const struct string_property *s, size_t count,
                           const struct amqp_properties *p)
{
    for (size_t i = 0; i < count; i++) {
        if (!(p->flags & s[i].flag)) continue;
        const struct slice *text = (const void *)((const char *)p + s[i].offset);
        CHECK(text->size <= AMQP_SHORTSTR_MAX);
        buf_put_u8(b, (uint8_t)text->size);
        buf_put_slice(b, *text);
    }
}

void amqp_properties_encode(struct buf *b, const struct amqp_properties *p)
{
    CHECK(!(p->flags & UNKNOWN_FLAGS));
    CHECK(p->headers.size <= UINT32_MAX);
    buf_put_be16(b, p->flags);
    encode_strings(b, strings_first, COUNT(strings_first), p);
    if (p->flags & AMQP_HAS_HEADERS) {
        buf_put_be32(b, (uint32_t)p->headers.size);
        buf_put_slice(b, p->headers);
    }
    if (p->flags & AMQP_HAS_DELIVERY_MODE) buf_put_u8(b, p->delivery_mode);
    if (p->flags & AMQP_HAS_PRIORITY) buf_put_u8(b, p->priority);
    encode_strings(b, strings_middle, COUNT(strings_middle), p);
    if (p->flags & AMQP_HAS_TIMESTAMP) buf_put_be64(b, p->timestamp);
    encode_strings(b, strings_last, COUNT(strings_last), p);
}

void amqp_properties_replace_headers(struct buf *b, struct slice raw, struct slice headers, uint16_t without)
{
    struct amqp_properties p;
    CHECK(amqp_properties_decode(raw, &p) == 0);
    p.headers = headers;
    p.flags = (uint16_t)((headers.size ? p.flags | AMQP_HAS_HEADERS : p.flags) & ~without);
    amqp_properties_encode(b, &p);
}
