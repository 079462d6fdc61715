/* A producer: publishes within its window, at its rate, with a stamp in each body; remembers what is not confirmed. */
#include "base/mem.h"
#include "node/amqp/properties.h"
#include "tests/bench/worker.h"

struct outstanding {
    uint64_t sequence;
    uint64_t intended_ns;
    uint16_t attempt;
    bool open;
};

struct template
{ /* the frames of one publish */
    struct buf bytes;
    size_t stamp_at;
};

struct producer {
    struct actor actor;
    struct template *templates; /* one for each of its queues */
    unsigned share;
    uint64_t sequence;        /* the next new message */
    struct outstanding *ring; /* by tag */
    uint64_t ring_mask;
    uint64_t next_tag, lowest_tag; /* of this connection; from 1 */
    uint64_t open;                 /* entries that are */
    uint64_t hold_until_ns;        /* a broker that refuses is not asked again at once */
    struct outstanding *again;     /* to be published again, before anything new */
    size_t again_at, again_count, again_capacity;
    double period_ns;          /* 0: no rate */
    uint64_t waiting_since_ns; /* of confirms; 0: none is expected */
    uint64_t longest_pause_ns;
    struct pause *pauses;
    unsigned pause_count;
};

static const struct actor_kind kind;

struct actor *producer_create(struct worker *w, unsigned index)
{
    const struct bench_options *o = w->run->options;
    struct producer *p = mem_zalloc(sizeof *p);
    p->actor.kind = &kind;
    p->actor.index = index;
    p->share = bench_share(index, o->producers, o->queues);
    p->templates = mem_zalloc(p->share * sizeof *p->templates);
    p->pauses = mem_zalloc(BENCH_PAUSES_MAX * sizeof *p->pauses);
    if (o->rate > 0) p->period_ns = 1e9 / o->rate;
    if (o->window) {
        uint64_t capacity = 64;
        while (capacity < 2ull * o->window) capacity *= 2;
        p->ring = mem_zalloc(capacity * sizeof *p->ring);
        p->ring_mask = capacity - 1;
    }
    worker_add(w, &p->actor);
    return &p->actor;
}

static void destroy(struct actor *a)
{
    struct producer *p = (struct producer *)a;
    for (unsigned i = 0; i < p->share; i++) buf_close(&p->templates[i].bytes);
    mem_free(p->templates);
    mem_free(p->pauses);
    mem_free(p->ring);
    mem_free(p->again);
    mem_free(p);
}

uint64_t producer_outstanding(const struct actor *a)
{
    const struct producer *p = (const struct producer *)a;
    return __atomic_load_n(&p->open, __ATOMIC_RELAXED) + __atomic_load_n(&p->again_count, __ATOMIC_RELAXED) -
           __atomic_load_n(&p->again_at, __ATOMIC_RELAXED);
}

unsigned producer_pauses(const struct actor *a, const struct pause **pauses, uint64_t *longest_ns)
{
    const struct producer *p = (const struct producer *)a;
    *pauses = p->pauses;
    *longest_ns = p->longest_pause_ns;
    return p->pause_count;
}

static bool setup(void *owner, unsigned step)
{
    struct actor *a = owner;
    const struct bench_options *o = a->worker->run->options;
    unsigned declares = o->predeclared ? 0 : bench_share(a->index, o->producers, o->queues);
    if (step < declares) return actor_declare(a, step);
    if (step > declares || !o->window) return false;
    struct amqp_method m = amqp_method_of(AMQP_CONFIRM_SELECT);
    amqp_method_put(&a->connection.out, CONNECTION_CHANNEL, &m);
    return true;
}

static void make_template(struct producer *p, unsigned n)
{
    const struct bench_options *o = p->actor.worker->run->options;
    struct template *t = &p->templates[n];
    struct amqp_method m = amqp_method_of(AMQP_BASIC_PUBLISH);
    struct amqp_properties properties = {0};
    struct buf raw = {0}, body = {0};
    char name[BENCH_TEXT_MAX];
    options_queue_name(o, bench_queue(p->actor.index, o->producers, o->queues, n), name);
    m.basic_publish.routing_key = slice_str(name);
    m.basic_publish.mandatory = o->mandatory;
    if (o->persistent) properties.flags = AMQP_HAS_DELIVERY_MODE, properties.delivery_mode = AMQP_DELIVERY_PERSISTENT;
    amqp_properties_encode(&raw, &properties);
    for (uint32_t i = 0; i < o->size; i++) buf_put_u8(&body, (uint8_t)('a' + i % 26));
    buf_clear(&t->bytes);
    amqp_method_put(&t->bytes, CONNECTION_CHANNEL, &m);
    amqp_header_put(&t->bytes, CONNECTION_CHANNEL, o->size, buf_slice(&raw));
    t->stamp_at = t->bytes.size + AMQP_FRAME_HEAD_SIZE;
    amqp_body_put(&t->bytes, CONNECTION_CHANNEL, buf_slice(&body), p->actor.connection.frame_max);
    buf_close(&raw);
    buf_close(&body);
}

static void ready(void *owner)
{
    struct producer *p = owner;
    for (unsigned i = 0; i < p->share; i++) make_template(p, i);
    p->next_tag = p->lowest_tag = 1;
    actor_ready(&p->actor);
}

static void publish(struct producer *p, struct outstanding m)
{
    struct worker *w = p->actor.worker;
    struct buf *out = &p->actor.connection.out;
    const struct template *t = &p->templates[m.sequence % p->share];
    struct bench_stamp stamp = {w->run->id, (uint16_t)p->actor.index, m.attempt, m.sequence, m.intended_ns};
    buf_put_slice(out, buf_slice(&t->bytes));
    memcpy(out->data + out->size - t->bytes.size + t->stamp_at, &stamp, sizeof stamp);
    if (m.attempt) STAT_ADD(w, sent_again, 1);
    else STAT_ADD(w, sent, 1);
    if (!p->ring) return;
    m.open = true;
    p->ring[p->next_tag++ & p->ring_mask] = m;
    __atomic_store_n(&p->open, p->open + 1, __ATOMIC_RELAXED);
}

/* When the next new message is due. */
static uint64_t due_ns(const struct producer *p, uint64_t now)
{
    const struct run *run = p->actor.worker->run;
    if (p->period_ns == 0) return now;
    double phase = (double)p->actor.index / run->options->producers; /* producers do not publish in step */
    return atomic_load(&((struct run *)run)->go_ns) + (uint64_t)(((double)p->sequence + phase) * p->period_ns);
}

static bool window_open(const struct producer *p)
{
    return !p->ring || (p->open < p->actor.worker->run->options->window && p->next_tag - p->lowest_tag <= p->ring_mask);
}

/* False: nothing can be published now. */
static bool publish_next(struct producer *p, uint64_t now)
{
    struct run *run = p->actor.worker->run;
    uint64_t limit = run->options->producer_messages ? run->options->producer_messages : BENCH_SEQUENCE_MAX;
    if (!window_open(p)) return false;
    if (now < p->hold_until_ns) {
        actor_wake(&p->actor, p->hold_until_ns);
        return false;
    }
    if (p->again_at < p->again_count) {
        publish(p, p->again[p->again_at]);
        __atomic_store_n(&p->again_at, p->again_at + 1, __ATOMIC_RELAXED);
        return true;
    }
    if (p->again_count) p->again_at = p->again_count = 0;
    if (p->sequence >= limit || atomic_load_explicit(&run->stop_publishing, memory_order_relaxed)) {
        if (p->open == 0) actor_done(&p->actor);
        return false;
    }
    uint64_t due = due_ns(p, now);
    if (due > now) {
        actor_wake(&p->actor, due);
        return false;
    }
    publish(p, (struct outstanding){p->sequence++, due, 0, true});
    return true;
}

static void turn(struct actor *a, uint64_t now)
{
    struct producer *p = (struct producer *)a;
    struct connection *c = &a->connection;
    bool more = true;
    if (!atomic_load_explicit(&a->worker->run->go, memory_order_relaxed) || c->blocked) return;
    while (connection_waiting(c) < BENCH_OUT_MAX && (more = publish_next(p, now))) continue;
    if (p->open && !p->waiting_since_ns) p->waiting_since_ns = now;
    connection_flush(c);
    if (more && !c->writable_wanted && c->state == CONNECTION_READY) actor_dirty(a);
}

static void end_pause(struct producer *p, uint64_t now)
{
    uint64_t since = p->waiting_since_ns;
    p->waiting_since_ns = p->open ? now : 0;
    if (!since || now <= since) return;
    if (now - since > p->longest_pause_ns) p->longest_pause_ns = now - since;
    if (now - since < (uint64_t)BENCH_PAUSE_MIN_MS * 1000000 || p->pause_count == BENCH_PAUSES_MAX) return;
    p->pauses[p->pause_count++] = (struct pause){since, now - since};
}

static void publish_again(struct producer *p, struct outstanding m)
{
    m.attempt++;
    p->again = mem_grow(p->again, &p->again_capacity, p->again_count + 1, sizeof *p->again);
    p->again[p->again_count] = m;
    __atomic_store_n(&p->again_count, p->again_count + 1, __ATOMIC_RELAXED);
}

static void settle(struct producer *p, struct outstanding *m, bool ack, uint64_t now)
{
    struct worker *w = p->actor.worker;
    m->open = false;
    __atomic_store_n(&p->open, p->open - 1, __ATOMIC_RELAXED);
    if (!ack) {
        STAT_ADD(w, nacked, 1);
        p->hold_until_ns = now + (uint64_t)BENCH_RETRY_MS * 1000000;
        if (w->run->options->reconnect) publish_again(p, *m);
        return;
    }
    STAT_ADD(w, confirmed, 1);
    ledger_confirm(w->run->ledger, p->actor.index, m->sequence);
    histogram_add(&w->confirm_latency, now > m->intended_ns ? now - m->intended_ns : 0);
}

static void confirm(void *owner, uint64_t tag, bool multiple, bool ack)
{
    struct producer *p = owner;
    uint64_t now = p->actor.connection.now_ns;
    if (!p->ring) return;
    if (multiple && tag == 0) tag = p->next_tag - 1;
    if (tag >= p->next_tag || tag < p->lowest_tag) return;
    for (uint64_t t = multiple ? p->lowest_tag : tag; t <= tag; t++) {
        struct outstanding *m = &p->ring[t & p->ring_mask];
        if (m->open) settle(p, m, ack, now);
    }
    while (p->lowest_tag < p->next_tag && !p->ring[p->lowest_tag & p->ring_mask].open) p->lowest_tag++;
    end_pause(p, now);
}

static void delivery(void *owner, const struct connection_delivery *d)
{
    struct producer *p = owner;
    if (d->returned) STAT_ADD(p->actor.worker, returned, 1);
}

/* What was not confirmed is published again, in its order, before anything new. The rest of `again` stays behind it: it
 * is newer only when it was nacked, and those have lost their place anyhow. */
static void closed(void *owner, const char *why)
{
    struct producer *p = owner;
    if (p->again_at) {
        p->again_count -= p->again_at;
        memmove(p->again, p->again + p->again_at, p->again_count * sizeof *p->again);
        p->again_at = 0;
    }
    size_t rest = p->again_count;
    for (uint64_t t = p->lowest_tag; p->ring && t < p->next_tag; t++)
        if (p->ring[t & p->ring_mask].open) publish_again(p, p->ring[t & p->ring_mask]);
    size_t fresh = p->again_count - rest;
    if (rest && fresh) {
        struct outstanding *waiting = mem_alloc(rest * sizeof *waiting);
        memcpy(waiting, p->again, rest * sizeof *waiting);
        memmove(p->again, p->again + rest, fresh * sizeof *p->again);
        memcpy(p->again + fresh, waiting, rest * sizeof *waiting);
        mem_free(waiting);
    }
    p->next_tag = p->lowest_tag = 1;
    __atomic_store_n(&p->open, 0, __ATOMIC_RELAXED);
    actor_closed(&p->actor, why);
}

static const struct actor_kind kind = {
    .events = {.setup = setup, .ready = ready, .confirm = confirm, .delivery = delivery, .closed = closed},
    .turn = turn,
    .destroy = destroy,
};
