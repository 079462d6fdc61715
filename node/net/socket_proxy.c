/* A proxy's header in front of a client's bytes. */
#include "node/net/proxy_protocol.h"
#include "node/net/socket_internal.h"

_Static_assert((int)PROXY_HEADER_MAX < (int)NET_KEPT_MAX, "a header that comes in pieces is kept");

static bool trusted(const struct net_entrance *e, const struct sockaddr_storage *peer)
{
    for (size_t i = 0; i < e->trusted_count; i++)
        if (net_range_holds(&e->trusted[i], peer)) return true;
    return false;
}

bool net_socket_expects_proxy(const struct net_entrance *e, const struct sockaddr_storage *peer)
{
    return e->proxy == NET_PROXY_NEEDED || (e->proxy == NET_PROXY_AUTO && trusted(e, peer));
}

static void refuse(struct net_socket *s, const char *why)
{
    struct err err;
    err_set(&err, ERR_REFUSED, "%s", why);
    net_socket_end(s, &err);
}

static void take(struct net_socket *s, const struct proxy_header *h)
{
    if (!h->proxied) return;
    s->loopback = socket_end_is_loopback(&h->source);
    socket_end_text(&h->source, s->peer);
    socket_end_text(&h->destination, s->local);
}

size_t net_socket_proxy_input(struct net_socket *s, const uint8_t *data, size_t size)
{
    struct proxy_header h;
    struct sockaddr_storage peer;
    const struct net_entrance *e = s->entrance;
    if (e->trusted_count && (!socket_end(s->fd, true, &peer) || !trusted(e, &peer))) {
        refuse(s, "this address is not in proxy_protocol.trusted, and only proxies are served here");
        return size;
    }
    switch (proxy_protocol_read(slice_of(data, size), &h)) {
    case PROXY_MORE:
        return 0;
    case PROXY_WRONG:
        refuse(s, "a damaged PROXY protocol header");
        return size;
    case PROXY_ABSENT:
        if (e->proxy == NET_PROXY_AUTO) break;
        refuse(s, "no PROXY protocol header, which this listener wants (proxy_protocol = true)");
        return size;
    case PROXY_WHOLE:
        take(s, &h);
        break;
    }
    s->stage = e->tls ? NET_STAGE_TLS : NET_STAGE_OPEN;
    if (e->tls) net_socket_tls_start(s);
    return h.size;
}
