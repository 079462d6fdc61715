/* The header that a proxy puts in front of a client's bytes to say who the client is: HAProxy's PROXY protocol,
 * versions 1 (a line of text) and 2 (binary). Pure. Thread: any. */
#ifndef WARREN_NODE_NET_PROXY_PROTOCOL_H
#define WARREN_NODE_NET_PROXY_PROTOCOL_H

#include <sys/socket.h>

#include "base/slice.h"

enum {
    PROXY_LINE_MAX = 107,       /* bytes of a version 1 header, its end included */
    PROXY_HEADER_MAX = 4 << 10, /* bytes of a header that is waited for; a proxy's TLVs take some hundred */
};

enum proxy_verdict {
    PROXY_MORE,   /* the beginning of a header */
    PROXY_WHOLE,  /* a header of `size` bytes */
    PROXY_ABSENT, /* not the beginning of a header */
    PROXY_WRONG,  /* it begins like one and is none */
};

struct proxy_header {
    size_t size;
    /* False: the proxy speaks for itself (LOCAL, a health check) or does not know: the socket's own addresses count. */
    bool proxied;
    struct sockaddr_storage source, destination; /* AF_INET or AF_INET6 */
};

enum proxy_verdict proxy_protocol_read(struct slice bytes, struct proxy_header *header);

#endif
