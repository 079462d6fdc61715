/* A bounded ring of pointers between exactly one producer thread and one consumer thread.
 *
 * Neither side ever waits: a full ring refuses, and the producer stops reading sockets until there is room. The two
 * cursors live on cache lines of their own, and each side keeps a copy of the other's cursor so that it looks at the
 * shared one only when its copy says full or empty. */
#ifndef WARREN_BASE_RING_H
#define WARREN_BASE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum { RING_LINE = 64 }; /* bytes of a cache line */

struct ring {
    _Alignas(RING_LINE) atomic_size_t head; /* next to read; written by the consumer */
    size_t tail_seen;                       /* consumer's copy of tail */
    _Alignas(RING_LINE) atomic_size_t tail; /* next to write; written by the producer */
    size_t head_seen;                       /* producer's copy of head */
    _Alignas(RING_LINE) size_t capacity;    /* a power of two */
    void **items;
};

struct ring *ring_create(size_t capacity);  /* a power of two */
void ring_destroy(struct ring *r);          /* both threads are done with it */
bool ring_push(struct ring *r, void *item); /* producer; false: full */
void *ring_pop(struct ring *r);             /* consumer; NULL: empty */

#endif
