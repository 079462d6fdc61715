#include <sys/uio.h>

#include "replication/link/link_internal.h"

static struct link_piece *add_piece(struct link_out *o)
{
    if (o->at > 0 && o->count == o->capacity) {
        memmove(o->pieces, o->pieces + o->at, (o->count - o->at) * sizeof *o->pieces);
        o->count -= o->at;
        o->at = 0;
    }
    o->pieces = mem_grow(o->pieces, &o->capacity, o->count + 1, sizeof *o->pieces);
    return &o->pieces[o->count++];
}

/* The bytes behind `from` of the out buffer go next. */
static void add_run(struct link_out *o, size_t from)
{
    size_t size = o->small.size - from;
    o->bytes += size;
    if (o->count > o->at && !o->pieces[o->count - 1].blob) o->pieces[o->count - 1].size += size;
    else *add_piece(o) = (struct link_piece){NULL, 0, size};
}

void link_out_put(struct link_out *o, uint8_t type, struct slice head, const struct part *parts, uint32_t count)
{
    bool large = false;
    size_t from = o->small.size;
    for (uint32_t i = 0; i < count; i++) large = large || parts[i].size >= LINK_REFERENCE_MIN;
    if (!large) {
        link_frame_put_parts(&o->small, type, head, parts, count);
        add_run(o, from);
        return;
    }
    link_frame_put_head(&o->small, type, head, parts, count);
    buf_put_slice(&o->small, head);
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i].size < LINK_REFERENCE_MIN) {
            buf_put_slice(&o->small, part_slice(parts[i]));
            continue;
        }
        if (o->small.size > from) add_run(o, from);
        from = o->small.size;
        *add_piece(o) = (struct link_piece){blob_ref(parts[i].blob), parts[i].offset, parts[i].size};
        o->bytes += parts[i].size;
    }
    if (o->small.size > from) add_run(o, from);
}

int link_out_iovecs(const struct link_out *o, struct iovec *iovecs, int max, size_t *bytes)
{
    int n = 0;
    uint8_t *small = o->small.data + o->small_at;
    *bytes = 0;
    for (size_t i = o->at; i < o->count && n < max; i++, n++) {
        const struct link_piece *p = &o->pieces[i];
        iovecs[n] = (struct iovec){p->blob ? p->blob->data + p->offset : small, p->size};
        if (!p->blob) small += p->size;
        *bytes += p->size;
    }
    return n;
}

void link_out_written(struct link_out *o, size_t bytes)
{
    CHECK(bytes <= o->bytes);
    o->bytes -= bytes;
    while (bytes) {
        struct link_piece *p = &o->pieces[o->at];
        size_t part = bytes < p->size ? bytes : (size_t)p->size;
        if (!p->blob) o->small_at += part;
        p->offset += p->blob ? (uint32_t)part : 0;
        p->size -= part;
        bytes -= part;
        if (p->size) break;
        blob_unref(p->blob);
        o->at++;
    }
    if (o->small_at == o->small.size) {
        o->small_at = 0;
        buf_clear(&o->small);
        if (o->small.capacity > LINK_SMALL_KEEP) buf_close(&o->small);
    } else if (o->small_at > o->small.size / 2 && o->small_at > LINK_SMALL_KEEP) {
        buf_consume(&o->small, o->small_at);
        o->small_at = 0;
    }
    if (o->at == o->count) o->at = o->count = 0;
}

void link_out_close(struct link_out *o)
{
    for (size_t i = o->at; i < o->count; i++) blob_unref(o->pieces[i].blob);
    mem_free(o->pieces);
    buf_close(&o->small);
    *o = (struct link_out){0};
}
