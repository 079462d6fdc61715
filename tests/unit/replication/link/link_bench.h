/* Nodes with links over real loopback connections, all in one loop; and a plain socket that speaks frames by hand. */
#ifndef WARREN_TESTS_UNIT_REPLICATION_LINK_LINK_BENCH_H
#define WARREN_TESTS_UNIT_REPLICATION_LINK_LINK_BENCH_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "base/mem.h"
#include "replication/link/frame.h"
#include "replication/link/hello.h"
#include "replication/link/link.h"

enum { WAIT_MS = 10000, NODES = 4, NOTES_MAX = 64 << 10 };

struct bench {
    uv_loop_t loop;
    uv_prepare_t turn; /* flushes once per iteration, as a shard does */
    struct bench_node *nodes[NODES];
};

struct bench_node {
    struct bench *bench;
    struct links *links;
    struct link_listener *listener;
    char address[64];
    uint8_t node;
    unsigned ups, downs, deads, frames, closed, listener_closed, addresses;
    uint8_t up_node;
    uint32_t up_epoch;
    char up_name[64], learnt[64];
    uint64_t dead_at_ns, down_at_ns;
    uint64_t bytes;
    uint32_t next; /* frames of type 1 start with a number: the next that is expected */
    bool in_order;
    struct buf last; /* the last frame */
    struct blob *kept;
    struct part kept_part;
    bool keep_next;
    char notes[NOTES_MAX];
};

struct bench_setting { /* zero: as usual */
    const char *secret;
    uint32_t epoch, group_count;
    uint16_t shard_count;
    const char *told;   /* as listening address */
    const char *listen; /* really */
    struct tls_context *tls_listener, *tls_dialler;
};

static inline void on_up(void *self, uint8_t node, uint32_t epoch, const char *name)
{
    struct bench_node *n = self;
    n->ups++;
    n->up_node = node;
    n->up_epoch = epoch;
    n->next = 0;
    snprintf(n->up_name, sizeof n->up_name, "%s", name);
}

static inline void on_down(void *self, uint8_t node, bool dead)
{
    struct bench_node *n = self;
    (void)node;
    if (dead) {
        n->deads++;
        n->dead_at_ns = uv_hrtime();
    } else {
        n->downs++;
        n->down_at_ns = uv_hrtime();
    }
}

static inline void on_frame(void *self, uint8_t node, uint8_t type, struct blob *blob, uint32_t offset, uint32_t size)
{
    struct bench_node *n = self;
    (void)node;
    n->frames++;
    n->bytes += size;
    if (n->keep_next) {
        n->keep_next = false;
        n->kept = blob_ref(blob);
        n->kept_part = (struct part){blob, offset, size};
    }
    if (type == 1 && size >= 4) {
        uint32_t number;
        memcpy(&number, blob->data + offset, 4);
        n->in_order = n->in_order && number == n->next++;
        return;
    }
    buf_clear(&n->last);
    buf_put(&n->last, blob->data + offset, size);
}

static inline void on_address(void *self, uint8_t node, const char *address)
{
    struct bench_node *n = self;
    (void)node;
    n->addresses++;
    snprintf(n->learnt, sizeof n->learnt, "%s", address);
}

static inline void on_note(void *self, int level, const char *line)
{
    struct bench_node *n = self;
    (void)level;
    size_t at = strlen(n->notes);
    snprintf(n->notes + at, sizeof n->notes - at, "%s\n", line);
}

static inline void on_closed(void *self)
{
    ((struct bench_node *)self)->closed++;
}

static inline void on_listener_closed(void *self)
{
    ((struct bench_node *)self)->listener_closed++;
}

static inline void on_accepted(void *self, int fd, uint16_t shard, struct slice hello)
{
    struct bench_node *n = self;
    assert_int_equal(shard, 0);
    if (n->links) link_accept(n->links, fd, hello);
    else close(fd);
}

static inline void on_turn(uv_prepare_t *prepare)
{
    struct bench *b = prepare->data;
    for (int i = 0; i < NODES; i++)
        if (b->nodes[i] && b->nodes[i]->links) link_flush(b->nodes[i]->links);
}

static inline void on_alarm(uv_timer_t *timer)
{
    (void)timer;
}

static inline void run_once(struct bench *b)
{
    uv_timer_t alarm; /* keeps the loop from waiting for ever */
    uv_update_time(&b->loop);
    uv_timer_init(&b->loop, &alarm);
    uv_timer_start(&alarm, on_alarm, 10, 10); /* if the first is due before the poll, there is another */
    uv_run(&b->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&alarm, NULL);
    uv_run(&b->loop, UV_RUN_NOWAIT);
}

#define WAIT_FOR(b, fact)                                           \
    do {                                                            \
        uint64_t until = uv_hrtime() + (uint64_t)WAIT_MS * 1000000; \
        while (!(fact)) {                                           \
            run_once(b);                                            \
            if (uv_hrtime() > until) fail_msg("waited for " #fact); \
        }                                                           \
    } while (0)

static inline void run_for(struct bench *b, unsigned ms)
{
    for (uint64_t until = uv_hrtime() + (uint64_t)ms * 1000000; uv_hrtime() < until;) run_once(b);
}

static inline struct bench *bench_open(void)
{
    struct bench *b = mem_zalloc(sizeof *b);
    uv_loop_init(&b->loop);
    uv_prepare_init(&b->loop, &b->turn);
    b->turn.data = b;
    uv_prepare_start(&b->turn, on_turn);
    return b;
}

static inline struct bench_node *node_open(struct bench *b, uint8_t node, struct bench_setting setting)
{
    struct bench_node *n = mem_zalloc(sizeof *n);
    struct err err;
    char name[16];
    const char *secret = setting.secret ? setting.secret : "secret";
    n->bench = b;
    n->node = node;
    n->in_order = true;
    b->nodes[node] = n;
    if (link_listen(&n->listener, &b->loop, setting.listen ? setting.listen : "127.0.0.1:0", on_accepted, n, &err))
        fail_msg("%s", err.text);
    link_listener_on_note(n->listener, on_note);
    snprintf(n->address, sizeof n->address, "%s", link_listener_address(n->listener));
    snprintf(name, sizeof name, "node-%u", node);
    struct link_params params = {
        .loop = &b->loop,
        .node = node,
        .epoch = setting.epoch ? setting.epoch : 1,
        .shard = 0,
        .shard_count = setting.shard_count ? setting.shard_count : 1,
        .group_count = setting.group_count ? setting.group_count : 17,
        .node_name = name,
        .listen_address = setting.told ? setting.told : n->address,
        .secret = (const uint8_t *)secret,
        .secret_size = strlen(secret),
        .tls_listener = setting.tls_listener,
        .tls_dialler = setting.tls_dialler,
        .self = n,
        .up = on_up,
        .down = on_down,
        .frame = on_frame,
        .address = on_address,
        .note = on_note,
        .closed = on_closed,
    };
    if (link_open(&n->links, &params, &err)) fail_msg("%s", err.text);
    return n;
}

/* As if the process died: links and listener close at once. */
static inline void node_close(struct bench_node *n)
{
    struct bench *b = n->bench;
    link_listener_close(n->listener, on_listener_closed);
    link_close(n->links);
    n->links = NULL;
    WAIT_FOR(b, n->closed && n->listener_closed);
    b->nodes[n->node] = NULL;
    blob_unref(n->kept);
    buf_close(&n->last);
    mem_free(n);
}

static inline void bench_close(struct bench *b)
{
    for (int i = 0; i < NODES; i++)
        if (b->nodes[i]) node_close(b->nodes[i]);
    uv_close((uv_handle_t *)&b->turn, NULL);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    mem_free(b);
}

static inline void introduce(struct bench_node *a, struct bench_node *b)
{
    link_add_peer(a->links, b->node, b->address);
    link_add_peer(b->links, a->node, a->address);
}

static inline bool both_up(struct bench_node *a, struct bench_node *b)
{
    return link_up(a->links, b->node) && link_up(b->links, a->node);
}

static inline void send_text(struct bench_node *from, uint8_t to, const char *text)
{
    link_send(from->links, to, 2, slice_str(text), NULL, 0);
}

static inline bool last_is(const struct bench_node *n, const char *text)
{
    return slice_is(buf_slice(&n->last), text);
}

/* --- by hand --- */

static inline int plain_dial(const char *address)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1)),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static inline void plain_send(int fd, uint8_t type, struct slice payload)
{
    struct buf frame = {0};
    link_frame_put(&frame, type, payload);
    assert_int_equal(send(fd, frame.data, frame.size, MSG_NOSIGNAL), frame.size);
    buf_close(&frame);
}

/* Waits for a frame while the loop runs; its payload. */
static inline struct slice plain_receive(struct bench *b, int fd, uint8_t *type, struct buf *in)
{
    struct link_frame f;
    buf_clear(in);
    for (int i = 0; i < 500; i++) {
        enum link_frame_state state = link_frame_peek(buf_slice(in), LINK_FRAME_MAX, &f);
        if (state == LINK_FRAME_WHOLE) {
            *type = f.type;
            assert_true(link_frame_intact(buf_slice(in)));
            return link_frame_payload(buf_slice(in));
        }
        size_t want = in->size < LINK_FRAME_HEAD ? LINK_FRAME_HEAD - in->size : LINK_FRAME_HEAD + f.size - in->size;
        ssize_t got = recv(fd, buf_reserve(in, want), want, MSG_DONTWAIT);
        if (got > 0) in->size += (size_t)got;
        else run_once(b);
        if (got == 0) fail_msg("closed instead of a frame");
    }
    fail_msg("no frame came");
    return slice_of(NULL, 0);
}

static inline bool plain_closed(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN);
}

static inline void plain_hello(struct buf *out, uint8_t node, uint32_t epoch)
{
    struct link_hello h = {.node = node,
                           .shard_count = 1,
                           .group_count = 17,
                           .epoch = epoch,
                           .name = slice_str("by-hand"),
                           .address = slice_str("127.0.0.1:1")};
    buf_clear(out);
    link_hello_encode(out, &h);
}

/* Dials `n` as node `node` and proves to know the secret; the descriptor of a link that is up. */
static inline int plain_link(struct bench_node *n, uint8_t node, uint32_t epoch)
{
    int fd = plain_dial(n->address);
    struct buf mine = {0}, theirs = {0}, in = {0};
    uint8_t type, proof[LINK_PROOF_SIZE];
    plain_hello(&mine, node, epoch);
    plain_send(fd, LINK_HELLO, buf_slice(&mine));
    buf_put_slice(&theirs, plain_receive(n->bench, fd, &type, &in));
    assert_int_equal(type, LINK_HELLO);
    link_proof(proof, slice_str("secret"), true, buf_slice(&mine), buf_slice(&theirs));
    plain_send(fd, LINK_PROOF, slice_of(proof, sizeof proof));
    struct slice answer = plain_receive(n->bench, fd, &type, &in);
    assert_int_equal(type, LINK_PROOF);
    link_proof(proof, slice_str("secret"), false, buf_slice(&mine), buf_slice(&theirs));
    assert_true(link_proof_equal(proof, answer));
    buf_close(&mine);
    buf_close(&theirs);
    buf_close(&in);
    return fd;
}

#endif
