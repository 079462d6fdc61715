#include "base/hash.h"

#include <sys/auxv.h>
#include <xxhash.h>
#ifdef __x86_64__
/* The plain functions do with SSE2; these take what the processor has, and a quarter of the time. */
#include <xxh_x86dispatch.h>
#endif

#include "base/check.h"

uint64_t hash_bytes(const void *data, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, size, seed);
}

/* The kernel gives each process sixteen random bytes. */
uint64_t hash_secret(void)
{
    const void *random = (const void *)getauxval(AT_RANDOM); /* NOLINT: it is an address */
    return random ? hash_bytes(random, 16, 0) : 0;
}

struct hash_stream *hash_stream_create(void)
{
    XXH3_state_t *state = XXH3_createState();
    CHECK(state != NULL);
    XXH3_64bits_reset(state);
    return (struct hash_stream *)state;
}

void hash_stream_add(struct hash_stream *h, const void *data, size_t size)
{
    XXH3_64bits_update((XXH3_state_t *)h, data, size);
}

uint64_t hash_stream_finish(struct hash_stream *h)
{
    uint64_t digest = XXH3_64bits_digest((XXH3_state_t *)h);
    XXH3_freeState((XXH3_state_t *)h);
    return digest;
}
