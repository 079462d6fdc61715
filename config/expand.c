#include <stdlib.h>

#include "config/config_internal.h"

int config_expand(const char *value, struct buf *out, struct err *err)
{
    for (const char *open; (open = strstr(value, "$("));) {
        const char *close = strchr(open, ')');
        if (!close) return (int)err_set(err, ERR_FORMAT, "$( without its )");
        char *name = mem_strndup(open + 2, (size_t)(close - open - 2));
        const char *found = getenv(name);
        if (!found) err_set(err, ERR_INVALID, "$(%.80s): the environment has no such variable", name);
        mem_free(name);
        if (!found) return ERR_INVALID;
        buf_put(out, value, (size_t)(open - value));
        buf_put(out, found, strlen(found));
        value = close + 1;
    }
    buf_put(out, value, strlen(value) + 1);
    return 0;
}
