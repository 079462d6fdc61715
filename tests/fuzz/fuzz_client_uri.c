// room: ha_client
/* AMQP URIs: what is read must be whole, and its public form must be readable again without the secrets. */
#include "base/check.h"
#include "ha/client/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct client_uri uri, again;
    struct err err;
    struct buf b = {0};
    if (client_uri_parse(slice_of(data, size), &uri, &err)) {
        CHECK(err.text[0]);
        return 0;
    }
    CHECK(uri.host && uri.vhost && uri.port && uri.mechanisms);
    client_uri_public(&b, &uri);
    bool fits = b.size <= CLIENT_URI_SIZE_MAX; /* bytes that had to be escaped have become three */
    if (fits && !strchr(uri.host, '%') && !strpbrk(uri.host, "/?#@[]:")) {
        CHECK(client_uri_parse(buf_slice(&b), &again, &err) == 0);
        CHECK(!again.user && !again.password && again.tls == uri.tls && again.local == uri.local);
        CHECK(!strcmp(again.vhost, uri.vhost));
        client_uri_close(&again);
    }
    buf_close(&b);
    client_uri_close(&uri);
    return 0;
}
