#include "node/mail/mail.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/reader.h"

enum { MAIL_VERSION = 1, EFFECT_HAS_CONTENT = 1, EFFECT_HAS_TEXT = 2, EFFECT_REDELIVERED = 4 };

struct mail *mail_create(uint8_t type)
{
    struct mail *m = mem_zalloc(sizeof *m);
    m->type = type;
    list_init(&m->link);
    effects_init(&m->effects);
    return m;
}

void mail_destroy(struct mail *m)
{
    if (!m) return;
    blob_unref(m->part.blob);
    effects_close(&m->effects);
    mem_free(m);
}

void mail_add_effect(struct mail *m, const struct effect *e)
{
    struct effect *copy = effects_add(&m->effects, e->type, e->port);
    *copy = *e;
    if (e->content.blob) effects_hold(&m->effects, e->content.blob);
    if (e->text.size) {
        struct slice text = effects_text(&m->effects, e->text);
        m->effects.items[m->effects.count - 1].text = text;
    }
}

static void encode_effect(const struct effect *e, struct buf *b)
{
    uint8_t flags = (e->content.blob ? EFFECT_HAS_CONTENT : 0) | (e->text.size ? EFFECT_HAS_TEXT : 0) |
                    (e->redelivered ? EFFECT_REDELIVERED : 0);
    buf_put_u8(b, e->type);
    buf_put_u8(b, e->code);
    buf_put_u8(b, flags);
    buf_put_le64(b, e->port);
    buf_put_varint(b, e->consumer);
    buf_put_varint(b, e->number);
    buf_put_varint(b, e->dseq);
    buf_put_varint(b, e->queue);
    buf_put_varint(b, e->a);
    buf_put_varint(b, e->b);
    if (e->content.blob) buf_put_counted(b, part_slice(e->content));
    if (e->text.size) buf_put_counted(b, e->text);
}

static bool decode_effect(struct reader *r, struct blob *blob, struct effects *effects)
{
    uint8_t type = reader_u8(r), code = reader_u8(r), flags = reader_u8(r);
    struct effect *e = effects_add(effects, type, reader_le64(r));
    e->code = code;
    e->redelivered = flags & EFFECT_REDELIVERED;
    e->consumer = (uint32_t)reader_varint(r);
    e->number = reader_varint(r);
    e->dseq = reader_varint(r);
    e->queue = reader_varint(r);
    e->a = reader_varint(r);
    e->b = reader_varint(r);
    if (flags & EFFECT_HAS_CONTENT) {
        struct slice content = reader_counted(r);
        if (r->failed) return false;
        e->content = (struct part){blob, (uint32_t)(content.data - blob->data), (uint32_t)content.size};
    }
    if (flags & EFFECT_HAS_TEXT) e->text = reader_counted(r);
    return !r->failed;
}

void mail_encode(const struct mail *m, struct buf *head)
{
    buf_put_u8(head, MAIL_VERSION);
    buf_put_u8(head, m->type);
    buf_put_le16(head, m->shard);
    buf_put_le32(head, m->group);
    buf_put_le64(head, m->term);
    buf_put_le64(head, m->port);
    buf_put_le64(head, m->a);
    buf_put_le64(head, m->b);
    buf_put_le32(head, (uint32_t)m->effects.count);
    for (size_t i = 0; i < m->effects.count; i++) encode_effect(&m->effects.items[i], head);
}

struct mail *mail_decode(struct blob *blob, uint32_t offset, uint32_t size)
{
    struct reader r = reader_of(slice_of(blob->data + offset, size));
    if (reader_u8(&r) != MAIL_VERSION) return NULL;
    struct mail *m = mail_create(reader_u8(&r));
    m->shard = reader_le16(&r);
    m->group = reader_le32(&r);
    m->term = reader_le64(&r);
    m->port = reader_le64(&r);
    m->a = reader_le64(&r);
    m->b = reader_le64(&r);
    uint32_t count = reader_le32(&r);
    if (count) effects_hold(&m->effects, blob);
    for (uint32_t i = 0; i < count && !r.failed; i++)
        if (!decode_effect(&r, blob, &m->effects)) break;
    if (r.failed) {
        mail_destroy(m);
        return NULL;
    }
    if (reader_left(&r)) {
        m->part = (struct part){blob_ref(blob), (uint32_t)(r.at - blob->data), (uint32_t)reader_left(&r)};
    }
    return m;
}
