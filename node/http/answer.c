/* Answers in RabbitMQ's form. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "node/http/http_internal.h"

void answer_json(struct answer *a, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(value);
    buf_clear(&a->body);
    buf_put_slice(&a->body, slice_str(text ? text : "null"));
    free(text);
}

void answer_error(struct answer *a, unsigned status, const char *error, const char *reason)
{
    a->status = status;
    json_t *o = json_object();
    json_put(o, "error", json_slice(slice_str(error)));
    json_put(o, "reason", json_slice(slice_str(reason)));
    answer_json(a, o);
}

void answer_bad(struct answer *a, const char *format, ...)
{
    char reason[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    answer_error(a, 400, "bad_request", reason);
}

void answer_not_found(struct answer *a)
{
    answer_error(a, 404, "Object Not Found", "Not Found");
}

void answer_empty(struct answer *a, unsigned status)
{
    a->status = status;
    buf_clear(&a->body);
}

void answer_done(struct answer *a, bool created)
{
    answer_empty(a, created ? 201 : 204);
}
