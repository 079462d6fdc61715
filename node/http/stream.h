/* Bodies that are made while they are sent, so that their size costs no memory; compressed if the client takes gzip.
 *
 * Thread:   the request's, until the answer is gone.
 * Lifetime: `close` is called once, when all is sent or the client went away. */
#ifndef WARREN_NODE_HTTP_STREAM_H
#define WARREN_NODE_HTTP_STREAM_H

#include <stdbool.h>

#include "base/buf.h"

struct MHD_Response;

enum { STREAM_BLOCK = 64 << 10 /* bytes that libmicrohttpd asks for at a time */ };

struct stream_source {
    void *self; /* NULL: the answer's body is all there is */
    /* Appends some of the body, at best about a block; false: that was the end. */
    bool (*next)(void *self, struct buf *out);
    /* Bytes of the body that were made, and that went out. */
    void (*close)(void *self, bool gzip, uint64_t made, uint64_t sent);
};

bool stream_takes_gzip(const char *accept_encoding); /* NULL: the header was not there */
/* Moves the source. */
struct MHD_Response *stream_response(const struct stream_source *source, bool gzip);

#endif
