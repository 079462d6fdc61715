/* The steps of hello.h on a connection. */
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "replication/link/link_internal.h"

static void make_hello(struct links *l, struct buf *out)
{
    struct link_hello h = {
        .node = l->params.node,
        .shard = l->params.shard,
        .shard_count = l->params.shard_count,
        .epoch = l->params.epoch,
        .group_count = l->params.group_count,
        .level = l->params.level,
        .tls = l->params.tls_dialler != NULL,
        .joins = l->params.joins,
        .name = slice_str(l->node_name),
        .address = slice_str(l->listen_address),
    };
    memcpy(h.data_id, l->data_id, sizeof h.data_id);
    CHECK(getrandom(h.nonce, sizeof h.nonce, 0) == (ssize_t)sizeof h.nonce);
    link_hello_encode(out, &h);
}

static void send_hello(struct link_conn *c)
{
    make_hello(c->links, &c->hello);
    link_conn_put(c, LINK_HELLO, buf_slice(&c->hello), NULL, 0);
    link_conn_flush(c);
}

static void proof_of(struct link_conn *c, bool of_dialler, uint8_t proof[static LINK_PROOF_SIZE])
{
    struct slice mine = buf_slice(&c->hello), theirs = buf_slice(&c->peer_hello);
    link_proof(proof, buf_slice(&c->links->secret), of_dialler, c->dialled ? mine : theirs, c->dialled ? theirs : mine);
}

static void put_proof(struct link_conn *c)
{
    uint8_t proof[LINK_PROOF_SIZE];
    proof_of(c, c->dialled, proof);
    link_conn_put(c, LINK_PROOF, slice_of(proof, sizeof proof), NULL, 0);
}

/* Why a peer that says this cannot be linked with; false: it can. `p` is whom we dialled, or who dialled us (NULL: a
 * stranger). */
static bool find_fault(struct links *l, const struct link_peer *p, const struct link_hello *h,
                       char words[ERR_TEXT_SIZE])
{
    if (h->node == l->params.node)
        snprintf(words, ERR_TEXT_SIZE, "node id %u is taken: two nodes share it, or an address leads back to its node",
                 h->node);
    else if (!p)
        snprintf(words, ERR_TEXT_SIZE, "node %u is not among the members that node %u knows", h->node, l->params.node);
    else if (p->removed) snprintf(words, ERR_TEXT_SIZE, "%s", p->why_removed);
    else if (p->node && h->node != p->node)
        snprintf(words, ERR_TEXT_SIZE, "node %u was dialled and node %u answered", p->node, h->node);
    else if (h->group_count != l->params.group_count)
        snprintf(words, ERR_TEXT_SIZE,
                 "cluster.groups differs: node %u has %u groups with the meta group, node %u has %u", l->params.node,
                 l->params.group_count, h->node, h->group_count);
    else if (h->shard_count != l->params.shard_count)
        snprintf(words, ERR_TEXT_SIZE, "shards differs: node %u has %u, node %u has %u", l->params.node,
                 l->params.shard_count, h->node, h->shard_count);
    else if (h->level < l->level)
        snprintf(words, ERR_TEXT_SIZE,
                 "the cluster works at level %u, and the program of node %u knows %u: install a newer one there",
                 l->level, h->node, h->level);
    else if (h->tls != (l->params.tls_dialler != NULL))
        snprintf(words, ERR_TEXT_SIZE, "cluster.ssl differs: node %u has it, node %u has not",
                 h->tls ? h->node : l->params.node, h->tls ? l->params.node : h->node);
    else if (p->expects && memcmp(p->data_id, h->data_id, sizeof p->data_id) != 0)
        snprintf(
            words, ERR_TEXT_SIZE,
            "node id %u is taken: the member has other data. A node that lost its disk is forgotten, and comes back "
            "under a new id",
            h->node);
    else if (h->shard != l->params.shard)
        snprintf(words, ERR_TEXT_SIZE, "shard %u was wanted and shard %u answered", h->shard, l->params.shard);
    else return false;
    return true;
}

static void refuse(struct link_conn *c, uint8_t kind, const char *words)
{
    struct buf payload = {0};
    link_refusal_encode(&payload, kind, words);
    link_conn_put(c, LINK_REFUSE, buf_slice(&payload), NULL, 0);
    buf_close(&payload);
    link_conn_flush(c);
    if (kind == LINK_REFUSED_WRONG)
        link_peer_note(c->peer, LINK_WARN, "link refused node=%u why=\"%s\"", c->peer->node, words);
    link_conn_cut(c, NULL);
}

/* The same for a descriptor that never becomes a connection. */
static void refuse_fd(int fd, uint8_t kind, const char *words)
{
    struct buf payload = {0}, frame = {0};
    char unread[4096];
    link_refusal_encode(&payload, kind, words);
    link_frame_put(&frame, LINK_REFUSE, buf_slice(&payload));
    ssize_t sent = send(fd, frame.data, frame.size, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent; /* who does not read it will see the close */
    /* A dialler with TLS has sent more; a close with unread bytes would take the words back. */
    ssize_t got = recv(fd, unread, sizeof unread, MSG_DONTWAIT);
    (void)got;
    buf_close(&frame);
    buf_close(&payload);
    close(fd);
}

void link_accept(struct links *l, int fd, struct slice hello)
{
    struct link_hello h;
    char words[ERR_TEXT_SIZE], line[ERR_TEXT_SIZE + 64];
    if (l->closing || l->pending >= LINK_PENDING_MAX || link_hello_decode(hello, &h)) {
        close(fd);
        return;
    }
    struct link_peer *p = link_peer_of_hello(l, &h);
    if (find_fault(l, p, &h, words)) {
        refuse_fd(fd, LINK_REFUSED_WRONG, words);
        snprintf(line, sizeof line, "link refused node=%u why=\"%s\"", h.node, words);
        if (p) link_peer_note(p, LINK_WARN, "%s", line);
        else l->params.note(l->params.self, LINK_WARN, line);
        return;
    }
    struct link_conn *c = link_conn_open(l, p, fd, false, LINK_HELLO_SENT);
    if (!c) return;
    c->epoch = h.epoch;
    buf_put_slice(&c->peer_hello, hello);
    if (!link_peer_wants(p, c)) {
        refuse(c, LINK_REFUSED_CROSSING, "another connection is being made");
        return;
    }
    if (l->params.tls_listener) link_conn_secure(c);
    send_hello(c);
}

void link_handshake_start(struct link_conn *c)
{
    link_conn_move(c, LINK_HELLO_SENT);
    c->ticks = 0;
    send_hello(c);
    if (c->state == LINK_GONE || !c->links->params.tls_dialler) return;
    if (c->blocked) { /* some hundred bytes did not fit: nothing to build on */
        link_conn_cut(c, NULL);
        return;
    }
    link_conn_secure(c);
    link_conn_flush(c);
}

/* An address of link_join() turned out to be this node's. */
static bool adopt(struct link_conn *c, const struct link_hello *h)
{
    if (c->peer->node) return true;
    struct link_peer *p = link_peer_of_hello(c->links, h);
    if (!p || p->up || p->dialling || p->removed) return false;
    c->peer->dialling = NULL;
    link_peer_dial_later(c->peer);
    c->peer = p;
    p->dialling = c;
    return true;
}

/* Whom we dialled answers. */
static void take_hello(struct link_conn *c, struct slice payload)
{
    struct link_hello h;
    char words[ERR_TEXT_SIZE];
    int code = link_hello_decode(payload, &h);
    if (code == ERR_VERSION) {
        snprintf(words, sizeof words, "the link version differs: node %u has %u, node %u has %u", c->links->params.node,
                 LINK_VERSION, c->peer->node, h.version);
        refuse(c, LINK_REFUSED_WRONG, words);
    } else if (code) {
        link_conn_cut(c, NULL);
    } else if (find_fault(c->links, c->peer, &h, words)) {
        refuse(c, LINK_REFUSED_WRONG, words);
    } else if (!adopt(c, &h)) {
        refuse(c, LINK_REFUSED_CROSSING, "another connection is being made");
    } else {
        c->epoch = h.epoch;
        buf_put_slice(&c->peer_hello, payload);
        link_conn_move(c, LINK_PROOF_SENT);
        put_proof(c);
        link_conn_flush(c);
    }
}

static void take_proof(struct link_conn *c, struct slice payload)
{
    uint8_t expected[LINK_PROOF_SIZE];
    proof_of(c, !c->dialled, expected);
    if (!link_proof_equal(expected, payload)) {
        refuse(c, LINK_REFUSED_WRONG, "cluster.secret_file differs: the peer does not know this node's secret");
    } else if (!link_peer_wants(c->peer, c)) {
        refuse(c, LINK_REFUSED_CROSSING, "another connection is up");
    } else {
        if (!c->dialled) put_proof(c); /* in front of whatever `up` sends */
        link_peer_up(c);
        if (c->state == LINK_UP) link_conn_flush(c);
    }
}

static void take_refusal(struct link_conn *c, struct slice payload)
{
    uint8_t kind;
    char words[LINK_REFUSAL_MAX + 1];
    if (link_refusal_decode(payload, &kind, words) && kind != LINK_REFUSED_CROSSING)
        link_peer_note(c->peer, LINK_WARN, "link refused_by node=%u why=\"%s\"", c->peer->node, words);
    link_conn_cut(c, NULL);
}

void link_handshake_frame(struct link_conn *c, uint8_t type, struct slice payload)
{
    if (payload.size > LINK_HANDSHAKE_MAX) link_conn_cut(c, NULL);
    else if (type == LINK_REFUSE) take_refusal(c, payload);
    else if (type == LINK_HELLO && c->dialled && c->state == LINK_HELLO_SENT) take_hello(c, payload);
    else if (type == LINK_PROOF && c->state == (c->dialled ? LINK_PROOF_SENT : LINK_HELLO_SENT)) take_proof(c, payload);
    else link_conn_cut(c, NULL);
}
