/* A growing byte buffer and the integer encodings Warren writes.
 *
 * Thread: its owner's. Lifetime: buf_init() .. buf_close(); a zeroed struct is an empty buffer. Everything AMQP is big
 * endian (`be`), everything of our own little endian (`le`) or a LEB128 varint (7 bits a byte, lowest first). */
#ifndef WARREN_BASE_BUF_H
#define WARREN_BASE_BUF_H

#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/slice.h"

struct buf {
    uint8_t *data;
    size_t size;     /* bytes in use */
    size_t capacity; /* bytes allocated */
};

#define BUF_VARINT_MAX 10 /* bytes of the longest varint */

static inline void buf_init(struct buf *b)
{
    *b = (struct buf){0};
}
void buf_close(struct buf *b);                     /* frees; the struct is an empty buffer again */
void buf_reserve_slow(struct buf *b, size_t more); /* grows so that `more` bytes fit behind `size` */

static inline void buf_clear(struct buf *b)
{
    b->size = 0;
}

static inline uint8_t *buf_reserve(struct buf *b, size_t more)
{
    if (b->capacity - b->size < more) buf_reserve_slow(b, more);
    return b->data + b->size;
}

/* Removes the first `count` bytes, moving the rest down. */
static inline void buf_consume(struct buf *b, size_t count)
{
    CHECK(count <= b->size);
    if (count < b->size) memmove(b->data, b->data + count, b->size - count);
    b->size -= count;
}

static inline struct slice buf_slice(const struct buf *b)
{
    return slice_of(b->data, b->size);
}

static inline void buf_put(struct buf *b, const void *data, size_t size)
{
    if (!size) return;
    memcpy(buf_reserve(b, size), data, size);
    b->size += size;
}

static inline void buf_put_slice(struct buf *b, struct slice s)
{
    buf_put(b, s.data, s.size);
}

static inline void buf_put_u8(struct buf *b, uint8_t v)
{
    *buf_reserve(b, 1) = v;
    b->size += 1;
}

#define BUF_PUT_INTEGER(bits)                                                       \
    static inline void buf_put_be##bits(struct buf *b, uint##bits##_t v)            \
    {                                                                               \
        uint##bits##_t wire = __builtin_bswap##bits(v);                             \
        buf_put(b, &wire, sizeof wire);                                             \
    }                                                                               \
    static inline void buf_put_le##bits(struct buf *b, uint##bits##_t v)            \
    {                                                                               \
        buf_put(b, &v, sizeof v);                                                   \
    }                                                                               \
    static inline void buf_set_be##bits(struct buf *b, size_t at, uint##bits##_t v) \
    {                                                                               \
        CHECK(at + sizeof v <= b->size);                                            \
        uint##bits##_t wire = __builtin_bswap##bits(v);                             \
        memcpy(b->data + at, &wire, sizeof wire);                                   \
    }                                                                               \
    static inline void buf_set_le##bits(struct buf *b, size_t at, uint##bits##_t v) \
    {                                                                               \
        CHECK(at + sizeof v <= b->size);                                            \
        memcpy(b->data + at, &v, sizeof v);                                         \
    }
BUF_PUT_INTEGER(16)
BUF_PUT_INTEGER(32)
BUF_PUT_INTEGER(64)
#undef BUF_PUT_INTEGER

static inline void buf_put_varint(struct buf *b, uint64_t v)
{
    uint8_t *at = buf_reserve(b, BUF_VARINT_MAX);
    size_t n = 0;
    while (v >= 0x80) {
        at[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    at[n++] = (uint8_t)v;
    b->size += n;
}

/* Bytes that buf_put_varint() writes. */
static inline size_t buf_varint_size(uint64_t v)
{
    size_t n = 1;
    while (v >>= 7) n++;
    return n;
}

/* u8 length, then the bytes: AMQP's short string */
static inline void buf_put_short(struct buf *b, struct slice s)
{
    CHECK(s.size <= UINT8_MAX);
    buf_put_u8(b, (uint8_t)s.size);
    buf_put_slice(b, s);
}

/* varint length, then the bytes */
static inline void buf_put_counted(struct buf *b, struct slice s)
{
    buf_put_varint(b, s.size);
    buf_put_slice(b, s);
}

/* Appends printf-formatted text without the closing zero. */
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "Warren's own formats are written for little-endian machines");

#endif
