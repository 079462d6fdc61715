/* The carriers: rings between the shards of this node, and what brokers and groups send by them and by links
 * (broker_io, group_io). */
#include "node/shard/outside.h"
#include "node/shard/shard_internal.h"

#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "router/members.h"

/* --- rings --- */

void carrier_post(struct shard *s, uint16_t to, struct mail *m)
{
    CHECK(to != s->id && to < s->settings->shard_count);
    m->shard = s->id;
    if (m->node == 0) m->node = s->settings->node;
    s->posted[to] = true;
    struct shard *sibling = node_shard(s->node, to); /* NULL while the node opens its shards: in the first turn, then */
    if (sibling && list_empty(&s->overflow[to]) && ring_push(sibling->rings_in[s->id], m)) return;
    list_append(&s->overflow[to], &m->link);
    s->overflow_count++;
}

static void push_overflow(struct shard *s, uint16_t to)
{
    struct ring *ring = node_shard(s->node, to)->rings_in[s->id];
    while (!list_empty(&s->overflow[to])) {
        struct mail *m = LIST_ITEM(s->overflow[to].next, struct mail, link);
        list_remove(&m->link);
        if (!ring_push(ring, m)) {
            list_prepend(&s->overflow[to], &m->link);
            return;
        }
        s->overflow_count--;
        s->posted[to] = true;
    }
}

static void take_one(struct shard *s, struct mail *m)
{
    if (m->type == MAIL_SHARD_CLIENT) {
        connection_open(s, (int)m->a, (unsigned)m->b);
        mail_destroy(m);
    } else if (m->type == MAIL_SHARD_LINK) {
        if (s->links) link_accept(s->links, (int)m->a, part_slice(m->part));
        else close((int)m->a);
        mail_destroy(m);
    } else if (m->type == MAIL_SHARD_ALARM) {
        alarm_set(s, (uint8_t)m->a, (uint8_t)m->b);
        mail_destroy(m);
    } else {
        if (m->type == MAIL_EPOCH && s->links) link_set_epoch(s->links, (uint32_t)m->a);
        broker_mail(s->broker, m);
    }
}

/* The cluster gave this node up under its old epoch (node_epoch_gone). */
static void take_epoch(struct shard *s)
{
    struct mail *m = mail_create(MAIL_EPOCH);
    m->a = s->epoch_wanted;
    m->node = s->settings->node;
    s->epoch_wanted = 0;
    take_one(s, m);
}

void carrier_take(struct shard *s)
{
    if (s->epoch_wanted) take_epoch(s);
    for (uint16_t from = 0; from < s->settings->shard_count; from++) {
        if (from == s->id) continue;
        push_overflow(s, from);
        struct mail *m;
        while ((m = ring_pop(s->rings_in[from]))) take_one(s, m);
    }
}

void carrier_wake(struct shard *s)
{
    for (uint16_t to = 0; to < s->settings->shard_count; to++) {
        if (!s->posted[to]) continue;
        s->posted[to] = false;
        uv_async_send(&node_shard(s->node, to)->wake);
    }
}

void shard_give_client(struct shard *from, uint16_t to, int fd, unsigned listener)
{
    if (to == from->id) {
        connection_open(from, fd, listener);
        return;
    }
    struct mail *m = mail_create(MAIL_SHARD_CLIENT);
    m->a = (uint64_t)fd;
    m->b = listener;
    carrier_post(from, to, m);
}

void shard_give_link(struct shard *from, uint16_t to, int fd, struct slice hello)
{
    if (to == from->id) {
        link_accept(from->links, fd, hello);
        return;
    }
    struct mail *m = mail_create(MAIL_SHARD_LINK);
    m->a = (uint64_t)fd;
    m->part = (struct part){blob_copy(hello.data, hello.size), 0, (uint32_t)hello.size};
    carrier_post(from, to, m);
}

/* --- broker_io --- */

static void io_post(void *self, uint16_t shard, struct mail *m)
{
    carrier_post(self, shard, m);
}

static void io_send(void *self, uint8_t node, struct slice head, const struct part *parts, uint32_t part_count)
{
    struct shard *s = self;
    if (s->links) link_send(s->links, node, LINK_FRAME_MAIL, head, parts, part_count);
}

static bool io_connected(void *self, uint8_t node)
{
    struct shard *s = self;
    return s->links && link_up(s->links, node);
}

static uint32_t io_peer_epoch(void *self, uint8_t node)
{
    struct shard *s = self;
    return s->links ? link_peer_epoch(s->links, node) : 0;
}

static void io_epoch_gone(void *self, uint32_t epoch)
{
    node_epoch_gone(self, epoch);
}

static void io_random_bytes(void *self, void *bytes, size_t size)
{
    (void)self;
    ssize_t got = getrandom(bytes, size, 0);
    CHECK(got == (ssize_t)size);
}

static uint64_t io_clock_ms(void *self)
{
    (void)self;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void io_seed(void *self, struct buf *items)
{
    const struct node_settings *settings = ((struct shard *)self)->settings;
    struct auth_seed seed = {.vhost = settings->default_vhost,
                             .user = settings->user,
                             .password = settings->password,
                             .configure = settings->default_permissions[AUTH_CONFIGURE],
                             .write = settings->default_permissions[AUTH_WRITE],
                             .read = settings->default_permissions[AUTH_READ],
                             .tags = settings->default_tags,
                             .hashing = settings->password_rules.hashing,
                             .defaults = settings->vhost_defaults};
    io_random_bytes(self, seed.salt, sizeof seed.salt);
    io_random_bytes(self, seed.cluster_id, sizeof seed.cluster_id);
    auth_seed_put(&seed, items);
}

static void io_ask(void *self, uint64_t id, struct slice question)
{
    outside_ask(self, id, question);
}

void carrier_note(void *self, int level, const char *line)
{
    struct shard *s = self;
    logger_line(s->settings->logger, level, s->id, line);
}

/* --- group_io --- */

static void group_io_send(void *self, uint32_t group, uint8_t node, uint8_t kind, struct slice head,
                          const struct part *parts, uint32_t part_count)
{
    struct shard *s = self;
    if (!s->links || !link_up(s->links, node)) return;
    uint8_t *whole = mem_alloc(5 + head.size);
    memcpy(whole, &group, 4);
    whole[4] = kind;
    memcpy(whole + 5, head.data, head.size);
    link_send(s->links, node, LINK_FRAME_GROUP, slice_of(whole, 5 + head.size), parts, part_count);
    mem_free(whole);
}

static uint64_t group_io_congestion(void *self, uint8_t node)
{
    struct shard *s = self;
    return s->links ? link_queued_bytes(s->links, node) : 0;
}

static void group_io_leading(void *self, uint32_t group, uint64_t term, bool leads)
{
    struct shard *s = self;
    logger_printf(s->settings->logger, LOG_INFO, s->id, "group %s group=%u term=%llu",
                  leads ? "leads" : "leads_no_more", group, (unsigned long long)term);
    if (s->broker) broker_leading(s->broker, group, term, leads);
}

static void group_io_effects(void *self, uint32_t group)
{
    struct shard *s = self;
    broker_effects(s->broker, group);
}

static void group_io_dropped(void *self, uint32_t group, struct group_floor floor)
{
    replica_dropped(self, group, floor);
}

void carrier_setup(struct shard *s)
{
    uint16_t count = s->settings->shard_count;
    s->rings_in = mem_zalloc(count * sizeof *s->rings_in);
    s->overflow = mem_zalloc(count * sizeof *s->overflow);
    s->posted = mem_zalloc(count * sizeof *s->posted);
    for (uint16_t i = 0; i < count; i++) {
        list_init(&s->overflow[i]);
        if (i != s->id) s->rings_in[i] = ring_create(SHARD_RING_CAPACITY);
    }
    s->broker_io = (struct broker_io){
        .self = s,
        .post = io_post,
        .send = io_send,
        .connected = io_connected,
        .peer_epoch = io_peer_epoch,
        .epoch_gone = io_epoch_gone,
        .random_bytes = io_random_bytes,
        .clock_ms = io_clock_ms,
        .seed = io_seed,
        .ask = io_ask,
        .note = carrier_note,
    };
    s->group_io = (struct group_io){
        .self = s,
        .send = group_io_send,
        .connected = io_connected,
        .congestion = group_io_congestion,
        .leading = group_io_leading,
        .effects = group_io_effects,
        .dropped = group_io_dropped,
        .note = carrier_note,
    };
}
