/* A consumer: takes what comes, checks it against the ledger and for its order, acknowledges. */
#include "base/mem.h"
#include "tests/bench/worker.h"

enum { ORDER_CELLS_MAX = 1 << 24 /* of one consumer; beyond, order is not checked */ };

struct consumer {
    struct actor actor;
    uint64_t received;
    uint64_t last_tag, acked_tag;      /* of this connection; all up to last_tag were received */
    uint64_t first_pending_ns;         /* when the oldest came that is not acknowledged */
    uint64_t allowed_from_ns, allowed; /* --consumer-rate */
    unsigned cells_per_producer;
    uint64_t *last; /* highest sequence + 1, per producer and queue of it */
};

static const struct actor_kind kind;

struct actor *consumer_create(struct worker *w, unsigned index)
{
    const struct bench_options *o = w->run->options;
    struct consumer *c = mem_zalloc(sizeof *c);
    c->actor.kind = &kind;
    c->actor.index = index;
    c->cells_per_producer = o->producers ? bench_share(0, o->producers, o->queues) : 0;
    uint64_t cells = (uint64_t)c->cells_per_producer * o->producers;
    if (cells && cells <= ORDER_CELLS_MAX) c->last = mem_zalloc(cells * sizeof *c->last);
    worker_add(w, &c->actor);
    return &c->actor;
}

static void destroy(struct actor *a)
{
    mem_free(((struct consumer *)a)->last);
    mem_free(a);
}

static bool setup(void *owner, unsigned step)
{
    struct actor *a = owner;
    const struct bench_options *o = a->worker->run->options;
    unsigned share = bench_share(a->index, o->consumers, o->queues), declares = o->predeclared ? 0 : share;
    if (step < declares) return actor_declare(a, step);
    step -= declares;
    struct amqp_method m = amqp_method_of(AMQP_BASIC_QOS);
    char name[BENCH_TEXT_MAX];
    if (o->prefetch && step == 0) {
        m.basic_qos.prefetch_count = o->prefetch;
    } else {
        step -= o->prefetch ? 1 : 0;
        if (step >= share) return false;
        m = amqp_method_of(AMQP_BASIC_CONSUME);
        options_queue_name(o, bench_queue(a->index, o->consumers, o->queues, step), name);
        m.basic_consume.queue = slice_str(name);
        m.basic_consume.no_ack = o->auto_ack;
    }
    amqp_method_put(&a->connection.out, CONNECTION_CHANNEL, &m);
    return true;
}

/* Deliveries may come before the last consume-ok: the connection's tags start with the set-up. */
static void ready(void *owner)
{
    actor_ready(owner);
}

static void check_order(struct consumer *c, const struct bench_stamp *s)
{
    const struct bench_options *o = c->actor.worker->run->options;
    if (!c->last) return;
    unsigned share = bench_share(s->producer, o->producers, o->queues);
    uint64_t *last = &c->last[s->producer * c->cells_per_producer + s->sequence % share];
    if (s->sequence < *last) STAT_ADD(c->actor.worker, reordered, 1);
    else *last = s->sequence + 1;
}

static void check(struct consumer *c, const struct connection_delivery *d)
{
    struct worker *w = c->actor.worker;
    const struct bench_stamp *s = &d->stamp;
    uint64_t now = c->actor.connection.now_ns;
    if (s->run != w->run->id || s->producer >= w->run->options->producers || s->sequence > BENCH_SEQUENCE_MAX) {
        STAT_ADD(w, foreign, 1);
        return;
    }
    if (d->redelivered) STAT_ADD(w, redelivered, 1);
    histogram_add(&w->end_latency, now > s->intended_ns ? now - s->intended_ns : 0);
    if (ledger_receive(w->run->ledger, s->producer, s->sequence)) {
        STAT_ADD(w, received_once, 1);
        if (!d->redelivered && !s->attempt) check_order(c, s);
    } else if (d->redelivered) {
        STAT_ADD(w, duplicated_redelivered, 1);
    } else if (s->attempt) {
        STAT_ADD(w, duplicated_again, 1);
    } else {
        STAT_ADD(w, duplicated, 1);
    }
}

static void put_ack(struct consumer *c, uint64_t tag, bool multiple)
{
    amqp_ack_put(&c->actor.connection.out, CONNECTION_CHANNEL, tag, multiple);
    c->acked_tag = tag;
}

/* Acknowledges up to `tag`: each alone, or all at once. */
static void ack_to(struct consumer *c, uint64_t tag)
{
    bool multiple = c->actor.worker->run->options->multi_ack_every > 1;
    if (multiple && tag > c->acked_tag) put_ack(c, tag, true);
    while (!multiple && c->acked_tag < tag) put_ack(c, c->acked_tag + 1, false);
    c->first_pending_ns = c->acked_tag < c->last_tag ? c->actor.connection.now_ns : 0;
}

static void delivery(void *owner, const struct connection_delivery *d)
{
    struct consumer *c = owner;
    const struct bench_options *o = c->actor.worker->run->options;
    if (d->returned || c->actor.is_done) return;
    STAT_ADD(c->actor.worker, received, 1);
    c->received++;
    c->last_tag = d->tag;
    check(c, d);
    if (!c->first_pending_ns) c->first_pending_ns = c->actor.connection.now_ns;
    if (o->consumer_messages && c->received == o->consumer_messages) actor_done(&c->actor);
    if (o->auto_ack || o->consumer_rate > 0) return;
    if (c->last_tag - c->acked_tag >= o->multi_ack_every || c->actor.is_done) ack_to(c, c->last_tag);
}

/* With a rate the acknowledgements come at it, and the prefetch limit does the rest. */
static void ack_at_rate(struct consumer *c, uint64_t now)
{
    double rate = c->actor.worker->run->options->consumer_rate;
    if (c->last_tag == c->acked_tag) c->allowed_from_ns = now, c->allowed = 0;
    uint64_t due = (uint64_t)((double)(now - c->allowed_from_ns) * rate / 1e9), more = due - c->allowed;
    uint64_t waiting = c->last_tag - c->acked_tag;
    if (more > waiting) more = waiting;
    c->allowed += more;
    ack_to(c, c->acked_tag + more);
    if (c->last_tag > c->acked_tag) actor_wake(&c->actor, now + (uint64_t)(1e9 / rate));
}

static void turn(struct actor *a, uint64_t now)
{
    struct consumer *c = (struct consumer *)a;
    const struct bench_options *o = a->worker->run->options;
    uint64_t late = (uint64_t)BENCH_ACK_LATE_MS * 1000000;
    if (!o->auto_ack && o->consumer_rate > 0) {
        ack_at_rate(c, now);
    } else if (!o->auto_ack && c->last_tag > c->acked_tag) {
        if (now - c->first_pending_ns >= late) ack_to(c, c->last_tag);
        else actor_wake(a, c->first_pending_ns + late);
    }
    connection_flush(&a->connection);
}

static void closed(void *owner, const char *why)
{
    struct consumer *c = owner;
    c->last_tag = c->acked_tag = c->first_pending_ns = 0;
    actor_closed(&c->actor, why);
}

static const struct actor_kind kind = {
    .events = {.setup = setup, .ready = ready, .delivery = delivery, .closed = closed},
    .turn = turn,
    .destroy = destroy,
};
