/* XXH3 for checksums (of disk and link) and for hash tables. */
#ifndef WARREN_BASE_HASH_H
#define WARREN_BASE_HASH_H

#include "base/slice.h"

uint64_t hash_bytes(const void *data, size_t size, uint64_t seed);

static inline uint64_t hash_slice(struct slice s)
{
    return hash_bytes(s.data, s.size, 0);
}

/* A seed that differs from process to process, and that nobody outside knows. For places in memory only: what depends on
 * it must show neither on disk nor to others. */
uint64_t hash_secret(void);

/* A checksum over several parts: start with `hash_stream_create`, add, finish (which frees). */
struct hash_stream *hash_stream_create(void);
void hash_stream_add(struct hash_stream *h, const void *data, size_t size);
uint64_t hash_stream_finish(struct hash_stream *h);

/* Finaliser of splitmix64: spreads the bits of a small integer. */
static inline uint64_t hash_u64(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

#endif
