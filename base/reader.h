/* A cursor over borrowed bytes that cannot read past the end.
 *
 * Reading too far makes `failed` true and every value zero from then on, so a decoder reads everything first and asks
 * once. Slices that come out borrow from the bytes that went in. */
#ifndef WARREN_BASE_READER_H
#define WARREN_BASE_READER_H

#include "base/slice.h"

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

static inline struct reader reader_of(struct slice s)
{
    return (struct reader){s.data, s.size ? s.data + s.size : s.data, false};
}

static inline size_t reader_left(const struct reader *r)
{
    return (size_t)(r->end - r->at);
}

static inline void reader_fail(struct reader *r)
{
    r->failed = true;
    r->at = r->end;
}

static inline struct slice reader_bytes(struct reader *r, size_t size)
{
    if (reader_left(r) < size) {
        reader_fail(r);
        return (struct slice){NULL, 0};
    }
    struct slice s = {r->at, size};
    r->at += size;
    return s;
}

static inline uint8_t reader_u8(struct reader *r)
{
    struct slice s = reader_bytes(r, 1);
    return s.data ? s.data[0] : 0;
}

#define READER_INTEGER(bits)                                       \
    static inline uint##bits##_t reader_be##bits(struct reader *r) \
    {                                                              \
        struct slice s = reader_bytes(r, bits / 8);                \
        uint##bits##_t v = 0;                                      \
        if (s.data) memcpy(&v, s.data, sizeof v);                  \
        return __builtin_bswap##bits(v);                           \
    }                                                              \
    static inline uint##bits##_t reader_le##bits(struct reader *r) \
    {                                                              \
        struct slice s = reader_bytes(r, bits / 8);                \
        uint##bits##_t v = 0;                                      \
        if (s.data) memcpy(&v, s.data, sizeof v);                  \
        return v;                                                  \
    }
READER_INTEGER(16)
READER_INTEGER(32)
READER_INTEGER(64)
#undef READER_INTEGER

static inline uint64_t reader_varint(struct reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (r->at == r->end) break;
        uint8_t byte = *r->at++;
        if (shift == 63 && byte > 1) break; /* more than 64 bits */
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return v;
    }
    reader_fail(r);
    return 0;
}

/* varint length, then the bytes */
static inline struct slice reader_counted(struct reader *r)
{
    uint64_t size = reader_varint(r);
    if (size > reader_left(r)) {
        reader_fail(r);
        return (struct slice){NULL, 0};
    }
    return reader_bytes(r, (size_t)size);
}

#endif
