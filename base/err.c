#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *err_name(enum err_code code)
{
    static const char *const names[] = {
        [ERR_OK] = "ok",         [ERR_IO] = "io",           [ERR_NO_SPACE] = "no space",     [ERR_CORRUPT] = "corrupt",
        [ERR_FORMAT] = "format", [ERR_VERSION] = "version", [ERR_NOT_FOUND] = "not found",   [ERR_EXISTS] = "exists",
        [ERR_BUSY] = "busy",     [ERR_REFUSED] = "refused", [ERR_NOT_LEADER] = "not leader", [ERR_INVALID] = "invalid",
        [ERR_CLOSED] = "closed",
    };
    return (size_t)code < sizeof names / sizeof names[0] && names[code] ? names[code] : "unknown";
}

enum err_code err_set(struct err *e, enum err_code code, const char *format, ...)
{
    if (!e) return code;
    e->code = code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(e->text, sizeof e->text, format, arguments);
    va_end(arguments);
    return code;
}

enum err_code err_set_errno(struct err *e, int error_number, const char *format, ...)
{
    enum err_code code = error_number == ENOSPC ? ERR_NO_SPACE : error_number == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    if (!e) return code;
    e->code = code;
    va_list arguments;
    va_start(arguments, format);
    int used = vsnprintf(e->text, sizeof e->text, format, arguments);
    va_end(arguments);
    if (used >= 0 && (size_t)used < sizeof e->text)
        snprintf(e->text + used, sizeof e->text - (size_t)used, ": %s", strerror(error_number));
    return code;
}

enum err_code err_wrap(struct err *e, const char *format, ...)
{
    if (!e) return ERR_IO;
    char before[ERR_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(before, sizeof before, format, arguments);
    va_end(arguments);
    char joined[2 * ERR_TEXT_SIZE + 3];
    snprintf(joined, sizeof joined, "%s: %s", before, e->text);
    memcpy(e->text, joined, sizeof e->text - 1);
    e->text[sizeof e->text - 1] = '\0';
    return e->code;
}
