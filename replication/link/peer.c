/* A peer: dialling it, choosing the one connection that is the link, noticing that its process is dead. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "replication/link/link_internal.h"

static void on_dial(void *self);

struct link_peer *link_peer_get(struct links *l, uint8_t node)
{
    return node < LINK_NODES_MAX ? l->peers[node] : NULL;
}

static struct link_peer *new_peer(struct links *l, uint8_t node)
{
    struct link_peer *p = l->peers[node] = mem_zalloc(sizeof *p);
    p->links = l;
    p->node = node;
    p->backoff_ms = LINK_DIAL_MIN_MS;
    p->timer = loop_timer_open(l->params.loop, on_dial, p);
    return p;
}

/* Whether it knows the secret turns out next; only who does can make it more than a number here. */
struct link_peer *link_peer_of_hello(struct links *l, const struct link_hello *h)
{
    struct link_peer *p = link_peer_get(l, h->node);
    bool may = h->node && h->node < LINK_NODES_MAX && h->node != l->params.node && (l->open || h->joins);
    if (p || !may) return p;
    p = new_peer(l, h->node);
    memcpy(p->address[0], h->address.data, h->address.size);
    return p;
}

void link_join(struct links *l, const char *address)
{
    struct link_peer *p = l->peers[0];
    CHECK(strlen(address) <= LINK_NAME_MAX);
    if (!p) p = new_peer(l, 0);
    snprintf(p->address[*p->address[0] ? 1 : 0], sizeof p->address[0], "%s", address);
    loop_timer_start(p->timer, 0, 0);
}

void link_expect(struct links *l, uint8_t node, const uint8_t *data_id)
{
    static const uint8_t zero[LINK_DATA_ID_SIZE];
    struct link_peer *p = link_peer_get(l, node);
    if (!p || !memcmp(data_id, zero, sizeof zero)) return;
    bool other = memcmp(p->data_id, data_id, sizeof p->data_id) != 0; /* than what its last hello said */
    p->expects = true;
    memcpy(p->data_id, data_id, sizeof p->data_id);
    if (p->up && other) link_conn_cut(p->up, "it has other data than the member"); /* dialled again, it hears why */
}

void link_remove_peer(struct links *l, uint8_t node, const char *why)
{
    struct link_peer *p = link_peer_get(l, node);
    if (!node || node >= LINK_NODES_MAX || node == l->params.node || (p && p->removed)) return;
    if (!p) p = new_peer(l, node);
    struct link_conn *up = p->up, *dialling = p->dialling;
    p->removed = true;
    snprintf(p->why_removed, sizeof p->why_removed, "%s", why);
    loop_timer_stop(p->timer);
    p->up = p->dialling = NULL;
    if (dialling) link_conn_cut(dialling, NULL);
    if (!up) return;
    link_conn_cut(up, NULL);
    l->params.down(l->params.self, node, true);
}

/* Somebody answered there; if nobody is linked by then, it is tried again. */
void link_peer_dial_later(struct link_peer *p)
{
    loop_timer_start(p->timer, LINK_DIAL_MAX_MS, 0);
}

static bool anybody_up(const struct links *l)
{
    for (unsigned node = 1; node < LINK_NODES_MAX; node++)
        if (l->peers[node] && l->peers[node]->up) return true;
    return false;
}

/* The peer may be dialled under the address from now on, or again under this one. */
void link_add_peer(struct links *l, uint8_t node, const char *address)
{
    CHECK(node > 0 && node < LINK_NODES_MAX && node != l->params.node);
    CHECK(strlen(address) <= LINK_NAME_MAX);
    struct socket_address parsed;
    struct sockaddr_storage storage;
    socklen_t size;
    struct link_peer *p = l->peers[node];
    if (!p) p = new_peer(l, node);
    p->removed = false;
    snprintf(p->address[0], sizeof p->address[0], "%s", address);
    p->known_name =
        socket_address_parse(address, &parsed, NULL) == 0 && !socket_address_numeric(&parsed, &storage, &size);
    p->dialled_address = 0;
    p->resolved_size = 0;
    if (!p->up) loop_timer_start(p->timer, 0, 0);
}

void link_peer_note(struct link_peer *p, int level, const char *format, ...)
{
    char line[ERR_TEXT_SIZE];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    if (strcmp(line, p->noted) == 0) return; /* dialling repeats every second; one line a minute is enough */
    memcpy(p->noted, line, sizeof line);
    p->noted_ticks = 0;
    p->links->params.note(p->links->params.self, level, line);
}

void link_peer_close(struct link_peer *p)
{
    if (p->lookup) loop_lookup_cancel(p->lookup);
    p->lookup = NULL;
    loop_timer_close(p->timer, NULL, NULL);
}

/* --- which connection is the link --- */

static bool lower_dialled(const struct link_conn *c)
{
    return c->dialled == (c->links->params.node < c->peer->node);
}

bool link_peer_wants(const struct link_peer *p, const struct link_conn *c)
{
    const struct link_conn *up = p->up, *mine = p->dialling;
    if (p->removed) return false;
    if (up && c->epoch != up->epoch) return c->epoch > up->epoch;
    if (up) return lower_dialled(c) || !lower_dialled(up);
    /* Both dial at once: the higher node's connection is turned away early, before it is up and has to be cut again. */
    bool crossing = !c->dialled && !lower_dialled(c) && mine && mine->state >= LINK_HELLO_SENT;
    return !(crossing && mine->ticks <= LINK_CROSSING_TICKS);
}

/* The address that worked is the one to dial first. */
static void learn_dialled(struct link_peer *p)
{
    char other[LINK_NAME_MAX + 1];
    if (p->dialled_address == 0) return;
    memcpy(other, p->address[0], sizeof other);
    memcpy(p->address[0], p->address[1], sizeof other);
    memcpy(p->address[1], other, sizeof other);
    p->dialled_address = 0;
    p->resolved_size = 0;
    p->known_name = false;
    p->links->params.address(p->links->params.self, p->node, p->address[0]);
}

static bool is_wildcard(const char *host)
{
    return !*host || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static bool is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0;
}

/* A peer that dialled us says where it listens. "All addresses", or its own loopback seen from another host, means: the
 * address that it dials from. A name that people configured stays; what was told is then only tried when the name
 * fails. */
static void learn_told(struct link_peer *p, struct link_conn *c, struct slice told)
{
    struct socket_address a, from;
    struct sockaddr_storage storage;
    socklen_t size;
    char text[LINK_NAME_MAX + 1], peer[SOCKET_TEXT_MAX];
    if (told.size == 0 || told.size > LINK_NAME_MAX) return;
    memcpy(text, told.data, told.size);
    text[told.size] = 0;
    socket_name(c->fd, true, peer);
    if (socket_address_parse(text, &a, NULL) || socket_address_parse(peer, &from, NULL)) return;
    if (is_wildcard(a.host) || (is_loopback(a.host) && !is_loopback(from.host)))
        memcpy(a.host, from.host, sizeof a.host);
    int length = snprintf(text, sizeof text, strchr(a.host, ':') ? "[%s]:%s" : "%s:%s", a.host, a.port);
    if (length >= (int)sizeof text || strcmp(text, p->address[0]) == 0) return;
    if (p->known_name || !socket_address_numeric(&a, &storage, &size)) {
        memcpy(p->address[1], text, sizeof text);
        return;
    }
    memcpy(p->address[1], p->address[0], sizeof text);
    memcpy(p->address[0], text, sizeof text);
    p->dialled_address = 0;
    p->resolved_size = 0;
    p->links->params.address(p->links->params.self, p->node, text);
}

void link_peer_up(struct link_conn *c)
{
    struct link_peer *p = c->peer;
    struct link_conn *old = p->up, *dialling = p->dialling;
    const struct link_params *params = &p->links->params;
    struct link_hello h;
    CHECK(link_hello_decode(buf_slice(&c->peer_hello), &h) == 0);
    p->up = p->dialling = NULL;
    if (p->lookup) loop_lookup_cancel(p->lookup);
    p->lookup = NULL;
    loop_timer_stop(p->timer);
    if (dialling && dialling != c) link_conn_cut(dialling, NULL);
    if (old) {
        link_conn_cut(old, NULL);
        params->down(params->self, p->node, false);
    }
    if (c->dialled) learn_dialled(p);
    else learn_told(p, c, h.address);
    link_conn_move(c, LINK_UP);
    c->ticks = 0;
    p->up = c;
    p->ever_up = true;
    p->dead_told = false;
    p->backoff_ms = LINK_DIAL_MIN_MS;
    p->epoch = c->epoch;
    p->noted[0] = 0;
    p->level = h.level;
    if (!p->expects) memcpy(p->data_id, h.data_id, sizeof p->data_id);
    memcpy(p->name, h.name.data, h.name.size);
    p->name[h.name.size] = 0;
    params->up(params->self, p->node, p->epoch, p->name);
}

/* --- a dead process --- */

static bool probing(const struct link_peer *p)
{
    return p->ever_up && !p->dead_told && loop_now_ms(p->links->params.loop) < p->probe_until_ms;
}

/* A link that closed and an address that refuses: the process is gone. Silence would prove nothing, and neither does
 * the second address, which may be another machine's by now. */
static void dial_failed(struct link_peer *p, int error)
{
    const struct link_params *params = &p->links->params;
    bool refused = error == ECONNREFUSED || error == ENOENT;
    if (refused && p->ever_up && !p->dead_told && p->dialled_address == 0) {
        p->dead_told = true;
        params->down(params->self, p->node, true);
        if (p->links->closing) return;
    }
    if (probing(p)) {
        loop_timer_start(p->timer, LINK_PROBE_EVERY_MS, 0);
        return;
    }
    if (p->address[1][0]) p->dialled_address ^= 1;
    loop_timer_start(p->timer, p->backoff_ms, 0);
    p->backoff_ms = p->backoff_ms * 2 < LINK_DIAL_MAX_MS ? p->backoff_ms * 2 : LINK_DIAL_MAX_MS;
}

void link_peer_lost(struct link_conn *c, int error)
{
    struct link_peer *p = c->peer;
    const struct link_params *params = &p->links->params;
    bool was_up = p->up == c, was_dialling = p->dialling == c;
    if (was_up) p->up = NULL;
    if (was_dialling) p->dialling = NULL;
    if (p->links->closing || p->removed) return;
    if (was_up) {
        p->dead_told = false;
        p->dialled_address = 0;
        p->backoff_ms = LINK_DIAL_MIN_MS;
        p->probe_until_ms = loop_now_ms(params->loop) + LINK_PROBE_MS;
        loop_timer_start(p->timer, 0, 0);
        params->down(params->self, p->node, false);
    } else if (was_dialling) {
        dial_failed(p, error);
    }
}

/* --- dialling --- */

static void connect_to(struct link_peer *p, const struct sockaddr *address, socklen_t size)
{
    int on = 1, timeout_ms = LINK_SILENCE_MS;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        dial_failed(p, errno);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
    if (connect(fd, address, size) && errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        dial_failed(p, error);
        return;
    }
    p->dialling = link_conn_open(p->links, p, fd, true, LINK_CONNECTING);
    if (!p->dialling) dial_failed(p, EMFILE);
}

static void on_found(void *self, const struct sockaddr *address, socklen_t size)
{
    struct link_peer *p = self;
    p->lookup = NULL;
    if (!size || size > sizeof p->resolved) {
        link_peer_note(p, LINK_WARN, "link address_not_found node=%u address=%s", p->node,
                       p->address[p->dialled_address]);
        dial_failed(p, EHOSTUNREACH);
        return;
    }
    if (p->dialled_address == 0) {
        memcpy(&p->resolved, address, size);
        p->resolved_size = size;
    }
    connect_to(p, address, size);
}

static bool peer_knocks(const struct link_peer *p)
{
    LIST_FOR(&p->links->conns, link)
    {
        const struct link_conn *c = LIST_ITEM(link, struct link_conn, link);
        if (c->peer == p && !c->dialled && c->state < LINK_UP && c->ticks <= LINK_CROSSING_TICKS) return true;
    }
    return false;
}

static void on_dial(void *self)
{
    struct link_peer *p = self;
    struct socket_address a;
    struct sockaddr_storage storage;
    struct err err;
    socklen_t size;
    if (p->links->closing || p->up || p->dialling || p->lookup || p->removed) return;
    if (!p->node && anybody_up(p->links)) {
        link_peer_dial_later(p);
        return;
    }
    if (peer_knocks(p)) { /* its handshake will do */
        loop_timer_start(p->timer, probing(p) ? LINK_PROBE_EVERY_MS : LINK_DIAL_MIN_MS, 0);
        return;
    }
    if (socket_address_parse(p->address[p->dialled_address], &a, &err)) {
        link_peer_note(p, LINK_WARN, "link address_invalid node=%u error=\"%s\"", p->node, err.text);
        dial_failed(p, EINVAL);
    } else if (socket_address_numeric(&a, &storage, &size)) {
        connect_to(p, (struct sockaddr *)&storage, size);
    } else if (probing(p) && p->resolved_size) { /* a name server may be slow; this is urgent */
        connect_to(p, (struct sockaddr *)&p->resolved, p->resolved_size);
    } else {
        p->lookup = loop_lookup_start(p->links->params.loop, a.host, a.port, on_found, p);
        if (!p->lookup) dial_failed(p, ENOMEM);
    }
}
