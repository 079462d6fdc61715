/* Base64 (RFC 4648), with padding. Pure; any thread. */
#ifndef WARREN_NODE_HTTP_BASE64_H
#define WARREN_NODE_HTTP_BASE64_H

#include "base/buf.h"

void base64_encode(struct buf *out, struct slice bytes);
bool base64_decode(struct buf *out, struct slice text); /* false: not base64; some bytes may be in `out` */

#endif
