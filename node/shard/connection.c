/* A client: its socket, its session, its side of the broker, tied together for one shard. The session comes with the
 * client's first byte: until then it is only a socket, which costs little and is counted nowhere. */
#include "node/shard/shard_internal.h"

#include <stdio.h>
#include <unistd.h>

struct connection {
    struct shard *shard;
    struct net_socket *socket;
    struct session *session; /* NULL: nothing was said yet */
    struct broker_connection *broker;
    char *refused;              /* why it was sent away before it had a session; NULL: it was not */
    struct list link;           /* shard.connections */
    struct list dirty_link;     /* shard.dirty */
    struct list congested_link; /* shard.congested */
    uint64_t connected_at_ms;   /* wall clock */
    uint64_t serial;            /* rising along shard.connections */
    uint64_t accepted_ms;
    uint64_t linger_until_ms; /* a closed session's last bytes must be out by then */
    bool over_high_water;
    bool hidden;  /* a conversation of this process: neither listed nor counted */
    bool trusted; /* the local end of a link between clusters */
    bool ended;   /* the socket broke or was told to close */
    bool closing; /* net_socket_close() was called */
};

enum { CONNECTION_LINGER_MS = 2000, REASON_MAX = 1024 /* bytes of a log line's */ };

static void touch(void *arg)
{
    struct connection *c = arg;
    list_remove(&c->dirty_link);
    list_append(&c->shard->dirty, &c->dirty_link);
    if (!c->shard->in_turn) turn_soon(c->shard);
}

static void stop_reading(struct connection *c, enum shard_wait why)
{
    if (c->closing) return;
    c->shard->waits[why]++;
    net_socket_read(c->socket, false);
    list_remove(&c->congested_link);
    list_append(&c->shard->congested, &c->congested_link);
}

static size_t on_data(void *self, const uint8_t *data, size_t size)
{
    struct connection *c = self;
    if (c->ended) return size;
    size_t before = session_output(c->session)->size;
    size_t used = session_input(c->session, data, size, c->shard->now_ms);
    if (used || session_output(c->session)->size != before) touch(c); /* a part of a frame is no news */
    if (broker_connection_congested(c->broker)) stop_reading(c, WAIT_UNANSWERED);
    else if (c->shard->overflow_count) stop_reading(c, WAIT_SHARDS);
    return used;
}

static void on_drained(void *self)
{
    touch(self);
}

static void refuse(struct connection *c, const char *why)
{
    mem_free(c->refused);
    c->refused = mem_strdup(why);
    c->ended = true;
}

static void on_ended(void *self, const struct err *err)
{
    struct connection *c = self;
    c->ended = true;
    if (err && err->code == ERR_REFUSED && !c->session) refuse(c, err->text); /* a reset is how probes leave */
    touch(c);
}

/* Reasons quote what the client said: it must not look like the end of ours. */
static const char *without_quotes(const char *reason, char *text, size_t size)
{
    snprintf(text, size, "%s", reason);
    for (char *at = text; (at = strchr(at, '"'));) *at = '\'';
    return text;
}

/* A probe that opens and closes without a word is not worth a line. */
static void note_end(const struct connection *c)
{
    struct session_info info;
    char reason[REASON_MAX];
    if (c->refused)
        logger_printf(c->shard->settings->logger, LOG_WARN, c->shard->id,
                      "connection refused peer=\"%s -> %s\" reason=\"%s\"", net_socket_peer(c->socket),
                      net_socket_local(c->socket), c->refused);
    if (!c->session) return;
    session_info(c->session, &info);
    if (c->hidden || (!info.received_frames && !*info.ended)) return;
    logger_printf(c->shard->settings->logger, *info.ended ? LOG_WARN : LOG_INFO, c->shard->id,
                  "connection closed peer=\"%s\" user=%.*s reason=\"%s\"", info.peer, (int)info.user.size,
                  (const char *)info.user.data,
                  without_quotes(*info.ended ? info.ended : "client closed or left", reason, sizeof reason));
}

static void on_closed(void *self)
{
    struct connection *c = self;
    if (c->session) {
        struct session_info info;
        session_info(c->session, &info);
        if (c->hidden)
            info.stats.channels_opened = info.stats.channels_closed = 0; /* what it did counts all the same */
        session_stats_add(&c->shard->closed_stats, &info.stats);
        exchanges_keep(c->shard, c->session, info.vhost);
        session_destroy(c->session);
        broker_connection_close(c->broker);
        if (!c->hidden) c->shard->connection_count--, c->shard->connections_closed++;
    }
    c->shard->sockets_open--;
    list_remove(&c->link);
    list_remove(&c->dirty_link);
    list_remove(&c->congested_link);
    turn_soon(c->shard);
    mem_free(c->refused);
    mem_free(c);
}

/* An alarm may last: a publisher that leaves meanwhile is not kept until it is over, nor is what it had sent. */
static void block(struct connection *c, const char *reason)
{
    session_block(c->session, reason);
    net_socket_mind_hangup(c->socket, reason != NULL);
}

static void on_opened(void *self)
{
    struct connection *c = self;
    struct shard *s = c->shard;
    char peer[2 * NET_ADDRESS_MAX + 8];
    snprintf(peer, sizeof peer, "%s -> %s", net_socket_peer(c->socket), net_socket_local(c->socket));
    c->broker = broker_connection_open(s->broker);
    if (c->hidden) broker_connection_hide(c->broker);
    c->session = session_create(&s->settings->session, broker_connection_backend(c->broker), peer,
                                c->hidden || net_socket_is_loopback(c->socket), c->accepted_ms);
    if (net_socket_is_secure(c->socket)) connection_secure(s, c->session, net_socket_tls(c->socket));
    broker_connection_attach(c->broker, c->session, touch, c);
    if (c->trusted) session_trust(c->session);
    if (s->alarm_reason) block(c, s->alarm_reason);
    if (!c->hidden) s->connection_count++, s->connections_opened++;
}

static struct connection *open_connection(struct shard *s, int fd, const struct net_entrance *entrance, bool hidden)
{
    static const struct net_socket_events events = {
        .opened = on_opened, .data = on_data, .drained = on_drained, .ended = on_ended, .closed = on_closed};
    struct connection *c = mem_zalloc(sizeof *c);
    struct err err;
    c->shard = s;
    if (s->phase != SHARD_RUNNING || net_socket_open(&c->socket, &s->loop, fd, entrance, &events, c, &err)) {
        if (s->phase != SHARD_RUNNING) close(fd);
        mem_free(c);
        return NULL;
    }
    c->hidden = hidden;
    s->now_ms = c->accepted_ms = uv_hrtime() / 1000000;
    c->connected_at_ms = s->broker_io.clock_ms(s);
    list_init(&c->dirty_link);
    list_init(&c->congested_link);
    c->serial = ++s->connection_serial;
    list_append(&s->connections, &c->link);
    s->sockets_open++;
    return c;
}

void connection_open(struct shard *s, int fd, unsigned listener)
{
    open_connection(s, fd, &s->settings->entrances[listener], false);
}

void shard_open_conversation(struct shard *s, int fd, bool trusted)
{
    static const struct net_entrance plain;
    struct connection *c = open_connection(s, fd, &plain, true);
    if (c) c->trusted = trusted;
    turn_soon(s);
}

void shard_open_link(struct shard *s, int fd)
{
    static const struct net_entrance plain;
    struct connection *c = open_connection(s, fd, &plain, true);
    if (c) c->trusted = true;
    turn_soon(s);
}

static void close_socket(struct connection *c)
{
    if (c->closing) return;
    c->closing = true;
    list_remove(&c->congested_link);
    if (c->session) session_abandon(c->session);
    note_end(c);
    net_socket_close(c->socket);
}

/* Sessions make what they held back for the whole turn: coalesced confirms, acks of no-ack consumers. */
void connections_turn(struct shard *s)
{
    LIST_FOR(&s->dirty, link)
    {
        struct connection *c = LIST_ITEM(link, struct connection, dirty_link);
        if (c->session && !c->closing) session_turn_end(c->session, s->now_ms);
    }
}

static void write_one(struct connection *c)
{
    struct shard *s = c->shard;
    struct buf *out = session_output(c->session);
    bool was_over = c->over_high_water || !session_wants_deliveries(c->session);
    if (out->size) {
        net_socket_write(c->socket, out);
        session_written(c->session, s->now_ms);
    }
    bool wants = session_wants_deliveries(c->session);
    if (wants && was_over) session_drained(c->session, s->now_ms);
    if (wants && (was_over || broker_connection_behind(c->broker))) broker_connection_drained(c->broker);
    s->waits[WAIT_READER] += !wants && !c->over_high_water;
    c->over_high_water = !wants;
    if (session_state(c->session) != SESSION_CLOSED) return;
    if (!c->linger_until_ms) c->linger_until_ms = s->now_ms + CONNECTION_LINGER_MS;
    if ((!out->size && net_socket_flushed(c->socket)) || s->now_ms >= c->linger_until_ms) close_socket(c);
}

static void read_again(struct shard *s)
{
    LIST_FOR_SAFE(&s->congested, link)
    {
        struct connection *c = LIST_ITEM(link, struct connection, congested_link);
        if (broker_connection_congested(c->broker) || s->overflow_count) continue;
        list_remove(&c->congested_link);
        net_socket_read(c->socket, true);
        net_socket_poke(c->socket);
    }
}

void connections_write(struct shard *s)
{
    struct list batch; /* what is touched while writing waits for the next turn */
    list_init(&batch);
    while (!list_empty(&s->dirty)) {
        struct list *link = s->dirty.next;
        list_remove(link);
        list_append(&batch, link);
    }
    while (!list_empty(&batch)) {
        struct connection *c = LIST_ITEM(batch.next, struct connection, dirty_link);
        list_remove(&c->dirty_link);
        if (c->closing) continue;
        if (c->ended) {
            close_socket(c);
            continue;
        }
        if (!c->session) continue;
        write_one(c);
        if (!c->closing) net_socket_poke(c->socket); /* a stalled session may take more now */
    }
    read_again(s);
}

/* A client that says nothing at all is sent away without a line, as a probe would be. */
static void look_at_stranger(struct connection *c)
{
    const struct node_settings *settings = c->shard->settings;
    uint64_t waited = c->shard->now_ms - c->accepted_ms;
    bool handshake = net_socket_tls(c->socket) && !net_socket_is_secure(c->socket);
    if (handshake && waited >= settings->tls_handshake_timeout_ms) {
        if (net_socket_bytes_in(c->socket)) refuse(c, "TLS handshake timeout");
        c->ended = true;
    } else if (waited >= settings->session.handshake_timeout_ms) {
        if (net_socket_bytes_in(c->socket)) refuse(c, "handshake timeout");
        c->ended = true;
    }
    if (c->ended) touch(c);
}

void connections_look(struct shard *s)
{
    LIST_FOR(&s->connections, link)
    {
        struct connection *c = LIST_ITEM(link, struct connection, link);
        if (c->closing) continue;
        if (!c->session) {
            look_at_stranger(c);
            continue;
        }
        bool due = session_deadline_ms(c->session) <= s->now_ms || c->linger_until_ms;
        if (!due) continue;
        session_tick(c->session, s->now_ms);
        touch(c);
    }
}

void connections_block(struct shard *s, const char *reason)
{
    LIST_FOR(&s->connections, link)
    {
        struct connection *c = LIST_ITEM(link, struct connection, link);
        if (c->closing || !c->session) continue;
        block(c, reason);
        touch(c);
    }
}

void connections_close_all(struct shard *s, const char *why)
{
    LIST_FOR(&s->connections, link)
    {
        struct connection *c = LIST_ITEM(link, struct connection, link);
        if (c->closing) continue;
        if (why && c->session) session_close(c->session, 320, why, s->now_ms);
        else c->ended = true;
        touch(c);
    }
}

bool shard_next_connection(struct shard *s, uint64_t *cursor, struct shard_connection_info *info)
{
    LIST_FOR(&s->connections, link)
    {
        struct connection *c = LIST_ITEM(link, struct connection, link);
        if (c->serial <= *cursor || c->hidden || c->closing || !c->session) continue;
        *cursor = c->serial;
        info->handle = c->session;
        info->broker = c->broker;
        session_info(c->session, &info->session);
        info->local = net_socket_local(c->socket);
        info->bytes_in = net_socket_bytes_in(c->socket);
        info->bytes_out = net_socket_bytes_out(c->socket);
        info->connected_at_ms = c->connected_at_ms;
        return true;
    }
    return false;
}

bool shard_close_connection(struct shard *s, struct slice name, struct slice reason)
{
    char text[256];
    snprintf(text, sizeof text, "%.*s", (int)(reason.size < sizeof text ? reason.size : sizeof text - 1),
             (const char *)reason.data);
    LIST_FOR(&s->connections, link)
    {
        struct connection *c = LIST_ITEM(link, struct connection, link);
        struct session_info info;
        if (c->hidden || c->closing || !c->session) continue;
        session_info(c->session, &info);
        if (!slice_is(name, info.peer)) continue;
        session_close(c->session, 320, text, s->now_ms);
        touch(c);
        return true;
    }
    return false;
}

size_t shard_connection_count(const struct shard *s)
{
    return s->connection_count;
}
