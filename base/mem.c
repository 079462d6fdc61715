#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

void *mem_alloc(size_t size)
{
    void *pointer = malloc(size ? size : 1);
    CHECK(pointer != NULL);
    return pointer;
}

void *mem_zalloc(size_t size)
{
    void *pointer = calloc(1, size ? size : 1);
    CHECK(pointer != NULL);
    return pointer;
}

void *mem_realloc(void *pointer, size_t size)
{
    pointer = realloc(pointer, size ? size : 1);
    CHECK(pointer != NULL);
    return pointer;
}

void mem_free(void *pointer)
{
    free(pointer);
}

char *mem_strdup(const char *text)
{
    return mem_strndup(text, strlen(text));
}

char *mem_strndup(const char *text, size_t length)
{
    char *copy = mem_alloc(length + 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

void *mem_grow(void *items, size_t *capacity, size_t count, size_t item_size)
{
    if (count <= *capacity) return items;
    size_t wanted = *capacity ? *capacity : 8;
    while (wanted < count) wanted *= 2;
    *capacity = wanted;
    return mem_realloc(items, wanted * item_size);
}
