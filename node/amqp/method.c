#include "node/amqp/method.h"

#include "base/reader.h"
#include "base/utf8.h"
#include "node/amqp/method_internal.h"
#include "node/amqp/table.h"

enum { METHOD_HEAD_SIZE = 4, ACK_SIZE = METHOD_HEAD_SIZE + 8 + 1, PUBLISH_SIZE_MIN = METHOD_HEAD_SIZE + 2 + 1 + 1 + 1 };

static unsigned decode_fields(struct slice fields, const struct amqp_method_description *d, struct amqp_method *m);
static unsigned decode_publish(struct slice payload, struct amqp_basic_publish *p);

static inline uint16_t load_be16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint64_t load_be64(const uint8_t *at)
{
    uint64_t wire;
    memcpy(&wire, at, sizeof wire);
    return __builtin_bswap64(wire);
}

unsigned amqp_method_decode(struct slice payload, struct amqp_method *m)
{
    if (payload.size < METHOD_HEAD_SIZE) {
        *m = (struct amqp_method){0};
        return AMQP_FRAME_ERROR;
    }
    const uint8_t *at = payload.data;
    m->class_id = load_be16(at);
    m->method_id = load_be16(at + 2);
    unsigned number = amqp_method_number(m);
    switch (number) { /* the hot ones have no loop */
    case AMQP_BASIC_PUBLISH:
        return decode_publish(payload, &m->basic_publish);
    case AMQP_BASIC_ACK:
        if (payload.size != ACK_SIZE) return AMQP_FRAME_ERROR;
        m->basic_ack = (struct amqp_basic_ack){load_be64(at + METHOD_HEAD_SIZE), at[ACK_SIZE - 1] & 1};
        return 0;
    case AMQP_BASIC_REJECT:
        if (payload.size != ACK_SIZE) return AMQP_FRAME_ERROR;
        m->basic_reject = (struct amqp_basic_reject){load_be64(at + METHOD_HEAD_SIZE), at[ACK_SIZE - 1] & 1};
        return 0;
    case AMQP_BASIC_NACK:
        if (payload.size != ACK_SIZE) return AMQP_FRAME_ERROR;
        m->basic_nack =
            (struct amqp_basic_nack){load_be64(at + METHOD_HEAD_SIZE), at[ACK_SIZE - 1] & 1, at[ACK_SIZE - 1] >> 1 & 1};
        return 0;
    default:
        break;
    }
    const struct amqp_method_description *d = amqp_method_describe(number);
    if (!d) return AMQP_NOT_IMPLEMENTED;
    return decode_fields(slice_of(at + METHOD_HEAD_SIZE, payload.size - METHOD_HEAD_SIZE), d, m);
}

static unsigned decode_publish(struct slice payload, struct amqp_basic_publish *p)
{
    const uint8_t *at = payload.data + METHOD_HEAD_SIZE, *end = payload.data + payload.size;
    if (payload.size < PUBLISH_SIZE_MIN) return AMQP_FRAME_ERROR;
    p->ticket = load_be16(at);
    at += 2;
    p->exchange = slice_of(at + 1, at[0]);
    at += 1 + p->exchange.size;
    if (end - at < 2) return AMQP_FRAME_ERROR; /* the routing key's length and the bits are still to come */
    p->routing_key = slice_of(at + 1, at[0]);
    at += 1 + p->routing_key.size;
    if (end - at != 1) return AMQP_FRAME_ERROR;
    p->mandatory = at[0] & 1;
    p->immediate = at[0] >> 1 & 1;
    return 0;
}

static inline void *field_of(const struct amqp_method *m, const struct amqp_field *f)
{
    return (char *)m + f->offset;
}

static unsigned decode_fields(struct slice fields, const struct amqp_method_description *d, struct amqp_method *m)
{
    struct reader r = reader_of(fields);
    unsigned bit = 0;
    uint8_t bits = 0;
    bool table_damaged = false;
    for (const struct amqp_field *f = d->fields; f && f->name; f++) {
        void *out = field_of(m, f);
        if (f->type != AMQP_FIELD_BIT) bit = 0;
        switch ((enum amqp_field_type)f->type) {
        case AMQP_FIELD_OCTET:
            *(uint8_t *)out = reader_u8(&r);
            break;
        case AMQP_FIELD_SHORT:
            *(uint16_t *)out = reader_be16(&r);
            break;
        case AMQP_FIELD_LONG:
            *(uint32_t *)out = reader_be32(&r);
            break;
        case AMQP_FIELD_LONGLONG:
            *(uint64_t *)out = reader_be64(&r);
            break;
        case AMQP_FIELD_BIT:
            if (bit % 8 == 0) bits = reader_u8(&r);
            *(bool *)out = bits >> (bit % 8) & 1;
            bit++;
            break;
        case AMQP_FIELD_SHORTSTR:
            *(struct slice *)out = reader_bytes(&r, reader_u8(&r));
            break;
        case AMQP_FIELD_LONGSTR:
        case AMQP_FIELD_SECRET:
            *(struct slice *)out = reader_bytes(&r, reader_be32(&r));
            break;
        case AMQP_FIELD_TABLE: {
            struct slice table = reader_bytes(&r, reader_be32(&r));
            *(struct slice *)out = table;
            if (amqp_table_validate(table)) table_damaged = true;
            break;
        }
        }
    }
    if (r.failed || reader_left(&r)) return AMQP_FRAME_ERROR;
    return table_damaged ? AMQP_SYNTAX_ERROR : 0;
}

bool amqp_method_texts_are_valid(const struct amqp_method *m)
{
    switch (amqp_method_number(m)) {
    case AMQP_BASIC_PUBLISH:
    case AMQP_BASIC_ACK:
    case AMQP_BASIC_REJECT:
    case AMQP_BASIC_NACK:
        return true;
    default:
        break;
    }
    const struct amqp_method_description *d = amqp_method_describe(amqp_method_number(m));
    for (const struct amqp_field *f = d->fields; f && f->name; f++)
        if (f->type == AMQP_FIELD_SHORTSTR && !utf8_is_valid(*(const struct slice *)field_of(m, f))) return false;
    return true;
}

static void put_longstr(struct buf *b, struct slice s)
{
    CHECK(s.size <= UINT32_MAX);
    buf_put_be32(b, (uint32_t)s.size);
    buf_put_slice(b, s);
}

void amqp_method_encode(struct buf *b, const struct amqp_method *m)
{
    const struct amqp_method_description *d = amqp_method_describe(amqp_method_number(m));
    CHECK(d);
    buf_put_be16(b, m->class_id);
    buf_put_be16(b, m->method_id);
    unsigned bit = 0;
    for (const struct amqp_field *f = d->fields; f && f->name; f++) {
        const void *in = field_of(m, f);
        if (f->type != AMQP_FIELD_BIT) bit = 0;
        switch ((enum amqp_field_type)f->type) {
        case AMQP_FIELD_OCTET:
            buf_put_u8(b, *(const uint8_t *)in);
            break;
        case AMQP_FIELD_SHORT:
            buf_put_be16(b, *(const uint16_t *)in);
            break;
        case AMQP_FIELD_LONG:
            buf_put_be32(b, *(const uint32_t *)in);
            break;
        case AMQP_FIELD_LONGLONG:
            buf_put_be64(b, *(const uint64_t *)in);
            break;
        case AMQP_FIELD_BIT:
            if (bit % 8 == 0) buf_put_u8(b, 0);
            if (*(const bool *)in) b->data[b->size - 1] |= (uint8_t)(1u << (bit % 8));
            bit++;
            break;
        case AMQP_FIELD_SHORTSTR:
            buf_put_short(b, *(const struct slice *)in);
            break;
        case AMQP_FIELD_LONGSTR:
        case AMQP_FIELD_SECRET:
        case AMQP_FIELD_TABLE:
            put_longstr(b, *(const struct slice *)in);
            break;
        }
    }
}

static void print_text(struct buf *b, struct slice s)
{
    buf_put_u8(b, '"');
    for (size_t i = 0; i < s.size; i++) {
        uint8_t c = s.data[i];
        if (c >= ' ' && c < 0x7f && c != '"' && c != '\\') buf_put_u8(b, c);
        else buf_printf(b, "\\x%02x", c);
    }
    buf_put_u8(b, '"');
}

void amqp_method_print(struct buf *b, const struct amqp_method *m)
{
    const struct amqp_method_description *d = amqp_method_describe(amqp_method_number(m));
    if (!d) {
        buf_printf(b, "%u.%u", m->class_id, m->method_id);
        return;
    }
    buf_printf(b, "%s", d->name);
    for (const struct amqp_field *f = d->fields; f && f->name; f++) {
        const void *in = field_of(m, f);
        buf_printf(b, " %s=", f->name);
        switch ((enum amqp_field_type)f->type) {
        case AMQP_FIELD_OCTET:
            buf_printf(b, "%u", *(const uint8_t *)in);
            break;
        case AMQP_FIELD_SHORT:
            buf_printf(b, "%u", *(const uint16_t *)in);
            break;
        case AMQP_FIELD_LONG:
            buf_printf(b, "%u", *(const uint32_t *)in);
            break;
        case AMQP_FIELD_LONGLONG:
            buf_printf(b, "%llu", (unsigned long long)*(const uint64_t *)in);
            break;
        case AMQP_FIELD_BIT:
            buf_printf(b, "%s", *(const bool *)in ? "true" : "false");
            break;
        case AMQP_FIELD_SHORTSTR:
        case AMQP_FIELD_LONGSTR:
            print_text(b, *(const struct slice *)in);
            break;
        case AMQP_FIELD_SECRET:
            buf_printf(b, "***");
            break;
        case AMQP_FIELD_TABLE:
            amqp_table_print(b, *(const struct slice *)in);
            break;
        }
    }
}
