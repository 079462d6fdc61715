/* Memory that cannot be refused.
 *
 * Small control structures come from here: running out of memory for them stops the node (the other nodes carry on), so
 * callers have no error path. Big and client-controlled memory is bounded by named limits before it is asked for.
 * docs/decisions/0001-allocation.md says why. Any thread. */
#ifndef WARREN_BASE_MEM_H
#define WARREN_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size);                  /* uninitialised */
void *mem_zalloc(size_t size);                 /* zeroed */
void *mem_realloc(void *pointer, size_t size); /* as realloc */
void mem_free(void *pointer);                  /* NULL is fine */
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t length);

/* Makes room for `count` items in a growing array: doubles `*capacity` until it holds them. Returns the (moved)
 * array. */
void *mem_grow(void *items, size_t *capacity, size_t count, size_t item_size);

#endif
