#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

void buf_close(struct buf *b)
{
    mem_free(b->data);
    *b = (struct buf){0};
}

void buf_reserve_slow(struct buf *b, size_t more)
{
    b->data = mem_grow(b->data, &b->capacity, b->size + more < 64 ? 64 : b->size + more, 1);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int needed = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    CHECK(needed >= 0);
    buf_reserve(b, (size_t)needed + 1);
    va_start(arguments, format);
    vsnprintf((char *)b->data + b->size, (size_t)needed + 1, format, arguments);
    va_end(arguments);
    b->size += (size_t)needed;
}
