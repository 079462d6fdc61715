/* What a few messages bring along besides content: deduplication, a producer's sequence, exchanges that keep them. */
#include "node/queue/command.h"

enum { MARK_KEY = 1, MARK_WINDOW = 2, MARK_PRODUCER = 4, MARK_STORES = 8 };

void enqueue_store_put(struct buf *stores, const struct enqueue_store *s)
{
    buf_put_u8(stores, s->kind);
    buf_put_varint(stores, s->value);
    buf_put_counted(stores, s->exchange);
}

bool enqueue_store_next(struct reader *r, struct enqueue_store *s)
{
    if (r->failed || !reader_left(r)) return false;
    s->kind = reader_u8(r);
    s->value = reader_varint(r);
    s->exchange = reader_counted(r);
    bool known = s->kind == ENQUEUE_STORE_DELAY || s->kind == ENQUEUE_STORE_HISTORY;
    if (!known || s->value > COMMAND_TIME_MS_MAX || s->exchange.size > UINT8_MAX) reader_fail(r);
    return !r->failed;
}

void enqueue_marks_put(struct buf *b, const struct enqueue_marks *m)
{
    buf_put_u8(b, (uint8_t)((m->key.data ? MARK_KEY : 0) | (m->window.data ? MARK_WINDOW : 0) |
                            (m->producer.data ? MARK_PRODUCER : 0) | (m->store_count ? MARK_STORES : 0)));
    if (m->key.data) {
        buf_put_counted(b, m->key);
        buf_put_varint(b, m->key_ttl_ms);
    }
    if (m->window.data) {
        buf_put_counted(b, m->window);
        buf_put_varint(b, m->windowed);
        buf_put_varint(b, m->window_size);
        buf_put_varint(b, m->window_ttl_ms);
    }
    if (m->producer.data) {
        buf_put_counted(b, m->producer);
        buf_put_le64(b, m->sequence);
    }
    if (m->store_count) {
        buf_put_counted(b, m->vhost);
        buf_put_varint(b, m->store_count);
        buf_put_counted(b, m->stores);
    }
}

/* A slice that is there has an address, also when it is empty. */
static struct slice read_name(struct reader *r)
{
    struct slice s = reader_counted(r);
    if (s.size > UINT8_MAX) reader_fail(r);
    return s.data ? s : slice_str("");
}

/* Whether there are as many stores as it says. */
static bool stores_are_sound(const struct enqueue_marks *m)
{
    struct reader r = reader_of(m->stores);
    struct enqueue_store s;
    uint32_t count = 0;
    while (enqueue_store_next(&r, &s)) count++;
    return !r.failed && count == m->store_count;
}

bool enqueue_marks_read(struct reader *r, struct enqueue_marks *m)
{
    uint8_t which = reader_u8(r);
    *m = (struct enqueue_marks){0};
    if (which & MARK_KEY) {
        m->key = read_name(r);
        m->key_ttl_ms = reader_varint(r);
    }
    if (which & MARK_WINDOW) {
        m->window = read_name(r);
        m->windowed = (uint32_t)reader_varint(r);
        m->window_size = reader_varint(r);
        m->window_ttl_ms = reader_varint(r);
    }
    if (which & MARK_PRODUCER) {
        m->producer = read_name(r);
        m->sequence = reader_le64(r);
    }
    if (which & MARK_STORES) {
        m->vhost = read_name(r);
        m->store_count = (uint32_t)reader_varint(r);
        m->stores = reader_counted(r);
    }
    if (m->key_ttl_ms > COMMAND_TIME_MS_MAX || m->window_ttl_ms > COMMAND_TIME_MS_MAX) reader_fail(r);
    if ((which & MARK_STORES) && (!m->store_count || !stores_are_sound(m))) reader_fail(r);
    return !r->failed;
}
