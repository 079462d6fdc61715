/* One connection's bytes: frames are cut out of what one read brought, and what a turn sends leaves in one write.
 *
 * Reading: bytes arrive on the stack. The whole frames of a read are copied once, into one blob of exactly their size
 * that their receivers share; so a receiver that keeps a small frame for long pins little else. A large frame that has
 * not come whole gets a blob of its own and the rest of it is read into that, without a copy. */
#include <errno.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#include "replication/link/link_internal.h"

static void on_ready(void *self, unsigned events);
static void read_some(struct link_conn *c);
static bool take_big(struct link_conn *c, size_t *got);
static size_t take_frames(struct link_conn *c, const uint8_t *data, size_t size);
static void keep_rest(struct link_conn *c, const uint8_t *data, size_t size);

struct link_conn *link_conn_open(struct links *l, struct link_peer *peer, int fd, bool dialled, enum link_state state)
{
    struct link_conn *c = mem_zalloc(sizeof *c);
    if (loop_watch_open(&c->watch, l->params.loop, fd, on_ready, c)) {
        close(fd);
        mem_free(c);
        return NULL;
    }
    c->links = l;
    c->peer = peer;
    c->fd = fd;
    c->dialled = dialled;
    c->state = state;
    list_append(&l->conns, &c->link);
    list_init(&c->dirty_link);
    l->pending++;
    loop_watch_want(c->watch, state == LINK_CONNECTING ? LOOP_WRITE : LOOP_READ);
    return c;
}

void link_conn_move(struct link_conn *c, enum link_state to)
{
    static const bool permitted[LINK_STATES][LINK_STATES] = {
        [LINK_CONNECTING] = {[LINK_HELLO_SENT] = true, [LINK_GONE] = true},
        [LINK_HELLO_SENT] = {[LINK_PROOF_SENT] = true, [LINK_UP] = true, [LINK_GONE] = true},
        [LINK_PROOF_SENT] = {[LINK_UP] = true, [LINK_GONE] = true},
        [LINK_UP] = {[LINK_GONE] = true},
    };
    CHECK(permitted[c->state][to]);
    if (c->state < LINK_UP) c->links->pending--;
    if (to < LINK_UP) c->links->pending++;
    c->state = to;
}

void link_conn_end(struct link_conn *c, int error, const char *why)
{
    if (c->state == LINK_GONE) return;
    bool was_up = c->state == LINK_UP;
    link_conn_move(c, LINK_GONE);
    loop_watch_close(c->watch);
    close(c->fd);
    list_remove(&c->link);
    list_append(&c->links->gone, &c->link);
    list_remove(&c->dirty_link);
    link_out_close(&c->out);
    if (was_up && why) link_peer_note(c->peer, LINK_WARN, "link cut node=%u why=\"%s\"", c->peer->node, why);
    link_peer_lost(c, error);
}

void link_conn_cut(struct link_conn *c, const char *why)
{
    link_conn_end(c, 0, why);
}

void link_conn_free(struct link_conn *c)
{
    CHECK(c->state == LINK_GONE);
    list_remove(&c->link);
    tls_close(c->tls);
    blob_unref(c->big);
    buf_close(&c->rest);
    buf_close(&c->hello);
    buf_close(&c->peer_hello);
    mem_free(c);
}

void link_conn_put(struct link_conn *c, uint8_t type, struct slice head, const struct part *parts, uint32_t count)
{
    if (c->out.bytes > LINK_QUEUE_MAX) c->overrun = true; /* cut later: the sender is in the middle of something */
    if (!c->overrun) link_out_put(&c->out, type, head, parts, count);
    if (c->dirty_link.next == &c->dirty_link) list_append(&c->links->dirty, &c->dirty_link);
}

void link_conn_flush(struct link_conn *c)
{
    struct iovec iovecs[LINK_IOVECS_MAX];
    list_remove(&c->dirty_link);
    if (c->overrun) {
        link_conn_cut(c, "the peer does not read");
        return;
    }
    if (c->tls) {
        link_conn_tls_flush(c);
        return;
    }
    while (c->out.bytes && !c->blocked) {
        size_t bytes, sent;
        int count = link_out_iovecs(&c->out, iovecs, LINK_IOVECS_MAX, &bytes);
        if (!link_conn_write(c, iovecs, count, bytes, &sent)) return;
        link_out_written(&c->out, sent);
    }
    loop_watch_want(c->watch, LOOP_READ | (c->blocked ? LOOP_WRITE : 0u));
}

/* One write; false: the connection is gone. */
bool link_conn_write(struct link_conn *c, struct iovec *iovecs, int count, size_t bytes, size_t *sent)
{
    struct msghdr message = {.msg_iov = iovecs, .msg_iovlen = (size_t)count};
    ssize_t n;
    do n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN) {
        link_conn_end(c, 0, strerror(errno));
        return false;
    }
    c->written = true;
    *sent = n < 0 ? 0 : (size_t)n;
    c->blocked = *sent < bytes;
    return true;
}

void link_conn_tick(struct link_conn *c)
{
    c->ticks++;
    if (c->state != LINK_UP) {
        if (c->ticks > LINK_HANDSHAKE_TICKS) link_conn_end(c, 0, NULL);
        return;
    }
    if (c->ticks > LINK_SILENCE_TICKS) {
        link_conn_cut(c, "silence");
        return;
    }
    bool written = c->written;
    c->written = false;
    if (written || c->out.bytes) return;
    link_conn_put(c, LINK_PING, slice_of(NULL, 0), NULL, 0);
    link_conn_flush(c);
    c->written = false;
}

static void on_ready(void *self, unsigned events)
{
    struct link_conn *c = self;
    if (c->state == LINK_CONNECTING) {
        int error = socket_error(c->fd);
        if (error || (events & LOOP_ERROR)) link_conn_end(c, error ? error : ECONNABORTED, NULL);
        else link_handshake_start(c);
        return;
    }
    if (events & LOOP_ERROR) {
        int error = socket_error(c->fd);
        link_conn_end(c, 0, error ? strerror(error) : "error");
        return;
    }
    if (events & LOOP_WRITE) {
        c->blocked = false;
        link_conn_flush(c);
    }
    if (!(events & LOOP_READ) || c->state == LINK_GONE) return;
    if (c->tls) link_conn_tls_read(c);
    else read_some(c);
}

static void read_some(struct link_conn *c)
{
    uint8_t scratch[LINK_REST_MAX + LINK_READ_SIZE];
    size_t kept = c->rest.size;
    if (kept) memcpy(scratch, c->rest.data, kept);
    struct iovec iovecs[2] = {{0}, {scratch + kept, LINK_READ_SIZE}};
    if (c->big) iovecs[0] = (struct iovec){c->big->data + c->big_filled, c->big->size - c->big_filled};
    ssize_t n = readv(c->fd, c->big ? iovecs : iovecs + 1, c->big ? 2 : 1);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        link_conn_end(c, 0, n == 0 ? "closed by the peer" : strerror(errno));
        return;
    }
    link_conn_take(c, scratch, kept, (size_t)n);
}

/* With a big frame on its way, its part of `got` is in its blob already. */
void link_conn_take(struct link_conn *c, uint8_t *bytes, size_t kept, size_t got)
{
    c->ticks = c->state == LINK_UP ? 0 : c->ticks;
    if (c->big && !take_big(c, &got)) return;
    size_t used = take_frames(c, bytes, kept + got);
    if (c->state != LINK_GONE) keep_rest(c, bytes + used, kept + got - used);
}

/* Hands one whole frame to whom it concerns. False: the connection is gone. */
static bool give(struct link_conn *c, struct blob *blob, size_t offset, struct slice frame)
{
    struct links *l = c->links;
    uint8_t type = frame.data[LINK_FRAME_HEAD - 1];
    struct slice payload = link_frame_payload(frame);
    if (!link_frame_intact(frame)) {
        link_conn_cut(c, "a frame's checksum is wrong");
    } else if (c->state != LINK_UP) {
        link_handshake_frame(c, type, payload);
    } else if (type < LINK_OWN_TYPES) {
        uint32_t at = (uint32_t)(offset + LINK_FRAME_HEAD);
        if (!l->closing) l->params.frame(l->params.self, c->peer->node, type, blob, at, (uint32_t)payload.size);
    } else if (type == LINK_EPOCH && payload.size == sizeof c->peer->epoch) {
        memcpy(&c->epoch, payload.data, sizeof c->epoch);
        c->peer->epoch = c->epoch;
    } else if (type != LINK_PING) {
        link_conn_cut(c, "a frame of an unknown type");
    }
    return c->state != LINK_GONE;
}

/* False: there is nothing more to do with this read. */
static bool take_big(struct link_conn *c, size_t *got)
{
    size_t part = c->big->size - c->big_filled;
    if (part > *got) part = *got;
    c->big_filled += part;
    *got -= part;
    if (c->big_filled < c->big->size) return false;
    struct blob *blob = c->big;
    c->big = NULL;
    bool alive = give(c, blob, 0, slice_of(blob->data, blob->size));
    blob_unref(blob);
    return alive;
}

/* Where the last whole frame ends. */
static size_t whole_frames(struct slice bytes)
{
    struct link_frame f;
    size_t at = 0;
    while (link_frame_peek(slice_of(bytes.data + at, bytes.size - at), LINK_FRAME_MAX, &f) == LINK_FRAME_WHOLE)
        at += LINK_FRAME_HEAD + f.size;
    return at;
}

static size_t take_frames(struct link_conn *c, const uint8_t *data, size_t size)
{
    struct link_frame f;
    size_t whole = whole_frames(slice_of(data, size)), at = 0, from = 0;
    struct blob *blob = NULL;
    while (at < whole) {
        link_frame_peek(slice_of(data + at, whole - at), LINK_FRAME_MAX, &f);
        size_t frame_size = LINK_FRAME_HEAD + f.size;
        if (!blob && f.type < LINK_OWN_TYPES && c->state == LINK_UP) {
            blob = blob_copy(data + at, whole - at);
            from = at;
        }
        const uint8_t *frame = blob ? blob->data + (at - from) : data + at;
        if (!give(c, blob, at - from, slice_of(frame, frame_size))) break;
        at += frame_size;
    }
    blob_unref(blob);
    return whole;
}

static void keep_rest(struct link_conn *c, const uint8_t *data, size_t size)
{
    struct link_frame f;
    uint32_t size_max = c->state == LINK_UP ? LINK_FRAME_MAX : LINK_HANDSHAKE_MAX;
    enum link_frame_state state = link_frame_peek(slice_of(data, size), size_max, &f);
    buf_clear(&c->rest);
    if (state == LINK_FRAME_TOO_BIG) {
        link_conn_cut(c, "a frame that is too big");
        return;
    }
    if (f.size > LINK_OWN_BLOB_MIN) {
        c->big = blob_create(LINK_FRAME_HEAD + f.size);
        memcpy(c->big->data, data, size);
        c->big_filled = size;
        size = 0;
    }
    if (size) buf_put(&c->rest, data, size);
    else buf_close(&c->rest);
}
