/* Where peers knock: reads each connection's hello, to learn which shard is wanted, and hands the descriptor on.
 * Whoever says anything else is noted in one line and closed. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "replication/link/link_internal.h"
#include "replication/sys/listener.h"

enum {
    LINK_BACKLOG = 128,
    LINK_GUESTS_MAX = 256, /* connections that have not said hello; one more pushes the oldest out */
    LINK_SHOWN_MAX = 16,   /* bytes of garbage in a note */
};

struct guest {
    struct link_listener *listener;
    struct list link;
    struct loop_watch *watch;
    int fd;
    unsigned ticks;
    size_t size;
    uint8_t bytes[LINK_FRAME_HEAD + LINK_HANDSHAKE_MAX];
};

struct link_listener {
    struct uv_loop_s *loop;
    struct listener *listener;
    struct loop_timer *tick;
    struct list guests;
    unsigned guest_count;
    void (*accepted)(void *self, int fd, uint16_t shard, struct slice hello);
    void (*note)(void *self, int level, const char *line);
    void (*closed)(void *self);
    void *self;
};

static void on_guest(void *self, int fd);
static void on_tick(void *self);

int link_listen(struct link_listener **out, struct uv_loop_s *loop, const char *address,
                void (*accepted)(void *self, int fd, uint16_t shard, struct slice hello), void *self, struct err *err)
{
    struct link_listener *l = mem_zalloc(sizeof *l);
    int code = listener_open(&l->listener, loop, address, LINK_BACKLOG, on_guest, l, err);
    if (code) {
        mem_free(l);
        return code;
    }
    l->loop = loop;
    l->accepted = accepted;
    l->self = self;
    list_init(&l->guests);
    l->tick = loop_timer_open(loop, on_tick, l);
    *out = l;
    return 0;
}

void link_listener_on_note(struct link_listener *l, void (*note)(void *self, int level, const char *line))
{
    l->note = note;
}

const char *link_listener_address(const struct link_listener *l)
{
    return listener_address(l->listener);
}

/* Frees the guest; the descriptor is closed or has been handed on. */
static void dismiss(struct guest *g)
{
    struct link_listener *l = g->listener;
    list_remove(&g->link);
    if (--l->guest_count == 0) loop_timer_stop(l->tick);
    loop_watch_close(g->watch);
    mem_free(g);
}

static void send_away(struct guest *g)
{
    int fd = g->fd;
    dismiss(g);
    close(fd);
}

static void note(struct guest *g, const char *why)
{
    char peer[SOCKET_TEXT_MAX], shown[2 * LINK_SHOWN_MAX + 1] = "", line[ERR_TEXT_SIZE];
    struct link_listener *l = g->listener;
    if (!l->note) return;
    socket_name(g->fd, true, peer);
    for (size_t i = 0; i < g->size && i < LINK_SHOWN_MAX; i++) snprintf(shown + 2 * i, 3, "%02x", g->bytes[i]);
    snprintf(line, sizeof line, "link stranger peer=%s why=\"%s\" bytes=%s", peer, why, shown);
    l->note(l->self, LINK_WARN, line);
}

static void tick_closed(void *self)
{
    struct link_listener *l = self;
    void (*closed)(void *) = l->closed;
    void *owner = l->self;
    mem_free(l);
    if (closed) closed(owner);
}

static void listener_is_closed(void *self)
{
    struct link_listener *l = self;
    loop_timer_close(l->tick, tick_closed, l);
}

void link_listener_close(struct link_listener *l, void (*closed)(void *self))
{
    l->closed = closed;
    LIST_FOR_SAFE(&l->guests, link) send_away(LIST_ITEM(link, struct guest, link));
    listener_close(l->listener, listener_is_closed);
}

static void refuse_version(struct guest *g, uint16_t version)
{
    char words[LINK_REFUSAL_MAX];
    struct buf payload = {0}, frame = {0};
    snprintf(words, sizeof words, "the link version differs: %u was offered, this node has %u", version, LINK_VERSION);
    note(g, words);
    link_refusal_encode(&payload, LINK_REFUSED_WRONG, words);
    link_frame_put(&frame, LINK_REFUSE, buf_slice(&payload));
    ssize_t sent = send(g->fd, frame.data, frame.size, MSG_NOSIGNAL);
    (void)sent; /* who does not read it will see the close */
    buf_close(&payload);
    buf_close(&frame);
}

/* The bytes so far: a hello and nothing behind it is handed on, a part of one is waited for. */
static void look(struct guest *g)
{
    struct link_listener *l = g->listener;
    struct link_frame f;
    struct link_hello h;
    struct slice bytes = slice_of(g->bytes, g->size);
    enum link_frame_state state = link_frame_peek(bytes, LINK_HANDSHAKE_MAX, &f);
    if (state == LINK_FRAME_PARTIAL && (bytes.size < LINK_FRAME_HEAD || f.type == LINK_HELLO)) return;
    bool whole = state == LINK_FRAME_WHOLE && f.type == LINK_HELLO && bytes.size == LINK_FRAME_HEAD + f.size;
    int code = whole && link_frame_intact(bytes) ? link_hello_decode(link_frame_payload(bytes), &h) : ERR_FORMAT;
    if (code == ERR_VERSION) refuse_version(g, h.version);
    else if (code) note(g, "not a hello");
    if (code) {
        send_away(g);
        return;
    }
    uint8_t hello[LINK_HANDSHAKE_MAX];
    int fd = g->fd;
    memcpy(hello, g->bytes + LINK_FRAME_HEAD, f.size);
    dismiss(g);
    l->accepted(l->self, fd, h.shard, slice_of(hello, f.size));
}

/* Not a byte more than the hello: what follows may be TLS, and is read by the shard. */
static size_t wanted(const struct guest *g)
{
    struct link_frame f;
    link_frame_peek(slice_of(g->bytes, g->size), LINK_HANDSHAKE_MAX, &f);
    return (g->size < LINK_FRAME_HEAD ? LINK_FRAME_HEAD : LINK_FRAME_HEAD + f.size) - g->size;
}

static void on_ready(void *self, unsigned events)
{
    struct guest *g = self;
    (void)events;
    ssize_t n = recv(g->fd, g->bytes + g->size, wanted(g), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        if (g->size) note(g, "closed before the end of its hello");
        send_away(g); /* a probe that only connects is not worth a line */
        return;
    }
    g->size += (size_t)n;
    look(g);
}

static void on_guest(void *self, int fd)
{
    struct link_listener *l = self;
    struct guest *g = mem_zalloc(sizeof *g);
    int timeout_ms = LINK_SILENCE_MS;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
    if (loop_watch_open(&g->watch, l->loop, fd, on_ready, g)) {
        close(fd);
        mem_free(g);
        return;
    }
    if (l->guest_count == LINK_GUESTS_MAX) send_away(LIST_ITEM(l->guests.next, struct guest, link));
    g->listener = l;
    g->fd = fd;
    list_append(&l->guests, &g->link);
    if (l->guest_count++ == 0) loop_timer_start(l->tick, LINK_TICK_MS, LINK_TICK_MS);
    loop_watch_want(g->watch, LOOP_READ);
}

static void on_tick(void *self)
{
    struct link_listener *l = self;
    LIST_FOR_SAFE(&l->guests, link)
    {
        struct guest *g = LIST_ITEM(link, struct guest, link);
        if (++g->ticks <= LINK_HANDSHAKE_TICKS) continue;
        note(g, "no hello in time");
        send_away(g);
    }
}
