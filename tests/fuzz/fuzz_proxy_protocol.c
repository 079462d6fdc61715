// room: node_net
/* The header that a proxy sends: whatever comes, it is judged within its bounds, the same when it comes in pieces. */
#include <netinet/in.h>

#include "base/check.h"
#include "node/net/proxy_protocol.h"

static bool family_known(const struct sockaddr_storage *s)
{
    return s->ss_family == AF_INET || s->ss_family == AF_INET6;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header whole, part;
    struct slice bytes = slice_of(data, size);
    enum proxy_verdict verdict = proxy_protocol_read(bytes, &whole);
    if (verdict == PROXY_MORE) CHECK(size < PROXY_HEADER_MAX);
    if (verdict == PROXY_WHOLE) CHECK(whole.size <= size && whole.size <= PROXY_HEADER_MAX);
    if (verdict == PROXY_WHOLE && whole.proxied)
        CHECK(family_known(&whole.source) && whole.source.ss_family != 0 && family_known(&whole.destination));
    for (size_t at = 0; at < size && at < 256; at++) {
        enum proxy_verdict early = proxy_protocol_read(slice_of(data, at), &part);
        if (verdict == PROXY_WHOLE && at < whole.size) CHECK(early == PROXY_MORE);
        if (verdict == PROXY_MORE) CHECK(early == PROXY_MORE);
    }
    return 0;
}
