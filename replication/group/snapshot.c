/* A replica that the log does not reach any more gets a checkpoint: offered by the leader, asked for range by range,
 * written beside its own files, and only then shown to the Raft core (raft-notes: the core can do nothing else between
 * the install and its end).
 *
 *     u8 version (1) | u8 type | varint transfer | ...
 *     OFFER  varint index, varint term, varint manifest size  leader -> follower
 *     READ   varint segment, varint offset, varint size  follower -> leader; segment 0 is the manifest
 *     DATA   the same, then the bytes                    leader -> follower
 *     GONE                                             leader -> follower: this transfer is not known
 *     DONE                                             follower -> leader: it is installed, or not needed any more */
#include "base/check.h"
#include "base/list.h"
#include "replication/group/group_internal.h"
#include "replication/store/transfer.h"

enum {
    TRANSFER_VERSION = 1,
    TRANSFER_WINDOW = 4,           /* ranges asked for at once */
    TRANSFER_STALL_MS = 3000,      /* the follower asks again after so long without an answer */
    TRANSFER_FORGET_MS = 60 * 1000 /* the leader lets the files go when nobody asks for so long */
};
enum transfer_type { TRANSFER_OFFER = 1, TRANSFER_READ, TRANSFER_DATA, TRANSFER_GONE, TRANSFER_DONE };

/* One on its way out. */
struct outgoing {
    uint8_t node;
    uint64_t id;
    struct transfer_source *source;
    uint64_t index, term;
    uint64_t used_ms;
    uint64_t may_send_ms; /* rate limit */
    struct transfer_range waiting[TRANSFER_WINDOW];
    uint32_t waiting_count;
    bool closing;
};

struct received {
    struct transfer_range range;
    struct buf bytes;
};

enum incoming_stage { FETCHING_MANIFEST, FETCHING_SEGMENTS, MAKING_DURABLE, TELLING_CORE };

/* The one on its way in. */
struct incoming {
    uint8_t node;
    uint64_t id, index, term;
    enum incoming_stage stage;
    uint64_t manifest_size, asked; /* of the manifest */
    struct buf manifest;
    struct transfer_sink *sink;
    uint32_t outstanding;
    uint64_t heard_ms;
    struct received queue[TRANSFER_WINDOW];
    uint32_t queue_count;
    bool abandoned; /* closes when the sink is idle */
    uint64_t lsn;   /* of the log's record, once written */
    bool told;
};

struct installs {
    struct outgoing out[GROUP_MEMBERS_MAX];
    uint64_t last_id;
    struct incoming in;
    bool receiving;
};

static struct installs *installs(struct group *g)
{
    if (!g->installs) g->installs = mem_zalloc(sizeof *g->installs);
    return g->installs;
}

static void send(struct group *g, uint8_t node, struct buf *b, const struct part *bytes)
{
    g->params.io->send(g->params.io->self, g->params.id, node, GROUP_MESSAGE_TRANSFER, buf_slice(b), bytes,
                       bytes ? 1 : 0);
    buf_close(b);
}

static struct buf head(uint8_t type, uint64_t id)
{
    struct buf b = {0};
    buf_put_u8(&b, TRANSFER_VERSION);
    buf_put_u8(&b, type);
    buf_put_varint(&b, id);
    return b;
}

static struct buf range_head(uint8_t type, uint64_t id, struct transfer_range range)
{
    struct buf b = head(type, id);
    buf_put_varint(&b, range.segment);
    buf_put_varint(&b, range.offset);
    buf_put_varint(&b, range.size);
    return b;
}

/* --- the leader's side --- */

static struct outgoing *outgoing_to(struct group *g, uint8_t node)
{
    for (unsigned i = 0; i < GROUP_MEMBERS_MAX; i++)
        if (installs(g)->out[i].source && installs(g)->out[i].node == node) return &installs(g)->out[i];
    return NULL;
}

static void outgoing_close(struct outgoing *o)
{
    o->closing = true;
    if (!transfer_source_idle(o->source)) return;
    transfer_source_close(o->source);
    *o = (struct outgoing){0};
}

static struct outgoing *outgoing_open(struct group *g, uint8_t node)
{
    for (unsigned i = 0; i < GROUP_MEMBERS_MAX; i++) {
        struct outgoing *o = &installs(g)->out[i];
        if (o->source) continue;
        struct transfer_source *source = transfer_source_open(g->params.store);
        if (!source) return NULL;
        struct store_manifest m;
        store_manifest(g->params.store, &m);
        *o = (struct outgoing){.node = node,
                               .id = core_term(g->core) << 20 | ++installs(g)->last_id,
                               .source = source,
                               .index = m.index,
                               .term = m.term,
                               .used_ms = g->now_ms};
        note(g, 2, "transfer_offered node=%u index=%llu", node, (unsigned long long)m.index);
        return o;
    }
    return NULL;
}

void snapshot_offer(struct group *g, uint8_t node)
{
    struct outgoing *o = outgoing_to(g, node);
    if (o && o->closing) return;
    if (!o) o = outgoing_open(g, node);
    if (!o) return;
    struct buf b = head(TRANSFER_OFFER, o->id);
    buf_put_varint(&b, o->index);
    buf_put_varint(&b, o->term);
    buf_put_varint(&b, transfer_source_manifest(o->source).size);
    send(g, node, &b, NULL);
}

struct answer {
    struct group *group;
    uint8_t node;
    uint64_t id;
};

static void on_range_read(void *arg, struct transfer_range range, struct blob *bytes, const struct err *err)
{
    struct answer *a = arg;
    struct group *g = a->group;
    if (bytes) {
        struct buf b = range_head(TRANSFER_DATA, a->id, range);
        struct part part = {bytes, 0, bytes->size};
        send(g, a->node, &b, &part);
        blob_unref(bytes);
    } else {
        note(g, 0, "transfer_read_failed node=%u error=\"%s\"", a->node, err->text);
    }
    mem_free(a);
}

static void outgoing_turn(struct group *g, struct outgoing *o)
{
    while (o->waiting_count && !o->closing && g->now_ms >= o->may_send_ms) {
        struct transfer_range range = o->waiting[0];
        memmove(o->waiting, o->waiting + 1, --o->waiting_count * sizeof o->waiting[0]);
        if (g->params.transfer_rate) {
            uint64_t from = o->may_send_ms > g->now_ms ? o->may_send_ms : g->now_ms;
            o->may_send_ms = from + (uint64_t)range.size * 1000 / g->params.transfer_rate;
        }
        struct answer *a = mem_zalloc(sizeof *a);
        *a = (struct answer){g, o->node, o->id};
        transfer_source_read(o->source, range, on_range_read, a);
    }
    bool silent = g->now_ms > o->used_ms + TRANSFER_FORGET_MS;
    if (o->closing || silent) outgoing_close(o);
}

static void on_read(struct group *g, uint8_t from, uint64_t id, struct reader *r)
{
    struct transfer_range range;
    range.segment = (uint32_t)reader_varint(r);
    range.offset = (uint32_t)reader_varint(r);
    range.size = (uint32_t)reader_varint(r);
    struct outgoing *o = outgoing_to(g, from);
    if (r->failed) return;
    if (!o || o->id != id || o->closing) {
        struct buf b = head(TRANSFER_GONE, id);
        send(g, from, &b, NULL);
        return;
    }
    o->used_ms = g->now_ms;
    if (o->waiting_count < TRANSFER_WINDOW) o->waiting[o->waiting_count++] = range;
    outgoing_turn(g, o);
}

/* The next offer has a newer checkpoint, if the log does not reach by then. */
static void on_done(struct group *g, uint8_t from, uint64_t id)
{
    struct outgoing *o = outgoing_to(g, from);
    if (o && o->id == id) outgoing_close(o);
}

/* --- the follower's side --- */

static void say_done(struct group *g, uint8_t to, uint64_t id)
{
    struct buf b = head(TRANSFER_DONE, id);
    send(g, to, &b, NULL);
}

static void incoming_close(struct group *g)
{
    struct incoming *in = &installs(g)->in;
    in->abandoned = true;
    if (in->sink && !transfer_sink_idle(in->sink)) return;
    if (in->sink) transfer_sink_close(in->sink);
    buf_close(&in->manifest);
    for (uint32_t i = 0; i < in->queue_count; i++) buf_close(&in->queue[i].bytes);
    *in = (struct incoming){0};
    installs(g)->receiving = false;
}

static bool next_range(struct incoming *in, struct transfer_range *range)
{
    if (in->stage == FETCHING_SEGMENTS) return transfer_sink_next(in->sink, range);
    if (in->asked == in->manifest_size) return false;
    uint64_t size = in->manifest_size - in->asked;
    if (size > TRANSFER_READ_SIZE) size = TRANSFER_READ_SIZE;
    *range = (struct transfer_range){0, (uint32_t)in->asked, (uint32_t)size};
    in->asked += size;
    return true;
}

static void ask(struct group *g)
{
    struct incoming *in = &installs(g)->in;
    struct transfer_range range;
    while (in->stage <= FETCHING_SEGMENTS && in->outstanding + in->queue_count < TRANSFER_WINDOW &&
           next_range(in, &range)) {
        struct buf b = range_head(TRANSFER_READ, in->id, range);
        send(g, in->node, &b, NULL);
        in->outstanding++;
    }
}

/* What the snapshot covers is here, durable: the core says so to the leader, which waits for that before it sends
 * entries again. */
static bool have_it(struct group *g, uint64_t index, uint64_t term)
{
    if (core_last_stored(g->core) < index) return false;
    return g->applied >= index || log_entry_term(g->params.log, g->params.id, index) >= term;
}

static void tell_core(struct group *g, uint8_t from, const struct store_manifest *m)
{
    struct core_message message = {.type = CORE_INSTALL_SNAPSHOT,
                                   .peer = core_leader(g->core) ? core_leader(g->core) : from,
                                   .term = core_term(g->core),
                                   .last_log_index = m->index,
                                   .last_log_term = m->term,
                                   .conf_index = m->configuration_index,
                                   .conf = m->configuration};
    core_receive(g->core, &message, g->now_ms);
}

static void say_have_it(struct group *g, uint8_t from, uint64_t id, uint64_t index, uint64_t term)
{
    struct store_manifest m = {
        .index = index, .term = term, .configuration_index = g->conf_index, .configuration = buf_slice(&g->conf)};
    tell_core(g, from, &m);
    CHECK(!core_installing(g->core));
    say_done(g, from, id);
}

static void on_offer(struct group *g, uint8_t from, uint64_t id, struct reader *r)
{
    uint64_t index = reader_varint(r), term = reader_varint(r), size = reader_varint(r);
    struct incoming *in = &installs(g)->in;
    bool current = from == core_leader(g->core) && core_state(g->core) == CORE_FOLLOWER && !core_installing(g->core);
    if (r->failed || size > TRANSFER_MANIFEST_MAX || !current) return;
    if (!snapshot_installing(g) && have_it(g, index, term)) {
        say_have_it(g, from, id, index, term);
        return;
    }
    if (installs(g)->receiving) {
        bool same = in->id == id && in->node == from;
        if (same || in->stage >= MAKING_DURABLE || in->abandoned) return;
        incoming_close(g);
        if (installs(g)->receiving) return; /* a write is under way: the next offer finds it closed */
    }
    *in = (struct incoming){
        .node = from, .id = id, .index = index, .term = term, .manifest_size = size, .heard_ms = g->now_ms};
    installs(g)->receiving = true;
    note(g, 2, "transfer_begins from=%u index=%llu", from, (unsigned long long)index);
    ask(g);
}

static void turn_incoming(struct group *g);

static void on_written(void *arg, const struct err *err)
{
    struct group *g = arg;
    struct incoming *in = &installs(g)->in;
    if (err) {
        note(g, 0, "transfer_write_failed error=\"%s\"", err->text);
        in->abandoned = true;
    }
    turn_incoming(g);
}

static void write_next(struct group *g)
{
    struct incoming *in = &installs(g)->in;
    if (!in->queue_count || !transfer_sink_idle(in->sink)) return;
    struct received r = in->queue[0];
    memmove(in->queue, in->queue + 1, --in->queue_count * sizeof in->queue[0]);
    transfer_sink_write(in->sink, r.range, buf_slice(&r.bytes), on_written, g);
    buf_close(&r.bytes);
}

static void open_sink(struct group *g)
{
    struct incoming *in = &installs(g)->in;
    struct err err;
    if (transfer_sink_open(&in->sink, g->params.store, buf_slice(&in->manifest), &err)) {
        note(g, 0, "transfer_manifest_damaged from=%u error=\"%s\"", in->node, err.text);
        incoming_close(g);
        return;
    }
    in->stage = FETCHING_SEGMENTS;
}

static void on_data(struct group *g, uint64_t id, struct reader *r)
{
    struct incoming *in = &installs(g)->in;
    struct transfer_range range;
    range.segment = (uint32_t)reader_varint(r);
    range.offset = (uint32_t)reader_varint(r);
    range.size = (uint32_t)reader_varint(r);
    if (r->failed || reader_left(r) != range.size || !installs(g)->receiving || in->id != id || in->abandoned) return;
    in->heard_ms = g->now_ms;
    if (in->outstanding) in->outstanding--;
    struct slice bytes = reader_bytes(r, range.size);
    if (in->stage == FETCHING_MANIFEST && !range.segment && range.offset == in->manifest.size) {
        buf_put_slice(&in->manifest, bytes);
        if (in->manifest.size == in->manifest_size) open_sink(g);
    } else if (in->stage == FETCHING_SEGMENTS && range.segment && in->queue_count < TRANSFER_WINDOW) {
        struct received *q = &in->queue[in->queue_count++];
        *q = (struct received){.range = range};
        buf_put_slice(&q->bytes, bytes);
    }
    turn_incoming(g);
}

/* What the core would refuse, or what we have already. */
static bool is_pointless(struct group *g)
{
    const struct incoming *in = &installs(g)->in;
    struct store_manifest now;
    store_manifest(g->params.store, &now);
    return now.index >= in->index || core_state(g->core) != CORE_FOLLOWER || g->applied >= in->index ||
           log_entry_term(g->params.log, g->params.id, in->index) >= in->term;
}

static void on_durable_manifest(void *arg, const struct err *err)
{
    struct group *g = arg;
    struct incoming *in = &installs(g)->in;
    if (err) {
        note(g, 0, "transfer_finish_failed error=\"%s\"", err->text);
        store_fail(g->params.store,
                   err); /* which of two checkpoints a restart would find is not known: this replica must not go on */
        return;
    }
    transfer_sink_close(in->sink);
    in->sink = NULL;
    in->stage = TELLING_CORE;
}

static void begin_install(struct group *g)
{
    struct incoming *in = &installs(g)->in;
    struct store_manifest m;
    store_installing(g->params.store, &m);
    in->told = true;
    tell_core(g, in->node, &m);
    CHECK(core_installing(g->core) && in->lsn);
    log_flush(g->params.log);
}

void snapshot_logged(struct group *g, uint64_t lsn)
{
    installs(g)->in.lsn = lsn;
}

static void finish_install(struct group *g)
{
    struct store_manifest m;
    struct err err;
    store_install(g->params.store);
    store_manifest(g->params.store, &m);
    if (g->params.machine.ops->restore(g->params.machine.self, m.machine, &err)) {
        note(g, 0, "transfer_restore_failed error=\"%s\"", err.text);
        CHECK(!"a transferred checkpoint cannot be restored");
    }
    g->member_count = core_configuration_decode(m.configuration, g->members);
    CHECK(g->member_count);
    g->conf_index = m.configuration_index;
    buf_clear(&g->conf);
    buf_put_slice(&g->conf, m.configuration);
    g->applied = g->commit = g->snapshot_index = m.index;
    core_snapshot_persisted(g->core, m.index, m.term, m.configuration_index, m.configuration, g->now_ms);
    note(g, 2, "transfer_installed index=%llu", (unsigned long long)m.index);
    say_done(g, installs(g)->in.node, installs(g)->in.id);
    incoming_close(g);
}

static void turn_incoming(struct group *g)
{
    struct incoming *in = &installs(g)->in;
    if (in->abandoned || (in->stage <= FETCHING_SEGMENTS && is_pointless(g))) {
        incoming_close(g);
        return;
    }
    if (in->stage <= FETCHING_SEGMENTS && g->now_ms > in->heard_ms + TRANSFER_STALL_MS) {
        in->heard_ms = g->now_ms;
        in->outstanding = 0;
        in->asked = in->manifest.size;
        if (in->sink && transfer_sink_idle(in->sink) && !in->queue_count) transfer_sink_rewind(in->sink);
    }
    if (in->stage == FETCHING_SEGMENTS) {
        write_next(g);
        bool may_finish = transfer_sink_complete(in->sink) && !g->checkpoint_running &&
                          !store_checkpoint_running(g->params.store) && !core_installing(g->core);
        if (may_finish) {
            in->stage = MAKING_DURABLE;
            transfer_sink_finish(in->sink, on_durable_manifest, g);
            return;
        }
    }
    if (in->stage == TELLING_CORE && !in->told) begin_install(g);
    if (in->stage == TELLING_CORE && in->lsn && log_durable(g->params.log) >= in->lsn) {
        finish_install(g);
        return;
    }
    ask(g);
}

/* --- the group's doors --- */

void snapshot_receive(struct group *g, uint8_t from, struct slice bytes)
{
    struct reader r = reader_of(bytes);
    uint8_t version = reader_u8(&r), type = reader_u8(&r);
    uint64_t id = reader_varint(&r);
    if (r.failed || version != TRANSFER_VERSION) {
        note(g, 1, "transfer_unreadable node=%u", from);
        return;
    }
    switch (type) {
    case TRANSFER_OFFER:
        on_offer(g, from, id, &r);
        return;
    case TRANSFER_READ:
        on_read(g, from, id, &r);
        return;
    case TRANSFER_DATA:
        on_data(g, id, &r);
        return;
    case TRANSFER_DONE:
        on_done(g, from, id);
        return;
    case TRANSFER_GONE:
        if (installs(g)->receiving && installs(g)->in.id == id && installs(g)->in.stage <= FETCHING_SEGMENTS)
            incoming_close(g);
        return;
    default:
        note(g, 1, "transfer_unreadable node=%u type=%u", from, type);
    }
}

void snapshot_turn(struct group *g)
{
    if (!g->installs) return;
    for (unsigned i = 0; i < GROUP_MEMBERS_MAX; i++)
        if (g->installs->out[i].source) outgoing_turn(g, &g->installs->out[i]);
    if (g->installs->receiving) turn_incoming(g);
}

bool snapshot_installing(const struct group *g)
{
    return g->installs && g->installs->receiving && g->installs->in.stage >= MAKING_DURABLE;
}

bool snapshot_receiving(const struct group *g)
{
    return g->installs && g->installs->receiving;
}

bool snapshot_idle(const struct group *g)
{
    if (!g->installs) return true;
    if (g->installs->receiving && g->installs->in.sink && !transfer_sink_idle(g->installs->in.sink)) return false;
    for (unsigned i = 0; i < GROUP_MEMBERS_MAX; i++)
        if (g->installs->out[i].source && !transfer_source_idle(g->installs->out[i].source)) return false;
    return true;
}

void snapshot_close(struct group *g)
{
    if (!g->installs) return;
    for (unsigned i = 0; i < GROUP_MEMBERS_MAX; i++)
        if (g->installs->out[i].source) outgoing_close(&g->installs->out[i]);
    if (g->installs->receiving) incoming_close(g);
    mem_free(g->installs);
}
