#include "node/http/stream.h"

#include <microhttpd.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "base/check.h"
#include "base/mem.h"

enum { GZIP_WINDOW = 15 + 16 /* zlib: the largest window, and gzip's frame */, GZIP_MEMORY = 8 };

struct sending {
    struct stream_source source;
    struct buf plain, packed;
    bool gzip, ended;
    z_stream z;
    uint64_t made, sent;
};

bool stream_takes_gzip(const char *accepted)
{
    static const char word[] = "gzip";
    for (const char *at = accepted; at && (at = strcasestr(at, word)); at += strlen(word)) {
        const char *end = at + strlen(word), *q = end + strspn(end, " ");
        if (*end && !strchr(" ,;", *end)) continue;
        bool refused = *q == ';' && strspn(q + 1, " q=0.") == strcspn(q + 1, ",");
        return !refused;
    }
    return false;
}

static void pack(struct sending *s)
{
    s->z.next_in = s->plain.data;
    s->z.avail_in = (unsigned)s->plain.size;
    do {
        s->z.next_out = buf_reserve(&s->packed, STREAM_BLOCK);
        s->z.avail_out = STREAM_BLOCK;
        CHECK(deflate(&s->z, s->ended ? Z_FINISH : Z_NO_FLUSH) != Z_STREAM_ERROR);
        s->packed.size += STREAM_BLOCK - s->z.avail_out;
    } while (!s->z.avail_out);
    buf_clear(&s->plain);
}

static ssize_t read_some(void *arg, uint64_t position, char *to, size_t max)
{
    struct sending *s = arg;
    struct buf *out = s->gzip ? &s->packed : &s->plain;
    (void)position;
    while (!out->size && !s->ended) {
        size_t before = s->plain.size;
        s->ended = !s->source.next(s->source.self, &s->plain);
        s->made += s->plain.size - before;
        if (s->gzip) pack(s);
    }
    if (!out->size) return MHD_CONTENT_READER_END_OF_STREAM;
    size_t size = out->size < max ? out->size : max;
    memcpy(to, out->data, size);
    buf_consume(out, size);
    s->sent += size;
    return (ssize_t)size;
}

static void stop(void *arg)
{
    struct sending *s = arg;
    s->source.close(s->source.self, s->gzip, s->made, s->sent);
    if (s->gzip) deflateEnd(&s->z);
    buf_close(&s->plain);
    buf_close(&s->packed);
    mem_free(s);
}

struct MHD_Response *stream_response(const struct stream_source *source, bool gzip)
{
    struct sending *s = mem_zalloc(sizeof *s);
    s->source = *source;
    s->gzip =
        gzip && deflateInit2(&s->z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK;
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_some, s, stop);
    if (!response) stop(s);
    else if (s->gzip) MHD_add_response_header(response, "Content-Encoding", "gzip");
    if (response) MHD_add_response_header(response, "Vary", "Accept-Encoding");
    return response;
}
