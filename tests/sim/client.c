/* AMQP clients: real bytes through a real session, without a socket. Publishers confirm and publish again what broke;
 * consumers ack, nack and ask now and then something that proves their acks were heard. */
#include <stdio.h>
#include <stdlib.h>

#include "node/amqp/frame.h"
#include "node/amqp/method.h"
#include "node/amqp/table.h"
#include "tests/sim/sim.h"

enum { WINDOW = 8, PREFETCH = 6, RETRY_MS = 40, HELD_MAX = 64, PADDING = 200, PROBE_EVERY_MS = 400, STUCK_MS = 30000 };

enum stage { OFFLINE, STARTING, TUNING, OPENING, CHANNEL, DECLARING, SELECTING, RUNNING };

struct held {
    uint64_t tag, id;
    uint64_t act_ms;
};

struct client {
    struct world *w;
    unsigned number;
    bool consumer;
    unsigned queue; /* a consumer's */
    uint8_t node;   /* 0: offline */
    enum stage stage;
    uint64_t retry_ms, progress_ms;
    struct broker_connection *connection;
    struct session *session;
    struct buf input;
    uint64_t channel; /* number of this channel in the ledger */
    bool finishing;
    unsigned declared;
    /* publisher */
    uint64_t next_tag;
    uint64_t open[WINDOW]; /* message ids by tag % WINDOW; 0: free */
    unsigned open_count;
    uint64_t again[WINDOW];
    unsigned again_count;
    /* consumer */
    struct held held[HELD_MAX];
    unsigned held_count;
    uint64_t acked[256]; /* acks that a running probe will prove */
    unsigned acked_count, proving;
    bool probing;
    uint64_t probe_ms;
    /* content being read */
    uint64_t deliver_tag;
    bool redelivered;
    uint64_t body_left;
    struct buf body;
};

static uint64_t channel_numbers(struct world *w)
{
    return random_u64(&w->random) | 1;
}

struct client *client_create(struct world *w, unsigned number)
{
    struct client *c = mem_zalloc(sizeof *c);
    c->w = w;
    c->number = number;
    c->consumer = number >= SIM_PUBLISHERS;
    if (c->consumer) c->queue = w->consumer_queue[number - SIM_PUBLISHERS];
    return c;
}

static void say(struct client *c, uint16_t channel, const struct amqp_method *m)
{
    amqp_method_put(&c->input, channel, m);
}

/* --- connections --- */

static void release_everything(struct client *c)
{
    for (unsigned i = 0; i < c->held_count; i++) ledger_released(c->w->ledger, c->held[i].id, c->queue, RELEASE_LOST);
    c->held_count = c->acked_count = c->proving = 0;
    c->probing = false;
    for (unsigned i = 0; i < WINDOW; i++)
        if (c->open[i]) c->again[c->again_count++] = c->open[i], c->open[i] = 0;
    c->open_count = 0;
    c->next_tag = 0;
}

static void hang_up(struct client *c)
{
    if (!c->node) return;
    world_say(c->w, "client %u leaves node %u", c->number, c->node);
    session_abandon(c->session);
    session_destroy(c->session);
    broker_connection_close(c->connection);
    c->session = NULL;
    c->node = 0;
    c->stage = OFFLINE;
    c->body_left = 0;
    buf_clear(&c->input);
    c->retry_ms = c->w->now_ms + RETRY_MS + random_below(&c->w->random, RETRY_MS);
    release_everything(c);
}

void client_node_gone(struct client *c, uint8_t node)
{
    if (c->node == node) hang_up(c);
}

static void touched(void *arg)
{
    (void)arg;
}

static void dial(struct client *c)
{
    uint8_t node = (uint8_t)(1 + random_below(&c->w->random, c->w->node_count));
    struct group *meta = node_alive(c->w->nodes[node]) ? node_group(c->w->nodes[node], 0) : NULL;
    if (!meta || !group_has_voter(meta, node)) return; /* the node does not serve clients yet */
    c->node = node;
    c->connection = broker_connection_open(c->w->nodes[node]->broker);
    c->session = session_create(&c->w->session, broker_connection_backend(c->connection), "sim", true, c->w->now_ms);
    broker_connection_attach(c->connection, c->session, touched, c);
    amqp_protocol_header_put(&c->input);
    c->stage = STARTING;
    c->progress_ms = c->w->now_ms;
    c->channel = channel_numbers(c->w);
    world_say(c->w, "client %u dials node %u", c->number, node);
}

/* --- what a client says --- */

static void queue_name(unsigned queue, char name[16])
{
    snprintf(name, 16, "q%u", queue);
}

static void declare(struct client *c, unsigned queue, bool passive)
{
    char name[16];
    struct buf arguments = {0};
    queue_name(queue, name);
    kind_put_arguments(c->w, queue, &arguments);
    uint32_t replicas = controlled_replicas_wanted(c->w, queue);
    if (replicas) amqp_table_put_integer(&arguments, "x-quorum-initial-group-size", replicas);
    struct amqp_method m = amqp_method_of(AMQP_QUEUE_DECLARE);
    m.queue_declare.queue = slice_str(name);
    m.queue_declare.durable = true;
    m.queue_declare.passive = passive;
    m.queue_declare.arguments = buf_slice(&arguments);
    say(c, 1, &m);
    buf_close(&arguments);
}

/* A publisher's: the exchange that delays, and its binding. */
static void declare_exchange(struct client *c)
{
    struct buf arguments = {0};
    struct amqp_method m = amqp_method_of(AMQP_EXCHANGE_DECLARE);
    amqp_table_put_string(&arguments, "x-delayed-type", slice_str("direct"));
    m.exchange_declare.exchange = slice_str(KIND_DELAYED_EXCHANGE);
    m.exchange_declare.type = slice_str("x-delayed-message");
    m.exchange_declare.durable = true;
    m.exchange_declare.arguments = buf_slice(&arguments);
    say(c, 1, &m);
    buf_close(&arguments);
    for (unsigned q = 0; q < c->w->queue_count; q++) {
        char name[16];
        if (c->w->kinds[q] != KIND_DELAYED) continue;
        queue_name(q, name);
        m = amqp_method_of(AMQP_QUEUE_BIND);
        m.queue_bind.queue = m.queue_bind.routing_key = slice_str(name);
        m.queue_bind.exchange = slice_str(KIND_DELAYED_EXCHANGE);
        say(c, 1, &m);
    }
}

static void publish(struct client *c, uint64_t id, unsigned queue)
{
    char name[16], body[PADDING + 32] = {0};
    queue_name(queue, name);
    int size = snprintf(body, sizeof body, "%llu ", (unsigned long long)id);
    size += (int)random_below(&c->w->random, PADDING);
    struct amqp_method m = amqp_method_of(AMQP_BASIC_PUBLISH);
    struct buf properties = {0};
    kind_publish(c->w, queue, id, name, &m, &properties);
    say(c, 1, &m);
    amqp_header_put(&c->input, 1, (uint64_t)size, buf_slice(&properties));
    buf_close(&properties);
    amqp_body_put(&c->input, 1, slice_of(body, (size_t)size), 0);
    c->open[++c->next_tag % WINDOW] = id;
    c->open_count++;
}

static void publish_some(struct client *c)
{
    while (c->open_count < WINDOW && !c->open[(c->next_tag + 1) % WINDOW]) {
        if (c->again_count) {
            uint64_t id = c->again[0];
            memmove(c->again, c->again + 1, --c->again_count * sizeof c->again[0]);
            ledger_republish(c->w->ledger, id);
            publish(c, id, kind_queue_of(c->w, id));
            continue;
        }
        if (c->finishing || !random_percent(&c->w->random, 12)) return;
        uint64_t id = ledger_count(c->w->ledger) + 1;
        CHECK(ledger_publish(c->w->ledger, kind_queue_of(c->w, id), c->number) == id);
        publish(c, id, kind_queue_of(c->w, id));
    }
}

static void settle(struct client *c, struct held h)
{
    bool rejects = kind_rejects(c->w, c->queue, h.id);
    bool requeues = random_percent(&c->w->random, 10) && !c->finishing;
    enum release how = requeues ? RELEASE_REQUEUED : rejects ? RELEASE_REJECTED : RELEASE_ACKED;
    struct amqp_method m = amqp_method_of(how == RELEASE_ACKED ? AMQP_BASIC_ACK : AMQP_BASIC_NACK);
    if (how == RELEASE_ACKED) m.basic_ack.delivery_tag = h.tag;
    else m.basic_nack = (struct amqp_basic_nack){.delivery_tag = h.tag, .requeue = requeues};
    if (!requeues && c->acked_count < 256) c->acked[c->acked_count++] = h.id;
    say(c, 1, &m);
    ledger_released(c->w->ledger, h.id, c->queue, how);
}

static void settle_some(struct client *c)
{
    for (unsigned i = 0; i < c->held_count;) {
        struct held h = c->held[i];
        if (h.act_ms > c->w->now_ms) {
            i++;
            continue;
        }
        settle(c, h);
        c->held[i] = c->held[--c->held_count];
    }
    if (c->probing || !c->acked_count || c->w->now_ms < c->probe_ms) return;
    c->proving = c->acked_count;
    c->probing = true;
    c->probe_ms = c->w->now_ms + PROBE_EVERY_MS;
    declare(c, c->queue, true); /* answered by the queue's group, after the acks */
}

/* --- what it hears --- */

static void confirmed(struct client *c, uint64_t tag, bool multiple, bool ok)
{
    uint64_t oldest = c->next_tag >= WINDOW ? c->next_tag - WINDOW + 1 : 1;
    if (tag > c->next_tag) world_fail(c->w, "client %u gets a confirm for a publish that it has not made", c->number);
    for (uint64_t t = multiple ? oldest : tag; t <= tag; t++) {
        uint64_t *id = &c->open[t % WINDOW];
        if (t < oldest || !*id) continue;
        if (ok) ledger_confirmed(c->w->ledger, *id);
        else ledger_nacked(c->w->ledger, *id), c->again[c->again_count++] = *id;
        *id = 0;
        c->open_count--;
    }
}

static void delivery_whole(struct client *c)
{
    buf_put_u8(&c->body, 0);
    uint64_t id = strtoull((const char *)c->body.data, NULL, 10);
    ledger_delivered(c->w->ledger, id, c->queue, c->channel, c->redelivered);
    if (c->held_count < HELD_MAX)
        c->held[c->held_count++] =
            (struct held){c->deliver_tag, id,
                          c->w->now_ms + random_below(&c->w->random, random_percent(&c->w->random, 5) ? 3000 : 60)};
    else world_fail(c->w, "client %u got more than its prefetch", c->number);
}

static void declared(struct client *c)
{
    if (c->stage == RUNNING) {
        for (unsigned i = 0; i < c->proving; i++) ledger_settled(c->w->ledger, c->acked[i], c->queue);
        memmove(c->acked, c->acked + c->proving, (c->acked_count - c->proving) * sizeof c->acked[0]);
        c->acked_count -= c->proving;
        c->proving = 0;
        c->probing = false;
        return;
    }
    if (++c->declared < c->w->queue_count) { /* a publisher declares what it publishes to */
        declare(c, c->declared, false);
        return;
    }
    if (c->w->options.features && !c->consumer) declare_exchange(c);
    struct amqp_method m = amqp_method_of(c->consumer ? AMQP_BASIC_QOS : AMQP_CONFIRM_SELECT);
    if (c->consumer) m.basic_qos.prefetch_count = PREFETCH;
    say(c, 1, &m);
    c->stage = SELECTING;
}

static void selected(struct client *c)
{
    char name[16];
    queue_name(c->queue, name);
    c->stage = RUNNING;
    if (!c->consumer) return;
    struct amqp_method m = amqp_method_of(AMQP_BASIC_CONSUME);
    m.basic_consume.queue = slice_str(name);
    say(c, 1, &m);
}

static void hear_start(struct client *c)
{
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_START_OK);
    m.connection_start_ok.mechanism = slice_str("PLAIN");
    m.connection_start_ok.response = slice_of("\0guest\0guest", 12);
    m.connection_start_ok.locale = slice_str("en_US");
    say(c, 0, &m);
    c->stage = TUNING;
}

static void hear_tune(struct client *c, const struct amqp_method *tune)
{
    struct amqp_method m = amqp_method_of(AMQP_CONNECTION_TUNE_OK);
    m.connection_tune = tune->connection_tune;
    m.connection_tune.heartbeat = 0;
    say(c, 0, &m);
    struct amqp_method open = amqp_method_of(AMQP_CONNECTION_OPEN);
    open.connection_open.virtual_host = slice_str("/");
    say(c, 0, &open);
    c->stage = OPENING;
}

/* False: the connection is over. */
static bool hear(struct client *c, const struct amqp_method *m)
{
    struct amqp_method next;
    c->progress_ms = c->w->now_ms;
    switch (amqp_method_number(m)) {
    case AMQP_CONNECTION_START:
        hear_start(c);
        return true;
    case AMQP_CONNECTION_TUNE:
        hear_tune(c, m);
        return true;
    case AMQP_CONNECTION_OPEN_OK:
        next = amqp_method_of(AMQP_CHANNEL_OPEN);
        say(c, 1, &next);
        c->stage = CHANNEL;
        return true;
    case AMQP_CHANNEL_OPEN_OK:
        c->declared = c->consumer ? c->w->queue_count - 1 : 0;
        declare(c, c->consumer ? c->queue : 0, false);
        c->stage = DECLARING;
        return true;
    case AMQP_QUEUE_DECLARE_OK:
        declared(c);
        return true;
    case AMQP_BASIC_QOS_OK:
    case AMQP_CONFIRM_SELECT_OK:
        selected(c);
        return true;
    case AMQP_BASIC_CONSUME_OK:
    case AMQP_EXCHANGE_DECLARE_OK:
    case AMQP_QUEUE_BIND_OK:
        return true;
    case AMQP_BASIC_ACK:
        confirmed(c, m->basic_ack.delivery_tag, m->basic_ack.multiple, true);
        return true;
    case AMQP_BASIC_NACK:
        confirmed(c, m->basic_nack.delivery_tag, m->basic_nack.multiple, false);
        return true;
    case AMQP_BASIC_RETURN:
        c->deliver_tag = 0;
        return true;
    case AMQP_BASIC_DELIVER:
        c->deliver_tag = m->basic_deliver.delivery_tag;
        c->redelivered = m->basic_deliver.redelivered;
        return true;
    case AMQP_CONNECTION_CLOSE:
    case AMQP_CHANNEL_CLOSE:
        world_say(c->w, "client %u is closed: %.*s", c->number, (int)m->close.reply_text.size,
                  (const char *)m->close.reply_text.data);
        if (m->close.reply_code == 404)
            world_fail(c->w, "client %u is told that a queue is not there: %.*s", c->number,
                       (int)m->close.reply_text.size, (const char *)m->close.reply_text.data);
        return false;
    default:
        world_fail(c->w, "client %u hears method %u of class %u", c->number, m->method_id, m->class_id);
        return false;
    }
}

/* False: the connection is over. */
static bool hear_frame(struct client *c, const struct amqp_frame *f)
{
    struct amqp_method m;
    struct amqp_content_header header;
    switch (f->type) {
    case AMQP_FRAME_METHOD:
        if (amqp_method_decode(f->payload, &m)) {
            world_fail(c->w, "client %u hears a method that cannot be read", c->number);
            return false;
        }
        return hear(c, &m);
    case AMQP_FRAME_HEADER:
        CHECK(amqp_content_header_decode(f->payload, &header));
        c->body_left = header.body_size;
        buf_clear(&c->body);
        return true;
    case AMQP_FRAME_BODY:
        buf_put_slice(&c->body, f->payload);
        c->body_left -= f->payload.size;
        if (c->body_left) return true;
        if (c->deliver_tag) delivery_whole(c);
        else world_fail(c->w, "client %u got a message back: the queue is there", c->number);
        return true;
    default:
        return true;
    }
}

static void listen(struct client *c)
{
    struct buf *out = session_output(c->session);
    size_t used = 0;
    bool goes_on = true;
    struct amqp_frame f;
    while (goes_on && amqp_frame_parse(slice_of(out->data + used, out->size - used), 0, &f) == AMQP_PARSE_DONE) {
        used += AMQP_FRAME_OVERHEAD + f.payload.size;
        goes_on = hear_frame(c, &f);
    }
    if (used) {
        buf_consume(out, used);
        session_written(c->session, c->w->now_ms);
        session_drained(c->session, c->w->now_ms);
        broker_connection_drained(c->connection);
    }
    if (!goes_on || session_state(c->session) != SESSION_OPEN) hang_up(c);
}

void client_tick(struct client *c)
{
    if (!c->node) {
        if (c->w->now_ms >= c->retry_ms) dial(c);
        return;
    }
    if (!node_alive(c->w->nodes[c->node])) return; /* it hangs */
    if (c->stage == RUNNING) {
        if (c->consumer) settle_some(c);
        else publish_some(c);
    }
    size_t taken = session_input(c->session, c->input.data, c->input.size, c->w->now_ms);
    buf_consume(&c->input, taken);
    if (session_deadline_ms(c->session) <= c->w->now_ms) session_tick(c->session, c->w->now_ms);
    session_turn_end(c->session, c->w->now_ms);
    listen(c);
    if (!c->node) return;
    bool impatient =
        random_percent(&c->w->random, 1) && random_percent(&c->w->random, 2) && !c->finishing && !c->w->options.calm;
    bool stuck = c->stage < RUNNING && c->w->now_ms > c->progress_ms + STUCK_MS;
    if (impatient || stuck) hang_up(c);
}

void client_finish(struct client *c)
{
    c->finishing = true;
}

bool client_content(const struct client *c)
{
    return c->node && c->stage == RUNNING && !c->open_count && !c->again_count && !c->held_count;
}

void client_destroy(struct client *c)
{
    if (c->node) hang_up(c);
    buf_close(&c->input);
    buf_close(&c->body);
    mem_free(c);
}
